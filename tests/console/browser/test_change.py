"""The whole change in a real browser: choose, review, confirm, watch, verify, roll back."""

import re
from typing import Any

from tests.console.browser.conftest import Open, Opened
from tests.console.browser.driving import Page, expect, waited, without_script
from tests.console.process import Process
from tests.console.test_fleet import HOSTILE_NAME, hostile_fleet

SCHEDULED = {"automaticByPlatformSettings": {"bypassPlatformSafetyChecksOnUserSchedule": True}}


def settings(opened: Opened, name: str) -> dict[str, Any]:
    """A Windows machine's patch settings, as the emulator has them."""
    found: dict[str, Any] = opened.machine(name)["properties"]["osProfile"]["windowsConfiguration"]["patchSettings"]
    return found


def planned(page: Page, search: str) -> None:
    """Choose what a search finds, and plan the prerequisite of schedules."""
    page.get_by_label("Search").fill(search)
    expect(page.locator(".found-head .muted").first).to_be_visible()
    page.get_by_role("button", name="found…").click()
    page.get_by_role("button", name="Plan and show the diff").click()
    expect(page.get_by_role("heading", name="Apply it")).to_be_visible()


def confirmed(page: Page, count: int) -> str:
    """Type the number and go on; the run's address."""
    page.get_by_label("Type the number of machines to continue").fill(str(count))
    page.get_by_role("button", name="these machines").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Run 2")
    return page.url


def test_the_whole_change(opened: Open) -> None:
    """From the failing machines of tonight's window to the proof, and back."""
    console = opened("--allow-writes")
    page = console.page()
    expect(page.get_by_text("Writes allowed")).to_be_visible()
    page.get_by_role("link", name="Fails at its next window").click()
    expect(page.get_by_role("heading", name="1–6 of 6 machines")).to_be_visible()
    page.get_by_label("Search").fill("rg-app web")
    expect(page.get_by_role("heading", name="1–3 of 3 machines")).to_be_visible()
    page.get_by_label("Choose every machine on this page").check()
    page.get_by_role("button", name="3 ticked machines…").click()

    expect(page.get_by_role("radio", name="Customer Managed Schedules")).to_be_checked()
    page.get_by_role("button", name="Plan and show the diff").click()
    expect(page.get_by_text("Every change of this plan can be rolled back.")).to_be_visible()
    expect(page.locator(".diff").first).to_contain_text("patchMode")
    before = settings(console, "web-01")
    assert before["patchMode"] == "AutomaticByOS"

    page.get_by_label("Type the number of machines to continue").fill("2")
    page.get_by_role("button", name="Change these machines").click()
    expect(page.get_by_role("alert")).to_have_text("You typed 2; the number is 3. Nothing was sent.")
    assert settings(console, "web-01") == before
    run = confirmed(page, 3)

    expect(page.get_by_text("Finished", exact=True)).to_be_visible()
    assert page.url == run
    expect(page.locator(".tally div", has_text="verified")).to_contain_text("3")
    after = settings(console, "web-01")
    assert after["patchMode"] == "AutomaticByPlatform"
    assert after.items() >= SCHEDULED.items()

    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_role("status")).to_contain_text("3 of 3 applied changes verified, 0 not.")
    page.get_by_role("button", name="Plan a rollback").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Review the rollback")
    confirmed(page, 3)
    expect(page.get_by_text("Finished", exact=True)).to_be_visible()
    assert settings(console, "web-01")["patchMode"] == "AutomaticByOS"

    page.get_by_role("link", name="Runs", exact=True).first.click()
    expect(page.locator("table.runs tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Fleet", exact=True).first.click()
    page.get_by_role("link", name="web-01", exact=True).click()
    expect(page.get_by_role("heading", name="What patchmode changed")).to_be_visible()
    expect(page.get_by_role("region", name="History").locator("tbody tr")).to_have_count(2)


def test_a_reading_console_leads_to_the_command_line(opened: Open) -> None:
    """Everything but carrying out is there."""
    console = opened()
    page = console.page()
    expect(page.get_by_text("Read-only", exact=True)).to_be_visible()
    planned(page, "web-01")
    expect(page.get_by_role("button", name="these machines")).to_have_count(0)
    expect(page.get_by_text("patchmode apply plan.json")).to_be_visible()
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download the plan").first.click()
    assert taken.value.suggested_filename == "plan.json"
    assert settings(console, "web-01")["patchMode"] == "AutomaticByOS"


def test_a_reload_in_mid_run_and_a_second_tab(opened: Open) -> None:
    """The run does not hang on a page: both tabs show it, and both see its end."""
    console = opened("--allow-writes", lro_seconds=4)
    page = console.page()
    planned(page, "rg-app web-0")
    count = int(page.locator(".tally dd").first.inner_text())
    run = confirmed(page, count)
    expect(page.get_by_role("progressbar")).to_be_visible()
    page.reload()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.locator("[data-live=total]")).to_have_text(str(count))

    other = console.tab(page.context)
    expect(other.get_by_text("A run is under way in this console.")).to_be_visible()
    other.get_by_role("link", name="Watch run").click()
    expect(other.get_by_role("progressbar")).to_be_visible()
    assert other.url == run
    # Another plan waits for its turn.
    third = console.tab(page.context)
    planned(third, "api-01")
    expect(third.get_by_text("This console applies one plan at a time")).to_be_visible()

    for tab in (page, other):
        expect(tab.get_by_text("Finished", exact=True)).to_be_visible(timeout=60_000)
        expect(tab.locator(".tally div", has_text="applied").first).to_contain_text(str(count))
    assert len(list((console.process.state / "runs").glob("*.sqlite"))) == 1


