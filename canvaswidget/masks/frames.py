"""The frames that masks are painted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import nn

from canvaswidget.arguments import as_array, wrong_type
from canvaswidget.inr import INR, as_inr
from canvaswidget.inr.module_state import CALLS, unchanged
from canvaswidget.inr.outputs import in_colour
from canvaswidget.tracing import Canvas
from canvaswidget.widget.widget import CanvasWidget

Bytes = npt.NDArray[np.uint8]


class Frames:
    """What is painted on, as bytes ``(height, width, 3)``."""

    def __init__(self, source: npt.ArrayLike | INR | nn.Module | Canvas | CanvasWidget) -> None:
        painted: Any = source.inr if isinstance(source, CanvasWidget | Canvas) else source
        if isinstance(painted, nn.Module):
            painted = as_inr(painted)
        self._inr = painted if isinstance(painted, INR) else None
        self._kept: tuple[int, Bytes] | None = None
        if isinstance(painted, INR):
            self._frames = painted.truth
            self.size, self.n_frames = painted.size, painted.n_frames
            return
        array = as_array(painted)
        if array is None or array.dtype.kind not in "buif":
            raise wrong_type(
                "frame",
                source,
                "an array (height, width[, 3]) or (n_frames, height, width, 3), an INR, a canvas or a widget",
            )
        frames = array.astype(np.float32, copy=False)
        given = frames.shape
        if frames.ndim == 2:
            frames = np.repeat(frames[..., None], 3, -1)
        if frames.ndim == 3:
            frames = frames[None]
        if frames.ndim != 4 or frames.shape[-1] != 3 or 0 in frames.shape:
            raise ValueError(
                f"frame: has shape {given}; expected (height, width[, 3]) or (n_frames, height, width, 3)"
            )
        self._frames = frames
        self.size, self.n_frames = (frames.shape[1], frames.shape[2]), len(frames)

    def frame(self, time: int) -> Bytes:
        """One of them."""
        if self._kept is None or self._kept[0] != time:
            assert self._frames is not None or self._inr is not None
            if self._frames is None and self._inr:
                with CALLS, unchanged(self._inr.module):
                    values = self._inr.frame(time)
            else:
                values = np.asarray(self._frames)[time]
            self._kept = time, np.rint(255 * np.clip(in_colour(values), 0, 1)).astype(np.uint8)
        return self._kept[1]
