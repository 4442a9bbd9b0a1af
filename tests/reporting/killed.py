"""A report of a small network that is killed at one of its renames or removals in the folder, or before the first."""

from __future__ import annotations

import os
import signal
import sys

import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.reporting import report as reporting


def killed_report(folder: str, event: str, number: int) -> None:
    """Write it; the process is killed half way (`"progress"`) or at an audit event's occurrence of that number."""
    reporting.drawings = lambda *_: iter(())
    done = []

    def audit(name: str, given: tuple[object, ...]) -> None:
        if name == event and any(folder in str(one) for one in given):
            done.append(name)
            if len(done) == number:
                os.kill(os.getpid(), signal.SIGKILL)

    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 6), nn.ReLU(), nn.Linear(6, 3))
    canvas = cw.trace(cw.INR.from_coords(net, (8, 9)), "gated", progress=False)
    if event == "progress":
        cw.report(
            canvas, folder, progress=lambda n, total: n > total / 2 and os.kill(os.getpid(), signal.SIGKILL)
        )
    sys.addaudithook(audit)
    cw.report(canvas, folder, progress=False)
