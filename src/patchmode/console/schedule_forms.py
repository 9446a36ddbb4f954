"""The forms of schedules: what somebody filled in, as the model's values. Must not: look at Azure, or know HTML."""

from collections.abc import Iterable, Mapping

from patchmode.errors import UsageError
from patchmode.model.report import ScheduleWish
from patchmode.model.resource_id import ResourceId, ResourceIdError
from patchmode.model.schedule import DynamicScope, ScopeFilter, WindowRule
from patchmode.workflow.schedules.creating import check_wish, make_wish
from patchmode.workflow.schedules.dynamic_scopes import make_dynamic_scope

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
ORDINALS = ("First", "Second", "Third", "Fourth", "Last")


def wish_from(form: Mapping[str, str]) -> ScheduleWish:
    """The schedule that a form describes.

    Args:
        form: names and values; several values of one name have commas between them.

    Raises:
        UsageError: something is missing or cannot be read. RefusedError: Azure takes no such schedule.
    """
    for name, told in (
        ("name", "name"),
        ("subscription", "subscription"),
        ("group", "resource group"),
        ("location", "region"),
        ("date", "first day"),
        ("time", "time of day"),
        ("duration", "duration"),
        ("zone", "time zone"),
    ):
        if not _text(form, name):
            raise UsageError(f"The {told} is missing.", advice="Fill it in.")
    wish = make_wish(
        _text(form, "name"),
        _text(form, "subscription"),
        _text(form, "group"),
        _text(form, "location"),
        WindowRule(
            f"{_text(form, 'date')} {_text(form, 'time')}",
            None,
            _text(form, "duration"),
            _text(form, "zone"),
            recurrence_from(form),
        ),
        reboot=_text(form, "reboot") or "IfRequired",
        classifications=listed(form.get("classification", "")),
    )
    check_wish(wish)
    return wish


def recurrence_from(form: Mapping[str, str]) -> str:
    """When a schedule repeats, as Azure writes it: `Day`, `Week Saturday,Sunday`, `Month Second Tuesday Offset4`.

    Raises:
        UsageError: nothing is chosen, or a part of it is missing.
    """
    repeat = _text(form, "repeat")
    if repeat == "day":
        return "Day"
    if repeat == "week":
        days = listed(form.get("weekday", ""))
        if not days:
            raise UsageError("No day of the week is ticked.", advice="Tick the days on which the window begins.")
        return f"Week {','.join(days)}"
    if repeat == "month":
        later = _text(form, "later")
        offset = "" if later in {"", "0"} else f" Offset{later}"
        return f"Month {_text(form, 'ordinal')} {_text(form, 'monthday')}{offset}"
    if _text(form, "rule"):
        return _text(form, "rule")
    raise UsageError("It is not said when the schedule repeats.", advice="Choose days, or write Azure's rule.")


def scope_from(form: Mapping[str, str]) -> DynamicScope:
    """The dynamic scope that a form describes.

    Args:
        form: as for `wish_from`.

    Raises:
        UsageError: the schedule is missing, Azure takes no such name, or a tag is none.
    """
    tags: dict[str, tuple[str, ...]] = {}
    for line in form.get("tags", "").splitlines():
        if not line.strip():
            continue
        key, equals, values = line.partition("=")
        if not key.strip() or not equals:
            raise UsageError(f"{line.strip()!r} is not of the form KEY=VALUE.", advice="For example env=prod.")
        tags[key.strip()] = (*tags.get(key.strip(), ()), *listed(values))
    return make_dynamic_scope(
        _text(form, "name"),
        _text(form, "subscription"),
        _text(form, "group") or None,
        schedule_of(form),
        ScopeFilter(
            resource_types=listed(form.get("type", "")),
            resource_groups=listed(form.get("groups", "")),
            os_types=listed(form.get("os", "")),
            locations=tuple(one.replace(" ", "").lower() for one in listed(form.get("locations", ""))),
            tags=tags,
            any_tag=_text(form, "any") == "yes",
        ),
    )


def schedule_of(form: Mapping[str, str]) -> ResourceId:
    """The schedule that a form is about.

    Raises:
        UsageError: it names none.
    """
    try:
        return ResourceId.parse(form.get("schedule", ""))
    except ResourceIdError as error:
        raise UsageError("No schedule was named.", advice="Choose one under Schedules.") from error


def listed(text: str) -> tuple[str, ...]:
    """The entries of a text with commas."""
    return tuple(_unlike(part.strip() for part in text.split(",") if part.strip()))


def _unlike(texts: Iterable[str]) -> dict[str, None]:
    return dict.fromkeys(texts)


def _text(form: Mapping[str, str], name: str) -> str:
    return form.get(name, "").strip()
