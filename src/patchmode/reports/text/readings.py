"""What a text says of the machines that it names, as sentences."""

from collections.abc import Iterator, Sequence

from patchmode.model.scope import LoggedMachine, LoggedName, LogReading

_SHOWN = 5
_MOST_LEFT_OUT = 10
"""Names in a command that leaves them out; a longer one is nobody's to type."""


def reading_lines(reading: LogReading, *, source: str) -> Iterator[str]:
    """How many machines a text names, and by name those that did not fail on the prerequisite.

    Args:
        reading: of the text; one that names nothing gives one line.
        source: what to call the text.
    """
    every = reading.entries
    fixed = [entry for entry in every if entry.error is not None and entry.error.is_prerequisite]
    other = [entry for entry in every if entry.error is not None and not entry.error.is_prerequisite]
    fine = [entry for entry in every if entry.has_succeeded]
    silent = [entry for entry in every if entry.error is None and not entry.has_succeeded]
    if not every and reading.deployments:
        names = [one.rpartition("/")[2] for one in reading.deployments]
        yield (
            f"{source} names no machine, but deployment {', '.join(names[:_SHOWN])}: the machines that failed are read "
            "from its operations."
        )
        return
    who = "1 machine" if len(every) == 1 else f"{len(every):,} machines"
    if len(silent) == len(every):
        them = "it" if len(every) == 1 else "them"
        yield f"{source} names {who}" + ("." if reading.is_list else f", and no error with {them}.")
        return
    counts = [
        (len(fixed), "failed because the prerequisites to patch it were not met"),
        (len(other), "failed for another reason"),
        (len(fine), "did not fail"),
        (len(silent), "without an error in the text"),
    ]
    yield f"{source} names {who}: {', '.join(f'{count:,} {what}' for count, what in counts if count)}."
    yield from _group("Failed for another reason", [f"{_name(entry)} ({_why(entry)})" for entry in other])
    yield from _group("Did not fail", list(map(_name, fine)))
    yield from _group("Without an error in the text", list(map(_name, silent)))
    rest = [*other, *fine, *silent]
    if fixed:
        yield from _how_to_leave_out(rest, fixed)
    elif len(rest) > 1:
        yield "  All of them are in scope."


def _group(heading: str, names: Sequence[str]) -> Iterator[str]:
    if names:
        more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
        yield f"  {heading}: {', '.join(names[:_SHOWN])}{more}."


def _how_to_leave_out(
    rest: Sequence[LoggedMachine | LoggedName], kept: Sequence[LoggedMachine | LoggedName]
) -> Iterator[str]:
    if not rest:
        return
    names = dict.fromkeys(_bare(entry) for entry in rest)
    taken = {_bare(entry).casefold() for entry in kept}
    them, it = ("It is", "it") if len(rest) == 1 else (f"These {len(rest):,} are", "them")
    if len(names) > _MOST_LEFT_OUT or any(name.casefold() in taken for name in names):
        yield f"  {them} in scope too."
    else:
        yield f"  {them} in scope too. To leave {it} out, add: {' '.join(f'--exclude-name {name}' for name in names)}"


def _bare(entry: LoggedMachine | LoggedName) -> str:
    return entry.id.name if isinstance(entry, LoggedMachine) else entry.machine.name


def _name(entry: LoggedMachine | LoggedName) -> str:
    return f"{entry.id.resource_group}/{entry.id.name}" if isinstance(entry, LoggedMachine) else str(entry.machine)


def _why(entry: LoggedMachine | LoggedName) -> str:
    error = entry.error
    return "no reason in the text" if error is None or not error.code else error.code
