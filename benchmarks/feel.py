"""How the widget feels, measured in a real browser beside the plain approach; asserts nothing.

The plain approach (`plain_widget.py`) keeps its picture in a synced trait and computes every wish in turn. Its wishes
come as traits, which ipywidgets holds back while the kernel is busy, or as messages, which nothing holds back.

    python benchmarks/feel.py                 both models
    python benchmarks/feel.py nerv_bunny      one of them
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
from playwright.sync_api import Page, expect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.feel_kernel import LARGE_LAYERS, LAYERS, MODELS  # noqa: E402
from benchmarks.run import describe_machine  # noqa: E402
from tests.browser.page import TIMEOUT, NotebookPage  # noqa: E402
from tools.browser import opened_browser  # noqa: E402
from tools.server import JupyterServer  # noqa: E402

CLICKS = 40
NEURONS = 24
# Where an event takes seconds, fewer are measured: at least so many, and then for so many seconds.
LEAST, BUDGET = 2, 45.0
PACE = 0.3
SCRUB = 120  # events, 60 a second
PLAY = 3000  # ms
SCROLL = 4000  # ms
STEPS = {"a wheel, 20 px a frame": 20, "the scroll bar, 400 px a frame": 400}
COLUMN = 24
LEFT = 1000.0  # the pointer when it is away
APPROACHES = {"ours": "canvaswidget", "traits": "plain, traits", "sends": "plain, messages"}


def until_late(count: int) -> Iterator[int]:
    """As many events, or fewer where they are slow."""
    started = time.monotonic()
    for i in range(count):
        if i >= LEAST and time.monotonic() - started > BUDGET:
            return
        yield i


class Measured:
    """One widget in one notebook page."""

    def __init__(self, notebook: NotebookPage, model: str, approach: str) -> None:
        self.notebook, self.page = notebook, notebook.page
        self.name = "ours" if approach == "ours" else "plain"
        self.layer = LAYERS[model]
        self.page.evaluate((ROOT / "benchmarks" / "feel_page.js").read_text())
        self.n_frames, self.size = notebook.ask("[c.inr.n_frames, list(c.inr.size)]")
        self._fresh = iter(range(1, 1000))
        self.settle()

    def feel(self, call: str, *arguments: Any) -> Any:
        return self.page.evaluate(f"given => window.feel.{call}(...given)", list(arguments))

    def fresh_neuron(self) -> list[int]:
        """One that nothing is known of yet."""
        n_inputs, n_outputs = self.notebook.ask(f"list(c.layers.find({self.layer!r}).neurons)")
        place = next(self._fresh) * 7 % (n_inputs * n_outputs)
        return [place // n_outputs, place % n_outputs]

    def set(self, **values: Any) -> None:
        """Set traits from Python."""
        self.notebook.execute("; ".join(f"w.{name} = {value!r}" for name, value in values.items()))

    def settle(self) -> None:
        """Wait for what a click asks for; the curve goes on, a forward pass of the model for each of its frames."""
        if self.name == "ours":
            waits = self.page.locator('.cw-root [data-panel]:not([data-panel="time"])[data-state="loading"]')
            expect(waits).to_have_count(0, timeout=10 * TIMEOUT)

    def clicks_on_pixels(self) -> list[float]:
        """Click, bars painted; the pointer rests in between."""
        canvas = self.page.locator(".cw-root [data-testid=frame], .plain canvas").first
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        found = []
        for i in until_late(CLICKS):
            y, x = (37 * i + 11) % self.size[0], (101 * i + 23) % self.size[1]
            self.feel("arm", self.name, "pixel", f"{y},{x}")
            # Where there is nothing to rest on until the click: a resting pointer would ask ahead of it.
            at = (
                box["x"] + (x + 0.5) * box["width"] / self.size[1],
                box["y"] + (y + 0.5) * box["height"] / self.size[0],
            )
            self.page.mouse.click(*at)
            self.page.mouse.move(LEFT, 0)
            found.append(self.page.evaluate("() => window.feel.armed"))
            self.settle()
        return found

    def clicks_on_neurons(self) -> list[float]:
        """Click, overlay painted."""
        found = []
        for i in until_late(NEURONS):
            if self.name == "plain":
                found.append(self.feel("choose", self.fresh_neuron()))
                continue
            thumb = self.page.locator(f'.cw-thumb[data-index="{i}"][data-neuron]')
            thumb.wait_for()
            neuron = thumb.get_attribute("data-neuron")
            thumb.scroll_into_view_if_needed()
            self.feel("arm", self.name, "neuron", neuron)
            thumb.click()
            found.append(self.page.evaluate("() => window.feel.armed"))
            self.settle()
        return found

    def play(self) -> dict[str, float]:
        """Pictures a second, every frame known."""
        neuron = self.fresh_neuron()
        self.set(neuron=tuple(neuron) if self.name == "ours" else neuron)
        frames = list(range(self.n_frames))
        self.feel("look", self.name, frames, ",".join(map(str, neuron)))
        self.settle()
        if self.name == "ours":
            self.set(fps=60.0, playing=True)
        rate = self.feel("play", self.name, PLAY, self.n_frames)
        if self.name == "ours":
            self.set(playing=False)
            # Where it stopped is told a moment later, and would undo a time that Python sets until then.
            slider = self.page.locator(".cw-root [data-testid=time]")
            self.page.wait_for_timeout(500)
            self.notebook.wait_for(
                lambda: str(self.notebook.ask("w.time")) == slider.input_value(), True, "time"
            )
        self.settle()
        return rate

    def scrub(self) -> dict[str, Any]:
        """Two seconds over a layer whose maps take `PACE`, on frames that are known; then what was seen."""
        last = self.n_frames // 2  # out of reach of what is fetched ahead of the first frame
        reach = last - 5
        back_and_forth = [*range(reach), *range(reach - 2, 0, -1)]
        times = [back_and_forth[i // 2 % len(back_and_forth)] for i in range(SCRUB - 1)] + [last]
        neurons = [self.fresh_neuron() for _ in range(2)]
        jump: float = 0.0
        result: dict[str, Any] = {}
        for neuron in neurons:
            key = ",".join(map(str, neuron))
            self.set(time=0, neuron=tuple(neuron) if self.name == "ours" else neuron)
            self.feel("look", self.name, [0], key)
            self.settle()
            self.notebook.execute(f"feel_kernel.pace(c, {PACE})")
            if neuron is neurons[0]:
                jump = self.feel("jump", self.name, last, key)
            else:
                result = self.feel("scrub", self.name, times, key)
            self.settle()
            self.notebook.execute("del c.maps")
        result["least"] = jump
        result["pictures"] = len({time for _, time, _ in result["seen"]})
        result["stale"] = self.stale(result["seen"], ",".join(map(str, neurons[-1])))
        return result

    def stale(self, seen: list[list[Any]], key: str) -> int:
        """Of the pictures that were seen, those that are not of the frame that stood over them."""
        if self.name == "plain":
            return sum(label != time for label, time, _ in seen)
        times = sorted({int(label) for label, _, _ in seen})
        with_map = self.feel("look", self.name, times, key)
        self.set(opacity=0.0)
        self.settle()
        alone = self.feel("look", self.name, times, key)
        self.set(opacity=0.8)
        return sum(picture not in (with_map[label], alone[label]) for label, _, picture in seen)

    def scroll(self, layer: str) -> dict[str, Any]:
        """Through the thumbnails of a large layer, and how often the page is painted when nothing happens."""
        self.set(layer=layer, neuron=(0, 0), sort="index")
        self.settle()
        paints = self.feel("rest", SCROLL)
        return {"rest": paints, **{name: self.feel("scroll", step, SCROLL) for name, step in STEPS.items()}}


def measure(notebook: NotebookPage, model: str, approach: str) -> dict[str, Any]:
    shown = Measured(notebook, model, approach)
    row: dict[str, Any] = {"pixel": shown.clicks_on_pixels(), "neuron": shown.clicks_on_neurons()}
    row["fps"] = shown.play()
    row["scrub"] = shown.scrub()
    if approach == "ours":
        row["restyle"] = {name: shown.feel("drag", name) for name in ("opacity", "contrast")}
        row["scroll"] = shown.scroll(LARGE_LAYERS[model])
        row["stats"] = notebook.ask("w.stats()")
    return row


def percentiles(times: list[float], wanted: int) -> str:
    ordered = sorted(times)
    of = f" (of {len(times)})" if len(times) < wanted else ""
    return f"{statistics.median(ordered):.0f} / {ordered[round(0.95 * (len(ordered) - 1))]:.0f} ms{of}"


ROWS: dict[str, Callable[[dict[str, Any]], str]] = {
    "click on a pixel to painted bars, p50 / p95": lambda row: percentiles(row["pixel"], CLICKS),
    "neuron chosen to painted overlay, p50 / p95": lambda row: percentiles(row["neuron"], NEURONS),
    "playing known frames, pictures a second": lambda row: f"{row['fps']['pictures']:.0f}",
    "  while the browser painted so many times": lambda row: f"{row['fps']['paints']:.0f}",
    "one jump from rest, a map takes 300 ms": lambda row: f"{row['scrub']['least']:.0f} ms",
    "the last of 120 events in 2 s on screen": lambda row: f"{row['scrub']['late']:.0f} ms",
    "different frames seen in those 2 s": lambda row: f"{row['scrub']['pictures']}",
    "of the pictures seen, stale ones": lambda row: f"{row['scrub']['stale']} of {len(row['scrub']['seen'])}",
}


def show(model: str, rows: dict[str, dict[str, Any]]) -> None:
    height, width = (128, 256) if model == "nerv_bunny" else (640, 1280)
    print(f"\n{model}, {height}x{width}, layer {LAYERS[model]}\n")
    print(f"{'':46} " + " ".join(f"{APPROACHES[name]:>{COLUMN}}" for name in rows))
    for title, text in ROWS.items():
        print(f"{title:46} " + " ".join(f"{text(row):>{COLUMN}}" for row in rows.values()))
    if "ours" not in rows:
        return
    for name, found in rows["ours"]["restyle"].items():
        print(
            f"dragging {name}: {found['pictures']} different pictures, {found['during']} messages; "
            f"{found['after']} when it is let go"
        )
    scroll = dict(rows["ours"]["scroll"])
    still = scroll.pop("rest")
    print(
        f"{LARGE_LAYERS[model]}, its thumbnails at rest: {still['paints']:.0f} paints a second, "
        f"p95 {still['p95']:.0f} ms apart"
    )
    for name, found in scroll.items():
        print(
            f"scrolled as by {name}: {found['paints']:.0f} paints a second, p95 {found['p95']:.0f} ms apart, "
            f"{found['blank']:.0%} of the thumbnails that were seen still without their map, all there after "
            f"{found['rest']:.0f} ms; {found['cells']} elements for all"
        )
    print(f"w.stats(): {rows['ours']['stats']}", flush=True)


def cells(model: str, approach: str) -> list[str]:
    make = f"widget({model!r})" if approach == "ours" else f"plain({model!r}, {approach == 'sends'})"
    get = "w.canvas" if approach == "ours" else "w._shown"
    return [
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom benchmarks import feel_kernel\n"
        f"w = feel_kernel.{make}\nc = {get}",
        "w",
    ]


def measure_all(
    server: JupyterServer, pages: Callable[[], Page], model: str, approaches: list[str]
) -> dict[str, dict[str, Any]]:
    rows = {}
    for approach in approaches:
        name = f"{model}-{approach}.ipynb"
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(text) for text in cells(model, approach)],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, server.root / name)
        with server.ending_kernels():
            page = pages()
            opened = NotebookPage(page, server.url(name)).open()
            opened.run_all()
            if approach == "ours":
                page.locator('.cw-root[data-ready="true"]').wait_for()
            else:
                page.locator(".plain canvas[data-of]").wait_for()
            rows[approach] = measure(opened, model, approach)
            page.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=list(APPROACHES), help="leave the other approaches out")
    parser.add_argument("models", nargs="*", default=list(MODELS), help=f"of {', '.join(MODELS)}")
    arguments = parser.parse_args()
    approaches = [arguments.only] if arguments.only else list(APPROACHES)
    for model in arguments.models:
        if model not in MODELS:
            parser.error(f"no model {model!r}: there are {', '.join(MODELS)}")
    with opened_browser() as browser, tempfile.TemporaryDirectory() as folder:
        if browser is None:
            sys.exit("no browser: install Chromium or Chrome, or set CANVASWIDGET_BROWSER to the program")
        files = Path(folder, "notebooks")
        files.mkdir()

        def new_page() -> Page:
            return browser.new_page(viewport={"width": 1400, "height": 1000})

        with JupyterServer(files, Path(folder, "jupyter")) as server:
            print(f"{describe_machine()}, Chromium {browser.version}, JupyterLab; kernel and page share it.")
            for model in arguments.models:
                show(model, measure_all(server, new_page, model, approaches))


if __name__ == "__main__":
    main()
