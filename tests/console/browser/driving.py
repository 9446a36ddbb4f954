"""Playwright's names, and steps of several tests; where it or Chromium is absent, whoever imports this is skipped."""

import shutil

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is absent: make console-tests installs it")
if shutil.which("chromium") is None:
    pytest.skip("Debian's Chromium is absent: make console-tests installs it", allow_module_level=True)

from playwright.sync_api import Page, expect
from tests.console.browser.conftest import Opened

__all__ = ["Page", "choose_group", "expect", "plan_assessment", "waited", "without_script"]


def waited(page: Page, what: str) -> None:
    """Reload a page until it has a text: what somebody does whose browser runs no script."""
    for _ in range(200):
        if page.get_by_text(what).count():
            return
        page.reload()
    raise AssertionError(what)


def without_script(console: Opened) -> Page:
    """The fleet in a browser that runs no script."""
    context = console.browser.new_context(java_script_enabled=False)
    context.set_default_timeout(20_000)
    console.contexts.append(context)
    page: Page = context.new_page()
    page.goto(console.process.url)
    page.wait_for_url(f"{console.base}/")  # where the page that lets one in leads by itself
    waited(page, " machines")
    return page


def choose_group(page: Page, base: str) -> None:
    """Take all machines of rg-app; the form of settings stands."""
    page.goto(f"{base}/?q=rg-app")
    page.get_by_role("button", name="found…").click()
    page.locator("form.settings").wait_for()


def plan_assessment(page: Page) -> None:
    """Plan periodic assessment with the form's other settings; the plan stands, to be confirmed."""
    page.locator("input[name=assessment][value=on]").check()
    page.get_by_role("button", name="Plan and show the diff").click()
    page.locator("#confirm-title").wait_for()
