"""How many machines may be under way: never more than may still fail, and the full width after a few rounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchmode.rules.guardrails.limits import most_under_way, pace_text
from patchmode.workflow.run.guardrails import Budgets, FailureCount, MaxFailures


@pytest.mark.parametrize(
    ("asked", "begins_slowly", "succeeded", "left", "most"),
    [
        (None, False, 0, (), None),
        (7, False, 0, (), 7),
        (1, True, 40, (30,), 1),
        (64, True, 0, (1,), 64),
        (None, True, 0, (), 1),
        (None, True, 0, (250,), 1),
        (None, True, 1, (250,), 2),
        (None, True, 3, (250,), 4),
        (None, True, 5_000, (250,), 250),
        (None, True, 5_000, (250, 3), 3),
        (None, True, 9, (1,), 1),
        (None, True, 9, (0,), 0),
        (None, True, 9, (-2, 5), 0),
        (None, True, 9, (), 10),
    ],
)
def test_as_many_as_were_asked_for_or_as_may_fail(
    asked: int | None, begins_slowly: bool, succeeded: int, left: tuple[int, ...], most: int | None
) -> None:
    assert most_under_way(asked, begins_slowly=begins_slowly, succeeded=succeeded, left=left) == most


@given(rounds=st.integers(1, 20))
def test_the_width_doubles_with_each_round_that_succeeds(rounds: int) -> None:
    succeeded = 0
    for number in range(rounds):
        width = most_under_way(None, begins_slowly=True, succeeded=succeeded)
        assert width == 2**number
        succeeded += width


BUDGETS = st.builds(
    Budgets,
    run=st.none()
    | st.builds(MaxFailures, count=st.integers(1, 9))
    | st.builds(MaxFailures, percent=st.floats(0.1, 99)),
    wave=st.none() | st.builds(MaxFailures, count=st.integers(1, 9)),
)


@given(
    budgets=BUDGETS,
    machines=st.integers(1, 60),
    ends=st.lists(st.tuples(st.booleans(), st.integers(0, 99)), max_size=200),
)
def test_no_more_fail_than_every_budget_allows_whatever_fails_and_in_whatever_order(
    budgets: Budgets, machines: int, ends: list[tuple[bool, int]]
) -> None:
    """A model of a run: as many begin as may, then any of them ends, well or badly, and so on."""
    tally = FailureCount(budgets, machines=machines, regions=())
    tally.begin_wave(machines)
    succeeded, under_way, begun = 0, 0, 0
    for is_bad, _ in ends:
        most = most_under_way(None, begins_slowly=budgets.any, succeeded=succeeded, left=tally.left())
        while begun < machines and (most is None or under_way < most):
            begun, under_way = begun + 1, under_way + 1
        if not under_way:
            break
        under_way -= 1
        if is_bad:
            tally.count(None)
        else:
            succeeded += 1
    # Whatever is under way may fail as well.
    for budget in (budgets.run, budgets.wave):
        assert budget is None or tally.failures + under_way <= budget.allowed(machines)


@given(succeeded=st.integers(0, 500), left=st.lists(st.integers(0, 500), min_size=1, max_size=3), data=st.data())
def test_only_the_numbers_matter_and_not_their_order(succeeded: int, left: list[int], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(left))
    most = most_under_way(None, begins_slowly=True, succeeded=succeeded, left=left)
    assert most == most_under_way(None, begins_slowly=True, succeeded=succeeded, left=shuffled)
    assert most == min(*left, succeeded + 1)


# ------------------------------------------------------------------------------------------------ what a budget allows


@pytest.mark.parametrize(
    ("text", "machines", "allowed"),
    [
        ("1", 30, 1),
        ("3", 2, 3),
        ("5%", 30, 1),
        ("5%", 39, 1),
        ("5%", 40, 2),
        ("5%", 100, 5),
        ("5%", 5_000, 250),
        ("5%", 1, 1),
        ("0.5%", 100, 1),
        ("50%", 3, 1),
        ("99%", 2, 1),
        ("100%", 3, 3),
        ("2.3%", 1_000, 23),
        ("29%", 100, 29),
        ("5%", 0, 1),
    ],
)
def test_a_percentage_is_rounded_down_to_machines_and_never_to_none(text: str, machines: int, allowed: int) -> None:
    assert MaxFailures.parse(text).allowed(machines) == allowed


@given(percent=st.floats(0.01, 100), machines=st.integers(1, 100_000))
def test_no_more_may_fail_than_the_percentage_says_but_for_the_first(percent: float, machines: int) -> None:
    allowed = MaxFailures(percent=percent).allowed(machines)
    assert allowed == 1 or allowed * 100 / machines <= percent * (1 + 1e-9)
    assert (allowed + 1) * 100 / machines > percent


# ------------------------------------------------------------------------------------------------ what is told


@pytest.mark.parametrize(
    ("asked", "begins_slowly", "left", "machines", "text"),
    [
        (None, False, None, 30, ""),
        (8, False, None, 30, ""),
        (1, True, 1, 30, ""),
        (None, True, 1, 1, ""),
        (
            None,
            True,
            1,
            30,
            (
                "One machine at a time, because the failure budget allows 1 failure. "
                "--concurrency N goes faster, and then more may fail."
            ),
        ),
        (
            None,
            True,
            1_250,
            30_000,
            "Starting with 1 machine under way; each that succeeds adds 1, up to the 1,250 that may fail.",
        ),
        (None, True, None, 30, "Starting with 1 machine under way; each that succeeds adds 1."),
        (
            64,
            True,
            1,
            5_000,
            (
                "--concurrency 64: as many may be under way when a failure is seen, so up to 64 may fail although the "
                "failure budget allows 1."
            ),
        ),
        (
            64,
            True,
            3,
            30,
            (
                "--concurrency 64: as many may be under way when a failure is seen, so up to 30 may fail although the "
                "failure budget allows 3."
            ),
        ),
    ],
)
def test_who_watches_is_told_how_fast_it_goes(
    asked: int | None, begins_slowly: bool, left: int | None, machines: int, text: str
) -> None:
    assert pace_text(asked, begins_slowly=begins_slowly, left=left, machines=machines) == text
