"""The command that undoes a change of schedules, told after it. Must not: name a machine that it did not write to."""

from collections.abc import Sequence

from patchmode.cli import composition
from patchmode.cli.output import say, say_lines
from patchmode.cli.schedules.wishes import NEVER, PATHS
from patchmode.cli.settings import Settings, state_folder
from patchmode.errors import StorageError
from patchmode.model.report import DeleteReport, ScheduleWish
from patchmode.model.schedule import AttachAction, AttachEnd, AttachReport, AttachResult, DynamicScope
from patchmode.reports.text.left_alone import NAMED_ON_A_LINE
from patchmode.reports.text.next_steps import command
from patchmode.rules.schedules.attaching import attach_obstacle
from patchmode.rules.schedules.creation import NO_VALUE, not_said, wish_of
from patchmode.workflow.schedules.attach_many import Preview
from patchmode.workflow.schedules.creating import ConfigurationDraft
from patchmode.workflow.schedules.deleting import Deletion
from patchmode.workflow.schedules.dynamic_scopes import ScopePreview

_DONE = {AttachAction.ATTACH: AttachEnd.ATTACHED, AttachAction.DETACH: AttachEnd.DETACHED}
_OPPOSITE = {AttachAction.ATTACH: "detach", AttachAction.DETACH: "attach"}
FOLDER = "attachments"
"""In the state folder: lists of machines for commands that would be too long with all their ids."""


def tell_undo(preview: Preview, report: AttachReport, settings: Settings) -> None:
    """Tell, on standard error, what undoes the attach or detach of machines; nothing where nothing was written.

    Args:
        preview: what was to be done; it knows which of the machines an attach would refuse.
        report: what was done.
        settings: quiet says nothing; the state folder holds the list of machines where it is long.
    """
    if settings.quiet:
        return
    for lock in preview.kept_by:
        if any(one.result is _DONE[preview.action] for one in report.results):
            say(
                f"! First have the lock '{lock.lock}' on {lock.scope} removed: below it no schedule can be detached.",
                settings,
            )
    words = undo_words(preview, report.results, settings)
    if words:
        say_lines(["To undo it:", f"  {command(*words)}"], settings)


def undo_words(preview: Preview, results: Sequence[AttachResult], settings: Settings) -> list[str]:
    """The words of the command that undoes the attach or detach of machines; empty: nothing was written, or can be.

    Args:
        preview, settings: as of `tell_undo`.
        results: what was done; those of dynamic scopes among them are not looked at.
    """
    machines = {str(one).casefold() for one in (*(machine.id for machine in preview.machines), *preview.gone)}
    done = [one for one in results if one.result is _DONE[preview.action] and one.id.casefold() in machines]
    if preview.action is AttachAction.DETACH:
        found = preview.found
        takes = [one for one in preview.machines if found is not None and attach_obstacle(one, found) is None]
        prepared = {str(one.id).casefold() for one in takes}
        again = [one for one in done if one.id.casefold() in prepared]
        if left := len(done) - len(again):
            whose = "1 detached machine" if left == 1 else f"{left:,} detached machines"
            say(
                f"{whose} would be refused by an attach: not prepared, or the machine or schedule does not exist.",
                settings,
            )
        done = again
    if not done:
        return []
    words = ["schedule", _OPPOSITE[preview.action], str(preview.configuration)]
    names = {one.assignment for one in done}
    if preview.action is AttachAction.DETACH and len(names) == 1 and (name := names.pop()):
        words += ["--assignment-name", name] if name != preview.configuration.name else []
    ids = [one.id for one in done]
    which = ["--ids", *ids] if len(ids) <= NAMED_ON_A_LINE else _in_a_file(ids, words[1], settings)
    return [*words, *which] if which else []


def _in_a_file(ids: Sequence[str], verb: str, settings: Settings) -> list[str]:
    """The option that names the machines by a new file of the state folder; empty where none can be written."""
    from patchmode.store.files import make_private_folder, write_whole

    folder = state_folder(settings) / FOLDER
    path = folder / f"{verb}-{composition.clock().now():%Y%m%dT%H%M%S%f}.ids"
    try:
        make_private_folder(folder)
        write_whole(path, "".join(f"{one}\n" for one in ids).encode())
    except StorageError as error:
        say(f"The machines for a command that undoes it could not be kept: {error.message}", settings)
        return []
    return ["--ids-file", str(path.absolute())]


def tell_scope_undo(preview: ScopePreview, report: AttachReport, settings: Settings) -> None:
    """Tell, on standard error, what undoes the attach or detach of a dynamic scope; nothing where it was not written.

    Args, as for `tell_undo`; of a filter that our options cannot express nothing is told.
    """
    if all(one.result is not _DONE[preview.action] for one in report.results):
        return
    before = preview.standing
    if before is None:
        words = ["schedule", "detach", str(preview.configuration), "--dynamic", preview.scope.name]
        words += _place_words(preview.scope)
    else:
        again = scope_words(before)
        if again is None:
            say("Its filter as it was before cannot be written with patchmode's options.", settings)
            return
        words = again + (["--replace"] if preview.action is AttachAction.ATTACH else [])
    say_lines(["To undo it:", f"  {command(*words)}"], settings)


def scope_words(scope: DynamicScope) -> list[str] | None:
    """The words of the command that makes a dynamic scope; None: its filter cannot be written with our options."""
    filters = _filter_words(scope)
    if filters is None:
        return None
    words = ["schedule", "attach", str(scope.configuration), "--dynamic", scope.name]
    return [*words, *_place_words(scope), *filters]


