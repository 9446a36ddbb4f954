"""The table of a machine's members against every recorded answer that shows one."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.recordings import ABSENT, ROOT, Exchange, exchanges, is_here

from arm_emulator.providers.compute.members import first_version, is_at_least, is_free

pytestmark = pytest.mark.skipif(not is_here(), reason=ABSENT)
_TYPE = "microsoft.compute/virtualmachines"


def _machines(exchange: Exchange) -> Iterator[dict[str, Any]]:
    answer = exchange.answer
    rows = answer.get("value") if isinstance(answer, dict) and _TYPE in exchange.path.lower() else None
    for row in rows if isinstance(rows, list) else [answer]:
        if isinstance(row, dict) and str(row.get("type", "")).lower() == _TYPE:
            yield row


def _early(value: Any, path: str, version: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _early(item, path, version)
    if not isinstance(value, dict) or is_free(path):
        return
    for name, item in value.items():
        below = f"{path}.{name}" if path else name
        first = first_version(below)
        if first is None and not is_free(below):
            yield f"{below} is not in the table"
        elif first is not None and not is_at_least(version, first):
            yield f"{below} is shown at {version}, the table has it from {first} on"
        yield from _early(item, below, version)


@pytest.mark.parametrize("group", sorted(path.name for path in ROOT.iterdir() if path.is_dir()) if is_here() else [])
def test_no_member_is_hidden_at_an_api_version_that_was_recorded_showing_it(group: str) -> None:
    """The type tables name some members later than the service shows them."""
    found = {
        problem
        for exchange in exchanges(group)
        for document in _machines(exchange)
        for problem in _early(document, "", exchange.api_version)
    }
    assert found == set()
