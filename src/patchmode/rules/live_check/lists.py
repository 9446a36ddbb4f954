"""Experiments that only read lists and single resources of providers."""

from collections.abc import Mapping, Sequence

from patchmode.model.live_check import Asked, Decision, Observed
from patchmode.rules.live_check.experiment import (
    COMPUTE_API,
    MAINTENANCE_API,
    NOBODY,
    Experiment,
    Step,
    Subject,
    always,
    decided,
    last_answer,
    object_in,
    undecided,
)

_LOCKS = "providers/Microsoft.Authorization/locks"


def _read_absent(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, answered = "missing_subscription", last_answer(seen)
    if answered.status == 404 and answered.code.casefold() == "subscriptionnotfound":
        return decided(name, "not-found", answered.told)
    if answered.status == 403 and answered.code.casefold() == "authorizationfailed":
        return decided(name, "forbidden", answered.told)
    return undecided(f"Azure answered {answered.told}, which is none of the answers that are known", name)


_ABSENT = Experiment(
    name="absent-subscription",
    sends="GET a subscription that does not exist.",
    switches=("missing_subscription",),
    applies=always,
    steps=lambda _: (Step(Asked("GET", f"/subscriptions/{NOBODY}", "2022-12-01")),),
    read=_read_absent,
)


def _lists(name: str, switch: str, path: str) -> Experiment:
    def read(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
        answered = last_answer(seen)
        if answered.is_success:
            return decided(switch, "listed", answered.told)
        if answered.status in {404, 405, 501}:
            return decided(switch, "not-implemented", answered.told)
        return undecided(f"Azure answered {answered.told}, which is none of the answers that are known", switch)

    return Experiment(
        name=name,
        sends=f"GET the subscription's {path}.",
        switches=(switch,),
        applies=lambda subject: _UNREGISTERED if "Microsoft.Maintenance" in subject.unregistered else None,
        steps=lambda subject: (
            Step(
                Asked(
                    "GET",
                    f"/subscriptions/{subject.machine.id.subscription_id}/providers/Microsoft.Maintenance/{path}",
                    MAINTENANCE_API,
                )
            ),
        ),
        read=read,
    )


_UNREGISTERED = "the subscription is not registered for Microsoft.Maintenance"
_ASSIGNMENTS = _lists("assignments-list", "assignments_of_subscription", "configurationAssignments")
_UPDATES = _lists("apply-updates-list", "apply_updates_list", "applyUpdates")

READ_OF: Mapping[str, tuple[str, str]] = {
    "Microsoft.HybridCompute": ("machines", "2024-07-10"),
    "Microsoft.Maintenance": ("maintenanceConfigurations", MAINTENANCE_API),
}
"""Namespaces that many subscriptions are not registered for → what is listed of each, and the api-version."""


def _unregistered_steps(subject: Subject) -> Sequence[Step]:
    namespace = subject.unregistered[0]
    listed, version = READ_OF[namespace]
    path = f"/subscriptions/{subject.machine.id.subscription_id}/providers/{namespace}/{listed}"
    return (Step(Asked("GET", path, version)),)


def _read_unregistered(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, answered = "unregistered_reads", last_answer(seen)
    if answered.is_success:
        return decided(name, "allowed", answered.told)
    if answered.code.casefold() == "missingsubscriptionregistration":
        return decided(name, "refused", answered.told)
    return undecided(f"Azure answered {answered.told}, which is none of the answers that are known", name)


_REGISTRATION = Experiment(
    name="unregistered-read",
    sends="GET a list of a resource provider that the subscription is not registered for.",
    switches=("unregistered_reads",),
    applies=lambda subject: (
        None if subject.unregistered else f"the subscription is registered for {' and '.join(READ_OF)}"
    ),
    steps=_unregistered_steps,
    read=_read_unregistered,
)


def _locks_above(subject: Subject) -> list[str]:
    own = subject.machine.id.key
    scopes = ((lock.scope.rstrip("/").casefold(), lock.name) for lock in subject.locks)
    return [name for scope, name in scopes if scope != own and own.startswith(f"{scope}/")]


def _read_locks(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, answered = "lock_list", last_answer(seen)
    values = object_in(answered.body).get("value")
    if not answered.is_success or not isinstance(values, list):
        return undecided(f"Azure answered {answered.told}", name)
    own = subject.machine.id.key
    ids = [str(object_in(one).get("id") or "").casefold() for one in values]
    if any(not one.startswith(f"{own}/") for one in ids):
        return decided(name, "with-inherited", f"{answered.told}, with a lock from above the VM")
    return decided(name, "scope-and-below", f"{answered.told}, without the lock from above the VM")


_LOCK_LIST = Experiment(
    name="locks",
    sends="GET the VM's locks.",
    switches=("lock_list",),
    applies=lambda subject: None if _locks_above(subject) else "no lock above the VM is known",
    steps=lambda subject: (Step(Asked("GET", f"{subject.machine.id}/{_LOCKS}", "2020-05-01")),),
    read=_read_locks,
)


def _filter_applies(subject: Subject) -> str | None:
    if subject.machine.scale_set_id is None:
        return "only the members of a scale set can be listed with $filter"
    group = subject.machine.id.resource_group
    return "the resource group's name has no lower-case letter" if group == group.upper() else None


def _filter_steps(subject: Subject) -> Sequence[Step]:
    machine = subject.machine.id
    path = f"/subscriptions/{machine.subscription_id}/resourceGroups/{machine.resource_group}"
    wanted = f"'virtualMachineScaleSet/id' eq '{subject.machine.scale_set_id}'"
    listed = f"{path}/providers/Microsoft.Compute/virtualMachines"
    return (Step(Asked("GET", listed, COMPUTE_API, query=(("$filter", wanted),))),)


def _read_filter(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, answered = "filtered_list_groups", last_answer(seen)
    values = object_in(answered.body).get("value")
    ids = [str(object_in(one).get("id")) for one in values] if isinstance(values, list) else []
    own = next((one for one in ids if one.casefold() == subject.machine.id.key), None)
    if own is None:
        return undecided(f"Azure answered {answered.told} without the VM", name)
    group = subject.machine.id.resource_group
    if f"/{group}/" in own:
        return decided(name, "kept", f"{answered.told}; the group is spelled as in the request")
    if f"/{group.upper()}/" in own:
        return decided(name, "upper", f"{answered.told}; the group is in upper case")
    return undecided(f"the group is spelled in a third way: {own}", name)


_FILTER = Experiment(
    name="filtered-list",
    sends="GET the group's members of the VM's scale set with $filter.",
    switches=("filtered_list_groups",),
    applies=_filter_applies,
    steps=_filter_steps,
    read=_read_filter,
)

EXPERIMENTS = (_ABSENT, _ASSIGNMENTS, _UPDATES, _REGISTRATION, _LOCK_LIST, _FILTER)
