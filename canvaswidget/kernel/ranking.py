"""Which neurons contribute most: to a pixel, to a region, to a frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from canvaswidget.analysis.sampled import Draw, Target
from canvaswidget.analysis.sampled_regions import of_itself, sampled_region_sums
from canvaswidget.kernel import layer_totals, neuron_maps, sampled_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.kernel.quantise import Floats, absolute_sum, check_finite
from canvaswidget.kernel.region import Region
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.progress import Report
from canvaswidget.tracing import CanvasLike
from canvaswidget.tracing.accuracy import ACCURACY
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.results import Column, Ranked

REGION_PASSES = 48  # that the estimate of a layer's contributions to a region may take


def pixel_columns(
    cached: CachedCanvas, layers: Sequence[Layer], pixel: tuple[int, int], time: int, checkpoint: Report
) -> dict[str, Column]:
    """Every neuron's contribution to a pixel under the rule that ranks, in C order, by layer."""

    def ask(ranks: CanvasLike, names: list[str], rgb: str) -> Mapping[str, Any]:
        return ranks.pixel(*pixel, frame=time, layers=names, rgb=rgb)

    where = f"to pixel {pixel}, frame {time}"
    return _columns(cached, layers, ("column", time, pixel), ask, where, checkpoint)


def region_columns(
    cached: CachedCanvas, layers: Sequence[Layer], region: Region, time: int, checkpoint: Report
) -> tuple[dict[str, Column], float]:
    """Every neuron's contribution to a region, its pixels added, under the rule that ranks: in C order, by layer.

    And half of its 95% interval as a part of it, the median over neurons, in the worst of the layers: 0 where exact.
    Magnitudes of single pixels are estimated where all maps of a layer would take long; all else is exact.
    """
    if cached.channel == "abs":
        long = [layer for layer in layers if sampled_maps.is_long(cached, layer)]
        others = [layer for layer in layers if layer not in long]
        found = _exact_region_columns(cached, others, region, time, checkpoint)
        widths = [0.0]
        for layer in long:
            values, half_width = _sampled_region_column(cached, layer, region, time, checkpoint)
            found[layer.name] = Column(values, values)
            widths.append(half_width)
        return {layer.name: found[layer.name] for layer in layers}, max(widths)
    return _exact_region_columns(cached, layers, region, time, checkpoint), 0.0


def _exact_region_columns(
    cached: CachedCanvas, layers: Sequence[Layer], region: Region, time: int, checkpoint: Report
) -> dict[str, Column]:

    def ask(ranks: CanvasLike, names: list[str], rgb: str) -> Mapping[str, Any]:
        return ranks.region(region.mask, time, names, rgb=rgb, progress=checkpoint)

    where = f"to the region, frame {time}"
    return _columns(cached, layers, ("region", time, region), ask, where, checkpoint)


def _sampled_region_column(
    cached: CachedCanvas, layer: Layer, region: Region, time: int, checkpoint: Report
) -> tuple[Floats, float]:
    def compute() -> tuple[Floats, float]:
        planned = Draw.of(cached.canvas, layer, time, None, 0, Target(ACCURACY, REGION_PASSES))
        sums = sampled_region_sums(planned, region.mask[None], "", of_itself, checkpoint)
        values = sums.regions[:, 0]
        check_finite(f"the contributions of layer {layer.name!r} to the region, frame {time}", values)
        return values, sums.sampling.half_width

    return cached.cache.remember(cached.key("sampled region", time, region, layer.name), compute)


def _columns(
    cached: CachedCanvas,
    layers: Sequence[Layer],
    of: tuple[Any, ...],
    ask: Callable[[CanvasLike, list[str], str], Mapping[str, Any]],
    where: str,
    checkpoint: Report,
) -> dict[str, Column]:
    """Columns of some layers, those that are not cached with as few questions as possible."""

    def key(layer: Layer) -> tuple[Any, ...]:
        return cached.key(*of, layer.name)

    found = {layer.name: cached.cache.get(key(layer)) for layer in layers}
    if any(column is None for column in found.values()):
        missing = _at_once(cached, layers, lambda layer: cached.cache.get(key(layer)) is None)
        for ranks, rgb, together in missing:
            checkpoint(0, 0)
            values = ask(ranks, [layer.name for layer in together], rgb)
            for layer in together:
                found[layer.name] = cached.cache.put(key(layer), _column(values[layer.name], layer, where))
    return {layer.name: found[layer.name] for layer in layers}


