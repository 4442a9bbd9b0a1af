"""Exact totals of whole layers under `gated`, beside carrying each kernel's whole term to the image.

The two are measured in turn on the same canvas. Where a layer takes longer than `--seconds`, its time is that of the
kernels done by then, scaled to all. Nothing here asserts anything.

    python benchmarks/sweeps.py                  nerv_bunny, and the last two blocks of an HNeRV decoder of 640x1280
    python benchmarks/sweeps.py --seconds 60     fewer layers are scaled
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from pathlib import Path
from typing import Any, cast

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.rules import models  # noqa: E402
from benchmarks.run import PeakMemory, describe_machine, show_time  # noqa: E402
from canvaswidget.tracing.layers import Layer  # noqa: E402
from canvaswidget.tracing.neurons import all_neurons  # noqa: E402
from canvaswidget.tracing.parallel import in_order  # noqa: E402
from canvaswidget.tracing.reduce import Totals  # noqa: E402

FRAME = 1
LAYERS = {"nerv": ("head_layer", "decoder.3", "decoder.2", "decoder.1"), "HNeRV": ("decoder.5", "decoder.4")}


def scaled(
    parts: Iterable[tuple[Sized, Any]], count: int, seconds: float, together: int = 1
) -> tuple[float, int]:
    """How long a sweep of `count` neurons takes, and how many were measured: those computed `together` all or not."""
    done, start = 0, time.perf_counter()
    for part, _ in parts:
        done += len(part)
        if time.perf_counter() - start > seconds and done % together == 0:
            break
    return (time.perf_counter() - start) / done * count, done


def shared(canvas: cw.Canvas, layer: Layer) -> Iterator[tuple[Sized, Any]]:
    """The sweep behind `canvas.summary`."""
    return canvas.matrix.sweep(layer, FRAME, "kernel", "each", False, Totals.of, in_c_order=False)


def one_by_one(canvas: cw.Canvas, layer: Layer) -> Iterator[tuple[Sized, Any]]:
    """The whole term of each kernel through the whole network behind it, some kernels at a time as memory allows."""
    state = cast(Any, canvas.matrix.frame(FRAME).state)
    found = canvas.matrix.capture.weighted[layer.name]
    state.prepare(found)

    @torch.no_grad()
    def compute(kernels: torch.Tensor) -> tuple[Sized, Any]:
        images = state.forward(found, found.terms(state.data(found), kernels.to(canvas.device), None))
        return kernels, Totals.of(images.permute(0, 2, 3, 1))

    parts = torch.split(all_neurons(layer, "kernel"), canvas.matrix.maps_at_a_time())
    return in_order(compute, parts, canvas.device)


def row(name: str, ours: float, theirs: float, note: str) -> None:
    print(
        f"{name:30} {show_time(ours):>10} {show_time(theirs):>12} {theirs / ours:8.1f}   {note}", flush=True
    )


def measure(title: str, inr: cw.INR, device: str, seconds: float) -> None:
    canvas = cw.trace(inr, "gated", device=device, progress=False)
    canvas.frame(FRAME)
    names = next((some for part, some in LAYERS.items() if part in title), ())
    layers = [canvas.layers.find(name) for name in names] or list(canvas.traced_layers)[::-1]
    ours_in_all = theirs_in_all = 0.0
    for layer in layers:
        count = layer.n_kernels
        for warm in (shared, one_by_one):
            next(warm(canvas, layer))
        before, some = scaled(one_by_one(canvas, layer), count, seconds / 2)
        with PeakMemory() as memory:
            ours, done = scaled(shared(canvas, layer), count, seconds, layer.n_units)
        after, more = scaled(one_by_one(canvas, layer), count, seconds / 2)
        theirs = (before + after) / 2
        note = f"{count:,} kernels, {min(done, count):,} and {min(some + more, count):,} of them measured"
        row(layer.name, ours, theirs, f"{note}; {memory.bytes / 2**20:.0f} MiB")
        ours_in_all, theirs_in_all = ours_in_all + ours, theirs_in_all + theirs
        row("  so far", ours_in_all, theirs_in_all, "")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seconds", type=float, default=20, help="that a layer may take, each way")
    given = parser.parse_args(arguments)
    print(f"{describe_machine(given.device)}, torch {torch.__version__}")
    for title, inr in models(given.device):
        print(f"\n{title}\n{'exact totals of':30} {'shared':>10} {'one by one':>12} {'times':>8}")
        measure(title, inr, given.device, given.seconds)


if __name__ == "__main__":
    main()
