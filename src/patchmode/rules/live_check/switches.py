"""Every behaviour of Azure that no source confirms, with its answers, and why some of them one machine cannot show.

The names, the answers and what is assumed are those of `arm-emulator --profile`; a test compares the two lists.
Must not: be read by anything that plans or applies: what was measured once in one subscription is no rule.
"""

from collections.abc import Mapping

from patchmode.model.live_check import Switch

_LIST = (
    Switch("missing_subscription", ("not-found", "forbidden"), "not-found"),
    Switch("unreadable_subscription_graph", ("omitted", "forbidden"), "omitted"),
    Switch("graph_tables_together", ("documented", "any"), "documented"),
    Switch("graph_operators", ("used", "documented"), "used"),
    Switch("graph_preview_format", ("objects", "table"), "objects"),
    Switch("throttled_retry_after", ("present", "absent"), "present"),
    Switch("arm_throttled_retry_after", ("present", "absent"), "present"),
    Switch("change_values", ("text", "json"), "text"),
    Switch("change_tag_path", ("tag", "tags"), "tag"),
    Switch("change_client_type", ("by-user-agent", "unknown"), "by-user-agent"),
    Switch("activity_log_caller", ("application", "object"), "application"),
    Switch("unregistered_reads", ("allowed", "refused"), "allowed"),
    Switch("readonly_lock_blocks_post", ("yes", "no"), "yes"),
    Switch("lock_list", ("scope-and-below", "with-inherited"), "scope-and-below"),
    Switch("list_page_size", (), 0),
    Switch("leaving_automatic_by_platform", ("cleared", "kept", "refused"), "cleared"),
    Switch("platform_settings_merge", ("deep", "shallow"), "deep"),
    Switch("platform_settings_outside_mode", ("refused", "accepted"), "refused"),
    Switch("automatic_by_platform_without_automatic_updates", ("accepted", "refused"), "accepted"),
    Switch("resent_automatic_updates", ("accepted", "refused"), "accepted"),
    Switch("agentless_automatic_by_platform", ("refused", "accepted"), "refused"),
    Switch("hotpatch_with_bypass_on_update", ("refused", "accepted"), "refused"),
    Switch("hotpatch_outside_automatic_by_platform", ("refused", "accepted"), "refused"),
    Switch("image_check_with_bypass", ("skipped", "refused"), "skipped"),
    Switch("enum_casing", ("normalised", "kept"), "normalised"),
    Switch("specialised_patch_settings", ("accepted", "refused"), "accepted"),
    Switch("specialised_os_profile_error", ("property-change", "invalid-parameter"), "property-change"),
    Switch("put_without_patch_settings", ("kept", "defaulted"), "kept"),
    Switch("null_members", ("ignored", "removed"), "ignored"),
    Switch("empty_objects", ("stored", "dropped"), "stored"),
    Switch("settings_of_older_machines", ("absent", "defaults"), "absent"),
    Switch("patched_tags", ("merged", "replaced"), "merged"),
    Switch("concurrent_write", ("accepted", "conflict", "conflicting-concurrent-write", "preempts"), "accepted"),
    Switch("deallocated_update", ("operation", "no-operation", "refused"), "operation"),
    Switch("failed_operation", ("stored", "reverted"), "stored"),
    Switch("machine_without_etag", ("numbered-by-write", "never-numbered"), "numbered-by-write"),
    Switch("deleted_machine_seconds", (), 5),
    Switch("filtered_list_groups", ("kept", "upper"), "kept"),
    Switch("assignment_prerequisites", ("checked", "unchecked"), "checked"),
    Switch("assignment_error_envelope", ("error", "Error"), "error"),
    Switch("assignment_to_flexible_member", ("accepted", "refused"), "accepted"),
    Switch("assignments_of_subscription", ("not-implemented", "listed"), "not-implemented"),
    Switch("apply_updates_list", ("not-implemented", "listed"), "not-implemented"),
    Switch("hourly_recurrence", ("accepted", "refused"), "accepted"),
    Switch("hourly_count", ("elapsed", "local"), "elapsed"),
    Switch("week_list_recurrence", ("accepted", "refused"), "accepted"),
    Switch("configuration_delete", ("leaves-assignments", "removes-assignments", "refused"), "leaves-assignments"),
    Switch("late_cancel", ("accepted", "refused"), "accepted"),
    Switch("dynamic_scope_tag_case", ("values-exact", "exact", "ignored"), "values-exact"),
    Switch("dynamic_scope_extra_filters", ("honoured", "ignored"), "honoured"),
    Switch("dynamic_scope_over_limit", ("first-thousand", "all"), "first-thousand"),
    Switch("recurrence_week_start", ("sunday", "monday"), "sunday"),
    Switch("recurrence_offset_month", ("from-start-month", "any-month"), "from-start-month"),
    Switch("schedule_on_flexible_member", ("unsupported", "runs"), "unsupported"),
    Switch("platform_mode_configuration", ("as-user", "idle"), "as-user"),
    Switch("unnamed_updates", ("nothing", "everything"), "nothing"),
    Switch("late_change", ("missed", "included"), "missed"),
    Switch("idle_schedule_counts_as_attached", ("yes", "no"), "yes"),
    Switch("autopatch_unlisted_image", ("no", "yes"), "no"),
    Switch("autopatch_run_id", ("absent", "present"), "absent"),
    Switch("failed_patch_extension", ("fails", "reinstalled"), "fails"),
    Switch("run_error_shape", ("error-object", "error-text", "absent"), "error-object"),
    Switch("patch_row_ids", ("documented", "lower-case"), "documented"),
    Switch("assessment_retention_days", (7, 30), 7),
)
SWITCHES: Mapping[str, Switch] = {one.name: one for one in _LIST}
"""Name → switch, in the order of the emulator's reference."""

