"""The switches for what no source confirms about Azure: one typed field each, with every answer available.

The default of each is the answer that its documentation names first. A profile file (JSON or TOML) sets some of them;
unknown names and answers are refused, so a typing error cannot pass for a setting.
"""

import tomllib
import types
import typing
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import msgspec


def switch(default: Any, doc: str) -> Any:  # a dataclass field stands in for any type
    """A profile field with the sentence that its row in the reference shows."""
    return field(default=default, metadata={"doc": doc})


class ProfileError(ValueError):
    """A profile file that names an unknown switch, gives an answer that is not allowed, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Every unconfirmed behaviour of Azure that the emulator can show either way."""

    missing_subscription: Literal["not-found", "forbidden"] = switch(
        "not-found",
        "A subscription that does not exist: 404 SubscriptionNotFound, or 403 AuthorizationFailed.",
    )
    unreadable_subscription_graph: Literal["omitted", "forbidden"] = switch(
        "omitted",
        "A Resource Graph query that names a subscription the caller cannot read: its rows are left out, or 403 "
        "AuthorizationFailed.",
    )
    graph_tables_together: Literal["documented", "any"] = switch(
        "documented",
        "A Resource Graph query with more than three joins and unions, two joins with other tables, or a union of "
        "tables other than resources and resourcecontainers: 400, because the documentation allows no more, or run; "
        "users report such queries that ran.",
    )
    graph_operators: Literal["used", "documented"] = switch(
        "used",
        "A Resource Graph query with an operator that the documentation does not list and public queries use "
        "(mv-apply, lookup, serialize, datatable, parse-where, project-keep, project-rename, project-reorder, a union "
        "that begins the query): run, or 400, as any operator that neither has.",
    )
    graph_preview_format: Literal["objects", "table"] = switch(
        "objects",
        "A Resource Graph query at api-version 2020-04-01-preview that names no resultFormat: rows as objects, as with "
        "the versions after it, or columns and rows, as with those before it and as Cloud Custodian reads it.",
    )
    throttled_retry_after: Literal["present", "absent"] = switch(
        "present",
        "Retry-After on Compute's 429: the documentation says always present, users report answers without it.",
    )
    arm_throttled_retry_after: Literal["present", "absent"] = switch(
        "present",
        "Retry-After on the front door's 429; recorded bodies name the seconds in their text as well.",
    )
    change_values: Literal["text", "json"] = switch(
        "text",
        "Values in resourcechanges: all text, null and true included (as in the documentation's example), or as JSON "
        "has them.",
    )
    change_tag_path: Literal["tag", "tags"] = switch(
        "tag",
        "How resourcechanges names a tag that changed: each by its own path (tags.NAME), or all by the object that "
        "holds them (tags).",
    )
    change_client_type: Literal["by-user-agent", "unknown"] = switch(
        "by-user-agent",
        "clientType in resourcechanges: Azure CLI, Azure PowerShell or Terraform by the user agent and Unknown for any "
        "other, or always Unknown; no source is known for the three names.",
    )
    activity_log_caller: Literal["application", "object"] = switch(
        "application",
        "The caller that the activity log names where a service principal wrote: its application id (the reference "
        "says the SPN claim), or its object id.",
    )
    unregistered_reads: Literal["allowed", "refused"] = switch(
        "allowed",
        "Reads of a provider that the subscription is not registered for: answered, or 409 "
        "MissingSubscriptionRegistration.",
    )
    readonly_lock_blocks_post: Literal["yes", "no"] = switch(
        "yes",
        "A ReadOnly lock blocks POST actions as well as PUT and PATCH.",
    )
    lock_list: Literal["scope-and-below", "with-inherited"] = switch(
        "scope-and-below",
        "A list of locks: those at the scope and below it, or those inherited from above as well.",
    )
    delegated_locks: Literal["ignored", "refused"] = switch(
        "ignored",
        "A lock where a principal of another tenant writes, through Azure Lighthouse: it does not stop the write, as "
        "Lighthouse's documentation says, or it refuses it as any other.",
    )
    list_page_size: int = switch(
        0,
        "The largest page of a provider's list; 0 draws uneven pages of 50 to 300 as recorded.",
    )

    # -- Microsoft.Compute, patch settings
    leaving_automatic_by_platform: Literal["cleared", "kept", "refused"] = switch(
        "cleared",
        "A write that changes patchMode from AutomaticByPlatform to another and does not name "
        "automaticByPlatformSettings: the block is removed, is kept, or the write is refused.",
    )
    platform_settings_merge: Literal["deep", "shallow"] = switch(
        "deep",
        "A PATCH of automaticByPlatformSettings keeps the members it does not name, or replaces the block "
        "(rebootSetting is then lost).",
    )
    platform_settings_outside_mode: Literal["refused", "accepted"] = switch(
        "refused",
        "automaticByPlatformSettings sent while patchMode is another: 400, or stored as the documentation's "
        "scenarios 5 and 6 suppose.",
    )
    automatic_by_platform_without_automatic_updates: Literal["accepted", "refused"] = switch(
        "accepted",
        "patchMode AutomaticByPlatform on a Windows machine with enableAutomaticUpdates false: the guest "
        "patching article allows it, the API's docstring does not.",
    )
    resent_automatic_updates: Literal["accepted", "refused"] = switch(
        "accepted",
        "enableAutomaticUpdates sent to an existing machine with the value that it has.",
    )
    agentless_automatic_by_platform: Literal["refused", "accepted"] = switch(
        "refused",
        "patchMode AutomaticByPlatform where provisionVMAgent is false; the refusal's wording is not known.",
    )
    hotpatch_with_bypass_on_update: Literal["refused", "accepted"] = switch(
        "refused",
        "bypassPlatformSafetyChecksOnUserSchedule true on a hotpatch machine that exists; the refusal is "
        "reported for a create.",
    )
    hotpatch_outside_automatic_by_platform: Literal["refused", "accepted"] = switch(
        "refused",
        "enableHotpatching true with another patchMode than AutomaticByPlatform; the refusal's wording is not known.",
    )
    image_check_with_bypass: Literal["skipped", "refused"] = switch(
        "skipped",
        "The image check where AutomaticByPlatform and bypass true are sent in one request: not made, or made.",
    )
    enum_casing: Literal["normalised", "kept"] = switch(
        "normalised",
        "Patch modes sent in another casing are answered in the service's casing, or as they were sent.",
    )

    # -- Microsoft.Compute, virtual machines
    specialised_patch_settings: Literal["accepted", "refused"] = switch(
        "accepted",
        "An osProfile that holds patchSettings alone, from api-version 2023-07-01 on, for a machine without osProfile.",
    )
    specialised_os_profile_error: Literal["property-change", "invalid-parameter"] = switch(
        "property-change",
        "Any other osProfile for such a machine: 409 PropertyChangeNotAllowed, or 400 InvalidParameter; both "
        "are reported.",
    )
    put_without_patch_settings: Literal["kept", "defaulted"] = switch(
        "kept",
        "A PUT whose osProfile leaves patchSettings out: they are kept, or reset to the system's default.",
    )
    null_members: Literal["ignored", "removed"] = switch(
        "ignored",
        "A null in a PUT or PATCH of a machine: ignored, or the member is removed as in a JSON merge patch.",
    )
    empty_objects: Literal["stored", "dropped"] = switch(
        "stored",
        "Empty objects among a machine's properties (Ansible's PUT sends vhd as {}): stored and shown from then on, or "
        "dropped by the next accepted write.",
    )
    settings_of_older_machines: Literal["absent", "defaults"] = switch(
        "absent",
        "A GET of a machine whose configuration holds no patchSettings because it was created before Azure had them: "
        "they are absent, or shown with their defaults.",
    )
    patched_tags: Literal["merged", "replaced"] = switch(
        "merged",
        "PATCH of a machine's tags: the other tags are kept (as one recorded answer shows, where a policy may have "
        "added them again), or removed.",
    )
    concurrent_write: Literal["accepted", "conflict", "conflicting-concurrent-write", "preempts"] = switch(
        "accepted",
        "A write to a machine that is Updating: accepted (recorded for PUT), 409 Conflict, 409 "
        "ConflictingConcurrentWriteNotAllowed, or accepted while the earlier operation fails with OperationPreempted.",
    )
    deallocated_update: Literal["operation", "no-operation", "refused"] = switch(
        "operation",
        "A change to a deallocated machine: with Azure-AsyncOperation (recorded for PUT), without it, or 409 "
        "OperationNotAllowed.",
    )
    failed_operation: Literal["stored", "reverted"] = switch(
        "stored",
        "A machine whose operation failed keeps the new values, or has the old ones again; provisioningState is "
        "Failed.",
    )
    machine_without_etag: Literal["numbered-by-write", "never-numbered"] = switch(
        "numbered-by-write",
        "A machine loaded without etag: has one after its first accepted write, or never (as one recorded machine).",
    )

    deleted_machine_seconds: int = switch(
        5,
        "For so many seconds after a machine's deletion has ended the provider answers a GET of it (404 NotFound), "
        "then Resource Manager does (404 ResourceNotFound). Recorded: the first after 3 seconds (of a scale set), the "
        "second after 10 seconds and more.",
    )
    filtered_list_groups: Literal["kept", "upper"] = switch(
        "kept",
        "The resource group in the ids of a group's list with $filter: as the caller wrote it (as recorded in "
        "2022), or in upper case (as other recordings are reported to have it).",
    )

    # -- Azure Policy
    policy_evaluation_minutes: int = switch(
        30,
        "How long after an assignment was written a remediation in mode ExistingNonCompliant finds no machine, because "
        "Azure has not evaluated it; the documentation names no bound. Assignments of a fleet are evaluated.",
    )
    remediation_with_failures: Literal["failed", "succeeded"] = switch(
        "failed",
        "provisioningState of a remediation that has ended with failed deployments within its threshold.",
    )

    # -- Microsoft.Maintenance
    assignment_prerequisites: Literal["checked", "unchecked"] = switch(
        "checked",
        "Attaching an InGuestPatch configuration to a machine that is not prepared: refused, or accepted.",
    )
    assignment_error_envelope: Literal["error", "Error"] = switch(
        "error",
        "That refusal's body: {error: {code, message}}, or with capital letters as in this provider's recorded errors.",
    )
    assignment_to_flexible_member: Literal["accepted", "refused"] = switch(
        "accepted",
        "Attaching to a prepared member of a Flexible scale set: accepted, or refused.",
    )
    assignment_across_tenants: Literal["refused", "accepted"] = switch(
        "refused",
        "Attaching a configuration of one tenant to a machine or a scope of another, where Azure Lighthouse shows the "
        "caller both: refused, or accepted; Update Manager's FAQ says that Lighthouse is not supported.",
    )
    assignments_of_subscription: Literal["not-implemented", "listed"] = switch(
        "not-implemented",
        "GET of a subscription's configurationAssignments: reported as not implemented in 2024, or the list.",
    )
    apply_updates_list: Literal["not-implemented", "listed"] = switch(
        "not-implemented",
        "GET of a subscription's or a group's applyUpdates: documented as not supported there, or the list.",
    )
    hourly_recurrence: Literal["accepted", "refused"] = switch(
        "accepted",
        "PUT of a recurEvery such as 8Hours: accepted from 6 hours on (a recorded list of 2024 holds many), or "
        "refused, as the API's documentation does not name it.",
    )
    hourly_count: Literal["elapsed", "local"] = switch(
        "elapsed",
        "The hours of a recurEvery such as 8Hours: those that elapse, or those that the clock of its time zone shows.",
    )
    week_list_recurrence: Literal["accepted", "refused"] = switch(
        "accepted",
        "PUT of a recurEvery such as Month Third,Fourth Monday,Tuesday for guest patching: accepted (recorded in the "
        "scopes of hosts and databases), or refused, as the API's documentation does not name it.",
    )
    configuration_delete: Literal["leaves-assignments", "removes-assignments", "refused"] = switch(
        "leaves-assignments",
        "DELETE of a configuration that assignments name: they are kept and name a configuration that does not exist, "
        "they are deleted too, or the DELETE is refused.",
    )
    late_cancel: Literal["accepted", "refused"] = switch(
        "accepted",
        "Cancelling a run less than 10 minutes before it starts: accepted (recorded at seven and a half minutes), or "
        "refused, as the documentation says.",
    )

    # -- Microsoft.Maintenance, as the clock passes windows
    dynamic_scope_tag_case: Literal["values-exact", "exact", "ignored"] = switch(
        "values-exact",
        "Tags in a dynamic scope's filter: keys in any casing and values as they are, both as they are, or both in any "
        "casing.",
    )
    dynamic_scope_extra_filters: Literal["honoured", "ignored"] = switch(
        "honoured",
        "Further members of a dynamic scope's filter (availabilityZones, resourceIds, unknown ones): applied, or "
        "ignored.",
    )
    dynamic_scope_over_limit: Literal["first-thousand", "all"] = switch(
        "first-thousand",
        "A dynamic scope that matches more than 1,000 machines: the first by id are members, or all.",
    )
    recurrence_week_start: Literal["sunday", "monday"] = switch(
        "sunday",
        "The day on which a week begins, for every n-th week.",
    )
    recurrence_offset_month: Literal["from-start-month", "any-month"] = switch(
        "from-start-month",
        "A monthly window by weekday with an offset: counted from the start's month, or also from the month before it.",
    )
    schedule_on_flexible_member: Literal["unsupported", "runs"] = switch(
        "unsupported",
        "A scheduled run on a member of a Flexible scale set: fails as not supported, or runs.",
    )
    platform_mode_configuration: Literal["as-user", "idle"] = switch(
        "as-user",
        "A configuration with InGuestPatchMode Platform: its windows run as with User, or never.",
    )
    unnamed_updates: Literal["nothing", "everything"] = switch(
        "nothing",
        "What a run installs on a system for which its configuration's installPatches name nothing while they name "
        "something for the other, or exclude all by a mask of *: nothing, or every update.",
    )
    late_change: Literal["missed", "included"] = switch(
        "missed",
        "An assignment or a configuration written less than 15 minutes before a window: ignored in that window, or "
        "used.",
    )
    idle_schedule_counts_as_attached: Literal["yes", "no"] = switch(
        "yes",
        "A schedule that can never run again (expired, never comes, its configuration deleted) still prevents Azure's "
        "own patching of the machine.",
    )
    autopatch_unlisted_image: Literal["no", "yes"] = switch(
        "no",
        "Azure's own patching includes a marketplace image that the documentation's list does not name.",
    )
    autopatch_run_id: Literal["absent", "present"] = switch(
        "absent",
        "maintenanceRunId of an installation by Azure's own patching: absent, or a guid, as the article on query logs "
        "can be understood.",
    )
    failed_patch_extension: Literal["fails", "reinstalled"] = switch(
        "fails",
        "A machine whose patch extension is in state Failed: scheduled runs and Azure's own patching fail because of "
        "it (a public answer says to remove it first), or the platform installs it again and continues.",
    )
    run_error_shape: Literal["error-object", "error-text", "absent"] = switch(
        "error-object",
        "Where a run's row says why it failed: errorDetails {code, message, details}, errorMessage as text, or "
        "not at all.",
    )
    event_subscriptions_on_source: Literal["own", "all"] = switch(
        "own",
        "The list of event subscriptions on a maintenance configuration: those that were made on it, or those of its "
        "system topic as well; the specification does not say.",
    )
    patch_row_ids: Literal["documented", "lower-case"] = switch(
        "documented",
        "Ids in patchassessmentresources and patchinstallationresources: the machine's own, then as the documentation "
        "spells it (/patchAssessmentResults/latest/softwarePatches/…), or in lower case; no recorded row shows one.",
    )
    assessment_retention_days: Literal[7, 30] = switch(
        7,
        "How long assessments can be queried: 7 days in the newer article on query logs, 30 in the older.",
    )

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for spec in fields(self):
            _check(spec, hints[spec.name], getattr(self, spec.name))


