"""What a command prints last: said once, and the next command that runs as it is printed."""

import subprocess

from tests.cli.conftest import PROGRAM, Program, Start

FROZEN = (
    "/subscriptions/22222222-2222-2222-2222-222222222222/resourceGroups/rg-locked/providers/Microsoft.Compute"
    "/virtualMachines/frozen-01"
)


def joined(program: Program, *args: str) -> str:
    """Both streams in one pipe, as `2>&1` joins them."""
    done = subprocess.run(
        [PROGRAM, *args],
        cwd=program.folder,
        env=program.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout


def test_where_both_streams_are_one_pipe_what_is_not_as_asked_is_said_once_and_last(start: Start) -> None:
    """A log of CI has both: said twice it was counted twice."""
    program = start("demo")
    web = FROZEN.replace("rg-locked", "rg-app").replace("frozen-01", "web-01")
    for args in (("apply", "--ids", FROZEN, "--yes"), ("apply", "--ids", FROZEN, web, "--yes", "--no-progress")):
        told = joined(program, *args)
        assert told.count("Not everything is as asked: 1 blocked (read-only-lock 1).") == 1
        assert told.count("Have the lock's owner remove it") == 1
        assert told.rstrip().splitlines()[-1].startswith("Not everything is as asked")
