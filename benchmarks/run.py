"""Time and peak memory of the tracer beside a baseline measured in the same run; asserts nothing.

Each case runs in a process of its own, so that its peak memory is its own.

    python benchmarks/run.py            all cases
    python benchmarks/run.py canvas     those whose name contains "canvas"
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


@dataclass(frozen=True)
class Case:
    """`work` prepares and gives what is measured; `baseline` names the case it is compared with."""

    name: str
    work: Callable[[], Callable[[], Any]]
    baseline: str | None = None


def reference() -> Path:
    folder = Path(os.environ.get("CANVASWIDGET_REFERENCE", ROOT.parent / "shared" / "reference"))
    if not folder.is_dir():
        sys.exit("no reference data: set CANVASWIDGET_REFERENCE to the folder")
    return folder


def nerv_bunny() -> Any:
    import canvaswidget as cw

    model = cw.models.load_model(reference() / "nerv_bunny.safetensors")
    return cw.INR.from_frames(model, 32)


def whole_canvas() -> Callable[[], Any]:
    import canvaswidget as cw

    canvas = cw.trace(nerv_bunny())
    canvas.frame(8)
    return lambda: [canvas.summary(layer, 8) for layer in canvas.traced_layers]


def materialised(function: Callable[[Any], Any]) -> Callable[[], Any]:
    """`function` of every layer's maps ``(n_in, n_out, height, width)``, all of a layer at once."""
    import torch

    from tests.oracle import ConvBlock, conv_maps

    model: Any = nerv_bunny().module
    strides = model.config["dec_strds"]
    blocks = [ConvBlock(b.conv.upconv[0], s, b.act) for b, s in zip(model.decoder[1:], strides, strict=True)]
    blocks.append(ConvBlock(model.head_layer))
    with torch.no_grad():
        stem = model.decoder[0](model.positional_encoding(torch.tensor([0.25])))
        x = stem.view(1, -1, 8, 16)

    @torch.no_grad()
    def run() -> list[Any]:
        results, inputs = [], x
        for index, block in enumerate(blocks):
            results.append(function(conv_maps(blocks[index:], inputs).abs_()))
            if block.activation is not None:
                inputs = block.activation(
                    torch.nn.functional.pixel_shuffle(block.conv(inputs), block.upscale)
                )
        return results

    return run


def whole_canvas_materialised() -> Callable[[], Any]:
    return materialised(lambda maps: (maps.sum((2, 3)), maps.sum((0, 1))))


def distributions() -> Callable[[], Any]:
    import canvaswidget as cw
    from canvaswidget.analysis.distribution import distribution

    canvas = cw.trace(nerv_bunny())
    canvas.frame(8)
    return lambda: [distribution(canvas, layer, 8) for layer in canvas.traced_layers]


def distributions_sorted(sort: Callable[[Any], Any]) -> Callable[[], Any]:
    """Both statistics as they are defined: everything sorted, and added up from the largest on."""
    import numpy as np

    def both(maps: Any) -> Any:
        n = maps.shape[0] * maps.shape[1]
        pixels = [(unit > maps.sum((0, 1)) / n).sum((1, 2)) for unit in maps]
        ordered = sort(maps)
        # From the smallest on, so that nothing has to be turned round.
        reached = np.cumsum(ordered, dtype=np.float64)
        counts = []
        for level in (0.1, 0.5):
            threshold = float(ordered[np.searchsorted(reached, level * reached[-1], side="right")])
            counts.append(sum((unit >= threshold).sum(0) for unit in maps))
        return pixels, counts

    return materialised(both)


def distributions_sorted_by_torch() -> Callable[[], Any]:
    return distributions_sorted(lambda maps: maps.flatten().sort().values.numpy())


def distributions_sorted_by_numpy() -> Callable[[], Any]:
    import numpy as np

    return distributions_sorted(lambda maps: np.sort(maps.numpy(), axis=None))


def whole_report() -> Callable[[], Any]:
    import canvaswidget as cw

    canvas = cw.trace(nerv_bunny())
    folder = tempfile.mkdtemp()
    return lambda: cw.report(canvas, folder, 8, frames=[8], progress=False)


