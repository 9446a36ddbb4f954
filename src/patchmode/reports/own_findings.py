"""Findings that no rule gives: a machine is not as wanted, cannot be read, or a change did not end as planned.

Their ids stand beside the rules' in reports and are as stable; docs/reference/reports.md lists them.

Must not: take an id that a rule has.
"""

from patchmode.model.record import Level, RuleText

NOT_AS_WANTED = RuleText(
    "not-as-wanted",
    "the machine does not have the settings it is measured against",
    "The settings in the machine's model are not those that were named, by default Customer Managed Schedules. "
    "Whether that means that it is patched at the wrong time, or not at all, is told by its outcome.",
    "Plan the change and read it: patchmode plan. Then apply the plan.",
    Level.WARNING,
)
UNREADABLE = RuleText(
    "unreadable",
    "the machine or subscription could not be read",
    "It is in scope and nothing is known of it, so that nobody may conclude that it is well.",
    "See what was answered; patchmode doctor names the missing permissions.",
    Level.ERROR,
)
CHANGE_FAILED = RuleText(
    "change-failed",
    "Azure refused the change, or its operation failed",
    "The machine may be as before, or show the settings after an operation that failed; the error says which.",
    "Follow the advice beside the error, then make a new plan.",
    Level.ERROR,
)
CHANGE_UNKNOWN = RuleText(
    "change-unknown",
    "the change was sent, and how it ended is not known",
    "The answer never came: it may have been applied.",
    "Take the run up again: `patchmode runs resume`. It looks before it sends.",
    Level.ERROR,
)
CHANGE_STALE = RuleText(
    "change-stale",
    "the machine changed since the plan, so the run changed nothing on it",
    "Somebody or something changed the machine between plan and apply; the error names the field.",
    "Make a new plan.",
    Level.ERROR,
)
CHANGE_NOT_SENT = RuleText(
    "change-not-sent",
    "the change had no turn",
    "The run was stopped, its failure budget was spent, or the machine could not be read first.",
    "Take the run up again: `patchmode runs resume`.",
    Level.WARNING,
)
NOT_AS_PLANNED = RuleText(
    "not-as-planned",
    "a verification found the machine otherwise than planned",
    "What Azure Resource Manager returned afterwards differs from the plan: in the settings, or in another property.",
    "Compare the properties named; patchmode plan shows what a new change would do.",
    Level.ERROR,
)
SCHEDULE_NOT_AS_PLANNED = RuleText(
    "schedule-not-as-planned",
    "attaching the schedule, or taking it off, did not end as planned",
    "The machine's settings and its schedule do not fit together as the plan meant them to.",
    "Follow the advice beside the error; `patchmode runs resume` does what is left.",
    Level.ERROR,
)

OWN_RULES = {
    rule.id: rule
    for rule in (
        NOT_AS_WANTED,
        UNREADABLE,
        CHANGE_FAILED,
        CHANGE_UNKNOWN,
        CHANGE_STALE,
        CHANGE_NOT_SENT,
        NOT_AS_PLANNED,
        SCHEDULE_NOT_AS_PLANNED,
    )
}
"""Id → its words."""
