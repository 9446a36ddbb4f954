"""Plan files that an earlier version wrote, and plan files with one member changed and a digest that fits."""

import hashlib
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "data" / "plans-2026-11"
NAMES = ("apply", "rollback", "waves", "arc")


def frozen(name: str) -> dict[str, Any]:
    """The document of a plan file that an earlier version wrote."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def resealed(document: dict[str, Any]) -> bytes:
    """The file's content with a digest calculated anew, as anybody can do."""
    rest = {key: value for key, value in document.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return json.dumps({**rest, "digest": hashlib.sha256(text.encode()).hexdigest()}, ensure_ascii=False).encode()


def pointed_at(document: dict[str, Any], endpoint: str, **target: str) -> dict[str, Any]:
    """The same plan for another address of the same service."""
    return {**document, "target": {**document["target"], "endpoint": endpoint, **target}}
