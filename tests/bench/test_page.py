"""The page of figures: tables between marks, written by the benchmarks; everything else on it stays."""

from datetime import date

import pytest
from benchmarks.__main__ import BENCHMARKS
from benchmarks.page import PAGE, PageError, circumstances, marked, with_table, without_table
from benchmarks.rows import Row, at_most

ROWS = [
    at_most("time of one thing", 1.0266, 1.03, digits=2, more="103 s to 100 s"),
    at_most("memory of another", 1234.4, 600, unit="MB"),
    Row("a third, without a bound", "", "fast"),
]
BEFORE = """# Page

Some words.

<!-- benchmark: cpu -->

| old | table |
|---|---|
| with | figures |

Taken long ago.

<!-- end -->

Words between.

<!-- benchmark: cpu-more -->

Not measured yet.

<!-- end -->
"""
AFTER = """# Page

Some words.

<!-- benchmark: cpu -->

| measured | bound | figure | met |
|---|---|---|---|
| time of one thing | 1.03 | 1.03 (103 s to 100 s) | yes |
| memory of another | 600 MB | 1,234 MB | **no** |
| a third, without a bound | none | fast |  |

Taken today.

<!-- end -->

Words between.

<!-- benchmark: cpu-more -->

Not measured yet.

<!-- end -->
"""


def test_a_table_is_replaced_and_nothing_else() -> None:
    """Text around the marks is somebody's writing."""
    assert with_table(BEFORE, "cpu", ROWS, "Taken today.") == AFTER
    assert with_table(AFTER, "cpu", ROWS, "Taken today.") == AFTER


def test_what_could_not_be_measured_has_no_figure() -> None:
    """An old figure beside new ones would pass for one of them."""
    page = without_table(AFTER, "cpu", "it failed.")
    assert page.startswith(
        "# Page\n\nSome words.\n\n<!-- benchmark: cpu -->\n\nNot measured: it failed.\n\n<!-- end -->"
    )
    assert "1,234 MB" not in page


@pytest.mark.parametrize("name", ["gpu", "cp.", "cpu\n"])
def test_a_table_without_a_place_is_refused(name: str) -> None:
    """A figure that lands nowhere would be lost in silence."""
    with pytest.raises(PageError):
        with_table(BEFORE, name, ROWS, "")


def test_rows_are_judged_before_they_are_rounded() -> None:
    """1.0349 is shown as 1.03 and misses a bound of 1.03 all the same; a terminal tells it too."""
    row = at_most("ratio", 1.0349, 1.03, digits=2)
    assert (row.figure, row.verdict) == ("1.03", "no")
    assert row.told() == "ratio: 1.03 (bound 1.03: MISSED)"
    assert Row("plain", "", "7").told() == "plain: 7"


def test_every_benchmark_has_its_place_on_the_page() -> None:
    """Once, and the page has no table that nothing writes."""
    assert sorted(marked(PAGE.read_text(encoding="utf-8"))) == sorted(BENCHMARKS)


def test_circumstances_name_day_commit_machine_and_versions() -> None:
    """Without them a figure says nothing."""
    told = circumstances(date(2030, 1, 31))
    assert told.startswith("Taken on 2030-01-31 at commit `")
    for part in (" cores, ", "Python 3.", "aiohttp ", "azure-core "):
        assert part in told
    assert told.endswith(".")
