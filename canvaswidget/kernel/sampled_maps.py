"""Maps that sum many neurons, from their columns at some pixels: where all the neurons' maps would take long.

A look is what is known after so many lattices of pixels. Each next look adds as many again and keeps what is known, so
that looks get better and always are the same. What lies between the pixels is interpolated. How far that is off is
measured: the pixels that a look adds are compared with what was interpolated there before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.sampled import feed, interpolated
from canvaswidget.analysis.sampled_spread import Masses, NeuronsOver
from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.kernel.quantise import Floats, check_finite
from canvaswidget.progress import Report
from canvaswidget.tracing.accuracy import ACCURACY, LEVEL, MOST_PASSES
from canvaswidget.tracing.columns import Columns, Pixels
from canvaswidget.tracing.estimates import ENOUGH
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules.base import COLOURS

# Values of the maps of some neurons, from where what sums them is estimated: exact sums take seconds.
LARGE = 1e8
PATIENCE = 4.0  # seconds for better looks, where no look is named
FIRST_PIXELS = 64  # that the first look has, at least
FIRST_LATTICES = 3, 12  # so many at least and at most
ROUNDING = 1e-3  # of sums with signs, which cancel
UNKNOWN = 10.0  # half of an interval as a part of a number, from where nothing is known of it
GROWTH = 2  # of the number of lattices, from one look to the next


class SampledMap(NamedTuple):
    """A map ``(height, width)`` that is known at some pixels.

    Attributes
    ----------
    known : (height, width)
        NaN where it is not known.
    filled : (height, width)
        The same with numbers interpolated between.
    error : float
        How far the interpolated numbers of the look before were off, the mean as a part of the map's mean; 0 where all
        pixels are known.
    passes : int
        Of the model.
    has_more : bool
        Whether a further look would know more pixels.
    spacing : (rows, columns)
        Of the lattices of pixels.
    least : float
        What the sum over all pixels surely is, at least.
    """

    known: Floats
    filled: Floats
    error: float
    passes: int
    has_more: bool
    spacing: tuple[int, int]
    least: float = 0.0

    @property
    def n_pixels(self) -> int:
        """How many pixels are known."""
        return int(np.isfinite(self.known).sum())

    def total(self) -> tuple[float, float]:
        """The sum over all pixels, and half of its 95% interval as a part of it."""
        found, half_width = sum_over_pixels(self.known, self.spacing)
        if found * (1 + half_width) < self.least:  # a few pixels that were not drawn have much of it
            return self.least, UNKNOWN
        return found, half_width


class Image(Protocol):
    """What columns are drawn for: a number at each of their pixels."""

    @property
    def image(self) -> npt.NDArray[np.floating]:
        """``(height, width)``, NaN where no column was taken in."""
        ...

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None: ...
    def close(self) -> None: ...


class Sums:
    """The sum of some neurons' magnitudes at each pixel, or how much that of each differs between two frames."""

    def __init__(self, columns: Columns, neurons: Indices | None = None) -> None:
        self.image = np.full(columns.size, np.nan, np.float32)
        self._neurons = None if neurons is None else torch.from_numpy(np.asarray(neurons, np.int64))

    def take(self, pixels: Pixels, magnitudes: list[torch.Tensor]) -> None:
        values = magnitudes[0] if len(magnitudes) == 1 else (magnitudes[0] - magnitudes[1]).abs()
        if self._neurons is not None:
            values = values[:, self._neurons.to(values.device)]
        found = values.sum(1, dtype=torch.float64).cpu().numpy()
        self.image[pixels[:, 0], pixels[:, 1]] = found

    def close(self) -> None:
        """Nothing is counted by lattices."""


def is_long(cached: CachedCanvas, layer: Layer, count: int | None = None) -> bool:
    """Whether all maps of a layer, or so many of them, would take long, and what sums them can be estimated."""
    canvas = cached.canvas
    values = (math.prod(layer.neurons) if count is None else count) * math.prod(cached.size)
    return values > LARGE and canvas.has_model and canvas.rule == "gated"


def rgb_of(cached: CachedCanvas) -> str | None:
    """What columns add of the colours: their magnitudes by default, where the rule knows them."""
    return None if cached.channel == "sum" else cached.channel


