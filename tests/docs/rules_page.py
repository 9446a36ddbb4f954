"""The sections of docs/reference/rules.md, made of the rules themselves; what stands above the mark is written by hand.

Must not: word anything.
"""

from collections.abc import Iterator

from tests.docs.pages import DOCS, read

from patchmode.rules.registry import RULES
from patchmode.rules.rule import SECTIONS, Rule

PAGE = DOCS / "reference" / "rules.md"
MARK = "<!-- The sections below are made from src/patchmode/rules by `make docs`; do not edit them here. -->"


def render_rules() -> str:
    """The page with a section for every rule, in order."""
    head, mark, _ = read(PAGE).partition(MARK)
    assert mark, f"{PAGE} has no mark below which the rules stand: {MARK}"
    return head + mark + "\n" + "".join(f"\n{section(rule)}" for rule in RULES)


def section(rule: Rule) -> str:
    """One rule's section."""
    return "".join(_lines(rule))


def _lines(rule: Rule) -> Iterator[str]:
    yield f"## `{rule.id}`\n\n"
    for label in SECTIONS:
        yield f"**{label}** {rule.section(label)}\n"
