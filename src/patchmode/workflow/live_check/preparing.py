"""Whether a machine may be asked, and what surrounds it. Must not: write anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from patchmode.errors import RefusedError, RejectedError, RequestError, UsageError
from patchmode.model.live_check import TAG, TAG_VALUE, Answered, Asked, ExperimentResult
from patchmode.model.machine import Lock, Machine, MachineKind, surroundings_of
from patchmode.model.patch_settings import OperatingSystem, Orchestration
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import ConfigurationAssignment
from patchmode.model.target import Target
from patchmode.ports.azure import Clock
from patchmode.ports.live_check import Begun, ProbingAzure
from patchmode.rules.live_check.catalogue import EXPERIMENTS, why_not
from patchmode.rules.live_check.catalogue import skipped as no_result
from patchmode.rules.live_check.experiment import COMPUTE_API, Experiment, Subject
from patchmode.rules.live_check.lists import READ_OF
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.settings.patch import MODE, is_platform_mode, settings_in
from patchmode.workflow.schedules.reading import read_schedules

_GROUPS_API = "2022-09-01"
_MACHINE = "microsoft.compute/virtualmachines"


@dataclass(frozen=True, slots=True)
class Surrounded:
    """A machine that may be asked, and what bears on the experiments."""

    machine: Machine
    target: Target
    at: datetime
    """By Azure's clock, as its answer dates itself: records of Azure are looked for from then on."""
    group: str | None
    group_location: str
    power: str
    locks: tuple[Lock, ...]
    may_delete: bool
    unregistered: tuple[str, ...]


def subject_of(
    around: Surrounded, begun: Begun, machine: Machine, known: Mapping[str, str], throttled: tuple[Answered, ...] = ()
) -> Subject:
    """What an experiment gets to know.

    Args:
        around: the machine's surroundings.
        begun: what the live check began with.
        machine: as it is now.
        known: switch → its answer, as far as it was decided.
        throttled: answers 429 so far.
    """
    etag, os = begun.document.get("etag"), machine.os or OperatingSystem.LINUX
    mode = (settings_in(begun.document, os) or {}).get(MODE)
    return Subject(
        machine=machine,
        document=machine.document or {},
        check=begun.check,
        begun_at=begun.at,
        group=begun.group,
        group_location=begun.group_location,
        power=around.power,
        is_home_platform=is_platform_mode(str(mode or "")),
        first_etag=etag if isinstance(etag, str) else None,
        locks=around.locks,
        may_delete=around.may_delete,
        unregistered=around.unregistered,
        known=known,
        throttled=throttled,
    )


def planned(
    around: Surrounded, *, allow_lasting: bool
) -> tuple[tuple[Experiment, ...], tuple[ExperimentResult, ...], int]:
    """Which experiments will be run, which not, and about how many writes the machine gets.

    What depends on an answer of another experiment is told as if it were run only where it is sure to be.

    Args:
        around: the machine's surroundings.
        allow_lasting: whether what cannot be surely undone may be sent.
    """
    document = around.machine.document or {}
    begun = Begun("", around.target, around.machine.id, document, "", around.group, around.group_location)
    subject = subject_of(around, begun, around.machine, {})
    chosen, skipped, writes = [], [], 0
    for experiment in EXPERIMENTS:
        reason = why_not(experiment, subject, allow_lasting=allow_lasting)
        if reason is not None:
            skipped.append(no_result(experiment, *reason))
            continue
        chosen.append(experiment)
        asked = [step.asked for step in experiment.steps(subject)]
        own = sum(one.is_write and one.path == str(around.machine.id) for one in asked)
        writes += own + (own > 0)
    return tuple(chosen), tuple(skipped), writes


