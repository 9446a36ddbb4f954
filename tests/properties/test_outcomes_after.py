"""What a plan says will become of its machines, against what an audit says of them once it was carried out.

The plan reckons with a schedule that is not attached yet, or no longer; the audit afterwards reads what Azure then has.
Both on random fleets with schedules, on an emulator in this process, through the product's own reading and writing.
"""

import asyncio
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from tests.examples import LONG, examples
from tests.properties.scheduled_fleets import Fleet, fleets
from tests.properties.within import HOST, WithinProcess

from arm_emulator.app import Emulator
from arm_emulator.clock import Clock
from arm_emulator.protocol import wire
from arm_emulator.protocol.throttle import Limits
from patchmode.arm.authorization import Directory
from patchmode.arm.channel import Answer
from patchmode.arm.failures import read_fault, rejection
from patchmode.arm.governor import Identities
from patchmode.arm.machines import MachineReader, Writer
from patchmode.arm.maintenance import MaintenanceReader, MaintenanceWriter
from patchmode.arm.pipeline import Order
from patchmode.arm.probing import SingleRequests
from patchmode.arm.resource_graph import ResourceGraph
from patchmode.arm.session import Connection
from patchmode.model.outcome import Outcome
from patchmode.model.patch_settings import Orchestration, WantedSettings
from patchmode.model.plan import Plan
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import RunReport
from patchmode.model.scope import Scope
from patchmode.model.target import Target
from patchmode.ports.azure import Azure
from patchmode.store.plan_file import decode_plan, encode_plan
from patchmode.store.runs import RunStore
from patchmode.workflow.inventory.audit import audit
from patchmode.workflow.inventory.planning import make_plan
from patchmode.workflow.run.applying import apply_plan
from patchmode.workflow.run.options import ApplyOptions
from patchmode.workflow.run.rollback import make_rollback_plan

EXAMPLES = examples(25, 300)
EVERYTHING = Scope(everything=True)
SCHEDULED = WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES)
TARGET = Target("arm-emulator", HOST, "99999999-9999-9999-9999-999999999999")


class Writing(WithinProcess):
    """Requests that may also be refused, as Azure refuses some."""

    async def _send(
        self,
        order: Order,
        url: str,
        *,
        body: object = None,
        etag: str | None = None,
        shape: Any = Any,
        may_be_empty: bool = True,
    ) -> Answer:
        del may_be_empty  # the emulator answers as it should
        attempt = order.attempt
        self.writes += not attempt.is_read
        response = self.answered(attempt.method, url, body, {"if-match": etag} if etag else {})
        if not 200 <= response.status < 300:
            fault = read_fault(wire.encode(response)[0])
            raise rejection(attempt, response.status, fault, response.headers, lost_before=False)
        return self.read(response, shape)


@dataclass
class Still:
    """A clock that only patience moves: no window passes meanwhile."""

    moment: datetime
    slept: float = 0.0

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return self.slept

    async def sleep(self, seconds: float) -> None:
        self.slept += seconds
        await asyncio.sleep(0)


@dataclass(slots=True)
class Tally:
    """What was compared, so that the test can say that it was worth something."""

    attached: int = 0
    turned: Counter[str] = field(default_factory=Counter)


def connection(emulator: Emulator) -> Azure:
    channel = Writing(emulator)
    return Connection(
        _target=TARGET,
        graph=ResourceGraph(channel, Identities()),
        provider=MachineReader(channel),
        maintenance=MaintenanceReader(channel),
        authorization=Directory(channel, Identities(), dict),
        policies=cast("Any", None),
        ledger=cast("Any", SimpleNamespace(by_method=dict)),
        _writer=Writer(channel),
        _maintenance_writer=MaintenanceWriter(channel),
        _policy_writer=cast("Any", None),
        _probe=SingleRequests(channel),
        _read_only=False,
    )


def promised(plan: Plan) -> dict[ResourceId, tuple[Outcome, Outcome]]:
    """Machine → its outcomes before and after; only those that have any."""
    found = {one.id: (one.outcome_before, one.outcome_after) for one in plan.changes}
    found |= {one.id: (one.outcome, one.outcome_after or one.outcome) for one in plan.unchanged}
    return found | {one.id: (one.outcome, one.outcome) for one in plan.skipped if one.outcome is not None}


