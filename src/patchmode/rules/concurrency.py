"""How many machines may be under way at a moment: as many as were asked for, or a slow start within the budgets.

A machine is under way from the moment its request may have left until its end is known. Whatever is under way may
still fail, so a failure budget holds only if no more is under way than it has left.

Must not: count, wait or send.
"""

from collections.abc import Iterable


def most_under_way(asked: int | None, *, begins_slowly: bool, succeeded: int, left: Iterable[int] = ()) -> int | None:
    """How many machines may be under way now; None: any number.

    A slow start lets one more be under way for each machine that succeeded, so that the width doubles with each round
    of machines that all succeed: 1, 2, 4, 8. A failure does not narrow it; it uses up the budget, which does.

    Args:
        asked: what was asked for by name, >= 1; it goes before everything else, and a budget may then be overrun.
        begins_slowly: whether the run has a failure budget or canaries.
        succeeded: machines that came to their verified end in this session, >= 0.
        left: how many more may fail, of each budget that holds for all that is under way; 0 or less: it is spent.
    """
    if asked is not None:
        return asked
    bounds = [max(0, one) for one in left]
    if begins_slowly:
        bounds.append(1 + succeeded)
    return min(bounds, default=None)


def pace_text(asked: int | None, *, begins_slowly: bool, left: int | None, machines: int) -> str:
    """One sentence on how fast a run goes and how much may fail, for whoever watches; empty: nothing is special.

    Args:
        asked: what was asked for by name.
        begins_slowly: whether the run has a failure budget or canaries.
        left: how many more may fail by the narrowest budget; None: there is none.
        machines: how many the run has still to touch.
    """
    if machines <= 1:
        return ""
    if asked is not None:
        if left is None or asked <= 1:
            return ""
        most = min(machines, left - 1 + asked)
        return (
            f"--concurrency {asked}: as many may be under way when a failure is seen, so up to {most:,} may fail "
            f"although the failure budget allows {left:,}."
        )
    if left == 1:
        return (
            "One machine at a time, because the failure budget allows 1 failure. "
            "--concurrency N goes faster, and then more may fail."
        )
    if not begins_slowly:
        return ""
    bound = "" if left is None else f", up to the {left:,} that may fail"
    return f"Begins with 1 machine under way; each that succeeds adds 1{bound}."