def machine_id(text: str) -> ResourceId:
    """The id of a virtual machine.

    Raises:
        UsageError: it is not one.
    """
    try:
        found = ResourceId.parse(text)
    except ResourceIdError as error:
        raise UsageError(
            f"--vm: {error}.",
            advice="Give the VM's resource id, as az prints it:\naz vm show -g GROUP -n NAME --query id -o tsv",
        ) from error
    if found.full_type != _MACHINE:
        raise UsageError(
            f"--vm: {found} is not a virtual machine of Microsoft.Compute.", advice="A live check needs an Azure VM."
        )
    return found


def group_id(text: str | None, machine: ResourceId) -> str | None:
    """The id of the resource group for maintenance configurations.

    Args:
        text: its name, in the machine's subscription, or its id; None: none was given.
        machine: the machine.

    Raises:
        UsageError: it is neither.
    """
    if text is None:
        return None
    parts = text.strip("/").split("/")
    is_id = len(parts) == 4 and (parts[0].casefold(), parts[2].casefold()) == ("subscriptions", "resourcegroups")
    if is_id:
        return f"/subscriptions/{parts[1]}/resourceGroups/{parts[3]}"
    if len(parts) != 1 or not parts[0]:
        raise UsageError(f"--maintenance-group: {text!r} is neither the name nor the id of a resource group.")
    return f"/subscriptions/{machine.subscription_id}/resourceGroups/{parts[0]}"


async def surrounded(azure: ProbingAzure, machine: ResourceId, group: str | None, *, clock: Clock) -> Surrounded:
    """Look at a machine before it is asked anything.

    1. read the machine from its provider; 2. refuse one that does not carry the tag, is not at rest, that Azure
    patches, that a lock protects or a schedule reaches; 3. read what the experiments have to know.

    Raises:
        RefusedError: it may not be asked; the advice makes that it may, where there is such a thing.
        RequestError: something could not be read.
    """
    found = await azure.provider.get(machine, MachineKind.VM)
    check_tag(found)
    check_at_rest(found)
    locks, are_known = await _locks(azure, machine)
    covering = tuple(one for one in locks if _covers(one, str(machine)) or (group and _covers(one, group)))
    _check_locks(found, covering)
    await _check_schedules(azure, found, clock)
    view = await azure.provider.get_instance_view(machine)
    return Surrounded(
        found,
        azure.target,
        await _azures_time(azure, machine, clock),
        group,
        await _group_location(azure, group),
        surroundings_of(view).power_state or "",
        covering,
        are_known and not covering,
        await _unregistered(azure, machine.subscription_id),
    )


def check_tag(machine: Machine) -> None:
    """Refuse a machine that does not carry the tag.

    Raises:
        RefusedError: with the az command that sets it.
    """
    value = next((text for name, text in machine.tags.items() if name.casefold() == TAG), None)
    if value == TAG_VALUE:
        return
    has = f"its tag {TAG} is {value!r}" if value is not None else f"it does not have the tag {TAG}={TAG_VALUE}"
    raise RefusedError(
        f"Nothing was sent to {machine.id}: {has}.",
        advice="A live check changes the patch settings of a throw-away VM again and again. If this VM is one, run:\n"
        f"az tag update --operation Merge --resource-id '{machine.id}' --tags {TAG}={TAG_VALUE}",
    )


def check_at_rest(machine: Machine) -> None:
    """Refuse a machine with an operation under way, one that Azure patches, and one whose system is not known.

    Raises:
        RefusedError: always with what to do.
    """
    state = machine.provisioning_state
    if state != "Succeeded":
        raise RefusedError(
            f"Nothing was sent to {machine.id}: its provisioningState is {state}, not Succeeded.",
            advice="Wait until its operation has ended, or repair the VM; then try again.",
        )
    if machine.os is None:
        raise RefusedError(
            f"Nothing was sent to {machine.id}: neither its disk nor its osProfile names its operating system.",
            advice="Use another VM.",
        )
    is_azures = machine.orchestration is Orchestration.AZURE_MANAGED or machine.may_be_azure_managed
    if is_azures and not (machine.settings and machine.settings.hotpatch and machine.settings.bypass is False):
        raise RefusedError(
            f"Nothing was sent to {machine.id}: Azure patches and reboots it at a time it chooses "
            f"({Orchestration.AZURE_MANAGED.portal_name}).",
            advice=f"Change it first:\npatchmode apply --ids '{machine.id}'",
        )


