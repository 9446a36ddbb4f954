"""What holds a run back, as it is told: on a terminal and in a pipe, when it begins and when it is taken up."""

import pytest

from patchmode.model.guardrails import NAMES, KeptFreeze, RunGuardrails, typed_values
from patchmode.model.run import HeldMachines
from patchmode.reports.text.layout import Paint, wrapped
from patchmode.reports.text.left_alone import held_lines
from patchmode.reports.text.run import begun_lines, resumed_lines

TERMINAL = Paint(width=80)
BRAKES = RunGuardrails(
    max_failures="3",
    operation_timeout=12.0,
    wave_pause=5400.0,
    freeze=(KeptFreeze("Fri 16:00-Mon 06:00", "Europe/Berlin"),),
    strict=True,
    sources={"freeze": "PATCHMODE_FREEZE"},
)
RUN = "20261130T080000000Z-0123ab"


def test_on_a_terminal_every_line_stands_under_the_first() -> None:
    assert list(resumed_lines(BRAKES, BRAKES, paint=TERMINAL)) == [
        "Run options  --max-failures 3, --operation-timeout 12, --wave-pause 90m,",
        "             --freeze 'Fri 16:00-Mon 06:00 Europe/Berlin' (from",
        "             PATCHMODE_FREEZE), --strict",
        "             Unchanged since the run began; an option given here changes them.",
    ]


def test_what_is_changed_and_lifted_on_resume_is_told_with_what_it_was() -> None:
    now = RunGuardrails(max_failures="6", operation_timeout=12.0, wave_pause=5400.0, strict=True, concurrency=2)
    (_, told) = resumed_lines(now, BRAKES, paint=Paint())
    assert told == (
        "             Changed now: --max-failures 6 (was 3), --concurrency 2 (was not given), --freeze none "
        "(was 'Fri 16:00-Mon 06:00 Europe/Berlin')."
    )


def test_an_option_without_a_value_is_told_as_it_is_typed() -> None:
    strict, loose = RunGuardrails(strict=True), RunGuardrails()
    (_, lifted) = resumed_lines(loose, strict, paint=Paint())
    (_, given) = resumed_lines(strict, loose, paint=Paint())
    assert lifted == "             Changed now: --no-strict (was --strict)."
    assert given == "             Changed now: --strict (was not given)."


def test_where_nothing_holds_a_run_back_that_is_said_on_resume() -> None:
    nothing = "no failure budget, no freeze and no other limit"
    earlier = "an earlier version began this run and did not record its limits; options now:"
    assert list(resumed_lines(RunGuardrails(), RunGuardrails(), paint=Paint())) == [f"Run options  {nothing}"]
    assert list(resumed_lines(RunGuardrails(), None, paint=Paint())) == [f"Run options  {earlier} {nothing}"]
    assert list(begun_lines(RunGuardrails(), paint=Paint())) == []


def test_each_is_told_by_the_name_of_its_option() -> None:
    values = RunGuardrails("1", "2", "3", 4, 5.0, 60.0, 3600.0, 6, BRAKES.freeze, True, "50%", "7")
    assert list(typed_values(values)) == [f"--{name.replace('_', '-')}" for name in NAMES]
    assert typed_values(values)["--throttle-patience"] == "1m"


@pytest.mark.parametrize(
    ("state", "words", "command"),
    [
        ("interrupted", "was interrupted", f"  Continue it:       patchmode runs resume {RUN}"),
        ("stopped", "was stopped", f"  Continue it:       patchmode runs resume {RUN}"),
        ("running", "is under way", f"  See how far it is: patchmode runs show {RUN}"),
    ],
)
def test_an_open_run_is_told_with_the_command_that_fits_its_state(state: str, words: str, command: str) -> None:
    assert list(held_lines([HeldMachines(RUN, state, 12)], paint=Paint())) == [
        f"! Run {RUN} {words} and holds 12 machines of this plan that it has not finished.",
        command,
    ]


def test_a_command_between_backticks_is_not_broken_across_lines() -> None:
    """A line feed in it would run its two halves."""
    command = f"`patchmode runs resume {RUN} --yes --max-failures 6`"
    lines = list(wrapped(f"Look at what failed; then go on with {command}, and not before.", paint=TERMINAL))
    assert any(command in line for line in lines)
    assert list(wrapped("a lone ` quotes nothing here", paint=Paint(width=14))) == [
        "a lone `",
        "quotes nothing",
        "here",
    ]
