"""Microsoft.Maintenance over a scripted transport: what is sent, and what each answer becomes."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ServiceRequestError
from tests.unit.arm.scripted import ENDPOINT, Scripted, Wire, answer, wire

from patchmode.arm.maintenance import MaintenanceReader, MaintenanceWriter
from patchmode.arm.pipeline import Patience
from patchmode.errors import ForbiddenError, MaybeAppliedError, NotSentError, RejectedError, UnsafeError
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import AttachEnd, ConfigurationAssignment, DynamicScope, ScopeFilter
from patchmode.workflow.schedules.attachment import written

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/Web"
VM = ResourceId.parse(f"{GROUP}/providers/Microsoft.Compute/virtualMachines/web-1")
NIGHT = ResourceId.parse(f"{GROUP}/providers/Microsoft.Maintenance/maintenanceConfigurations/Night")
CHILD = "providers/Microsoft.Maintenance/configurationAssignments"
CONFIGURATION = {
    "id": str(NIGHT).lower(),
    "location": "westeurope",
    "tags": {},
    "properties": {"maintenanceScope": "X"},
}


def lost() -> ServiceRequestError:
    return ServiceRequestError("x", error=aiohttp.ServerDisconnectedError())


def ok(document: Any, status: int = 200) -> Scripted:
    return answer(status, json.dumps(document).encode())


def assignment(holder: str = str(VM), **properties: Any) -> dict[str, Any]:
    named = {"maintenanceConfigurationId": str(NIGHT).lower(), "resourceId": holder.lower(), **properties}
    return {"location": "westeurope", "properties": named, "id": f"{holder.lower()}/{CHILD}/nightly", "name": "nightly"}


def asked(made: Wire) -> list[tuple[str, str, Any]]:
    """Method, path and body of each request."""
    return [
        (method, url.removeprefix(ENDPOINT).partition("?")[0], json.loads(content) if content else None)
        for method, url, _, content in made.transport.asked
    ]


async def test_a_configuration_is_put_and_read() -> None:
    made = wire(ok(CONFIGURATION))
    properties = {"maintenanceScope": "InGuestPatch"}
    put = await MaintenanceWriter(made.channel).put_configuration(NIGHT, "westeurope", properties, {"a": "b"})
    got = await MaintenanceReader(made.channel).configuration(NIGHT)
    assert put == got
    assert put.id == NIGHT
    body = {"location": "westeurope", "tags": {"a": "b"}, "properties": properties}
    assert asked(made) == [("PUT", str(NIGHT), body), ("GET", str(NIGHT), None)]
    assert all(url.endswith("?api-version=2023-04-01") for _, url, *_ in made.transport.asked)


async def test_attach_sends_the_location_and_the_configuration() -> None:
    made = wire(ok(assignment(), 201))
    found = await MaintenanceWriter(made.channel).attach(VM, "westeurope", "nightly", NIGHT)
    assert found == ConfigurationAssignment("nightly", VM, NIGHT)
    body = {"location": "westeurope", "properties": {"maintenanceConfigurationId": str(NIGHT)}}
    assert asked(made) == [("PUT", f"{VM}/{CHILD}/nightly", body)]


@pytest.mark.parametrize(
    ("group", "wanted", "location"),
    [
        (None, ScopeFilter(locations=("westeurope",)), "global"),
        ("Web", ScopeFilter(locations=("northeurope", "westeurope")), "northeurope"),
        ("Web", ScopeFilter(), "global"),
    ],
)
async def test_a_dynamic_scope_is_put_on_its_place(group: str | None, wanted: ScopeFilter, location: str) -> None:
    place = f"/subscriptions/{SUBSCRIPTION}" if group is None else GROUP
    shown = {"locations": list(wanted.locations) or None, "resourceIds": None, "availabilityZones": None}
    made = wire(ok(assignment(place, filter=shown)))
    writer = MaintenanceWriter(made.channel)
    found = await writer.attach_scope(SUBSCRIPTION.upper(), group, "nightly", NIGHT, wanted)
    assert (found.configuration, found.filter, found.subscription_id) == (NIGHT, wanted, SUBSCRIPTION)
    ((method, path, body),) = asked(made)
    assert (method, path.casefold()) == ("PUT", f"{place}/{CHILD}/nightly".casefold())
    assert body["location"] == location
    assert body["properties"]["filter"] == ({"locations": list(wanted.locations)} if wanted.locations else {})


@pytest.mark.parametrize("document", [None, {}])
async def test_an_accepted_write_without_a_body_is_what_was_asked_for(document: Any) -> None:
    """Null is recorded for a PUT of the same provider; an object without an id is not understood."""
    made = wire(ok(document))
    writing = MaintenanceWriter(made.channel).attach(VM, "westeurope", "nightly", NIGHT)
    if document is None:
        assert await writing == ConfigurationAssignment("nightly", VM, NIGHT)
        return
    with pytest.raises(MaybeAppliedError, match="was accepted, but") as caught:
        await writing
    assert (caught.value.code, caught.value.status) == ("UnusableAnswer", 200)


async def test_an_answer_about_something_else_is_not_taken() -> None:
    made = wire(ok(assignment(GROUP)))
    with pytest.raises(MaybeAppliedError, match="not the assignment of a machine"):
        await MaintenanceWriter(made.channel).attach(VM, "westeurope", "nightly", NIGHT)
    made = wire(ok(assignment()))
    with pytest.raises(MaybeAppliedError, match="not a dynamic scope"):
        await MaintenanceWriter(made.channel).attach_scope(SUBSCRIPTION, "Web", "nightly", NIGHT, ScopeFilter())
    with pytest.raises(RejectedError, match="of a single resource"):
        await MaintenanceReader(wire(ok(assignment())).channel).dynamic_scope(SUBSCRIPTION, None, "nightly")


@pytest.mark.parametrize(
    ("script", "was_there"),
    [
        ([answer(200, b"")], True),
        ([answer(204, b"")], False),
        ([answer(404, b'{"error":{"code":"ResourceNotFound","message":"no"}}')], False),
        ([lost(), answer(204, b"")], True),
        ([answer(502, b"<html>"), answer(204, b"")], True),
        ([answer(429, b"{}"), answer(204, b"")], False),
    ],
)
async def test_detaching_tells_whether_there_was_something(script: list[Any], was_there: bool) -> None:
    """After a lost answer nobody else may have deleted it: it may have been this request."""
    made = wire(*script)
    assert await MaintenanceWriter(made.channel).detach(VM, "nightly") is was_there
    assert {one[:2] for one in asked(made)} == {("DELETE", f"{VM}/{CHILD}/nightly")}


async def test_a_dynamic_scope_is_detached_from_its_place() -> None:
    made = wire(answer(200, b""))
    assert await MaintenanceWriter(made.channel).detach_scope(SUBSCRIPTION, "Web", "nightly")
    assert asked(made) == [("DELETE", f"{GROUP}/{CHILD}/nightly", None)]


@pytest.mark.parametrize(
    "first", [lost(), answer(500, b'{"Message":"An error has occurred."}'), answer(408), answer(504)]
)
async def test_writes_are_repeated_until_there_is_an_answer(first: Any) -> None:
    """The same PUT leaves the same behind however often it arrives."""
    made = wire(first, ok(assignment()))
    await MaintenanceWriter(made.channel).attach(VM, "westeurope", "nightly", NIGHT)
    assert len(asked(made)) == 2


@pytest.mark.parametrize("script", [[], [answer(429, b"{}")]])
async def test_a_write_that_is_called_off_while_it_waits_never_leaves(script: list[Any]) -> None:
    """A freeze or a stop holds for schedules too: at first, and when Azure's limits had it sent again."""
    for write in CALLED_OFF:
        made = wire(*script, ok(assignment()))
        wishes = iter([True] * len(script) + [False])
        with pytest.raises(NotSentError) as caught:
            await write(MaintenanceWriter(made.channel), lambda wishes=wishes: next(wishes))
        assert caught.value.code == "Stopped"
        assert len(asked(made)) == len(script)


