"""Laws of the merge and of every write, over generated documents and requests."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.emulator.compute.caller import PATH, Caller, machine
from tests.examples import examples

from arm_emulator.providers.compute.merge import MergeRules, merged

NAMES = st.sampled_from(
    [
        "hardwareProfile",
        "osProfile",
        "storageProfile",
        "licenseType",
        "unknownMember",
        "priority",
        "vmSize",
        "tags",
        "etag",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=5)


class _Drawn:
    """A source of guids that needs no seed here."""

    def getrandbits(self, k: int, /) -> int:
        return 7


RULES = MergeRules(tenant_id="t", random=_Drawn())


def _leaves(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if isinstance(value, dict) and value:
        return {key: leaf for name, item in value.items() for key, leaf in _leaves(item, (*path, name)).items()}
    return {path: value}


@given(OBJECTS, OBJECTS)
def test_a_write_loses_no_leaf_that_it_does_not_name(before: dict[str, Any], sent: dict[str, Any]) -> None:
    """The promise that the product stands on: siblings stay what they were."""
    stored = {"properties": before}
    after = _leaves(merged(stored, {"properties": sent}, RULES))
    named = _leaves({"properties": sent})
    for path, value in _leaves(stored).items():
        touched = any(path[: len(other)] == other or other[: len(path)] == path for other in named)
        if not touched:
            assert after[path] == value


@given(OBJECTS, OBJECTS)
def test_a_write_said_twice_changes_nothing_more(before: dict[str, Any], sent: dict[str, Any]) -> None:
    """A retry after a lost answer is harmless."""
    body = {"properties": sent}
    once = merged({"properties": before}, body, RULES)
    assert merged(once, body, RULES) == once


@given(OBJECTS, OBJECTS)
def test_the_merge_never_changes_what_it_was_given(before: dict[str, Any], sent: dict[str, Any]) -> None:
    """The state hands its own documents in."""
    stored, body = {"properties": before}, {"properties": sent}
    shown = repr((stored, body))
    merged(stored, body, RULES)
    assert repr((stored, body)) == shown


@settings(max_examples=examples(20), deadline=None)
@given(st.lists(st.sampled_from(["tags", "size", "stale", "broken"]), max_size=8))
def test_the_etag_counts_accepted_writes(calls: list[str]) -> None:
    """One more for each accepted write, none for a refused one."""
    caller = Caller.of(machine(etag=1))
    accepted = 0
    for at, kind in enumerate(calls):
        body: Any = {"tags": {"at": str(at)}}
        if kind == "size":
            body = {"properties": {"hardwareProfile": {"vmSize": f"Standard_D{at}"}}}
        if kind == "broken":
            body = {"properties": {"nonsense": 1}}
        headers = {"if_match": '"999"'} if kind == "stale" else {}
        status = caller.patch(PATH, body, **headers).status
        assert status == {"stale": 412, "broken": 400}.get(kind, 200)
        accepted += status == 200
    assert caller.get(PATH).body["etag"] == f'"{1 + accepted}"'


@settings(max_examples=examples(50), deadline=None)
@given(
    st.sampled_from(["PATCH", "PUT"]), st.dictionaries(NAMES | st.just("properties"), VALUES, max_size=4), st.booleans()
)
def test_no_body_breaks_the_emulator(method: str, body: dict[str, Any], has_machine: bool) -> None:
    """Whatever comes in is answered as the service's own, never with a 500, and leaves a machine that can be read."""
    caller = Caller.of(*([machine()] if has_machine else []))
    sent = {"location": "westeurope", **body}
    answer = caller.call(method, PATH, sent)
    assert answer.status in (200, 201, 400, 404, 409)
    caller.finish()
    assert caller.get(PATH, query="&$expand=instanceView").status in (200, 404)
