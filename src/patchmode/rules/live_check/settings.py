"""Experiments on patch settings: each mode, the bypass flag alone, hotpatch, `enableAutomaticUpdates`.

SAFETY: no request here leaves a machine at AutomaticByPlatform without bypass that was not there before: the two are
always sent in one PATCH, and whatever is sent beside them states bypass again.
"""

from collections.abc import Iterable, Mapping, Sequence

from patchmode.model.live_check import Answered, Decision, Observed
from patchmode.model.patch_settings import PatchMode, RebootSetting
from patchmode.rules.eligibility.images import automatic_guest_patching
from patchmode.rules.live_check.experiment import (
    PREPARED,
    Experiment,
    Step,
    Subject,
    always,
    answered_text,
    block_of,
    decided,
    mode_of,
    not_here,
    settings_of,
    undecided,
)
from patchmode.rules.settings.patch import BYPASS, HOTPATCH, MODE, PLATFORM, REBOOT, is_platform_mode

_UNSUPPORTED_IMAGE = "image is not supported"
"""A part of the service's refusal of an image, which four public projects quote."""
_MODES_OF_WINDOWS = (PatchMode.AUTOMATIC_BY_OS.value, PatchMode.MANUAL.value)


def to_prepared(subject: Subject) -> tuple[Step, ...]:
    """What makes the machine ready for schedules; nothing where it is."""
    return () if subject.is_prepared else (Step(subject.prepare, is_setup=True),)


def to_other_mode(subject: Subject) -> tuple[Step, ...]:
    """What takes the machine out of AutomaticByPlatform; nothing where it is in another mode.

    SAFETY: its own settings are sent first: where Azure refuses these, it could not be brought back.
    """
    if not subject.is_in_platform_mode:
        return ()
    return (*own_settings_again(subject), Step(subject.leave, is_setup=True))


def own_settings_again(subject: Subject) -> tuple[Step, ...]:
    """Its own mode and bypass, where it has to return to AutomaticByPlatform; an experiment goes on where they pass."""
    is_needed = subject.is_in_platform_mode and subject.is_home_platform
    return (Step(subject.patch(subject.same), is_setup=True),) if is_needed else ()


def may_leave(subject: Subject) -> str | None:
    """Whether an experiment that leaves AutomaticByPlatform applies."""
    return subject.why_not_leave


def _last(seen: Sequence[Observed]) -> tuple[Answered, Mapping[str, object] | None]:
    """The last answer and the machine after it. Only called where there is one."""
    answered = seen[-1].answered
    assert answered is not None  # noqa: S101 - `conclude` looked, for the type checker
    return answered, seen[-1].document


def _not_of(told: str, *switches: str) -> list[Decision]:
    return undecided(f"Azure answered {told}, which is none of the answers that are known", *switches)


# ------------------------------------------------------------------------------------------------ each mode


