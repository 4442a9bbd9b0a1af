"""Resize pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.arguments import check_size, checked, checked_size, numbers, optional

FloatImage = npt.NDArray[np.float32]


@checked(image=numbers("an array (..., height, width, channels)", range(3, 9)), size=optional(check_size))
def resize(image: npt.NDArray[Any], size: Sequence[int] | None) -> FloatImage:
    """Resize ``(..., height, width, channels)``.

    An axis that shrinks takes the average of the area under each new pixel; one that grows is interpolated
    linearly between pixel centres.
    """
    if size is None or image.shape[-3:-1] == checked_size(size):
        return image.astype(np.float32, copy=False)
    rows, columns = (axis_weights(old, new) for old, new in zip(image.shape[-3:-1], size, strict=True))
    narrow = np.einsum("...hwc,xw->...hxc", image.astype(np.float32), columns, optimize=True)
    return np.ascontiguousarray(np.einsum("...hwc,yh->...ywc", narrow, rows, optimize=True))


def axis_weights(old: int, new: int) -> FloatImage:
    """``(new, old)`` matrix that resizes one axis; its rows sum to 1."""
    if new < old:
        edges = np.arange(new + 1) * (old / new)
        cells = np.arange(old)
        overlap = np.minimum(edges[1:, None], cells + 1) - np.maximum(edges[:-1, None], cells)
        return (np.maximum(overlap, 0) * (new / old)).astype(np.float32)
    centres = np.clip((np.arange(new) + 0.5) * (old / new) - 0.5, 0, old - 1)
    return np.maximum(1 - np.abs(centres[:, None] - np.arange(old)), 0).astype(np.float32)
