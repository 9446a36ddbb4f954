"""What the exit codes mean, and which error ends in which.

Must not: print. `main` does, in one place.
"""

from enum import IntEnum

from patchmode.errors import EmptyScopeError, RefusedError, RunBusyError, UsageError


class Exit(IntEnum):
    """Every exit code that patchmode uses; all others are reserved."""

    DONE = 0
    """Done, nothing to report."""
    FAULT = 1
    """Could not run: no sign-in, no connection, no disk."""
    USAGE = 2
    """The command line is wrong."""
    EMPTY = 3
    """The scope matched nothing."""
    FINDINGS = 10
    """Findings, or changes pending."""
    PARTIAL = 11
    """Some changes failed, are unknown or were refused as stale."""
    REFUSED = 12
    """Refused as a whole, nothing was sent: wrong target, unsafe, broken plan, run held by another process."""
    MISMATCH = 13
    """A verification found something that is not as planned."""
    INTERRUPTED = 130
    """Interrupted, after a clean stop."""


def exit_for(error: Exception) -> Exit:
    """The exit code that an error ends in.

    Args:
        error: any `PatchmodeError`, or another exception that was foreseen.

    Returns:
        `FAULT` for everything that is not the user's mistake, an empty scope or a refusal.
    """
    match error:
        case UsageError():
            return Exit.USAGE
        case EmptyScopeError():
            return Exit.EMPTY
        case RefusedError() | RunBusyError():
            return Exit.REFUSED
        case _:
            return Exit.FAULT
