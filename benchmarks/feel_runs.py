"""How a step from run to run and a second run feel beside what one run takes; asserts nothing.

In one widget of one session, in a real browser: a click on a pixel and on a neuron, a step to another frame, a step to
another run, and a second run shown beside the first. As the page measures it, from the input to the screen.

    python benchmarks/feel_runs.py              all models
    python benchmarks/feel_runs.py training     one of them: training, video, nerv_bunny
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.run import describe_machine  # noqa: E402
from tests.browser.page import TIMEOUT, NotebookPage  # noqa: E402
from tools.browser import opened_browser  # noqa: E402
from tools.server import JupyterServer  # noqa: E402

# Checkpoints of a model without a training: its weights with a little noise.
NOISY = """
_inr = {inr}
_weights = {{step: {{name: part + step * 1e-3 * part.std(correction=0) * torch.randn_like(part)
    for name, part in _inr.module.state_dict().items()}} for step in range(12)}}
runs = cw.Runs.from_checkpoints(_inr, _weights)
"""
MODELS = {
    "training": ("runs = cw.demo.training()", ""),
    "video": (NOISY.format(inr="cw.demo.video()"), "layer='decoder.3', "),
    "nerv_bunny": (NOISY.format(inr="feel_kernel.nerv_bunny()"), "layer='decoder.3', "),
}
TIMES = 8
ACTS = {
    "pixel_ms": "click on a pixel",
    "overlay_ms": "click on a neuron",
    "step_ms": "step to a frame",
    "run_ms": "step to a run",
    "compare_ms": "a second run",
}


def cells(model: str) -> list[str]:
    make, options = MODELS[model]
    return [
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nimport torch\nimport canvaswidget as cw\n"
        f"from benchmarks import feel_kernel\ntorch.manual_seed(0)\n{make}",
        f"w = cw.CanvasWidget(runs, {options}faithfulness=False)\nw",
    ]


def measure(notebook: NotebookPage) -> dict[str, Any]:
    """Every act some times, each on what was not shown before."""
    view, page = notebook.widget, notebook.page
    view.wait_settled()
    height, width, n_frames = notebook.ask("[*w.inr.size, w.inr.n_frames]")
    keys = notebook.ask("list(runs)")

    def rest() -> None:
        view.wait_settled()
        notebook.wait_for(lambda: view.part("status").text_content(), "ready", "nothing to be under way")
        time.sleep(0.5)  # while it is idle the page asks for the next frames

    for i in range(TIMES):
        view.click_pixel((37 * i + 11) % height, (101 * i + 23) % width)
        rest()
        view.root.locator(f'.cw-thumb[data-index="{i}"][data-neuron]').click()
        rest()
        if n_frames > 1:
            notebook.execute(f"w.time = {(7 * i + 3) % n_frames}")  # not the next one, which is there already
            rest()
    for key in keys[:TIMES]:
        notebook.execute(f"w.run = {key!r}")
        view.wait_frame(run=key)
        rest()
    for key in keys[::-1][:TIMES]:
        view.part("compare").select_option(str(key))
        notebook.wait_for(
            lambda key=key: view.part("compared").get_attribute("data-run"), str(key), "the second"
        )
        rest()
    page.wait_for_timeout(1500)  # the page reports its times about once a second
    return notebook.ask("w.stats()")


def main() -> None:
    models = sys.argv[1:] or list(MODELS)
    with opened_browser() as browser, tempfile.TemporaryDirectory() as folder:
        if browser is None:
            sys.exit("no browser: install Chromium or Chrome, or set CANVASWIDGET_BROWSER to the program")
        files = Path(folder, "notebooks")
        files.mkdir()
        with JupyterServer(files, Path(folder, "jupyter")) as server:
            print(f"{describe_machine()}, Chromium {browser.version}, JupyterLab; kernel and page share it.")
            for model in models:
                notebook = nbformat.v4.new_notebook(
                    cells=[nbformat.v4.new_code_cell(text) for text in cells(model)],
                    metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
                )
                nbformat.write(notebook, files / f"{model}.ipynb")
                with server.ending_kernels():
                    page = browser.new_page(viewport={"width": 1400, "height": 1000})
                    page.set_default_timeout(TIMEOUT)
                    opened = NotebookPage(page, server.url(f"{model}.ipynb")).open()
                    opened.run_all()
                    stats = measure(opened)
                    page.close()
                one = stats["step_ms"] or stats["overlay_ms"]
                print(f"\n{model}")
                for name, words in ACTS.items():
                    found = stats[name]
                    if found:
                        ratio = found["p50"] / one["p50"]
                        print(
                            f"  {words:18}  n {found['n']:2}  p50 {found['p50']:6.0f} ms  p95 {found['p95']:6.0f} ms"
                            f"  {ratio:4.1f} times {'a step to a frame' if stats['step_ms'] else 'a click on a neuron'}"
                        )


if __name__ == "__main__":
    main()
