"""Make a page of pictures of the widget in every state and size, to be looked at: `python -m tools.gallery`.

It is `build/gallery/index.html`; `make screenshots` makes it too. Nothing is compared: that is for the eye.
"""

from __future__ import annotations

import asyncio
import html
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Locator, Page

from tools.browser import opened_browser
from tools.demo import ROOT, run_cells
from tools.screenshots import SETTLED, SHOW, THEMES, TIMEOUT, View, cluster, scatter, two_runs, write_notebook
from tools.server import JupyterServer

GALLERY = ROOT / "build" / "gallery"
WIDTHS = (420, 560, 700, 1000, 1400, 2200)
THEMED = (560, 1000, 1400)  # in the dark theme and in forced colours too
ONE_COLUMN, TALL, USUAL = (
    720,
    1900,
    1250,
)  # below so many pixels the window is taller: what is outside it is not taken
PAUSE = 2500  # milliseconds, after which what still waits is a picture of waiting
# The cell's output is as wide as is asked, whatever the window is.
WIDEN = """(root, width) => {
  const output = root.closest('.jp-OutputArea-output') ?? root.parentElement;
  output.style.cssText += `;width:${width}px;max-width:none;flex:none`;
}"""
VIDEO = "cw.demo.video()"


def step(root: Locator) -> None:
    """To a frame that nothing is known of yet."""
    root.focus()
    root.press("ArrowRight")


# After the first seconds, in which the picture is made that the notebook keeps.
CHANGED = """import time
from canvaswidget.kernel import {module}
def changed(*given, real={module}.{name}, until=time.monotonic() + 12, **more):
    return real(*given, **more) if time.monotonic() < until else {body}
{module}.{name} = changed
"""
VIEWS = (
    View("a-neuron-of-a-video", f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, pixel=(30, 200))"),
    View(
        "contours-and-clusters",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.2', time=9, contours=True, rule='gated')",
        cluster,
    ),
    View(
        "what-is-left-without-a-neuron",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, ablated={{'decoder.3': [(5, 38)]}})",
    ),
    View(
        "what-quantised-weights-lose",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, source='quantisation', bits=4)",
    ),
    View(
        "a-region",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, region=((0, 0), (24, 256)), sort='region')",
    ),
    View(
        "spectrum",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, panel='spectrum', rule='gated', band=(0.05, 0.15),"
        f" colour_by='frequency', sort='frequency')",
    ),
    View(
        "a-scatter",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.2', time=9, region=((0, 0), (24, 256)))",
        scatter,
    ),
    View("an-image", "cw.CanvasWidget(cw.demo.image(), pixel=(60, 90), maps='signed')"),
    View(
        "two-runs",
        "cw.CanvasWidget(cw.demo.training(), layer='net.1', rule='gated', compare=112, pixel=(60, 90))",
        two_runs,
    ),
)
UNSETTLED = (
    View("nothing-selected", f"w = cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9)\nw.neurons = []\nw"),
    View(
        "loading",
        CHANGED.format(module="neuron_maps", name="maps", body="time.sleep(600)")
        + CHANGED.format(module="pictures", name="frame", body="time.sleep(600)")
        + f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, pixel=(30, 200))",
    ),
    View(
        "failed",
        "".join(
            CHANGED.format(module=module, name=name, body="[][0]")
            for module, name in (
                ("neuron_maps", "maps"),
                ("neuron_maps", "signed_and_sizes"),
                ("ranking", "pixel_columns"),
            )
        )
        + f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, pixel=(30, 200))",
        step,
    ),
)


def pictures(page: Page, root: Locator, is_settled: bool) -> Iterator[tuple[str, bytes]]:
    """The widget in each size, and in some in each theme."""

    def take(width: int) -> bytes:
        page.set_viewport_size({"width": WIDTHS[-1] + 300, "height": TALL if width < ONE_COLUMN else USUAL})
        root.evaluate(WIDEN, width)
        page.mouse.move(0, 0)
        page.wait_for_timeout(PAUSE if not is_settled else 300)
        if is_settled:
            page.wait_for_function(SETTLED, arg=root.element_handle(), timeout=TIMEOUT)
        return root.screenshot(animations="disabled")

    light, dark = THEMES.values()
    page.evaluate(SHOW, light)
    for width in WIDTHS:
        yield f"{width}", take(width)
    page.emulate_media(forced_colors="active")
    for width in THEMED:
        yield f"{width}, forced colours", take(width)
    page.emulate_media(forced_colors="none")
    page.evaluate(SHOW, dark)
    for width in THEMED:
        yield f"{width}, dark", take(width)


def shoot(
    server: JupyterServer, notebooks: dict[View, str], done: Callable[[View, str, bytes], None]
) -> bool:
    """Every view; False where there is no browser."""
    with opened_browser() as browser:
        if browser is None:
            return False
        for view, notebook in notebooks.items():
            page = browser.new_page(viewport={"width": WIDTHS[-1] + 300, "height": USUAL})
            page.goto(server.url(notebook))
            root = page.locator(".cw-root").first
            root.wait_for(timeout=TIMEOUT)
            is_settled = view in VIEWS
            if not is_settled:
                page.reload()  # by now the kernel is slow, or fails
                root.wait_for(timeout=TIMEOUT)
            else:
                page.wait_for_function(SETTLED, arg=root.element_handle(), timeout=TIMEOUT)
            view.prepare(root)
            for name, png in pictures(page, root, is_settled):
                done(view, name, png)
            page.close()
    return True


def page_of(shown: list[tuple[View, str, str]]) -> str:
    """The pictures under their names."""
    parts = ["<!doctype html><meta charset=utf-8><title>canvaswidget, looked at</title>"]
    parts.append(
        "<style>body{font:14px system-ui;margin:24px}img{max-width:100%;border:1px solid #ccc}</style>"
    )
    for view, name, file in shown:
        title = html.escape(f"{view.name.replace('-', ' ')}, {name}")
        parts.append(f'<h2>{title}</h2><img src="{file}" alt="{title}" loading="lazy">')
    return "\n".join(parts)


def main(names: list[str]) -> int:
    GALLERY.mkdir(parents=True, exist_ok=True)
    chosen = [view for view in (*VIEWS, *UNSETTLED) if not names or view.name in names]
    shown: list[tuple[View, str, str]] = []

    def keep(view: View, name: str, png: bytes) -> None:
        file = f"{view.name}-{name}.png".replace(" ", "-").replace(",", "")
        (GALLERY / file).write_bytes(png)
        shown.append((view, name, file))
        print(file, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "notebooks")
        files.mkdir()
        with JupyterServer(files, Path(folder, "jupyter")) as server:
            notebooks = {view: write_notebook(files, view) for view in chosen}
            for notebook in notebooks.values():
                asyncio.run(run_cells(server, notebook, 600))
            if not shoot(server, notebooks, keep):
                print("no browser: install Chromium or Chrome, or set CANVASWIDGET_BROWSER to the program")
                return 1
    (GALLERY / "index.html").write_text(page_of(shown), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
