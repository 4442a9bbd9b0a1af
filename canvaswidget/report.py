"""Every finding that a canvas allows, in one call: figures, arrays and a page."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from canvaswidget import tables
from canvaswidget.analysis.clustering import Clusters, Exemplars, exemplars, group
from canvaswidget.analysis.distribution import Distribution, distribution
from canvaswidget.analysis.intensity import Intensity, compare
from canvaswidget.analysis.matching import Matching, match
from canvaswidget.analysis.motion import Motion, motion
from canvaswidget.analysis.objects import (
    Objects,
    ObjectsOverTime,
    object_names,
    objects_from_sums,
    objects_over_time,
)
from canvaswidget.analysis.partitions import CELLS, CLUSTERS, instances
from canvaswidget.analysis.regions import Regions, divide, regions_from_sums
from canvaswidget.analysis.sweeps import RegionSums, sweep
from canvaswidget.analysis.vectors import PooledMaps
from canvaswidget.drawing import new_axes, new_panels, new_pictures, style
from canvaswidget.report_page import Section, write_page
from canvaswidget.tracing.canvas import Canvas, LayerKey
from canvaswidget.tracing.layers import Layer

GROUPS = 6
SHOWN = 5  # exemplars of each group
FRAMES = 4  # that follow each other, for motion and objects over time
DPI = 130


@dataclass
class LayerFindings:
    """What was found about one layer; None is what the inputs did not allow."""

    layer: Layer
    distribution: Distribution
    intensity: Intensity
    regions: Regions
    clusters: Clusters
    exemplars: Exemplars
    objects: Objects | None = None
    objects_over_time: ObjectsOverTime | None = None
    motion: Motion | None = None

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Everything as named arrays, ``finding/what``."""
        spread, look, care, alike = self.distribution, self.intensity, self.regions, self.clusters
        found: dict[str, npt.NDArray[Any]] = {
            "distribution/neuron_abs": spread.neuron_abs,
            "distribution/pixel_abs": spread.pixel_abs,
            "distribution/pixels_per_neuron": spread.pixels_per_neuron,
            "distribution/levels": np.array(spread.levels),
            "distribution/thresholds": spread.thresholds,
            "distribution/neurons_per_pixel": spread.neurons_per_pixel,
            "intensity/contribution": look.contribution,
            "intensity/brightness": look.brightness,
            "intensity/edges": look.edges,
            "intensity/correlations": np.array([look.with_brightness, look.with_edges], np.float32),
            "clusters/labels": alike.labels,
            "clusters/centres": alike.centres,
            "clusters/distances": alike.distances,
        }
        variances = care.variances
        for kind, deltas in care.deltas.items():
            found[f"regions/{kind}/deltas"] = deltas
            found[f"regions/{kind}/variances"] = variances[kind]
            found[f"regions/{kind}/masks"] = care.masks[kind]
        if self.objects is not None:
            found["objects/means"] = self.objects.means
        if self.objects_over_time is not None:
            found["objects_over_time/frames"] = self.objects_over_time.frames
            found["objects_over_time/means"] = self.objects_over_time.means
        if self.motion is not None:
            for name in ("frames", "change", "neuron_change", "flow", "agreement", "by_chance", "p"):
                found[f"motion/{name}"] = getattr(self.motion, name)
        return found


@dataclass
class Report:
    """Where a report is, and all that was found.

    Attributes
    ----------
    page : Path
        A self-contained HTML page. Beside it are ``figures/*.pdf`` and ``arrays/*.npz``, one for each layer.
    layers : list of LayerFindings
    matchings : list of Matching
        Of each layer with the next.
    """

    page: Path
    layers: list[LayerFindings]
    matchings: list[Matching]
    figures: list[Path] = field(default_factory=list)
    arrays: list[Path] = field(default_factory=list)

    def _rows(self) -> list[list[str]]:
        return [
            ["page", str(self.page)],
            ["figures", f"{len(self.figures)} in {self.page.parent / 'figures'}"],
            ["arrays", f"{len(self.arrays)} in {self.page.parent / 'arrays'}"],
            ["layers", ", ".join(found.layer.name for found in self.layers)],
        ]

    def __repr__(self) -> str:
        return tables.text(["report", ""], self._rows())

    def _repr_html_(self) -> str:
        return tables.markup(["report", ""], self._rows())


