"""How cost grows with kernels, pixels and frames, two decades of each; a straight line has the exponent 1.

python benchmarks/scaling.py
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import canvaswidget as cw


class Decoder(nn.Module):
    """A learned grid, one block of pixel shuffle by 2, a head."""

    def __init__(self, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, channels, *grid))
        self.conv = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.head = nn.Conv2d(channels, 3, 3, padding=1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        return self.head(nn.functional.gelu(nn.functional.pixel_shuffle(self.conv(self.grid + t), 2)))


def maps(rule: str, count: int) -> Callable[[], None]:
    """The first `count` kernels of one model; under `gated` more kernels of a wider one would each cost more too."""
    torch.manual_seed(0)
    canvas = cw.trace(cw.INR.from_frames(Decoder(40, (24, 32)), 1), rule)

    def run() -> None:
        seen = 0
        for neurons, _ in canvas.iter("conv"):
            seen += len(neurons)
            if seen >= count:
                return

    canvas.map("conv", (0, 0))
    return run


def sweep(rule: str, channels: int, grid: tuple[int, int], n_frames: int) -> Callable[[], None]:
    torch.manual_seed(0)
    canvas = cw.trace(cw.INR.from_frames(Decoder(channels, grid), n_frames), rule)

    def run() -> None:
        for frame in range(n_frames):
            canvas._summaries.clear()
            canvas.summary("conv", frame)

    canvas.map("conv", (0, 0))
    return run


def curve(title: str, counts: Sequence[int], make: Callable[[int], Callable[[], None]]) -> None:
    seconds = []
    for count in counts:
        run = make(count)
        taken = []
        while len(taken) < 3 or sum(taken) < 0.3:
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
            if taken[0] > 2:
                break
        seconds.append(min(taken))
    exponent = np.polyfit(np.log(counts[1:]), np.log(seconds[1:]), 1)[0]
    points = "  ".join(
        f"{count:,}: {1000 * taken:.3g} ms" for count, taken in zip(counts, seconds, strict=True)
    )
    print(f"{title:28} {points}   exponent {exponent:.2f}", flush=True)


def main() -> None:
    for rule in ("xinc", "gated"):
        curve(
            f"{rule}: kernels",
            [64, 256, 1024, 6400],
            lambda n, rule=rule: maps(rule, n),
        )
        curve(
            f"{rule}: pixels",
            [4 * h * h * 2 for h in (10, 20, 40, 100)],
            lambda n, rule=rule: sweep(rule, 4, (round((n / 8) ** 0.5), 2 * round((n / 8) ** 0.5)), 1),
        )
        curve(f"{rule}: frames", [1, 3, 10, 30, 100], lambda n, rule=rule: sweep(rule, 4, (24, 32), n))


if __name__ == "__main__":
    main()