def _place_words(scope: DynamicScope) -> list[str]:
    group = [] if scope.resource_group is None else ["--resource-group", scope.resource_group]
    return ["--subscription", scope.subscription_id, *group]


def tell_delete_undo(deletion: Deletion, report: DeleteReport, settings: Settings) -> None:
    """Tell, on standard error, the commands that undo a deletion; nothing where nothing was written.

    Args:
        deletion: what was to be done.
        report: what was done: an interrupted one has detached some, and the schedule is still there.
        settings: as of `tell_undo`.
    """
    if settings.quiet:
        return
    done = {one.id.casefold() for one in report.detached if one.result is AttachEnd.DETACHED}
    commands = []
    if report.result == "deleted":
        commands.append(["schedule", "create", *create_words(wish_of(deletion.found))])
    commands.append(undo_words(deletion.machines, report.detached, settings))
    scopes = [one.scope for one in deletion.scopes if one.scope.id.casefold() in done]
    for scope in scopes:
        words = scope_words(scope)
        if words is None:
            say(f"The filter of dynamic scope {scope.name} cannot be written with patchmode's options.", settings)
        else:
            commands.append(words)
    commands = [words for words in commands if words]
    if not commands:
        return
    order = "" if len(commands) == 1 else ", in this order"
    say_lines([f"To undo it{order}:", *(f"  {command(*words)}" for words in commands)], settings)
    if report.result == "deleted":
        text = "Azure may refuse a schedule of the same name for about 20 minutes. Source: Microsoft, "
        say(f"{text}'Troubleshoot issues with maintenance configurations'.", settings)


def create_words(wish: ScheduleWish) -> list[str]:
    """The words behind `schedule create` that make a configuration as a wish says."""
    window = wish.window
    words = [wish.id.name, "--subscription", wish.id.subscription_id, "--resource-group", wish.id.resource_group]
    for option, value in (
        ("--location", wish.location),
        ("--start", window.start),
        ("--duration", window.duration),
        ("--time-zone", window.time_zone),
        ("--recur", window.recur_every),
        ("--expires", window.expiration),
        ("--reboot", wish.reboot_setting),
        ("--windows-classifications", ",".join(wish.windows_classifications) or NO_VALUE),
        ("--linux-classifications", ",".join(wish.linux_classifications) or NO_VALUE),
        ("--kb-include", ",".join(wish.kb_include)),
        ("--kb-exclude", ",".join(wish.kb_exclude)),
        ("--package-include", ",".join(wish.package_include)),
        ("--package-exclude", ",".join(wish.package_exclude)),
    ):
        words += [option, value] if value else []
    for key, value in wish.tags.items():
        words += ["--tag", f"{key}={value}"]
    return words


def _filter_words(scope: DynamicScope) -> list[str] | None:
    """The options of `schedule attach` that make a filter; None: they cannot, as with values that hold a comma."""
    kept = scope.filter
    words: list[str] = []
    types = ("arc" if "hybrid" in one.lower() else "vm" for one in kept.resource_types)
    for option, values in (
        ("--filter-type", types),
        ("--filter-os", (one.lower() for one in kept.os_types)),
        ("--filter-location", kept.locations),
        ("--filter-group", kept.resource_groups),
    ):
        for value in values:
            words += [option, value]
    for key, values in kept.tags.items():
        words += ["--filter-tag", f"{key}={','.join(values)}"]
    if kept.any_tag:
        words.append("--any-tag")
    tags = [text for values in kept.tags.values() for text in values]
    odd = [one for one in (*tags, *kept.locations, *kept.resource_groups) if "," in one or one != one.strip()]
    return None if kept.unknown or odd or any("=" in key for key in kept.tags) else words


def tell_update_undo(drafted: ConfigurationDraft, settings: Settings) -> None:
    """Tell, on standard error, the command that gives a schedule the values back that it had."""
    found = drafted.standing
    if settings.quiet or found is None or drafted.is_unchanged:
        return
    was, lost = wish_of(found), not_said(found)
    paths = {one.path.removeprefix("properties.") for one in drafted.before}
    kept = [path for path in paths if path in lost]
    if kept:
        say(f"What it had cannot be written with patchmode's options: {', '.join(sorted(kept))}.", settings)
    values = {
        "start": was.window.start,
        "expires": was.window.expiration or NEVER,
        "duration": was.window.duration,
        "time_zone": was.window.time_zone,
        "recur": was.window.recur_every,
        "restart": was.reboot_setting,
        "windows_classifications": ",".join(was.windows_classifications) or NO_VALUE,
        "linux_classifications": ",".join(was.linux_classifications) or NO_VALUE,
        "kb_include": ",".join(was.kb_include) or NO_VALUE,
        "kb_exclude": ",".join(was.kb_exclude) or NO_VALUE,
        "package_include": ",".join(was.package_include) or NO_VALUE,
        "package_exclude": ",".join(was.package_exclude) or NO_VALUE,
    }
    words: list[str] = []
    for option, path in PATHS.items():
        value = values[option]
        if path in paths and path not in kept and value:
            words += ["--reboot" if option == "restart" else f"--{option.replace('_', '-')}", value]
    if words:
        say_lines(["To undo it:", f"  {command('schedule', 'update', str(found.id), *words)}"], settings)
