"""What of a canvas is kept in a file, how much that is, and its writing."""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from canvaswidget.arguments import as_integer, by_layer, checked_index, wrong_type
from canvaswidget.arguments.kinds import is_sequence
from canvaswidget.progress import Progress, Report, Steps, steps
from canvaswidget.tracing.bounded import bounded_summary
from canvaswidget.tracing.budget import show_bytes
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.matrix import checked_mask
from canvaswidget.tracing.neurons import parse_neurons
from canvaswidget.tracing.protocol import CanvasLike
from canvaswidget.tracing.ranking import coloured_columns
from canvaswidget.tracing.reduce import Summary
from canvaswidget.tracing.results import Saving
from canvaswidget.tracing.saved.planned_totals import Targets, seconds_of, targets_of
from canvaswidget.tracing.saved.store import Writer, check_target, writing

Places = npt.NDArray[np.int64]
ROOM = 2**24  # bytes of the disk that are left alone
BY_NEURON, BY_PIXEL = ("neuron_abs", "neuron_sum"), ("pixel_abs", "pixel_sum")
INTERVALS = ("low", "high", "pixel_low", "pixel_high")  # of estimated totals


@dataclass(frozen=True)
class _Plan:
    """What is kept, with every name looked up and every index counted from 0."""

    path: Path
    module: nn.Module
    layers: list[Layer]
    frames: list[int]
    pixels: list[tuple[int, int]]
    regions: dict[str, npt.NDArray[np.bool_]]
    clusters: list[Any]
    maps: int | dict[str, Places]
    truth: npt.NDArray[Any] | None
    most: dict[str, int] = field(default_factory=dict)  # maps, by layer
    targets: Targets = field(default_factory=dict)


def save(
    canvas: CanvasLike,
    module: nn.Module,
    path: str | os.PathLike[str],
    *,
    layers: Any = None,
    frames: Sequence[int] | int | None = None,
    maps: Any = 8,
    pixels: Sequence[tuple[int, int]] | None = None,
    regions: Mapping[str, npt.ArrayLike] | None = None,
    clusters: Sequence[Any] = (),
    truth: bool = True,
    accuracy: float | str | None = "auto",
    overwrite: bool = False,
    estimate: bool = False,
    progress: Progress = True,
) -> Saving:
    """See `Canvas.save`."""
    plan = _planned(canvas, module, Path(path), layers, frames, maps, pixels, regions, clusters, truth)
    check_target(plan.path, overwrite)
    plan.targets.update(targets_of(canvas, plan.layers, plan.frames, accuracy))
    parts, estimated = _sizes(canvas, plan), tuple(plan.targets)
    if estimate:
        seconds = seconds_of(canvas, plan.layers, plan.frames, plan.targets)
        return Saving(plan.path, parts, None, seconds, estimated)
    needed, free = sum(parts.values()) + ROOM, shutil.disk_usage(plan.path.parent).free
    if needed > free:
        raise OSError(
            f"path={str(path)!r}: needs up to {show_bytes(needed)}, and {show_bytes(free)} are free. Keep fewer "
            "frames, layers or maps; canvas.save(..., estimate=True) tells how much each takes"
        )
    total = len(plan.frames) * sum(math.prod(layer.neurons) for layer in plan.layers)
    with writing(plan.path, overwrite) as writer, steps("saving", "neuron", progress, total) as told:
        _write(canvas, plan, writer, told)
    return Saving(plan.path, parts, writer.n_bytes, estimated=estimated)


def fingerprint(module: nn.Module) -> str:
    """A hash of all weights, their names and types."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        if isinstance(tensor, torch.Tensor):
            values = tensor.detach().cpu().contiguous()
            digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
            digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes())
    return f"sha256:{digest.hexdigest()}"


def places_of(layer: Layer, neurons: Any) -> Places:
    """The flat indices of XINC's neurons of a layer."""
    found = parse_neurons(layer, neurons).numpy()
    if len(found) and found.ndim != len(layer.neurons):
        form = "kernels (i, o)" if len(layer.neurons) == 2 else "units"
        raise ValueError(f"neurons of layer {layer.name!r}: a file keeps its {form}")
    return layer.flat_index(found)


# --- the plan -----------------------------------------------------------------------------------------------