def magnitudes(
    cached: CachedCanvas,
    layer: Layer,
    neurons: Indices | None,
    time: int,
    look: int | None,
    checkpoint: Report,
    most: float | None = None,
) -> SampledMap:
    """The magnitudes of a layer's neurons, or of some of them, added: as `look` has them.

    Without a number they are as good as can be had in a few seconds. Where `most` passes are named the total over
    pixels is wanted, and is to be as good as `ACCURACY`; else every pixel.
    """
    key = "magnitudes", layer.name, None if neurons is None else neurons.tobytes(), time

    def at(number: int) -> SampledMap:
        found = _look(cached, key, layer, (time,), number, checkpoint, lambda columns: Sums(columns, neurons))
        if found.n_pixels == found.known.size:
            return found
        # What neurons add up to with signs is known at every pixel: their magnitudes are no smaller.
        floor = _magnitude(cached, layer, signed(cached, layer, neurons, time))
        least = float(floor.sum(dtype=np.float64)) * (1 - ROUNDING)
        filled = np.maximum(found.filled, floor)
        return found._replace(filled=filled, passes=found.passes + 1, least=least)

    return at(look) if look is not None else _settled(cached, (*key, most), at, most)


def _magnitude(cached: CachedCanvas, layer: Layer, image: Floats) -> Floats:
    """Of an image of all channels, as the magnitudes of the shown colour are."""
    if cached.channel in COLOURS:
        return np.abs(image[..., COLOURS.index(cached.channel)])
    if cached.canvas.why_no_colours(layer.name):
        return np.abs(image.sum(-1))
    return np.abs(image).sum(-1)


def change(cached: CachedCanvas, layer: Layer, time: int, look: int | None, checkpoint: Report) -> SampledMap:
    """How much a layer's magnitudes change from the frame before, the next one at frame 0: added over neurons."""
    frames = time, other_frame(time)

    def at(number: int) -> SampledMap:
        return _look(cached, ("changes", layer.name, time), layer, frames, number, checkpoint, Sums)

    return at(look) if look is not None else _settled(cached, ("changes", layer.name, time), at)


def neurons_over(
    cached: CachedCanvas, layer: Layer, time: int, level: float, look: int | None, checkpoint: Report
) -> SampledMap:
    """How many neurons reach a threshold at each pixel: see `canvaswidget.analysis.distribution`.

    The threshold is that of the pixels drawn, so each look draws all of its pixels twice.
    """
    key = "neurons", layer.name, level, time

    def at(number: int) -> SampledMap:
        def compute() -> SampledMap:
            columns = cached.canvas.columns(layer.name, time)
            lattices = n_lattices(columns, number)
            masses = Masses()
            _draw(columns, [masses], range(lattices), checkpoint)
            over = NeuronsOver(columns, [masses.threshold(level)])
            found: list[Floats] = []
            for half in (range(lattices // 2), range(lattices // 2, lattices)):
                _draw(columns, [over], half, checkpoint)
                found.append(over.counts[0].copy())
            return _made(cached, layer, time, found[0], found[1], columns, lattices, columns.passes)

        return SampledMap(*cached.cache.remember(_key(cached, key, number), lambda: tuple(compute())))

    return at(look) if look is not None else _settled(cached, key, at)


def signed(cached: CachedCanvas, layer: Layer, neurons: Indices | None, time: int) -> Floats:
    """The sum of neurons' maps with signs: exact, from one pass. ``(height, width, channels)``."""
    key = "signed", layer.name, None if neurons is None else neurons.tobytes(), time

    def compute() -> Floats:
        found = cached.canvas.columns(layer.name, time).summed(time, neurons)
        check_finite(f"the sum of the maps of layer {layer.name!r}, frame {time}", found)
        return found

    return cached.cache.remember((cached.canvas.rule, *key), compute)


def other_frame(time: int) -> int:
    """The frame that changes are from: the one before, the next one at frame 0."""
    return time - 1 if time > 0 else 1


def sum_over_pixels(known: npt.NDArray[np.floating], spacing: tuple[int, int]) -> tuple[float, float]:
    """The sum over all pixels of a map of magnitudes, and half of its 95% interval as a part of it.

    Of what is known at some lattices of pixels: a ratio estimate with a t interval on its logarithm, as the totals of
    neurons have (see `canvaswidget.tracing.estimates`).
    """
    from scipy import stats

    y, x = np.nonzero(np.isfinite(known))
    if not len(y):
        return math.nan, math.inf
    values, lattice = known[y, x].astype(np.float64), y % spacing[0] * spacing[1] + x % spacing[1]
    _, lattice = np.unique(lattice, return_inverse=True)
    sums, counts = np.bincount(lattice, values), np.bincount(lattice)
    mean, left = float(values.mean()), 1 - len(y) / known.size
    if not left:
        return mean * known.size, 0.0
    if not mean or len(sums) < 2:
        return mean * known.size, UNKNOWN
    squares = float(np.square(sums - mean * counts).sum()) / (len(sums) - 1) * len(sums)
    error = math.sqrt(left * squares) / len(y) / mean
    # Magnitudes are skewed: with the full degrees of freedom, intervals of 3 lattices held .88 of the sums.
    freedom = (len(sums) - 1) / (1 if len(sums) >= ENOUGH else 2)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, freedom)) * error
    return mean * known.size, finite_width(math.sinh(min(reach, UNKNOWN)))


