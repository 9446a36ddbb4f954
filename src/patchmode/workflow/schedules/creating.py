"""Creating a maintenance configuration, and changing one: look, PUT, look again.

Must not: replace one that stands there unless told to.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from patchmode.errors import MaybeAppliedError, RefusedError, RejectedError, UnsafeError, UsageError
from patchmode.model.access import WRITE_SCHEDULE
from patchmode.model.finding import Severity
from patchmode.model.report import CreateReport, ScheduleFinding, ScheduleView, ScheduleWish
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.run import Difference
from patchmode.model.schedule import MaintenanceConfiguration, Window, WindowRule
from patchmode.ports.azure import Azure, Clock
from patchmode.rules.schedules.attaching import write_lock
from patchmode.rules.schedules.creation import (
    DEFAULT_CLASSIFICATIONS,
    LINUX_CLASSIFICATIONS,
    REBOOT_SETTINGS,
    WINDOWS_CLASSIFICATIONS,
    is_malformed,
    lost_windows_text,
    properties_of,
    room_problems,
    timing_problems,
    unlike,
    updated,
    wish_of,
    wish_problems,
)
from patchmode.rules.schedules.events import too_close
from patchmode.rules.schedules.limits import limits_of
from patchmode.rules.schedules.memberships import ScheduleIndex
from patchmode.rules.schedules.recurrence import upcoming
from patchmode.rules.schedules.time_zones import as_windows_writes, every_windows_name
from patchmode.workflow.inventory.inventory import locks_in
from patchmode.workflow.inventory.suggestions import why_no_group
from patchmode.workflow.schedules.attach_many import check_name, timing_warnings
from patchmode.workflow.schedules.deleting import (
    changed_since,
    is_changed,
    not_counted,
    read_whole,
    unseen_places,
)
from patchmode.workflow.schedules.dynamic_scopes import check_allowed
from patchmode.workflow.schedules.estate import Estate, views_of
from patchmode.workflow.schedules.events import events_soon
from patchmode.workflow.schedules.reading import read_schedules

FIRST_WINDOWS = 3
_FORMS = "Correct it: the command's `--help` shows the forms. Nothing was sent."

_NO_GROUP = "resourcegroupnotfound"


@dataclass(frozen=True, slots=True)
class ConfigurationDraft:
    """A wish that may be sent, with everything that a person should see before."""

    wish: ScheduleWish
    properties: Mapping[str, Any]
    windows: tuple[Window, ...]
    standing: MaintenanceConfiguration | None
    """The configuration of that id as it is; None: there is none."""
    before: tuple[Difference, ...] = ()
    """How the standing one differs."""
    warnings: tuple[ScheduleFinding, ...] = ()
    lost_windows: str = ""
    """Which windows of the standing one do not come any more; empty: none, or at most the next."""

    @property
    def is_unchanged(self) -> bool:
        """Whether it stands already as wanted."""
        return self.standing is not None and not self.before


CLASSIFICATIONS = tuple(dict.fromkeys((*WINDOWS_CLASSIFICATIONS, *LINUX_CLASSIFICATIONS)))
"""Of updates, each once; some are of one operating system only."""
REBOOTS = REBOOT_SETTINGS
time_zones = every_windows_name


def make_wish(
    name: str,
    subscription: str,
    group: str,
    location: str,
    window: WindowRule,
    *,
    reboot: str = REBOOTS[0],
    classifications: Collection[str] = DEFAULT_CLASSIFICATIONS,
) -> ScheduleWish:
    """A schedule that somebody wants; `check_wish` says what is wrong with its window.

    Args:
        name, group, location: of it.
        subscription: the id of the subscription that it is in.
        window: its time zone in any spelling.
        reboot: of `REBOOTS`.
        classifications: of `CLASSIFICATIONS`, each for the operating systems that have it; empty: none.

    Raises:
        UsageError: a name is none.
    """
    check_name(name)
    try:
        identifier = ResourceId.parse(
            f"/subscriptions/{subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.Maintenance/maintenanceConfigurations/{name}"
        )
    except ResourceIdError as error:
        raise UsageError(f"{group!r} is not the name of a resource group.", advice="Give its name alone.") from error
    # As Windows spells it; what it does not know is refused with the other members.
    zone = as_windows_writes(window.time_zone or "") or window.time_zone
    return ScheduleWish(
        identifier,
        location,
        replace(window, time_zone=zone),
        reboot,
        known_classifications(classifications, WINDOWS_CLASSIFICATIONS),
        known_classifications(classifications, LINUX_CLASSIFICATIONS),
    )


def known_classifications(chosen: Iterable[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of a list of names that were chosen, as that list spells them."""
    wanted = {text.casefold() for text in chosen}
    return tuple(name for name in names if name.casefold() in wanted)


