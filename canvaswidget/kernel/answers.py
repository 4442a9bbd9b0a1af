"""From a request's body to the answer's header and its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from canvaswidget.analysis.embedding import methods
from canvaswidget.kernel import knockout, view
from canvaswidget.kernel.arrays import Arrays, Chosen, neuron_at, place_of
from canvaswidget.kernel.faithfulness import trust
from canvaswidget.kernel.levels import absolute_sum, colours, fitted, quantise
from canvaswidget.kernel.messages import (
    Answer,
    Body,
    ClustersReply,
    ClustersRequest,
    CurveReply,
    CurveRequest,
    ExportRequest,
    FrameReply,
    FrameRequest,
    GridReply,
    GridRequest,
    LayerShare,
    MapReply,
    MapRequest,
    PalettesReply,
    PixelReply,
    PixelRequest,
    RankedNeuron,
    RecipeReply,
    RecipeRequest,
    RegionsReply,
    RegionsRequest,
    RulesReply,
    RulesRequest,
    ScatterReply,
    ScatterRequest,
    StripReply,
    StripRequest,
    TrustRequest,
    ValuesReply,
    ValuesRequest,
    ViewState,
)
from canvaswidget.kernel.messages import Chosen as Told
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.region_list import MOST_REGIONS, part_of
from canvaswidget.kernel.side_by_side import SideBySide
from canvaswidget.plotting.figures import palettes
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.results import Column

Progress = Callable[[int, int], None]
Answered = tuple[Answer, bytes]
Recipe = Callable[[Arrays, ViewState], str]
Export = Callable[[Arrays, ExportRequest, Progress], Answered]

DEAD = 255
MAX_RANKED = 1000
CURVE_POINTS = 40
MAX_THUMBNAILS = 4096
MAX_SIDE = 1024
EXEMPLAR_SIDE = 64
COMPARED = 12  # neurons whose thumbnails decide about the scale of all of their layer's


class Answers:
    """Answers requests about one canvas, one at a time or one within a `checkpoint` of another.

    An answer depends on the request's body and the model alone. The body has the types of `messages`; what it names
    (a layer, a frame, a pixel) is checked here, and what is wrong raises TypeError, ValueError, IndexError or KeyError.
    """

    def __init__(self, arrays: Arrays, recipe: Recipe | None = None, export: Export | None = None) -> None:
        self.arrays = arrays
        self._recipe_text = recipe or _no_recipe
        self._export_file = export or _no_export
        self._removable = knockout.removable(arrays.canvas)
        self._side_by_side = SideBySide(arrays)

    def answer(self, body: Body, checkpoint: Progress) -> Answered:
        """The answer's header and its data, empty for some."""
        kinds: dict[str, Callable[[Any, Progress], Answered]] = {
            "palettes": self._palettes,
            "recipe": self._recipe,
            "export": self._export,
            "frame": self._frame,
            "map": self._map,
            "grid": self._grid,
            "pixel": self._pixel,
            "regions": self._regions,
            "curve": self._curve,
            "strip": self._strip,
            "clusters": self._clusters,
            "scatter": self._scatter,
            "values": self._values,
            "rules": self._rules,
            "trust": self._trust,
        }
        rule = body.get("rule", self.arrays.canvas.rule)
        if rule != self.arrays.canvas.rule:
            raise ValueError(f"rule={rule!r}: these are the contributions under {self.arrays.canvas.rule!r}")
        return kinds[body["kind"]](body, checkpoint)

    def _palettes(self, body: Body, checkpoint: Progress) -> Answered:
        found = palettes()
        answer: PalettesReply = {
            "kind": "palettes",
            "names": list(found.names),
            "diverging": list(found.diverging),
        }
        return answer, found.tables.tobytes()

    def _recipe(self, body: RecipeRequest, checkpoint: Progress) -> Answered:
        answer: RecipeReply = {"kind": "recipe", "text": self._recipe_text(self.arrays, body["state"])}
        return answer, b""

    def _export(self, body: ExportRequest, checkpoint: Progress) -> Answered:
        return self._export_file(self.arrays, body, checkpoint)

    def _frame(self, body: FrameRequest, checkpoint: Progress) -> Answered:
        time = self._time(body["time"])
        source = view.checked_choice("source", body["source"], view.CHOICES["source"])
        arrays = self.arrays
        knocked_out: knockout.KnockedOut = {}
        if source in knockout.SOURCES:
            knocked_out = knockout.from_wire(self._removable, body.get("knocked_out", []))

        def compute() -> Answered:
            low, high = 0.0, 1.0
            psnr = None if source == "off" else arrays.psnr(time)
            if knocked_out:
                psnr = knockout.psnr(arrays, knocked_out, time)
            if source == "without":
                levels = colours(knockout.without(arrays, knocked_out, time))
            elif source == "difference":
                levels, low, high = quantise(knockout.difference(arrays, knocked_out, time))
            elif source == "reconstruction":
                levels = colours(arrays.frame(time))
            elif source == "truth":
                levels = colours(arrays.truth(time))
            elif source == "error":
                levels, low, high = quantise(arrays.error(time), low=0.0)
            else:
                levels = np.zeros(arrays.size, np.uint8)
            answer: FrameReply = {
                "kind": "frame",
                "time": time,
                "source": cast(Any, source),
                "height": arrays.size[0],
                "width": arrays.size[1],
                "channels": 3 if levels.ndim == 3 else 1,
                "low": low,
                "high": high,
                "psnr": psnr,
                "psnr_before": arrays.psnr(time) if knocked_out else None,
            }
            return answer, levels.tobytes()

        return arrays.cache.remember((None, "picture", time, source, *knocked_out.items()), compute)

    def _map(self, body: MapRequest, checkpoint: Progress) -> Answered:
        time, chosen = self._time(body["time"]), self._chosen(body["selection"])
        given = body["selection"].get("overlay", "selection")
        overlay = view.checked_choice("overlay", given, view.CHOICES["overlay"])
        arrays = self._coloured(body["selection"], chosen.layer)

        def compute() -> tuple[Any, ...]:
            if overlay != "selection":
                values = self.arrays.finding(chosen.layer, overlay, time, checkpoint)
                levels, low, high = quantise(values)
                return levels.tobytes(), low, high, absolute_sum(values), ()
            if chosen.neuron is not None:
                place = np.array([place_of(chosen.layer, chosen.neuron)])
                maps, sizes = arrays.signed_and_sizes(chosen.layer, place, time)
                levels, low, high = quantise(maps[0])
                return levels.tobytes(), low, high, absolute_sum(sizes[0]), ()
            absolute, signed = arrays.sums(chosen, time, checkpoint)
            (levels, low, high), (others, *span) = quantise(absolute), quantise(signed)
            return levels.tobytes() + others.tobytes(), low, high, absolute_sum(absolute), tuple(span)

        key = (self.arrays.canvas.rule, arrays.channel, "map", overlay, chosen.layer.name, *chosen[1:], time)
        data, low, high, total, span = self.arrays.cache.remember(key, compute)
        answer: MapReply = {
            "kind": "map",
            "time": time,
            "selection": body["selection"],
            "height": self.arrays.size[0],
            "width": self.arrays.size[1],
            "low": low,
            "high": high,
            "total": total,
            "signed_range": list(span),
        }
        return answer, data

    def _grid(self, body: GridRequest, checkpoint: Progress) -> Answered:
        time, layer = self._time(body["time"]), self.arrays.layers.find(body["layer"])
        n_clusters = self._count(body)
        cluster = view.checked_count("cluster", body["cluster"], -1, n_clusters - 1)
        side = view.checked_count("side", body["side"], 1, MAX_SIDE)
        first = view.checked_count("first", body["first"], 0, 2**53)
        count = view.checked_count("count", body["count"], 0, MAX_THUMBNAILS)

        values, sizes = self._sort_key(body, time, checkpoint)
        order = values if body["sort"] == "index" else np.argsort(-sizes, kind="stable")
        if cluster >= 0:
            members = self.arrays.members(Chosen(layer, None, cluster, n_clusters), time, checkpoint)
            order = order[np.isin(order, members)]
        order = order[np.isin(order, self.arrays.kept(layer))]
        places = order[first : first + count]
        coloured = self._coloured(body, layer)
        thumbnails = coloured.thumbnails(layer, places, side, time, checkpoint)
        # One scale for the layer, that does not depend on which of its neurons are in sight.
        compared = self.arrays.strongest(layer, COMPARED, time, checkpoint)
        strongest = coloured.thumbnails(layer, compared, side, time, checkpoint)
        wanted = body.get("find")
        at = (
            []
            if wanted is None
            else np.flatnonzero(order == place_of(layer, view.checked_neuron(layer, wanted)))
        )
        height, width = fitted(self.arrays.size, side)
        answer: GridReply = {
            "kind": "grid",
            "time": time,
            "layer": layer.name,
            "first": first,
            "n_neurons": len(order),
            "neurons": [neuron_at(layer, place) for place in places],
            "values": values[places].astype(float).tolist(),
            "height": height,
            "width": width,
            "low": [thumbnail.low for thumbnail in thumbnails],
            "high": [thumbnail.high for thumbnail in thumbnails],
            "totals": [thumbnail.total for thumbnail in thumbnails],
            "scale": max((thumbnail.reach for thumbnail in strongest), default=0.0),
            "top_total": max((thumbnail.total for thumbnail in strongest), default=0.0),
            "place": int(at[0]) if len(at) else None,
            "warning": self.arrays.canvas.trouble.get(layer.name, ""),
        }
        return answer, b"".join(thumbnail.levels.tobytes() for thumbnail in thumbnails)

    def _sort_key(self, body: GridRequest | ValuesRequest, time: int, checkpoint: Progress) -> Column:
        """What every neuron is sorted by: magnitudes, and values, which of a pixel or a region have a sign."""
        layer = self.arrays.layers.find(body["layer"])
        arrays = self._coloured(body, layer)
        sort = view.checked_choice("sort", body["sort"], view.CHOICES["sort"])
        if sort == "index":
            places = np.arange(np.prod(layer.neurons))
            return Column(places, places)
        if sort == "pixel":
            if body["pixel"] is None:
                raise ValueError("pixel=None: sort='pixel' needs a pixel (y, x)")
            pixel = view.checked_pixel(body["pixel"], self.arrays.size)
            return arrays.columns([layer], pixel, time, checkpoint)[layer.name]
        if sort == "region":
            region = checked_region(body["region"], self.arrays.size)
            if region is None:
                raise ValueError("region=None: sort='region' needs a region")
            return arrays.region(layer, region, time, checkpoint)
        found = arrays.changes if sort == "change" else arrays.totals
        values = found(layer, time, checkpoint)
        return Column(values, values)

    def _pixel(self, body: PixelRequest, checkpoint: Progress) -> Answered:
        arrays, time, chosen = self.arrays, self._time(body["time"]), self._chosen(body["selection"])
        y, x = pixel = view.checked_pixel(body["pixel"], arrays.size)
        k = view.checked_count("k", body["k"], 0, MAX_RANKED)
        arrays.look_at(time)
        coloured = self._coloured(body["selection"], chosen.layer)
        if arrays.has_all_colours:
            arrays = coloured
        columns = arrays.columns(arrays.layers, pixel, time, checkpoint)
        truth = arrays.canvas.inr.truth
        column = coloured.columns([chosen.layer], pixel, time, checkpoint)[chosen.layer.name]
        selected = self._selected(coloured, chosen, column, pixel, time)
        answer: PixelReply = {
            "kind": "pixel",
            "time": time,
            "pixel": [y, x],
            "channel": cast(Any, arrays.channel),
            "ranked_at": [y, x],
            "rgb": arrays.frame(time)[y, x].astype(float).tolist(),
            "truth": None if truth is None else truth[time][y, x].astype(float).tolist(),
            "selected": None
            if selected is None
            else absolute_sum(selected.magnitudes)
            if np.ndim(selected.values)
            else float(selected.values),
            "selected_signed": None if selected is None else float(selected.values.sum(dtype=np.float64)),
            "neurons": [
                RankedNeuron(
                    layer=ranked.layer,
                    neuron=view.on_wire(ranked.neuron) or [],
                    value=float(ranked.value),
                    share=float(ranked.share),
                    magnitude=float(ranked.magnitude),
                )
                for ranked in arrays.at_pixel(arrays.top(columns, k), pixel, time)
            ],
            "layers": [share_of(name, column.magnitudes) for name, column in columns.items()],
        }
        return answer, b""

    def _selected(
        self, arrays: Arrays, chosen: Chosen, column: Column, pixel: tuple[int, int], time: int
    ) -> Column | None:
        """The contributions of the selected neurons; None where they would take long to know."""
        if arrays.ranks is not arrays.canvas:
            if chosen.neuron is None:
                return None
            place = np.array([place_of(chosen.layer, chosen.neuron)])
            maps, sizes = arrays.signed_and_sizes(chosen.layer, place, time)
            return Column(maps[0][pixel], sizes[0][pixel])
        if chosen.neuron is None and not chosen.neurons and chosen.cluster < 0:
            return column
        some: Any
        if chosen.neuron is not None:
            some = place_of(chosen.layer, chosen.neuron)
        elif chosen.neurons:
            some = [place_of(chosen.layer, neuron) for neuron in chosen.neurons]
        else:
            clusters = self.arrays.known_clusters(chosen.layer, chosen.n_clusters)
            if clusters is None:
                return None
            some = clusters.labels.ravel() == chosen.cluster
        return Column(column.values[some], column.magnitudes[some])

    def _regions(self, body: RegionsRequest, checkpoint: Progress) -> Answered:
        time, chosen = self._time(body["time"]), self._chosen(body["selection"])
        view.checked_count("the number of regions", len(body["regions"]), 0, MOST_REGIONS)
        regions = [checked_region(region, self.arrays.size) for region in body["regions"]]
        arrays = self._coloured(body["selection"], chosen.layer)
        magnitude = arrays.magnitude(chosen, time, checkpoint)
        parts = [part_of(magnitude, region.mask) for region in regions if region is not None]
        answer: RegionsReply = {
            "kind": "regions",
            "time": time,
            "selection": body["selection"],
            "shares": [part.share for part in parts],
            "areas": [part.area for part in parts],
            "deltas": [part.delta for part in parts],
        }
        return answer, b""

    def _curve(self, body: CurveRequest, checkpoint: Progress) -> Answered:
        chosen, frames = self._chosen(body["selection"]), self._frames(body["frames"])
        arrays = self._coloured(body["selection"], chosen.layer)
        totals: list[float | None] = []
        changes: list[float | None] = []
        kept = arrays.kept_frames()
        for done, frame in enumerate(frames):
            checkpoint(done, len(frames))
            total, change = arrays.change(chosen, frame, checkpoint) if frame in kept else (None, None)
            totals.append(total)
            changes.append(change)
        answer: CurveReply = {"kind": "curve", "frames": frames, "totals": totals, "changes": changes}
        return answer, b""

    def _strip(self, body: StripRequest, checkpoint: Progress) -> Answered:
        frames = self._frames(body["frames"])
        side = view.checked_count("side", body["side"], 1, MAX_SIDE)
        pictures: list[bytes] = []
        for done, frame in enumerate(frames):
            checkpoint(done, len(frames))
            pictures.append(self.arrays.small_frame(frame, side).tobytes())
        height, width = fitted(self.arrays.size, side)
        answer: StripReply = {"kind": "strip", "frames": frames, "height": height, "width": width}
        return answer, b"".join(pictures)

    def _clusters(self, body: ClustersRequest, checkpoint: Progress) -> Answered:
        time, layer = self._time(body["time"]), self.arrays.layers.find(body["layer"])
        n_clusters = self._count(body)
        found = self.arrays.clusters(layer, n_clusters, time, checkpoint)
        labels = np.where(found.labels < 0, DEAD, found.labels).astype(np.uint8)
        places = np.array([place_of(layer, neuron) for neuron in found.exemplars], np.intp)
        # Of the frame that was clustered: an exemplar stands for what its cluster looked like there.
        thumbnails = self.arrays.thumbnails(layer, places, EXEMPLAR_SIDE, found.frame, checkpoint)
        height, width = fitted(self.arrays.size, EXEMPLAR_SIDE)
        answer: ClustersReply = {
            "kind": "clusters",
            "frame": found.frame,
            "layer": layer.name,
            "n_clusters": n_clusters,
            "counts": found.counts.tolist(),
            "exemplars": [view.on_wire(neuron) or [] for neuron in found.exemplars],
            "height": height,
            "width": width,
            "low": [thumbnail.low for thumbnail in thumbnails],
            "high": [thumbnail.high for thumbnail in thumbnails],
        }
        return answer, labels.tobytes() + b"".join(thumbnail.levels.tobytes() for thumbnail in thumbnails)

    def _scatter(self, body: ScatterRequest, checkpoint: Progress) -> Answered:
        time, layer = self._time(body["time"]), self.arrays.layers.find(body["layer"])
        method = view.checked_choice("method", body["method"], tuple(methods()))
        points = self.arrays.scatter(layer, method, time, checkpoint)
        answer: ScatterReply = {
            "kind": "scatter",
            "time": time,
            "layer": layer.name,
            "method": cast(Any, method),
        }
        return answer, points.astype("<f4").tobytes()

    def _values(self, body: ValuesRequest, checkpoint: Progress) -> Answered:
        time = self._time(body["time"])
        values = self._sort_key(body, time, checkpoint).magnitudes
        answer: ValuesReply = {
            "kind": "values",
            "time": time,
            "layer": self.arrays.layers.find(body["layer"]).name,
            "sort": body["sort"],
            "pixel": body["pixel"],
        }
        return answer, values.astype("<f4").tobytes()

    def _rules(self, body: RulesRequest, checkpoint: Progress) -> Answered:
        time, chosen = self._time(body["time"]), self._chosen(body["selection"])
        key = (self.arrays.canvas.rule, "side by side", chosen.layer.name, *chosen[1:], time)
        maps, data = self.arrays.cache.remember(
            key, lambda: self._side_by_side.compare(chosen, time, checkpoint)
        )
        answer: RulesReply = {
            "kind": "rules",
            "time": time,
            "selection": body["selection"],
            "height": self.arrays.size[0],
            "width": self.arrays.size[1],
            "maps": maps,
        }
        return answer, data

    def _trust(self, body: TrustRequest, checkpoint: Progress) -> Answered:
        layer = self.arrays.layers.find(body["layer"])
        return trust(self.arrays, layer, self._time(body["time"]), checkpoint), b""

    # --- what the page sends --------------------------------------------------------------------------------

    def _time(self, time: Any) -> int:
        return view.checked_time(time, self.arrays.n_frames)

    def _frames(self, frames: list[int]) -> list[int]:
        view.checked_count("the number of frames", len(frames), 0, self.arrays.n_frames)
        return [self._time(frame) for frame in frames]

    def _count(self, body: Any) -> int:
        return view.checked_count("n_clusters", body["n_clusters"], view.MIN_CLUSTERS, view.MAX_CLUSTERS)

    def _coloured(self, told: Any, layer: Layer) -> Arrays:
        """The contributions to the channel that a selection or a grid is told in."""
        channel = view.checked_choice("channel", told.get("channel", "sum"), view.CHOICES["channel"])
        problem = "" if channel == "sum" else self.arrays.canvas.why_no_colours(layer.name)
        if problem:
            raise ValueError(f"channel={channel!r}: {problem}")
        return self.arrays.of_channel(channel)

    def _chosen(self, selection: Told) -> Chosen:
        layer = self.arrays.layers.find(selection["layer"])
        n_clusters = self._count(selection)
        if selection["neurons"]:
            return Chosen(layer, None, -1, 1, view.checked_neurons(layer, selection["neurons"]))
        if selection["neuron"] is not None:
            return Chosen(layer, view.checked_neuron(layer, selection["neuron"]), -1, 1)
        cluster = view.checked_count("cluster", selection["cluster"], -1, n_clusters - 1)
        return Chosen(layer, None, cluster, n_clusters if cluster >= 0 else 1)


def _no_recipe(arrays: Arrays, state: ViewState) -> str:
    raise ValueError("kind='recipe': there is no widget to make again")


def _no_export(arrays: Arrays, body: ExportRequest, checkpoint: Progress) -> Answered:
    raise ValueError("kind='export': there is no widget to export from")


def share_of(layer: str, magnitudes: Any) -> LayerShare:
    """How many of a layer's neurons make half, and nine tenths, of a pixel's absolute contributions."""
    descending = np.sort(magnitudes.astype(np.float64))[::-1]
    running = np.cumsum(descending)
    total = float(running[-1]) if running.size else 0.0
    reach = [int(np.searchsorted(running, part * total) + 1) if total > 0 else 0 for part in (0.5, 0.9)]
    counts = np.unique(np.geomspace(1, max(1, running.size), CURVE_POINTS).round().astype(int))
    return LayerShare(
        layer=layer,
        n_neurons=int(running.size),
        total=total,
        n50=reach[0],
        n90=min(reach[1], running.size),
        counts=counts.tolist(),
        shares=(running[counts - 1] / total).round(5).tolist() if total > 0 else [0.0] * len(counts),
    )
