"""Which spatial frequencies a layer's neurons make: radially averaged power spectra of a frame and of every map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from canvaswidget.analysis.fourier import NYQUIST, Bands, Measured, checked_edges, even_edges, measure_picture
from canvaswidget.analysis.intervals import Interval, mean_interval
from canvaswidget.analysis.neuron_spectra import Sample, neuron_spectra
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import checked, some_sample
from canvaswidget.plotting.style import CYCLE, QUIET, heading, legend_below, new_axes, style
from canvaswidget.progress import Progress
from canvaswidget.tables import Printed
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.neurons import count_neurons
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LIGHT = "#c4c7cc"
POWER_SAID = {"each": "power of the colours, added", "sum": "power of the colours' sum"}


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum(Printed):
    """Power spectra of a frame and of a layer's maps, and the frequency of every neuron.

    Frequencies are in cycles a pixel. Power is that of the picture less its mean, under a Hann window, see
    `canvaswidget.analysis.spectrum`: a band's power is the mean over its coefficients, and the sum over bands of
    ``counts * power``, with the squared mean and what the window leaves of it (`dc`), is the mean square of the picture
    under the squared window. Colours are transformed one by one and their power is added.

    Attributes
    ----------
    layer : Layer
    frame : int
    rule : str
    limits : (b + 1,)
        Of the bands: each has the frequencies above its lower limit up to and with its upper one. Nyquist is 0.5; the
        last band has the diagonal waves beyond it.
    frequencies : (b,)
        Mean frequency of each band's coefficients.
    counts : (b,)
        Coefficients of each band; a band that has none has power NaN.
    output : (b,)
        Power of the model's frame.
    truth, error : (b,) or None
        The same of the signal, and of output less signal; None where the INR has no truth.
    dc : dict of float
        Of these pictures, by name, what is at frequency 0.
    centroids : dict of float
        Of these pictures, by name, the mean frequency weighted by power.
    n_neurons : int
        Of the layer.
    neurons : (k,)
        Flat indices of those that were measured, ascending; all, or a sample.
    neuron_power : (k, b)
        Power of their maps.
    neuron_dc : (k,)
        What is at frequency 0.
    centroid, bandwidth : the layer's neurons
        Mean frequency of each neuron's map weighted by power, DC left out, and its standard deviation. NaN for a neuron
        that was not measured, and for one whose map is 0 or the same everywhere: it has no frequency.
    mean_centroid : Interval
        Mean over the neurons that have a frequency; with the 95% interval for the whole layer where a sample was
        measured.
    rgb : str
        ``"each"``: neurons' power is added over colours; ``"sum"``: it is that of the sum of the colours, where the
        rule does not know them.
    """

    title: ClassVar[str] = "spectrum"
    layer: Layer
    frame: int
    rule: str
    limits: DoubleArray
    frequencies: DoubleArray
    counts: IntArray
    output: DoubleArray
    truth: DoubleArray | None
    error: DoubleArray | None
    dc: dict[str, float]
    centroids: dict[str, float]
    n_neurons: int
    neurons: IntArray
    neuron_power: FloatArray
    neuron_dc: FloatArray
    centroid: FloatArray
    bandwidth: FloatArray
    mean_centroid: Interval
    rgb: str

    @property
    def is_whole(self) -> bool:
        """Whether every neuron of the layer was measured."""
        return len(self.neurons) == self.n_neurons

    @property
    def neuron_energy(self) -> DoubleArray:
        """``(k,)``: the sum of each measured neuron's power over all coefficients but that of frequency 0."""
        known = np.where(self.counts > 0, self.neuron_power, 0)
        return np.asarray(known @ self.counts.astype(np.float64), np.float64)

    @property
    def flat(self) -> npt.NDArray[np.bool_]:
        """``(k,)``: measured neurons without a frequency: their map is 0 or the same everywhere."""
        return np.isnan(self.centroid.ravel()[self.neurons])

    @property
    def weighted_centroid(self) -> float:
        """The mean frequency of the measured neurons, each weighted by its energy; NaN where none has any."""
        alive, energy = ~self.flat, self.neuron_energy
        total = float(energy[alive].sum())
        values = self.centroid.ravel()[self.neurons][alive]
        return float((values * energy[alive]).sum() / total) if total > 0 else math.nan

    def to_frame(self) -> pandas.DataFrame:
        """One row a measured neuron; pandas is imported here."""
        import pandas

        granularity = "kernel" if self.centroid.ndim == 2 else "unit"
        index = [str(self.layer.neuron_at(int(place), granularity)) for place in self.neurons]
        return pandas.DataFrame(
            {
                "centroid": self.centroid.ravel()[self.neurons],
                "bandwidth": self.bandwidth.ravel()[self.neurons],
                "energy": self.neuron_energy,
                "dc": self.neuron_dc,
            },
            index=pandas.Index(index, name="neuron"),
        )

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Power over frequency: of truth, output and error, and of the neurons, the median and quartiles."""
        ax = ax or new_axes(height=2.4)
        shown = (self.counts > 0) & (self.limits[:-1] < NYQUIST)
        across = self.frequencies[shown]
        alive = self.neuron_power[~self.flat][:, shown]
        with style():
            for name, values, colour, wide in (
                ("truth", self.truth, LIGHT, 3.0),  # the output lies on it where it is right
                ("output", self.output, CYCLE[0], 1.2),
                ("error", self.error, CYCLE[1], 1.2),
            ):
                if values is not None:
                    ax.plot(across, _positive(values[shown]), color=colour, lw=wide, label=name)
            if len(alive) and len(across):
                low, middle, high = np.percentile(alive, (25, 50, 75), axis=0)
                ax.fill_between(across, _positive(low), _positive(high), color=CYCLE[2], alpha=0.2, lw=0)
                ax.plot(across, _positive(middle), color=CYCLE[2], lw=1.2, label="neurons' median")
            ax.set_yscale("log")
            ax.set_xlim(0, NYQUIST)
            ax.set(xlabel="frequency (cycles a pixel)", ylabel="power a coefficient")
            heading(ax, self.layer.name, f"frame {self.frame}", self._measured())
            if ax.get_legend_handles_labels()[1]:
                legend_below(ax)
        return ax

    @checked
    def plot_neurons(self, ax: Axes | None = None) -> Axes:
        """Each neuron's bandwidth over its centroid; the area of a point is its energy, beside the largest one."""
        ax = ax or new_axes(height=2.4)
        alive, energy = ~self.flat, self.neuron_energy
        across = self.centroid.ravel()[self.neurons][alive]
        up = self.bandwidth.ravel()[self.neurons][alive]
        sizes = energy[alive] / (energy[alive].max(initial=0) or 1)
        with style():
            ax.scatter(across, up, s=3 + 60 * sizes, color=CYCLE[2], alpha=0.5, lw=0)
            for name, colour in (("truth", LIGHT), ("output", CYCLE[0]), ("error", CYCLE[1])):
                value = self.centroids.get(name, math.nan)
                if math.isfinite(value):
                    ax.axvline(value, color=colour, lw=2 if name == "truth" else 0.8, label=name)
            ax.set_xlim(0, NYQUIST)
            ax.set_ylim(0, 1.1 * float(up.max(initial=0)) or 1)
            ax.set(
                xlabel="centroid frequency (cycles a pixel); lines: of the pictures",
                ylabel="bandwidth\n(cycles a pixel)",
            )
            heading(ax, self.layer.name, f"frame {self.frame}", self._measured())
            if ax.get_legend_handles_labels()[1]:
                legend_below(ax)
            if not alive.any():
                ax.text(0.5, 0.5, "no map varies", color=QUIET, ha="center", transform=ax.transAxes)
        return ax

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        Means over neurons of the centroid and the bandwidth; the mean centroid weighted by energy; the share of neurons
        without a frequency; the centroids of the pictures.
        """
        bandwidth = self.bandwidth.ravel()[self.neurons][~self.flat].astype(np.float64)
        return {
            "centroid": self.mean_centroid.value,
            "bandwidth": float(bandwidth.mean()) if len(bandwidth) else math.nan,
            "weighted_centroid": self.weighted_centroid,
            "flat_share": float(self.flat.mean()) if len(self.flat) else math.nan,
            **{f"{name}_centroid": value for name, value in self.centroids.items()},
        }

    def estimated(self) -> tuple[str, ...]:
        """A part of a heading; none where every neuron was measured."""
        if self.is_whole:
            return ()
        reach = self.mean_centroid.half_width
        return (f"estimated, ± {reach:.3f}",) if math.isfinite(reach) else ("estimated",)

    def rows(self) -> list[list[str]]:
        known = self.centroid.ravel()[self.neurons][~self.flat]
        quartiles = "not defined"
        if len(known):
            low, middle, high = np.percentile(known, (25, 50, 75))
            quartiles = f"{middle:.3f} ({low:.3f} to {high:.3f})"
        wide = self.numbers()["bandwidth"]
        return [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            ["rule", self.rule],
            ["colours", POWER_SAID[self.rgb]],
            ["neurons measured", f"{len(self.neurons):,} of {self.n_neurons:,}"],
            *(
                [["without a frequency (map 0 or the same everywhere)", f"{int(self.flat.sum()):,}"]]
                if self.flat.any()
                else []
            ),
            ["centroid frequency, cycles a pixel: mean", _interval(self.mean_centroid)],
            ["the same: median (quartiles)", quartiles],
            ["the same: mean weighted by energy", _number(self.weighted_centroid)],
            ["bandwidth: mean", _number(wide)],
            *([f"centroid of {name}", _number(value)] for name, value in self.centroids.items()),
        ]

    def _measured(self) -> str:
        count = f"n = {len(self.neurons):,}"
        return count if self.is_whole else f"{count} of {self.n_neurons:,}"


@over_runs
@checked(sample=some_sample)
def spectrum(
    canvas: CanvasLike,
    layer: LayerKey,
    frame: int = 0,
    *,
    edges: Sequence[float] | None = None,
    granularity: str | None = None,
    sample: Sample = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> Spectrum:
    """Measure the spatial frequencies of a frame and of the maps of a layer.

    A picture less its mean is multiplied with a Hann window, which keeps its borders from counting as edges, and
    transformed; each colour by itself. The window gives what lies near the border little weight, and blurs frequencies
    by about a cycle a frame, so that no centroid is below that.

    Parameters
    ----------
    canvas : Canvas or Runs
        Of runs each is measured; see `OverRuns`.
    layer : str, int or Layer
    frame : int
    edges : sequence of float, optional
        Frequencies between bands, ascending, above 0 and at most 0.5 cycles a pixel. By default they divide 0 to 0.5
        evenly, as finely as the longer side can tell apart, into at most 64 bands.
    granularity : {"unit", "kernel"}, optional
    sample : int, "auto" or None
        Neurons to measure, drawn at random; None for all. Their maps are exact, and so are their numbers; what the
        sample says of the layer has an interval. By default all where that takes at most about 10 s, else 256.
    seed : int
        Of the sample.
    progress : bool or callable
        A bar where it takes longer than 2 s, or ``progress(done, total)``, in neurons.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        Edges that do not ascend, or a picture or map that holds NaN or infinity.
    """
    found, frame = find(canvas, layer, frame)
    size = (int(canvas.inr.size[0]), int(canvas.inr.size[1]))
    bands = Bands(size, even_edges(size) if edges is None else checked_edges(edges))
    pictures = {name: measure_picture(bands, picture) for name, picture in pictures_of(canvas, frame).items()}
    shape, count = found.shape_of(granularity), count_neurons(found, granularity)
    rgb = "sum" if canvas.why_no_colours(found) else "each"
    drawn, values = neuron_spectra(
        canvas, found, frame, bands, rgb, granularity=granularity, sample=sample, seed=seed, progress=progress
    )
    measured = Measured(values)
    centroid, bandwidth = (_placed(each, drawn, shape) for each in (measured.centroids, measured.bandwidths))
    power = {name: mean_power(one, bands)[0] for name, one in pictures.items()}
    return Spectrum(
        found,
        frame,
        canvas.rule,
        bands.limits,
        bands.frequencies,
        bands.counts,
        power["output"],
        power.get("truth"),
        power.get("error"),
        {name: float(one.dc[0]) for name, one in pictures.items()},
        {name: float(one.centroids[0]) for name, one in pictures.items()},
        count,
        drawn,
        mean_power(measured, bands).astype(np.float32),
        measured.dc.astype(np.float32),
        centroid,
        bandwidth,
        mean_interval(measured.centroids, count),
        rgb,
    )


def pictures_of(canvas: CanvasLike, frame: int) -> dict[str, npt.NDArray[np.floating]]:
    """The truth where it is known, the output, and their difference, ``(h, w, channels)``; ValueError for NaN."""
    output = np.asarray(canvas.frame(frame), np.float64)
    if not np.isfinite(output).all():
        raise ValueError(f"frame={frame}: the model's frame holds NaN or infinity; it has no spectrum")
    if canvas.inr.truth is None:
        return {"output": output}
    truth = np.asarray(canvas.inr.truth[frame], np.float64)
    if not np.isfinite(truth).all():
        raise ValueError(f"frame={frame}: the truth holds NaN or infinity; it has no spectrum")
    return {"truth": truth, "output": output, "error": output - truth}


def mean_power(measured: Measured, bands: Bands) -> DoubleArray:
    """``(k, b)``: mean over each band's coefficients; NaN where it has none."""
    return np.where(bands.counts > 0, measured.energies / np.maximum(bands.counts, 1), np.nan)


def _placed(values: npt.NDArray[np.floating], neurons: IntArray, shape: tuple[int, ...]) -> FloatArray:
    whole = np.full(math.prod(shape), np.nan, np.float32)
    whole[neurons] = values
    return whole.reshape(shape)


def _positive(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values for a logarithmic axis: 0 leaves a gap."""
    return np.where(values > 0, values, np.nan)


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.3f}"


def _interval(found: Interval) -> str:
    if math.isnan(found.value):
        return "not defined"
    if found.n == found.n_all:
        return f"{found.value:.3f}"
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f}), n = {found.n:,} of {found.n_all:,}"
