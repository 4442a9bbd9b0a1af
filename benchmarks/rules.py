"""Rows and columns of every rule beside one forward pass, or one forward and backward, of the same model.

The two are measured in turn, again and again, so that whatever else the machine does meets both; the ratio is of their
medians. Nothing here asserts anything.

    python benchmarks/rules.py                 nerv_bunny and an HNeRV decoder of 640x1280
    python benchmarks/rules.py --device cuda   on a GPU
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.run import PeakMemory, describe_machine, show_time  # noqa: E402

BUDGET = 4.0  # seconds a row may take


def models(device: str) -> Iterator[tuple[str, cw.INR]]:
    folder = Path(os.environ.get("CANVASWIDGET_REFERENCE", ROOT.parent / "shared" / "reference"))
    if (folder / "nerv_bunny.safetensors").is_file():
        nerv = cw.models.load_model(folder / "nerv_bunny.safetensors").to(device)
        yield "nerv_bunny, 128x256", cw.INR.from_frames(nerv, 32)
    torch.manual_seed(0)
    decoder = cw.models.HNeRVDecoder().to(device)
    weights = sum(parameter.numel() for parameter in decoder.parameters())
    inr = cw.INR.from_embeddings(decoder, torch.randn(8, 16, 2, 4))
    yield f"HNeRV decoder, {inr.size[0]}x{inr.size[1]}, {weights:,} weights", inr


def timed(work: Callable[[], Any]) -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    start = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def ratio(work: Callable[[], Any], baseline: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds of `work`, and how many times those of `baseline`."""
    work(), baseline()
    ours: list[float] = []
    theirs: list[float] = []
    while len(ours) < 3 or (sum(ours) + sum(theirs) < BUDGET and len(ours) < 40):
        theirs.append(timed(baseline))
        ours.append(timed(work))
    middle = len(ours) // 2
    return sorted(ours)[middle], sorted(ours)[middle] / sorted(theirs)[middle]


def row(name: str, seconds: float, note: str) -> None:
    print(f"{name:58} {show_time(seconds):>10}   {note}", flush=True)


def measure(inr: cw.INR, device: str) -> None:
    frame, (y, x) = 1, (inr.size[0] // 2, inr.size[1] // 3)
    positional, _ = inr.arguments(frame)
    parameters = list(inr.module.parameters())

    def forward() -> None:
        inr.render(frame)

    def forward_and_backward() -> None:
        image = inr.image(inr.module(*positional))
        torch.autograd.grad(image[:, y, x].sum(), parameters, allow_unused=True)

    row("one forward", timed(forward), "")
    row("one forward and backward", ratio(forward_and_backward, forward)[0], "")
    for rule in ("xinc", "gated", "ablation"):
        measure_rule(cw.trace(inr, rule, device=device), frame, (y, x), forward, forward_and_backward)


def measure_rule(
    canvas: cw.Canvas,
    frame: int,
    pixel: tuple[int, int],
    forward: Callable[[], None],
    forward_and_backward: Callable[[], None],
) -> None:
    inr, rule = canvas.inr, canvas.rule
    canvas.frame(frame)
    middle = canvas.traced_layers[len(canvas.traced_layers) // 2]
    for layer in (canvas.traced_layers[0], middle):
        taken, times = ratio(lambda layer=layer: canvas.map(layer, (0, 0), frame), forward)
        row(f"{rule}: one map, {layer.name}", taken, f"{times:.2f} forwards")
    if rule != "ablation":
        taken, times = ratio(lambda: canvas.pixel(*pixel, frame), forward_and_backward)
        row(f"{rule}: one pixel, all layers", taken, f"{times:.2f} forwards and backwards")

        def by_layer() -> None:
            for layer in canvas.traced_layers:
                canvas.pixel(*pixel, frame, layer)

        taken, times = ratio(lambda: canvas.pixel(*pixel, frame), by_layer)
        row(f"{rule}: one pixel, all layers", taken, f"{times:.2f} of one layer after the other")
    else:
        layer = canvas.traced_layers[-2]
        units = list(range(min(layer.n_units, 16)))

        def rerun() -> None:
            for _ in units:
                inr.render(frame)

        taken, times = ratio(lambda: canvas.maps(layer, units, frame), rerun)
        row(
            f"ablation: {len(units)} units of {layer.name}",
            taken,
            f"{times:.2f} of running the model for each",
        )
    turn = iter(range(10**9))

    def change() -> None:
        canvas.frame(next(turn) % inr.n_frames)

    canvas.matrix.frames.memory = 1  # keep one frame only, so that each is computed
    taken, times = ratio(change, forward)
    row(f"{rule}: frame change", taken, f"{times:.2f} forwards")
    canvas.matrix.frames.memory = 2**28


def stream(inr: cw.INR, rule: str, device: str, count: int) -> None:
    """Kernel maps one chunk after another, kept nowhere; and what `estimate` said."""
    canvas = cw.trace(inr, rule, device=device)
    layer = next(one for one in canvas.traced_layers if one.n_kernels >= 2 * count)
    canvas.map(layer, (0, 0))
    seen, start = 0, time.perf_counter()
    with PeakMemory() as memory:
        for neurons, _ in canvas.iter(layer, granularity="kernel"):
            seen += len(neurons)
            if seen >= count:
                break
    taken = time.perf_counter() - start
    estimate = canvas.estimate(layer)
    expected = estimate.seconds / estimate.n_maps * seen
    measured, told = memory.bytes / 2**20, estimate.bytes / 2**20
    note = f"{measured:.0f} MiB at the most; estimated {expected:.2g} s and {told:.0f} MiB"
    row(f"{rule}: a stream of {seen:,} kernel maps of {layer.name}", taken, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--stream", type=int, default=1000, help="kernel maps of the stream")
    arguments = parser.parse_args()
    print(f"{describe_machine(arguments.device)}, torch {torch.__version__}")
    for title, inr in models(arguments.device):
        print(f"\n{title}")
        measure(inr, arguments.device)
        for rule, count in (("xinc", arguments.stream), ("gated", max(arguments.stream // 50, 1))):
            stream(inr, rule, arguments.device, count)
    print(f"\nat the most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB in all")


if __name__ == "__main__":
    main()
