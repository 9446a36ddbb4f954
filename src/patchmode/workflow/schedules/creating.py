"""Creating a maintenance configuration: look, PUT, look again.

Must not: replace one that stands there unless told to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from patchmode.errors import MaybeAppliedError, RefusedError, RejectedError, UnsafeError, UsageError
from patchmode.model.finding import Severity
from patchmode.model.report import CreateReport, ScheduleFinding, ScheduleWish
from patchmode.model.run import Difference
from patchmode.model.schedule import MaintenanceConfiguration, Window
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure, Clock
from patchmode.rules.schedules.creation import (
    is_malformed,
    properties_of,
    room_problems,
    timing_problems,
    unlike,
    wish_problems,
)
from patchmode.rules.schedules.limits import limits_of
from patchmode.rules.schedules.recurrence import upcoming
from patchmode.workflow.inventory.suggestions import missing_groups
from patchmode.workflow.schedules.reading import read_schedules

FIRST_WINDOWS = 3
_FORMS = "Nothing was sent. `patchmode schedule create --help` shows the forms."

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

    @property
    def is_unchanged(self) -> bool:
        """Whether it stands already as wanted."""
        return self.standing is not None and not self.before


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
    return ConfigurationDraft(wish, properties, windows, standing, before, tuple(problems))


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


async def create(azure: Azure, drafted: ConfigurationDraft) -> CreateReport:
    """Write what was drafted and read it back.

    Args:
        azure: a connection that may write.
        drafted: as `draft` made it.

    Raises:
        RejectedError: Azure refused it. MaybeAppliedError: the answer was lost, and it cannot be seen. NotSentError.
    """
    wish = drafted.wish
    if not drafted.is_unchanged:
        try:
            await azure.maintenance_writer.put_configuration(wish.id, wish.location, drafted.properties, wish.tags)
        except MaybeAppliedError:
            if await _standing(azure, wish) is None:
                raise
        except RejectedError as error:
            if error.code.casefold() == _NO_GROUP:
                raise await _without_group(azure, wish) from error
            raise
    found = await azure.maintenance.configuration(wish.id)
    result = "created" if drafted.standing is None else "replaced"
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
    missing = await missing_groups(azure, Scope(), names=(), ids=[(place, name)], visible=[place], readable=[place])
    return UsageError(
        f"The schedule cannot be in resource group {name}: Azure could not find it.",
        advice=" ".join(one.reason for one in missing.unknown),
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
