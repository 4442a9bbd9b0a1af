"""Make the pictures of the README from the real thing: `python -m tools.screenshots`.

Every main view of the widget, on the demo's video and image, in both themes, as small PNGs; the first as an animation.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from PIL import Image
from playwright.sync_api import Locator, Page

from tools.browser import opened_browser
from tools.demo import ROOT, run_cells
from tools.server import JupyterServer

IMAGES = ROOT / "docs" / "images"
TIMEOUT = 120_000
MOST_BYTES, MOST_MOVING = 350_000, 3_000_000
ASKED = 1000  # milliseconds after which all is asked for
STEP, REST = 140, 1500  # milliseconds that a picture of an animation stays
THEMES = {"": "JupyterLab Light", "-dark": "JupyterLab Dark"}
# The theme, and nothing beside the notebook.
SHOW = """async theme => {
  const { commands } = window.jupyterapp;
  await commands.execute('apputils:change-theme', { theme });
  if (commands.isToggled('application:toggle-left-area')) await commands.execute('application:toggle-left-area');
}"""
# Nothing is on its way, and every part has taken the size of what it is in.
SETTLED = """root => {
  const find = name => root.querySelector(`[data-testid=${name}]`);
  const thumbs = [...root.querySelectorAll('.cw-thumb')];
  const {done, total} = find('curve').dataset;
  const regions = find('regions');
  const film = find('film').dataset.drawn?.split('/').map(Number);
  return root.dataset.ready === 'true'
    && !root.querySelector('[data-panel][data-state=loading]')
    && find('status').textContent === 'ready'
    && (regions.hidden || ('time' in regions.dataset && !('stale' in regions.dataset)))
    && (thumbs.length >= 12 || find('grid').hidden) && thumbs.every(thumb => !('empty' in thumb.dataset))
    && (Number(total) < 2 || (done === total && film?.[1] > 2 && film[0] === film[1]));
}"""


@dataclass(frozen=True)
class View:
    """A cell that shows a widget, what is done with it, and the part that is taken, as a selector.

    `play` goes on by a step at a time, and gives how long the picture of each stays: an animation is made of it.
    """

    name: str
    cell: str
    prepare: Callable[[Locator], None] = lambda root: None
    part: str = ""
    play: Callable[[Locator], Iterator[int]] | None = None


def cluster(root: Locator) -> None:
    root.get_by_test_id("cluster-neurons").click()
    root.locator('.cw-chip[data-cluster="0"]').wait_for(timeout=TIMEOUT)


def scatter(root: Locator) -> None:
    cluster(root)
    root.locator("[data-value=scatter]").click()
    root.get_by_test_id("embedding").select_option("tsne")
    root.locator("[data-testid=scatter][data-method=tsne]").wait_for(timeout=TIMEOUT)


def rules(root: Locator) -> None:
    root.get_by_test_id("rules-button").click()
    root.locator("[data-testid=rules][data-state=ready]").wait_for(timeout=TIMEOUT)


def two_runs(root: Locator) -> None:
    """Both pictures, and every point of the curve over the runs."""
    root.locator("[data-testid=compared][data-run='112']").wait_for(timeout=TIMEOUT)
    root.locator("[data-testid=run-curve][data-done='13']").wait_for(timeout=TIMEOUT)
    root.locator(".cw-thumb[data-second]").nth(11).wait_for(timeout=TIMEOUT)


def tour(root: Locator) -> Iterator[int]:
    """A neuron through time; another pixel, its strongest neuron, back through time; and all as it was."""
    keyboard = root.page.keyboard
    root.focus()
    yield REST
    for _ in range(23):
        keyboard.press("ArrowRight")
        yield STEP
    yield REST
    frame = root.get_by_test_id("frame")
    box = frame.bounding_box()
    assert box is not None
    frame.click(position={"x": 0.66 * box["width"], "y": 0.7 * box["height"]})  # the flower
    yield REST
    root.locator('.cw-bar:not([hidden])[data-layer*="decoder.3"]').first.click()
    yield REST
    root.focus()
    for _ in range(23):
        keyboard.press("ArrowLeft")
        yield STEP
    keyboard.press("Control+z")
    keyboard.press("Control+z")


def panel(name: str) -> str:
    return f'[data-panel="{name}"]'


VIDEO, IMAGE = "cw.demo.video()", "cw.demo.image()"
VIEWS = (
    View(
        "widget",
        f"cw.CanvasWidget({VIDEO}, rule='gated', layer='decoder.3', neuron=(5, 38), time=0, pixel=(30, 200))",
        play=tour,
    ),
    View("image", f"cw.CanvasWidget({IMAGE}, pixel=(60, 90), maps='signed')"),
    View(
        "frame",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, maps='signed', rule='gated', "
        "regions=cw.demo.clip().masks)",
        part=panel("frame"),
    ),
    View(
        "neurons",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.2', time=9, sort='total')",
        cluster,
        panel("neurons"),
    ),
    View("scatter", f"cw.CanvasWidget({VIDEO}, layer='decoder.2', time=9)", scatter, panel("neurons")),
    View(
        "pixel", f"cw.CanvasWidget({VIDEO}, layer='decoder.2', time=9, pixel=(70, 120))", part=panel("pixel")
    ),
    View("time", f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9, loop=(4, 18))", part=panel("time")),
    View(
        "ablation",
        f"cw.CanvasWidget({VIDEO}, layer='decoder.2', time=9, source='ablated', opacity=0, "
        "ablated={'decoder.2': [(0, n) for n in range(12, 30)]})",
        part=panel("frame"),
    ),
    View(
        "runs",
        "cw.CanvasWidget(cw.demo.training(), layer='net.1', rule='gated', compare=112, pixel=(60, 90))",
        two_runs,
    ),
    View("rules", f"cw.CanvasWidget({VIDEO}, layer='decoder.3', time=9)", rules, "[data-testid=rules]"),
)


def shoot(page: Page, root: Locator, view: View, theme: str, path: Path) -> None:
    """A view once everything in it is painted."""
    page.evaluate(SHOW, theme)
    page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme, timeout=TIMEOUT)
    root.scroll_into_view_if_needed()
    taken = root.locator(view.part) if view.part else root

    def take() -> bytes:
        page.mouse.move(0, 0)
        page.wait_for_function(SETTLED, arg=root.element_handle(), timeout=TIMEOUT)
        return taken.screenshot(animations="disabled")

    take()  # another size or theme asks for more, some of it a while later
    page.wait_for_timeout(ASKED)

    if view.play is None:
        save(take(), path.with_suffix(".png"))
    else:
        stays, pictures = zip(*((stay, take()) for stay in view.play(root)), strict=True)
        save_animation(pictures, stays, path.with_suffix(".webp"))


def save_animation(pngs: Sequence[bytes], stays: Sequence[int], path: Path) -> None:
    """Pictures that stay for so many milliseconds each."""
    first, *others = [Image.open(io.BytesIO(png)).convert("RGB") for png in pngs]
    first.save(path, save_all=True, append_images=others, duration=list(stays), loop=0, quality=82, method=4)
    check_size(path, MOST_MOVING)


def save(png: bytes, path: Path) -> None:
    """As small as PNG gets without losing a colour."""
    Image.open(io.BytesIO(png)).convert("RGB").save(path, optimize=True)
    check_size(path, MOST_BYTES)


def check_size(path: Path, most: int) -> None:
    size = path.stat().st_size
    if size > most:
        raise RuntimeError(f"{path.name} has {size:,} bytes: at most {most:,} are taken")
    print(f"{path.relative_to(ROOT)}  {size / 1000:.0f} kB", flush=True)


def shoot_all(server: JupyterServer, notebooks: dict[View, str]) -> bool:
    """Both themes; False where there is no browser."""
    with opened_browser() as browser:
        if browser is None:
            return False
        for view, notebook in notebooks.items():
            page = browser.new_page(viewport={"width": 1180, "height": 1000})
            page.goto(server.url(notebook))
            root = page.locator(".cw-root").first
            root.wait_for(timeout=TIMEOUT)
            page.wait_for_function(SETTLED, arg=root.element_handle(), timeout=TIMEOUT)
            view.prepare(root)
            for suffix, theme in THEMES.items():
                shoot(page, root, view, theme, IMAGES / f"{view.name}{suffix}")
            page.close()
    return True


def write_notebook(folder: Path, view: View) -> str:
    name = f"{view.name}.ipynb"
    cells = [nbformat.v4.new_code_cell(text) for text in ("import canvaswidget as cw", view.cell)]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), folder / name)
    return name


def main(names: list[str]) -> int:
    IMAGES.mkdir(parents=True, exist_ok=True)
    chosen = [view for view in VIEWS if not names or view.name in names]
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "notebooks")
        files.mkdir()
        notebooks = {view: write_notebook(files, view) for view in chosen}
        with JupyterServer(files, Path(folder, "jupyter")) as server:
            for notebook in notebooks.values():
                asyncio.run(run_cells(server, notebook, 600))
            if not shoot_all(server, notebooks):
                print("no browser: install Chromium or Chrome, or set CANVASWIDGET_BROWSER to the program")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
