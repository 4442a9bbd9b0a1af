"""Checkpoints of one network as runs: exchanging weights beside tracing anew, and 200 of them in little memory.

Times are of the processor, which other work on the machine changes least; each ratio is of one run of this program.
Nothing here asserts anything.

    python benchmarks/runs.py
"""

from __future__ import annotations

import functools
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.run import describe_machine, show_time  # noqa: E402
from canvaswidget.tracing.exchange import exchange  # noqa: E402

REPEATS = 9
CHECKPOINTS = 200
MEMORY = 2**26


def seconds(inrs: list[cw.INR], function: Callable[[cw.INR], object]) -> float:
    """Of the processor, the median of a call for each network."""
    times = []
    for inr in inrs:
        start = time.process_time()
        function(inr)
        times.append(time.process_time() - start)
    return sorted(times)[len(times) // 2]


def first_frame(canvas: cw.Canvas, inr: cw.INR) -> None:
    """Exchange the weights of a canvas for those of another network, and show that."""
    exchange(canvas, inr).frame(0)


def other(inr: cw.INR, seed: int) -> cw.INR:
    """The network with weights that differ a little."""
    generator = torch.Generator().manual_seed(seed)
    return inr.with_weights(
        {
            name: tensor + 0.01 * tensor.std() * torch.randn(tensor.shape, generator=generator)
            if tensor.is_floating_point() and tensor.numel() > 1
            else tensor
            for name, tensor in inr.module.state_dict().items()
        }
    )


def main() -> None:
    print(describe_machine(), end="\n\n")
    print("| network | a forward | trace anew, first frame | exchange weights, first frame | ratio |")
    print("|---|---:|---:|---:|---:|")
    for inr in (cw.demo.image(), cw.demo.video()):
        canvas = cw.trace(inr, "gated", progress=False)
        canvas.frame(0)
        others = [other(inr, seed) for seed in range(REPEATS)]
        forward = seconds(others, lambda one: one.frame(0))
        anew = seconds(others, lambda one: cw.trace(one, "gated", progress=False).frame(0))
        exchanged = seconds(others, functools.partial(first_frame, canvas))
        row = [inr.name, *map(show_time, (forward, anew, exchanged)), f"{anew / exchanged:.3g}"]
        print(f"| {' | '.join(row)} |")

    inr = cw.demo.image()
    with tempfile.TemporaryDirectory() as folder:
        recorder = cw.Recorder(folder, every=1)
        for step in range(CHECKPOINTS):
            recorder(step, other(inr, step).module, loss=1 / (step + 1))
        start = time.process_time()
        runs = cw.Runs.from_checkpoints(inr, folder, rule="gated", memory=MEMORY)
        opened = time.process_time() - start
        for key in list(runs)[:20]:
            runs[key].pixel(10, 20)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        for key in runs:
            runs[key].pixel(10, 20)
        each = (time.process_time() - start) / CHECKPOINTS
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        held = sum(canvas.held_bytes for canvas in runs._kept.values()) / 2**20
    print(
        f"\n{CHECKPOINTS} checkpoints of the demo's image, memory={MEMORY / 2**20:.0f} MiB: opened in "
        f"{show_time(opened)}; a pixel of each in {show_time(each)}; {held:.0f} MiB held at the end; the process's "
        f"peak grew by {grown:.0f} MiB"
    )


if __name__ == "__main__":
    main()