async def test_a_repeat_that_is_called_off_may_have_been_applied() -> None:
    """What its first try did is not known, and nothing says that it was not received."""
    for write in CALLED_OFF:
        made = wire(answer(503, b""), ok(assignment()))
        wishes = iter([True, False])
        with pytest.raises(MaybeAppliedError) as caught:
            await write(MaintenanceWriter(made.channel), lambda wishes=wishes: next(wishes))
        assert caught.value.code == "Stopped"
        assert len(asked(made)) == 1


CALLED_OFF: tuple[Callable[[MaintenanceWriter, Callable[[], bool]], Awaitable[object]], ...] = (
    lambda writer, may_send: writer.attach(VM, "westeurope", "nightly", NIGHT, may_send=may_send),
    lambda writer, may_send: writer.detach(VM, "nightly", may_send=may_send),
)


@pytest.mark.parametrize("last", [lost(), answer(500, b'{"Message":"An error has occurred."}')])
async def test_a_write_without_an_answer_may_have_been_applied(last: Any) -> None:
    made = wire(last)
    with pytest.raises(MaybeAppliedError) as caught:
        await MaintenanceWriter(made.channel).attach(VM, "westeurope", "nightly", NIGHT)
    assert len(asked(made)) == 6
    assert caught.value.advice == "The change may have been applied: it is safe to run this again."


@pytest.mark.parametrize(
    ("status", "body", "code", "message"),
    [
        (
            400,
            {"error": {"code": "UnsupportedResourceOperation", "message": "not met"}},
            "UnsupportedResourceOperation",
            "not met",
        ),
        (400, {"Error": {"Code": "InvalidMaintenanceWindow", "Message": "bad"}}, "InvalidMaintenanceWindow", "bad"),
        (400, {"Message": "Given Maintenance Subscope is not supported"}, "UnnamedError", "Subscope is not supported"),
        (403, {"error": {"code": "AuthorizationFailed", "message": "no"}}, "AuthorizationFailed", "no"),
    ],
)
async def test_refusals_in_the_provider_s_own_shapes(status: int, body: Any, code: str, message: str) -> None:
    made = wire(ok(body, status))
    with pytest.raises(RejectedError, match=message) as caught:
        await MaintenanceWriter(made.channel).attach(VM, "westeurope", "nightly", NIGHT)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert isinstance(caught.value, ForbiddenError) is (status == 403)
    assert len(asked(made)) == 1


