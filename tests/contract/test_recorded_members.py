"""Members and ids of a machine against every recorded answer that shows one."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from tests.contract.recordings import ABSENT, ROOT, Exchange, exchanges, is_here
from tests.contract.replay import Replay

from arm_emulator.providers.compute.members import is_at_least, is_free, shown_from

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
        first = shown_from(below)
        if first is None and not is_free(below):
            yield f"{below} is not in the table"
        elif first is not None and not is_at_least(version, first):
            yield f"{below} is shown at {version}, the table has it from {first} on"
        yield from _early(item, below, version)


def _groups() -> list[str]:
    return sorted(path.name for path in ROOT.iterdir() if path.is_dir()) if is_here() else []


@pytest.mark.parametrize("group", _groups())
def test_no_member_is_hidden_at_an_api_version_that_was_recorded_showing_it(group: str) -> None:
    """The type tables name some members later than the service shows them."""
    found = {
        problem
        for exchange in exchanges(group)
        for document in _machines(exchange)
        for problem in _early(document, "", exchange.api_version)
    }
    assert found == set()


Counts = dict[str, Counter[str]]
"""Path → api-version → how often."""


def _count(value: Any, path: str, version: str, objects: Counts, members: Counts) -> None:
    """How many objects there are at each path, and how many of them have each member."""
    if isinstance(value, list):
        for item in value:
            _count(item, path, version, objects, members)
    if not isinstance(value, dict) or is_free(path):
        return
    objects[path][version] += 1
    for name, item in value.items():
        below = f"{path}.{name}" if path else name
        members[below][version] += 1
        _count(item, below, version, objects, members)


def _recorded() -> tuple[Counts, Counts]:
    objects: Counts = defaultdict(Counter)
    members: Counts = defaultdict(Counter)
    # Some exchanges are in two groups.
    unique = {(one.source, one.position, one.url): one for group in _groups() for one in exchanges(group)}
    for exchange in unique.values():
        for document in _machines(exchange):
            _count(document, "", exchange.api_version[:10], objects, members)
    return objects, members


def test_no_member_is_shown_at_an_api_version_that_was_recorded_without_it() -> None:
    """The type tables name some members earlier than the service shows them.

    A member that every recorded answer has from some api-version on, and none before, is one that the service fills
    in by itself: an answer of an older api-version that has the object around it and not the member proves that it is
    not shown there. Members that are there for some machines only prove nothing.
    """
    objects, members = _recorded()
    found = []
    for path, versions in members.items():
        around, first, table = objects[path.rpartition(".")[0]], min(versions), shown_from(path)
        always = all(versions[version] == count for version, count in around.items() if version >= first)
        without = {version: count for version, count in around.items() if table and table[:10] <= version < first}
        if always and without:
            found.append(f"{path}: the table has it from {table} on, recorded from {first}, without it at {without}")
    assert found == []


def _ids(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every resource id in a document, as a value or as a member's name, with its place."""
    if isinstance(value, list):
        for item in value:
            yield from _ids(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            if name.startswith("/subscriptions/"):
                yield f"{path}/*", name
            yield from _ids(item, f"{path}/{'*' if name.startswith('/') else name}")
    elif isinstance(value, str) and value.startswith("/subscriptions/"):
        yield path, value


def test_ids_of_a_new_machine_are_spelled_as_recorded() -> None:
    """The service spells some of the ids that it is sent in its own way."""
    compared, found = 0, []
    for exchange in exchanges("vm_put_create"):
        if exchange.is_body_lost:
            continue
        recorded = {(path, one.lower()): one for path, one in _ids(exchange.answer)}
        for path, one in _ids(Replay((), exchange).send(exchange).body):
            wanted = recorded.get((path, one.lower()), one)
            compared += (path, one.lower()) in recorded
            if one != wanted:
                found.append(f"{exchange.case} {path}: recorded {wanted}, emulated {one}")
    assert found == []
    assert compared > 50
