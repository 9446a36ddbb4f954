"""A session with the product's own requests, scrubbed, written and replayed: what a user may hand on can be judged.

And the sessions that somebody did hand on, where there are any (`PATCHMODE_MEASURED`).
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.contract.differences_page import listed
from tests.contract.judging import judged
from tests.contract.sessions import ABOUT_WHO_ASKS, FOLLOWED, LIMITED, files, profile_of, session_cases
from tests.emulator_wire.test_connection import SUBSCRIPTION, set_mode
from tests.emulator_wire.test_schedules import NIGHT, PROPERTIES, UNPREPARED, emulated, fleet

from arm_emulator.faults import Action, Matcher, Respond, Rule
from arm_emulator.profile import Profile
from patchmode.arm.session import connect
from patchmode.errors import RequestError
from patchmode.model.exchange import Exchange
from patchmode.model.machine import MachineKind
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import ScopeFilter
from patchmode.ports.azure import Azure, GraphScope
from patchmode.rules.scrubbing.exchanges import scrub
from patchmode.store.exchange_file import write_exchanges

THROTTLED = Rule(
    match=Matcher(method="GET", path="*/configurationAssignments"),
    do=Action(
        respond=Respond(
            status=429, json={"error": {"code": "TooManyRequests", "message": "later"}}, headers={"Retry-After": "0"}
        )
    ),
    count=1,
)
FILTER = ScopeFilter(
    os_types=("Linux",), locations=("westeurope",), resource_groups=("Web",), tags={"crew": ("anna", "Night")}
)
QUERIES = (
    "resources | where type =~ 'microsoft.compute/virtualmachines' | project id, tags, properties",
    "resources | whare type =~ 'microsoft.compute/virtualmachines'",
)


ORDINARY = {"Web": "Web", "web-002": "web-002", "Night": "Night"}
AZURES_OWN = {"Web": "Name", "web-002": "standard", "Night": "Manual"}
"""Names that are words of Azure elsewhere; what is called so here is replaced, and what is not stays."""


class _Named:
    """The ids of a fleet whose names are others."""

    def __init__(self, names: dict[str, str]) -> None:
        self._names = names
        self.machine, self.schedule = self.id(UNPREPARED), self.id(NIGHT)

    def id(self, place: ResourceId) -> ResourceId:
        return ResourceId.parse(self.text(str(place)))

    def text(self, text: str) -> str:
        for old, new in self._names.items():
            text = text.replace(old, new)
        return text

    @property
    def fleet(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text(json.dumps(fleet())))
        return found


async def _experiments(azure: Azure, named: _Named) -> None:
    """Reads, refusals and writes, as an operator's commands make them."""
    machine_id, schedule_id = named.machine, named.schedule
    await azure.authorization.subscriptions()
    async for _ in azure.provider.list_subscription(SUBSCRIPTION, MachineKind.VM):
        pass
    with suppress(RequestError):
        await azure.provider.get(ResourceId.parse(f"{machine_id}-gone"), MachineKind.VM)
    machine = await azure.provider.get(machine_id, MachineKind.VM)
    await azure.maintenance_writer.put_configuration(schedule_id, "westeurope", PROPERTIES, {"owner": "Anna"})
    with suppress(RequestError):
        await azure.maintenance_writer.attach(machine_id, "westeurope", "night", schedule_id)
    answer = await set_mode(azure, machine)
    await azure.writer.operation(answer.operation_url or "")
    machine = await azure.provider.get(machine_id, MachineKind.VM)
    await azure.provider.get_instance_view(machine_id)
    await azure.maintenance_writer.attach(machine_id, "westeurope", "night", schedule_id)
    await azure.maintenance.assignments_on(machine_id)
    await azure.maintenance.configuration(schedule_id)
    await azure.maintenance_writer.detach(machine_id, "night")
    for group in (None, machine_id.resource_group):
        await azure.maintenance_writer.attach_scope(SUBSCRIPTION, group, "crew", schedule_id, FILTER)
        await azure.maintenance.dynamic_scope(SUBSCRIPTION, group, "crew")
        await azure.maintenance_writer.detach_scope(SUBSCRIPTION, group, "crew")
    with suppress(RequestError):
        await set_mode(azure, machine, etag='"77"')
    for query in QUERIES:
        with suppress(RequestError):
            async for _ in azure.graph.machine_ids(query, GraphScope((SUBSCRIPTION,))):
                pass


