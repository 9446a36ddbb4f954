"""The commands that advice names, with the run that they are about.

Advice is written where no run is known, and old journals hold such advice: between backticks stands the command alone.
Whoever tells it of a run puts the run's id there, so that it can be pasted.

Must not: know options or folders; the command line adds those.
"""

import re

ANY_RUN = "RUN"
"""Where advice is about several runs, or none is known."""
_WITHOUT_ID = re.compile(r"`patchmode (runs resume|runs show|verify|rollback)`")


def with_run(text: str, run: str) -> str:
    """Advice with the run's id in each command that is about it.

    Args:
        text: sentences; commands stand between backticks.
        run: the id; empty: none is known.
    """
    return _WITHOUT_ID.sub(rf"`patchmode \1 {run or ANY_RUN}`", text)