def finite_width(half_width: float) -> float:
    """Half of an interval, as a part of a number; `UNKNOWN` where it has no bound, as JSON has no infinity."""
    return min(half_width, UNKNOWN) if math.isfinite(half_width) else UNKNOWN


def error_between(filled: npt.NDArray[np.floating], added: npt.NDArray[np.floating]) -> float:
    """How far interpolated numbers were off where pixels were added, the mean as a part of the mean of these."""
    at = np.isfinite(added)
    whole = float(np.abs(added[at]).sum(dtype=np.float64))
    return float(np.abs(filled[at] - added[at]).sum(dtype=np.float64)) / whole if whole else 0.0


def n_lattices(columns: Columns, look: int) -> int:
    """How many lattices a look has."""
    least, most = FIRST_LATTICES
    pixels = math.prod(columns.size) / len(columns)
    first = min(most, max(least, math.ceil(FIRST_PIXELS / pixels)))
    enough = max(least, int(MOST_PASSES // columns.passes_a_draw))
    return int(min(len(columns), enough, first * GROWTH ** min(look, 40)))


def _look(
    cached: CachedCanvas,
    key: tuple[Any, ...],
    layer: Layer,
    frames: tuple[int, ...],
    number: int,
    checkpoint: Report,
    image_of: Callable[[Columns], Image],
) -> SampledMap:
    """A look of a map whose numbers don't depend on which other pixels are known: it goes on from the one before."""

    def compute() -> SampledMap:
        columns = cached.canvas.columns(layer.name, frames, rgb=rgb_of(cached))
        lattices, passes = n_lattices(columns, number), 0
        before = None
        if number > 0:
            before = _look(cached, key, layer, frames, number - 1, checkpoint, image_of)
            passes = before.passes
        have = 0 if before is None else n_lattices(columns, number - 1)
        if before is not None and have == lattices:
            return before
        found = image_of(columns)
        if before is None:  # half of the pixels tell about the others
            have = lattices // 2
            _draw(columns, [found], range(have), checkpoint)
            known = found.image.copy()
        else:
            known = before.known
        _draw(columns, [found], range(have, lattices), checkpoint)
        now = np.where(np.isfinite(found.image), found.image, known)
        return _made(cached, layer, frames[0], known, now, columns, lattices, passes + columns.passes, before)

    return SampledMap(*cached.cache.remember(_key(cached, key, number), lambda: tuple(compute())))


def _made(
    cached: CachedCanvas,
    layer: Layer,
    time: int,
    before: npt.NDArray[np.floating],
    now: npt.NDArray[np.floating],
    columns: Columns,
    lattices: int,
    passes: int,
    look: SampledMap | None = None,
) -> SampledMap:
    at = np.isfinite(now)
    check_finite(f"the magnitudes of layer {layer.name!r}, frame {time}", now[at])
    now = now.astype(np.float32)
    is_whole = bool(at.all())
    if is_whole:
        return SampledMap(now, now, 0.0, passes, False, columns.lattice_spacing)
    filled = interpolated(before) if look is None else look.filled
    error = error_between(filled, np.where(np.isfinite(before), np.nan, now))
    more = lattices < n_lattices(columns, 40)
    return SampledMap(now, interpolated(now).astype(np.float32), error, passes, more, columns.lattice_spacing)


def _draw(columns: Columns, collectors: Sequence[Any], numbers: range, checkpoint: Report) -> None:
    for done, number in enumerate(numbers):
        checkpoint(done, len(numbers))
        feed(columns, columns.lattice(number), collectors)


def _settled(
    cached: CachedCanvas,
    key: tuple[Any, ...],
    at: Callable[[int], SampledMap],
    most: float | None = None,
) -> SampledMap:
    """The look that is good enough, or that could be had in a few seconds: the same one when asked for again."""
    key = cached.key("settled", *key)
    known = cached.cache.get(key)
    if known is not None:
        return at(known[0])
    start, number = monotonic(), 0
    found = at(0)
    while found.has_more and (found.error if most is None else found.total()[1]) > ACCURACY:
        if monotonic() - start > PATIENCE or GROWTH * found.passes > (most or math.inf):
            break
        number += 1
        found = at(number)
    cached.cache.put(key, (number,))
    return found


def _key(cached: CachedCanvas, key: tuple[Any, ...], look: int) -> tuple[Any, ...]:
    return cached.key("sampled map", *key, look)