@pytest.fixture(params=[ORDINARY, AZURES_OWN], ids=["ordinary names", "names that are words of Azure"])
async def session(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> list[Exchange]:
    named = _Named(request.param)
    seen: list[Exchange] = []
    with emulated(monkeypatch, THROTTLED, fleet=named.fleet) as run:
        async with connect(run.endpoint, read_only=False, exchanges=seen.append) as azure:
            await _experiments(azure, named)
    return seen


async def test_a_session_that_the_product_made_replays_whole(session: list[Exchange], tmp_path: Path) -> None:
    """Every answer agrees, but for what no replay can ask."""
    file = tmp_path / "session.json"
    write_exchanges(file, scrub(session), "patchmode test")
    cases = session_cases(file)
    assert {case.name: judged(case) for case in cases if not case.left_out and judged(case)} == {}
    left_out = Counter(case.left_out for case in cases if case.left_out)
    assert left_out == {ABOUT_WHO_ASKS: 1, FOLLOWED: 1, LIMITED: 1}
    told = [(case.first.method, case.first.status, len(case.flow)) for case in cases if not case.left_out]
    assert told == [
        ("GET", 200, 1),
        ("GET", 404, 1),
        ("GET", 200, 1),
        ("PUT", 200, 1),
        ("PUT", 400, 1),
        ("PATCH", 200, 3),
        ("GET", 200, 1),
        ("GET", 200, 1),
        ("PUT", 200, 1),
        ("GET", 200, 1),
        ("GET", 200, 1),
        ("DELETE", 200, 1),
        *[("PUT", 200, 1), ("GET", 200, 1), ("DELETE", 200, 1)] * 2,
        ("PATCH", 412, 1),
        ("POST", 200, 1),
        ("POST", 400, 1),
    ]


async def test_nothing_of_the_session_is_in_its_file(session: list[Exchange], tmp_path: Path) -> None:
    """Not the machine, not the subscription, not whose it is; what Azure says of itself is still there."""
    file = tmp_path / "session.json"
    write_exchanges(file, scrub(session), "patchmode test")
    text = file.read_text(encoding="ascii").lower()
    for personal in (
        "web-002",
        "resourcegroups/web",
        SUBSCRIPTION,
        "night",
        "anna",
        "crew",
        "o'brien",
        "prod",
        "localhost",
    ):
        assert personal not in text, personal
    assert not re.search(
        "(virtualmachines|resourcegroups|maintenanceconfigurations)/(standard|name|manual)['\"/?]", text
    )
    assert "bearer" not in text
    for kept in ("patch orchestration mode is not set to automaticbyplatform", "westeurope", "2024-07-01"):
        assert kept in text, kept
    assert file.stat().st_mode & 0o777 == 0o600


WRITES: tuple[dict[str, Any], ...] = (
    {"patchMode": "AutomaticByPlatform"},
    {"automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True}},
    {"automaticByPlatformSettings": {"rebootSetting": "Never"}},
    {"automaticByPlatformSettings": {"rebootSetting": None}},
    {"automaticByPlatformSettings": {}},
    {"patchMode": "imagedefault"},
    {"patchMode": "AutomaticByPlatform", "assessmentMode": "AutomaticByPlatform"},
    {"patchMode": "ImageDefault"},
)
"""Patch settings, written one after the other, about which the answers of the profile differ."""
PROFILES: tuple[dict[str, Any], ...] = (
    {},
    {"leaving_automatic_by_platform": "kept", "null_members": "removed"},
    {"leaving_automatic_by_platform": "refused", "platform_settings_merge": "shallow"},
    {"platform_settings_outside_mode": "accepted", "empty_objects": "dropped", "enum_casing": "kept"},
)


@pytest.mark.parametrize("answers", PROFILES, ids=lambda answers: ", ".join(answers.values()) or "defaults")
async def test_a_session_is_judged_by_what_was_measured_with_it(
    answers: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Writes after writes, some refused: each is replayed on what the earlier ones left."""
    seen: list[Exchange] = []
    with emulated(monkeypatch, profile=Profile(**answers)) as run:
        async with connect(run.endpoint, read_only=False, exchanges=seen.append) as azure:
            for settings in WRITES:
                machine = await azure.provider.get(UNPREPARED, MachineKind.VM)
                body = {"properties": {"osProfile": {"linuxConfiguration": {"patchSettings": settings}}}}
                with suppress(RequestError):
                    answer = await azure.writer.patch(machine.id, machine.kind, machine.location, body, etag=None)
                    await azure.writer.operation(answer.operation_url or "")
    file = tmp_path / "session.json"
    write_exchanges(file, scrub(seen), "patchmode test")
    file.with_suffix(".toml").write_text("".join(f'{name} = "{given}"\n' for name, given in answers.items()))
    cases = [case for case in session_cases(file) if not case.left_out]
    assert {case.first.case: found for case in cases if (found := judged(case, profile_of(file)))} == {}
    assert sum(case.first.method == "PATCH" for case in cases) == len(WRITES)


@pytest.mark.skipif(not files(), reason="no measured sessions are here (PATCHMODE_MEASURED)")
@pytest.mark.parametrize("file", files(), ids=lambda path: path.name)
def test_a_measured_session_is_answered_as_measured(file: Path, record_property: Callable[[str, object], None]) -> None:
    """A difference is a finding: mend the emulator, or list it in docs/reference/emulator-differences.md."""
    cases = [case for case in session_cases(file) if not case.left_out]
    found = {case.first.case: judged(case, profile_of(file)) for case in cases}
    record_property(file.name, f"{sum(not one for one in found.values())} of {len(found)} agree")
    unlisted = {name: lines for name, lines in found.items() if lines and name not in listed()}
    assert unlisted == {}
