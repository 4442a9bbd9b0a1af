"""What a report knows of a layer, and the figures that it shows of all layers, with their words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from canvaswidget.analysis.clustering import Clusters, Exemplars
from canvaswidget.analysis.deletion import Deletion
from canvaswidget.analysis.directions import Directions
from canvaswidget.analysis.distribution import Distribution
from canvaswidget.analysis.faithfulness import Faithfulness
from canvaswidget.analysis.frequency_shares import FrequencyShares
from canvaswidget.analysis.intensity import Intensity
from canvaswidget.analysis.intervals import Interval
from canvaswidget.analysis.matching import Matching
from canvaswidget.analysis.motion import Motion
from canvaswidget.analysis.objects import Objects
from canvaswidget.analysis.objects_over_time import ObjectsOverTime
from canvaswidget.analysis.profile import Profile
from canvaswidget.analysis.pruning import Pruning
from canvaswidget.analysis.quantisation import Quantisation
from canvaswidget.analysis.rate_distortion import RateDistortion
from canvaswidget.analysis.regions import Regions
from canvaswidget.analysis.spectrum import Spectrum
from canvaswidget.plotting.style import new_axes, new_panels, new_pictures
from canvaswidget.reporting.copies import QUANTISATION, RATES, rates_said
from canvaswidget.reporting.principal import DIRECTIONS
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layers import Layer

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
    "correlation over pixels, and the same within a crop, without trends and what both owe to the centre and the "
    "borders of the frame, beside that of unrelated maps with the same spectra. All pairs of frames together are one "
    "test: pairs of one clip are not independent."
)
MOTION_ARRAYS = (
    *("frames", "change", "neuron_change", "flow", "whole_frame", "crop"),
    *("agreement", "by_chance", "p", "mean", "mean_by_chance", "mean_p"),
)
CLUSTERS_TEXT = (
    "k-means of absolute maps, each scaled to [0, 1] and averaged to a grid: the neurons nearest to each group's "
    "centre."
)
FAITHFULNESS = (
    "Rank correlation over neurons of the rule's contributions with what the image loses without each neuron, and 95% "
    "intervals for what all neurons of the layer would give. At most 64 neurons of a layer, drawn at random, are "
    "measured: n says how many."
)
DELETION = (
    "PSNR against the model's own frame when neurons are deleted in the order of their totals, largest or smallest "
    "first, and in random orders. Tables: mean PSNR over the share, at most 60 dB a point."
)
PRUNING = (
    "PSNR against the model's own frame when the same share of the units that contribute least is removed from each of "
    "several layers at once; beside it, units with the smallest outgoing weights, and random units. Where all layers "
    "are reported, the model's first, whose units are its inputs, stays whole."
)
PROFILE = (
    "How a network's neurons change from its first layer to its last: the share without which the image is the same; "
    "how many make a pixel, by the entropy of their shares; the stable rank of the weights; the mean frequency of the "
    "maps; how much of the picture's energy stays without one neuron, in the mean; and the rank correlation of totals "
    "with ablation. At most 64 neurons of a layer, drawn at random, are measured; bars are 95% intervals."
)
SPECTRUM = (
    "Radially averaged power of the signal, of the frame, of their difference and of neurons' maps, each less its mean "
    "and under a Hann window, over frequency in cycles a pixel. Below, the mean frequency of each map, weighted by "
    "power, and the spread around it. At most 64 neurons of a layer, drawn at random, are measured unless exact "
    "numbers are asked for: n says how many."
)
SHARES = (
    "The part of the frame's amplitude, in its phase, that the neurons of each layer make in each band of frequencies: "
    "exact under gated. What lacks of 1 is the remainder's, from biases and what passes beside the layer."
)
SPECTRUM_ARRAYS = (
    *("limits", "frequencies", "counts", "output", "neurons", "neuron_power", "neuron_dc", "centroid"),
    "bandwidth",
)
FAITHFULNESS_ARRAYS = (
    *("neurons", "rule_totals", "ablation_totals", "totals", "per_pixel", "pixels", "pixel_correlations"),
    *("infidelity", "infidelity_share", "infidelity_scaled", "subset_size", "residual"),
)
MATCHING = (
    "Neurons of a layer matched one to one with those of the next so that their maps are as alike as can be, and the "
    "same with each map moved to a random place. At most a thousand neurons of each layer take part."
)


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
    faithfulness: Faithfulness | None = None
    deletion: Deletion | None = None
    spectrum: Spectrum | None = None
    shares: FrequencyShares | None = None  # of all layers together
    directions: Directions | None = None

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
        if spread.low is not None:
            for name in ("low", "high", "neuron_low", "neuron_high"):
                found[f"distribution/{name}"] = np.asarray(getattr(spread, name))
        if care.low is not None and care.high is not None:
            for kind in care.deltas:
                found[f"regions/{kind}/low"], found[f"regions/{kind}/high"] = care.low[kind], care.high[kind]
        if self.objects is not None:
            found["objects/means"] = self.objects.means
        if self.objects_over_time is not None:
            found["objects_over_time/frames"] = self.objects_over_time.frames
            found["objects_over_time/means"] = self.objects_over_time.means
        if self.motion is not None:
            for name in MOTION_ARRAYS:
                found[f"motion/{name}"] = np.asarray(getattr(self.motion, name))
        if self.faithfulness is not None:
            for name in FAITHFULNESS_ARRAYS:
                value = getattr(self.faithfulness, name)
                found[f"faithfulness/{name}"] = np.array(
                    [value.value, value.low, value.high, value.n] if isinstance(value, Interval) else value
                )
        if self.deletion is not None:
            for name in ("counts", "most_first", "least_first", "random"):
                found[f"deletion/{name}"] = getattr(self.deletion, name)
        if self.spectrum is not None:
            for name in SPECTRUM_ARRAYS:
                found[f"spectrum/{name}"] = getattr(self.spectrum, name)
            for name in ("truth", "error"):
                if (values := getattr(self.spectrum, name)) is not None:
                    found[f"spectrum/{name}"] = values
        if self.directions is not None:
            found["directions/basis"] = self.directions.basis
            found["directions/explained"] = self.directions.explained
        if self.shares is not None:
            found["frequency_shares/bands"] = np.array(self.shares.bands)
            found["frequency_shares/energy"] = self.shares.energy
            found["frequency_shares/neurons"] = self.shares.neurons[self.layer.name]
            found["frequency_shares/remainder"] = self.shares.remainder[self.layer.name]
        return found


def estimated(found: Sequence[LayerFindings]) -> str:
    """How far findings are estimated, in one line; empty where all are exact."""
    each = [
        result.sampling
        for layer in found
        for result in (layer.distribution, layer.regions, layer.clusters, layer.motion, layer.deletion)
        if result is not None and result.sampling is not None and not result.is_exact
    ]
    if not each:
        return ""
    return f"some numbers are estimated, to ± {each[0].accuracy:.0%}; accuracy=None computes the exact ones"


def pruned_arrays(pruned: Pruning) -> dict[str, npt.NDArray[Any]]:
    """The curves of pruning as named arrays, with the names of the layers."""
    found: dict[str, npt.NDArray[Any]] = {
        "layers": np.array([layer.name for layer in pruned.layers]),
        "frames": pruned.frames,
        "shares": pruned.shares,
        "random": pruned.random,
    }
    return found | {f"curves/{name}": curve for name, curve in pruned.curves.items()}


def profile_arrays(depth: Profile) -> dict[str, npt.NDArray[Any]]:
    """The table of a profile as named arrays, with the names of the layers."""
    table = depth.to_frame()
    return {"layers": np.array(list(table.index))} | {
        str(name): table[name].to_numpy() for name in table.columns
    }


LONGEST = 100  # letters of a layer's name in a file's name


def file_name(layer: str) -> str:
    """A layer's name as part of a file's: letters that file systems refuse are replaced, a hash keeps it unique."""
    plain = re.sub(r"[^\w.-]", "_", layer)[:LONGEST]
    return plain if plain == layer else f"{plain}-{hashlib.sha256(layer.encode()).hexdigest()[:8]}"


def drawings(
    canvas: Canvas,
    found: list[LayerFindings],
    matchings: list[Matching],
    pruned: Pruning,
    depth: Profile,
    rounded: Quantisation | None = None,
    rates: RateDistortion | None = None,
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

    axes = new_panels(count, height=2.4)
    for layer, ax in zip(found, axes, strict=True):
        cast(Spectrum, layer.spectrum).plot(ax)
    yield "Frequencies", SPECTRUM, "spectrum", _page(axes[0]), [f.spectrum for f in found]
    axes = new_panels(count, height=2.4)
    for layer, ax in zip(found, axes, strict=True):
        cast(Spectrum, layer.spectrum).plot_neurons(ax)
    yield "Frequencies", SPECTRUM, "spectrum-neurons", _page(axes[0]), []
    if (shares := found[0].shares) is not None:
        yield "Shares of frequencies", SHARES, "frequency-shares", _page(shares.plot()), [shares]

    principal = [layer.directions for layer in found if layer.directions is not None]
    if principal:
        for one, ax in zip(principal, axes := new_panels(len(principal)), strict=True):
            one.plot(ax)
        yield "Directions", DIRECTIONS, "directions", _page(axes[0]), list(principal)

    if all(layer.faithfulness is not None for layer in found):
        axes = new_panels(count, height=2.6)
        for layer, ax in zip(found, axes, strict=True):
            cast(Faithfulness, layer.faithfulness).plot(ax)
        results = [f.faithfulness for f in found]
        yield "Faithfulness", FAITHFULNESS, "faithfulness", _page(axes[0]), results
    axes = new_panels(count, height=2.4)
    for layer, ax in zip(found, axes, strict=True):
        cast(Deletion, layer.deletion).plot(ax)
    yield "Deletion", DELETION, "deletion", _page(axes[0]), [f.deletion for f in found]
    yield "Pruning", PRUNING, "pruning", _page(pruned.plot()), [pruned]
    yield "From layer to layer", PROFILE, "profile", depth.plot(), [depth]
    if rounded is not None:
        yield "Quantisation", QUANTISATION, "quantisation", _page(rounded.plot()), [rounded]
        yield "Quantisation", QUANTISATION, "quantisation-errors", rounded.plot_errors(), []
    if rates is not None:
        yield (
            "Rate and distortion",
            f"{RATES} {rates_said(rates)}",
            "rate-distortion",
            rates.plot_all(),
            [rates],
        )


def _page(ax: Axes) -> Figure:
    return cast(Figure, ax.figure)