async def seen(azure: Azure, clock: Still) -> Mapping[ResourceId, Outcome]:
    report = await audit(azure, EVERYTHING, wanted=SCHEDULED, clock=clock)
    return {entry.machine.id: entry.outcome for entry in report.machines}


def as_planned(report: RunReport) -> set[ResourceId]:
    """The machines of which the run says nothing but that all went as planned."""
    odd = {one.id for one in report.results if one.verification is None or not one.verification.verified}
    odd |= {ResourceId.parse(one.id) for one in report.attachments if not one.is_fine and one.rule is None}
    all_of = {one.id for one in report.results} | {ResourceId.parse(one.id) for one in report.attachments}
    return all_of - odd


def otherwise(plan: Plan, found: Mapping[ResourceId, Outcome], only: set[ResourceId]) -> list[str]:
    return [
        f"{machine.name}: promised {after}, and it is {found[machine]}"
        for machine, (_, after) in promised(plan).items()
        if machine in only and found[machine] != after
    ]


async def differences(fleet: Fleet, configuration: str, store: RunStore, tally: Tally) -> list[str]:
    emulator = Emulator(
        clock=Clock(fleet.now, monotonic=lambda: 0.0),
        profile=fleet.profile,
        limits=Limits(is_off=True),
        fleet={"resources": list(fleet.resources)},
        lro_seconds=0,
    )
    azure, clock = connection(emulator), Still(fleet.now)
    before = await seen(azure, clock)
    made = await make_plan(azure, EVERYTHING, SCHEDULED, clock=clock, then_attach=configuration)
    plan = decode_plan(encode_plan(made)[0], name="plan")
    wrong = [
        f"{machine.name}: said to be {now}, and it is {before[machine]}"
        for machine, (now, _) in promised(plan).items()
        if before[machine] != now
    ]
    journal = store.create(plan)
    report = await apply_plan(journal, azure, ApplyOptions(), clock=clock)
    fine = as_planned(report)
    left_alone = {one.id for one in plan.skipped}
    wrong += otherwise(plan, await seen(azure, clock), fine | left_alone)
    tally.attached += report_count(report, "attached")
    tally.turned.update(f"{now.kind} -> {after.kind}" for now, after in promised(plan).values())
    journal = store.open(journal.run, for_writing=True)
    back = await make_rollback_plan(azure, journal, allow_azure_managed=False, clock=clock)
    journal.close(state="finished")
    told = await seen(azure, clock)
    wrong += [
        f"{machine.name}: the way back says {now}, and it is {told[machine]}"
        for machine, (now, _) in promised(back).items()
        if told[machine] != now
    ]
    report = await apply_plan(store.create(back), azure, ApplyOptions(), clock=clock)
    return wrong + otherwise(back, await seen(azure, clock), as_planned(report) | {one.id for one in back.skipped})


def report_count(report: RunReport, end: str) -> int:
    return sum(one.result.value == end for one in report.attachments)


def test_the_plan_promises_what_the_audit_then_says() -> None:
    tally, wrong = Tally(), list[str]()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fleets(), st.data())
    def hold(fleet: Fleet, data: st.DataObject) -> None:
        guest = [
            one["id"]
            for one in fleet.resources
            if one["type"].casefold() == "microsoft.maintenance/maintenanceconfigurations"
            and str(one["properties"].get("maintenanceScope")).casefold() == "inguestpatch"
        ]
        assume(guest)
        configuration = data.draw(st.sampled_from(guest))
        with tempfile.TemporaryDirectory() as folder:
            wrong.extend(asyncio.run(differences(fleet, configuration, RunStore(Path(folder)), tally)))

    hold()
    assert not wrong, "\n".join(wrong[:20])
    assert tally.attached >= EXAMPLES, tally
    assert tally.turned["parked -> scheduled"] > EXAMPLES / 60, tally
    if LONG:  # it is rare
        assert tally.turned["guest-managed -> scheduled"] > EXAMPLES / 60, tally
