"""Who asks about which subscription: each is told of once, by somebody who sees it, and the parts are alike in size."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from patchmode.arm.governor import Identities

NAMES = ("blue", "green", "red")
SEEN = st.lists(st.frozensets(st.sampled_from([f"sub-{number:02}" for number in range(12)])), min_size=3, max_size=3)


@given(SEEN)
def test_every_subscription_that_is_seen_is_asked_about_once_by_one_who_sees_it(seen: list[frozenset[str]]) -> None:
    """Nothing is told twice and nothing is lost."""
    roster = Identities(NAMES)
    roster.learn(seen)
    union = frozenset[str]().union(*seen)
    if not union:
        assert roster.divided(()) == ((0, ()),)
        return
    told = Counter(entry for _, part in roster.divided(()) for entry in part)
    assert told == Counter(union)
    assert all(entry in seen[number] for number, part in roster.divided(()) for entry in part)


@given(SEEN)
def test_the_same_lists_give_the_same_homes(seen: list[frozenset[str]]) -> None:
    """A later query of the same run is asked by the same, and a scope's order moves nothing."""
    first, second = Identities(NAMES), Identities(NAMES)
    first.learn(seen)
    second.learn([sorted((entry.upper() for entry in one), reverse=True) for one in seen])
    assert first.divided(()) == second.divided(())


@given(st.integers(1, 60))
def test_what_all_see_is_divided_evenly(count: int) -> None:
    """The quotas of several add up only where each has its part of the work."""
    roster = Identities(NAMES)
    everything = [f"sub-{number:02}" for number in range(count)]
    roster.learn([everything] * 3)
    sizes = [len(part) for _, part in roster.divided(everything)]
    assert max(sizes) - min(sizes) <= 1


def test_what_one_alone_sees_does_not_burden_it_twice() -> None:
    roster = Identities(("blue", "green"))
    roster.learn([["a", "b", "c", "d"], ["c", "d"]])
    assert roster.divided(["A", "b", "C", "d"]) == ((0, ("A", "b")), (1, ("C", "d")))
    assert (roster.serving("a"), roster.serving("D")) == ((0,), (0, 1))


def test_what_nobody_sees_is_the_firsts_to_ask() -> None:
    """Azure's own answer then tells, as it does without an identity file."""
    roster = Identities(("blue", "green"))
    roster.learn([["a"], ["b"]])
    assert roster.serving("elsewhere") == (0,)
    assert roster.divided(["b", "elsewhere"]) == ((0, ("elsewhere",)), (1, ("b",)))


def test_one_alone_is_asked_for_everything_that_it_sees() -> None:
    """Without an identity file nobody lists subscriptions beforehand: the query names none."""
    assert Identities().divided(()) == ((0, ()),)
    assert Identities().divided(["a", "b"]) == ((0, ("a", "b")),)
