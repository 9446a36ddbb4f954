"""What did not end as it should, and what did, in groups: each cause once, with its machines.

A run of thousands of machines fails for a few reasons; its page tells each of them once, and lists machines by pages.

Must not: know HTML.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from patchmode.console.paging import Page
from patchmode.console.words import RESULTS, Word
from patchmode.errors import UsageError
from patchmode.model.resource_id import ResourceId
from patchmode.model.run import HANDED_OVER, ChangeResult, Result, RunReport, Verification
from patchmode.model.schedule import AttachResult
from patchmode.reports.text.attachments import ATTACH_WORDS
from patchmode.reports.text.left_alone import FailedMachine, failed_groups, of_all, without

NAMED = 12
"""So many machines of a group are named on the run's own page; its list has all."""
ON_A_PAGE = 100
"""Machines on one page of a list."""
CAUSES = 20
"""So many causes of one kind are told there."""
_BAD_ORDER = (Result.FAILED, Result.UNKNOWN, Result.STALE, Result.NOT_SENT)
_STATES = {True: "verified", False: "not as planned", None: "not looked at since"}


@dataclass(frozen=True, slots=True)
class Group:
    """Machines that share one cause."""

    message: str
    """What happened; of several machines it says "the machine"."""
    members: tuple[ResourceId | str, ...] = ()
    """A text where it names no machine: a subscription that could not be read."""
    code: str = ""
    """Azure's, ours, or a rule's; empty: there is none."""
    advice: str = ""
    correlation_id: str = ""
    """Of one of its requests; empty: none is known."""

    @property
    def key(self) -> str:
        """Names it in an address; the same as long as its cause is."""
        return sha256("\n".join((self.code, self.message, self.advice)).encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Section:
    """Groups of one kind, the largest first."""

    key: str
    title: Word
    groups: Sequence[Group]

    @property
    def machines(self) -> int:
        """How many machines, or places, it tells of."""
        return sum(len(group.members) for group in self.groups)


def sections_of(report: RunReport) -> Sequence[Section]:
    """What a run's page lists, the worst first; kinds of which there is none are left out."""
    by_result: dict[Result, list[ChangeResult]] = defaultdict(list)
    for one in report.results:
        by_result[one.result].append(one)
    found = [Section(one.value, RESULTS[one], _failed(by_result[one])) for one in _BAD_ORDER]
    found += [
        Section("mismatch", Word("Verification found differences", "bad"), _mismatches(report.results)),
        Section("schedules", Word("Schedules", _tone(report)), schedule_groups(report.attachments)),
        Section("blocked", Word("Blocked", "warn"), _blocked(report)),
        Section("unread", Word("Could not be read", "warn"), _unread(report)),
        Section(Result.APPLIED.value, Word("Applied", "good"), _applied(by_result[Result.APPLIED])),
    ]
    return [section for section in found if section.groups]


def section_of(report: RunReport, key: str) -> Section:
    """One of them.

    Raises:
        UsageError: the run has none of that name.
    """
    for section in sections_of(report):
        if section.key == key:
            return section
    raise UsageError("This run has no such list.", advice="Open the run's page, and choose a list there.")


@dataclass(frozen=True, slots=True)
class ListPage(Page[tuple[ResourceId | str, Group]]):
    """One page of a list of machines: each with the group that it is of."""

    section: Section
    group: Group | None
    """None: those of all groups."""


def list_page(section: Section, key: str, page: int) -> ListPage:
    """A page of a section, or of one group of it.

    Args:
        section: of the run.
        key: of the group; empty: all groups. One that there is not, because the run went on, is read as all.
        page: as asked for; what is out of bounds is the nearest.
    """
    group = next((one for one in section.groups if one.key == key), None)
    rows = [(member, one) for one in ([group] if group else section.groups) for member in one.members]
    return ListPage.of(rows, page, ON_A_PAGE, section=section, group=group)


def _failed(results: Sequence[ChangeResult]) -> Sequence[Group]:
    # Machines that Azure may restart at any moment from now on are told first.
    urgent_first = sorted(results, key=lambda one: one.error is None or one.error.code != HANDED_OVER)
    found = failed_groups(FailedMachine(one.id, one.error, one.correlation_id) for one in urgent_first)
    groups = [
        Group(one.message, tuple(member.id for member in one.members), one.code, one.advice, *one.correlation_ids[:1])
        for one in found
    ]
    return sorted(groups, key=lambda group: (group.code != HANDED_OVER, -len(group.members)))


def _grouped(entries: Iterable[tuple[Group, ResourceId | str]]) -> Sequence[Group]:
    """Members of equal groups as one group each, the largest first.

    Args:
        entries: a cause without members, and whom it is about.
    """
    by_cause: dict[Group, list[ResourceId | str]] = defaultdict(list)
    for cause, member in entries:
        by_cause[cause].append(member)
    groups = [replace(cause, members=tuple(members)) for cause, members in by_cause.items()]
    return sorted(groups, key=lambda group: -len(group.members))


def _mismatches(results: Iterable[ChangeResult]) -> Sequence[Group]:
    seen = (one.verification for one in results if one.verification is not None and not one.verification.verified)
    return _grouped((Group(_difference_text(one)), one.id) for one in seen)


def _difference_text(seen: Verification) -> str:
    told = [f"{one.path} should be {one.expected}, is {one.found}" for one in seen.differences]
    return "; ".join([seen.unreadable_because, *told] if seen.unreadable_because else told)


def schedule_groups(results: Iterable[AttachResult], *, dynamic: bool = False) -> Sequence[Group]:
    """Machines of which an attachment ended for the same cause, the largest group first.

    Args:
        results: of machines.
        dynamic: they are of dynamic scopes instead, whose members are no machines.
    """

    def member(one: AttachResult) -> ResourceId | str:
        return ResourceId.parse(one.id) if not dynamic else one.id

    def cause(one: AttachResult) -> Group:
        error, whom = one.error, member(one)
        message, advice = (error.message, error.advice) if error else ("", "")
        if isinstance(whom, ResourceId):
            message, advice = without(whom, message), without(whom, advice)
        told = of_all(message) or ATTACH_WORDS[one.result][0]
        return Group(told, code=one.rule or (error.code if error else ""), advice=one.fix or of_all(advice))

    return _grouped((cause(one), member(one)) for one in results)


def _tone(report: RunReport) -> str:
    return "plain" if all(one.is_fine for one in report.attachments) else "bad"


def _blocked(report: RunReport) -> Sequence[Group]:
    return _grouped((Group(one.reason, code=one.rule, advice=one.fix or ""), one.id) for one in report.blocked)


def _unread(report: RunReport) -> Sequence[Group]:
    return _grouped((Group(one.reason), one.id) for one in report.unread)


def _applied(results: Iterable[ChangeResult]) -> Sequence[Group]:
    def state(one: ChangeResult) -> str:
        return _STATES[None if one.verification is None else one.verification.verified]

    return _grouped((Group(state(one)), one.id) for one in results)