def strongest(cached: CachedCanvas, layer: Layer, count: int, time: int, checkpoint: Report) -> Indices:
    """The flat indices of the neurons that contribute most to a frame, colours added: others are compared with these.

    By their totals where these are known or take one quick sweep, else by the sums of their signed maps in each
    colour, which take a backward pass a colour.
    """

    def compute() -> Floats:
        if not cached.canvas.has_model or cached.canvas.rule == "xinc":
            return layer_totals.totals(cached, layer, time, checkpoint)
        everywhere = np.ones(cached.size, bool)
        ranks = cached.ranks_of(layer)
        rgb = "sum" if ranks.why_no_colours(layer.name) else "each"
        values = ranks.region(everywhere, time, [layer.name], rgb=rgb)[layer.name]
        return _column(values, layer, f"to frame {time}").magnitudes

    key = (cached.canvas.rule, "strength", layer.name, time)
    strength = cached.cache.remember(key, compute)
    kept = cached.canvas.kept(layer)
    return kept[_largest(strength[kept], count)]


def top(cached: CachedCanvas, columns: Mapping[str, Column], k: int) -> list[Ranked]:
    """The `k` neurons that contribute most, across layers: `Canvas.top` from columns that are known already."""
    ranked = []
    for name, (values, sizes) in columns.items():
        layer, total = cached.layers.find(name), absolute_sum(sizes)
        for place in _largest(sizes, k):
            neuron = layer.neuron_at(place)
            value, size = float(values[place]), float(sizes[place])
            ranked.append(Ranked(name, neuron, value, size / total if total else 0.0, size))
    return sorted(ranked, key=lambda neuron: -neuron.magnitude)[:k]


def under_own_rule(cached: CachedCanvas, ranked: list[Ranked], where: Any, time: int) -> list[Ranked]:
    """The same neurons with their contributions under the canvas's own rule, the strongest first.

    `where` is a pixel ``(y, x)`` or a mask, over whose pixels contributions are added.

    Their shares are NaN where another rule has chosen them: the sum over their layer is not known under this one.
    """
    if cached.ranks is cached.canvas or not ranked:
        return ranked
    found: dict[tuple[str, Neuron], tuple[float, float]] = {}
    for name in {each.layer for each in ranked}:
        layer = cached.layers.find(name)
        neurons = [each.neuron for each in ranked if each.layer == name]
        # The colours of a sum over pixels, not the sum over pixels of magnitudes: what `region_columns` ranks by.
        maps = neuron_maps.coloured(cached, layer, layer.flat_index(neurons), time)
        added = [one[where] for one in maps]
        sums = np.stack([one if isinstance(where, tuple) else one.sum(0, dtype=np.float64) for one in added])
        column = Column.of(sums, maps.ndim == 4)
        for neuron, value, size in zip(neurons, *column, strict=True):
            found[name, neuron] = float(value), float(size)
    known = [(one, found[one.layer, one.neuron]) for one in ranked]
    exact = [
        one._replace(
            value=value,
            magnitude=size,
            share=math.nan if cached.is_ranked(cached.layers.find(one.layer)) else one.share,
        )
        for one, (value, size) in known
    ]
    return sorted(exact, key=lambda neuron: -neuron.magnitude)


def _at_once(
    cached: CachedCanvas, layers: Sequence[Layer], is_missing: Callable[[Layer], bool]
) -> Iterator[tuple[CanvasLike, str, list[Layer]]]:
    """The missing layers by the canvas and the colours to ask for: one call answers each group.

    Under `gated` one backward pass a colour gives the columns of every layer that it is defined on: those that were
    not asked for come with the others, since the pixel's panel shows them next.
    """
    together = cached.ranks.rule == "gated" and cached.ranks.has_model
    groups: dict[str, list[Layer]] = {}
    for layer in filter(is_missing, cached.layers if together else ()):
        if cached.is_ranked(layer):
            groups.setdefault(cached.rgb_of(cached.ranks, layer), []).append(layer)
    yield from ((cached.ranks, rgb, group) for rgb, group in groups.items())
    for layer in filter(is_missing, layers):
        if not (together and cached.is_ranked(layer)):
            ranks = cached.ranks_of(layer)
            yield ranks, cached.rgb_of(ranks, layer), [layer]


def _column(values: Any, layer: Layer, where: str) -> Column:
    """Contributions as a canvas gives them, with or without colours, in C order."""
    values = np.asarray(values, np.float32)
    each = values.ndim > len(layer.neurons)
    column = Column.of(values.reshape(-1, values.shape[-1]) if each else values.flatten(), each)
    check_finite(f"the contributions of layer {layer.name!r} {where}", column.magnitudes)
    return column


def _largest(sizes: Floats, k: int) -> Indices:
    """The flat indices of the `k` largest magnitudes, the largest first; of equal ones the first."""
    if 0 < k < len(sizes):
        least = np.partition(sizes, len(sizes) - k)[len(sizes) - k]
        chosen = np.flatnonzero(sizes >= least)
        return chosen[np.argsort(-sizes[chosen], kind="stable")][:k]
    return np.argsort(-sizes, kind="stable")[:k]
