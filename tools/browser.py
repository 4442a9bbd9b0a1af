"""Find a browser that is installed, and start it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def find_browser(playwright: Playwright) -> str | None:
    """The browser's program: as the environment says, on the `PATH`, or Playwright's own."""
    named = os.environ.get("CANVASWIDGET_BROWSER")
    if named:
        return shutil.which(named)
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    own = playwright.chromium.executable_path
    return found or (own if Path(own).is_file() else None)


@contextmanager
def opened_browser() -> Iterator[Browser | None]:
    """The browser, started; None where none is found."""
    with sync_playwright() as playwright:
        program = find_browser(playwright)
        if program is None:
            yield None
            return
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()
