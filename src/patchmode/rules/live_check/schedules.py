"""Experiments with maintenance configurations and their assignment to the machine.

SAFETY: every configuration begins years from now, so that none of its windows comes while it exists.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from patchmode.model.live_check import Answered, Asked, Decision, Observed
from patchmode.rules.live_check.experiment import (
    MAINTENANCE_API,
    Experiment,
    Step,
    Subject,
    always,
    answered_text,
    decided,
    not_here,
    object_in,
    undecided,
)
from patchmode.rules.live_check.records import query, rows_in
from patchmode.rules.live_check.settings import may_leave, to_other_mode, to_prepared

FAR = "2035-01-06 03:00"
"""The start of every configuration, UTC."""
_CONFIGURATIONS = "providers/Microsoft.Maintenance/maintenanceConfigurations"
_ASSIGNMENTS = "providers/Microsoft.Maintenance/configurationAssignments"


def configuration_id(subject: Subject, name: str) -> str:
    """The id of a configuration that the check creates; `name` tells its experiments apart."""
    return f"{subject.group}/{_CONFIGURATIONS}/{own_name(subject.check)}-{name}"


def assignment_id(subject: Subject, name: str) -> str:
    """The id of an assignment that the check creates."""
    return f"{subject.machine.id}/{_ASSIGNMENTS}/{own_name(subject.check)}-{name}"


def own_name(check: str) -> str:
    """What names that a check gives begin with; nobody else's do."""
    return f"patchmode-live-check-{check.rpartition('-')[2]}"


def _configuration(subject: Subject, name: str, recurrence: str) -> Asked:
    properties: Mapping[str, Any] = {
        "maintenanceScope": "InGuestPatch",
        "extensionProperties": {"InGuestPatchMode": "User"},
        "maintenanceWindow": {
            "startDateTime": FAR,
            "duration": "02:00",
            "timeZone": "UTC",
            "recurEvery": recurrence,
        },
        "installPatches": {"rebootSetting": "Never"},
    }
    body = {"location": subject.group_location or subject.machine.location, "properties": properties}
    return Asked("PUT", configuration_id(subject, name), MAINTENANCE_API, body)


def _assign(subject: Subject, name: str) -> Asked:
    body = {
        "location": subject.machine.location,
        "properties": {"maintenanceConfigurationId": configuration_id(subject, name)},
    }
    return Asked("PUT", assignment_id(subject, name), MAINTENANCE_API, body)


# ------------------------------------------------------------------------------------------------ recurrences


