"""How alike two pictures are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.arguments import as_array, checked, numbers, wrong_type

DoubleArray = npt.NDArray[np.float64]

MOST_DB = 100.0  # of a frame in a mean over frames
SIDE, SIGMA = 11, 1.5  # of the Gaussian window of Wang et al. 2004, in pixels
K1, K2 = 0.01, 0.03  # of the constants that keep its quotients finite
# Exponents of Wang, Simoncelli and Bovik 2003, finest first.
SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


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


def _decibels(name: str, value: Any) -> None:
    """PSNR of frames, which may be infinite."""
    array = as_array(value)
    if array is None or array.dtype.kind not in "buif":
        raise wrong_type(name, value, "numbers, the PSNR of each frame")


@checked(each=_decibels)
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

    first, second = _pictures(a, b)
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


@checked
def n_scales(size: Sequence[int]) -> int:
    """How many of the five scales of MS-SSIM a picture ``(height, width)`` is large enough for."""
    side, count = min(size[0], size[1]), 0
    while side >= SIDE and count < len(SCALES):
        side, count = -(-side // 2), count + 1
    return count


@checked(a=numbers("an array of numbers"), b=numbers("an array of numbers"))
def ms_ssim(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Multi-scale structural similarity of two pictures ``(h, w)`` or ``(h, w, c)`` in [0, 1], the mean over colours.

    As Wang, Simoncelli and Bovik (2003) define it: at each scale the contrast and structure terms of `ssim`, at the
    coarsest its luminance term too, to the powers that they measured; from scale to scale means of 2 x 2 pixels. There
    are five scales where the coarsest is not smaller than the window of 11 pixels (both sides above 160); else as many
    as are not (see `canvaswidget.media.n_scales`), with their powers divided by their sum. A scale where the pictures
    are opposed counts as 0. nan for pictures smaller than the window.
    """
    first, second = _pictures(a, b)
    count = n_scales(first.shape[:2])
    if not count:
        return float("nan")
    if first.ndim == 2:
        first, second = first[..., None], second[..., None]
    powers = np.array(SCALES[:count])
    if count < len(SCALES):
        powers /= powers.sum()
    found = np.ones(first.shape[-1])
    for scale, power in enumerate(powers):
        luminance, rest = _similarity(first, second)
        term = (luminance * rest if scale == count - 1 else rest).mean((0, 1))
        found *= np.maximum(term, 0) ** power
        first, second = _halved(first), _halved(second)
    return float(found.mean())


def _pictures(a: npt.ArrayLike, b: npt.ArrayLike) -> tuple[DoubleArray, DoubleArray]:
    """Two pictures of one shape, in double precision; ValueError where they are none."""
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if first.shape != second.shape or first.ndim not in (2, 3):
        raise ValueError(f"b: has shape {second.shape}; expected that of a picture like a, {first.shape}")
    if max(first.max(), second.max()) > 2:
        raise ValueError("a, b: hold values above 2, such as those of 8 bits; expected pictures in [0, 1]")
    return first, second


def _similarity(a: DoubleArray, b: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """SSIM's luminance term, and its contrast and structure terms as one, where the window is within the picture."""
    mean_a, mean_b = _smoothed(a), _smoothed(b)
    spread_a, spread_b = _smoothed(a * a) - mean_a**2, _smoothed(b * b) - mean_b**2
    joint = _smoothed(a * b) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + K1**2) / (mean_a**2 + mean_b**2 + K1**2)
    return luminance, (2 * joint + K2**2) / (spread_a + spread_b + K2**2)


def _smoothed(image: DoubleArray) -> DoubleArray:
    from scipy.ndimage import gaussian_filter

    radius = SIDE // 2
    made = gaussian_filter(image, (SIGMA, SIGMA, 0), truncate=radius / SIGMA)
    return made[radius:-radius, radius:-radius]


def _halved(image: DoubleArray) -> DoubleArray:
    """Means of 2 x 2 pixels; a last odd row or column counts twice."""
    height, width = image.shape[:2]
    even = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) / 4
