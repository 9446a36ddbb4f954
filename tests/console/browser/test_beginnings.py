"""Where a change begins besides the fleet's table, in a real browser: a plan file, pasted text."""

from pathlib import Path

import pytest
from tests.console.browser.conftest import Open
from tests.console.browser.driving import choose_group, expect, plan_assessment, waited, without_script
from tests.console.conftest import machine_id

from arm_emulator.fleet_generator import fleet_document

FLEET = fleet_document(machines=60, subscriptions=1, seed=1, plain=True)


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


def test_ticks_are_kept_while_pages_and_filters_change(opened: Open) -> None:
    """And counted; they are taken together, and are gone once they have become a change."""
    console = opened(fleet=FLEET)
    page = console.page()
    boxes = page.locator("table.fleet tbody input[type=checkbox]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("link", name="Next →").click()
    expect(page.get_by_role("heading", name="51–60 of 60 machines")).to_be_visible()
    expect(page.get_by_role("button", name="2 ticked machines…")).to_be_visible()
    expect(page.locator("[data-elsewhere]")).to_have_text("2 not on this page")
    boxes.nth(0).check()
    page.get_by_role("link", name="← Previous").click()
    expect(boxes.nth(1)).to_be_checked()
    expect(page.get_by_role("button", name="3 ticked machines…")).to_be_visible()
    boxes.nth(1).uncheck()
    page.reload()
    expect(page.locator("[data-elsewhere]")).to_have_text("1 not on this page")
    page.get_by_role("button", name="2 ticked machines…").click()
    expect(page.get_by_text("2 machines chosen")).to_be_visible()
    page.goto(f"{console.base}/")
    expect(page.get_by_role("button", name="the ticked machines…")).to_be_visible()
    boxes.nth(0).check()
    page.get_by_role("button", name="Untick all").click()
    expect(boxes.nth(0)).not_to_be_checked()


def test_ticks_are_kept_without_the_script(opened: Open) -> None:
    console = opened(fleet=FLEET)
    page = without_script(console)
    boxes = page.locator("table.fleet tbody input[type=checkbox]")
    boxes.nth(0).check()
    page.get_by_role("button", name="Next →").click()
    expect(page.locator(".keeping")).to_contain_text("1 machine ticked, 1 of them not on this page.")
    boxes.nth(0).check()
    page.get_by_role("button", name="the ticked machines…").click()
    expect(page.get_by_text("2 machines chosen")).to_be_visible()
