"""What holds a run back, in words: which options are in force, where each comes from, what was changed on resume.

Must not: decide what is in force.
"""

from collections.abc import Iterator

from patchmode.model.brakes import NAMES, RunBrakes, option_name, typed_values
from patchmode.reports.columns import wrapped
from patchmode.reports.paint import Paint

NOT_WRITTEN_DOWN = "this run was begun by an earlier version that did not write its brakes down"
_LABEL, _HANG = "In force     ", 13


def brakes_text(brakes: RunBrakes) -> str:
    """The options in force, each with where it comes from; empty: none was asked for."""
    sources = {option_name(name): f" (from {source})" for name, source in brakes.sources.items() if source}
    values = typed_values(brakes).items()
    typed = (f"{option} {_quoted(value)}".strip() + sources.get(option, "") for option, value in values)
    return ", ".join(typed)


def begun_lines(brakes: RunBrakes, *, paint: Paint) -> Iterator[str]:
    """What holds a new run back; nothing where nothing was asked for."""
    text = brakes_text(brakes)
    if text:
        yield from wrapped(f"{_LABEL}{text}", paint=paint, hang=_HANG)


def resumed_lines(brakes: RunBrakes, kept: RunBrakes | None, *, paint: Paint) -> Iterator[str]:
    """What holds a run back that is taken up, and what is otherwise than when it was last under way.

    Args:
        brakes: in force now.
        kept: what the run kept; None: an earlier version began it.
        paint: gives the width.
    """
    text = brakes_text(brakes) or "no failure budget, no freeze and no other brake"
    if kept is None:
        yield from wrapped(f"{_LABEL}{NOT_WRITTEN_DOWN}; options in force: {text}", paint=paint, hang=_HANG)
        return
    yield from wrapped(f"{_LABEL}{text}", paint=paint, hang=_HANG)
    before, now = typed_values(kept), typed_values(brakes)
    changed = [
        f"{_typed(option, now.get(option))} (was {_was(option, before.get(option))})"
        for option in map(option_name, NAMES)
        if before.get(option) != now.get(option)
    ]
    told = (
        f"Changed now: {', '.join(changed)}."
        if changed
        else "As the run keeps them; an option given here changes them."
    )
    if before or changed:
        yield from wrapped(told, paint=paint, indent=_HANG)


def _typed(option: str, value: str | None) -> str:
    """An option as it would be typed; None: as it is lifted."""
    if value == "":
        return option
    if value is None and option == option_name("strict"):
        return option_name("no_strict")
    return f"{option} {_quoted(value or 'none')}"


def _was(option: str, value: str | None) -> str:
    if value is None:
        return "not given"
    return _quoted(value) or option


def _quoted(value: str) -> str:
    return f"'{value}'" if " " in value else value