def test_a_run_is_stopped_and_taken_up(opened: Open) -> None:
    """Azure holds it up; the operator stops it, sees what was not sent, and takes it up when Azure is well again."""
    console = opened("--allow-writes", lro_seconds=0)
    page = console.page()
    planned(page, "rg-app web-0")
    count = int(page.locator(".tally dd").first.inner_text())
    throttled = {"status": 429, "headers": {"Retry-After": "2"}, "json": {"error": {"code": "TooManyRequests"}}}
    console.set_faults({"match": {"method": "PATCH"}, "do": {"respond": throttled}})
    confirmed(page, count)
    expect(page.locator("[data-live-remarks]")).not_to_contain_text("None so far", timeout=60_000)
    page.get_by_role("button", name="Stop: send nothing more").click()
    expect(page.get_by_text("Interrupted", exact=True)).to_be_visible(timeout=60_000)
    expect(page.locator(".tally div", has_text="not sent")).to_contain_text(str(count))
    console.set_faults()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_text("Finished", exact=True)).to_be_visible(timeout=60_000)
    expect(page.locator(".tally div", has_text="applied").first).to_contain_text(str(count))


def test_azure_that_does_not_answer_does_not_look_like_a_run_that_goes_well(opened: Open) -> None:
    """The page said "Running · 26 machines/s, 18 s left · Failures: none" while nothing answered."""
    console = opened("--allow-writes", lro_seconds=60)
    page = console.page()
    planned(page, "rg-app web-0")
    confirmed(page, int(page.locator(".tally dd").first.inner_text()))
    expect(page.locator("[data-silence]")).to_be_hidden()
    console.set_faults({"do": {"reset": "connection"}})
    expect(page.locator("[data-silence]")).to_be_visible(timeout=60_000)
    expect(page.locator("[data-silence]")).to_contain_text("Azure has not answered since 20")
    expect(page.locator("[data-live=statement]")).to_contain_text("Waiting for Azure.")
    expect(page.locator("[data-live=noFailure]")).to_have_text("None known: Azure does not answer.")
    expect(page.locator("[data-live=pace]")).to_have_text(re.compile(r"^(\d+ min )?\d+ s so far$"))
    expect(page.get_by_role("button", name="Stop: send nothing more")).to_be_enabled()


def test_the_console_is_lost_and_started_again(opened: Open) -> None:
    """The page says so, and what to type; it does not show an old tally as if it were live, and it continues."""
    console = opened("--allow-writes", lro_seconds=30)
    page = console.page()
    planned(page, "web-01")
    run = confirmed(page, 1).rpartition("/")[2]
    gone, unknown = page.locator("[data-lost=gone]"), page.locator("[data-lost=session]")
    expect(gone).to_be_hidden()
    console.process.process.kill()
    expect(gone).to_be_visible()
    expect(gone).to_contain_text(f"patchmode runs resume {run}")
    expect(page.locator("[data-live=statement]")).to_have_text("Not known: this page has lost the console.")
    expect(page.locator("[data-live=pace]")).to_have_text("")
    expect(page.get_by_role("button", name="Stop: send nothing more")).to_be_disabled()

    console.process.process.wait()
    port = console.base.rpartition(":")[2]
    second = Process(console.process.state, console.served.env, "--allow-writes", "--port", port)
    try:
        expect(unknown).to_be_visible()
        expect(unknown).to_contain_text("it was restarted, or the cookie was deleted")
        expect(gone).to_be_hidden()
        console.tab(page.context, second.url)
        expect(page.locator("#state-title")).to_have_text("Interrupted")
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
    finally:
        second.leave()
    console.complaints.clear()


