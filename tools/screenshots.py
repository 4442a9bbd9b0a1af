"""Make the pictures of the README from the real thing: `python -m tools.screenshots`."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tools.browser import ARGUMENTS, find_browser
from tools.demo import NOTEBOOK, ROOT, run_cells
from tools.server import JupyterServer

IMAGES = ROOT / "notebooks" / "images"
READY = "[data-panel=%s][data-state=ready]"
TIMEOUT = 120_000
# The theme, and nothing beside the notebook.
SHOW = """async theme => {
  const { commands } = window.jupyterapp;
  await commands.execute('apputils:change-theme', { theme });
  if (commands.isToggled('application:toggle-left-area')) await commands.execute('application:toggle-left-area');
}"""


def shoot(page: Page, theme: str, path: Path) -> None:
    """The first widget of the page, everything in it painted."""
    page.evaluate(SHOW, theme)
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme, timeout=TIMEOUT)
    root = page.locator(".cw-root").first
    root.scroll_into_view_if_needed()
    for panel in ("frame", "neurons", "pixel", "time"):
        root.locator(READY % panel).wait_for(timeout=TIMEOUT)
    page.wait_for_function(
        """() => Number(document.querySelector('[data-testid=curve]').dataset.done) >= 24
          && document.querySelectorAll('.cw-root .cw-thumb').length >= 20""",
        timeout=TIMEOUT,
    )
    page.mouse.move(0, 0)
    root.screenshot(path=path, animations="disabled")


def shoot_all(server: JupyterServer) -> bool:
    """Both themes; False where there is no browser."""
    with sync_playwright() as playwright:
        program = find_browser(playwright)
        if program is None:
            return False
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        for theme, name in (("JupyterLab Light", "widget.png"), ("JupyterLab Dark", "widget-dark.png")):
            page = browser.new_page(viewport={"width": 1400, "height": 1000}, device_scale_factor=1.5)
            page.goto(server.url(NOTEBOOK.name))
            page.locator(".cw-root").first.wait_for(timeout=TIMEOUT)
            shoot(page, theme, IMAGES / name)
            page.close()
        browser.close()
    return True


def main() -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "notebooks")
        files.mkdir()
        shutil.copyfile(NOTEBOOK, files / NOTEBOOK.name)
        with JupyterServer(files, Path(folder, "jupyter")) as server:
            asyncio.run(run_cells(server, NOTEBOOK.name, 600))
            if not shoot_all(server):
                print("no browser: install Chromium or Chrome, or set CANVASWIDGET_BROWSER to the program")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
