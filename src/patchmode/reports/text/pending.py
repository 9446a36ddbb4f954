"""What is pending on a machine, from its last assessment, with its age: for people.

Must not: call a machine without a record one that has nothing pending, or one that was never assessed.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from patchmode.model.schedule import Assessment, Assessments
from patchmode.reports.text.layout import plural

NO_RECORD = "no assessment on record"
KEPT = (
    "Azure Resource Graph keeps an assessment for 7 days, by the newer of Microsoft's articles, or 30, by the older. "
    "Without a record a machine was never assessed, or not since."
)
"""Source: "Access Azure Update Manager operations data" in both its versions."""


def pending_text(assessment: Assessment | None, pending: Assessments, now: datetime | None) -> str:
    """What is pending on one machine, in words.

    Args:
        assessment: its last; None: there is none among `pending`.
        pending: what was read.
        now: aware, for the age; None: it is not told.
    """
    if pending.refusal:
        return f"not known, the assessments could not be read: {pending.refusal}"
    if assessment is None:
        return NO_RECORD
    when = assessed_text(assessment, now)
    if assessment.counts is None:
        return f"not known; {when}"
    critical, security, other = assessment.counts
    reboot = ", a restart is pending" if assessment.reboot_pending else ""
    return f"{critical:,} critical, {security:,} security, {other:,} other{reboot}; {when}"


def assessed_text(assessment: Assessment, now: datetime | None) -> str:
    """When a machine was assessed, and how that ended where it did not succeed."""
    at = assessment.assessed_at
    when = "at an unknown time" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
    # A clock that is behind Azure's knows no age.
    age = "" if at is None or now is None or now < at else f" ({_age(now - at)})"
    ended = "" if assessment.status.casefold() == "succeeded" else f", {assessment.status or 'without a status'}"
    return f"assessed {when}{age}{ended}"


def total_text(pending: Assessments, members: int) -> str:
    """What is pending on all members together, and on how many of them that is known."""
    if pending.refusal:
        return f"not known, the assessments could not be read: {pending.refusal}"
    known = [counts for one in pending.found.values() if (counts := one.counts) is not None]
    if not known:
        return "not known for any member"
    critical, security, other = (sum(counts[at] for counts in known) for at in range(3))
    text = f"{critical:,} critical, {security:,} security, {other:,} other"
    return f"{text} on {len(known):,} of {plural(members, 'member')}"


def _age(span: timedelta) -> str:
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes < 120:
        return f"{plural(minutes, 'minute')} ago"
    hours = minutes // 60
    return f"{plural(hours, 'hour')} ago" if hours < 48 else f"{plural(hours // 24, 'day')} ago"


def kept_note(pending: Assessments, members: int) -> Iterator[str]:
    """What a missing record means, where one is missing."""
    if not pending.refusal and len(pending.found) < members:
        yield KEPT
