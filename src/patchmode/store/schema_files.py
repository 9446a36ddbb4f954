"""The published JSON Schemas, made from the structs: `python -m patchmode.store.schema_files` writes them anew.

Must not: be needed at run time; the files beside it are what others read.
"""

from pathlib import Path

import msgspec

from patchmode.documents.base import schema_text, write_schemas
from patchmode.documents.evidence import ManifestDocument
from patchmode.documents.plan_and_run import PlanDocument, RunDocument
from patchmode.store.identity_file import IdentitiesDocument

FOLDER = Path(__file__).parent / "schemas"
_PUBLISHED: dict[str, type[msgspec.Struct]] = {
    "plan-v1.json": PlanDocument,
    "run-v1.json": RunDocument,
    "identities-v1.json": IdentitiesDocument,
    "evidence-v1.json": ManifestDocument,
}


def render_schemas() -> dict[str, str]:
    """File name → the JSON Schema's text."""
    return {name: schema_text(struct) for name, struct in _PUBLISHED.items()}


if __name__ == "__main__":
    write_schemas(FOLDER, render_schemas())
