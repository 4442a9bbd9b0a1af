"""Totals of every neuron and every pixel from a few passes, with 95 % intervals.

Neurons. One backward pass gives every neuron's contribution to a pixel, and to many pixels at once where no two of them
depend on one position of the layer's output. So the pairs of a pixel and a colour are divided into clusters: a lattice
of pixels this far apart (`AdditiveRule.spacing`), with the colours in turn. Clusters are drawn at random without
replacement; a neuron's total is estimated by the ratio of what its clusters hold (Cochran, Sampling Techniques, 1977,
chapter 9), with a t interval on the logarithm. Once all are drawn the total is exact.

A sample misses what a neuron writes in a few pixels only. Passes with a standard Cauchy weight for every pixel see all
of a map: their results are Cauchy with the map's L1 norm as scale (Indyk, J. ACM 53, 2006), estimated by maximum
likelihood (Li, SODA 2008). Where the two disagree, or the sample varies more, the norm and its interval are taken.

Pixels. The same from the other side: a forward pass with a Cauchy weight for every neuron gives, at every pixel, a
Cauchy variable whose scale is the sum over neurons of absolute contributions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.cauchy import cauchy_errors, cauchy_scale
from canvaswidget.tracing.lattices import Clusters, spacings
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import Matrix, as_numpy
from canvaswidget.tracing.neurons import at_granularity
from canvaswidget.tracing.reduce import Summary
from canvaswidget.tracing.rules import AdditiveRule
from canvaswidget.tracing.rules.base import channel_weights

Doubles = npt.NDArray[np.float64]

LEVEL = 0.95
FIRST = 12  # passes of the first look
GROWTH = 1.5  # of the number of passes, from one look at the interval to the next
SKETCHES = 16  # backward passes that see all pixels
PIXEL_SKETCHES = 64  # forward passes that see all neurons
DISAGREE = 0.99  # level of the interval that a sample of pixels must meet to be believed


@dataclass
class Tally:
    """What is known of a layer so far: sums over the clusters that were drawn.

    Attributes
    ----------
    magnitudes, squares, with_count : (n,)
        Over clusters, of the sum of each neuron's magnitudes in it: the sum, the sum of squares, and of products with
        the number of pairs.
    pixels : (height, width)
        The sum over neurons of magnitudes, at the pairs that were drawn.
    sketches : (s, n)
        Sums of each neuron's map with Cauchy weights.
    signed : (n,)
        The sum of each neuron's map, which one pass gives exactly.
    drawn : int
        Clusters.
    pairs, pair_squares : int
        Their pairs, and the sum of their squared numbers.
    """

    magnitudes: Doubles
    squares: Doubles
    with_count: Doubles
    pixels: Doubles
    sketches: npt.NDArray[np.float32]
    signed: npt.NDArray[np.float32]
    drawn: int = 0
    pairs: int = 0
    pair_squares: int = 0

    @classmethod
    def empty(cls, n_neurons: int, size: tuple[int, int]) -> Tally:
        magnitudes, squares, with_count = (np.zeros(n_neurons) for _ in range(3))
        none = np.empty((0, n_neurons), np.float32)
        return cls(magnitudes, squares, with_count, np.zeros(size), none, np.zeros(n_neurons, np.float32))


@dataclass
class Sample:
    """Everything that further passes go on from: `Summary.sample`.

    It is of one frame, granularity and choice of colours; layers have tallies of their own. The clusters of a layer are
    drawn in an order that the seed decides, so that more of them include those before.
    """

    frame: int
    granularity: str | None
    rgb: str
    seed: int
    tallies: dict[str, Tally] = field(default_factory=dict)

    def n_bytes(self, layer: Layer) -> int:
        """What it keeps of a layer."""
        tally = self.tallies[layer.name]
        sums = (tally.magnitudes, tally.squares, tally.with_count, tally.pixels, tally.sketches, tally.signed)
        return sum(array.nbytes for array in sums)


def sampled(
    matrix: Matrix,
    layers: Sequence[Layer],
    sample: Sample,
    accuracy: float,
    progress: Progress = False,
) -> Iterator[dict[str, Summary]]:
    """Ever better estimates of every neuron's total, in every layer; the last ones are as accurate as asked for.

    Pixel totals are added by `with_pixels`.
    """
    if not layers:
        return
    work = _Work(matrix, sample)
    groups: dict[tuple[int, int], list[Layer]] = {}
    for layer in layers:
        groups.setdefault(work.spacings[layer.name], []).append(layer)
    found: dict[str, Summary] = {}
    with steps("summary", "pass", progress) as counted:
        fresh = work.without_sketches(layers)
        counted.plan((SKETCHES if fresh else 0) + FIRST * len(groups))
        if fresh:
            work.add_up(fresh)
            for _ in work.sketch(fresh):
                counted.take()
        while groups:
            for spacing, together in list(groups.items()):
                clusters = work.clusters(spacing)
                drawn = min(sample.tallies[layer.name].drawn for layer in together)
                upto = min(len(clusters), max(FIRST, math.ceil(drawn * GROWTH)))
                counted.plan(max(0, counted.done + upto - drawn - counted.planned))
                for number in range(drawn, upto):
                    work.draw(clusters, number, together)
                    counted.take()
                for layer in together:
                    found[layer.name] = summarised(matrix, layer, sample, clusters, accuracy)
                # A layer's numbers don't depend on how long the others take.
                groups[spacing] = [layer for layer in together if found[layer.name].half_width > accuracy]
                if not groups[spacing]:
                    del groups[spacing]
            yield {layer.name: found[layer.name] for layer in layers}


def exact_passes(matrix: Matrix, layer: Layer, rgb: str) -> int:
    """The backward passes that give every total of a layer exactly."""
    rows, columns = cast(AdditiveRule, matrix.rule).spacing(layer)
    return rows * columns * len(colours_of(matrix, rgb))


def enumerated(matrix: Matrix, layer: Layer, sample: Sample, progress: Progress) -> Summary:
    """The exact summary of a layer, from the columns of all pixels."""
    work = _Work(matrix, sample)
    clusters = work.clusters(work.rule.spacing(layer))
    work.open(layer)
    work.add_up([layer])
    with steps(layer.name, "pass", progress, len(clusters)) as counted:
        counted.tell()
        for number in range(len(clusters)):
            work.draw(clusters, number, [layer])
            counted.take()
    return with_pixels(matrix, summarised(matrix, layer, sample, clusters, None))


class _Work:
    """Passes of one rule on one frame, counted into the tallies of a sample."""

    def __init__(self, matrix: Matrix, sample: Sample) -> None:
        self.matrix = matrix
        self.sample = sample
        self.rule = cast(AdditiveRule, matrix.rule)
        self.state = matrix.frame(sample.frame).state
        self.colours = colours_of(matrix, sample.rgb)
        self.spacings = spacings(self.rule, matrix.inr.size, sample.granularity)
        self._orders: dict[int, npt.NDArray[np.int64]] = {}

    def clusters(self, spacing: tuple[int, int]) -> Clusters:
        return Clusters(self.matrix.inr.size, spacing, len(self.colours))

    def open(self, layer: Layer) -> Tally:
        """The tally of a layer, made where there is none yet."""
        if layer.name not in self.sample.tallies:
            count = math.prod(layer.shape_of(self.sample.granularity))
            self.sample.tallies[layer.name] = Tally.empty(count, self.matrix.inr.size)
        return self.sample.tallies[layer.name]

    def add_up(self, layers: Sequence[Layer]) -> None:
        """The sums of maps, signed."""
        image = self.colours.sum(0)[:, None, None].expand(-1, *self.matrix.inr.size)
        sums = self.rule.weighted(list(layers), self.state, image)
        for layer in layers:
            self.open(layer).signed = as_numpy(self._neurons(sums[layer.name], layer))

    def without_sketches(self, layers: Sequence[Layer]) -> list[Layer]:
        """The layers that `sketch` is still to be asked for."""
        return [layer for layer in layers if not len(self.open(layer).sketches)]

    def sketch(self, layers: Sequence[Layer]) -> Iterator[None]:
        """Backward passes with a Cauchy weight for every pixel and colour."""
        found: dict[str, list[npt.NDArray[np.float32]]] = {layer.name: [] for layer in layers}
        for number in range(SKETCHES):
            generator = torch.Generator().manual_seed(_seed(self.sample.seed, 1, number))
            weights = torch.empty(len(self.colours), *self.matrix.inr.size).cauchy_(generator=generator)
            image = torch.einsum("cyx,cd->dyx", weights.to(self.matrix.device), self.colours)
            sums = self.rule.weighted(list(layers), self.state, image)
            for layer in layers:
                found[layer.name].append(as_numpy(self._neurons(sums[layer.name], layer)))
            yield
        for layer in layers:
            self.open(layer).sketches = np.stack(found[layer.name])

    def draw(self, clusters: Clusters, number: int, layers: Sequence[Layer]) -> None:
        """Count the next cluster, the one with this number in the order of the seed."""
        open_layers = [layer for layer in layers if self.open(layer).drawn == number]
        pixels, colours = clusters.pairs(int(self._order(len(clusters))[number]))
        pixels, weights = pixels.to(self.matrix.device), self.colours[colours]
        by_unit = {layer.name: len(layer.shape_of(self.sample.granularity)) == 1 for layer in open_layers}
        sums: dict[str, Any] = {layer.name: 0.0 for layer in open_layers}
        parts = self.rule.contributions(open_layers, self.state, pixels, weights, by_unit)
        for name, which, values in parts:
            magnitudes = values.flatten(1).abs()
            sums[name] = sums[name] + magnitudes.sum(0, dtype=torch.float64).cpu().numpy()
            y, x = pixels[which].cpu().numpy().T
            self.sample.tallies[name].pixels[y, x] += magnitudes.sum(1, dtype=torch.float64).cpu().numpy()
        for layer in open_layers:
            tally, found = self.sample.tallies[layer.name], sums[layer.name]
            tally.magnitudes += found
            tally.squares += np.square(found)
            tally.with_count += found * len(pixels)
            tally.drawn += 1
            tally.pairs += len(pixels)
            tally.pair_squares += len(pixels) ** 2

    def _order(self, count: int) -> npt.NDArray[np.int64]:
        if count not in self._orders:
            self._orders[count] = np.random.default_rng(_seed(self.sample.seed, 0, count)).permutation(count)
        return self._orders[count]

    def _neurons(self, kernels: torch.Tensor, layer: Layer) -> torch.Tensor:
        """``(n,)`` from the values of kernels ``(n_in, n_out / n_groups)``."""
        return at_granularity(kernels, layer, self.sample.granularity).flatten()


def colours_of(matrix: Matrix, rgb: str) -> torch.Tensor:
    """The weights of the output's channels that magnitudes are taken of one by one, ``(n_colours, channels)``."""
    return channel_weights(matrix.n_channels, rgb).to(matrix.device)