def _check(spec: Field[Any], hint: Any, value: object) -> None:
    allowed = allowed_answers(hint)
    if allowed:
        if value not in allowed:
            raise ProfileError(f"profile switch {spec.name}: {value!r} is not one of {', '.join(map(repr, allowed))}")
    elif not isinstance(value, hint if isinstance(hint, type) else object) or isinstance(value, bool) != (hint is bool):
        raise ProfileError(f"profile switch {spec.name}: {value!r} is not an {getattr(hint, '__name__', hint)}")


def allowed_answers(hint: Any) -> tuple[Any, ...]:
    """The answers a switch's type allows; empty for a number."""
    origin = typing.get_origin(hint)
    if origin is Literal:
        return typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return tuple(answer for part in typing.get_args(hint) for answer in allowed_answers(part))
    return ()


def load_profile(path: Path) -> Profile:
    """The profile of a JSON or TOML file: an object of switch names and answers.

    Raises:
        ProfileError: when the file cannot be read or parsed, or names what does not exist.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text) if path.suffix == ".toml" else msgspec.json.decode(text)
    except (OSError, ValueError) as error:
        raise ProfileError(f"profile {path}: {error}") from error
    return profile_from(content)


def profile_from(content: object) -> Profile:
    """A profile from decoded JSON.

    Raises:
        ProfileError: when it is no object, or a name or an answer is unknown.
    """
    if not isinstance(content, dict):
        raise ProfileError("a profile is an object of switch names and answers")
    known = {spec.name for spec in fields(Profile)}
    unknown = sorted(set(content) - known)
    if unknown:
        raise ProfileError(f"unknown profile switch: {', '.join(unknown)}; known: {', '.join(sorted(known))}")
    return Profile(**content)


def describe() -> list[tuple[str, str, str, str]]:
    """The reference table: name, allowed answers, default, sentence; in the order of declaration."""
    hints = typing.get_type_hints(Profile)
    rows = []
    for spec in fields(Profile):
        answers = allowed_answers(hints[spec.name])
        shown = ", ".join(str(answer) for answer in answers) or hints[spec.name].__name__
        rows.append((spec.name, shown, str(spec.default), spec.metadata["doc"]))
    return rows
