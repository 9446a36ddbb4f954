"""Playwright's names for the tests; where it or Chromium is absent, whoever imports this is skipped and says why."""

import shutil

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is absent: make console-tests installs it")
if shutil.which("chromium") is None:
    pytest.skip("Debian's Chromium is absent: make console-tests installs it", allow_module_level=True)

from playwright.sync_api import Page, expect

__all__ = ["Page", "expect"]
