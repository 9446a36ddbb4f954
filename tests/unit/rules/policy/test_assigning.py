"""What an assignment is sent as, where another differs, and what undoes it."""

import pytest

from arm_emulator.providers.policy_definitions import built_in_policies
from patchmode.arm.policies import definition_of
from patchmode.model.policy import BuiltIn, PolicyWish, RoleGrant
from patchmode.rules.policy.assigning import (
    body_of,
    differences,
    is_half_written,
    name_problem,
    parameters_of,
    silenced,
    undo_commands,
)

SCOPE = "/subscriptions/11111111-1111-1111-1111-111111111111"
WISH = PolicyWish(BuiltIn.PREREQUISITE, SCOPE, "prep", "West Europe")
DEFINITION = definition_of(built_in_policies()[BuiltIn.PREREQUISITE.guid])


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ({"LOCATIONS": "westeurope, eastus"}, {"locations": ["westeurope", "eastus"]}),
        ({"locations": '["westeurope"]'}, {"locations": ["westeurope"]}),
        ({"tagValues": '[{"key": "a", "value": "1"}]'}, {"tagValues": [{"key": "a", "value": "1"}]}),
        ({"tagOperator": "All"}, {"tagOperator": "All"}),
        ({"tagOperator": "all"}, {"tagOperator": "All"}),
    ],
)
def test_parameters_as_they_are_typed(typed: dict[str, str], value: dict[str, object]) -> None:
    """JSON, or a list's entries between commas; names as the definition spells them."""
    assert parameters_of(DEFINITION, typed) == (value, [])


@pytest.mark.parametrize("text", ["[1", "{}", "5"])
def test_a_list_that_is_none(text: str) -> None:
    """Half of JSON is not taken for a text."""
    found, problems = parameters_of(DEFINITION, {"tagValues": text})
    assert (found, len(problems)) == ({}, 1)


def test_differences_are_what_changes_its_effect() -> None:
    """Not the display name, nor the region of the identity; a notScope that somebody added is one."""
    body = body_of(WISH, DEFINITION, {"locations": ["westeurope"]})
    assert body["location"] == "westeurope"
    same = {**body, "location": "eastus", "properties": {**body["properties"], "displayName": "x", "notScopes": []}}
    assert differences(body, same) == ()
    other = {
        "identity": {"type": "UserAssigned"},
        "properties": {**body["properties"], "parameters": {}, "notScopes": [f"{SCOPE}/resourceGroups/a"]},
    }
    assert [one.path for one in differences(body, other)] == [
        "properties.parameters.locations",
        "properties.notScopes",
        "identity.type",
    ]


def test_one_that_was_stopped_half_way_is_known_by_its_mark() -> None:
    """Somebody's own DoNotEnforce has no mark, and another difference makes it another assignment."""
    body = body_of(WISH, DEFINITION, {})
    half = silenced(body)
    assert is_half_written(half, differences(body, half))
    theirs = {**half, "properties": {**half["properties"], "metadata": {}}}
    assert not is_half_written(theirs, differences(body, theirs))
    later = body_of(WISH, DEFINITION, {"tagOperator": "All"})
    assert not is_half_written(half, differences(later, half))


def test_what_undoes_it() -> None:
    """Exemptions, roles, and the assignment last; where another was written over, that one is put back."""
    grants = (RoleGrant(f"{SCOPE}/resourceGroups/o'h", "r"),)
    made = list(undo_commands(WISH, before=None, exemptions=["/e"], roles=grants, principal="p"))
    assert made == [
        "az rest --method delete --url '/e?api-version=2022-07-01-preview'",
        f"az role assignment delete --assignee p --role r --scope '{SCOPE}/resourceGroups/o'\\''h'",
        f"az rest --method delete --url '{WISH.id}?api-version=2023-04-01'",
    ]
    before = {"id": "x", "properties": {"a": 1}, "location": "eastus"}
    (back,) = undo_commands(WISH, before=before, exemptions=[], roles=[], principal="p")
    assert back.endswith("""--body '{"location":"eastus","properties":{"a":1}}'""")


@pytest.mark.parametrize(("name", "is_taken"), [("a" * 64, True), ("a" * 65, False), ("", False), ("a.b", False)])
def test_names(name: str, is_taken: bool) -> None:
    """64 characters, without those that the specification's pattern excludes."""
    wish = PolicyWish(BuiltIn.PREREQUISITE, SCOPE, name, "x")
    assert (name_problem(wish) is None) is is_taken
