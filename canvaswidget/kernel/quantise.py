"""Arrays as the page takes them: 8-bit levels of a range, and small pictures of large maps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from canvaswidget import media
from canvaswidget.inr.outputs import in_colour
from canvaswidget.media.quality import MOST_DB
from canvaswidget.media.resizing import axis_weights

Floats = npt.NDArray[np.floating]
Bytes = npt.NDArray[np.uint8]


def quantise(values: Floats, low: float | None = None) -> tuple[Bytes, float, float]:
    """``(levels, low, high)`` with ``value = low + level / 255 * (high - low)``; a constant is level 0.

    Parameters
    ----------
    values : array
        Finite; see `check_finite`.
    low : float, optional
        The value of level 0, where it should not be the smallest one.
    """
    bottom = float(values.min()) if low is None else low
    top = max(float(values.max()), bottom)
    if top == bottom:
        return np.zeros(values.shape, np.uint8), bottom, top
    levels = (values.astype(np.float64) - bottom) * (255 / (top - bottom))
    return np.rint(levels, out=levels).clip(0, 255).astype(np.uint8), bottom, top


def colours(image: Floats) -> Bytes:
    """An image of values in [0, 1], clipped, as bytes ``(h, w, 3)``; one channel is repeated."""
    return np.rint(np.clip(in_colour(image), 0, 1) * 255).astype(np.uint8)


def psnr_of(image: Floats, expected: Floats) -> float:
    """Of the clipped image, in dB, at most 100."""
    return min(media.psnr(np.clip(image, 0, 1), expected), MOST_DB)


def check_finite(what: str, values: Floats) -> None:
    """Raise ValueError where a value is NaN or infinite."""
    finite = np.isfinite(values)
    if not finite.all():
        count = int(values.size - np.count_nonzero(finite))
        raise ValueError(f"{what} has {count:,} values of {values.size:,} that are NaN or infinite")


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """The size whose longest side is at most `side`, in the same proportion; never larger than `size`."""
    scale = min(1.0, side / max(size))
    height, width = (max(1, round(length * scale)) for length in size)
    return height, width


def shrink(maps: Floats, size: tuple[int, int]) -> Floats:
    """The last two axes averaged by area to `size`, fractions of pixels counted; the sign stays."""
    height, width = maps.shape[-2:]
    if (height, width) == size:
        return maps
    return axis_weights(height, size[0]) @ maps @ axis_weights(width, size[1]).T


def absolute_sum(values: Floats) -> float:
    """Of many small numbers, in double precision."""
    return float(np.abs(values).sum(dtype=np.float64))