async def draft(azure: Azure, wish: ScheduleWish, *, replace: bool, clock: Clock) -> ConfigurationDraft:
    """Check a wish and compare it with what stands there.

    Args:
        azure: a connection; reading is enough.
        wish: as the user gave it.
        replace: whether a configuration of that name may be written over.
        clock: for the first windows.

    Raises:
        UsageError, RefusedError: as `check_wish`. RefusedError: another one of that name stands there.
        UnsafeError: a limit of Azure. RequestError: it cannot be seen whether one stands there.
    """
    problems = check_wish(wish)
    windows = upcoming(wish.window, after=clock.now(), count=FIRST_WINDOWS)
    problems += timing_problems(wish, windows, clock.now())
    standing = await _standing(azure, wish)
    if standing is None:
        book = await read_schedules(azure, [wish.id.subscription_id])
        problems += room_problems(wish, book.configurations, limits_of(azure.target.cloud))
    _refuse([one for one in problems if one.severity is Severity.BLOCKS])
    properties = properties_of(wish)
    before = tuple(_differences(wish, properties, standing)) if standing else ()
    if standing is not None and before and not replace:
        named = "; ".join(f"{one.path} is {one.found}, not {one.expected}" for one in before[:3])
        raise RefusedError(
            f"A maintenance configuration {wish.id} exists already, and differs: {named}"
            f"{f'; and {len(before) - 3} more' if len(before) > 3 else ''}.",
            advice="Give it another name, or --replace to overwrite it; its assignments stay.",
        )
    lost_windows = lost_windows_text(standing.window, windows, clock.now()) if standing is not None and before else ""
    return ConfigurationDraft(wish, properties, windows, standing, before, tuple(problems), lost_windows)


def check_wish(wish: ScheduleWish) -> list[ScheduleFinding]:
    """What is worth a thought about a wish, before anything is read.

    Raises:
        UsageError: a member of it cannot be read. RefusedError: it is well-formed, and Azure does not take such a
            configuration. Both with everything that stands against it.
    """
    problems = list(wish_problems(wish))
    wrong = [one for one in problems if one.severity is Severity.BLOCKS]
    if is_malformed(wrong):
        raise UsageError(_told(wrong), advice=_FORMS)
    if wrong:
        raise RefusedError(_told(wrong), advice=_FORMS)
    return problems