def report(
    canvas: Canvas,
    folder: str | os.PathLike[str],
    frame: int = 0,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    *,
    frames: Sequence[int] | None = None,
    masks: npt.ArrayLike | None = None,
    names: Sequence[str] | None = None,
    flow: npt.ArrayLike | None = None,
    clusters: int = GROUPS,
    seed: int = 0,
    progress: bool | Callable[[int, int], None] = True,
) -> Report:
    """Compute every finding that the inputs allow, and write figures, arrays and a page.

    Parameters
    ----------
    canvas : Canvas
    folder : path
        Where to write; made if it is not there. Files of an earlier report are replaced.
    frame : int
        What the findings about one frame are about.
    layers : optional
        All that the rule is defined on, by default.
    frames : sequence of int, optional
        What motion and objects over time are about: by default up to four that follow `frame`. With fewer than two
        both are left out.
    masks, names : optional
        Of objects and their names, as :func:`canvaswidget.analysis.objects` takes them; without masks what is about
        objects is left out.
    flow : (t, height, width, 2), optional
        As :func:`canvaswidget.analysis.motion` takes it; computed where it is needed and not given.
    clusters : int
        Groups of neurons that look alike.
    seed : int
    progress : bool or callable
        A progress bar over everything, or ``progress(done, total)``, which may raise to stop.

    Returns
    -------
    Report
    """
    frame = canvas.inr.frame_index(frame)
    chosen = _layers(canvas, layers)
    several = _frames(canvas, frame, frames)
    steps = _Steps(chosen, canvas, len(several), masks is not None, progress)
    divided = divide(canvas, frame, None, masks, CELLS, CLUSTERS, seed, False)
    every = np.concatenate(list(divided.values()))
    found, looks, moving = [], [], flow
    with steps.shown():
        for layer in chosen:
            spread = distribution(canvas, layer, frame, progress=steps.sweeps(layer, 2))
            sums = RegionSums(every, layer, None, canvas.device)
            pooled = PooledMaps(canvas.inr.size, layer.neurons)
            sweep(canvas, layer, [sums, pooled], frame, progress=steps.sweeps(layer, 1))
            looks.append(pooled.vectors(layer, frame))
            alike = group([looks[-1]], clusters, seed)[0]
            found.append(
                LayerFindings(
                    layer,
                    spread,
                    compare(layer, frame, spread.pixel_abs, canvas.frame(frame)),
                    regions_from_sums(layer, frame, divided, sums),
                    alike,
                    exemplars(canvas, alike, SHOWN),
                )
            )
            if masks is not None:
                own = divided["instances"]
                called = object_names(instances(masks, canvas.inr.size, frame, canvas.inr.n_frames)[1], names)
                found[-1].objects = objects_from_sums(layer, frame, own, sums.regions[:, -len(own) :], called)
            if masks is not None and len(several) > 1:
                found[-1].objects_over_time = objects_over_time(
                    canvas, layer, masks, several, names, progress=steps.sweeps(layer, len(several))
                )
            if len(several) > 1:
                told = steps.sweeps(layer, len(several) - 1)
                moved = motion(canvas, layer, several, moving, progress=told)
                moving = moved.flow  # computed once
                found[-1].motion = replace(moved, source="TV-L1" if flow is None else "given")
        matchings = [match(one, other, seed=seed) for one, other in itertools.pairwise(looks)]
        return _write(canvas, Path(folder), frame, found, matchings, steps)


def _layers(canvas: Canvas, layers: LayerKey | Sequence[LayerKey] | None) -> list[Layer]:
    if layers is None:
        return list(canvas.traced_layers)
    keys = [layers] if isinstance(layers, str | int | Layer) else list(layers)
    if not keys:
        raise ValueError("layers=[]: expected at least one layer")
    return [canvas.layers.find(key) for key in keys]


