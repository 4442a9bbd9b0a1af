"""Whether two maps agree in place more than two unrelated smooth maps do.

Pixels of a smooth map depend on each other, so a rank correlation over pixels is often large by chance. The test here
crops the borders, takes the cosine transform of the ranks, and leaves out the parts that hold what both maps have in
common only because of the frame: a trend across it, slow parts of one axis alone (brighter towards the bottom), and
slow parts that are symmetric about its centre (brighter in the centre, darker at the borders). The correlation is then
a sum over the other parts. For unrelated maps each part of the sum has either sign with the same chance, whatever its
size, so the sum is compared with sums under random signs. Random signs keep the spectrum of each map, and the cosine
transform, unlike shifts of one map across the other, does not take the frame for a torus.

Signs are not quite independent, though. A map that does not end at the crop's border with a slope of 0, or that varies
more in one place than in another, has coefficients that depend on those two frequencies away. Where both maps do, sums
of unrelated maps are larger than random signs say. That dependence is estimated from the two maps, and the sums under
random signs are enlarged by it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

CROP = 1 / 8  # of height and width, at each border, at least
MOST_CROP = 1 / 4
# Half periods over the crop, down and across together: parts with no more of them are left out; all, or the positional.
TREND, SLOW = 2, 8
SIGNS, CHUNK = 999, 2**12


@dataclass(frozen=True, eq=False)
class Agreement:
    """How `t` pairs of maps agree within the crop, without what both owe to the frame.

    Attributes
    ----------
    values : (t,)
        Correlation of the ranks; nan where one of the two is constant.
    by_chance : (t, 2)
        The middle and the 95th percentile of the same under random signs.
    p : (t,)
        Share of the random signs that agree at least as well, the observed ones among them.
    mean : float
        Of `values` where they are defined.
    mean_by_chance : (2,)
        As `by_chance`. All pairs have the same random signs, so pairs that depend on each other count as such.
    mean_p : float
    """

    values: FloatArray
    by_chance: FloatArray
    p: FloatArray
    mean: float
    mean_by_chance: FloatArray
    mean_p: float


def margin(size: tuple[int, int], reach: tuple[float, float] = (0, 0)) -> tuple[int, int]:
    """Rows and columns to crop at each border: an eighth, or `reach` where that is more, but at most a quarter."""
    rows, columns = (
        int(min(max(math.ceil(part), length * CROP), length * MOST_CROP))
        for length, part in zip(size, reach, strict=True)
    )
    return rows, columns


def agree(
    one: npt.NDArray[np.floating], other: npt.NDArray[np.floating], crop: tuple[int, int] | None = None
) -> Agreement:
    """Compare maps ``(t, height, width)`` in pairs.

    Parameters
    ----------
    one, other : (t, height, width)
    crop : (rows, columns), optional
        At each border; an eighth by default.
    """
    height, width = one.shape[1:]
    rows, columns = margin((height, width)) if crop is None else crop
    inner = (slice(rows, height - rows), slice(columns, width - columns))
    parts: DoubleArray = np.array(
        [[_parts(a[inner]), _parts(b[inner])] for a, b in zip(one, other, strict=True)]
    )
    known = np.array([bool(np.isfinite(both).all()) for both in parts])
    parts[~known] = 0
    weights = parts.prod(1).reshape(len(parts), -1)
    sums, squares = _dependence(parts[:, 0], parts[:, 1]), (weights**2).sum(1)
    random = _under_random_signs(weights)
    chance = random * _enlarged(sums, squares)[:, None]
    values = np.where(known, weights.sum(1), np.nan)
    p = np.where(known, _p(values[:, None], chance), np.nan)
    band = np.where(known[:, None], np.percentile(chance, (50, 95), axis=1).T, np.nan)
    if not known.any():
        nan = float("nan")
        return Agreement(_float32(values), _float32(band), _float32(p), nan, _float32([nan, nan]), nan)
    mean = float(values[known].mean())
    together = random[known].mean(0) * _enlarged(
        sums[:, known].sum(1, keepdims=True), squares[known].sum(keepdims=True)
    )
    return Agreement(
        _float32(values),
        _float32(band),
        _float32(p),
        mean,
        _float32(np.percentile(together, (50, 95))),
        float(_p(np.array([[mean]]), together[None])[0]),
    )


def _parts(values: npt.NDArray[np.floating]) -> DoubleArray:
    """The ranks' cosine transform without what is left out, of length 1; nan where nothing varies there."""
    from scipy.fft import dctn
    from scipy.stats import rankdata

    down, across = np.indices(values.shape)
    total, most = down + across, min(values.shape) // 2  # of a small map some parts are kept
    # Of one axis alone, as a slope of any shape is; or symmetric about the centre.
    positional = (down == 0) | (across == 0) | ((down % 2 == 0) & (across % 2 == 0))
    tested = (total > min(TREND, most)) & ~(positional & (total <= min(SLOW, most)))
    ranks = rankdata(values).reshape(values.shape)
    whole = np.asarray(cast(Any, dctn(ranks - ranks.mean(), norm="ortho")))
    part = np.where(tested, whole, 0)
    length = float(np.linalg.norm(part))
    return part / length if length > 1e-9 * ranks.size else np.full(part.shape, np.nan)


def _dependence(one: DoubleArray, other: DoubleArray) -> DoubleArray:
    """``(2 axes, t, 3)``: of parts two frequencies apart, products of both maps, of `one` alone, of `other` alone.

    Each is a sum; the first is of magnitudes, the other two have the signs of one map and the magnitudes of both.
    """
    found = np.zeros((2, len(one), 3))
    for axis in (0, 1):
        apart = [np.swapaxes(values, 1, axis + 1) for values in (one, other)]
        ours, theirs = (values[:, 2:] * values[:, :-2] for values in apart)
        for place, product in enumerate((abs(ours * theirs), ours * abs(theirs), abs(ours) * theirs)):
            found[axis, :, place] = product.sum((1, 2))
    return found


def _enlarged(sums: DoubleArray, squares: DoubleArray) -> DoubleArray:
    """``(t,)``: by what sums under random signs are multiplied; at least 1."""
    both, ours, theirs = np.moveaxis(sums, -1, 0)
    known = (both > 0) & (squares > 0)
    shares = np.divide(2 * ours * theirs, both * squares, out=np.zeros_like(both), where=known)
    return np.sqrt(np.maximum(1 + shares.sum(0), 1))


def _under_random_signs(weights: DoubleArray) -> DoubleArray:
    """``(t, SIGNS)``: sums of each row, with the same random signs for all rows."""
    rng = np.random.default_rng(0)
    sums = np.zeros((len(weights), SIGNS))
    for start in range(0, weights.shape[1], CHUNK):
        part = weights[:, start : start + CHUNK]
        signs = rng.integers(0, 2, (part.shape[1], SIGNS), dtype=np.int8).astype(np.float32) * 2 - 1
        sums += part.astype(np.float32) @ signs
    return sums


def _p(found: DoubleArray, chance: DoubleArray) -> DoubleArray:
    rounding = 1e-6
    return (1 + (chance >= found - rounding).sum(1)) / (1 + chance.shape[1])


def _float32(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, np.float32)
