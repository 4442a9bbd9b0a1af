"""The answers that a page takes along, for when there is no kernel to ask: one pass over each layer of each frame.

What the page can't compute from them it answers with a word; see ``js/src/page/answers.ts``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from canvaswidget.exports.packing import ColourSeries, MapSeries, Packed, pack
from canvaswidget.kernel import ranking, requests, similarity, view_checks
from canvaswidget.kernel.cached_canvas import (
    CachedCanvas,
    Indices,
)
from canvaswidget.kernel.quantise import Floats, absolute_sum, check_finite
from canvaswidget.kernel.ranked_neurons import share_of
from canvaswidget.kernel.requests.faithfulness import FaithfulnessReply, is_measured, measure
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.results import Column

RANKED = 12  # neurons of a pixel
RANKED_PIXELS = 100
COLUMN_BYTES = 64 * 2**20  # of the neurons of those pixels, at a time


class Quality(NamedTuple):
    """How finely a page keeps what it keeps: one pixel of so many, each way; levels of a map."""

    frames: int
    maps: int
    groups: int
    levels: int

    def __str__(self) -> str:
        parts = [f"{what} at 1/{step} of their resolution" for what, step in self._steps() if step > 1]
        return ", ".join([*parts, f"maps in {self.levels} levels"])

    def _steps(self) -> list[tuple[str, int]]:
        sums = "maps of clusters and whole layers"
        if self.maps == self.groups:
            return [("frames", self.frames), ("maps", self.maps)]
        return [("frames", self.frames), ("maps of neurons", self.maps), (sums, self.groups)]

    def size(self, size: tuple[int, int], what: str) -> tuple[int, int]:
        """The size that frames, maps or groups are kept in."""
        step = {"frames": self.frames, "maps": self.maps, "groups": self.groups}[what]
        return max(1, size[0] // step), max(1, size[1] // step)


QUALITIES = (
    Quality(1, 1, 1, 256),
    Quality(1, 1, 2, 256),
    Quality(1, 2, 2, 128),
    Quality(1, 2, 4, 64),
    Quality(2, 4, 4, 64),
    Quality(4, 8, 8, 64),
)


@dataclass(frozen=True)
class Kept:
    """What a page keeps.

    Attributes
    ----------
    layers : sequence of Layer
    frames : sequence of int
        Of the signal.
    neurons : dict of str to array
        By layer, their places in C order, the one to be left out last first.
    n_clusters : int
    pixels : sequence of (y, x)
        Whose neurons are ranked.
    sources : sequence of str
    now : int
        The frame of the signal at which neurons are grouped into clusters.
    """

    layers: Sequence[Layer]
    frames: Sequence[int]
    neurons: Mapping[str, Indices]
    n_clusters: int
    pixels: Sequence[tuple[int, int]]
    sources: Sequence[str]
    now: int

    def of_frames(self, frames: Sequence[int]) -> Kept:
        """The same of other frames."""
        return Kept(self.layers, frames, self.neurons, self.n_clusters, self.pixels, self.sources, self.now)


class Swept(NamedTuple):
    """What one pass over a layer gives: maps and magnitudes of neurons, sums of groups, contributions to pixels."""

    maps: Floats
    sizes: Floats
    absolute: Floats
    signed: Floats
    columns: Column  # (n, pixels) each


def sweep(
    cached: CachedCanvas, layer: Layer, frame: int, kept: Kept, labels: Indices, report: Report
) -> Swept:
    """One pass over a layer: its neurons kept, the whole layer and its clusters, every neuron at the pixels."""
    groups = np.concatenate([np.ones((1, labels.size)), labels == np.arange(kept.n_clusters)[:, None]])
    size, places = cached.size, kept.neurons[layer.name]
    ys, xs = np.array(kept.pixels, np.intp).reshape(-1, 2).T
    member = torch.as_tensor(groups, dtype=torch.float32, device=cached.canvas.device)
    absolute = torch.zeros((len(groups), size[0] * size[1]), dtype=torch.float64, device=member.device)
    signed = torch.zeros_like(absolute)
    columns = Column(*np.zeros((2, labels.size, len(kept.pixels)), np.float32))
    found = np.zeros((2, len(places), *size), np.float32)
    rgb = "sum" if cached.canvas.why_no_colours(layer.name) else "each"
    for neurons, both in cached.canvas.reduce(layer.name, _with_sizes, frame, rgb=rgb, progress=report):
        block = layer.flat_index(neurons)
        for maps, total, column in zip(both, (signed, absolute), columns, strict=True):
            flat = maps.reshape(len(block), -1)
            total += member[:, block] @ flat
            column[block] = flat[:, ys * size[1] + xs].cpu().numpy()
        for place in np.flatnonzero(np.isin(places, block)):
            at = int(np.flatnonzero(block == places[place])[0])
            found[:, place] = [maps[at].cpu().numpy() for maps in both]
    sums = [part.float().cpu().numpy().reshape(-1, *size) for part in (absolute, signed)]
    check_finite(f"the sum of the maps of layer {layer.name!r}, frame {frame}", sums[0])
    return Swept(found[0], found[1], sums[0], sums[1], columns)


def _with_sizes(maps: Any) -> tuple[Any, Any]:
    """Maps and their magnitudes, made where several chunks are computed side by side; colours are added."""
    maps = maps.float()
    return (maps.sum(-1), maps.abs().sum(-1)) if maps.ndim == 4 else (maps, maps.abs())


class Selected:
    """The maps of one selection of a layer, frame by frame; with signs beside, where it sums more than one neuron."""

    def __init__(self, layer: str, neuron: list[int] | None, cluster: int, size: Any, levels: int) -> None:
        self.layer, self.neuron, self.cluster = layer, neuron, cluster
        self.planes = [MapSeries(size, levels) for _ in range(1 if neuron else 2)]
        self.totals: list[float] = []
        self.changes: list[float | None] = []
        self._before: Floats | None = None

    def add(self, magnitude: Floats, *planes: Floats) -> None:
        """The next frame: its magnitudes, and what is shown: the map, or the magnitudes and the sum with signs."""
        for series, values in zip(self.planes, planes, strict=True):
            series.add(values)
        self.totals.append(absolute_sum(magnitude))
        self.changes.append(None if self._before is None else absolute_sum(magnitude - self._before))
        self._before = magnitude

    def pack(self) -> tuple[dict[str, Any], list[Packed]]:
        """Its header and its planes."""
        header = {
            "layer": self.layer,
            "neuron": self.neuron,
            "cluster": self.cluster,
            "low": [series.low for series in self.planes],
            "high": [series.high for series in self.planes],
            "totals": self.totals,
            "changes": self.changes,
        }
        return header, [series.pack() for series in self.planes]


@dataclass
class Ranked:
    """The neurons of some pixels, frame by frame: numbers of layers, places, values; totals and shares of layers."""

    layers: list[Any] = field(default_factory=list)
    places: list[Any] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    sizes: list[Any] = field(default_factory=list)  # magnitudes
    totals: list[Any] = field(default_factory=list)
    counts: list[Any] = field(default_factory=list)  # n50 and n90
    shares: list[Any] = field(default_factory=list)
    points: list[list[int]] = field(default_factory=list)  # where the share curves are known

    def add(self, cached: CachedCanvas, columns: Mapping[str, Column]) -> None:
        """The next frame: every neuron at every pixel, by layer."""
        names = list(columns)
        length = min(RANKED, sum(len(column.values) for column in columns.values()))
        n_pixels = next(iter(columns.values())).values.shape[1]
        layers, places = np.zeros((n_pixels, length)), np.zeros((n_pixels, length))
        values, sizes = np.zeros((n_pixels, length)), np.zeros((n_pixels, length))
        totals = np.zeros((n_pixels, len(names)))
        counts, shares = np.zeros((n_pixels, len(names), 2)), []
        for at in range(n_pixels):
            here = {name: Column(*(part[:, at] for part in column)) for name, column in columns.items()}
            for rank, each in enumerate(ranking.top(cached, here, length)):
                layers[at, rank] = names.index(each.layer)
                places[at, rank] = cached.layers.find(each.layer).flat_index([each.neuron])[0]
                values[at, rank], sizes[at, rank] = each.value, each.magnitude
            each_layer = [share_of(name, column.magnitudes) for name, column in here.items()]
            totals[at] = [share["total"] for share in each_layer]
            counts[at] = [(share["n50"], share["n90"]) for share in each_layer]
            shares.append(np.concatenate([share["shares"] for share in each_layer]))
            self.points = [share["counts"] for share in each_layer]
        for mine, new in (
            (self.layers, layers),
            (self.places, places),
            (self.values, values),
            (self.sizes, sizes),
            (self.totals, totals),
            (self.counts, counts),
            (self.shares, np.rint(255 * np.stack(shares))),
        ):
            mine.append(new)

    def pack(self) -> dict[str, Packed]:
        """All frames."""
        return {
            "layers": pack(layers := np.stack(self.layers), "u1" if layers.max(initial=0) < 256 else "u4"),
            "places": pack(np.stack(self.places), "u4"),
            "values": pack(np.stack(self.values), "f4"),
            "sizes": pack(np.stack(self.sizes), "f4"),
            "totals": pack(np.stack(self.totals), "f4"),
            "counts": pack(np.stack(self.counts), "u4"),
            "shares": pack(np.stack(self.shares), "u1"),
        }


class PrecomputedAnswers:
    """Bakes the answers of one page, a layer of a frame at a time: whatever calls it can do other things between.

    Parameters
    ----------
    cached : CachedCanvas
    kept : Kept
    quality : Quality
    """

    def __init__(self, cached: CachedCanvas, kept: Kept, quality: Quality) -> None:
        self.kept, self.quality = kept, quality
        self._cached = cached
        maps, groups = (quality.size(cached.size, what) for what in ("maps", "groups"))
        self.frames = {source: ColourSeries(quality.size(cached.size, "frames")) for source in kept.sources}
        self.psnr: list[float | None] = []
        self.ranked = Ranked()
        self._columns: dict[str, Column] = {}
        self.neurons = {
            layer.name: [
                Selected(layer.name, view_checks.on_wire(layer.neuron_at(place)), -1, maps, quality.levels)
                for place in kept.neurons[layer.name]
            ]
            for layer in kept.layers
        }
        self.groups = {
            layer.name: [
                Selected(layer.name, None, cluster, groups, quality.levels)
                for cluster in range(-1, kept.n_clusters)
            ]
            for layer in kept.layers
        }

    def add_frame(self, frame: int, report: Report) -> None:
        """The pictures of the next frame; its layers must follow."""
        self._columns = {}
        for source, series in self.frames.items():
            answer, data = self._ask({"kind": "frame", "time": frame, "source": source}, report)
            series.add(np.frombuffer(data, np.uint8).reshape(*self._cached.size, 3))
            if source == "reconstruction":
                self.psnr.append(answer["psnr"])

    def add_layer(self, layer: Layer, frame: int, report: Report) -> None:
        """A layer of the frame that was added last."""
        self.take(layer, sweep(self._cached, layer, frame, self.kept, self.labels(layer, report), report))

    def take(self, layer: Layer, swept: Swept, ranks: bool = True) -> None:
        """What a sweep has given; without `ranks`, all but the neurons of pixels."""
        for selected, sizes, values in zip(self.neurons[layer.name], swept.sizes, swept.maps, strict=True):
            selected.add(sizes, values)
        for selected, planes in zip(
            self.groups[layer.name], zip(swept.absolute, swept.signed, strict=True), strict=True
        ):
            selected.add(planes[0], *planes)
        self._columns[layer.name] = swept.columns
        if ranks and len(self._columns) == len(self.kept.layers):
            self.ranked.add(self._cached, self._columns)

    def labels(self, layer: Layer, report: Report) -> Indices:
        """The cluster of each neuron in C order, -1 for a dead one."""
        return labels(self._cached, layer, self.kept.n_clusters, self.kept.now, report)

    def clusters(self, layer: Layer, report: Report) -> tuple[dict[str, Any], Packed]:
        """The kernel's answer about a layer's clusters."""
        body = {
            "kind": "clusters",
            "rule": self._cached.canvas.rule,
            "time": self.kept.now,
            "layer": layer.name,
            "n_clusters": self.kept.n_clusters,
        }
        answer, data = self._ask(body, report)
        return answer, pack(np.frombuffer(data, np.uint8), "u1")

    def faithfulness(self, layer: Layer, report: Report) -> FaithfulnessReply | None:
        """The score of a layer, if it was measured, at a frame that is kept."""
        if not is_measured(self._cached, layer):
            return None
        score = measure(self._cached, layer, self.kept.now, report)
        if score["frame"] not in self.kept.frames:
            return None
        return score

    def _ask(self, body: dict[str, Any], report: Report) -> tuple[dict[str, Any], bytes]:
        return requests.answer(self._cached, body, report)


def labels(cached: CachedCanvas, layer: Layer, n_clusters: int, frame: int, report: Report) -> Indices:
    """The cluster of each neuron in C order, -1 for a dead one."""
    return similarity.clusters(cached, layer, n_clusters, frame, report).labels.ravel().astype(np.intp)


def strongest(totals: Floats, labels: Indices, count: int) -> Indices:
    """The places of some neurons: the strongest of each cluster in turn, then the next of each.

    The strongest of a whole layer are often all alike.
    """
    descending = np.argsort(-totals, kind="stable")
    turn = np.zeros(len(totals), np.intp)
    for cluster in np.unique(labels):
        members = descending[labels[descending] == cluster]
        # What writes nowhere comes last of all.
        turn[members] = np.arange(len(members)) + (len(totals) if cluster < 0 else 0)
    return descending[np.argsort(turn[descending], kind="stable")][:count]


def spread_pixels(
    size: tuple[int, int], most_neurons: int, pinned: tuple[int, int] | None
) -> list[tuple[int, int]]:
    """Pixels evenly over the frame, and the pinned one; fewer where a layer has very many neurons."""
    count = max(4, min(RANKED_PIXELS, COLUMN_BYTES // (4 * most_neurons)))
    step = max(1, math.ceil(math.sqrt(size[0] * size[1] / count)))
    found = [
        (y, x)
        for y in range(min(step // 2, size[0] - 1), size[0], step)
        for x in range(min(step // 2, size[1] - 1), size[1], step)
    ]
    return found if pinned is None or pinned in found else [*found, pinned]