def _planned(
    canvas: CanvasLike,
    module: nn.Module,
    path: Path,
    layers: Any,
    frames: Any,
    maps: Any,
    pixels: Any,
    regions: Any,
    clusters: Sequence[Any],
    truth: bool,
) -> _Plan:
    inr, traced = canvas.inr, canvas.traced_layers
    keys = [layers] if isinstance(layers, str | int | Layer) else layers
    names = {traced.find(key).name for key in traced} if keys is None else {traced.find(k).name for k in keys}
    chosen = [layer for layer in traced if layer.name in names]
    if not chosen:
        raise ValueError("layers=[]: expected at least one layer")
    given = frames if as_integer(frames) is None else [frames]
    kept = sorted({inr.frame_index(one) for one in (range(inr.n_frames) if given is None else given)})
    if not kept:
        raise ValueError("frames=[]: expected at least one frame")
    if pixels is None:
        pixels = [(inr.size[0] // 2, inr.size[1] // 2)]
    if not is_sequence(pixels):
        raise wrong_type("pixels", pixels, "a sequence of pixels (y, x)")
    found = [_pixel(f"pixels[{place}]", pixel, inr.size) for place, pixel in enumerate(pixels)]
    if regions is not None and not isinstance(regions, Mapping):
        raise wrong_type("regions", regions, "masks by name, {name: mask}")
    masks = {str(name): _mask(name, mask, inr.size) for name, mask in (regions or {}).items()}
    if not is_sequence(clusters) or isinstance(clusters, np.ndarray | torch.Tensor | range):
        raise wrong_type("clusters", clusters, "a sequence of what canvaswidget.analysis.cluster returns")
    clusters = [one for one in clusters if _checked_cluster(one, names, kept)]
    plan = _Plan(
        path,
        module,
        chosen,
        kept,
        list(dict.fromkeys(found)),
        masks,
        clusters,
        _maps(maps, chosen),
        _truth(inr, kept, truth),
    )
    for layer in chosen:
        count = math.prod(layer.neurons)
        some = (
            len(plan.maps.get(layer.name, ()))
            if isinstance(plan.maps, dict)
            else plan.maps * (1 + len(found))
        )
        extra = sum(len(one.exemplars) for one in clusters if one.layer == layer.name)
        plan.most[layer.name] = min(count, some + extra)
    return plan


def _maps(maps: Any, layers: list[Layer]) -> int | dict[str, Places]:
    if isinstance(maps, str) and maps == "all":
        return {layer.name: np.arange(math.prod(layer.neurons)) for layer in layers}
    if isinstance(maps, Mapping):
        by_layer("maps", maps)
        within = Layers(layers)
        return {within.find(key).name: places_of(within.find(key), some) for key, some in maps.items()}
    count = as_integer(maps)
    if count is None or count < 0:
        raise wrong_type(
            "maps", maps, "how many of each layer, 'all', or the neurons by layer, {layer: neurons}"
        )
    return count


def _pixel(name: str, pixel: Any, size: tuple[int, int]) -> tuple[int, int]:
    if not is_sequence(pixel) or len(pixel) != 2:
        raise wrong_type(name, pixel, "a pixel (y, x), two ints")
    y, x = pixel
    return checked_index(f"{name}: y", y, size[0]), checked_index(f"{name}: x", x, size[1])


def _mask(name: Any, mask: Any, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    return checked_mask(mask, size, f"regions[{name!r}]").numpy() != 0


def _checked_cluster(clusters: Any, layers: set[str], frames: list[int]) -> bool:
    for wanted in ("layer", "frame", "labels", "counts", "centres", "exemplars", "distances"):
        if not hasattr(clusters, wanted):
            raise TypeError(
                f"clusters: {type(clusters).__name__} is none; expected what canvaswidget.analysis.cluster returns"
            )
    if clusters.layer not in layers or clusters.frame not in frames:
        raise ValueError(
            f"clusters: {clusters!r} is of a layer or a frame that is not kept; keep it, or leave the clusters out"
        )
    return True


def _truth(inr: Any, frames: list[int], wanted: bool) -> npt.NDArray[Any] | None:
    """The signal, in 8 bits where they hold it exactly."""
    if inr.truth is None or not wanted:
        return None
    truth = inr.truth[frames]
    levels = np.round(np.clip(truth, 0, 1) * 255).astype(np.uint8)
    exact = np.array_equal(np.divide(levels, 255, dtype=np.float32), truth)
    return levels if exact else truth


def _sizes(canvas: CanvasLike, plan: _Plan) -> dict[str, int]:
    height, width = canvas.inr.size
    area, n_frames = height * width, len(plan.frames)
    neurons = {layer.name: math.prod(layer.neurons) for layer in plan.layers}
    parts = {"frames": 4 * canvas.n_channels * area * n_frames}
    if plan.truth is not None:
        parts["truth"] = plan.truth.nbytes
    colours = {layer.name: 1 if canvas.why_no_colours(layer) else 3 for layer in plan.layers}
    # Estimates have both ends of their intervals beside.
    values = {name: (2 if name in plan.targets else 1) * (area + count) for name, count in neurons.items()}
    parts["totals by pixel and neuron"] = 8 * n_frames * sum(values.values())
    for layer in plan.layers:
        most = plan.most[layer.name]
        parts[f"{most:,} maps of {layer.name}"] = 4 * most * area * n_frames * colours[layer.name]
    columns = len(plan.pixels) + len(plan.regions)
    each = sum(count * colours[name] for name, count in neurons.items())
    parts[f"{columns:,} pixels and regions"] = 4 * columns * each * n_frames
    parts["regions and clusters"] = area * len(plan.regions) + sum(
        one.labels.size * 6 + one.centres.nbytes for one in plan.clusters
    )
    return parts


# --- writing ------------------------------------------------------------------------------------------------


def _write(canvas: CanvasLike, plan: _Plan, writer: Writer, told: Steps) -> None:
    writer.facts.update(_facts(canvas, plan))
    pictures = writer.array("frames", (len(plan.frames), *canvas.inr.size, canvas.n_channels), "float32")
    for at, frame in enumerate(plan.frames):
        pictures[at] = canvas.frame(frame)
    if plan.truth is not None:
        writer.put("truth", plan.truth, rows=1)
    if plan.regions:
        writer.put("regions", np.stack(list(plan.regions.values())))
    for number, one in enumerate(plan.clusters):
        layer = canvas.traced_layers.find(one.layer)
        writer.put(f"clusters/{number}/labels", one.labels.astype(np.int16))
        writer.put(f"clusters/{number}/centres", one.centres.astype(np.float32))
        writer.put(f"clusters/{number}/distances", one.distances.astype(np.float32))
        writer.put(f"clusters/{number}/exemplars", places_of(layer, one.exemplars))
    for number, layer in enumerate(plan.layers):
        writer.facts["kept"].append(_write_layer(canvas, plan, writer, told, layer, f"layers/{number}"))
    writer.facts["trouble"] = {
        layer.name: canvas.trouble[layer.name] for layer in plan.layers if layer.name in canvas.trouble
    }


def _write_layer(
    canvas: CanvasLike, plan: _Plan, writer: Writer, told: Steps, layer: Layer, name: str
) -> int:
    """Everything of one layer; how many maps that is."""
    n_frames, size, count = len(plan.frames), canvas.inr.size, math.prod(layer.neurons)
    reports = [told.part(count) for _ in plan.frames]
    known: dict[int, Summary] = {}

    def totals_of(frame: int, report: Report) -> Summary:
        if layer.name not in plan.targets:
            return canvas.summary(layer, frame, progress=report)
        if frame not in known:  # the middle one is asked for twice
            known.clear()
            known[frame] = bounded_summary(canvas, layer, frame, *plan.targets[layer.name], report)
        return known[frame]

    places = _places(canvas, plan, layer, lambda frame: totals_of(frame, reports[0]))
    writer.put(f"{name}/places", places)
    # Maps and columns have an axis of colours where the rule knows them.
    rgb, colours = ("sum", ()) if canvas.why_no_colours(layer) else ("each", (3,))
    maps = writer.array(f"{name}/maps", (n_frames, len(places), *colours, *size), "float32")
    totals = {
        **{key: writer.array(f"{name}/{key}", (n_frames, count), "float32") for key in BY_NEURON},
        **{key: writer.array(f"{name}/{key}", (n_frames, *size), "float32") for key in BY_PIXEL},
    }
    is_estimated = layer.name in plan.targets
    ends = {
        key: writer.array(
            f"{name}/{key}", (n_frames, *(size if key.startswith("pixel") else (count,))), "float32"
        )
        for key in (INTERVALS if is_estimated else ())
    }
    passes: list[int] = []
    accuracies: list[float | None] = []
    columns = writer.array(
        f"{name}/columns", (n_frames, len(plan.pixels) + len(plan.regions), *colours, count), "float32"
    )
    for at, frame in enumerate(plan.frames):
        summary = totals_of(frame, reports[at])
        for key, array in totals.items():
            values = getattr(summary, key)
            array[at] = values.ravel() if key in BY_NEURON else values
        for key, array in ends.items():
            values = getattr(summary, key)
            if values is None:  # exact ones took no more passes
                values = summary.pixel_abs if key.startswith("pixel") else summary.neuron_abs
            array[at] = values.reshape(array.shape[1:])
        passes.append(int(summary.passes))
        accuracies.append(None if summary.is_exact else summary.accuracy)
        for first in range(0, len(places), maps.chunks[1]):
            some = slice(first, first + maps.chunks[1])
            values = canvas.maps(layer, layer.neurons_at(places[some]), frame, rgb=rgb)
            maps[at, some] = np.moveaxis(values, -1, 1) if colours else values
        found = [canvas.pixel(*pixel, frame, [layer], rgb=rgb) for pixel in plan.pixels]
        found += [canvas.region(mask, frame, [layer], rgb=rgb) for mask in plan.regions.values()]
        for index, column in enumerate(found):
            columns[at, index] = column[layer.name].reshape(count, *colours).T
        reports[at](count, count)  # its totals may have been known
    if is_estimated:
        writer.facts["estimated"][layer.name] = {"passes": passes, "accuracy": accuracies}
    return len(places)


def _places(canvas: CanvasLike, plan: _Plan, layer: Layer, totals_of: Callable[[int], Summary]) -> Places:
    """The neurons whose maps are kept: those named, or the strongest of the middle frame; and the exemplars."""
    exemplars = [places_of(layer, one.exemplars) for one in plan.clusters if one.layer == layer.name]
    if isinstance(plan.maps, dict):
        wanted = [plan.maps.get(layer.name, np.empty(0, np.int64))]
    else:
        frame = plan.frames[len(plan.frames) // 2]
        ranked = [totals_of(frame).neuron_abs]
        for pixel in plan.pixels:
            ranked.append(coloured_columns(canvas, pixel, frame, [layer])[layer.name].magnitudes)
        wanted = [np.argsort(-values.ravel(), kind="stable")[: plan.maps] for values in ranked]
    return np.unique(np.concatenate([*wanted, *exemplars])).astype(np.int64)


def _facts(canvas: CanvasLike, plan: _Plan) -> dict[str, Any]:
    inr = canvas.inr
    return {
        "version": version("canvaswidget"),
        "torch": torch.__version__,
        "model": {"name": inr.name, "hash": fingerprint(plan.module), "origin": inr.origin},
        "rule": canvas.rule,
        "options": canvas.options,
        "why": canvas.why,
        "size": list(inr.size),
        "n_frames": inr.n_frames,
        "frames": plan.frames,
        "layers": [asdict(layer) for layer in canvas.layers],
        "traced": [layer.name for layer in plan.layers],
        "why_no_colours": {layer.name: canvas.why_no_colours(layer) for layer in plan.layers},
        "kept": [],
        "estimated": {},
        "pixels": [list(pixel) for pixel in plan.pixels],
        "regions": list(plan.regions),
        "clusters": [
            {
                "layer": one.layer,
                "frame": one.frame,
                "counts": [int(count) for count in one.counts],
                "centres": list(one.centres.shape),
                "exemplars": len(one.exemplars),
                "kind": getattr(one, "kind", "pooled"),
                "within": getattr(one, "within", "vectors"),
            }
            for one in plan.clusters
        ],
        "channels": canvas.n_channels,
        "truth": None if plan.truth is None else str(plan.truth.dtype),
        "truth_channels": None if plan.truth is None else plan.truth.shape[-1],
    }
