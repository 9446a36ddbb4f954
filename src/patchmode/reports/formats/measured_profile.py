"""A profile for `arm-emulator --profile`: the switches that a live check decided, and what Azure answered to each."""

import json
from collections.abc import Iterator

from patchmode.model.live_check import LiveCheckReport
from patchmode.model.plain_text import printable


def profile_text(report: LiveCheckReport, *, decided_on: str) -> str:
    """A TOML file; a switch that was not decided is not in it, so that the emulator's own default holds.

    Args:
        report: of a live check.
        decided_on: the date, as it is shown.
    """
    return "\n".join([*_lines(report, decided_on), ""])


def _lines(report: LiveCheckReport, decided_on: str) -> Iterator[str]:
    yield f"# What Azure answered to `patchmode live-check` on {decided_on}, for arm-emulator exec --profile."
    yield "# One VM of one subscription showed it; another region, image or day may differ."
    yield "# What was not decided is not here, and keeps the emulator's default."
    for one in report.decided:
        assumed = "as assumed" if one.is_as_assumed else f"patchmode assumes {json.dumps(one.switch.assumed)}"
        yield ""
        yield f"# {one.experiment}: {printable(one.because)} ({assumed})"
        yield f"{one.switch.name} = {json.dumps(one.answer)}"
