"""Numbers of all neurons of a layer, estimated from a random sample of them, with a 95% interval.

`mean_interval` is Student's, corrected for the part of the layer that the sample contains. Of a rank correlation the
interval combines three sources of error. The neurons that were drawn: the jackknife on Fisher's z, corrected for
bias and for the part of the layer that the sample contains. The pixels that were drawn: the variance over pixels, which
are drawn independently of each other. And neurons unlike all that were drawn: a sample of `n` misses a group of
neurons in 5 of 100 samples if the group is about ``3 / n`` of the layer, so the interval reaches at least to the
correlation that such a group, of neurons with maps of 0, would leave.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canvaswidget.tracing.accuracy import LEVEL

DoubleArray = npt.NDArray[np.float64]

GROUPS = 64  # of neurons, each left out once
BATCH = 2**18  # values ranked at once
JACKKNIFE_PIXELS = 64  # at which neurons are left out; the estimate itself is the mean of all pixels
# A part q of neurons costs a perfect rank correlation 2 q if they are last in one order and anywhere in the other, as
# neurons are whose map is 0 though they matter. (It is q where their ranks are unrelated, and 6 q (1 - q) at worst.)
UNSEEN = 2.0
PERFECT = 1 - 1e-12  # Fisher's z is infinite at 1


@dataclass(frozen=True)
class Interval:
    """An estimate from a sample of a layer's neurons, with its 95% interval.

    Attributes
    ----------
    value : float
        nan where it is not defined: a rank correlation of one neuron, or of equal values.
    low, high : float
        Of 100 samples like this one about 95 have an interval that contains the value of the whole layer. Both are
        equal to `value` where everything was measured, nan where `value` is.
    n, n_all : int
        Neurons measured, and neurons of the layer.
    """

    value: float
    low: float
    high: float
    n: int
    n_all: int

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "not defined"
        count = f"n = {self.n:,}" + (f" of {self.n_all:,}" if self.n < self.n_all else "")
        # Equal only where nothing is left to chance: a narrow interval is not an exact value.
        if self.low == self.high:
            return f"{self.value:+.3f}, {count}"
        return f"{self.value:+.3f} ({self.low:+.3f} to {self.high:+.3f}), {count}"


def spearman(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> DoubleArray:
    """Spearman's rank correlation of each column ``(..., n, p)``; nan where one of the two is constant."""
    from scipy.stats import rankdata

    ranks = [rankdata(values, axis=-2) for values in (a, b)]
    ranks = [values - values.mean(-2, keepdims=True) for values in ranks]
    scale = np.sqrt((ranks[0] ** 2).sum(-2) * (ranks[1] ** 2).sum(-2))
    product = (ranks[0] * ranks[1]).sum(-2)
    return np.divide(product, scale, out=np.full(scale.shape, np.nan), where=scale > 0)


def rank_correlation(
    a: npt.NDArray[np.floating],
    b: npt.NDArray[np.floating],
    n_neurons: int,
    n_pixels: int,
    between: Callable[[], None] = lambda: None,
) -> tuple[Interval, DoubleArray]:
    """Spearman's correlation over neurons at each pixel, mean over pixels, with its interval; and each pixel's.

    Parameters
    ----------
    a, b : (n, p)
        What two rules say of `n` neurons at `p` pixels. Both were drawn at random without replacement, in random order.
    n_neurons, n_pixels : int
        What they were drawn from.
    between : callable
        Called between parts of the computation; it may raise to stop.
    """
    n, each = len(a), spearman(a, b)
    value = mean(each)
    if math.isnan(value):
        return Interval(value, value, value, n, n_neurons), each
    nothing = Interval(value, -1.0, 1.0, n, n_neurons), each  # what a sample says that is too small
    z, slope = _fisher(value), max(1 - value**2, 1 - PERFECT**2)
    known = each[np.isfinite(each)]
    error = bias = 0.0
    degrees = max(len(known) - 1, 1)
    if len(each) < n_pixels:
        if len(known) < 2:
            return nothing
        error += float(known.var(ddof=1)) / len(known) * (1 - len(each) / n_pixels) / slope**2
    if n < n_neurons:
        left_out = _left_out(a[:, :JACKKNIFE_PIXELS], b[:, :JACKKNIFE_PIXELS], between)
        count, left = len(left_out), 1 - n / n_neurons
        if count < 3 or not np.isfinite(left_out).all():
            return nothing
        around = mean(each[:JACKKNIFE_PIXELS])
        bias = (count - 1) * float(left_out.mean() - around) * left / slope
        error += (count - 1) * float(left_out.var()) * left / slope**2
        degrees = count - 1
    reach = _quantile(degrees) * math.sqrt(error)
    low, high = math.tanh(z - bias - reach), math.tanh(z - bias + reach)
    if n < n_neurons:
        unseen = value * (1 - min(UNSEEN * unseen_share(n, n_neurons), 1.0))
        low, high = min(low, unseen), max(high, unseen)
    elif error == 0:
        low = high = value
    # Fisher's z ends just below 1, and the bias may be larger than the error.
    return Interval(value, min(low, value), max(high, value), n, n_neurons), each


