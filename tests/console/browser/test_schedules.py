"""Schedules in a real browser: the method of the portal from the machines to the attached schedule, and back."""

from typing import Any

from tests.cli.test_then_attach import NIGHTLY
from tests.console.browser.conftest import Open, Opened
from tests.console.browser.driving import Page, expect
from tests.console.browser.test_change import SCHEDULED, settings
from tests.console.test_attach import fleet

COUNT_CLICKS = """
addEventListener("click", (event) => {
  if (event.isTrusted) sessionStorage.setItem("clicks", Number(sessionStorage.getItem("clicks")) + 1);
}, true);
"""
"""A click of the mouse, not one that a script makes; those of earlier pages of the same tab count."""


def clicks(page: Page) -> int:
    """How often somebody has clicked in this tab."""
    return int(page.evaluate("Number(sessionStorage.getItem('clicks'))"))


def written(console: Opened) -> list[tuple[str, str]]:
    """What was sent to change something, and forget it."""
    entries = console.served.emulator.ledger.entries
    found = [(one.method, one.path.rpartition("/")[2]) for one in entries if one.method not in {"GET", "POST"}]
    entries.clear()
    return sorted(found)


def confirmed(page: Page, count: int, button: str) -> None:
    """Type the number of machines and go on; the run has ended."""
    page.get_by_label("Type the number of machines to continue").fill(str(count))
    page.get_by_role("button", name=button).click()
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=60_000)


def test_the_method_of_the_portal_from_the_machines_to_the_schedule_and_back(opened: Open) -> None:
    """Pick, choose, review, save, watch, verify, attach, undo: 8 clicks and one number until the schedule is attached
    and all is verified, 3 clicks and one number for the way back, one of them to allow Azure's own patching again."""
    console = opened("--allow-writes", fleet=fleet())
    page = console.page()
    page.context.add_init_script(COUNT_CLICKS)
    page.reload()
    # Pick.
    page.get_by_role("link", name="not ready", exact=False).last.click()
    expect(page.get_by_role("heading", name="1–3 of 3 machines")).to_be_visible()
    page.get_by_label("Choose every machine on this page").check()
    page.get_by_role("button", name="3 ticked machines…").click()
    # Choose: the settings are chosen already, the schedule with two clicks, which a test cannot make one by one.
    expect(page.get_by_role("radio", name="Customer Managed Schedules")).to_be_checked()
    page.get_by_label("Schedule", exact=True).select_option(value=NIGHTLY)
    in_the_list = 2
    page.get_by_role("button", name="Plan and show the diff").click()
    # Review.
    expect(page.get_by_role("heading", name="Then attach nightly to 3 machines")).to_be_visible()
    assert written(console) == []
    # Save, and watch.
    confirmed(page, 3, "Change these machines and attach the schedule")
    expect(page.get_by_text("3 of 3 changes applied, all of them verified.")).to_be_visible()
    expect(page.get_by_text("Schedule of 3 machines: 3 attached.")).to_be_visible()
    assert settings(console, "web-01").items() >= {"patchMode": "AutomaticByPlatform", **SCHEDULED}.items()
    assert [method for method, _ in written(console)] == ["PATCH"] * 3 + ["PUT"] * 3
    # Verify.
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_role("status")).to_contain_text("3 of 3 applied changes verified, 0 not.")
    there = clicks(page) + in_the_list
    # Undo.
    page.get_by_label("Also restore machines to a mode in which Azure patches").check()
    page.get_by_role("button", name="Plan a rollback").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Review the rollback")
    confirmed(page, 3, "Roll back these machines")
    assert settings(console, "web-01")["patchMode"] == "AutomaticByOS"
    assert ("DELETE", "nightly") in written(console)
    assert (there, clicks(page) + in_the_list - there) == (8, 3)


def test_a_schedule_is_created_in_the_flow_without_the_script(opened: Open) -> None:
    """Forms alone: from the change to the new schedule and back, attached with the settings, detached on its page."""
    console = opened("--allow-writes", fleet=fleet())
    context = console.browser.new_context(java_script_enabled=False)
    console.contexts.append(context)
    page = context.new_page()
    page.goto(console.process.url)

    def until(what: Any) -> None:
        for _ in range(200):
            if what.count():
                return
            page.reload()
        raise AssertionError(page.content())

    page.wait_for_url(f"{console.base}/")  # where the page that lets one in leads by itself
    until(page.locator("table.fleet"))
    page.goto(f"{console.base}/?q=web-01")
    page.get_by_role("button", name="found…").click()
    page.locator("input[name=assessment][value=on]").check()
    page.get_by_role("button", name="Create a schedule…").click()
    page.get_by_label("Name", exact=True).fill("weekly")
    page.get_by_label("Subscription").select_option(index=0 if page.locator("#subscription option").count() == 1 else 1)
    page.get_by_label("Resource group").fill("rg-app")
    page.locator("input[name=date]").fill("2030-01-05")
    page.get_by_role("button", name="Look at its windows").click()
    until(page.get_by_role("heading", name="First windows"))
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("tbody tr").first).to_contain_text("Sat 2030-01-05 22:00 UTC")
    page.get_by_role("button", name="Create the schedule").click()
    until(page.get_by_role("heading", name="Continue the change"))
    assert written(console) == [("PUT", "weekly")]
    page.get_by_role("link", name="Back to the settings").click()
    expect(page.get_by_label("Schedule", exact=True)).to_have_value(NIGHTLY.replace("nightly", "weekly"))
    expect(page.locator("input[name=assessment][value=on]")).to_be_checked()
    page.get_by_role("button", name="Plan and show the diff").click()
    until(page.get_by_role("heading", name="Apply it"))
    page.get_by_label("Type the number of machines to continue").fill("1")
    page.get_by_role("button", name="Change these machines and attach the schedule").click()
    until(page.get_by_text("Schedule of 1 machine: 1 attached."))
    assert written(console) == [("PATCH", "web-01"), ("PUT", "weekly")]

    page.goto(f"{console.base}/?detach={NIGHTLY.replace('nightly', 'weekly')}&q=web-01")
    page.get_by_role("button", name="found…").click()
    until(page.get_by_role("heading", name="To be detached (1)"))
    page.get_by_label("Type the number of machines to continue").fill("1")
    page.get_by_role("button", name="Detach from these machines").click()
    until(page.get_by_role("heading", name="Undo it"))
    assert written(console) == [("DELETE", "weekly")]
    page.get_by_role("button", name="Attach again…").click()
    until(page.get_by_role("heading", name="To be attached (1)"))
