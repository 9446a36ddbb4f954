"""The words of the rules for reports, taken out of docs/reference/rules.md; `make docs` writes the file anew.

Must not: word anything.
"""

import json
import re

from tests.docs.pages import DOCS, ROOT, read

FILE = ROOT / "src/patchmode/rules/rule_texts.json"
_PARTS = ("What", "Why", "Fix")


def render_rule_texts() -> str:
    """Rule id → what, why and fix, as JSON."""
    sections = re.split(r"^## `([\w-]+)`$", read(DOCS / "reference" / "rules.md"), flags=re.MULTILINE)[1:]
    texts = dict(zip(sections[::2], map(_parts, sections[1::2]), strict=True))
    return json.dumps(texts, indent=2, ensure_ascii=False) + "\n"


def _parts(section: str) -> dict[str, str]:
    return {part.lower(): _plain(section, part) for part in _PARTS}


def _plain(section: str, part: str) -> str:
    """One labelled paragraph without its marks: emphasis, code, and the targets of links."""
    found = re.search(rf"^\*\*{part}\*\* (.+?)(?=^\*\*|\Z)", section, re.MULTILINE | re.DOTALL)
    assert found is not None, part
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", " ".join(found[1].split()))
    return text.replace("**", "").replace("`", "")