def unseen_share(n: int, n_all: int) -> float:
    """The largest part of `n_all` neurons of which a sample of `n` contains none in more than 5 of 100 samples."""
    count, chance = 0, 1.0
    while chance > 1 - LEVEL and count < n_all - n:
        chance *= (n_all - n - count) / (n_all - count)
        count += 1
    return count / n_all


def mean_interval(values: npt.NDArray[np.floating], n_all: int) -> Interval:
    """The mean of those that are defined, with a t interval for the mean of all that they were drawn from.

    Parameters
    ----------
    values : (n,)
        Of neurons drawn at random without replacement; nan where one is not defined.
    n_all : int
        What they were drawn from.
    """
    known = np.asarray(values, np.float64)
    n, known = len(known), known[np.isfinite(known)]
    if not len(known):
        return Interval(math.nan, math.nan, math.nan, n, n_all)
    value = float(known.mean())
    if n >= n_all:
        return Interval(value, value, value, n, n_all)
    if len(known) < 2:
        return Interval(value, -math.inf, math.inf, n, n_all)
    error = float(known.std(ddof=1)) / math.sqrt(len(known)) * math.sqrt(1 - n / n_all)
    reach = _quantile(len(known) - 1) * error
    return Interval(value, value - reach, value + reach, n, n_all)


def share_interval(count: int, n: int, n_all: int) -> Interval:
    """The share of neurons that have a property, with the interval of Clopper and Pearson (1934).

    It holds the share of all in at least 95 of 100 samples, also where none or all of a sample have the property.

    Parameters
    ----------
    count : int
        Of the `n` neurons that were drawn.
    n_all : int
        What they were drawn from.
    """
    if not n:
        return Interval(math.nan, math.nan, math.nan, 0, n_all)
    value = count / n
    if n >= n_all:
        return Interval(value, value, value, n, n_all)
    from scipy.stats import beta

    rest = (1 - LEVEL) / 2
    low = float(beta.ppf(rest, count, n - count + 1)) if count else 0.0
    high = float(beta.ppf(1 - rest, count + 1, n - count)) if count < n else 1.0
    # Those that were drawn are known.
    return Interval(value, max(low, count / n_all), min(high, (count + n_all - n) / n_all), n, n_all)


def mean(values: DoubleArray) -> float:
    """Of those that are defined; nan where none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


def median(values: npt.NDArray[np.number]) -> float:
    """The same of the median."""
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else math.nan


def _left_out(
    a: npt.NDArray[np.floating], b: npt.NDArray[np.floating], between: Callable[[], None]
) -> DoubleArray:
    """The mean correlation without each group of neurons."""
    every = np.arange(len(a))
    rest = [np.delete(every, group) for group in np.array_split(every, min(len(a), GROUPS))]
    batch = max(1, BATCH // a.size)
    found: list[float] = []
    for _, same_size in itertools.groupby(rest, len):
        some = np.array(list(same_size))
        for start in range(0, len(some), batch):
            between()
            chosen = some[start : start + batch]
            found.extend(mean(one) for one in spearman(a[chosen], b[chosen]))
    return np.array(found)


def _fisher(value: float) -> float:
    return math.atanh(min(max(value, -PERFECT), PERFECT))


def _quantile(degrees: int) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, degrees))