@dataclass(frozen=True, slots=True)
class Update:
    """A configuration that is to be changed, with everything that a person should see before."""

    drafted: ConfigurationDraft
    now: ScheduleView
    """It with its members, as they are."""
    then: ScheduleView
    """The same with the change."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def touched(self) -> int:
        """How many machines have it, those that are not seen among them."""
        return len(self.now.members) + len(self.now.unseen)


Change = Callable[[ScheduleWish], tuple[ScheduleWish, Collection[str]]]
"""Of a configuration as a wish: the wish with other values, and the paths below `properties` that were named."""


async def draft_update(azure: Azure, text: str, change: Change, *, clock: Clock) -> Update:
    """What changing a configuration would do to it and to its members.

    Args:
        azure: a connection; reading is enough.
        text: the configuration's id, name, or `group/name`.
        change: makes the wish.
        clock: for windows.

    Raises:
        UsageError: there is none, or a value cannot be read. RefusedError: it patches no guests, Azure takes no such
            value, or a lock or a missing role is in the way. RequestError: it cannot be looked up.
    """
    found, estate = await read_whole(azure, text, clock=clock)
    wish, changed = change(wish_of(found))
    wish = replace(wish, tags=dict(found.tags))
    properties, before = updated(found, wish, changed)
    problems = check_wish(wish) if before else []
    windows = upcoming(wish.window, after=estate.now, count=FIRST_WINDOWS)
    (now,) = views_of(estate, [found])
    if windows and now.events is None:
        now = replace(now, events=await events_soon(azure, found.id, windows[0], estate.now))
    changed_to = replace(
        found, window=wish.window, reboot_setting=wish.reboot_setting, properties={**found.properties, **properties}
    )
    (then,) = views_of(_with(estate, changed_to), [changed_to])
    notes: list[str] = []
    if before:
        locks, notes = await locks_in(azure, [found.id.subscription_id])
        obstacle = write_lock(locks, str(found.id))
        if obstacle is not None:
            raise RefusedError(f"Nothing was sent: {obstacle.message} ({obstacle.rule})", advice=obstacle.fix)
        await check_allowed(azure, str(found.id), WRITE_SCHEDULE)
    return Update(
        ConfigurationDraft(
            wish,
            properties,
            windows,
            found,
            before,
            tuple(problems),
            lost_windows_text(found.window, windows, estate.now) if before else "",
        ),
        now,
        then,
        (*not_counted(await unseen_places(azure, estate)), *_soon(now, windows, estate.now)),
        (*estate.notes, *notes),
    )


def _with(estate: Estate, changed: MaintenanceConfiguration) -> Estate:
    """The same as it would be with one configuration changed."""
    others = (one for one in estate.book.configurations if one.id != changed.id)
    book = replace(estate.book, configurations=(*others, changed))
    return replace(estate, book=book, index=ScheduleIndex(book, now=estate.now, machines=estate.machines))


def check_forms(wish: ScheduleWish) -> None:
    """Refuse a wish of which a member cannot be read, whatever its others are.

    Raises:
        UsageError: with what cannot.
    """
    wrong = [one for one in wish_problems(wish) if is_malformed([one])]
    if wrong:
        raise UsageError(_told(wrong), advice=_FORMS)


def _soon(now: ScheduleView, windows: Sequence[Window], at: datetime) -> tuple[str, ...]:
    """What to know of the window before the change and of the first one with it, where Azure may have begun already."""
    told = timing_warnings(now.next, at, now.events)
    is_same = bool(windows) and now.next.window is not None and now.next.window.starts_at == windows[0].starts_at
    soon = None if not windows or is_same else too_close(windows[0].starts_at, at, now.events)
    return told if soon is None else (*told, f"With the change its first window starts in {soon} (window-too-close).")


async def create(azure: Azure, drafted: ConfigurationDraft, *, is_update: bool = False) -> CreateReport:
    """Write what was drafted and read it back.

    Azure has no precondition for the PUT, so that one that stands there is compared with what was shown right before.

    Args:
        azure: a connection that may write.
        drafted: as `draft` or `draft_update` made it.
        is_update: whether it is a change of one that stands there, and is called so.

    Raises:
        RefusedError: somebody changed it since it was shown. RejectedError: Azure refused it.
        MaybeAppliedError: the answer was lost, and it cannot be seen. NotSentError.
    """
    wish, shown = drafted.wish, drafted.standing
    if not drafted.is_unchanged:
        now = await _standing(azure, wish)
        if (now is None) is not (shown is None) or (now and shown and is_changed(shown, now)):
            raise changed_since(wish.id)
        try:
            await azure.maintenance_writer.put_configuration(wish.id, wish.location, drafted.properties, wish.tags)
        except MaybeAppliedError:
            now = await _standing(azure, wish)
            if now is None or (shown is not None and not is_changed(shown, now)):
                raise
        except RejectedError as error:
            if error.code.casefold() == _NO_GROUP:
                raise await _without_group(azure, wish) from error
            raise
    found = await azure.maintenance.configuration(wish.id)
    result = "created" if drafted.standing is None else "updated" if is_update else "replaced"
    return CreateReport(
        azure.target,
        wish.id,
        "unchanged" if drafted.is_unchanged else result,
        drafted.properties,
        drafted.windows,
        drafted.before,
        tuple(_differences(wish, drafted.properties, found)),
        drafted.warnings,
    )


async def _standing(azure: Azure, wish: ScheduleWish) -> MaintenanceConfiguration | None:
    try:
        return await azure.maintenance.configuration(wish.id)
    except RejectedError as error:
        if error.code.casefold() == _NO_GROUP:
            raise await _without_group(azure, wish) from error
        if error.status == 404:
            return None
        raise


async def _without_group(azure: Azure, wish: ScheduleWish) -> UsageError:
    """The error where Azure says that the resource group does not exist, with the nearest in that subscription."""
    place, name = wish.id.subscription_id, wish.id.resource_group
    return UsageError(
        f"The schedule cannot be in resource group {name}: Azure could not find it.",
        advice=await why_no_group(azure, place, name),
    )


def _refuse(problems: list[ScheduleFinding]) -> None:
    if problems:
        raise UnsafeError(_told(problems), advice=problems[0].fix)


def _told(problems: list[ScheduleFinding]) -> str:
    return " ".join(f"{_sentence(one.message)} ({one.rule})." for one in problems)


def _sentence(text: str) -> str:
    stripped = text.strip().rstrip(".")
    return stripped[:1].upper() + stripped[1:]


def _differences(
    wish: ScheduleWish, properties: Mapping[str, Any], found: MaintenanceConfiguration
) -> list[Difference]:
    tags = unlike({"tags": dict(wish.tags)}, {"tags": dict(found.tags)}, "") if wish.tags else ()
    place = unlike({"location": wish.location.replace(" ", "")}, {"location": found.location}, "")
    return [*unlike(properties, found.properties), *place, *tags]
