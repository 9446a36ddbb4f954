"""Where a change begins besides the fleet's table, in a real browser: a plan file, pasted text."""

from pathlib import Path

import pytest
from tests.console.browser.conftest import Open
from tests.console.browser.driving import choose_group, expect, plan_assessment, waited, without_script
from tests.console.conftest import machine_id


def test_a_plan_is_downloaded_and_uploaded(opened: Open, tmp_path: Path) -> None:
    """A colleague's console shows and applies the very file; an edited one is refused."""
    console = opened("--allow-writes", fleet="small")
    page = console.page()
    choose_group(page, console.base)
    plan_assessment(page)
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download the plan").first.click()
    file = tmp_path / "reviewed.json"
    downloading.value.save_as(file)
    broken = tmp_path / "edited.json"
    broken.write_text(file.read_text().replace("AutomaticByPlatform", "Manual", 1))
    for path, heading in ((broken, "edited.json cannot be applied"), (file, "Review the plan of reviewed.json")):
        page.goto(f"{console.base}/runs")
        page.locator("#file").set_input_files(path)
        page.get_by_role("button", name="Check and show it").click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    count = page.locator(".tally dd").first.inner_text()
    page.get_by_label("Type the number of machines to continue").fill(count)
    page.get_by_role("button", name="Change these machines").click()
    expect(page.get_by_text("Finished", exact=True)).to_be_visible()


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_pasted_text_leads_to_the_settings(opened: Open, script: bool) -> None:
    """From the fleet to the form, with the machines that an error names."""
    console = opened(fleet="small")
    page = console.page() if script else without_script(console)
    page.get_by_role("link", name="Choose otherwise").click()
    page.get_by_label("Text", exact=True).fill("It failed, nobody knows where.")
    page.get_by_role("button", name="Look them up").nth(1).click()
    expect(page.locator("#wrong")).to_contain_text("The text names no machine.")
    page.get_by_label("Text", exact=True).fill(f'{{"target": "{machine_id("web-01")}"}}')
    page.get_by_role("button", name="Look them up").nth(1).click()
    if not script:
        waited(page, "1 machine chosen")
    expect(page.get_by_text("Machines that the pasted text names: 1 machine.")).to_be_visible()
    expect(page.get_by_role("link", name="web-01")).to_be_visible()
