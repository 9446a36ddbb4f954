"""What a command's coroutine gives reaches the command, and nothing else looks at it."""

import asyncio
from dataclasses import dataclass, field

from patchmode.cli.running import run_reading, run_writing


@dataclass(repr=False)
class Report:
    """A result that counts how often it was written out."""

    written: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        self.written.append("repr")
        return "Report"


def test_a_result_is_never_written_out_as_text() -> None:
    """The text of a fleet's plan would take more memory than the plan."""
    report = Report()

    async def read() -> Report:
        return report

    async def write(stop: asyncio.Event) -> Report:
        assert not stop.is_set()
        return report

    assert run_reading(read) is report
    assert run_writing(write, remark=report.written.append) is report
    assert report.written == []
