"""Small networks and signals that jobs name as ``tests.surveys.networks:function``."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

from canvaswidget.inr import INR, as_inr
from canvaswidget.models import FFN, NeRV
from canvaswidget.surveys import Job
from canvaswidget.tracing import Canvas

SIZE = (12, 16)


def picture(shift: int = 0) -> np.ndarray:
    """A picture of a few colours, one frame."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    waves = [np.sin((y + shift) / 3), np.cos(x / 4 + shift), np.sin((x + y) / 5)]
    return np.stack(waves, -1).astype(np.float32) * 0.4 + 0.5


def ffn(seed: int = 0, hidden: int = 6) -> INR:
    """A network with random weights, with its truth."""
    torch.manual_seed(seed)
    return as_inr(FFN(hidden=hidden, size=SIZE), truth=picture()[None], name="ffn")


def nothing() -> INR:
    raise ValueError("there is no such network")


def unfinished(folder: str, name: str, times: int) -> INR:
    """Kills its process so many times, then is a network; every start leaves a file."""
    path = Path(folder)
    starts = len(list(path.glob(f"{name}-*")))
    (path / f"{name}-{starts}").touch()
    if starts < times:
        os.kill(os.getpid(), signal.SIGKILL)
    return ffn()


def waiting(folder: str, name: str) -> INR:
    """Says which process makes it, and waits until it may go on."""
    path = Path(folder)
    (path / f"{name}.new").write_text(str(os.getpid()))
    (path / f"{name}.new").rename(path / f"{name}.pid")
    end = time.monotonic() + 600  # of a test that was killed
    while not (path / "go").exists() and time.monotonic() < end:
        time.sleep(0.02)
    return ffn()


def full_disk() -> INR:
    """From now on, its process can't write into files."""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most))
    return ffn()


def slow(seconds: float, seed: int = 0) -> INR:
    time.sleep(seconds)
    return ffn(seed)


def hungry(n_bytes: int) -> INR:
    """Takes more memory than its worker has."""
    held = []
    for _ in range(n_bytes // 2**24):
        held.append(np.ones(2**21))
        time.sleep(0.01)
    return ffn(len(held))


class Untraceable(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(x.numpy()).sum() * torch.ones(1, 3, *SIZE)


def untraceable() -> INR:
    return INR(Untraceable(), lambda frame: torch.ones(3), SIZE)


def counted(canvas: Canvas, job: Job, more: int) -> dict[str, float]:
    """A measurement of the user's."""
    return {"units": canvas.layers[-1].neurons[0] + more, "seed": job.seed}


def psnr(canvas: Canvas, job: Job) -> dict[str, float]:
    """A measurement of the user's that is called like one of the package's."""
    return {"psnr": -1.0}


def wrong(canvas: Canvas, job: Job, kind: str) -> float:
    """A measurement of the user's that fails."""
    if kind == "raises":
        raise AttributeError("it has no such thing")
    return 3.0


def video(seed: int = 0) -> INR:
    """Three frames of a network whose pictures differ."""
    torch.manual_seed(seed)
    return as_inr(NeRV(embed="pe_1.25_4", fc_dim=6, fc_hw="4_8", dec_strds=(2,), lower_width=4, n_frames=3))


def ffn_of(channels: int, truth: int) -> INR:
    """A network and a truth of so many channels."""
    torch.manual_seed(0)
    return as_inr(FFN(hidden=6, size=SIZE, channels=channels), truth=picture()[None, ..., :truth])


def ffn_of_size(height: int) -> INR:
    """A network of an image of so many rows."""
    torch.manual_seed(0)
    return as_inr(FFN(hidden=6, size=(height, 16)))