async def _locks(azure: ProbingAzure, machine: ResourceId) -> tuple[tuple[Lock, ...], bool]:
    """The subscription's locks, and whether they could be read."""
    try:
        return tuple(await azure.authorization.locks(machine.subscription_id)), True
    except RejectedError:
        return (), False


def _covers(lock: Lock, resource: str) -> bool:
    scope = lock.scope.rstrip("/").casefold()
    return f"{resource.casefold()}/".startswith(f"{scope}/")


def _check_locks(machine: Machine, locks: Sequence[Lock]) -> None:
    blocking = next((lock for lock in locks if lock.level.casefold() == "readonly"), None)
    if blocking is not None:
        raise RefusedError(
            f"Nothing was sent to {machine.id}: the ReadOnly lock {blocking.name!r} on {blocking.scope} blocks every "
            "change, the undo too.",
            advice="Use a VM and a group without this lock, or have it removed.",
        )


async def _check_schedules(azure: ProbingAzure, machine: Machine, clock: Clock) -> None:
    """Refuse a machine that a schedule reaches: in its window the machine may be in any mode."""
    assigned = await _assigned(azure, machine.id)
    if assigned:
        names = ", ".join(one.configuration.name for one in assigned)
        raise RefusedError(
            f"Nothing was sent to {machine.id}: it has a schedule ({names}), whose window may come during the check.",
            advice="Detach it first:\n"
            + "\n".join(f"patchmode schedule detach '{one.configuration}' --ids '{machine.id}'" for one in assigned),
        )
    book = await read_schedules(azure, (machine.id.subscription_id,))
    reached = ScheduleIndex(book, now=clock.now()).schedules_of(machine).hits
    if reached:
        names = ", ".join(hit.configuration.name for hit in reached)
        raise RefusedError(
            f"Nothing was sent to {machine.id}: a dynamic scope of {names} reaches it, and its window may come during "
            "the check.",
            advice="Use a VM that no schedule reaches; `patchmode schedule list` shows the members of each.",
        )


async def _azures_time(azure: ProbingAzure, machine: ResourceId, clock: Clock) -> datetime:
    """Now, by Azure's clock; by this computer's where the answer has no date."""
    answered = await azure.probe.send(Asked("GET", str(machine), COMPUTE_API))
    try:
        return parsedate_to_datetime(answered.headers.get("date", "")).astimezone(UTC)
    except ValueError:
        return clock.now()


async def _assigned(azure: ProbingAzure, machine: ResourceId) -> Sequence[ConfigurationAssignment]:
    """The schedules assigned to a machine; none where the subscription is not registered for them."""
    try:
        return await azure.maintenance.assignments_on(machine)
    except RejectedError as error:
        if error.code != "MissingSubscriptionRegistration":
            raise
        return ()


async def _group_location(azure: ProbingAzure, group: str | None) -> str:
    """The group's region, in which its configurations are created.

    Raises:
        RefusedError: it does not exist, or may not be read.
    """
    if group is None:
        return ""
    answered = await azure.probe.send(Asked("GET", group, _GROUPS_API))
    location = answered.body.get("location") if isinstance(answered.body, dict) else None
    if not answered.is_success or not isinstance(location, str):
        raise RefusedError(
            f"Nothing was sent: GET {group} was answered {answered.told}.",
            advice="Name a resource group that exists with --maintenance-group, or leave the option out.",
        )
    return location


async def _unregistered(azure: ProbingAzure, subscription_id: str) -> tuple[str, ...]:
    found = []
    for namespace in READ_OF:
        try:
            state = await azure.authorization.provider_registration(subscription_id, namespace)
        except RequestError:
            continue
        if state.casefold() == "notregistered":
            found.append(namespace)
    return tuple(found)
