"""Canaries, waves and limits of a large change in a real browser, with the console's script and without it."""

import pytest
from tests.console.browser.conftest import Open
from tests.console.browser.driving import expect, waited, without_script
from tests.console.test_brakes import fleet


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
def test_a_large_change_is_begun_with_a_canary(opened: Open, script: bool) -> None:
    """Pre-set in the form, drawn in the review, changed there and shown again, named while the run goes."""
    console = opened("--allow-writes", fleet=fleet(50), lro_seconds=2)
    page = console.page() if script else without_script(console)
    page.goto(f"{console.base}/?q=many")
    page.get_by_role("button", name="found…").click()
    expect(page.get_by_label("Canary: so many machines before all others")).to_have_value("5")
    expect(page.get_by_label("Failure budget: send nothing more after so many failures")).to_have_value("5%")
    page.get_by_label("Waves by").select_option("tag")
    page.get_by_label("Tag's name").first.fill("ring")
    page.get_by_label("Order of values").first.fill("3 | 2")
    page.get_by_role("button", name="Plan and show the diff").click()
    if not script:
        waited(page, "Apply it")
    waves = page.get_by_role("region", name="Waves").locator("tbody tr")
    expect(waves).to_contain_text(["1 canary5", "2 ring=37", "3 ring=212", "4 ring=(other)26"])
    expect(page.get_by_text("5%: after 2 failures of 50 machines nothing more is sent.")).to_be_visible()
    page.get_by_text("Change the limits").click()
    page.get_by_label("Failure budget: send nothing more after so many failures").fill("20%")
    page.get_by_label("Type the number of machines to continue").fill("50")
    page.get_by_role("button", name="Change these machines").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was sent.")
    expect(page.get_by_text("20%: after 10 failures of 50 machines nothing more is sent.")).to_be_visible()
    page.get_by_label("Type the number of machines to continue").fill("50")
    page.get_by_role("button", name="Change these machines").click()
    if not script:
        waited(page, "Next: wave 2 of 4")
    expect(page.locator("[data-live=wave]")).to_contain_text("Next: wave 2 of 4, ring=3: 7 machines.")
    page.get_by_role("button", name="Stop: send nothing more").click()
    if script:
        expect(page.get_by_text("Interrupted", exact=True)).to_be_visible()
