"""When to look at a machine again: how long operations take here, learned while the run goes on.

A PATCH is done after 5 s in the median and 11 s at the 90th percentile (recorded operations), but the first poll of its
operation asks for 30 to 97 s of patience, and each poll costs a request a machine. So nobody is polled at first. A few
scouts are read at short intervals, which tells how long operations take today; the others are left alone for that long
and then read by the page, those that are not done at growing intervals. An operation is asked only when its machine has
been slow for several looks, and never before the time that the service names.

Must not: read anything.
"""

from dataclasses import dataclass, field
from statistics import median

RECORDED_MEDIAN_S = 5.0
"""Recorded operations of a PATCH (153): median 4.8 s."""
SCOUTS = 3
FIRST_LOOK_S = 1.0
SHORTEST_S = 0.5
LONGEST_S = 20.0
SCOUT_GROWTH, GROWTH = 0.6, 0.25
"""The next look comes after this share of the age: so much later than its end is an end seen at most."""
PATIENT_LOOKS = 6
"""After so many looks a machine is slow, and its operation is asked as well."""


@dataclass(slots=True)
class Pace:
    """How long operations take, as far as is known."""

    typical_s: float = RECORDED_MEDIAN_S
    scouted: list[float] = field(default_factory=list)
    _scouts: int = 0

    def enlist(self) -> bool:
        """Whether the next machine is to be a scout."""
        self._scouts += 1
        return self._scouts <= SCOUTS

    def first_look_s(self, *, is_scout: bool) -> float:
        """How long to leave a machine alone after its PATCH was accepted."""
        return FIRST_LOOK_S if is_scout else self.typical_s

    def next_look_s(self, age_s: float, *, is_scout: bool) -> float:
        """How long to leave a machine alone that was found unfinished at this age."""
        if is_scout:
            return min(LONGEST_S, max(FIRST_LOOK_S, age_s * SCOUT_GROWTH))
        return min(LONGEST_S, max(FIRST_LOOK_S, self.typical_s / 2, age_s * GROWTH))

    def scout_done(self, age_s: float) -> bool:
        """A scout was found done at this age. Whether it was the last: what is typical is known then."""
        self.scouted.append(age_s)
        self.typical_s = max(SHORTEST_S, median(self.scouted))
        return len(self.scouted) == SCOUTS

    def sweep_done(self, due: int, done: int) -> None:
        """Of so many machines looked at for the first time, so many were done: correct an estimate that is far off."""
        if due < 5:
            return
        if done < due * 0.5:
            self.typical_s = min(LONGEST_S, self.typical_s * 1.4)
        elif done > due * 0.95:
            self.typical_s = max(SHORTEST_S, self.typical_s * 0.9)
