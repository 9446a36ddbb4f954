"""The command that undoes an attach or detach, told after it. Must not: name a machine that it did not write to."""

from collections.abc import Sequence

from patchmode.cli import composition
from patchmode.cli.output import say, say_lines
from patchmode.cli.settings import Settings, state_folder
from patchmode.errors import StorageError
from patchmode.model.schedule import AttachAction, AttachEnd, AttachReport, DynamicScope
from patchmode.reports.text.left_alone import NAMED_ON_A_LINE
from patchmode.reports.text.next_steps import command
from patchmode.rules.schedules.attaching import attach_obstacle
from patchmode.workflow.schedules.attach_many import Preview
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
    done = [one for one in report.results if one.result is _DONE[preview.action]]
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
    if not done or settings.quiet:
        return
    words = ["schedule", _OPPOSITE[preview.action], str(preview.configuration)]
    names = {one.assignment for one in done}
    if preview.action is AttachAction.DETACH and len(names) == 1 and (name := names.pop()):
        words += ["--assignment-name", name] if name != preview.configuration.name else []
    ids = [one.id for one in done]
    for lock in preview.kept_by:
        say(
            f"! First have the lock '{lock.lock}' on {lock.scope} removed: below it no schedule can be detached.",
            settings,
        )
    which = ["--ids", *ids] if len(ids) <= NAMED_ON_A_LINE else _in_a_file(ids, words[1], settings)
    if which:
        say_lines(["To undo it:", f"  {command(*words, *which)}"], settings)


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
    place = ["--subscription", preview.scope.subscription_id]
    if preview.scope.resource_group is not None:
        place += ["--resource-group", preview.scope.resource_group]
    before = preview.standing
    if before is None:
        words = ["schedule", "detach", str(preview.configuration), "--dynamic", preview.scope.name, *place]
    else:
        filters = _filter_words(before)
        if filters is None:
            say("Its filter as it was before cannot be written with patchmode's options.", settings)
            return
        words = ["schedule", "attach", str(before.configuration), "--dynamic", before.name, *place, *filters]
        words += ["--replace"] if preview.action is AttachAction.ATTACH else []
    say_lines(["To undo it:", f"  {command(*words)}"], settings)


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
