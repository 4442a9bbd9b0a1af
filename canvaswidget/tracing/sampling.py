"""Totals of every neuron and every pixel from a few passes, with 95 % intervals.

Neurons. One backward pass gives every neuron's contribution to a pixel, and to many pixels at once where no two of them
depend on one position of the layer's output. So the pairs of a pixel and a colour are divided into clusters: a lattice
of pixels this far apart (`AdditiveRule.spacing`), with the colours in turn. Clusters are drawn at random without
replacement; a neuron's total is estimated by the ratio of what its clusters hold (Cochran, Sampling Techniques, 1977,
chapter 9), with a t interval on the logarithm. Once all are drawn the total is exact.

A sample misses what a neuron writes in a few pixels only. Passes with a standard Cauchy weight for every pixel see all
of a map: their results are Cauchy with the map's L1 norm as scale (Indyk, J. ACM 53, 2006), estimated by the geometric
mean (Li, SODA 2008). Where the two disagree, or the sample varies more, the norm and its interval are taken.

Further passes are of the kind that narrows the median interval faster: sketches where maps are concentrated or few
pixels fit a pass, clusters elsewhere. Where the exact totals take fewer passes than what remains, they are computed.

Pixels. The same from the other side: a forward pass with a Cauchy weight for every neuron gives, at every pixel, a
Cauchy variable whose scale is the sum over neurons of absolute contributions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.cauchy import log_magnitudes
from canvaswidget.tracing.estimates import NORMAL, of_neurons, of_pixels, variance_of_a_pass
from canvaswidget.tracing.lattices import Clusters, spacings
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import Matrix, as_numpy
from canvaswidget.tracing.neurons import at_granularity, count_neurons
from canvaswidget.tracing.reduce import Summary
from canvaswidget.tracing.rules import AdditiveRule
from canvaswidget.tracing.rules.base import channel_weights
from canvaswidget.tracing.sketches import sketched
from canvaswidget.tracing.tallies import Sample, Tally

GROWTH = 1.5  # of the number of passes, from one look at the interval to the next
FIRST_PAIRS = 128  # of pixels and colours that the first look is of, where that takes
FIRST_CLUSTERS = 2, 12  # so many at least and at most
FIRST_SKETCHES, SKETCHES = 2, 16  # of the first look, and beside as many clusters: what a sample could miss
MAPS_OF_A_PASS = 2  # forward passes of one map that a backward pass with the products of its pixels costs
PIXEL_SKETCHES = 16, 64  # forward passes for totals of pixels: at least and at most


class Target(NamedTuple):
    """How many passes of each kind a layer is to have."""

    sketches: int
    drawn: int


def sampled(
    matrix: Matrix,
    layers: Sequence[Layer],
    sample: Sample,
    accuracy: float,
    progress: Progress = False,
    exact: Callable[[Layer], Summary] | None = None,
) -> Iterator[dict[str, Summary]]:
    """Ever better estimates of every neuron's total, in every layer; the last ones are as accurate as asked for.

    Pixel totals are added by `with_pixels`.

    Parameters
    ----------
    exact : callable, optional
        Computes the exact summary of a layer, where that takes fewer passes than what remains.
    """
    if not layers:
        return
    work = Sampler(matrix, sample)
    found: dict[str, Summary] = {}
    waiting = list(layers)
    with steps("summary", "pass", progress) as counted:
        while True:
            # A layer's numbers don't depend on how long the others take.
            targets: dict[str, Target] = {}
            for layer in list(waiting):
                if exact is not None and work.is_exact_cheaper(layer, accuracy):
                    found[layer.name] = exact(layer)
                    waiting.remove(layer)
                else:
                    targets[layer.name] = work.target(layer, accuracy)
            passes = work.passes(waiting, targets)
            counted.plan(len(passes))
            for one in passes:
                one()
                counted.take()
            for layer in waiting:
                found[layer.name] = summarised(matrix, layer, sample, work.clusters_of(layer), accuracy)
            waiting = [layer for layer in waiting if found[layer.name].half_width > accuracy]
            yield {layer.name: found[layer.name] for layer in layers}
            if not waiting:
                return


def exact_passes(matrix: Matrix, layer: Layer, rgb: str) -> int:
    """The backward passes that give every total of a layer exactly."""
    rows, columns = cast(AdditiveRule, matrix.rule).spacing(layer)
    return rows * columns * len(colours_of(matrix, rgb))


def is_by_columns(matrix: Matrix, layer: Layer, granularity: str | None, rgb: str) -> bool:
    """Whether the exact totals of a layer come from the columns of all pixels, not from all maps.

    For units of a linear layer the products of all pixels cost little. Kernels cost less map by map.
    """
    if not matrix.rule.is_additive or len(layer.shape_of(granularity)) > 1 or layer.grid is not None:
        return False
    return MAPS_OF_A_PASS * exact_passes(matrix, layer, rgb) <= count_neurons(layer, granularity)


def exact_cost(matrix: Matrix, layer: Layer, granularity: str | None, rgb: str) -> float:
    """What the exact totals of a layer cost, in backward passes."""
    if is_by_columns(matrix, layer, granularity, rgb):
        return exact_passes(matrix, layer, rgb)
    count = count_neurons(layer, granularity)
    # Nothing follows the last layer: a map is a part of the layer's own work, of one unit.
    return count / layer.n_units if layer == matrix.rule.layers[-1] else count / MAPS_OF_A_PASS


def enumerated(matrix: Matrix, layer: Layer, sample: Sample, progress: Progress) -> Summary:
    """The exact summary of a layer, from the columns of all pixels."""
    work = Sampler(matrix, sample)
    clusters = work.clusters(work.rule.spacing(layer))
    work.open(layer)
    work.add_up([layer])
    with steps(layer.name, "pass", progress, len(clusters)) as counted:
        counted.tell()
        for number in range(len(clusters)):
            work.draw(clusters, number, [layer])
            counted.take()
    return with_pixels(matrix, summarised(matrix, layer, sample, clusters, None))


class Sampler:
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

    def clusters_of(self, layer: Layer) -> Clusters:
        """Those that the layer is sampled by."""
        return self.clusters(self.spacings[layer.name])

    # --- which passes ---------------------------------------------------------------------------------------

    def target(self, layer: Layer, accuracy: float) -> Target:
        """The passes of a layer's next look: as many as it has if that is as accurate as asked for."""
        tally, clusters = self.open(layer), self.clusters_of(layer)
        if not tally.drawn:
            few = math.ceil(FIRST_PAIRS * len(clusters) / self._n_pairs)
            first = min(max(few, FIRST_CLUSTERS[0]), FIRST_CLUSTERS[1], len(clusters))
            return Target(FIRST_SKETCHES, first)
        if summarised(self.matrix, layer, self.sample, clusters, accuracy).half_width <= accuracy:
            return Target(tally.sketches, tally.drawn)
        by_cluster, by_sketch = variance_of_a_pass(tally, len(clusters), self._n_pairs)
        if by_sketch < by_cluster:
            return Target(math.ceil(tally.sketches * GROWTH), tally.drawn)
        drawn = min(len(clusters), math.ceil(tally.drawn * GROWTH))
        return Target(max(tally.sketches, min(SKETCHES, drawn)), drawn)

    def is_exact_cheaper(self, layer: Layer, accuracy: float) -> bool:
        """Whether the exact totals of a layer take no more passes than what remains."""
        tally, clusters = self.open(layer), self.clusters_of(layer)
        target = self.target(layer, accuracy)
        if target == (tally.sketches, tally.drawn):
            return False
        passes = target.sketches - tally.sketches + target.drawn - tally.drawn
        if tally.drawn:
            by_cluster, by_sketch = variance_of_a_pass(tally, len(clusters), self._n_pairs)
            enough = (NORMAL / accuracy) ** 2
            passes = min(
                by_cluster * enough - tally.drawn,
                len(clusters) - tally.drawn,
                by_sketch * enough - tally.sketches,
            )
        return exact_cost(self.matrix, layer, self.sample.granularity, self.sample.rgb) <= passes

    def passes(self, layers: Sequence[Layer], targets: Mapping[str, Target]) -> list[Callable[[], None]]:
        """The passes that bring these layers to their targets, each for all layers that it can serve."""
        found: list[Callable[[], None]] = []
        fresh = [layer for layer in layers if self.open(layer).signed is None]
        if fresh:
            found.append(functools.partial(self.add_up, fresh))
        first = min((self.open(layer).sketches for layer in layers), default=0)
        for number in range(first, max((targets[layer.name].sketches for layer in layers), default=0)):
            some = [
                layer
                for layer in layers
                if self.open(layer).sketches <= number < targets[layer.name].sketches
            ]
            if some:
                found.append(functools.partial(self.sketch, number, some))
        groups: dict[tuple[int, int], list[Layer]] = {}
        for layer in layers:
            groups.setdefault(self.spacings[layer.name], []).append(layer)
        for spacing, together in groups.items():
            first = min(self.open(layer).drawn for layer in together)
            for number in range(first, max(targets[layer.name].drawn for layer in together)):
                some = [
                    layer
                    for layer in together
                    if self.open(layer).drawn <= number < targets[layer.name].drawn
                ]
                if some:
                    found.append(functools.partial(self.draw, self.clusters(spacing), number, some))
        return found

    # --- the passes -----------------------------------------------------------------------------------------

    @property
    def _n_pairs(self) -> int:
        return math.prod(self.matrix.inr.size) * len(self.colours)

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

    def sketch(self, number: int, layers: Sequence[Layer]) -> None:
        """Count the next pass with a Cauchy weight for every pixel and colour."""
        seed = _seed(self.sample.seed, 1, number)
        sums = sketched(self.rule, layers, self.state, self.colours, self.matrix.inr.size, seed)
        for layer in layers:
            tally = self.open(layer)
            tally.log_sketches += log_magnitudes(as_numpy(self._neurons(sums[layer.name], layer)))
            tally.sketches += 1

    def draw(self, clusters: Clusters, number: int, layers: Sequence[Layer]) -> None:
        """Count the next cluster, the one with this number in the order of the seed."""
        pixels, colours = clusters.pairs(int(self._order(len(clusters))[number]))
        pixels, weights = pixels.to(self.matrix.device), self.colours[colours]
        by_unit = {layer.name: len(layer.shape_of(self.sample.granularity)) == 1 for layer in layers}
        sums: dict[str, Any] = {layer.name: 0.0 for layer in layers}
        for name, which, values in self.rule.contributions(layers, self.state, pixels, weights, by_unit):
            tally, magnitudes = self.sample.tallies[name], values.flatten(1).abs()
            sums[name] = sums[name] + _added_up(magnitudes, 0)
            y, x = pixels[which].cpu().numpy().T
            tally.pixels[y, x] += _added_up(magnitudes, 1)
            tally.pair_magnitudes += _added_up(magnitudes.square_(), 0)
        for layer in layers:
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
        total, low, high = of_neurons(tally, len(clusters), n_pairs)
        low, high = low.reshape(shape).astype(np.float32), high.reshape(shape).astype(np.float32)
    empty = np.full(clusters.size, np.nan, np.float32)
    assert tally.signed is not None
    return Summary(
        layer,
        sample.frame,
        total.reshape(shape).astype(np.float32),
        tally.pixels.astype(np.float32) if is_exact else empty,
        tally.signed.reshape(shape),
        empty,
        sample.rgb,
        passes=tally.passes,
        low=low,
        high=high,
        accuracy=None if is_exact else accuracy,
        sample=sample,
    )


