"""Plans for the tests of the store: made up, and drawn by hypothesis."""

from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from patchmode.model.left_alone import Skipped, Unreadable
from patchmode.model.machine import MachineKind
from patchmode.model.outcome import Outcome, OutcomeKind
from patchmode.model.patch_settings import OperatingSystem, Orchestration, RebootSetting, WantedSettings
from patchmode.model.plan import Change, Plan, Unchanged, Wave
from patchmode.model.resource_id import ResourceId
from patchmode.model.target import Target

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
TARGET = Target("AzureCloud", "https://management.azure.com", "22222222-2222-2222-2222-222222222222")
SCHEDULED = Outcome(OutcomeKind.UNKNOWN, "runs as its schedule says")
GUEST = Outcome(OutcomeKind.GUEST_MANAGED, "Windows Update in the guest")


def machine_id(name: str, *, group: str = "web") -> ResourceId:
    return ResourceId.parse(
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.Compute/virtualMachines/{name}"
    )


def patch_body(settings: dict[str, Any], system: OperatingSystem = OperatingSystem.WINDOWS) -> dict[str, Any]:
    return {"properties": {"osProfile": {system.configuration: {"patchSettings": settings}}}}


BOTH_FIELDS = {
    "patchMode": "AutomaticByPlatform",
    "automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True},
}


def change(name: str = "vm-0", *, etag: str | None = '"1"', body: dict[str, Any] | None = None) -> Change:
    return Change(
        id=machine_id(name),
        kind=MachineKind.VM,
        os=OperatingSystem.WINDOWS,
        location="westeurope",
        etag=etag,
        body=patch_body(BOTH_FIELDS) if body is None else body,
        before={"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"},
        after={**BOTH_FIELDS, "assessmentMode": "ImageDefault"},
        document={"name": name, "properties": {"vmId": "3", "tags": {"owner": "Zoë's “team”"}}, "etag": etag},
        outcome_before=GUEST,
        outcome_after=SCHEDULED,
        reversible=True,
    )


def plan(*changes: Change, **members: Any) -> Plan:
    return Plan(
        target=TARGET,
        scope=("--subscription Prod",),
        wanted=WantedSettings(orchestration=Orchestration.CUSTOMER_MANAGED_SCHEDULES),
        changes=changes or (change(),),
        created_at=datetime(2026, 3, 1, 8, 30, tzinfo=UTC),
        tool_version="0.1.0",
        **members,
    )


def full_plan() -> Plan:
    return plan(
        change("vm-0"),
        change("vm-1", etag=None),
        unchanged=(Unchanged(machine_id("vm-2"), MachineKind.VMSS_FLEX, SCHEDULED),),
        skipped=(Skipped(machine_id("vm-3"), "client-os", "Windows 11 is a client", fix="Use Intune.", outcome=GUEST),),
        unreadable=(Unreadable("/subscriptions/33333333-3333-3333-3333-333333333333", "403 AuthorizationFailed"),),
        rollback_of="20260301T083000Z-abcdef",
    )


_texts = st.text(st.characters(codec="utf-8"), max_size=12)
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)
_documents = st.dictionaries(_texts, _json, max_size=4)
_outcomes = st.builds(Outcome, st.sampled_from(OutcomeKind), _texts)
_bodies = st.fixed_dictionaries(
    {},
    optional={
        "patchMode": _texts,
        "assessmentMode": _texts,
        "automaticByPlatformSettings": st.fixed_dictionaries(
            {"bypassPlatformSafetyChecksOnUserSchedule": st.booleans()}, optional={"rebootSetting": _texts}
        ),
    },
).filter(bool)


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any plan that may be written: every member drawn, ids distinct."""
    systems = draw(st.lists(st.sampled_from(OperatingSystem), max_size=3))
    changes = tuple(
        Change(
            id=machine_id(f"change-{number}"),
            kind=draw(st.sampled_from([MachineKind.VM, MachineKind.VMSS_FLEX])),
            os=system,
            location=draw(_texts),
            etag=draw(st.none() | _texts),
            body=patch_body(draw(_bodies), system),
            before=draw(st.none() | _documents),
            after=draw(_documents),
            document=draw(_documents),
            outcome_before=draw(_outcomes),
            outcome_after=draw(_outcomes),
            reversible=draw(st.booleans()),
            irreversible_because=draw(st.none() | _texts),
            tolerated=tuple(draw(st.lists(_texts, max_size=2))),
        )
        for number, system in enumerate(systems)
    )
    return Plan(
        target=draw(st.builds(Target, _texts, _texts, _texts)),
        scope=tuple(draw(st.lists(_texts, max_size=2))),
        wanted=draw(
            st.builds(
                WantedSettings,
                st.none() | st.sampled_from(Orchestration),
                st.none() | st.booleans(),
                st.none() | st.sampled_from(RebootSetting),
                st.booleans(),
                st.booleans(),
            )
        ),
        changes=changes,
        unchanged=tuple(
            Unchanged(machine_id(f"unchanged-{number}"), MachineKind.ARC, draw(_outcomes))
            for number in range(draw(st.integers(0, 2)))
        ),
        skipped=tuple(
            Skipped(
                machine_id(f"skipped-{number}"),
                draw(_texts),
                draw(_texts),
                draw(st.none() | _texts),
                draw(st.none() | _outcomes),
            )
            for number in range(draw(st.integers(0, 2)))
        ),
        unreadable=tuple(draw(st.lists(st.builds(Unreadable, _texts, _texts), max_size=2))),
        created_at=draw(st.none() | st.datetimes(timezones=st.just(UTC))),
        tool_version=draw(_texts),
        rollback_of=draw(st.none() | _texts),
        waves=draw(st.sampled_from([(), tuple(Wave(f"wave {number}", 1, 0) for number in range(len(changes)))])),
    )