def _read_prepared(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    answered, document = _last(seen)
    is_there = mode_of(document, subject) != "" and (block_of(document, subject) or {}).get(BYPASS) is True
    if answered.is_success and not is_there:
        return _not_of("200, and a read does not show what was sent", *_PREPARE.switches)
    return [*_of_image(subject, answered), *_of_machine(subject, answered), *_of_state(subject, answered, document)]


def _of_image(subject: Subject, answered: Answered) -> Iterable[Decision]:
    name = "image_check_with_bypass"
    image = subject.machine.image
    if _UNSUPPORTED_IMAGE in answered.words:
        return decided(name, "refused", f"{answered.told}: the image is not supported")
    if not answered.is_success:
        return undecided(f"the request was refused for another reason: {answered.told}", name)
    if subject.why_not_leave is not None:
        return not_here(subject.why_not_leave, name)
    if not (image.id or image.publisher):
        return not_here("the VM names no image that could be refused", name)
    if automatic_guest_patching().names(image):
        return not_here("the VM's image is in the list that Azure patches itself, so it is not refused", name)
    return decided(name, "skipped", "accepted, though the documentation's list does not name the image")


def _of_machine(subject: Subject, answered: Answered) -> Iterable[Decision]:
    """What the machine's own state decides: its agent, its automatic updates, its missing osProfile."""
    machine, said = subject.machine, answered.words
    accepted = answered.is_success
    name = "agentless_automatic_by_platform"
    if machine.provision_vm_agent is not False:
        yield from not_here("provisionVMAgent is not false on the VM", name)
    elif accepted:
        yield from decided(name, "accepted", "accepted with provisionVMAgent false")
    elif "agent" in said:
        yield from decided(name, "refused", f"{answered.told}, which names the agent")
    else:
        yield from undecided(f"the refusal does not name the agent: {answered.told}", name)
    name = "automatic_by_platform_without_automatic_updates"
    if not subject.is_windows or machine.enable_automatic_updates is not False:
        yield from not_here("enableAutomaticUpdates is not false on the VM", name)
    elif accepted:
        yield from decided(name, "accepted", "accepted with enableAutomaticUpdates false")
    elif "enableautomaticupdates" in said:
        yield from decided(name, "refused", f"{answered.told}, which names enableAutomaticUpdates")
    else:
        yield from undecided(f"the refusal does not name enableAutomaticUpdates: {answered.told}", name)
    if machine.has_os_profile:
        yield from not_here("the VM has an osProfile", "specialised_patch_settings", "specialised_os_profile_error")
    else:
        yield from _of_specialised(answered)


def _of_specialised(answered: Answered) -> Iterable[Decision]:
    name, error = "specialised_patch_settings", "specialised_os_profile_error"
    if answered.is_success:
        yield from decided(name, "accepted", "accepted for a VM without osProfile")
        yield from not_here("the osProfile was not refused", error)
        return
    form = _SPECIALISED.get((answered.status, answered.code.casefold()))
    if form is None or "osprofile" not in answered.words:
        yield from undecided(f"the request was refused for another reason: {answered.told}", name, error)
        return
    yield from decided(name, "refused", f"{answered.told}, which names osProfile")
    yield from decided(error, form, answered.told)


_SPECIALISED = {(409, "propertychangenotallowed"): "property-change", (400, "invalidparameter"): "invalid-parameter"}


def _of_state(subject: Subject, answered: Answered, document: Mapping[str, object] | None) -> Iterable[Decision]:
    if subject.power == "deallocated":
        yield from _of_deallocated(answered)
    else:
        yield from not_here("the VM is not deallocated", "deallocated_update")
    if subject.first_etag is not None:
        yield from not_here("the VM has an etag", "machine_without_etag")
    elif answered.is_success:
        is_there = bool((document or {}).get("etag"))
        answer = "numbered-by-write" if is_there else "never-numbered"
        told = "a GET shows an etag" if is_there else "a GET shows no etag"
        yield from decided("machine_without_etag", answer, f"after an accepted PATCH {told}")


def _of_deallocated(answered: Answered) -> Iterable[Decision]:
    name = "deallocated_update"
    if answered.is_success:
        has = "azure-asyncoperation" in answered.headers
        answer = "operation" if has else "no-operation"
        return decided(name, answer, f"{answered.told}, {'with' if has else 'without'} Azure-AsyncOperation")
    if answered.status == 409 and "deallocated" in answered.words:
        return decided(name, "refused", f"{answered.told}, which names the power state")
    return undecided(f"the request was refused for another reason: {answered.told}", name)


def _prepared_told(_: Subject, seen: Sequence[Observed]) -> str:
    """The answer with the headers of operations and limits that came with it."""
    answered = seen[-1].answered if seen else None
    if answered is None:
        return "no usable answer"
    shown = [name for name in _HEADERS if name in answered.headers]
    return f"{answered.told}; headers: {', '.join(shown)}" if shown else f"{answered.told}; no header of these kinds"


_HEADERS = (
    "azure-asyncoperation",
    "location",
    "retry-after",
    "x-ms-ratelimit-remaining-resource",
    "x-ms-ratelimit-remaining-subscription-writes",
    "x-ms-ratelimit-remaining-subscription-global-writes",
)

_PREPARE = Experiment(
    name="prepare",
    sends="PATCH patchMode AutomaticByPlatform and bypass true, in one request.",
    switches=(
        "image_check_with_bypass",
        "agentless_automatic_by_platform",
        "automatic_by_platform_without_automatic_updates",
        "specialised_patch_settings",
        "specialised_os_profile_error",
        "deallocated_update",
        "machine_without_etag",
    ),
    applies=always,
    # From another mode: the service looks at the image where the mode is turned on.
    steps=lambda subject: (
        *(to_other_mode(subject) if subject.why_not_leave is None else ()),
        Step(subject.prepare),
    ),
    read=_read_prepared,
    tells=_prepared_told,
    writes_settings=True,
)


def _read_left(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "leaving_automatic_by_platform"
    answered, document = _last(seen)
    if not answered.is_success:
        if PLATFORM.casefold() in answered.words:
            return decided(name, "refused", f"{answered.told}, which names {PLATFORM}")
        return undecided(f"the request was refused for another reason: {answered.told}", name)
    if is_platform_mode(mode_of(document, subject)):
        return _not_of("200, and the mode is as before", name)
    block = block_of(document, subject)
    if block is None:
        return decided(name, "cleared", f"{answered.told}; {PLATFORM} is now absent")
    if block.get(BYPASS) is True:
        return decided(name, "kept", f"{answered.told}; {PLATFORM} is still there, bypass true")
    return _not_of(f"200, with {PLATFORM} {dict(block)}", name)


_LEAVE = Experiment(
    name="leave",
    sends="From AutomaticByPlatform, PATCH another patchMode and nothing else.",
    switches=("leaving_automatic_by_platform",),
    applies=may_leave,
    steps=lambda subject: (*own_settings_again(subject), *to_prepared(subject), Step(subject.leave)),
    read=_read_left,
    writes_settings=True,
)


def _read_outside(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "platform_settings_outside_mode"
    answered, document = _last(seen)
    if answered.is_success:
        if (block_of(document, subject) or {}).get(BYPASS) is True:
            return decided(name, "accepted", f"{answered.told}; a read shows bypass true")
        return _not_of("200, and a read does not show bypass true", name)
    if PLATFORM.casefold() in answered.words:
        return decided(name, "refused", f"{answered.told}, which names {PLATFORM}")
    return undecided(f"the request was refused for another reason: {answered.told}", name)


_OUTSIDE = Experiment(
    name="bypass-alone",
    sends="In a mode other than AutomaticByPlatform, PATCH bypass true alone.",
    switches=("platform_settings_outside_mode",),
    applies=may_leave,
    steps=lambda subject: (*to_other_mode(subject), Step(subject.patch({PLATFORM: {BYPASS: True}}))),
    read=_read_outside,
    writes_settings=True,
)


def _merge_applies(subject: Subject) -> str | None:
    """Where the machine has no reboot setting, one is sent; it goes with the block, or with a null."""
    if subject.settings.reboot_setting is not None or not subject.is_home_platform:
        return None
    goes_with_block = subject.known.get("leaving_automatic_by_platform") == "cleared"
    if goes_with_block or subject.known.get("null_members") == "removed":
        return None
    return f"the VM has no {REBOOT}, and one could not be removed again"


def _merge_steps(subject: Subject) -> Sequence[Step]:
    """SAFETY: bypass is in both requests, whichever way the service merges."""
    both = subject.patch({**PREPARED, PLATFORM: {BYPASS: True, REBOOT: RebootSetting.IF_REQUIRED.value}})
    has = subject.is_prepared and subject.settings.reboot_setting is not None
    return (*(() if has else (Step(both, is_setup=True),)), Step(subject.patch({PLATFORM: {BYPASS: True}})))


def _read_merge(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "platform_settings_merge"
    answered, document = _last(seen)
    block = block_of(document, subject)
    if not answered.is_success or block is None or block.get(BYPASS) is not True:
        return _not_of(answered.told, name)
    if REBOOT in block:
        return decided(name, "deep", f"{answered.told}; {REBOOT} is still there")
    return decided(name, "shallow", f"{answered.told}; {REBOOT} is now absent")


_MERGE = Experiment(
    name="merge",
    sends=f"With a {REBOOT} in {PLATFORM}, PATCH bypass true alone.",
    switches=("platform_settings_merge",),
    applies=_merge_applies,
    steps=_merge_steps,
    read=_read_merge,
    writes_settings=True,
)


# ------------------------------------------------------------------------------------------------ spelling


def _has_mode(subject: Subject) -> str | None:
    return None if subject.settings.patch_mode else "the VM has no patchMode"


def _spelling_steps(subject: Subject) -> Sequence[Step]:
    mode = (subject.settings.patch_mode or "").lower()
    return (Step(subject.patch({**subject.same, MODE: mode})),)


def _read_spelling(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name, mode = "enum_casing", subject.settings.patch_mode or ""
    answered, document = _last(seen)
    shown = mode_of(document, subject)
    if answered.is_success and shown == mode.lower():
        return decided(name, "kept", f"{answered.told}; a read shows {shown}, as it was sent")
    if answered.is_success and shown.casefold() == mode.casefold():
        return decided(name, "normalised", f"{answered.told}; a read shows {shown}")
    return _not_of(answered.told, name)


_SPELLING = Experiment(
    name="spelling",
    sends="PATCH the patchMode that the VM has, in lower case.",
    switches=("enum_casing",),
    applies=_has_mode,
    steps=_spelling_steps,
    read=_read_spelling,
    writes_settings=True,
)


# ------------------------------------------------------------------------------------------------ Windows


def _says_automatic_updates(subject: Subject) -> str | None:
    if not subject.is_windows:
        return "the VM does not run Windows"
    has = isinstance(subject.machine.enable_automatic_updates, bool)
    return None if has else "the VM has no enableAutomaticUpdates"


def _read_resent(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "resent_automatic_updates"
    answered, _document = _last(seen)
    if answered.is_success:
        return decided(name, "accepted", answered.told)
    if "enableautomaticupdates" in answered.words:
        return decided(name, "refused", f"{answered.told}, which names enableAutomaticUpdates")
    return undecided(f"the request was refused for another reason: {answered.told}", name)


_RESENT = Experiment(
    name="automatic-updates",
    sends="PATCH enableAutomaticUpdates with the value that the VM has.",
    switches=("resent_automatic_updates",),
    applies=_says_automatic_updates,
    steps=lambda subject: (
        Step(subject.patch_configuration({"enableAutomaticUpdates": subject.machine.enable_automatic_updates})),
    ),
    read=_read_resent,
)


def _opposite_steps(subject: Subject) -> Sequence[Step]:
    other = next(mode for mode in _MODES_OF_WINDOWS if mode != subject.other_mode)
    return (*to_other_mode(subject), Step(subject.patch({MODE: other})))


_OPPOSITE = Experiment(
    name="manual-and-by-os",
    sends="From AutomaticByOS PATCH Manual, or from Manual AutomaticByOS: the documentation allows neither.",
    switches=(),
    applies=lambda subject: _says_automatic_updates(subject) or may_leave(subject),
    steps=_opposite_steps,
    read=lambda _, __: (),
    tells=lambda subject, seen: f"from {subject.other_mode} to the other: {answered_text(seen)}",
    writes_settings=True,
)


def _hotpatch_applies(subject: Subject) -> str | None:
    if subject.settings.hotpatch is None:
        return f"the VM has no {HOTPATCH}"
    if subject.settings.hotpatch and not subject.is_in_platform_mode:
        return f"{HOTPATCH} is true in another mode than AutomaticByPlatform"
    return None


def _with_bypass_steps(subject: Subject) -> Sequence[Step]:
    if subject.settings.hotpatch:
        return (Step(subject.prepare),)
    return (*to_prepared(subject), Step(subject.patch({**PREPARED, HOTPATCH: True})))


def _read_with_bypass(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "hotpatch_with_bypass_on_update"
    answered, document = _last(seen)
    settings = settings_of(document, subject)
    if answered.is_success:
        both = settings.get(HOTPATCH) is True and (block_of(document, subject) or {}).get(BYPASS) is True
        return decided(name, "accepted", answered.told) if both else _not_of("200, and a read does not show both", name)
    if "hotpatch" in answered.words and "bypass" in answered.words:
        return decided(name, "refused", f"{answered.told}, which names hotpatch and bypass")
    return undecided(f"the request was refused for another reason: {answered.told}", name)


_WITH_BYPASS = Experiment(
    name="hotpatch-with-bypass",
    sends=f"PATCH bypass true where {HOTPATCH} is true, or the reverse.",
    switches=("hotpatch_with_bypass_on_update",),
    applies=_hotpatch_applies,
    steps=_with_bypass_steps,
    read=_read_with_bypass,
    writes_settings=True,
)


def _hotpatch_outside_steps(subject: Subject) -> Sequence[Step]:
    if subject.settings.hotpatch:
        return (*own_settings_again(subject), Step(subject.leave))
    return (*to_other_mode(subject), Step(subject.patch({HOTPATCH: True})))


def _read_hotpatch_outside(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "hotpatch_outside_automatic_by_platform"
    answered, document = _last(seen)
    if answered.is_success:
        is_outside = not is_platform_mode(mode_of(document, subject))
        both = is_outside and settings_of(document, subject).get(HOTPATCH) is True
        return decided(name, "accepted", answered.told) if both else _not_of("200, and a read does not show both", name)
    if "hotpatch" in answered.words and "bypass" not in answered.words:
        return decided(name, "refused", f"{answered.told}, which names hotpatch")
    return undecided(f"the request was refused for another reason: {answered.told}", name)


_HOTPATCH_OUTSIDE = Experiment(
    name="hotpatch-in-another-mode",
    sends=f"PATCH {HOTPATCH} true with another mode than AutomaticByPlatform.",
    switches=("hotpatch_outside_automatic_by_platform",),
    applies=lambda subject: _hotpatch_applies(subject) or may_leave(subject),
    steps=_hotpatch_outside_steps,
    read=_read_hotpatch_outside,
    writes_settings=True,
)

EXPERIMENTS = (_SPELLING, _PREPARE, _LEAVE, _MERGE, _OUTSIDE, _RESENT, _OPPOSITE, _WITH_BYPASS, _HOTPATCH_OUTSIDE)
