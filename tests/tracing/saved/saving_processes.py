"""What processes do that save a canvas: one is killed, one replaces a file again and again."""

from __future__ import annotations

import os
import signal
from multiprocessing.synchronize import Barrier
from pathlib import Path

import canvaswidget as cw
from tests.canvases import video


def killed_save(path: Path, calls: int) -> None:
    """Save; the process is killed when progress is told for so many times."""
    left = calls

    def progress(done: int, total: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    cw.trace(video(), device="cpu").save(path, overwrite=True, progress=progress)


def replacing_saves(path: Path, times: int, all_ready: Barrier) -> None:
    """Save to the same file so many times, once everyone is ready."""
    canvas = cw.trace(video(), device="cpu")
    all_ready.wait()
    for number in range(times):
        canvas.save(path, frames=[number % 6], maps=1, layers=[1], overwrite=True, progress=False)
