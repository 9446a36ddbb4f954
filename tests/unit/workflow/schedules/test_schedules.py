"""Reading schedules: what is read, what may be concluded from it, and how few requests it takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.workflow.azure_double import ALPHA, BETA, GONE, TARGET, AzureDouble, machine_id
from tests.unit.workflow.maintenance_double import MaintenanceDouble, configuration, configuration_id

from patchmode.model.machine import Subscription
from patchmode.model.schedule import ConfigurationAssignment, DynamicScope, ScheduleBook
from patchmode.workflow.schedules.reading import READ_ASSIGNMENTS, READ_CONFIGURATIONS, read_schedules

BOTH = (Subscription(ALPHA, "Alpha", TARGET.tenant_id), Subscription(BETA.upper(), "Beta", TARGET.tenant_id))
NIGHT = configuration_id("night", subscription=ALPHA)
ELSEWHERE = configuration_id("elsewhere", subscription=BETA)
READER = [{"actions": ["*/read"], "notActions": []}]


def double(**facts: object) -> AzureDouble:
    schedules = MaintenanceDouble(
        configurations=[configuration(NIGHT), configuration(ELSEWHERE)],
        assignments=[
            ConfigurationAssignment("a", machine_id("a"), NIGHT),
            ConfigurationAssignment("b", machine_id("b"), ELSEWHERE),
            ConfigurationAssignment("c", machine_id("c", subscription=BETA), NIGHT),
        ],
        dynamic_scopes=[DynamicScope("d", ALPHA, None, NIGHT), DynamicScope("e", BETA, "rg", NIGHT)],
    )
    return AzureDouble(**{"known": BOTH, "permission_list": READER, "schedules": schedules, **facts})  # type: ignore[arg-type]


async def test_assignments_of_these_subscriptions_and_configurations_of_all() -> None:
    """A configuration may stand in another subscription than the machines."""
    book = await read_schedules(double(), [ALPHA.upper(), ALPHA])
    assert [one.name for one in book.assignments] == ["a", "b"]
    assert [one.name for one in book.dynamic_scopes] == ["d"]
    assert [one.id for one in book.configurations] == [NIGHT, ELSEWHERE]
    assert (book.covered, book.visible, book.notes) == ({ALPHA}, {ALPHA, BETA}, ())


@given(st.integers(min_value=0, max_value=40), st.integers(min_value=0, max_value=40))
async def test_requests_grow_with_pages_and_subscriptions_only(machines: int, configurations: int) -> None:
    schedules = MaintenanceDouble(
        configurations=[configuration(configuration_id(f"c{i}", subscription=ALPHA)) for i in range(configurations)],
        assignments=[ConfigurationAssignment("n", machine_id(f"m{i}"), NIGHT) for i in range(machines)],
        page=1_000,
    )
    azure = double(schedules=schedules)
    book = await read_schedules(azure, [ALPHA, BETA])
    assert azure.requests == {"graph": 2, "permissions": 2}
    assert (len(book.assignments), len(book.configurations)) == (machines, configurations)


async def test_no_subscription_is_no_request() -> None:
    """For Resource Graph an empty list means everything."""
    azure = double()
    assert await read_schedules(azure, []) == ScheduleBook()
    assert not azure.requests


@pytest.mark.parametrize("refused", ["assignments", "configurations"])
async def test_a_refused_graph_is_an_empty_book_that_says_so(refused: str) -> None:
    azure = double()
    azure.schedules.refused = frozenset({refused})
    book = await read_schedules(azure, [ALPHA])
    assert book == ScheduleBook(notes=(f"Schedules were not looked up: {refused} are refused",))


async def test_who_may_not_read_every_assignment_has_seen_nothing_whole() -> None:
    """A right on one resource group shows its assignments, and hides the dynamic scope on the subscription."""
    azure = double(permission_list=[{"actions": ["*/read"], "notActions": [READ_ASSIGNMENTS]}])
    book = await read_schedules(azure, [ALPHA, BETA])
    assert len(book.assignments) == 3
    assert book.covered == frozenset()
    assert book.notes == (
        f"Schedules may be hidden in subscriptions {ALPHA}, {BETA}: {READ_ASSIGNMENTS} is not granted there.",
    )


async def test_one_identity_that_may_not_read_every_assignment_is_enough_to_doubt() -> None:
    """Which of them Resource Graph is asked by is not this reader's to know."""
    blind = [{"actions": ["*/read"], "notActions": [READ_ASSIGNMENTS]}]
    book = await read_schedules(double(granted={"blue": READER, "green": blind}), [ALPHA])
    assert book.covered == frozenset()
    assert (await read_schedules(double(granted={"blue": READER, "green": READER}), [ALPHA])).covered == {ALPHA}


async def test_permissions_that_cannot_be_read_cover_nothing() -> None:
    azure = double(refused=frozenset({f"permissions:/subscriptions/{ALPHA}"}))
    book = await read_schedules(azure, [ALPHA, BETA])
    assert book.covered == {BETA}
    assert book.notes == (
        f"Schedules may be hidden in subscription {ALPHA}: permissions could not be read there (AuthorizationFailed).",
    )


async def test_a_configuration_is_missing_only_where_all_could_be_seen() -> None:
    """Else it may stand in a resource group of which nothing is shown."""
    gone = configuration_id("gone", subscription=BETA)
    for permissions, visible in (
        (READER, {ALPHA, BETA}),
        ([{"actions": [READ_ASSIGNMENTS], "notActions": [READ_CONFIGURATIONS]}], {ALPHA}),
    ):
        azure = double(permission_list=permissions)
        azure.schedules.assignments.append(ConfigurationAssignment("x", machine_id("x"), gone))
        book = await read_schedules(azure, [ALPHA])
        assert book.visible == visible
        assert book.covered == {ALPHA}


async def test_a_configuration_in_a_subscription_that_is_not_seen_is_not_asked_about() -> None:
    azure = double()
    unseen = configuration_id("unseen", subscription=GONE)
    azure.schedules.assignments.append(ConfigurationAssignment("x", machine_id("x"), unseen))
    book = await read_schedules(azure, [ALPHA])
    assert GONE not in book.visible
    assert azure.requests["permissions"] == 1


async def test_subscriptions_that_cannot_be_listed_make_nothing_visible() -> None:
    book = await read_schedules(double(refused=frozenset({"subscriptions"})), [ALPHA])
    assert [one.id for one in book.configurations] == [NIGHT, ELSEWHERE]
    assert (book.covered, book.visible) == ({ALPHA}, frozenset())
    assert "could not be listed" in book.notes[0]
