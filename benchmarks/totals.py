"""Totals of all neurons under `gated`: estimated from a few passes, and exact three ways, in turn on one canvas.

The exact ways are a sweep over the maps (each neuron's, in shared passes), the columns of all pixels, and each kernel's
whole term carried to the image. Where one takes longer than `--seconds`, its time is that of the part done by then,
scaled to all. Ratios are of processor time, which other work on the machine changes least. Nothing here asserts
anything.

    python benchmarks/totals.py                  nerv_bunny, and the last two blocks of an HNeRV decoder of 640x1280
    python benchmarks/totals.py --seconds 60     more exact totals to compare the estimates with
    python benchmarks/totals.py nerv             the models whose title contains "nerv"
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.rules import models  # noqa: E402
from benchmarks.run import describe_machine, show_time  # noqa: E402
from benchmarks.sweeps import FRAME, LAYERS, one_by_one, shared  # noqa: E402
from canvaswidget.tracing.layers import Layer  # noqa: E402
from canvaswidget.tracing.reduce import Summary, summarise  # noqa: E402
from canvaswidget.tracing.sampling import exact_passes, sampled  # noqa: E402
from canvaswidget.tracing.tallies import Sample  # noqa: E402

ACCURACY = 0.05


@dataclass(frozen=True)
class Taken:
    """Seconds on the clock and of the processor, and which part of the work they are of."""

    clock: float
    processor: float
    part: float = 1.0

    def __str__(self) -> str:
        return show_time(self.clock / self.part) + ("" if self.part == 1 else " (scaled)")

    def times(self, other: Taken) -> str:
        """How many times as long as another."""
        return f"{self.processor / self.part / (other.processor / other.part):.3g}"


class Watch:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self.clock, self.processor = time.perf_counter(), time.process_time()

    def taken(self, part: float = 1.0) -> Taken:
        return Taken(time.perf_counter() - self.clock, time.process_time() - self.processor, part)


class Limited:
    """The parts of a sweep until its time is up; `done` neurons, of `together` all or not."""

    def __init__(self, parts: Iterator[tuple[Any, Any]], seconds: float, together: int = 1) -> None:
        self.parts, self.seconds, self.together, self.done = parts, seconds, together, 0

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        start = time.perf_counter()
        for neurons, found in self.parts:
            self.done += len(neurons)
            yield neurons, found
            if time.perf_counter() - start > self.seconds and self.done % self.together == 0:
                return


def first_look(canvas: cw.Canvas, layers: list[Layer]) -> tuple[Taken, int]:
    """The first estimates, and of how many passes, on a canvas that has not sampled these layers before."""
    watch = Watch()
    found = next(iter(canvas.improving_summaries(layers, FRAME, ACCURACY)))
    return watch.taken(), max(summary.passes for summary in found.values())


def estimated(canvas: cw.Canvas, layer: Layer) -> tuple[Taken, Summary]:
    watch = Watch()
    found = canvas.summary(layer, FRAME, ACCURACY)
    return watch.taken(), found


def swept(canvas: cw.Canvas, layer: Layer, seconds: float) -> tuple[Taken, Summary | None]:
    """The exact totals, None where time was up."""
    parts = Limited(shared(canvas, layer), seconds, layer.n_units)
    watch = Watch()
    found = summarise(layer, FRAME, "kernel", canvas.inr.size, parts, "abs")
    return watch.taken(parts.done / layer.n_kernels), found if parts.done == layer.n_kernels else None


def whole_terms(canvas: cw.Canvas, layer: Layer, seconds: float) -> Taken:
    parts = Limited(one_by_one(canvas, layer), seconds)
    watch = Watch()
    exhaust(parts)
    return watch.taken(parts.done / layer.n_kernels)


def columns(canvas: cw.Canvas, layer: Layer, seconds: float) -> Taken:
    """The columns of all pixels: as many passes as fit, of a sample that would go on to the last."""
    sample = Sample(FRAME, None, "abs", 0)
    watch, before = Watch(), 0
    for found in sampled(canvas.matrix, [layer], sample, 0.0):
        before = found[layer.name].passes
        if time.perf_counter() - watch.clock > seconds:
            break
    drawn = sample.tallies[layer.name].drawn
    # All that the exact way does without are the passes that see all pixels at once.
    return watch.taken(before / (before - drawn + exact_passes(canvas.matrix, layer, "abs")))


def exhaust(parts: Iterable[Any]) -> None:
    for _ in parts:
        pass


def compared(found: Summary, exact: Summary | None) -> str:
    """The errors of an estimate."""
    if exact is None:
        return f"±{found.half_width:.1%}, true error not measured"
    truth, guess = (one.neuron_abs.ravel().astype(np.float64) for one in (exact, found))
    alive = truth > 0
    error = np.median(np.abs(guess[alive] / truth[alive] - 1))
    rank: Any = stats.spearmanr(truth, guess)
    inside = ""
    if found.low is not None and found.high is not None:
        held = (found.low.ravel() <= truth) & (truth <= found.high.ravel())
        inside = f", {held[alive].mean():.0%} of intervals hold the total"
    return f"±{found.half_width:.1%}, median true error {error:.1%}, rank correlation {rank.statistic:.4f}{inside}"


def measure(title: str, inr: cw.INR, seconds: float) -> None:
    names = next(names for part, names in LAYERS.items() if part in title)
    for name in names:
        canvas = cw.trace(inr, "gated", progress=False)
        canvas.frame(FRAME)
        layer = canvas.layers.find(name)
        look, passes = first_look(canvas, [layer])
        print(f"\n{name}, {layer.n_kernels:,} kernels; load {os.getloadavg()[0]:.0f}")
        print(f"  first look          {look!s:>20}   {passes} passes", flush=True)
        estimate, found = estimated(canvas, layer)
        exhaust(Limited(shared(canvas, layer), 0, 1))
        sweep, exact = swept(canvas, layer, seconds)
        print(f"  estimate            {estimate!s:>20}   {found.passes} passes; {compared(found, exact)}")
        for way, taken in (
            ("exact, shared passes", sweep),
            ("exact, columns", columns(canvas, layer, seconds)),
            ("exact, whole terms", whole_terms(canvas, layer, seconds)),
        ):
            print(f"  {way:20}{taken!s:>20}   {taken.times(estimate)} times the estimate", flush=True)
    canvas = cw.trace(inr, "gated", progress=False)
    canvas.frame(FRAME)
    look, passes = first_look(canvas, [canvas.layers.find(name) for name in names])
    print(f"\nall of these layers from the same passes\n  first look          {look!s:>20}   {passes} passes")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("pattern", nargs="?", default="", help="measure the models whose title contains this")
    parser.add_argument("--seconds", type=float, default=10, help="that an exact way may take")
    given = parser.parse_args(arguments)
    print(f"{describe_machine()}, torch {torch.__version__}, accuracy {ACCURACY:.0%}, rule gated")
    for title, inr in models("cpu"):
        if given.pattern in title:
            print(f"\n{title}")
            measure(title, inr, given.seconds)


if __name__ == "__main__":
    main()
