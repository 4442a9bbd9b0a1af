"""Weights at some steps of a training, closest together at its start."""

from __future__ import annotations

import numpy as np
import torch

from canvaswidget import media
from canvaswidget.fitting.tasks import FrameTask
from canvaswidget.runs.checkpoints import Checkpoint

EARLIEST = 1e-4  # of a training: the first snapshot after its start


class Snapshots:
    """Takes them as a training goes on.

    Parameters
    ----------
    count : int or None
        How many at most, the first and the last step among them; None or 0 for none.
    """

    def __init__(self, task: FrameTask, count: int | None) -> None:
        self.taken: dict[int, Checkpoint] = {}
        self._task = task
        self._due: list[float] = [] if not count else [0.0, *np.geomspace(EARLIEST, 1, max(1, count - 1))]

    def take(self, step: int, done: float, psnr: float | None = None) -> None:
        """Take one where it is due; the PSNR is measured where it is not known."""
        is_due = bool(self._due) and done >= self._due[0]
        self._due = [part for part in self._due if part > done]
        if is_due and step not in self.taken:
            psnr = media.mean_psnr(self._task.frame_psnr()) if psnr is None else psnr
            weights, extra = _copies(self._task.module.state_dict()), _copies(self._task.extra)
            self.taken[step] = Checkpoint(self._task.inr_of(weights, extra), {"psnr": psnr})


def _copies(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