def summarised(
    matrix: Matrix, layer: Layer, sample: Sample, clusters: Clusters, accuracy: float | None
) -> Summary:
    """What a tally says of every neuron's total."""
    tally = sample.tallies[layer.name]
    shape = layer.shape_of(sample.granularity)
    n_pairs = math.prod(clusters.size) * clusters.n_colours
    is_exact = tally.drawn == len(clusters)
    total, low, high = tally.magnitudes, None, None
    if not is_exact:
        total, low, high = _from_both(tally, len(clusters), n_pairs)
        low, high = low.reshape(shape).astype(np.float32), high.reshape(shape).astype(np.float32)
    empty = np.full(clusters.size, np.nan, np.float32)
    return Summary(
        layer,
        sample.frame,
        total.reshape(shape).astype(np.float32),
        tally.pixels.astype(np.float32) if is_exact else empty,
        tally.signed.reshape(shape),
        empty,
        sample.rgb,
        passes=1 + tally.drawn + len(tally.sketches),
        low=low,
        high=high,
        accuracy=None if is_exact else accuracy,
        sample=sample,
    )


def with_pixels(matrix: Matrix, summary: Summary) -> Summary:
    """The summary with the totals of every pixel."""
    layer, sample = summary.layer, cast(Sample, summary.sample)
    rule, state = cast(AdditiveRule, matrix.rule), matrix.frame(sample.frame).state
    ones = torch.ones(1, layer.n_units, layer.outputs_per_unit, device=matrix.device)
    colours = colours_of(matrix, sample.rgb)
    image = rule.combined(layer, state, ones)
    colours = colours.to(image.dtype)
    signed = torch.einsum("kdyx,cd->yx", image, colours)
    summary = replace(summary, pixel_sum=as_numpy(signed), passes=summary.passes + 1)
    if summary.is_exact:
        return replace(summary, sample=None)
    values = []
    by_unit = len(layer.shape_of(sample.granularity)) == 1
    for number in range(PIXEL_SKETCHES):
        generator = torch.Generator().manual_seed(_seed(sample.seed, 2, number))
        weights = torch.empty(1, layer.n_units, 1 if by_unit else layer.outputs_per_unit)
        weights = weights.cauchy_(generator=generator).to(matrix.device).expand_as(ones)
        images = torch.einsum("kdyx,cd->cyx", rule.combined(layer, state, weights), colours)
        values.append(as_numpy(images))
    total = cauchy_scale(np.stack(values)).sum(0)  # the errors of the colours are of one sign at worst
    below, above = cauchy_errors(PIXEL_SKETCHES, LEVEL)
    return replace(
        summary,
        pixel_abs=total.astype(np.float32),
        pixel_low=(total / above).astype(np.float32),
        pixel_high=(total / below).astype(np.float32),
        passes=summary.passes + PIXEL_SKETCHES,
    )


