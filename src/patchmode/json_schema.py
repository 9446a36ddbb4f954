"""The text of a published JSON Schema, made from the struct that a format is written with.

Must not: be needed at run time; the schema files in the package are what others read.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec


def schema_text(struct: type[msgspec.Struct]) -> str:
    """The JSON Schema (draft 2020-12) of a struct, laid out for reading, ending in a line feed."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(struct)}
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def write_schemas(folder: Path, schemas: Mapping[str, str]) -> None:
    """Write schemas into a folder, over what is there.

    Args:
        folder: must exist.
        schemas: file name → text.

    Raises:
        OSError: the folder cannot be written.
    """
    for name, text in schemas.items():
        (folder / name).write_text(text, encoding="utf-8")
