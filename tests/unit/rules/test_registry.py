"""Rule ids are an interface: each is unique, documented, and given by something."""

import re
from pathlib import Path

import pytest

from patchmode.rules.eligibility.registry import RULES, Rule, rule

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTED = (ROOT / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")
SOURCES = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/patchmode/rules").rglob("*.py"))


def test_ids_are_unique_and_spelled_alike() -> None:
    """They stand in JSON, in plans and in CI gates."""
    ids = [known.id for known in RULES]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", known) for known in ids)
    assert all(known.title and known.severities for known in RULES)


def test_the_reference_has_one_section_a_rule_in_order() -> None:
    """A rule without documentation does not exist, and neither does documentation without a rule."""
    assert re.findall(r"^## `(.+)`$", DOCUMENTED, re.MULTILINE) == [known.id for known in RULES]


@pytest.mark.parametrize("known", RULES, ids=lambda known: known.id)
def test_each_section_says_everything(known: Rule) -> None:
    """What, why, evidence, fix, source."""
    section = DOCUMENTED.split(f"## `{known.id}`\n", 1)[1].split("\n## ", 1)[0]
    for label in ("**What**", "**Severity**", "**Why**", "**Evidence**", "**Fix**", "**Source**"):
        assert section.count(label) == 1, label


@pytest.mark.parametrize("known", RULES, ids=lambda known: known.id)
def test_each_rule_is_given_by_some_check(known: Rule) -> None:
    """An id that nothing gives is dead."""
    assert SOURCES.count(f'"{known.id}"') >= 2


def test_a_rule_is_found_by_its_id() -> None:
    """And an unknown one is not."""
    assert rule("client-os").title == "Windows client systems are out of Update Manager's reach"
    with pytest.raises(KeyError):
        rule("no-such-rule")
