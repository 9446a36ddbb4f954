"""Every rule id that the schedule commands give is registered, so that it has a page and a stable meaning."""

import re

import pytest
from tests.docs.pages import ROOT

from patchmode.rules.eligibility.registry import RULE_ORDER

_GIVEN = re.compile(r"(?:Obstacle\(|ScheduleFinding\(|_finding\(view, |rule = )\s*\"([a-z-]+)\"")


@pytest.mark.parametrize("name", ["findings", "limits", "creation", "attaching"])
def test_rules_are_registered(name: str) -> None:
    text = (ROOT / "src/patchmode/rules/schedules" / f"{name}.py").read_text(encoding="utf-8")
    given = set(_GIVEN.findall(text)) | set(re.findall(r"\"(schedule-limit(?:-near)?)\"", text))
    assert given
    assert given <= set(RULE_ORDER)
