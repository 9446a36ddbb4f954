"""The schemas: other programs read what the structs say, and a shared row keeps the name it was published with."""

import json
from pathlib import Path

from patchmode.documents import published


def test_the_published_schemas_are_current() -> None:
    """If this fails, a published format changed: `python -m patchmode.documents.published`, or a new version."""
    stored = {path.name: path.read_text(encoding="utf-8") for path in published.FOLDER.glob("*.json")}
    assert stored == published.render_schemas()


def test_schemas_can_be_written_elsewhere(tmp_path: Path) -> None:
    """One program writes all of them, those of the files that users keep among them."""
    published.write_schemas(tmp_path, published.render_schemas())
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {f"{name}-v1.json" for name in published.DOCUMENTS}
    assert {"plan-v1.json", "run-v1.json", "identities-v1.json", "evidence-v1.json"} <= names


def test_every_reference_of_a_schema_leads_to_a_definition() -> None:
    """A row that is shared stands in some schemas under an earlier name, wherever it is referred to."""
    for name, text in published.render_schemas().items():
        definitions = json.loads(text)["$defs"]
        assert all(one.get("title", key) == key for key, one in definitions.items()), name
        referred = {part.split('"')[0] for part in text.split('"#/$defs/')[1:]}
        assert referred == set(definitions), name
