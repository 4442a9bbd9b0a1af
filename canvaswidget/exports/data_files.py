"""The numbers behind the view, as NPZ and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.exports.figure_data import chosen_of
from canvaswidget.exports.view import ExportedView, checked_file
from canvaswidget.kernel import findings, layer_totals, pictures, ranking, selection_maps, similarity
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.selection_maps import Chosen, Totals
from canvaswidget.kernel.view_checks import checked_choice
from canvaswidget.progress import Progress, Report
from canvaswidget.tracing.layers import show_neuron

FORMS = ("npz", "csv")
TABLES = ("pixel", "neurons", "time")


def save_data(view: ExportedView, path: str | Path, table: str, progress: Progress) -> None:
    """See `CanvasWidget.save_data`."""
    path, form = checked_file(path, FORMS)
    checked_choice("table", table, TABLES)
    view.write(path, lambda cached, report: data_file(cached, view.state, form, table, report), progress)


def data_file(
    cached: CachedCanvas, state: dict[str, Any], form: str, table_name: str, report: Report
) -> bytes:
    """The bytes of a file that ends in one of `FORMS`; of a CSV one of `TABLES`."""
    if form == "npz":
        return npz(arrays_of(cached, state, report))
    return table(cached, state, table_name, report)


def arrays_of(cached: CachedCanvas, state: dict[str, Any], report: Report) -> dict[str, npt.NDArray[Any]]:
    """What the views show, by name.

    ``frame``, ``truth``, ``map`` and, for more than one neuron, ``map_signed``; where a ``band`` of frequencies is
    chosen, what lies in it, ``map_band``; ``pixel/LAYER``, every neuron's contribution to the pinned pixel, in the
    shape of the layer's neurons, and ``magnitude/LAYER``, added over colours by magnitude where the rule knows them,
    both by the rule ``rule/LAYER``: under `ablation`, which would take a pass for each neuron, it is `gated`;
    ``neurons/total``, of the layer, in magnitudes, and where these are estimated ``neurons/half_width``, half of a 95 %
    interval as a part of a total, in the median over neurons; ``map_pixels``, how many pixels of an estimated map are
    exact, the others interpolated; ``time/frame``, ``time/total`` and ``time/change`` of one neuron; ``clusters`` where
    they are known. What the view
    is set to stands in ``about``.
    """
    summed, cached = cached, cached.of_channel(state["channel"])
    time, pixel, chosen = state["time"], state["pixel"], chosen_of(cached, state)
    about = {name: value for name, value in state.items() if isinstance(value, str | int | float)}
    about |= {"model": cached.canvas.inr.name, "neurons": str(state["neurons"]), "pixel": str(pixel)}
    found: dict[str, npt.NDArray[Any]] = {
        "about": np.array([f"{name} = {value}" for name, value in sorted(about.items())]),
        "frame": pictures.frame(cached, time),
    }
    if cached.canvas.inr.truth is not None:
        found["truth"] = pictures.truth(cached, time)
    if chosen.neuron is not None:
        found["map"] = selection_maps.selection_map(cached, chosen, time, report)
    else:
        found["map"], found["map_signed"] = selection_maps.sums(cached, chosen, time, report)
        estimate = selection_maps.sampled(cached, chosen, time, report)
        if estimate is not None:
            found["map_pixels"] = np.array(estimate.n_pixels)
    if state["band"] is not None and state["overlay"] in findings.HAVE_BANDS:
        found["band"] = np.array(state["band"])
        found["map_band"] = findings.within_band(
            cached, chosen, state["overlay"], state["band"], time, report
        )
    if pixel is not None:
        ranked = cached if cached.has_all_colours else summed
        for name, column in ranking.pixel_columns(ranked, ranked.layers, pixel, time, report).items():
            layer = ranked.layers.find(name)
            found[f"pixel/{name}"] = column.values.reshape(layer.neurons)
            found[f"magnitude/{name}"] = column.magnitudes.reshape(layer.neurons)
            found[f"rule/{name}"] = np.array(ranked.ranks_of(layer).rule)
    totals, half_width = layer_totals.order(cached, chosen.layer, time, None, report)
    found["neurons/total"] = totals.reshape(chosen.layer.neurons)
    if half_width:
        found["neurons/half_width"] = np.array(half_width)
    clusters = similarity.known_clusters(cached, chosen.layer, state["n_clusters"])
    if clusters is not None:
        found["clusters"] = clusters.labels
    if cached.n_frames > 1 and chosen.neuron is not None:
        curve = _curve(cached, chosen, report)
        found["time/frame"] = np.array([frame for frame, _ in curve])
        found["time/total"] = np.array([one.total for _, one in curve])
        found["time/change"] = np.array([np.nan if one.change is None else one.change for _, one in curve])
    return found


def npz(found: dict[str, npt.NDArray[Any]]) -> bytes:
    """The bytes of a file for `numpy.load`."""
    written = io.BytesIO()
    given: dict[str, Any] = dict(found)
    np.savez_compressed(written, **given)
    return written.getvalue()


def table(cached: CachedCanvas, state: dict[str, Any], name: str, report: Report) -> bytes:
    """A table as CSV, in UTF-8.

    ``pixel``: every neuron's contribution to the pinned pixel, the largest first, and the rule that it is by: under
    `ablation`, which would take a pass for each, it is `gated`. ``neurons``: every neuron of the
    layer with its total, and its cluster where those are known. ``time``: total and change of the selection on every
    frame. Where these are estimated, further columns have half of the 95 % intervals, as parts of the numbers. Where
    there are several runs, the first column says which.
    """
    rows = {"pixel": _pixel_rows, "neurons": _neuron_rows, "time": _time_rows}[name](cached, state, report)
    if state["run"] is not None:
        rows = ([state["run"] if place else "run", *row] for place, row in enumerate(rows))
    written = io.StringIO()
    csv.writer(written).writerows([_cell(value) for value in row] for row in rows)
    return written.getvalue().encode()


def _cell(value: Any) -> Any:
    """A cell that a spreadsheet takes for no formula: names come from models and files of other people."""
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value


def _pixel_rows(cached: CachedCanvas, state: dict[str, Any], report: Report) -> Iterator[list[Any]]:
    if state["pixel"] is None:
        raise ValueError("pixel=None: pin a pixel, whose neurons are to be listed")
    other = cached.of_channel(state["channel"])
    cached = other if other.has_all_colours else cached
    columns = ranking.pixel_columns(cached, cached.layers, state["pixel"], state["time"], report)
    rules = {name: cached.ranks_of(cached.layers.find(name)).rule for name in columns}
    yield ["layer", "neuron", "contribution", "magnitude", "share of layer", "rule"]
    for each in ranking.top(cached, columns, sum(column.values.size for column in columns.values())):
        numbers = (each.value, each.magnitude, each.share)
        yield [each.layer, show_neuron(each.neuron), *map(repr, numbers), rules[each.layer]]


def _neuron_rows(cached: CachedCanvas, state: dict[str, Any], report: Report) -> Iterator[list[Any]]:
    cached = cached.of_channel(state["channel"])
    layer = cached.layers.find(state["layer"])
    totals, half_width = layer_totals.order(cached, layer, state["time"], None, report)
    clusters = similarity.known_clusters(cached, layer, state["n_clusters"])
    labels = None if clusters is None else clusters.labels.ravel()
    estimated = ["half width, median"] if half_width else []
    yield ["layer", "neuron", "total", *([] if labels is None else ["cluster"]), *estimated]
    for place, total in enumerate(totals):
        neuron = layer.neuron_at(place)
        more = [] if labels is None else [int(labels[place])]
        yield [
            layer.name,
            show_neuron(neuron),
            repr(float(total)),
            *more,
            *([half_width] if estimated else []),
        ]


def _time_rows(cached: CachedCanvas, state: dict[str, Any], report: Report) -> Iterator[list[Any]]:
    cached = cached.of_channel(state["channel"])
    curve = _curve(cached, chosen_of(cached, state), report)
    is_estimated = any(one.half_width for _, one in curve)
    more = ["total, half width", "change, half width"] if is_estimated else []
    yield ["frame", "total", "change", *more]
    for frame, one in curve:
        widths = [one.half_width, one.change_half_width] if is_estimated else []
        yield [frame, repr(one.total), "" if one.change is None else repr(one.change), *widths]


def _curve(cached: CachedCanvas, chosen: Chosen, report: Report) -> list[tuple[int, Totals]]:
    """Frame, total and change, of every frame that there is."""
    frames, found = cached.canvas.frames, []
    for done, frame in enumerate(frames):
        report(done, len(frames))
        found.append((frame, selection_maps.total_and_change(cached, chosen, frame, report)))
    return found
