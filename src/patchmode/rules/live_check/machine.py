"""Experiments on how the service writes a machine: tags, nulls, empty objects, etags, PUT, two writes at once."""

from collections.abc import Sequence

from patchmode.model.live_check import TAG, Asked, Decision, Observed
from patchmode.model.patch_settings import AssessmentMode
from patchmode.rules.live_check.experiment import (
    COMPUTE_API,
    Experiment,
    Step,
    Subject,
    always,
    answered_text,
    block_of,
    decided,
    mode_of,
    not_here,
    object_in,
    settings_of,
    undecided,
)
from patchmode.rules.live_check.settings import may_leave, own_settings_again, to_prepared
from patchmode.rules.settings.patch import ASSESSMENT, BYPASS, is_platform_mode

PROBED_TAG_VALUE = "running"
"""What the tag says while the experiment on tags runs: no other live check begins meanwhile."""


def _read_tags(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "patched_tags"
    others = {one for one in subject.machine.tags if one != TAG}
    answered = seen[-1].answered
    if answered is None or not answered.is_success:
        return undecided(f"the request was refused: {answered_text(seen)}", name)
    if not others:
        return not_here(f"the VM has no tag besides {TAG}", name)
    left = others & set(object_in((seen[-1].document or {}).get("tags")))
    if left == others:
        return decided(name, "merged", f"{answered.told}; the other tags are still there")
    if not left:
        return decided(name, "replaced", f"{answered.told}; the other tags were deleted")
    return undecided("some of the other tags were deleted, and some are still there", name)


_TAGS = Experiment(
    name="tags",
    sends=f"PATCH the tag {TAG} alone, with the value {PROBED_TAG_VALUE}.",
    switches=("patched_tags",),
    applies=always,
    steps=lambda subject: (
        Step(Asked("PATCH", str(subject.machine.id), COMPUTE_API, {"tags": {TAG: PROBED_TAG_VALUE}})),
    ),
    read=_read_tags,
)


def _null_applies(subject: Subject) -> str | None:
    if subject.settings.assessment_mode != AssessmentMode.IMAGE_DEFAULT.value:
        return f"{ASSESSMENT} is not ImageDefault, so removing it might not be undone"
    return None


def _read_null(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "null_members"
    answered = seen[-1].answered
    if answered is None or not answered.is_success:
        return undecided(f"the request was refused: {answered_text(seen)}", name)
    found = settings_of(seen[-1].document, subject).get(ASSESSMENT)
    if found is None:
        return decided(name, "removed", f"{answered.told}; {ASSESSMENT} is now absent")
    if found == subject.settings.assessment_mode:
        return decided(name, "ignored", f"{answered.told}; {ASSESSMENT} is as before")
    return undecided(f"{ASSESSMENT} is now {found}", name)


_NULL = Experiment(
    name="null",
    sends=f"PATCH {ASSESSMENT} null.",
    switches=("null_members",),
    applies=_null_applies,
    steps=lambda subject: (Step(subject.patch({ASSESSMENT: None})),),
    read=_read_null,
    writes_settings=True,
)

_EMPTY = "scheduledEventsProfile"
"""A member that an empty object gives no meaning, and that few machines have (azure-mgmt-compute)."""


def _empty_applies(subject: Subject) -> str | None:
    if _EMPTY in object_in(subject.document.get("properties")):
        return f"the VM has a {_EMPTY}"
    if subject.known.get("null_members") != "removed":
        return "an empty object could not be removed again: it is not known that a null removes a member"
    return None


def _read_empty(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "empty_objects"
    answered = seen[-1].answered
    if answered is None or not answered.is_success:
        return undecided(f"the request was refused: {answered_text(seen)}", name)
    properties = object_in((seen[-1].document or {}).get("properties"))
    if _EMPTY not in properties:
        return decided(name, "dropped", f"{answered.told}; a read does not show it")
    if properties[_EMPTY] == {}:
        return decided(name, "stored", f"{answered.told}; a read shows it")
    return undecided(f"{_EMPTY} is now {properties[_EMPTY]}", name)


_EMPTIES = Experiment(
    name="empty-object",
    sends=f"PATCH an empty {_EMPTY}.",
    switches=("empty_objects",),
    applies=_empty_applies,
    steps=lambda subject: (Step(subject.patch_properties({_EMPTY: {}})),),
    read=_read_empty,
)


def _older_applies(subject: Subject) -> str | None:
    if not subject.configuration:
        return "the VM has no configuration of its system in osProfile"
    return None if subject.machine.settings is None else "the VM has patchSettings, whoever set them"


_OLDER = Experiment(
    name="no-patch-settings",
    sends="Nothing; the VM was read, and its configuration shows no patchSettings.",
    switches=("settings_of_older_machines",),
    applies=_older_applies,
    steps=lambda _: (),
    read=lambda _, __: decided("settings_of_older_machines", "absent", "a read shows no patchSettings"),
    tells=lambda _, __: "no patchSettings",
)


def _etag_applies(subject: Subject) -> str | None:
    if subject.machine.etag is None:
        return "the VM has no etag"
    return _same_mode_applies(subject)


def _same_mode_applies(subject: Subject) -> str | None:
    return None if subject.settings.patch_mode else "the VM has no patchMode"


def _etag_steps(subject: Subject) -> Sequence[Step]:
    body, etag = subject.same, subject.machine.etag
    return (Step(subject.patch(body, etag=etag), is_setup=True), Step(subject.patch(body, etag=etag)))


_ETAG = Experiment(
    name="old-etag",
    sends="PATCH the VM's own patchMode with If-Match, and again with the etag that this made old.",
    switches=(),
    applies=_etag_applies,
    steps=_etag_steps,
    read=lambda _, __: (),
    tells=lambda _, seen: f"If-Match with an old etag: {answered_text(seen)}",
    writes_settings=True,
)


def _concurrent_steps(subject: Subject) -> Sequence[Step]:
    return (Step(subject.prepare, is_setup=True, at_once=True), Step(subject.prepare))


def _read_concurrent(_: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "concurrent_write"
    first, second = seen[-2], seen[-1].answered
    assert second is not None  # noqa: S101 - `conclude` looked, for the type checker
    if not first.overlapped:
        return undecided("the operation of the first request had ended before the second was answered", name)
    if second.is_success:
        if first.operation_code.casefold() == "operationpreempted":
            return decided(name, "preempts", f"{second.told}; the first operation ended with OperationPreempted")
        if first.operation_code:
            return undecided(f"the first operation ended with {first.operation_code}", name)
        return decided(name, "accepted", f"{second.told} while the first operation ran, and both succeeded")
    code = second.code.casefold()
    if second.status == 409 and code == "conflict":
        return decided(name, "conflict", second.told)
    if second.status == 409 and code == "conflictingconcurrentwritenotallowed":
        return decided(name, "conflicting-concurrent-write", second.told)
    return undecided(f"the second request was refused for another reason: {second.told}", name)


_CONCURRENT = Experiment(
    name="two-at-once",
    sends="PATCH patchMode AutomaticByPlatform and bypass true twice, the second while the first is Updating.",
    switches=("concurrent_write",),
    applies=always,
    steps=_concurrent_steps,
    read=_read_concurrent,
    writes_settings=True,
)


def _put_applies(subject: Subject) -> str | None:
    if not subject.configuration:
        return "the VM has no configuration of its system in osProfile"
    if subject.settings.assessment_mode is None and subject.known.get("null_members") != "removed":
        return f"the VM has no {ASSESSMENT}, and one that Azure sets could not be removed again"
    return may_leave(subject)


def _put_steps(subject: Subject) -> Sequence[Step]:
    """A PUT as small as the built-in policy's, which the service merges; tags are sent, because a PUT replaces them.

    Source: policy 9905ca54 (1.3.0) sends `location` and a part of osProfile.
    """
    agent = {"provisionVMAgent": subject.machine.provision_vm_agent}
    block = agent if isinstance(subject.machine.provision_vm_agent, bool) else {}
    body = {
        "location": subject.machine.location,
        "tags": dict(subject.machine.tags),
        "properties": {"osProfile": {subject.system: block}},
    }
    return (
        *own_settings_again(subject),
        *to_prepared(subject),
        Step(Asked("PUT", str(subject.machine.id), COMPUTE_API, body)),
    )


def _read_put(subject: Subject, seen: Sequence[Observed]) -> Sequence[Decision]:
    name = "put_without_patch_settings"
    answered, document = seen[-1].answered, seen[-1].document
    assert answered is not None  # noqa: S101 - `conclude` looked, for the type checker
    if not answered.is_success:
        return undecided(f"the request was refused: {answered.told}", name)
    mode = mode_of(document, subject)
    if is_platform_mode(mode) and (block_of(document, subject) or {}).get(BYPASS) is True:
        return decided(name, "kept", f"{answered.told}; mode and bypass are as before")
    if mode == subject.other_mode:
        return decided(name, "defaulted", f"{answered.told}; patchMode is now {mode}")
    return undecided(f"patchMode is now {mode or 'absent'}", name)


_PUT = Experiment(
    name="put",
    sends="PUT the VM with its location, its tags and an osProfile without patchSettings.",
    switches=("put_without_patch_settings",),
    applies=_put_applies,
    steps=_put_steps,
    read=_read_put,
    writes_settings=True,
)

MILD = (_OLDER, _TAGS, _NULL, _EMPTIES, _ETAG)
"""One PATCH undoes each of them."""
OTHERS = (_CONCURRENT, _PUT)
