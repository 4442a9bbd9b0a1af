"""Every finding that a canvas allows, in one call: figures, arrays and a page."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from canvaswidget import tables
from canvaswidget.analysis.clustering import exemplars, group
from canvaswidget.analysis.deletion import deletion
from canvaswidget.analysis.distribution import distribution
from canvaswidget.analysis.faithfulness import faithfulness
from canvaswidget.analysis.frequency_shares import frequency_shares
from canvaswidget.analysis.intensity import compare, of_sample
from canvaswidget.analysis.matching import Matching, match
from canvaswidget.analysis.motion import motion
from canvaswidget.analysis.objects import object_names, objects_from_sums
from canvaswidget.analysis.objects_over_time import objects_over_time
from canvaswidget.analysis.partitions import CELLS, CLUSTERS, instances
from canvaswidget.analysis.profile import Profile, profile
from canvaswidget.analysis.pruning import Pruning, pruning
from canvaswidget.analysis.quantisation import Quantisation
from canvaswidget.analysis.rate_distortion import RateDistortion
from canvaswidget.analysis.regions import DEPARTURE, divide, regions_from_sums
from canvaswidget.analysis.sampled import Accuracy, Draw, target_of
from canvaswidget.analysis.sampled_regions import of_even, sampled_region_sums
from canvaswidget.analysis.spectrum import spectrum
from canvaswidget.analysis.sweeps import RegionSums, sweep
from canvaswidget.analysis.vectors import PooledMaps, vectors
from canvaswidget.arguments import checked, some_accuracy, some_frames
from canvaswidget.plotting.style import style
from canvaswidget.progress import Progress, Steps, steps
from canvaswidget.reporting.copies import quantised, quantised_arrays, rate_arrays, rates
from canvaswidget.reporting.figures import (
    LayerFindings,
    drawings,
    estimated,
    file_name,
    profile_arrays,
    pruned_arrays,
)
from canvaswidget.reporting.page import Section, write_page
from canvaswidget.reporting.placing import placing
from canvaswidget.reporting.principal import principal_directions
from canvaswidget.tracing.canvas import Canvas, LayerKey
from canvaswidget.tracing.layers import Layer

GROUPS = 6
SHOWN = 5  # exemplars of each group
FRAMES = 4  # that follow each other, for motion and objects over time
# No layer's files: an attribute's name has no hyphen.
PRUNED, PROFILED = "pruning-of-layers.npz", "profile-of-layers.npz"
QUANTISED, RATED = "quantisation-of-layers.npz", "rate-distortion-of-network.npz"
MEASURED = 64  # neurons of each layer, for faithfulness and, unless all numbers are to be exact, for spectra
POINTS = 8  # of a deletion curve
DPI = 130


@dataclass
class Report:
    """Where a report is, and all that was found.

    Attributes
    ----------
    page : Path
        A self-contained HTML page, ``index.html``. It names the folder of its files beside it, a new one for each
        report.
    figures : list of Path
        ``figures/*.pdf`` in this folder.
    arrays : list of Path
        ``arrays/*.npz`` in it, one for each layer and, last, one for `rate_distortion` and one for `quantisation`,
        where they are known, one for `profile`, and one for `pruning`.
    layers : list of LayerFindings
    matchings : list of Matching
        Of each layer with the next.
    pruning : Pruning
        Of these layers together, by the canvas's rule, on the frame; without the model's first layer where all layers
        are reported.
    profile : Profile
        Of these layers, on the frame.
    quantisation : Quantisation or None
        Of those of the layers whose weights are plain parameters, on the frame; None where there are none.
    rate_distortion : RateDistortion or None
        Of the same layers, on the frame; of all the network's where all layers are reported.
    """

    page: Path
    layers: list[LayerFindings]
    matchings: list[Matching]
    pruning: Pruning
    profile: Profile
    quantisation: Quantisation | None = None
    rate_distortion: RateDistortion | None = None
    figures: list[Path] = field(default_factory=list)
    arrays: list[Path] = field(default_factory=list)

    def _rows(self) -> list[list[str]]:
        return [
            ["page", str(self.page)],
            ["figures", f"{len(self.figures)} in {self.figures[0].parent}" if self.figures else "none"],
            ["arrays", f"{len(self.arrays)} in {self.arrays[0].parent}" if self.arrays else "none"],
            ["layers", ", ".join(found.layer.name for found in self.layers)],
        ]

    def __repr__(self) -> str:
        return tables.text(["report", ""], self._rows())

    def _repr_html_(self) -> str:
        return tables.markup(["report", ""], self._rows())


@checked(frames=some_frames, accuracy=some_accuracy)
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
    accuracy: Accuracy = "auto",
    seed: int = 0,
    progress: Progress = True,
) -> Report:
    """Compute every finding that the inputs allow, and write figures, arrays and a page.

    Parameters
    ----------
    canvas : Canvas
    folder : path
        Where to write; made if it is not there. An earlier report is whole until this one takes its place, and is
        removed then.
    frame : int
        What the findings about one frame are about.
    layers : optional
        All that the rule is defined on, by default.
    frames : sequence of int, optional
        What motion and objects over time are about: by default up to four that follow `frame`; give
        ``range(n_frames)`` for the whole clip. With fewer than two
        both are left out.
    masks, names : optional
        Of objects and their names, as `canvaswidget.analysis.objects` takes them; without masks what is about
        objects is left out.
    flow : (t, height, width, 2), optional
        As `canvaswidget.analysis.motion` takes it; computed where it is needed and not given.
    clusters : int
        Groups of neurons that look alike.
    accuracy : float, "auto" or None
        Of each finding, as its own function takes it: None for exact numbers. By default a finding is exact where that
        takes at most about 10 s, else estimated to 0.05; the page says so.
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
    planned = _planned(chosen, len(several), masks is not None)
    found, looks, moving = [], [], flow
    with steps("report", "map", progress, planned) as counted:
        divided = divide(canvas, frame, None, masks, CELLS, CLUSTERS, seed, False)
        every = np.concatenate(list(divided.values()))
        for layer in chosen:
            spread = distribution(
                canvas,
                layer,
                frame,
                accuracy=accuracy,
                seed=seed,
                progress=counted.part(_neurons([layer]), 2),
            )
            look = compare(layer, frame, spread.pixel_abs, canvas.frame(frame), spread.rgb)
            told = counted.part(_neurons([layer]))
            target = target_of(canvas, layer, frame, accuracy, None)
            if target is None:
                sums = RegionSums(every, layer, None, canvas.device)
                pooled = PooledMaps(canvas.inr.size, layer.neurons)
                sweep(canvas, layer, [sums, pooled], frame, progress=told)
                looks.append(pooled.vectors(layer, frame, spread.rgb))
            else:
                planned = Draw.of(canvas, layer, frame, None, seed, target)
                sums = sampled_region_sums(planned, every, DEPARTURE, of_even, told)
                looks.append(vectors(canvas, layer, frame=frame, seed=seed, accuracy=accuracy, progress=told))
            alike = group([looks[-1]], clusters, seed)[0]
            found.append(
                LayerFindings(
                    layer,
                    spread,
                    look if spread.sampling is None else of_sample(look, spread.sampling),
                    regions_from_sums(layer, frame, divided, sums, rgb=spread.rgb),
                    alike,
                    exemplars(canvas, alike, SHOWN),
                )
            )
            if masks is not None:
                own = divided["instances"]
                called = object_names(instances(masks, canvas.inr.size, frame, canvas.inr.n_frames)[1], names)
                found[-1].objects = objects_from_sums(layer, frame, own, sums, called, rgb=spread.rgb)
            if masks is not None and len(several) > 1:
                found[-1].objects_over_time = objects_over_time(
                    canvas,
                    layer,
                    masks,
                    several,
                    names,
                    accuracy=accuracy,
                    seed=seed,
                    progress=counted.part(_neurons([layer]), len(several)),
                )
            if len(several) > 1:
                told = counted.part(_neurons([layer]), len(several) - 1)
                moved = motion(canvas, layer, several, moving, accuracy=accuracy, seed=seed, progress=told)
                moving = moved.flow  # computed once
                found[-1].motion = replace(moved, source="TV-L1" if flow is None else "given")
            if canvas.rule != "ablation":  # the truth that other rules are compared with
                found[-1].faithfulness = faithfulness(
                    canvas,
                    layer,
                    frame,
                    at_most=MEASURED,
                    seed=seed,
                    progress=counted.part(_neurons([layer])),
                )
            found[-1].deletion = deletion(
                canvas,
                layer,
                frame,
                points=POINTS,
                accuracy=accuracy,
                seed=seed,
                progress=counted.part(_neurons([layer])),
            )
            found[-1].spectrum = spectrum(
                canvas,
                layer,
                frame,
                sample=None if accuracy is None else MEASURED,
                seed=seed,
                progress=counted.part(_neurons([layer])),
            )
            found[-1].directions = principal_directions(canvas, layer, frame, seed)

        if canvas.rule == "gated":  # whose maps add up to the frame
            shares = frequency_shares(canvas, chosen, frame)
            for layer in found:
                layer.shares = shares
        pruned = pruning(
            canvas,
            layers=layers,
            rules=[canvas.rule],
            frames=[frame],
            accuracy=accuracy,
            seed=seed,
            progress=counted.part(_neurons(chosen)),
        )
        depth = profile(
            canvas, chosen, frame, at_most=MEASURED, seed=seed, progress=counted.part(_neurons(chosen))
        )
        rounded = quantised(canvas, chosen, frame, seed, counted.part(_neurons(chosen)))
        told = counted.part(_neurons(chosen))
        rated = rates(canvas, None if layers is None else chosen, frame, accuracy, seed, told)
        matchings = [match(one, other, seed=seed) for one, other in itertools.pairwise(looks)]
        with placing(Path(folder)) as (page, files):
            written = _write(
                canvas, page, files, frame, found, matchings, pruned, depth, rounded, rated, counted
            )
    return _moved(written, Path(folder))


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


def _planned(layers: Sequence[Layer], n_frames: int, with_masks: bool) -> int:
    """Maps that all findings compute; drawing counts as a tenth of them."""
    over_time = n_frames > 1
    sweeps = 10 + over_time * (n_frames - 1) + (over_time and with_masks) * n_frames
    work = sweeps * _neurons(layers)
    return work + work // 10


def _neurons(layers: Sequence[Layer]) -> int:
    return sum(math.prod(layer.neurons) for layer in layers)


def _moved(written: Report, folder: Path) -> Report:
    """The same report, in the folder that it was put into."""
    aside = written.page.parent
    page, *files = (
        folder / path.relative_to(aside) for path in (written.page, *written.figures, *written.arrays)
    )
    count = len(written.figures)
    return replace(written, page=page, figures=files[:count], arrays=files[count:])


def _write(
    canvas: Canvas,
    page: Path,
    folder: Path,
    frame: int,
    found: list[LayerFindings],
    matchings: list[Matching],
    pruned: Pruning,
    depth: Profile,
    rounded: Quantisation | None,
    rated: RateDistortion | None,
    counted: Steps,
) -> Report:
    for part in ("figures", "arrays"):
        (folder / part).mkdir()
    written = Report(page, found, matchings, pruned, depth, rounded, rated)
    for layer in found:
        path = folder / "arrays" / f"{file_name(layer.layer.name)}.npz"
        with path.open("wb") as file:
            np.savez(file, allow_pickle=False, **layer.arrays())
        written.arrays.append(path)
    if rated is not None:
        written.arrays.append(folder / "arrays" / RATED)
        with written.arrays[-1].open("wb") as file:
            np.savez(file, allow_pickle=False, **rate_arrays(rated))
    if rounded is not None:
        written.arrays.append(folder / "arrays" / QUANTISED)
        with written.arrays[-1].open("wb") as file:
            np.savez(file, allow_pickle=False, **quantised_arrays(rounded))
    written.arrays.append(folder / "arrays" / PROFILED)
    with written.arrays[-1].open("wb") as file:
        np.savez(file, allow_pickle=False, **profile_arrays(depth))
    written.arrays.append(folder / "arrays" / PRUNED)
    with written.arrays[-1].open("wb") as file:
        np.savez(file, allow_pickle=False, **pruned_arrays(pruned))
    drawn = list(drawings(canvas, found, matchings, pruned, depth, rounded, rated))
    sections: list[Section] = []
    for place, (title, text, name, figure, results) in enumerate(drawn):
        path = folder / "figures" / f"{name}.pdf"
        with style():
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # what fits stays: fitting costs more than drawing
            figure.savefig(path)
        written.figures.append(path)
        sections.append(Section(title, text, figure, f"{folder.name}/figures/{path.name}", results))
        left = (counted.planned - counted.done) * (len(drawn) - place - 1) // (len(drawn) - place)
        counted.report(counted.planned - left, counted.planned)
    write_page(written.page, canvas, frame, sections, DPI, estimated(found), folder.name)
    return written