def test_offline_and_without_the_cookie_the_page_stays(opened: Open) -> None:
    """While one types, and when a form is sent; the question is asked again by itself."""
    console = opened("--allow-writes")
    page = console.page()
    gone, unknown = page.locator("[data-lost=gone]"), page.locator("[data-lost=session]")
    page.context.set_offline(True)
    page.get_by_label("Search").fill("rg-app web-01")
    expect(gone).to_be_visible()
    expect(page.get_by_label("Search")).to_have_value("rg-app web-01")
    page.context.set_offline(False)
    expect(page.get_by_role("heading", name="1–1 of 1 machine")).to_be_visible()
    expect(gone).to_be_hidden()

    page.get_by_role("button", name="found…").click()
    page.locator("input[name=assessment][value=on]").check()
    cookies = page.context.cookies()
    page.context.clear_cookies()
    page.get_by_role("button", name="Plan and show the diff").click()
    expect(unknown).to_be_visible()
    expect(page.locator("input[name=assessment][value=on]")).to_be_checked()
    page.context.add_cookies(cookies)
    expect(unknown).to_be_hidden()
    page.get_by_role("button", name="Plan and show the diff").click()
    expect(page.get_by_role("heading", name="Apply it")).to_be_visible()
    console.complaints.clear()


def test_a_hostile_name_is_text_on_every_page(opened: Open) -> None:
    """A name with markup and quotes, and tags with more of them, from choosing to the history."""
    console = opened("--allow-writes", fleet=hostile_fleet())
    page = console.page()

    def check() -> None:
        expect(page.get_by_text(HOSTILE_NAME).first).to_be_attached()
        assert page.locator("main img, main script, main b:has-text('onerror')").count() == 0

    check()
    page.get_by_role("link", name=HOSTILE_NAME).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE_NAME)
    expect(page.get_by_text("<img src=x onerror=alert(1)>=").first).to_be_visible()
    check()
    page.get_by_role("link", name="<img src=x onerror=alert(1)>=").click()
    expect(page.get_by_role("heading", name="1–1 of 1 machine")).to_be_visible()
    page.get_by_label(f"Choose {HOSTILE_NAME} in rg-app").check()
    page.get_by_role("button", name="1 ticked machine…").click()
    check()
    page.get_by_role("button", name="Plan and show the diff").click()
    expect(page.get_by_role("heading", name="Apply it")).to_be_visible()
    check()
    confirmed(page, 1)
    expect(page.get_by_text("Finished", exact=True)).to_be_visible()
    check()


def test_keyboard_alone_is_enough(opened: Open) -> None:
    """From the skip link to the end of a run, without a mouse; the focus is always somewhere that can be seen."""
    console = opened("--allow-writes")
    page = console.page()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the machines")).to_be_focused()
    # Enter would lead past the search, to the first machine (see test_layout).
    tab_to(page, "#q")
    page.keyboard.type("rg-app web-01")
    expect(page.get_by_role("heading", name="1–1 of 1 machine")).to_be_visible()
    expect(page.get_by_label("Search")).to_be_focused()
    tab_to(page, "input[name=id]")
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="1 ticked machine…")).to_be_visible()
    tab_to(page, "[data-take-ids]")
    page.keyboard.press("Enter")
    tab_to(page, "input[name=orchestration]")
    tab_to(page, "button.primary")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Apply it")).to_be_visible()
    tab_to(page, "#count")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Finished", exact=True)).to_be_visible()
    assert settings(console, "web-01")["patchMode"] == "AutomaticByPlatform"


def tab_to(page: Page, selector: str) -> None:
    """Press Tab until something has the focus."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"Tab does not reach {selector}")


def test_without_the_script_everything_works(opened: Open) -> None:
    """Plain HTML: filters are a form, pages that wait have a link, and the run goes on by itself."""
    console = opened("--allow-writes", lro_seconds=0)
    page = without_script(console)
    waited(page, "of 48 machines")
    page.get_by_label("Search").fill("rg-app web-01")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("heading", name="1–1 of 1 machine")).to_be_visible()
    page.get_by_role("button", name="all 1 found…").click()
    page.get_by_role("button", name="Plan and show the diff").click()
    waited(page, "Apply it")
    page.get_by_label("Type the number of machines to continue").fill("1")
    page.get_by_role("button", name="these machines").click()
    waited(page, "Finished")
