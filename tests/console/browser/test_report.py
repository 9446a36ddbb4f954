"""The HTML report in a browser, as a file: axe-core in both themes, and a filter without server or script."""

from pathlib import Path
from typing import Any

import pytest
from tests.console.browser.conftest import Open, Opened
from tests.console.browser.driving import expect
from tests.console.browser.test_accessibility import needs_axe, violations


def saved(console: Opened, folder: Path, **options: Any) -> Any:
    """The report of the fleet, downloaded from the console and opened from the disk."""
    answer = console.page().request.get(f"{console.base}/report.html")
    assert answer.ok
    path = folder / "report.html"
    path.write_bytes(answer.body())
    context = console.browser.new_context(**options)
    console.contexts.append(context)
    page = context.new_page()
    page.goto(path.as_uri())
    return page


@needs_axe
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_no_violation_in_the_report(opened: Open, tmp_path: Path, theme: str, width: int) -> None:
    page = saved(opened(), tmp_path, color_scheme=theme, viewport={"width": width, "height": 900})
    assert violations(page) == []


def test_the_report_is_filtered_without_a_server(opened: Open, tmp_path: Path) -> None:
    page = saved(opened(), tmp_path, viewport={"width": 1440, "height": 900}, java_script_enabled=False)
    rows = page.locator("table.list tbody tr:visible")
    expect(rows).to_have_count(48)
    labels = page.locator("fieldset.show label").all()
    counts = [int(one.inner_text().partition("(")[2].rstrip(")")) for one in labels]
    assert counts[0] == sum(counts[1:]) == 48
    assert len(counts) >= 3
    for label, count in zip([*labels[1:], labels[0]], [*counts[1:], counts[0]], strict=True):
        label.locator("input").check()
        expect(rows).to_have_count(count)


def test_a_bar_of_the_report_is_a_share_of_the_whole(opened: Open, tmp_path: Path) -> None:
    """24 of 48 filled the line, since the longest bar did."""
    page = saved(opened(), tmp_path, viewport={"width": 1440, "height": 900})
    row = page.get_by_role("row", name="ready, no schedule").first
    assert "5" in row.inner_text()
    bar = row.locator("rect").first
    assert bar.get_attribute("width") == "10.42"
