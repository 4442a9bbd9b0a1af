"""Fit the paper's NeRV to the bunny clip on the processor: PSNR against time.

Prints a table row, and with ``--record`` writes the curve beside this file. The clip is `bunny.mp4` in the
folder that CANVASWIDGET_REFERENCE names, else in ../shared/reference.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path

import torch

from canvaswidget.fitting.fit import fit
from canvaswidget.fitting.result import Fit
from canvaswidget.models import NeRV

HERE = Path(__file__).parent
GOAL = 27.0  # dB, to be reached within 10 minutes on two cores
HEAD = "| model | clip | threads | epochs | PSNR | worst frame | 27 dB after | wall | processor |"


def find_clip() -> Path | None:
    """The clip, where there is one."""
    folder = Path(os.environ.get("CANVASWIDGET_REFERENCE") or HERE.parent.parent / "shared" / "reference")
    return path if (path := folder / "bunny.mp4").is_file() else None


def measure(clip: Path, epochs: float, progress: bool) -> Fit:
    torch.manual_seed(0)
    return fit(NeRV(n_frames=32), clip, epochs=epochs, device="cpu", progress=progress)


def row(result: Fit) -> str:
    weights = sum(parameter.numel() for parameter in result.model.parameters())
    reached = result.seconds[result.psnr >= GOAL]
    cells = [
        f"NeRV, {weights:,} weights",
        "bunny, 32 x 128x256",
        str(torch.get_num_threads()),
        f"{result.epochs:.0f}",
        f"{result.best:.2f} dB",
        f"{result.frame_psnr.min():.2f} dB",
        f"{reached[0]:.0f} s" if len(reached) else "not reached",
        f"{result.seconds[-1]:.0f} s",
        f"{result.cpu_seconds:.0f} s",
    ]
    return f"| {' | '.join(cells)} |"


def record(result: Fit, path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["step", "psnr_db", "wall_seconds"])
        curve = zip(result.step, result.psnr, result.seconds, strict=True)
        writer.writerows([int(step), f"{psnr:.3f}", f"{seconds:.1f}"] for step, psnr, seconds in curve)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=float, default=150)
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--record", action="store_true", help="write the curve to fit_bunny.csv")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args()
    clip = find_clip()
    if clip is None:
        print("fit_bunny: skipped, no bunny.mp4 (set CANVASWIDGET_REFERENCE to its folder)", file=sys.stderr)
        return 0
    torch.set_num_threads(options.threads)
    result = measure(clip, options.epochs, not options.quiet)
    print(HEAD, "|---" * (HEAD.count("|") - 1) + "|", row(result), sep="\n")
    if options.record:
        record(result, HERE / "fit_bunny.csv")
    return 0


if __name__ == "__main__":
    sys.exit(main())
