"""Which runs that have not ended hold machines of a new plan, in words.

Must not: look for them; `workflow/resuming.py` does.
"""

from collections.abc import Iterable, Iterator

from patchmode.model.outcome import HeldMachines
from patchmode.reports.columns import wrapped
from patchmode.reports.headings import plural
from patchmode.reports.paint import Paint

_STATES = {"running": "is under way", "interrupted": "was interrupted", "stopped": "was stopped"}


def held_text(held: HeldMachines) -> str:
    """One sentence about one run."""
    machines = plural(held.machines, "machine")
    return f"Run {held.run} {_STATES[held.state]} and holds {machines} of this plan that it has not done with."


def held_lines(runs: Iterable[HeldMachines], *, paint: Paint) -> Iterator[str]:
    """Each run with the command that goes on with it; a command stays on a line of its own."""
    for one in runs:
        yield from (paint("warn", line) for line in wrapped(f"! {held_text(one)}", paint=paint, hang=2))
        if one.state == "running":
            yield f"  See how far it is: patchmode runs show {one.run}"
        else:
            yield f"  Go on with it:     patchmode runs resume {one.run}"
