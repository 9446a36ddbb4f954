"""Actions of a role, with stars."""

import re

from hypothesis import given
from hypothesis import strategies as st

from patchmode.rules.guardrails.permissions import is_allowed

TEXTS = st.text(alphabet="ab/*", max_size=8)


@given(TEXTS, st.text(alphabet="ab/B", max_size=12))
def test_a_star_stands_for_any_text(pattern: str, action: str) -> None:
    """As an expression with a `.*` for each star has it, which takes too long where there are many."""
    expected = re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), action, re.IGNORECASE) is not None
    assert is_allowed(action, [{"actions": [pattern]}]) is expected
    assert is_allowed(action, [{"actions": ["*"], "notActions": [pattern]}]) is not expected


def test_many_stars_are_compared_at_once() -> None:
    assert not is_allowed("Microsoft.Compute/virtualMachines/write", [{"actions": ["*i" * 10_000]}])
