"""The published JSON Schemas, made from the structs: `python -m patchmode.store.schema_files` writes them anew.

Must not: be needed at run time; the files beside it are what others read.
"""

from pathlib import Path

import msgspec

from patchmode.store.formats import PlanDocument, RunDocument

FOLDER = Path(__file__).parent / "schemas"
_PUBLISHED: dict[str, type[msgspec.Struct]] = {"plan-v1.json": PlanDocument, "run-v1.json": RunDocument}


def render_schemas() -> dict[str, str]:
    """File name → the JSON Schema's text (draft 2020-12), ending in a line feed."""
    return {name: _render(struct) for name, struct in _PUBLISHED.items()}


def write_schemas(folder: Path = FOLDER) -> None:
    """Write every schema into a folder, over what is there.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, text in render_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")


def _render(struct: type[msgspec.Struct]) -> str:
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(struct)}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


if __name__ == "__main__":
    write_schemas()
