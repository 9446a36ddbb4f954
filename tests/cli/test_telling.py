"""Errors as they are told: words for people, codes only where a service sent them."""

import json

import click
import pytest
from tests.cli.conftest import Start
from tests.cli.test_choices import options

from arm_emulator.faults import faults_from
from patchmode.cli.main import tell
from patchmode.errors import ForbiddenError, NotSentError, PatchmodeError, RejectedError, UsageError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UsageError("No."), "patchmode: No.\n"),
        (UsageError("No.", advice="Try."), "patchmode: No.\n  What to do: Try.\n"),
        (
            ForbiddenError("GET x was refused: no.", code="AuthorizationFailed", status=403),
            "patchmode: GET x was refused: no.\n  HTTP status 403, code AuthorizationFailed\n",
        ),
        (
            RejectedError("GET x was answered 502: no body", code="NoErrorBody", status=502, request_id="r"),
            "patchmode: GET x was answered 502: no body\n  HTTP status 502, request id r\n",
        ),
        (
            RejectedError("rows without an `id`", code="NoIdColumn", status=200, advice="Project id."),
            "patchmode: rows without an `id`\n  What to do: Project id.\n",
        ),
        (NotSentError("GET x was not sent: refused", code="NotSent"), "patchmode: GET x was not sent: refused\n"),
    ],
    ids=lambda value: getattr(value, "message", None),
)
def test_what_is_told_of_an_error(error: PatchmodeError, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`HTTP status 200, code NoIdColumn` sent readers looking for a fault in Azure."""
    tell(error)
    assert capsys.readouterr() == ("", told)


def test_every_command_that_asks_azure_takes_the_throttle_patience() -> None:
    """Reading commands waited for the default, and nothing could be set."""
    lacking = {
        path
        for path, param, context in options()
        if not isinstance(context.command, click.Group)
        and not any("--throttle-patience" in one.opts for one in context.command.params)
    }
    assert lacking == set()


def test_a_throttle_is_waited_for_as_long_as_was_said_and_told(start: Start) -> None:
    program = start("small")
    rule = {
        "match": {"path": "*ResourceGraph/resources"},
        "do": {"respond": {"status": 429, "headers": {"Retry-After": "120"}}},
    }
    program.served.emulator.faults.arm(faults_from(json.dumps([rule]).encode()))  # type: ignore[attr-defined]
    held = program("audit", "--all", "--throttle-patience", "1m")
    assert "later than the throttle patience" in held.err or "patience" in held.err
    assert "--throttle-patience" in held.err
    assert program("audit", "--all", PATCHMODE_THROTTLE_PATIENCE="soon").code == 2
    rule["count"] = 1  # type: ignore[assignment]
    rule["do"]["respond"]["headers"]["Retry-After"] = "2"  # type: ignore[index]
    program.served.emulator.faults.arm(faults_from(json.dumps([rule]).encode()))  # type: ignore[attr-defined]
    # In the same state folder it would wait for a moment first, since the other one was refused just now.
    elsewhere = str(program.folder / "elsewhere")
    told = program("audit", "--all", PATCHMODE_THROTTLE_PATIENCE="1m", PATCHMODE_STATE_DIR=elsewhere)
    assert told.code == 10
    assert "was throttled; next try in" in told.err
