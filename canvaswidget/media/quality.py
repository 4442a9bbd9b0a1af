"""How alike two pictures are."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.arguments import checked, numbers

MOST_DB = 100.0  # of a frame in a mean over frames
SIDE, SIGMA = 11, 1.5  # of the Gaussian window of Wang et al. 2004, in pixels


@checked(a=numbers("an array of numbers"), b=numbers("an array of numbers"))
def psnr(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Peak signal-to-noise ratio of two pictures in [0, 1], in dB; ``inf`` where they are equal.

    That of several frames is the mean of theirs: see `mean_psnr`.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"b: has shape {second.shape}; expected that of a, {first.shape}")
    error = float(np.mean((first - second) ** 2))
    return float("inf") if error == 0 else -10 * float(np.log10(error))


def mean_psnr(each: npt.ArrayLike) -> float:
    """PSNR of several frames: the mean of the PSNR of each, in dB, as papers on video report it.

    A frame without error, or with almost none, counts as 100 dB beside others, so that it doesn't hide them; ``inf``
    where no frame has any error.
    """
    values = np.asarray(each, np.float64)
    if not values.size:
        raise ValueError("each: is empty; expected the PSNR of at least one frame")
    if np.isposinf(values).all():
        return float("inf")
    return float(np.minimum(values, MOST_DB).mean())


@checked(a=numbers("an array of numbers"), b=numbers("an array of numbers"))
def ssim(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Structural similarity of two pictures ``(h, w)`` or ``(h, w, c)`` in [0, 1], the mean over colours.

    With the Gaussian window of Wang et al. 2004; nan for pictures that are smaller than it, 11 pixels.
    """
    from skimage.metrics import structural_similarity

    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or first.ndim not in (2, 3):
        raise ValueError(f"b: has shape {second.shape}; expected that of a picture like a, {first.shape}")
    if max(first.max(), second.max()) > 2:
        raise ValueError("a, b: hold values above 2, such as those of 8 bits; expected pictures in [0, 1]")
    if min(first.shape[:2]) < SIDE:
        return float("nan")
    axis = -1 if first.ndim == 3 else None
    found: Any = structural_similarity(
        first,
        second,
        data_range=1.0,
        channel_axis=axis,
        gaussian_weights=True,
        sigma=SIGMA,
        use_sample_covariance=False,
    )
    return float(found)
