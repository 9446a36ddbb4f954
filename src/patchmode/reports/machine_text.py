"""One machine in full, for people: settings, outcome, every rule, and the JSON that the provider shows.

Must not: leave out of the JSON what the provider answered.
"""

import json
from collections.abc import Iterator

from patchmode.model.finding import Reason, Severity
from patchmode.model.machine import Machine
from patchmode.model.patch_settings import PatchSettings
from patchmode.model.plain_text import printable
from patchmode.model.report import Explanation
from patchmode.model.schedule import MachineSchedules, ScheduleHit
from patchmode.model.target import Target
from patchmode.reports.columns import way_out, wrapped
from patchmode.reports.headings import note_lines, target_text
from patchmode.reports.machine_names import MachineNames
from patchmode.reports.paint import Paint

_MEANINGS = {Severity.BLOCKS: "bad", Severity.WARNS: "warn", Severity.NOTES: "dim"}


def explanation_lines(explanation: Explanation, *, paint: Paint) -> Iterator[str]:
    """The lines of one machine's explanation, without line feeds."""
    entry = explanation.audit
    machine = entry.machine
    names = MachineNames.of(explanation.target, [machine.id], paint=paint)
    yield paint("strong", printable(machine.name))
    yield from wrapped(f"in {names.place}", paint=paint, indent=2)
    yield from wrapped(str(machine.id), paint=paint, indent=2)
    yield from wrapped(f"on {target_text(explanation.target)}", paint=paint, indent=2)
    yield ""
    for name, value in _facts(machine):
        yield f"  {name:<22}{printable(value)}"
    yield ""
    yield f"Orchestration: {paint('strong', machine.orchestration.portal_name)}"
    for name, value in _settings(machine.settings):
        yield f"  {name:<22}{printable(value)}"
    yield ""
    yield from wrapped(names.named(f"Outcome: {entry.outcome.kind} - {entry.outcome.reason}"), paint=paint)
    yield ""
    yield from _schedules(entry.schedules, explanation.target, machine, paint)
    yield ""
    yield paint("good", "May be set.") if entry.eligible else paint("bad", "May not be set.")
    for reason in entry.reasons:
        yield from _reason(reason, paint)
    if explanation.notes:
        yield ""
        yield from note_lines(map(names.named, explanation.notes), paint=paint)
    yield ""
    yield "JSON view:"
    yield json.dumps(explanation.document, indent=2, ensure_ascii=False, default=str)


def _facts(machine: Machine) -> Iterator[tuple[str, str]]:
    image = machine.image
    marketplace = ":".join(part for part in (image.publisher, image.offer, image.sku) if part)
    yield "kind", str(machine.kind)
    yield "operating system", str(machine.os or "not known")
    yield "region", machine.location
    yield "image", image.id or marketplace or "none (attached or specialised disk)"
    if machine.plan is not None:
        plan = machine.plan
        yield "plan", ":".join(part for part in (plan.publisher, plan.offer, plan.sku) if part)
    yield "running system", machine.surroundings.os_name or machine.os_edition or "not known"
    yield "power", machine.surroundings.power_state or "not known"
    yield "VM agent", machine.surroundings.agent_status or "not known"
    if machine.surroundings.patch_extension is not None:
        yield (
            "patch extension",
            f"{machine.surroundings.patch_extension.name}: {machine.surroundings.patch_extension.state}",
        )
    yield "provisioning", machine.provisioning_state or "not known"
    yield "etag", machine.etag or "none"
    for lock in machine.surroundings.locks:
        yield "lock", f"{lock.level} {lock.name!r} at {lock.scope}"
    if machine.surroundings.group_managed_by:
        yield "group managed by", machine.surroundings.group_managed_by


def _settings(settings: PatchSettings | None) -> Iterator[tuple[str, str]]:
    if settings is None:
        yield "patchSettings", "absent"
        return
    values = {
        "patchMode": (settings.patch_mode, "patchMode"),
        "bypass": (settings.bypass, "bypassPlatformSafetyChecksOnUserSchedule"),
        "assessmentMode": (settings.assessment_mode, "assessmentMode"),
        "rebootSetting": (settings.reboot_setting, "rebootSetting"),
        "enableHotpatching": (settings.hotpatch, "enableHotpatching"),
    }
    for name, (value, member) in values.items():
        found = settings.found(member)
        if found is not None:
            yield name, f"not readable: {found}"
        else:
            yield name, "absent" if value is None else json.dumps(value).strip('"')


def _schedules(schedules: MachineSchedules, target: Target, machine: Machine, paint: Paint) -> Iterator[str]:
    """What reaches the machine, the next to run first; overlaps stand among the reasons."""
    if not schedules.looked_up:
        yield from wrapped(f"Schedules: not known, {schedules.why_not}", paint=paint)
    elif not schedules.hits:
        yield "Schedules: none"
        return
    else:
        yield f"Schedules ({len(schedules.hits):,}):"
    # One of the same name may stand in another subscription.
    names = MachineNames.of(target, [machine.id, *(hit.configuration for hit in schedules.hits)], paint=paint)
    for hit in schedules.hits:
        yield f"  {paint('strong', names.schedule(hit.configuration))}"
        for text in _hit(hit):
            yield from wrapped(names.named(text), paint=paint, indent=6, hang=8)


def _hit(hit: ScheduleHit) -> Iterator[str]:
    yield f"by {hit.clause}"
    for clause in hit.also:
        yield f"also by {clause}"
    if hit.doubt is not None:
        yield f"not certain: {hit.doubt}"
    window = hit.next.window
    if window is not None:
        zone = window.local_start.tzinfo
        local = f"{window.local_start:%Y-%m-%d %H:%M} {zone}"
        yield f"next window: {local} ({window.starts_at:%Y-%m-%d %H:%M} to {window.ends_at:%H:%M} UTC)"
    if hit.next.because:
        yield f"{'note' if window is not None else 'next window not known'}: {hit.next.because}"


def _reason(reason: Reason, paint: Paint) -> Iterator[str]:
    yield f"  {paint(_MEANINGS[reason.severity], f'{reason.severity} {reason.rule}')}"
    yield from wrapped(reason.message, paint=paint, indent=6)
    yield from wrapped(f"seen: {reason.evidence}", paint=paint, indent=6, hang=12)
    if reason.fix:
        yield from way_out(reason.fix, paint=paint)