# --- intervals ---------------------------------------------------------------------------------------------------


def _from_both(tally: Tally, n_clusters: int, n_pairs: int) -> tuple[Doubles, Doubles, Doubles]:
    """Totals with their intervals, from the clusters or, where that is better founded, from the sketches."""
    total, low, high = _from_clusters(tally, n_clusters, n_pairs)
    norm = cauchy_scale(tally.sketches)
    below, above = cauchy_errors(len(tally.sketches), LEVEL)
    surely_below, surely_above = cauchy_errors(len(tally.sketches), DISAGREE)
    missed = (high < norm / surely_above) | (low > norm / surely_below)
    wider = high - low > norm / below - norm / above
    use = (missed | wider | (total == 0)) & (norm > 0)
    dead = norm == 0
    return (
        np.where(use, norm, np.where(dead, 0, total)),
        np.where(use, norm / above, np.where(dead, 0, low)),
        np.where(use, norm / below, np.where(dead, 0, high)),
    )


def _from_clusters(tally: Tally, n_clusters: int, n_pairs: int) -> tuple[Doubles, Doubles, Doubles]:
    """The ratio estimate of every neuron's total, with a t interval on its logarithm."""
    from scipy import stats

    drawn = tally.drawn
    ratio = tally.magnitudes / tally.pairs
    squares = tally.squares - 2 * ratio * tally.with_count + np.square(ratio) * tally.pair_squares
    variance = (1 - drawn / n_clusters) * np.maximum(squares, 0) / (drawn - 1) / drawn
    error = np.sqrt(variance) / (tally.pairs / drawn)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(ratio > 0, error / ratio, 0)
    # Clusters' sums are skewed: with the full degrees of freedom, intervals of 12 clusters held .93 of the totals.
    factor = np.exp(stats.t.ppf((1 + LEVEL) / 2, (drawn - 1) / 2) * relative)
    total = ratio * n_pairs
    return total, total / factor, total * factor


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