def one_pixel() -> Callable[[], Any]:
    import canvaswidget as cw

    canvas = cw.trace(nerv_bunny())
    canvas.pixel(0, 0, 8)
    return lambda: canvas.pixel(60, 100, 8)


def one_map() -> Callable[[], Any]:
    import canvaswidget as cw

    canvas = cw.trace(nerv_bunny())
    canvas.map("decoder.1", (0, 0), 8)
    return lambda: canvas.map("decoder.1", (3, 4), 8)


def one_forward() -> Callable[[], Any]:
    inr = nerv_bunny()
    inr.render(0)
    return lambda: inr.render(8)


CASES = [
    Case("whole canvas, materialised oracle", whole_canvas_materialised),
    Case("whole canvas, streamed", whole_canvas, "whole canvas, materialised oracle"),
    Case("distributions, all sorted by torch", distributions_sorted_by_torch),
    Case("distributions, all sorted by NumPy", distributions_sorted_by_numpy),
    Case("distributions, streamed", distributions, "distributions, all sorted by torch"),
    Case("distributions, streamed, once more", distributions, "distributions, all sorted by NumPy"),
    Case("the whole report, one frame", whole_report, "whole canvas, materialised oracle"),
    Case("one forward pass", one_forward),
    Case("one pixel, all kernels of all layers", one_pixel, "one forward pass"),
    Case("one kernel's map", one_map, "one forward pass"),
]


class PeakMemory:
    """In a ``with``: `bytes` of memory at the most, over what was used before."""

    def __enter__(self) -> PeakMemory:
        self._process, self._stop = psutil.Process(), threading.Event()
        self._before = self._peak = self._process.memory_info().rss
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            self.look()

    def look(self) -> None:
        """Take what is used now into account."""
        self._peak = max(self._peak, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self.look()
        self._stop.set()
        self._watcher.join()

    @property
    def bytes(self) -> int:
        return self._peak - self._before


def measure(name: str) -> dict[str, float]:
    """Run one case: seconds (the median of several runs where it is short), peak memory over what was there before."""
    case = next(case for case in CASES if case.name == name)
    run = case.work()
    seconds: list[float] = []
    with PeakMemory() as memory:
        while not seconds or (sum(seconds) < 2 and len(seconds) < 50):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
            memory.look()
            if "materialised" in name or "sorted" in name:
                break
    return {"seconds": sorted(seconds)[len(seconds) // 2], "bytes": memory.bytes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pattern", nargs="?", default="", help="run the cases whose name contains this")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    import torch

    print("nerv_bunny: 23,930 kernels in 4 layers x 128x256 pixels, rule xinc.")
    print(f"{describe_machine()}, torch {torch.__version__}\n")
    print(f"{'case':38} {'time':>10} {'peak memory':>12}   against its baseline")
    context = multiprocessing.get_context("spawn")
    rows: dict[str, dict[str, float]] = {}
    for case in CASES:
        if arguments.pattern not in case.name:
            continue
        with ProcessPoolExecutor(1, context) as pool:
            rows[case.name] = row = pool.submit(measure, case.name).result()
        memory = f"{row['bytes'] / 2**20:8.0f} MiB"
        print(f"{case.name:38} {show_time(row['seconds']):>10} {memory}   {compare(case, rows)}", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


def compare(case: Case, rows: dict[str, dict[str, float]]) -> str:
    if case.baseline not in rows:
        return ""
    ours, baseline = rows[case.name], rows[case.baseline]
    times = f"{baseline['seconds'] / ours['seconds']:.3g} x as fast as {case.baseline!r}"
    if case.baseline == "one forward pass":
        return f"{ours['seconds'] / baseline['seconds']:.2g} x the time of {case.baseline!r}"
    return f"{times}, {baseline['bytes'] / max(ours['bytes'], 2**20):.3g} x less memory"


def show_time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def describe_machine(device: str = "cpu") -> str:
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"


if __name__ == "__main__":
    main()
