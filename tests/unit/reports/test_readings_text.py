"""What is told of a pasted text before anything is asked of Azure, sentence by sentence."""

import pytest

from patchmode.reports.text.readings import reading_lines
from patchmode.rules.pasted_text.reading import read_log

HEAD = "name,resource group,status,error code,error message\n"
NOT_MET = ",rg,Failed,UnsupportedResourceOperation,The prerequisites to patch your machine were not met.\n"
MANY = "x.txt names 13 machines: 1 failed because the prerequisites to patch it were not met, 12 failed for another "
MANY += "reason."
FIVE = ", ".join(f"rg/m0{number} (Conflict)" for number in range(5))
BUSY, FINE, SILENT = ",rg,Failed,Conflict,busy\n", ",rg,Succeeded,,\n", ",rg,,,\n"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("web\n", ["x.txt names 1 machine."]),
        ("web\ndb\n", ["x.txt names 2 machines."]),
        ("VM 'web' is odd", ["x.txt names 1 machine, and no error with it."]),
        ("VM 'web' and VM 'db' are odd", ["x.txt names 2 machines, and no error with them."]),
        (f"{HEAD}a{NOT_MET}", ["x.txt names 1 machine: 1 failed because the prerequisites to patch it were not met."]),
        (
            f"{HEAD}a{NOT_MET}b{FINE}",
            [
                "x.txt names 2 machines: 1 failed because the prerequisites to patch it were not met, 1 did not fail.",
                "  Did not fail: rg/b.",
                "  It is in scope too. To leave it out, add: --exclude-name b",
            ],
        ),
        (
            f"{HEAD}a{BUSY}b{FINE}c{SILENT}",
            [
                "x.txt names 3 machines: 1 failed for another reason, 1 did not fail, 1 without an error in the text.",
                "  Failed for another reason: rg/a (Conflict).",
                "  Did not fail: rg/b.",
                "  Without an error in the text: rg/c.",
                "  All of them are in scope.",
            ],
        ),
        (
            HEAD + f"a{NOT_MET}" + "".join(f"m{number:02}{BUSY}" for number in range(12)),
            [
                MANY,
                f"  Failed for another reason: {FIVE} and 7 more.",
                "  These 12 are in scope too.",
            ],
        ),
        (
            f"{HEAD}a{NOT_MET}a,other,Succeeded,,\n",
            [
                "x.txt names 2 machines: 1 failed because the prerequisites to patch it were not met, 1 did not fail.",
                "  Did not fail: other/a.",
                "  It is in scope too.",
            ],
        ),
    ],
)
def test_what_a_text_says_is_told(text: str, lines: list[str]) -> None:
    """Counts, names, and the option that leaves them out where it leaves out nothing else."""
    assert list(reading_lines(read_log(text), source="x.txt")) == lines