def _recurrence(name: str, switch: str, recurrence: str) -> Experiment:
    def read(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
        answered = seen[-1].answered
        assert answered is not None  # noqa: S101 - `conclude` looked, for the type checker
        if answered.is_success:
            return decided(switch, "accepted", answered.told)
        if answered.status == 400 and ("window" in answered.words or "recur" in answered.words):
            return decided(switch, "refused", f"{answered.told}, which names the window")
        return undecided(f"the request was refused for another reason: {answered.told}", switch)

    return Experiment(
        name=name,
        sends=f"PUT a maintenance configuration with recurEvery {recurrence!r}.",
        switches=(switch,),
        applies=always,
        steps=lambda subject: (Step(_configuration(subject, name, recurrence)),),
        read=read,
        tells=_window_told,
        needs_group=True,
    )


def _window_told(_: Subject, seen: Sequence[Observed]) -> str:
    """The answer, with the window as the service returns it."""
    answered = seen[-1].answered if seen else None
    if answered is None or not answered.is_success:
        return answered_text(seen)
    window = object_in(object_in(object_in(answered.body).get("properties")).get("maintenanceWindow"))
    shown = ", ".join(f"{name} {value!r}" for name, value in window.items() if name in {"recurEvery", "nextRun"})
    return f"{answered.told}; {shown}" if shown else answered.told


_HOURLY = _recurrence("hourly", "hourly_recurrence", "8Hours")
_WEEK_LIST = _recurrence("week-list", "week_list_recurrence", "Month Third,Fourth Monday,Tuesday")


# ------------------------------------------------------------------------------------------------ assignments

_NOT_PREPARED = ("unsupportedresourceoperation", "prerequisites", "patch orchestration mode")
_YEARLY = "Month First Saturday"


def _unprepared_steps(subject: Subject) -> Sequence[Step]:
    create = Step(_configuration(subject, "unprepared", _YEARLY), is_setup=True)
    return (*to_other_mode(subject), create, Step(_assign(subject, "unprepared")))


def _read_unprepared(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, envelope = "assignment_prerequisites", "assignment_error_envelope"
    answered = seen[-1].answered
    assert answered is not None  # noqa: S101 - `conclude` looked, for the type checker
    if answered.is_success:
        return [
            *decided(name, "unchecked", f"{answered.told} on a VM that is not prepared"),
            *not_here("the assignment was not refused", envelope),
        ]
    if not any(text in answered.words for text in _NOT_PREPARED):
        return undecided(f"the request was refused for another reason: {answered.told}", name, envelope)
    if subject.machine.scale_set_id and subject.known.get("assignment_to_flexible_member") != "accepted":
        because = "a member of a Flexible scale set is refused, prepared or not"
        return [*not_here(because, name), *_envelope(envelope, answered)]
    return [*decided(name, "checked", answered.told), *_envelope(envelope, answered)]


def _envelope(name: str, answered: Answered) -> Sequence[Decision]:
    found = [key for key in ("error", "Error") if key in object_in(answered.body)]
    if len(found) != 1:
        return undecided("the body has neither error nor Error, or both", name)
    return decided(name, found[0], f"the body's member is {found[0]}")


_UNPREPARED = Experiment(
    name="assign-unprepared",
    sends="In a mode other than AutomaticByPlatform, PUT an assignment of a new maintenance configuration.",
    switches=("assignment_prerequisites", "assignment_error_envelope"),
    applies=may_leave,
    steps=_unprepared_steps,
    read=_read_unprepared,
    needs_group=True,
    writes_settings=True,
)


def _delete_steps(subject: Subject) -> Sequence[Step]:
    listed = Asked("GET", f"{subject.machine.id}/{_ASSIGNMENTS}", MAINTENANCE_API)
    return (
        *to_prepared(subject),
        Step(_configuration(subject, "assigned", _YEARLY), is_setup=True),
        Step(_assign(subject, "assigned"), ends=True),
        Step(_assignment_row(subject), until=rows_in),
        Step(Asked("DELETE", configuration_id(subject, "assigned"), MAINTENANCE_API)),
        Step(listed),
    )


def _assignment_row(subject: Subject) -> Asked:
    name = assignment_id(subject, "assigned").rpartition("/")[2]
    text = (
        "maintenanceresources | where type =~ 'microsoft.maintenance/configurationassignments' "
        f"| where name =~ '{name}' | project id"
    )
    return query(subject, text)


def _assigned_told(_: Subject, seen: Sequence[Observed]) -> str:
    row = next((one for one in seen if one.asked.method == "POST"), None)
    if row is None:
        return answered_text(seen)
    shows = "shows" if rows_in(row.answered) else "does not show"
    return f"{answered_text(seen)}; maintenanceresources {shows} the assignment after {row.waited_s:.0f} s"


def _read_assigned(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    assigned = next((one.answered for one in seen if _is_assignment(one.asked)), None)
    member, deleting = "assignment_to_flexible_member", "configuration_delete"
    if assigned is None:
        return undecided("no usable answer", member, deleting)
    found = _of_member(subject, assigned, member)
    if not assigned.is_success:
        return [*found, *undecided(f"the assignment was refused: {assigned.told}", deleting)]
    return [*found, *_of_deleting(subject, seen, deleting)]


def _is_assignment(asked: Asked) -> bool:
    return asked.method == "PUT" and _ASSIGNMENTS in asked.path


def _of_member(subject: Subject, assigned: Answered, name: str) -> Sequence[Decision]:
    if subject.machine.scale_set_id is None:
        return not_here("the VM is not a member of a Flexible scale set", name)
    if assigned.is_success:
        return decided(name, "accepted", assigned.told)
    if any(text in assigned.words for text in _NOT_PREPARED):
        return decided(name, "refused", f"{assigned.told} on a member that is prepared")
    return undecided(f"the request was refused for another reason: {assigned.told}", name)


def _of_deleting(subject: Subject, seen: Sequence[Observed], name: str) -> Sequence[Decision]:
    deleted = next((one.answered for one in seen if one.asked.method == "DELETE"), None)
    listed = seen[-1].answered
    if deleted is None or listed is None or not listed.is_success:
        return undecided("no usable answer", name)
    if not deleted.is_success:
        return decided(name, "refused", deleted.told)
    values = object_in(listed.body).get("value")
    names = {str(object_in(one).get("name")) for one in values} if isinstance(values, list) else set()
    own = assignment_id(subject, "assigned").rpartition("/")[2]
    if own in names:
        return decided(name, "leaves-assignments", f"{deleted.told}; the assignment is still there")
    return decided(name, "removes-assignments", f"{deleted.told}; the assignment was deleted")


_ASSIGNED = Experiment(
    name="assign-and-delete",
    sends="On the prepared VM, PUT an assignment of a new maintenance configuration, then DELETE the configuration.",
    switches=("assignment_to_flexible_member", "configuration_delete"),
    applies=always,
    steps=_delete_steps,
    read=_read_assigned,
    tells=_assigned_told,
    needs_group=True,
    writes_settings=True,
)

EXPERIMENTS = (_HOURLY, _WEEK_LIST, _ASSIGNED, _UNPREPARED)
