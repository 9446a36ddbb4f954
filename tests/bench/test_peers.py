"""How other clients are compared with patchmode: what is scaled says so, and what was left out too."""

import pytest
from benchmarks.peers import KIND, RECORDED, Peer, Raced, Stage, row_of
from benchmarks.stage import Measured

BASE = Raced(seconds=4.0, cpu_s=1.0, machines=500, changed=500)


def nothing(_: Stage) -> Measured:
    raise AssertionError("nobody is raced here")


@pytest.mark.parametrize(
    ("aim", "found", "figure", "verdict"),
    [
        (50, Raced(5.0, 1.0, 5, 5), "125.0 times as long: 500.0 s, scaled from 5 machines in 5.0 s", "yes"),
        (50, Raced(1.9, 1.0, 5, 5), "47.5 times as long: 190.0 s, scaled from 5 machines in 1.9 s", "no"),
        (5, Raced(40.0, 1.0, 500, 497), "10.0 times as long: 40.0 s, only 497 of 500 changed", "yes"),
        (1, Raced(3.9, 1.0, 500, 500), "1.0 times as long: 3.9 s", "no"),
    ],
)
def test_a_peer_is_compared_with_the_whole_program(aim: float, found: Raced, figure: str, verdict: str) -> None:
    """A peer that is given fewer machines is scaled to all of them, and the ratio is judged unrounded."""
    row = row_of(Peer("a peer", nothing, aim), KIND, found, BASE)
    assert (row.measured, row.figure, row.verdict) == ("a peer; service asks for 1 s", figure, verdict)


def test_patchmode_itself_has_no_ratio() -> None:
    """It is what the others are compared with; machines that it left out would be a miss all the same."""
    assert row_of(Peer("it", nothing, None), RECORDED, BASE, BASE).figure == "4.0 s, CPU 1.0 s"
    assert row_of(Peer("it", nothing, None), RECORDED, Raced(4.0, 1.0, 500, 499), BASE).verdict == "no"