_WINDOW = "a maintenance window must pass, in which Azure would install updates on the VM"
_WEEKS = "no request returns when a configuration runs next, and its windows are weeks apart"
_AZURE = "the VM would have to be left to Azure, which patches and reboots it at a time it chooses"
UNDECIDABLE: Mapping[str, str] = {
    "change_client_type": "patchmode sends its own user agent; the names are those of az, PowerShell and Terraform",
    "readonly_lock_blocks_post": "the VM would need a ReadOnly lock, which also blocks the undo",
    "list_page_size": "a subscription with more VMs than one page holds is needed",
    "failed_operation": "an operation that fails in Azure is needed, and none can be made to fail on purpose",
    "deleted_machine_seconds": "the VM would have to be deleted",
    "hourly_count": "it shows only where a clock changes: a window in spring or autumn must pass",
    "late_cancel": f"a run that starts in less than 10 minutes is needed: {_WINDOW}",
    "dynamic_scope_tag_case": f"no request returns the members of a dynamic scope: {_WINDOW}",
    "dynamic_scope_extra_filters": f"no request returns the members of a dynamic scope: {_WINDOW}",
    "dynamic_scope_over_limit": "more than 1,000 VMs are needed",
    "recurrence_week_start": _WEEKS,
    "recurrence_offset_month": _WEEKS,
    "schedule_on_flexible_member": _WINDOW,
    "platform_mode_configuration": _WINDOW,
    "unnamed_updates": _WINDOW,
    "late_change": _WINDOW,
    "idle_schedule_counts_as_attached": _AZURE,
    "autopatch_unlisted_image": _AZURE,
    "autopatch_run_id": _AZURE,
    "failed_patch_extension": "a VM whose patch extension has failed is needed, and a maintenance window must pass",
    "run_error_shape": f"a scheduled run that fails is needed: {_WINDOW}",
    "assessment_retention_days": "the VM's assessments must be read again after 7 days and after 30 days",
}
"""Switch → why no experiment on one machine decides it, a clause."""
