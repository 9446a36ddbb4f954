"""The options of `schedule create` and of dynamic scopes as the model's values.

Must not: look at Azure, but for the id of a subscription that was given by name.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from patchmode.errors import UsageError
from patchmode.model.nearest import nearest
from patchmode.model.report import ScheduleWish
from patchmode.model.resource_id import ResourceId
from patchmode.model.schedule import DynamicScope, ScopeFilter, WindowRule
from patchmode.model.scope import Scope
from patchmode.ports.azure import Azure
from patchmode.rules.schedules.creation import (
    EXPIRATION,
    LINUX_CLASSIFICATIONS,
    NO_VALUE,
    WINDOWS_CLASSIFICATIONS,
)
from patchmode.rules.schedules.time_zones import as_windows_writes
from patchmode.workflow.inventory.scoping import resolve
from patchmode.workflow.schedules.attach_many import check_name
from patchmode.workflow.schedules.creating import known_classifications, make_wish
from patchmode.workflow.schedules.dynamic_scopes import make_dynamic_scope

_TYPES = {"vm": "Microsoft.Compute/virtualMachines", "arc": "Microsoft.HybridCompute/machines"}
_SYSTEMS = {"windows": "Windows", "linux": "Linux"}


def wish_from(options: dict[str, Any], subscription: str) -> ScheduleWish:
    """The configuration that the options of `schedule create` describe.

    Args:
        options: a command's keyword arguments; they are left as they are.
        subscription: the id of the subscription that it is to stand in.

    Raises:
        UsageError: a name, a classification or a tag is none.
    """
    wish = make_wish(
        options["name"],
        subscription,
        options["group"],
        options["region"],
        WindowRule(options["start"], options["expires"], options["duration"], options["time_zone"], options["recur"]),
        reboot=options["restart"],
    )
    windows, linux = classifications(options)
    return replace(
        wish,
        windows_classifications=wish.windows_classifications if windows is None else windows,
        linux_classifications=wish.linux_classifications if linux is None else linux,
        kb_include=texts(options["kb_include"]),
        kb_exclude=texts(options["kb_exclude"]),
        package_include=texts(options["package_include"]),
        package_exclude=texts(options["package_exclude"]),
        tags=dict(_pair(text) for text in options["tags"]),
    )


def nothing_wished() -> ScheduleWish:
    """A wish to check options by, of no place, which is well-formed."""
    place = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/none/providers"
    identifier = ResourceId.parse(f"{place}/Microsoft.Maintenance/maintenanceConfigurations/none")
    return ScheduleWish(identifier, "", WindowRule("2030-01-01 02:00", None, "02:00", "UTC", "Day"))


def changed_by(options: dict[str, Any], wish: ScheduleWish) -> tuple[ScheduleWish, tuple[str, ...]]:
    """A wish with what the options of `schedule update` name, and the paths of these below `properties`.

    Raises:
        UsageError: a value is none, or nothing is named.
    """
    window = wish.window
    given: dict[str, str] = {}
    for option, member in _WINDOW.items():
        if options[option] is not None:
            given[option] = options[option]
            window = replace(window, **{member: None if _is_never(option, given[option]) else given[option]})
    if "time_zone" in given:
        window = replace(window, time_zone=as_windows_writes(given["time_zone"]) or given["time_zone"])
    windows, linux = classifications(options)
    lists: dict[str, Any] = {name: texts(options[name]) for name in _LISTS if options[name]}
    lists |= {"windows_classifications": windows} if windows is not None else {}
    lists |= {"linux_classifications": linux} if linux is not None else {}
    changed = [PATHS[one] for one in (*given, *(("restart",) if options["restart"] else ()), *lists)]
    if not changed:
        raise UsageError("Nothing to change is named.", advice="`patchmode schedule update --help` shows the options.")
    reboot = options["restart"] or wish.reboot_setting
    return replace(wish, window=window, reboot_setting=reboot, **lists), tuple(changed)


def _is_never(option: str, text: str) -> bool:
    return option == "expires" and text.strip().casefold() == NEVER


NEVER = "never"
_WINDOW = {
    "start": "start",
    "expires": "expiration",
    "duration": "duration",
    "time_zone": "time_zone",
    "recur": "recur_every",
}
"""Option → its member of a `WindowRule`."""
_LISTS = ("kb_include", "kb_exclude", "package_include", "package_exclude")
PATHS = {
    "start": "maintenanceWindow.startDateTime",
    "expires": EXPIRATION,
    "duration": "maintenanceWindow.duration",
    "time_zone": "maintenanceWindow.timeZone",
    "recur": "maintenanceWindow.recurEvery",
    "restart": "installPatches.rebootSetting",
    "windows_classifications": "installPatches.windowsParameters.classificationsToInclude",
    "linux_classifications": "installPatches.linuxParameters.classificationsToInclude",
    "kb_include": "installPatches.windowsParameters.kbNumbersToInclude",
    "kb_exclude": "installPatches.windowsParameters.kbNumbersToExclude",
    "package_include": "installPatches.linuxParameters.packageNameMasksToInclude",
    "package_exclude": "installPatches.linuxParameters.packageNameMasksToExclude",
}
"""Option of `schedule update` → the path that it sets, below `properties`."""


def classifications(options: dict[str, Any]) -> tuple[tuple[str, ...] | None, tuple[str, ...] | None]:
    """The classifications for Windows and for Linux that options name; None: they name none for that system.

    Raises:
        UsageError: one is none, or is none of that system.
    """
    both = _listed(options["classifications"])
    _check_classifications(both, (*WINDOWS_CLASSIFICATIONS, *LINUX_CLASSIFICATIONS))
    found: list[tuple[str, ...] | None] = []
    for option, names in (
        ("windows_classifications", WINDOWS_CLASSIFICATIONS),
        ("linux_classifications", LINUX_CLASSIFICATIONS),
    ):
        own = texts(options[option])
        _check_classifications(own, names)
        given = own if options[option] else both
        found.append(known_classifications(given, names) if given or options[option] else None)
    return found[0], found[1]


def texts(values: Iterable[str]) -> tuple[str, ...]:
    """The entries of a list option; `none` alone stands for an empty list."""
    found = _listed(values)
    return () if [one.casefold() for one in found] == [NO_VALUE] else found


def assignment_name(text: str | None) -> str | None:
    """The name of an assignment, as it was given.

    Raises:
        UsageError: Azure takes no such name.
    """
    if text is not None:
        check_name(text)
    return text


def dynamic_scope_from(options: dict[str, Any], name: str, scope: Scope, subscription: str) -> DynamicScope:
    """The dynamic scope that the options of `attach --dynamic` describe; its configuration is filled in later.

    Args:
        options: a command's keyword arguments; they are left as they are.
        name: of the dynamic scope.
        scope: holds at most one group, by name or id.
        subscription: the id of the subscription that it stands on.

    Raises:
        UsageError: a tag filter, an operating system or a type is none, or the group stands elsewhere.
    """
    check_name(name)
    group = scope.resource_groups[0] if scope.resource_groups else None
    if group is not None and group.startswith("/"):
        parts = group.strip("/").split("/")
        if len(parts) < 4 or parts[1].casefold() != subscription.casefold():
            raise UsageError(f"{group} is not a group of the subscription {subscription}.", advice="Give its name.")
        group = parts[3]
    tags: dict[str, tuple[str, ...]] = {}
    for text in options["filter_tag"]:
        key, value = _pair(text)
        tags[key] = (*tags.get(key, ()), *_listed([value]))
    placeholder = ResourceId.parse(
        f"/subscriptions/{subscription}/resourceGroups/none"
        "/providers/Microsoft.Maintenance/maintenanceConfigurations/none"
    )
    return make_dynamic_scope(
        name,
        subscription,
        group,
        placeholder,
        ScopeFilter(
            resource_types=_chosen(options["filter_type"], _TYPES, "type", "vm or arc"),
            resource_groups=_listed(options["filter_group"]),
            os_types=_chosen(options["filter_os"], _SYSTEMS, "operating system", "windows or linux"),
            locations=tuple(text.replace(" ", "").lower() for text in _listed(options["filter_location"])),
            tags=tags,
            any_tag=options["any_tag"],
        ),
    )


def check_place(scope: Scope) -> None:
    """A dynamic scope stands on one subscription, or on one of its groups, and machines are chosen by its filter.

    Raises:
        UsageError: the scope of machines says more or less than that.
    """
    plain = Scope(subscriptions=scope.subscriptions, resource_groups=scope.resource_groups)
    if scope != plain or len(scope.subscriptions) != 1 or len(scope.resource_groups) > 1:
        raise UsageError(
            "A dynamic scope is on one subscription, or on one of its resource groups.",
            advice="Give one --subscription, at most one --resource-group, and choose machines with --filter-….",
        )


async def subscription_id(azure: Azure, text: str) -> str:
    """The id of one subscription, lower case.

    Raises:
        UsageError: a name that none has, or a subscription that cannot be read.
    """
    selection = await resolve(azure, Scope(subscriptions=(text,)))
    if selection.subscriptions:
        return selection.subscriptions[0]
    reason = selection.unreadable[0].reason if selection.unreadable else "It cannot be read."
    raise UsageError(f"{text}: {reason}", advice="`patchmode doctor` lists the subscriptions you can see.")


def _listed(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(part.strip() for value in values for part in value.split(",") if part.strip())


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
        raise UsageError(f"{text!r} is not of the form KEY=VALUE.", advice="For example env=prod.")
    return key.strip(), value


def _check_classifications(chosen: Iterable[str], known_names: Iterable[str]) -> None:
    names = dict.fromkeys(known_names)
    known = {name.casefold() for name in names}
    for text in chosen:
        if text.casefold() not in known:
            raise UsageError(f"{text!r} is not a classification of updates.", advice=_known_are(text, names))


def _known_are(text: str, names: Iterable[str]) -> str:
    near = nearest(text, names)
    return f"Known are {', '.join(names)}.{f' Did you mean {near}?' if near else ''}"


def _given(text: str, known: Iterable[str], forms: str) -> str:
    near = nearest(text, known)
    return f"Give {forms}.{f' Did you mean {near}?' if near else ''}"


def _chosen(values: Iterable[str], known: dict[str, str], what: str, forms: str) -> tuple[str, ...]:
    found = []
    for text in _listed(values):
        value = known.get(text.casefold())
        if value is None:
            raise UsageError(f"{text!r} is not one of the {what}s here.", advice=_given(text, known, forms))
        found.append(value)
    return tuple(dict.fromkeys(found))