def _frames(canvas: Canvas, frame: int, frames: Sequence[int] | None) -> list[int]:
    if frames is not None:
        return [canvas.inr.frame_index(one) for one in frames]
    first = max(0, min(frame, canvas.inr.n_frames - FRAMES))
    return list(range(first, min(first + FRAMES, canvas.inr.n_frames)))


class _Steps:
    """One progress bar over many sweeps, in maps computed; drawing counts as a tenth of them."""

    def __init__(
        self,
        layers: Sequence[Layer],
        canvas: Canvas,
        n_frames: int,
        with_masks: bool,
        progress: bool | Callable[[int, int], None],
    ) -> None:
        over_time = n_frames > 1
        sweeps = 3 + over_time * (n_frames - 1) + (over_time and with_masks) * n_frames
        work = sweeps * sum(math.prod(layer.neurons) for layer in layers)
        self.total, self.planned, self.done = work + work // 10, 0, 0
        self.told = progress if callable(progress) else None
        self.bar = tqdm(total=self.total, desc="report", unit="map", disable=progress is not True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        with self.bar:
            yield

    def reach(self, done: int) -> None:
        self.bar.update(done - self.done)
        self.done = done
        if self.told is not None:
            self.told(done, self.total)

    def sweeps(self, layer: Layer, count: int) -> Callable[[int, int], None]:
        """Progress of a finding that is meant to take `count` sweeps; a sweep more goes uncounted."""
        start, size = self.planned, math.prod(layer.neurons)
        self.planned += count * size
        behind, last = 0, 0

        def told(done: int, total: int) -> None:
            nonlocal behind, last
            if done < last:
                behind += 1
            last = done
            within = min(behind + done / max(total, 1), count)
            self.reach(max(self.done, start + int(within * size)))

        return told


def _write(
    canvas: Canvas,
    folder: Path,
    frame: int,
    found: list[LayerFindings],
    matchings: list[Matching],
    steps: _Steps,
) -> Report:
    for part in ("figures", "arrays"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    written = Report(folder / "index.html", found, matchings)
    for layer in found:
        path = folder / "arrays" / f"{file_name(layer.layer.name)}.npz"
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **layer.arrays())
        written.arrays.append(path)
    drawings = list(_drawings(canvas, found, matchings))
    sections: list[Section] = []
    for place, (title, text, name, figure, results) in enumerate(drawings):
        path = folder / "figures" / f"{name}.pdf"
        with style():
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # what fits stays: fitting costs more than drawing
            figure.savefig(path)
        written.figures.append(path)
        sections.append(Section(title, text, figure, f"figures/{path.name}", results))
        done = steps.total - (steps.total - steps.done) * (len(drawings) - place - 1) // (
            len(drawings) - place
        )
        steps.reach(done)
    write_page(written.page, canvas, frame, sections, DPI)
    return written


def file_name(layer: str) -> str:
    """A layer's name, as part of a file's."""
    return re.sub(r"[^\w.-]", "_", layer)