def with_pixels(matrix: Matrix, summary: Summary) -> Summary:
    """The summary with the totals of every pixel, from about as many passes as those of neurons took."""
    if summary.sample is None:  # from a sweep, which has them
        return summary
    layer, sample = summary.layer, cast(Sample, summary.sample)
    tally = sample.tallies[layer.name]
    rule, state = cast(AdditiveRule, matrix.rule), matrix.frame(sample.frame).state
    ones = torch.ones(1, layer.n_units, layer.outputs_per_unit, device=matrix.device)
    image = None
    if tally.signed_pixels is None:
        image = rule.combined(layer, state, ones)
        colours = colours_of(matrix, sample.rgb).to(image.dtype)
        tally.signed_pixels = as_numpy(torch.einsum("kdyx,cd->yx", image, colours))
    summary = replace(summary, pixel_sum=tally.signed_pixels, passes=tally.passes)
    if summary.is_exact:
        return replace(summary, sample=None)
    least, most = PIXEL_SKETCHES
    by_unit = len(layer.shape_of(sample.granularity)) == 1
    for number in range(tally.pixel_sketches, min(most, max(least, tally.drawn + tally.sketches))):
        generator = torch.Generator().manual_seed(_seed(sample.seed, 2, number))
        weights = torch.empty(1, layer.n_units, 1 if by_unit else layer.outputs_per_unit)
        weights = weights.cauchy_(generator=generator).to(matrix.device).expand_as(ones)
        image = rule.combined(layer, state, weights)
        images = torch.einsum("kdyx,cd->cyx", image, colours_of(matrix, sample.rgb).to(image.dtype))
        if tally.log_pixels is None:
            tally.log_pixels = np.zeros(images.shape, np.float32)
        tally.log_pixels += log_magnitudes(as_numpy(images)).astype(np.float32)
        tally.pixel_sketches += 1
    total, low, high = of_pixels(tally)
    return replace(summary, pixel_abs=total, pixel_low=low, pixel_high=high, passes=tally.passes)


def _added_up(values: torch.Tensor, axis: int) -> npt.NDArray[np.float64]:
    return values.sum(axis, dtype=torch.float64).cpu().numpy()


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> np.uint64(1))
