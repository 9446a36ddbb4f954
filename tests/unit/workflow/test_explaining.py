"""One machine in full, found by id or by name."""

import pytest
from tests.unit.workflow.azure_double import AzureDouble, machine, machine_id

from patchmode.errors import EmptyScopeError, UsageError
from patchmode.workflow.explaining import explain


async def test_by_id_with_what_only_the_instance_view_tells() -> None:
    """Agent and power as they are at this moment."""
    explanation = await explain(AzureDouble([machine("vm1")]), str(machine_id("vm1")))
    surroundings = explanation.audit.machine.surroundings
    assert (surroundings.agent_status, surroundings.power_state) == ("Ready", "deallocated")
    assert explanation.document["id"] == str(machine_id("vm1"))


@pytest.mark.parametrize("name", ["web*", "WEB*", "o'brien\"", "[x]"])
async def test_a_name_is_compared_as_text(name: str) -> None:
    """It is neither a pattern nor part of a query."""
    found = await explain(AzureDouble([machine(name.lower()), machine("web1"), machine("x")]), name)
    assert found.audit.machine.name == name.lower()


async def test_an_unknown_name_and_a_name_of_two() -> None:
    """The ids of both are told, ready to be pasted."""
    azure = AzureDouble([machine("twin", group="a"), machine("Twin", group="b")])
    with pytest.raises(EmptyScopeError, match="no machine named 'nobody'"):
        await explain(azure, "nobody")
    with pytest.raises(UsageError, match="2 machines are named 'twin'"):
        await explain(azure, "twin")


async def test_a_machine_that_is_gone_tells_what_was_answered() -> None:
    """Not an empty page."""
    with pytest.raises(EmptyScopeError, match=r"gone could not be read: GET .* not found"):
        await explain(AzureDouble(), str(machine_id("gone")))


async def test_an_instance_view_that_is_refused_is_a_note() -> None:
    """The rest is worth reading all the same."""
    azure = AzureDouble([machine("vm1")], refused=frozenset({"view:vm1"}))
    explanation = await explain(azure, str(machine_id("vm1")))
    assert explanation.instance_view is None
    assert explanation.notes == ("The instance view could not be read: view:vm1 is refused",)


async def test_an_arc_machine_has_no_instance_view() -> None:
    """And is not asked for one."""
    azure = AzureDouble([machine("arc1", arc=True)])
    explanation = await explain(azure, str(machine_id("arc1", arc=True)))
    assert explanation.instance_view is None
    assert azure.requests["view"] == 0