async def test_a_page_of_a_gateway_is_no_refusal() -> None:
    with pytest.raises(RejectedError, match="a gateway answered"):
        await MaintenanceReader(wire(answer(404, b"<html>Not here</html>")).channel).configuration(NIGHT)


async def test_the_assignments_of_a_machine_are_read_by_the_page() -> None:
    link = f"{ENDPOINT}/next?page=2"
    second = {"value": [{**assignment(), "id": f"{VM}/{CHILD}/second", "name": "second"}]}
    made = wire(ok({"value": [assignment()], "nextLink": link}), ok(second))
    found = await MaintenanceReader(made.channel).assignments_on(VM)
    assert [(one.name, one.machine, one.configuration) for one in found] == [
        ("nightly", VM, NIGHT),
        ("second", VM, NIGHT),
    ]
    assert [path for _, path, _ in asked(made)] == [f"{VM}/{CHILD}", "/next"]


async def test_a_dynamic_scope_is_read() -> None:
    made = wire(ok(assignment(GROUP, filter={"osTypes": ["linux"], "availabilityZones": ["1"]})))
    found = await MaintenanceReader(made.channel).dynamic_scope(SUBSCRIPTION, "Web", "nightly")
    wanted = ScopeFilter(os_types=("linux",), unknown=("availabilityZones",))
    assert found == DynamicScope("nightly", SUBSCRIPTION, "web", NIGHT, wanted)


@pytest.mark.parametrize("document", [[], {"value": 3}, {"id": "x", "properties": {}}, "text"])
async def test_what_is_no_configuration_is_said_so(document: Any) -> None:
    with pytest.raises(RejectedError) as caught:
        await MaintenanceReader(wire(ok(document)).channel).configuration(NIGHT)
    assert caught.value.code == "UnusableAnswer"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".", "a?b", "a#b", "a%2Fb", "a\\b", "a\nb"])
async def test_a_name_cannot_lead_elsewhere(name: str) -> None:
    made = wire(ok({}))
    writer = MaintenanceWriter(made.channel)
    with pytest.raises(ValueError, match="cannot be part of a resource id"):
        await writer.attach(VM, "westeurope", name, NIGHT)
    with pytest.raises(ValueError, match="cannot be part of a resource id"):
        await writer.detach(VM, name)
    with pytest.raises(ValueError, match="cannot be part of a resource id"):
        await writer.detach_scope(SUBSCRIPTION, name, "nightly")
    assert asked(made) == []


async def test_a_connection_for_reading_cannot_write() -> None:
    made = wire(ok({}), read_only=True)
    writer = MaintenanceWriter(made.channel)
    with pytest.raises(UnsafeError):
        await writer.attach(VM, "westeurope", "nightly", NIGHT)
    with pytest.raises(UnsafeError):
        await writer.detach(VM, "nightly")
    assert asked(made) == []


async def test_deletes_have_a_bucket_of_their_own() -> None:
    """A schedule that moves from many machines to many others waits for neither half."""
    made = wire(ok(assignment()))
    writer = MaintenanceWriter(made.channel)
    for _ in range(150):
        await writer.attach(VM, "westeurope", "nightly", NIGHT)
        await writer.detach(VM, "nightly")
    assert made.clock.slept == []
    for _ in range(100):
        await writer.detach(VM, "nightly")
    assert sum(made.clock.slept) >= 4


async def test_unknown_members_of_a_filter_are_never_dropped() -> None:
    made = wire(ok({}))
    with pytest.raises(ValueError, match="availabilityZones"):
        await MaintenanceWriter(made.channel).attach_scope(
            SUBSCRIPTION, None, "nightly", NIGHT, ScopeFilter(unknown=("availabilityZones",))
        )
    assert asked(made) == []


@pytest.mark.parametrize("status", [500, 503])
async def test_lasting_trouble_is_not_multiplied(status: int) -> None:
    """The wire has repeated the write as often as it may; who asked for it looks, and does not begin again."""
    writing, reading = wire(answer(status)), wire(ok({"value": []}))

    async def write() -> str | None:
        return (await MaintenanceWriter(writing.channel).attach(VM, "westeurope", "nightly", NIGHT)).request_id

    async def stands() -> bool:
        return bool(await MaintenanceReader(reading.channel).assignments_on(VM))

    result = await written(str(VM), "nightly", AttachEnd.ATTACHED, write, stands)
    assert result.result is AttachEnd.UNKNOWN
    assert [method for method, *_ in writing.transport.asked] == ["PUT"] * Patience().tries
    assert [method for method, *_ in reading.transport.asked] == ["GET"]
