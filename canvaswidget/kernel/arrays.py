"""What the views show, as plain arrays from the canvas: long work in blocks, and nothing computed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.clustering import Clusters, cluster
from canvaswidget.analysis.distribution import distribution
from canvaswidget.analysis.intensity import compare
from canvaswidget.analysis.motion import changes
from canvaswidget.analysis.vectors import pooled_maps
from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.embeddings import Embeddings
from canvaswidget.kernel.quantise import (
    Bytes,
    Floats,
    absolute_sum,
    check_finite,
    colours,
    fitted,
    psnr_of,
    quantise,
    shrink,
)
from canvaswidget.kernel.region import Region
from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.progress import Report
from canvaswidget.tracing import CanvasLike, UntraceableError
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.results import Column, Ranked

Indices = npt.NDArray[np.intp]
KnownClusters = dict[tuple[str, int], Clusters]  # by layer and how many

NO_PICTURE = 128  # of a frame that a saved canvas has not
BLOCK_BYTES = 2 * 2**20  # of maps at a time, so that something more urgent waits for milliseconds only


class Chosen(NamedTuple):
    """Neurons of a layer: several, else one, else one cluster, else all."""

    layer: Layer
    neuron: Neuron | None
    cluster: int
    n_clusters: int
    neurons: tuple[Neuron, ...] = ()


class Thumbnail(NamedTuple):
    """A small signed map: its levels with their range.

    `total` is the sum of the magnitudes at the full size, those of each colour added where the rule knows colours.
    """

    levels: Bytes
    low: float
    high: float
    total: float

    @property
    def reach(self) -> float:
        """Its largest magnitude."""
        return max(abs(self.low), abs(self.high))


class Arrays:
    """Frames, maps, columns and clusters of one canvas.

    Parameters
    ----------
    canvas : Canvas
    cache : ByteCache
        Shared with the canvas of another rule: what depends on the rule has it first in its key, frames have
        None.
    clusters : dict, optional
        Clusters of this rule that are known already; those that are found are added.
    """

    def __init__(self, canvas: CanvasLike, cache: ByteCache, clusters: KnownClusters | None = None) -> None:
        self.canvas = canvas
        self.cache = cache
        self.ranks = ranking(canvas)
        self.layers = Layers(canvas.traced_layers)
        self._followed = {layer.name for layer in self.ranks.traced_layers}
        self.size: tuple[int, int] = canvas.inr.size
        self.n_frames: int = canvas.inr.n_frames
        self._clusters: KnownClusters = {} if clusters is None else clusters
        for one in canvas.clusters:
            self._clusters[one.layer, len(one.counts)] = Clusters(**vars(one), size=self.size)
        self._embeddings = Embeddings(cache)
        self.channel = "sum"
        self._others: dict[str, Arrays] = {}
        # The last one alone: the next frame of a curve is compared with it.
        self._magnitudes: dict[tuple[Any, ...], Floats] = {}

    def under(self, rule: str) -> Arrays:
        """The same model's arrays under another rule, made when they are first asked for."""
        if rule == self.canvas.rule:
            return self
        if rule not in self._others:
            self._others[rule] = Arrays(self.canvas.under(rule), self.cache)
        return self._others[rule]

    def of_channel(self, channel: str) -> Arrays:
        """The same canvas's contributions to one colour; what does not depend on it is shared.

        Clusters, the scatter and findings are of the sum, whichever is asked.
        """
        other = copy(self)
        other.channel = channel
        return other

    @property
    def has_all_colours(self) -> bool:
        """Whether the rule that ranks tells the colours of every layer apart."""
        return not any(self._ranks_of(layer).why_no_colours(layer.name) for layer in self.layers)

    def look_at(self, time: int) -> None:
        """Where the playhead rests: a click there must not wait for the model, whatever is fetched ahead meanwhile."""
        for canvas in {self.canvas, self.ranks}:
            canvas.hold(time)

    # --- pictures -------------------------------------------------------------------------------------------

    def frame(self, time: int) -> Floats:
        """The raw output ``(h, w, channels)``."""

        def compute() -> Floats:
            image = np.asarray(self.canvas.frame(time), np.float32)
            check_finite(f"frame {time} of the model", image)
            return image

        return self.cache.remember((None, "frame", time), compute)

    def truth(self, time: int) -> Floats:
        """The signal itself ``(h, w, channels)``."""
        truth = self.canvas.inr.truth
        if truth is None:
            raise ValueError(
                "source: this INR has no truth; give it with truth=, an array of frames in [0, 1]"
            )
        return truth[time]

    def psnr(self, time: int) -> float | None:
        """Of the clipped output, in dB, at most 100; None without truth."""
        if self.canvas.inr.truth is None:
            return None
        return psnr_of(self.frame(time), self.truth(time))

    def error(self, time: int) -> Floats:
        """Absolute difference of the clipped output and the signal, the mean over channels, ``(h, w)``."""
        return np.abs(np.clip(self.frame(time), 0, 1) - self.truth(time)).mean(2)

    def small_frame(self, time: int, side: int) -> Bytes:
        """The clipped output, its longest side `side`, ``(h, w, 3)``."""
        size = fitted(self.size, side)

        def compute() -> Bytes:
            if time not in self.canvas.frames:
                return np.full((*size, 3), NO_PICTURE, np.uint8)
            image = self.cache.get((None, "frame", time))
            if image is None:  # not kept: a strip of large frames would push out all else
                image = np.asarray(self.canvas.frame(time), np.float32)
                check_finite(f"frame {time} of the model", image)
            return colours(np.moveaxis(shrink(np.moveaxis(image, 2, 0), size), 0, 2))

        return self.cache.remember((None, "small frame", time, size), compute)

    # --- what a saved canvas has of them ------------------------------------------------------------------------

    def kept(self, layer: Layer) -> Indices:
        """The neurons that have a map, by their place in C order: all but in a saved canvas."""
        return self.canvas.kept(layer)

    def kept_frames(self) -> Sequence[int]:
        """The frames that can be looked at."""
        return self.canvas.frames

    # --- maps -----------------------------------------------------------------------------------------------

    def maps(self, layer: Layer, neurons: Indices, time: int) -> Floats:
        """Signed maps of neurons given by their place in C order."""
        return self._maps(layer, neurons, time, self.channel)

    def signed_and_sizes(self, layer: Layer, neurons: Indices, time: int) -> tuple[Floats, Floats]:
        """Signed maps of neurons, the colours added, and their magnitudes."""
        return self._split(self._maps(layer, neurons, time, self._rgb(self.canvas, layer)))

    def adds_each_colour(self, layer: Layer) -> bool:
        """Whether magnitudes are those of each colour, added: where the rule knows colours and all are shown."""
        return self._rgb(self.canvas, layer) == "each"

    def _rgb(self, canvas: CanvasLike, layer: Layer) -> str:
        """What is asked of a canvas to know magnitudes: each colour, where all are shown and the rule knows them."""
        apart = self.channel == "sum" and not canvas.why_no_colours(layer.name)
        return "each" if apart else self.channel

    def _split(self, values: Any) -> tuple[Any, Any]:
        """Values, the colours added, and their magnitudes: the last axis is of colours where `_rgb` asks for each."""
        if values.ndim == 4:
            return values.sum(-1), abs(values).sum(-1)
        return values, abs(values)

    def _maps(self, layer: Layer, neurons: Indices, time: int, rgb: str) -> Floats:
        places = layer.neurons_at(neurons)
        maps = np.asarray(self.canvas.maps(layer.name, places, frame=time, rgb=rgb), np.float32)
        if not np.isfinite(maps).all():
            first = int(np.flatnonzero(~np.isfinite(maps).reshape(len(maps), -1).all(1))[0])
            lost = maps[first] if maps.ndim == 3 else maps[first].sum(-1)
            neuron = tuple(int(part) for part in np.atleast_1d(places[first]))
            name = neuron[0] if len(neuron) == 1 else neuron
            check_finite(f"the map of layer {layer.name!r}, neuron {name}, frame {time}", lost)
        return maps

    def map(self, chosen: Chosen, time: int, checkpoint: Report) -> Floats:
        """Signed for one neuron; the sum of absolute maps for several, a cluster or a whole layer."""
        layer = chosen.layer
        if chosen.neuron is not None:
            return self.maps(layer, layer.flat_index([chosen.neuron]), time)[0]
        return self.sums(chosen, time, checkpoint)[0]

    def sums(self, chosen: Chosen, time: int, checkpoint: Report) -> tuple[Floats, Floats]:
        """``(sum of absolute maps, sum of maps)`` of several neurons, a cluster or a whole layer."""
        layer, name = chosen.layer, chosen.layer.name
        key = (self.canvas.rule, self.channel, "sums", name, *chosen[1:], time)
        known = self.cache.get(key)
        if known is not None:
            return known
        absolute, signed = np.zeros(self.size, np.float64), np.zeros(self.size, np.float64)
        if not self.canvas.has_model and not chosen.neurons and chosen.cluster < 0:
            summary = self.summary(layer, time, checkpoint)
            absolute, signed = summary.pixel_abs, summary.pixel_sum
        elif chosen.neurons or chosen.cluster >= 0:
            members = self.members(chosen, time, checkpoint)
            for first, block in self._blocks(members):
                checkpoint(first, len(members))
                maps, sizes = self.signed_and_sizes(layer, block, time)
                absolute += sizes.sum(0, dtype=np.float64)
                signed += maps.sum(0, dtype=np.float64)
        else:
            rgb = self._rgb(self.canvas, layer)

            def both(maps: Any) -> tuple[Floats, ...]:
                return tuple(part.sum(0).double().cpu().numpy() for part in self._split(maps))

            for _, (whole, part) in self.canvas.reduce(name, both, time, rgb=rgb, progress=checkpoint):
                absolute += part
                signed += whole
        check_finite(f"the sum of the maps of layer {name!r}, frame {time}", absolute)
        return self.cache.put(key, (absolute.astype(np.float32), signed.astype(np.float32)))

    def finding(self, layer: Layer, overlay: str, time: int, checkpoint: Report) -> Floats:
        """A heat map about a whole layer: `neurons`, `intensity` (which has a sign) or `change`."""

        def compute() -> Floats:
            if overlay == "neurons":
                spread = distribution(self.canvas, layer.name, time, (0.1,), progress=checkpoint)
                return spread.neurons_per_pixel[0].astype(np.float32)
            if overlay == "intensity":
                total = np.asarray(self.summary(layer, time, checkpoint).pixel_abs)
                check_finite(f"the totals of layer {layer.name!r}, frame {time}", total)
                return compare(layer, time, total, self.frame(time)).difference
            if self.n_frames < 2:
                raise ValueError("overlay='change': this INR has one frame, so nothing changes")
            other = time - 1 if time > 0 else 1
            change, _ = changes(self.canvas, layer, [other, time], None, checkpoint)
            check_finite(f"the change of layer {layer.name!r}, frame {time}", change)
            return change[0]

        return self.cache.remember((self.canvas.rule, overlay, layer.name, time), compute)

    def magnitude(self, chosen: Chosen, time: int, checkpoint: Report) -> Floats:
        """The magnitudes of one neuron's contributions, added over colours where the rule knows them; or of more."""
        key = (self.channel, chosen[0].name, *chosen[1:], time)
        magnitude = self._magnitudes.get(key)
        if magnitude is None:
            alone = chosen.neuron is not None
            known = self.cache.get((self.canvas.rule, self.channel, "sums", *key[1:]))
            if known is not None:  # the map on the frame has been a pass over the layer already
                magnitude = known[0]
            elif not alone and not chosen.neurons and chosen.cluster < 0:
                magnitude = np.asarray(self.summary(chosen.layer, time, checkpoint).pixel_abs)
                check_finite(f"the totals of layer {chosen.layer.name!r}, frame {time}", magnitude)
            elif chosen.neuron is not None:
                place = chosen.layer.flat_index([chosen.neuron])
                magnitude = self.signed_and_sizes(chosen.layer, place, time)[1][0]
            else:
                magnitude = self.sums(chosen, time, checkpoint)[0]
            self._magnitudes.clear()
            self._magnitudes[key] = magnitude
        return magnitude

    def total(self, chosen: Chosen, time: int, checkpoint: Report) -> float:
        """The sum of the magnitudes over the frame."""
        return absolute_sum(self.magnitude(chosen, time, checkpoint))

    def change(self, chosen: Chosen, time: int, checkpoint: Report) -> tuple[float, float | None]:
        """``(total, how much the magnitudes differ from the previous frame's)``; None at the first frame."""
        key = (self.canvas.rule, self.channel, "change", chosen.layer.name, *chosen[1:], time)
        known = self.cache.get(key)
        if known is None:
            followed = time > 0 and time - 1 in self.kept_frames()
            before = self.magnitude(chosen, time - 1, checkpoint) if followed else None
            now = self.magnitude(chosen, time, checkpoint)
            known = self.cache.put(
                key, (absolute_sum(now), None if before is None else absolute_sum(now - before))
            )
        return known

    def thumbnails(
        self, layer: Layer, neurons: Indices, side: int, time: int, checkpoint: Report
    ) -> list[Thumbnail]:
        """Small signed maps, as levels with their range."""
        size = fitted(self.size, side)
        keys = [
            (self.canvas.rule, self.channel, "thumbnail", layer.name, time, size, int(neuron))
            for neuron in neurons
        ]
        found = [self.cache.get(key) for key in keys]
        missing = np.flatnonzero([thumbnail is None for thumbnail in found])
        for first, block in self._blocks(missing):
            checkpoint(first, len(missing))
            maps, sizes = self.signed_and_sizes(layer, neurons[block], time)
            for place, whole, values in zip(block, sizes, shrink(maps, size), strict=True):
                found[place] = self.cache.put(keys[place], Thumbnail(*quantise(values), absolute_sum(whole)))
        return found

    def strongest(self, layer: Layer, count: int, time: int, checkpoint: Report) -> Indices:
        """The places of the neurons that contribute most to a frame, colours added: what others are compared with.

        By their totals where these are known or take one quick sweep, else by the sums of their signed maps in each
        colour, which take a backward pass a colour.
        """

        def compute() -> Floats:
            if not self.canvas.has_model or self.canvas.rule == "xinc":
                return self.totals(layer, time, checkpoint)
            everywhere = np.ones(self.size, bool)
            ranks = self._ranks_of(layer)
            rgb = "sum" if ranks.why_no_colours(layer.name) else "each"
            values = ranks.region(everywhere, time, [layer.name], rgb=rgb)[layer.name]
            return _column(values, layer, f"to frame {time}").magnitudes

        key = (self.canvas.rule, "strength", layer.name, time)
        strength = self.cache.remember(key, compute)
        kept = self.kept(layer)
        return kept[_strongest(strength[kept], count)]

    def summary(self, layer: Layer, time: int, checkpoint: Report) -> Any:
        """Totals of a layer; kept by the canvas."""
        rgb = None if self.channel == "sum" else self.channel  # by default colours are added by magnitude
        return self.canvas.summary(layer.name, frame=time, rgb=rgb, progress=checkpoint)

    def totals(self, layer: Layer, time: int, checkpoint: Report) -> Floats:
        """The sum of each neuron's magnitudes, in C order."""
        totals = np.asarray(self.summary(layer, time, checkpoint).neuron_abs).ravel()
        check_finite(f"the totals of layer {layer.name!r}, frame {time}", totals)
        return totals

    def changes(self, layer: Layer, time: int, checkpoint: Report) -> Floats:
        """How much each neuron's magnitudes differ from the previous frame's (the next one's at frame 0)."""

        def compute() -> Floats:
            other = time - 1 if time > 0 else min(1, self.n_frames - 1)
            count = int(np.prod(layer.neurons))
            found = np.zeros(count, np.float32)
            for first, block in self._blocks(self.kept(layer)):
                checkpoint(first, count)
                now, then = (self.signed_and_sizes(layer, block, frame)[1] for frame in (time, other))
                found[block] = np.abs(now - then).sum((1, 2))
            return found

        return self.cache.remember((self.canvas.rule, self.channel, "changes", layer.name, time), compute)

    # --- a pixel, a region --------------------------------------------------------------------------------------------

    def columns(
        self, layers: Sequence[Layer], pixel: tuple[int, int], time: int, checkpoint: Report
    ) -> dict[str, Column]:
        """Every neuron's contribution to a pixel under the rule that ranks, in C order, by layer."""

        def key(layer: Layer) -> tuple[Any, ...]:
            return (self.canvas.rule, self.channel, "column", layer.name, time, pixel)

        found = {layer.name: self.cache.get(key(layer)) for layer in layers}
        if any(column is None for column in found.values()):
            missing = self._at_once(layers, lambda layer: self.cache.get(key(layer)) is None)
            for ranks, rgb, together in missing:
                checkpoint(0, 0)
                names = [layer.name for layer in together]
                values = ranks.pixel(*pixel, frame=time, layers=names, rgb=rgb)
                for layer in together:
                    column = _column(values[layer.name], layer, f"to pixel {pixel}, frame {time}")
                    found[layer.name] = self.cache.put(key(layer), column)
        return {layer.name: found[layer.name] for layer in layers}

    def _at_once(
        self, layers: Sequence[Layer], is_missing: Callable[[Layer], bool]
    ) -> Iterator[tuple[CanvasLike, str, list[Layer]]]:
        """The missing layers by the canvas and the colours to ask for: one call answers each group.

        Under `gated` one backward pass a colour gives the columns of every layer that it follows: those that were not
        asked for come with the others, since the pixel's panel shows them next.
        """
        together = self.ranks.rule == "gated" and self.ranks.has_model
        groups: dict[str, list[Layer]] = {}
        for layer in filter(is_missing, self.layers if together else ()):
            if layer.name in self._followed:
                groups.setdefault(self._rgb(self.ranks, layer), []).append(layer)
        yield from ((self.ranks, rgb, group) for rgb, group in groups.items())
        for layer in filter(is_missing, layers):
            if not (together and layer.name in self._followed):
                ranks = self._ranks_of(layer)
                yield ranks, self._rgb(ranks, layer), [layer]

    def _ranks_of(self, layer: Layer) -> CanvasLike:
        """The canvas that orders a layer's neurons: the layer's own rule where the one that ranks can't follow it."""
        return self.ranks if layer.name in self._followed else self.canvas

    def region(self, layer: Layer, region: Region, time: int, checkpoint: Report) -> Column:
        """Every neuron's contribution to a region under the rule that ranks, in C order."""

        def compute() -> Column:
            name, ranks = layer.name, self._ranks_of(layer)
            rgb = self._rgb(ranks, layer)
            values = ranks.region(region.mask, time, [name], rgb=rgb, progress=checkpoint)[name]
            return _column(values, layer, f"to the region, frame {time}")

        return self.cache.remember(
            (self.canvas.rule, self.channel, "region", layer.name, time, region), compute
        )

    def top(self, columns: Mapping[str, Column], k: int) -> list[Ranked]:
        """The `k` neurons that contribute most, across layers: `Canvas.top` from what is known already."""
        ranked = []
        for name, (values, sizes) in columns.items():
            layer, total = self.layers.find(name), absolute_sum(sizes)
            for place in _strongest(sizes, k):
                neuron = layer.neuron_at(place)
                value, size = float(values[place]), float(sizes[place])
                ranked.append(Ranked(name, neuron, value, size / total if total else 0.0, size))
        return sorted(ranked, key=lambda neuron: -neuron.magnitude)[:k]

    def at_pixel(self, ranked: list[Ranked], pixel: tuple[int, int], time: int) -> list[Ranked]:
        """The same neurons with their contributions under the canvas's own rule, the strongest first."""
        if self.ranks is self.canvas or not ranked:
            return ranked
        found: dict[tuple[str, Neuron], tuple[float, float]] = {}
        for name in {each.layer for each in ranked}:
            layer = self.layers.find(name)
            neurons = [each.neuron for each in ranked if each.layer == name]
            places = layer.flat_index(neurons)
            for neuron, *both in zip(neurons, *self.signed_and_sizes(layer, places, time), strict=True):
                found[name, neuron] = (float(both[0][pixel]), float(both[1][pixel]))
        known = [(one, found[one.layer, one.neuron]) for one in ranked]
        exact = [one._replace(value=value, magnitude=size) for one, (value, size) in known]
        return sorted(exact, key=lambda neuron: -neuron.magnitude)

    # --- clusters -------------------------------------------------------------------------------------------

    def clusters(self, layer: Layer, n_clusters: int, time: int, checkpoint: Report) -> Clusters:
        """Groups of neurons that look alike at a frame.

        The first frame they are asked for at decides: they keep their names and members while time runs.
        """
        found = self.known_clusters(layer, n_clusters)
        if found is None:
            found = cluster(self.canvas, layer.name, n_clusters, frame=time, progress=checkpoint)
            self._clusters[layer.name, n_clusters] = found
        return found

    def known_clusters(self, layer: Layer, n_clusters: int) -> Clusters | None:
        """Those already computed."""
        return self._clusters.get((layer.name, n_clusters))

    def members(self, chosen: Chosen, time: int, checkpoint: Report) -> Indices:
        """Several neurons, or those of a cluster, by their place in C order."""
        if chosen.neurons:
            return chosen.layer.flat_index(chosen.neurons)
        labels = self.clusters(chosen.layer, chosen.n_clusters, time, checkpoint).labels.ravel()
        return np.flatnonzero(labels == chosen.cluster)

    # --- a plane of neurons ---------------------------------------------------------------------------------

    def scatter(self, layer: Layer, method: str, time: int, checkpoint: Report) -> Floats:
        """``(n, 2)`` in [0, 1], neurons in C order; NaN for those whose map is the same everywhere."""

        def features() -> tuple[Floats, Any]:
            return self.cache.remember(
                (self.canvas.rule, "features", layer.name, time),
                lambda: pooled_maps(self.canvas, layer, layer.neurons, time, checkpoint),
            )

        key = (self.canvas.rule, "scatter", layer.name, method, time)
        return self._embeddings.points(key, features, method, lambda: checkpoint(0, 0))

    # --- blocks ---------------------------------------------------------------------------------------------

    def _blocks(self, indices: Indices) -> Iterator[tuple[int, Indices]]:
        """``(how many are done, the next few)``."""
        step = max(1, BLOCK_BYTES // (4 * self.size[0] * self.size[1]))
        for first in range(0, len(indices), step):
            yield first, indices[first : first + step]


def ranking(canvas: CanvasLike) -> CanvasLike:
    """The canvas that orders neurons: under `ablation` every value costs a pass of the model, so `gated` does.

    Unless it follows no layer of the model.
    """
    if canvas.rule != "ablation":
        return canvas
    try:
        return canvas.under("gated")
    except UntraceableError:
        return canvas


def _column(values: Any, layer: Layer, where: str) -> Column:
    """Contributions as a canvas gives them, with or without colours, in C order."""
    values = np.asarray(values, np.float32)
    each = values.ndim > len(layer.neurons)
    column = Column.of(values.reshape(-1, values.shape[-1]) if each else values.flatten(), each)
    check_finite(f"the contributions of layer {layer.name!r} {where}", column.magnitudes)
    return column


def _strongest(sizes: Floats, k: int) -> Indices:
    """The places of the `k` largest magnitudes, the largest first; of equal ones the first."""
    if 0 < k < len(sizes):
        least = np.partition(sizes, len(sizes) - k)[len(sizes) - k]
        chosen = np.flatnonzero(sizes >= least)
        return chosen[np.argsort(-sizes[chosen], kind="stable")][:k]
    return np.argsort(-sizes, kind="stable")[:k]
