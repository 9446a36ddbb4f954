"""Verification accepts exactly what the service may do, and sees every other leaf."""

import copy
import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from tests.properties.strategies import Planned, leaf_paths, planned_changes
from tests.unit.rules.builders import Leaving, Merging, RefusedError, served

from patchmode.model.machine import MachineKind
from patchmode.rules.settings.precondition import since_plan
from patchmode.rules.settings.verification import differences, dotted, expected_document, leaf_differences

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
_VOLATILE = {("etag",), ("properties", "provisioningState"), ("properties", "instanceView")}
_VOLATILE_ARC = {("properties", "status"), ("properties", "lastStatusChange")}


def _set(document: Any, path: tuple[str | int, ...], value: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value


@given(planned_changes(), st.sampled_from(("clear", "keep")), st.sampled_from(("deep", "shallow")))
def test_whatever_the_service_may_do_is_verified(planned: Planned, leaving: Leaving, merging: Merging) -> None:
    """Clear or keep, deep or shallow: unconfirmed, so either must verify."""
    change = planned.change
    assert differences(change, served(change.document, change.body, leaving=leaving, merging=merging)) == ()


@given(planned_changes(), st.data())
def test_any_other_leaf_is_seen_by_name(planned: Planned, data: st.DataObject) -> None:
    """Verification that overlooks a sibling proves nothing."""
    machine, _, change = planned
    after = served(change.document, change.body)
    volatile = _VOLATILE | (_VOLATILE_ARC if machine.kind is MachineKind.ARC else set())
    path = data.draw(st.sampled_from([path for path in leaf_paths(after) if path not in volatile]))
    _set(after, path, "somebody-changed-this")
    found = differences(change, after)
    assert [difference.path for difference in found] == [dotted(path)]
    assert found[0].found == '"somebody-changed-this"'


@given(planned_changes(), st.data())
def test_what_changed_since_the_plan_is_named(planned: Planned, data: st.DataObject) -> None:
    """Whatever changed is told by its field, depended on or not."""
    machine, _, change = planned
    now = copy.deepcopy(dict(change.document))
    assert since_plan(change, now).all == ()
    volatile = _VOLATILE | (_VOLATILE_ARC if machine.kind is MachineKind.ARC else set())
    path = data.draw(st.sampled_from([path for path in leaf_paths(now) if path not in volatile]))
    _set(now, path, "changed")
    assert [difference.path for difference in since_plan(change, now).all] == [dotted(path)]


@given(planned_changes())
def test_a_machine_that_was_not_changed_is_not_verified(planned: Planned) -> None:
    """An unchanged document must never pass for a changed one, except where absence and false are the same."""
    change = planned.change
    found = differences(change, change.document)
    assert found or change.tolerated


@given(planned_changes())
def test_refusal_leaves_the_machine_as_it_was(planned: Planned) -> None:
    """Where the service refuses to leave AutomaticByPlatform nothing has changed: it may be planned again."""
    change = planned.change
    try:
        served(change.document, change.body, leaving="refuse")
    except RefusedError:
        assert since_plan(change, change.document).all == ()


@given(_json, _json)
@example(False, 0)
def test_leaves_differ_exactly_where_documents_do(left: Any, right: Any) -> None:
    """No difference without a leaf, no leaf without a difference. As JSON: to Python `false` is `0`."""
    texts = {json.dumps(value, sort_keys=True) for value in (left, right)}
    assert bool(list(leaf_differences(left, right))) is (len(texts) == 2)


@given(planned_changes())
def test_the_expected_document_is_the_plan_with_the_body_in_it(planned: Planned) -> None:
    """What is verified is what was planned."""
    change = planned.change
    expected = expected_document(change)
    paths = leaf_paths(change.body)
    for path in leaf_paths(expected):
        assert path in paths or path in leaf_paths(change.document)
    after: Any = expected
    for step in ("properties", "osProfile", change.os.configuration, "patchSettings"):
        after = after[step]
    assert after == change.after
