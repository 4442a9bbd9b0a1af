"""The tracer on one device beside plain loops over the same model on it; asserts nothing.

For each model and each row: the time with full single precision and with TF32, the largest difference from the numbers
of the CPU as a part of their largest, peak memory, and a plain loop: the module run again for every neuron (as in
feature ablation), or differentiated for every pixel. Long loops are scaled from as much as fits in `--seconds`, and in
a row's share of what is left of `--minutes`; estimates that have to stop there say how good they are by then.

    python benchmarks/gpu.py                             5 minutes on a card
    python benchmarks/gpu.py --device cpu --model tiny --seconds 0.1     the same code, anywhere
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.rules import models  # noqa: E402
from benchmarks.run import PeakMemory, describe_machine, show_time  # noqa: E402
from canvaswidget.tracing.layers import Layer  # noqa: E402
from canvaswidget.tracing.reduce import Totals  # noqa: E402

FRAME = 1
ACCURACY = 0.05
SAMPLE = 4  # kernels of each layer whose maps are compared with the CPU's
SHARES = 4  # of a row's time: to warm up, with float32, with TF32, and the plain loop


@dataclass(frozen=True)
class Row:
    """What is measured: `work` with a limit in seconds gives how many of `count` are done by then."""

    name: str
    count: int
    work: Callable[[float], int]
    plain: Callable[[float], int]
    plain_count: int
    note: Callable[[], str] = str


def synchronised(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def timed(work: Callable[[float], int], count: int, seconds: float, device: torch.device) -> float:
    """Seconds for all of `count`, scaled where the limit ends it."""
    synchronised(device)
    start = time.perf_counter()
    done = work(seconds)
    synchronised(device)
    return (time.perf_counter() - start) / max(done, 1) * count


def peak(device: torch.device, work: Callable[[], float]) -> tuple[float, float]:
    """What `work` returns, and the most memory that it took over what was there before, in MiB.

    Of the card, or where there is none of the process.
    """
    if device.type != "cuda":
        with PeakMemory() as memory:
            result = work()
        return result, memory.bytes / 2**20
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    result = work()
    return result, (torch.cuda.max_memory_allocated(device) - before) / 2**20


@contextlib.contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """Let convolutions and products round to TF32, or not."""
    flags: Any = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = flags


def until(seconds: float, step: Callable[[int], int], count: int) -> int:
    """Call `step` with how many are done, until all are or the time is over."""
    done, start = 0, time.perf_counter()
    while done < count and (done == 0 or time.perf_counter() - start < seconds):
        done += step(done)
    return done


def swept(canvas: cw.Canvas, layer: Layer, rgb: str) -> Callable[[float], int]:
    """A sweep for totals over one layer: whole outputs only, since their kernels are computed together."""

    def work(seconds: float) -> int:
        sweep = canvas.matrix.sweep(layer, FRAME, None, rgb, False, Totals.of, in_c_order=False)
        done, start, count = 0, time.perf_counter(), layer.n_units if layer.grid else 1
        for part, _ in sweep:
            done += len(part)
            if time.perf_counter() - start > seconds and done % count == 0:
                break
        sweep.close()
        return done

    return work


class Sampled:
    """Totals of all layers, estimated to 5 % by passes that serve all of them, on a canvas that knows none yet."""

    def __init__(self, canvas: cw.Canvas) -> None:
        self.canvas = canvas
        self.widths: list[float] = []

    def __call__(self, seconds: float) -> int:
        fresh = cw.Canvas(self.canvas.matrix.capture, self.canvas.matrix.rule, self.canvas.memory)
        start = time.perf_counter()
        for found in fresh.improving_summaries(None, FRAME, ACCURACY, progress=False):
            self.widths = [summary.half_width for summary in found.values()]
            if time.perf_counter() - start > seconds:
                break
        return 1

    def reached(self) -> str:
        """How many layers are as accurate as asked for, and the widest interval."""
        good = sum(width <= ACCURACY for width in self.widths)
        return f"{good} of {len(self.widths)} layers to 5 %, the widest ± {max(self.widths):.0%}"


class Plain:
    """Loops over the module itself, with nothing but autograd."""

    def __init__(self, inr: cw.INR) -> None:
        self.inr = inr
        self.arguments, self.keywords = inr.arguments(FRAME)
        self.parameters = [one for one in inr.module.parameters() if one.requires_grad]

    def without_each(self, count: int) -> Callable[[float], int]:
        """The image once more for every neuron."""

        def step(done: int) -> int:
            with torch.no_grad():
                self.inr.image(self.inr.module(*self.arguments, **self.keywords))
            return 1

        return lambda seconds: until(seconds, step, count)

    def pixel(self, seconds: float) -> int:
        """The derivatives of one pixel by all weights."""
        image = self.inr.image(self.inr.module(*self.arguments, **self.keywords))
        height, width = self.inr.size
        torch.autograd.grad(image[:, height // 2, width // 3].sum(), self.parameters, allow_unused=True)
        return 1


def rows(inr: cw.INR, device: torch.device) -> Iterator[Row]:
    plain, (height, width) = Plain(inr), inr.size
    gated = cw.trace(inr, "gated", device=device, progress=False)
    ablation = gated.under("ablation")
    for canvas in (gated, ablation):
        canvas.frame(FRAME)
    with contextlib.suppress(cw.UntraceableError):
        xinc = gated.under("xinc")
        count = sum(layer.n_kernels if layer.grid else layer.n_units for layer in xinc.traced_layers)
        yield Row("xinc, whole canvas", count, all_of(xinc), plain.without_each(count), count)
    for layer in reversed(gated.traced_layers):
        count = int(np.prod(layer.neurons))
        work = swept(gated, layer, "each")
        yield Row(f"gated, exact totals, {layer.name}", count, work, plain.without_each(count), count)
    count, sampled = sum(int(np.prod(layer.neurons)) for layer in gated.traced_layers), Sampled(gated)
    yield Row("gated, all totals to 5 %", 1, sampled, plain.without_each(count), count, sampled.reached)
    pixel = height // 2, width // 3
    yield Row("gated, a pixel", 1, lambda seconds: len([gated.pixel(*pixel, FRAME)]), plain.pixel, 1)
    layer = gated.traced_layers[len(gated.traced_layers) // 2]
    neuron = (0, 0) if layer.grid else 0
    yield Row(
        "gated, a map", 1, lambda seconds: len([gated.map(layer, neuron, FRAME)]), plain.without_each(1), 1
    )
    last = ablation.traced_layers[-2 if len(ablation.traced_layers) > 1 else -1]
    count = int(np.prod(last.neurons))
    work = swept(ablation, last, "each")
    yield Row(f"ablation, sweep of {last.name}", count, work, plain.without_each(count), count)


def all_of(canvas: cw.Canvas) -> Callable[[float], int]:
    """A sweep of every layer."""
    parts = [swept(canvas, layer, "sum") for layer in canvas.traced_layers]
    return lambda seconds: sum(part(seconds / len(parts)) for part in parts)


def answers(canvas: cw.Canvas) -> list[np.ndarray]:
    """Numbers to compare two devices by: the image, a pixel of every layer, some maps of each."""
    height, width = canvas.inr.size
    found = [canvas.frame(FRAME)]
    if canvas.can_sample:  # a column of any other rule is read off all maps, which may take days
        found += canvas.pixel(height // 2, width // 3, FRAME, rgb="each").values()
    for layer in canvas.traced_layers:
        count = int(np.prod(layer.neurons))
        chosen = layer.neurons_at(np.linspace(0, count - 1, min(SAMPLE, count)).astype(int))
        found.append(canvas.maps(layer, chosen, FRAME, rgb="each"))
    return found


def difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """The largest difference of any answer, as a part of its largest number."""
    return max(
        float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-30))
        for one, other in zip(ours, theirs, strict=True)
    )


def measure(inr: cw.INR, device: torch.device, seconds: float, end: float) -> None:
    """The table of a model, each row in its share of the time until `end`."""
    print(f"{'':44} {'float32':>10} {'TF32':>10} {'memory':>10} {'plain loop':>12} {'times':>8}")
    measured = list(rows(inr, device))
    for number, row in enumerate(measured):
        left = max(end - time.perf_counter(), 0.0) / (len(measured) - number)
        limit = min(seconds, left / SHARES)
        with tf32(False):
            row.work(min(limit, 0.5))  # choose kernels, compute gates
            taken, memory = peak(
                device, lambda row=row, limit=limit: timed(row.work, row.count, limit, device)
            )
            note = row.note()
            row.plain(0)
            theirs = timed(row.plain, row.plain_count, limit / 2, device)
        with tf32(True):
            row.work(min(limit, 0.2))
            rounded = timed(row.work, row.count, limit, device)
        print(
            f"{row.name:44} {show_time(taken):>10} {show_time(rounded):>10} {memory:>6.0f} MiB {show_time(theirs):>12} "
            f"{theirs / taken:8.1f}   {note}",
            flush=True,
        )


def compare(inr: cw.INR, on_cpu: cw.INR, device: torch.device) -> None:
    for rule in ("gated", "ablation"):
        expected = answers(cw.trace(on_cpu, rule, device="cpu", progress=False))
        canvas = cw.trace(inr, rule, device=device, progress=False)
        found = []
        for allowed in (False, True):
            with tf32(allowed):
                fresh = cw.Canvas(canvas.matrix.capture, canvas.matrix.rule, canvas.memory)
                found.append(difference(answers(fresh), expected))
        single, rounded = found
        print(
            f"{rule}: float32 is within {single:.1e} of the CPU's largest number, TF32 within {rounded:.1e}"
        )


def chosen_models(name: str, device: str) -> Iterator[tuple[str, cw.INR]]:
    if name == "tiny":
        torch.manual_seed(0)
        model = cw.models.NeRV(embed="pe_1.25_4", fc_dim=4, fc_hw="3_4", dec_strds=(2, 2), n_frames=3)
        yield "a tiny NeRV", cw.as_inr(model.to(device))
    else:
        yield from ((title, inr) for title, inr in models(device) if name in title.lower())


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--model", default="", help="only those whose name contains this: nerv_bunny, hnerv; or tiny"
    )
    parser.add_argument("--seconds", type=float, default=3, help="that a row may take, each way")
    parser.add_argument("--minutes", type=float, default=5, help="that all may take together")
    given = parser.parse_args(arguments)
    device = torch.device(given.device)
    print(f"{describe_machine(given.device)}, torch {torch.__version__}")
    end = time.perf_counter() + 60 * given.minutes
    on_cpu = dict(chosen_models(given.model, "cpu"))
    chosen = list(chosen_models(given.model, given.device))
    for number, (title, inr) in enumerate(chosen):
        now = time.perf_counter()
        print(f"\n{title}")
        compare(inr, on_cpu[title], device)
        measure(inr, device, given.seconds, now + (end - now) / (len(chosen) - number))
    print(f"\n{time.perf_counter() - end + 60 * given.minutes:.0f} s in all")


if __name__ == "__main__":
    main()
