"""Where things are, in CSS pixels: what is seen without scrolling, how far the keyboard has to go, what is cut."""

import copy
import json

import pytest
from tests.console.browser.conftest import Open
from tests.console.browser.driving import Page, expect
from tests.console.browser.test_accessibility import every_page

from arm_emulator.named_fleets import read_fleet

FILTERS = ("Search", "Subscription", "Group", "Location", "System", "Tag", "Schedule", "Finding")
WHOLE = """() => [...document.querySelectorAll('table.fleet tbody tr')].map((row) => row.getBoundingClientRect())
    .filter((box) => box.top >= 0 && box.bottom <= innerHeight).length"""
BESIDE = """() => [...document.querySelectorAll('main table, main .calendar, main .scroll')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.left < 0 || box.right > document.documentElement.clientWidth || one.scrollWidth > one.clientWidth + 1;
}).map((one) => one.className)"""
CUT = """() => [...document.querySelectorAll('table.fleet .who')].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width === 0 || box.right > document.documentElement.clientWidth || one.scrollWidth > one.clientWidth
        || [...one.querySelectorAll('.told')].some((told) => told.getBoundingClientRect().right > box.right);
}).map((one) => one.textContent)"""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768)])
def test_filters_and_ten_rows_are_visible_without_scrolling(opened: Open, width: int, height: int) -> None:
    page = opened().page(viewport={"width": width, "height": height})
    for label in FILTERS:
        box = page.get_by_label(label, exact=True).bounding_box()
        assert box is not None, label
        assert box["y"] + box["height"] <= height, label
        assert box["x"] + box["width"] <= width, label
    assert page.evaluate(WHOLE) >= 10
    assert page.evaluate(CUT) == []


def test_who_patches_it_is_not_cut_on_a_narrow_screen(opened: Open) -> None:
    """The table was 700 px wide there, and its second column began at the edge of the window."""
    page = opened().page(viewport={"width": 390, "height": 844})
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.querySelectorAll('table.fleet .who').length") == 49


def test_fewer_than_ten_tabs_lead_from_the_skip_link_to_the_first_row(opened: Open) -> None:
    page = opened().page(viewport={"width": 1440, "height": 900})
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    expect(page.locator("#machines")).to_be_focused()
    assert tabs_to_first_row(page) < 10


def tabs_to_first_row(page: Page) -> int:
    """How often Tab is pressed until the focus is in the first row."""
    for pressed in range(1, 60):
        page.keyboard.press("Tab")
        if page.evaluate("!!document.activeElement.closest('table.fleet tbody tr:first-child')"):
            return pressed
    raise AssertionError(page.evaluate("document.activeElement.outerHTML"))


def test_no_table_and_no_calendar_exceeds_the_window(opened: Open) -> None:
    console = opened("--allow-writes")
    page = console.page(viewport={"width": 1024, "height": 768})
    for name in every_page(console, page):
        assert page.evaluate(BESIDE) == [], name


def many_schedules() -> object:
    """The fleet `schedules` with twenty more configurations, each with two or three windows a week."""
    fleet = json.loads(json.dumps(read_fleet("schedules")))
    nightly = next(one for one in fleet["resources"] if one["id"].endswith("/mc-nightly"))
    for number in range(20):
        made = copy.deepcopy(nightly)
        made["name"] = f"mc-ring-{number:02}"
        made["id"] = made["id"].replace("mc-nightly", made["name"])
        window = made["properties"]["maintenanceWindow"]
        window["startDateTime"] = f"{window['startDateTime'][:11]}{number:02}:30"
        window["recurEvery"] = "2Week Tuesday,Thursday" if number % 2 else "Week Tuesday,Thursday,Friday"
        fleet["resources"].append(made)
    return fleet


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_two_hundred_windows_of_twenty_schedules_fit(opened: Open, width: int) -> None:
    """No view is wider than the window, none covers another's text, and the month takes few screens."""
    console = opened(fleet=many_schedules())
    page = console.page(viewport={"width": width, "height": 900})
    for view in ("month", "week", "day"):
        page.goto(f"{console.base}/schedules?view={view}")
        page.locator(".calendar").wait_for()
        assert page.evaluate(BESIDE) == [], view
        shown = int(page.locator("#calendar-title .muted").inner_text().split()[0])
        assert shown >= {"month": 200, "week": 20, "day": 1}[view], view
        high = page.evaluate("document.querySelector('.calendar').getBoundingClientRect().height")
        assert high < (2600 if width > 900 else 9000), view