def _drawings(
    canvas: Canvas, found: list[LayerFindings], matchings: list[Matching]
) -> Iterator[tuple[str, str, str, Figure, list[Any]]]:
    """``(title, what it is, name of the file, figure, results for the tables)``; a title again adds to its section."""
    size, count = canvas.inr.size, len(found)
    ax = new_axes()
    for layer in found:
        layer.distribution.plot(ax)
    yield (
        "Pixels per neuron",
        PIXELS_PER_NEURON,
        "pixels-per-neuron",
        _page(ax),
        [f.distribution for f in found],
    )
    for level, words in ((0.1, "nine-tenths"), (0.5, "half")):
        axes = new_pictures(count, size)
        for layer, ax in zip(found, axes, strict=True):
            layer.distribution.plot_pixels(ax, level)
        yield "Neurons per pixel", NEURONS_PER_PIXEL, f"neurons-per-pixel-{words}", _page(axes[0]), []
    axes = new_pictures(count, size)
    for layer, ax in zip(found, axes, strict=True):
        layer.intensity.plot(ax)
    yield "Contribution and intensity", INTENSITY, "intensity", _page(axes[0]), [f.intensity for f in found]
    axes = new_panels(count)
    for layer, ax in zip(found, axes, strict=True):
        layer.regions.plot(ax)
    yield "What neurons care about", REGIONS, "regions", _page(axes[0]), [f.regions for f in found]
    if all(layer.objects is not None for layer in found):
        axes = new_panels(count)
        for layer, ax in zip(found, axes, strict=True):
            cast(Objects, layer.objects).plot(ax)
        yield "Objects", OBJECTS, "objects", _page(axes[0]), [f.objects for f in found]
    if all(layer.objects_over_time is not None for layer in found):
        axes = new_panels(count)
        for layer, ax in zip(found, axes, strict=True):
            cast(ObjectsOverTime, layer.objects_over_time).plot(ax)
        results = [f.objects_over_time for f in found]
        yield "Objects over time", OBJECTS_OVER_TIME, "objects-over-time", _page(axes[0]), results
    if all(layer.motion is not None for layer in found):
        axes = new_panels(count)
        for layer, ax in zip(found, axes, strict=True):
            cast(Motion, layer.motion).plot(ax)
        yield "Motion", MOTION, "motion", _page(axes[0]), [f.motion for f in found]
        for layer in found:
            figure = cast(Motion, layer.motion).plot_pair()
            yield "Motion", MOTION, f"motion-{file_name(layer.layer.name)}", figure, []
    for layer in found:
        name = f"exemplars-{file_name(layer.layer.name)}"
        yield "Neurons that look alike", CLUSTERS_TEXT, name, _page(layer.exemplars.plot()), [layer.clusters]
    if matchings:
        axes = new_panels(len(matchings))
        for matching, ax in zip(matchings, axes, strict=True):
            matching.plot(ax)
        yield "The same neuron in the next layer", MATCHING, "matching", _page(axes[0]), list(matchings)


def _page(ax: Axes) -> Figure:
    return cast(Figure, ax.figure)


PIXELS_PER_NEURON = (
    "For each neuron, the number of pixels where its part of all absolute contributions to the pixel is larger than "
    "one over the number of neurons. Neurons are sorted; a flat curve means that all write to as many pixels."
)
NEURONS_PER_PIXEL = (
    "The largest contributions of the layer that together make a part of its total: how many neurons have one of them "
    "at each pixel."
)
INTENSITY = (
    "Sum over neurons of the absolute contributions, less the brightness of the frame, each scaled from its least to "
    "its most. The tables have rank correlations over pixels with brightness and with edges."
)
REGIONS = (
    "How far each neuron's contribution to a region departs from what an even spread over the frame would give, as a "
    "variance over regions: rectangles of a grid, pixels of like colour, of like edges, and objects where masks are "
    "given. Kinds with fewer and larger regions have smaller variances for that reason alone."
)
OBJECTS = (
    "Mean absolute contribution to a pixel of each object, as parts of each neuron's sum over objects. Every column is "
    "a neuron."
)
OBJECTS_OVER_TIME = "The same on several frames, as parts of each neuron's sum over objects and frames."
MOTION = (
    "Sum over neurons of the change of absolute contributions from frame to frame, beside optical flow: their rank "
    "correlation over pixels, and what it is when one of the two is shifted across the other by every possible number "
    "of rows and columns."
)
CLUSTERS_TEXT = (
    "k-means of absolute maps, each scaled to [0, 1] and averaged to a grid: the neurons nearest to each group's "
    "centre."
)
MATCHING = (
    "Neurons of a layer matched one to one with those of the next so that their maps are as alike as can be, and the "
    "same with each map moved to a random place. At most a thousand neurons of each layer take part."
)
