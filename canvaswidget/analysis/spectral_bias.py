"""Which frequencies a network learns first: the error of each band of frequencies along a training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from canvaswidget.analysis.fourier import Bands, checked_edges, measure_picture, octave_edges
from canvaswidget.analysis.neuron_spectra import Sample
from canvaswidget.analysis.over_runs import each_run
from canvaswidget.analysis.quartiles import quartiles
from canvaswidget.analysis.spectrum import Spectrum, pictures_of, spectrum
from canvaswidget.analysis.sweeps import find
from canvaswidget.arguments import canvases_by_run, checked, some_sample
from canvaswidget.arguments.kinds import number
from canvaswidget.error_text import one_line
from canvaswidget.plotting.style import CYCLE, QUIET, Page, heading, style
from canvaswidget.progress import Progress, steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

MEAN = "mean"  # the name of frequency 0
LEARNT = 0.5  # of a band's energy


@dataclass(frozen=True, eq=False, repr=False)
class SpectralBias(Printed):
    """The error of each band of frequencies at each step of a training.

    Attributes
    ----------
    frame : int
    steps : tuple
        The keys of the runs, in order.
    bands : tuple of str
        ``"mean"``, which is frequency 0, and the bands, in cycles a pixel.
    limits : (b + 1,)
        Of the bands but the first.
    truth : (1 + b,)
        Energy of the signal at each, colours added.
    error : (s, 1 + b)
        Energy of output less signal, as a part of that of the signal: 0 where a band is right, 1 where the network
        might as well show nothing there, more where it is worse than nothing; NaN where the signal has no energy.
    psnr : (s, 1 + b)
        Of each band, in dB: ``-10 log10`` of the band's part of the mean square error, mean over colours, under the
        squared window. That of the whole picture follows from the sum of these parts: ``10 ** (-psnr / 10)`` added over
        bands is its mean square error. A band where the signal has little energy has a high PSNR from the start.
    layer : Layer or None
    centroid : (s, n) or None
        Centroid frequency of each neuron of the layer at each step, see `Spectrum`; NaN where it has none or was not
        measured. None without a layer.
    errors : dict of str
        By key, why a run could not be made; it is none of `steps`.
    """

    title: ClassVar[str] = "spectral bias"
    frame: int
    steps: tuple[Any, ...]
    bands: tuple[str, ...]
    limits: DoubleArray
    truth: DoubleArray
    error: DoubleArray
    psnr: DoubleArray
    layer: Layer | None = None
    centroid: FloatArray | None = None
    errors: Mapping[Any, str] = field(default_factory=dict)

    @checked(level=number(0))
    def first_step(self, level: float = LEARNT) -> list[Any]:
        """By band, the first step from which on its error stays below a level; None where the last is not below."""
        below = np.nan_to_num(self.error, nan=math.inf) < level
        first = len(self.steps) - np.cumprod(below[::-1], 0).sum(0)
        return [self.steps[place] if place < len(self.steps) else None for place in first]

    def to_frame(self) -> pandas.DataFrame:
        """One row a step and band; pandas is imported here."""
        import pandas

        index = pandas.MultiIndex.from_product([self.steps, self.bands], names=["step", "band"])
        return pandas.DataFrame({"psnr": self.psnr.ravel(), "error": self.error.ravel()}, index=index)

    @checked
    def plot(self) -> Figure:
        """PSNR and error along the steps, a curve a band; below, centroids of neurons, median and quartiles."""
        known = np.isfinite(self.error).any(0)
        colours = colormaps["viridis"](np.linspace(0, 0.92, max(int(known.sum()), 1)))
        places = np.arange(len(self.steps))
        with style():
            count = 2 + (self.centroid is not None)
            figure = Page(figsize=(3.6, 0.9 + 1.5 * count), layout="constrained")
            axes: list[Axes] = list(figure.subplots(count, sharex=True))
            for place, colour in zip(np.flatnonzero(known), colours, strict=False):
                line: dict[str, Any] = {"color": colour, "lw": 1.2, "marker": "o", "ms": 2}
                finite = np.where(np.isfinite(self.psnr[:, place]), self.psnr[:, place], np.nan)
                axes[0].plot(places, finite, label=self.bands[place], **line)
                error = self.error[:, place]
                axes[1].plot(places, np.where(error > 0, error, np.nan), **line)
            axes[0].set_ylabel("PSNR of the band (dB)")
            axes[1].axhline(1, color=QUIET, lw=0.6, zorder=0)
            axes[1].set_yscale("log")
            axes[1].set_ylabel("error (part of the\nsignal's energy)")
            if self.centroid is not None and self.layer is not None:
                low, middle, high = quartiles(self.centroid)
                axes[2].plot(places, middle, color=CYCLE[1], lw=1.2, marker="o", ms=2)
                axes[2].fill_between(places, low, high, color=CYCLE[1], alpha=0.15, lw=0)
                axes[2].set_ylim(bottom=0)
                axes[2].set_ylabel(f"centroids of\n{self.layer.name}")
            axes[-1].set_xticks(places, [str(step) for step in self.steps], rotation=60)
            axes[-1].set_xlabel("step")
            figure.legend(
                loc="outside lower center", ncols=3, frameon=False, fontsize=6, title="cycles a pixel"
            ).get_title().set_fontsize(6)
            heading(axes[0], f"frame {self.frame}", "bands of frequencies")
        return figure

    def rows(self) -> list[list[str]]:
        whole, first = self.truth.sum() or 1.0, self.first_step()
        rows = [
            ["frame", str(self.frame)],
            ["steps", f"{len(self.steps)}, {self.steps[0]} to {self.steps[-1]}"],
        ]
        for place, name in enumerate(self.bands):
            if not math.isfinite(self.error[-1, place]):
                rows.append([name, "no energy in the signal"])
                continue
            learnt = "never below" if first[place] is None else f"from step {first[place]} on below"
            rows.append(
                [
                    f"{name}: {self.truth[place] / whole:.2%} of the signal's energy",
                    f"PSNR {self.psnr[-1, place]:.1f} dB at the end, error {self.error[-1, place]:.2g}, "
                    f"{learnt} {LEARNT:g}",
                ]
            )
        if self.centroid is not None and self.layer is not None:
            middle = quartiles(self.centroid)[1]
            rows.append(
                [
                    f"centroid frequency of {self.layer.name}, median",
                    f"{middle[0]:.3f} at the first step, {middle[-1]:.3f} at the last",
                ]
            )
        return rows + [[f"step {step}, left out", why] for step, why in self.errors.items()]


@checked(runs=canvases_by_run, sample=some_sample)
def spectral_bias(
    runs: Mapping[Any, CanvasLike],
    layer: LayerKey | None = None,
    frame: int = 0,
    *,
    edges: Sequence[float] | None = None,
    granularity: str | None = None,
    sample: Sample = "auto",
    seed: int = 0,
    progress: Progress = False,
) -> SpectralBias:
    """Follow the error of each band of frequencies through the checkpoints of a training.

    Networks learn low frequencies first (Rahaman et al., "On the Spectral Bias of Neural Networks", ICML 2019). Window,
    transform and bands are those of `canvaswidget.analysis.spectrum`.

    Parameters
    ----------
    runs : Runs
        Checkpoints of one network, in the order of their steps; see `canvaswidget.Runs.from_checkpoints`. The INR has
        its `truth`. Checkpoints that can't be made are left out, and named.
    layer : str, int or Layer, optional
        Whose neurons' centroid frequencies are followed as well.
    frame : int
    edges : sequence of float, optional
        Frequencies between bands, ascending, above 0 and at most 0.5 cycles a pixel. Octaves by default, as in
        `canvaswidget.analysis.frequency_shares`.
    granularity : {"unit", "kernel"}, optional
    sample : int, "auto" or None
        Neurons of the layer to measure, the same at every step; as in `canvaswidget.analysis.spectrum`.
    seed : int
        Of the sample.
    progress : bool or callable
        A bar where it takes longer than 2 s, or ``progress(done, total)``, in runs.

    Raises
    ------
    ValueError
        There are fewer than two runs, one has no truth, or they are not checkpoints of one network for one signal.
    """
    made = dict(each_run(runs, lambda canvas: None))
    errors = {key: one_line(error, whole=True) for key, error in made.items() if error is not None}
    keys = tuple(key for key in made if key not in errors)
    if len(keys) < 2:
        said = "".join(f"; {why}" for why in errors.values())
        raise ValueError(f"runs: there are {len(keys)}; expected at least two steps of a training{said}")
    last = runs[keys[-1]]
    frame = last.inr.frame_index(frame)
    found = None if layer is None else find(last, layer, frame)[0]
    size = (int(last.inr.size[0]), int(last.inr.size[1]))
    bands = Bands(size, octave_edges(size) if edges is None else checked_edges(edges))
    energies, centroids, truth, n_colours = [], [], np.zeros(0), 1
    measured: Spectrum | None = None
    signal: npt.NDArray[np.floating] | None = None
    with steps("spectral bias", "run", progress, len(keys)) as counted:
        counted.tell()
        for key in reversed(keys):  # the last decides on the sample
            canvas = runs[key]
            pictures = pictures_of(canvas, frame)
            if "truth" not in pictures:
                raise ValueError(
                    f"runs: the INR of run {key!r} has no truth to compare with; give one: INR(..., truth=signal)"
                )
            signal = pictures["truth"] if signal is None else signal
            if not np.array_equal(pictures["truth"], signal):
                raise ValueError(
                    f"runs: run {key!r} has another signal than {keys[-1]!r}; expected checkpoints of one training"
                )
            truth, n_colours = _energies(bands, signal), signal.shape[-1]
            energies.append(_energies(bands, pictures["error"]))
            if found is not None:
                count: Sample = (
                    sample if measured is None else None if measured.is_whole else len(measured.neurons)
                )
                measured = spectrum(
                    canvas, found.name, frame, granularity=granularity, sample=count, seed=seed
                )
                centroids.append(measured.centroid.ravel())
                if len(centroids[-1]) != len(centroids[0]):
                    raise ValueError(
                        f"runs: layer {found.name!r} has {len(centroids[-1]):,} neurons in run {key!r} and "
                        f"{len(centroids[0]):,} in {keys[-1]!r}; expected checkpoints of one network"
                    )
            counted.take()
    error = np.stack(energies[::-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(truth > 1e-12 * truth.sum(), error / truth, np.nan)
        psnr = -10 * np.log10(error / n_colours)
    return SpectralBias(
        frame,
        keys,
        (MEAN, *bands.names),
        bands.limits,
        truth,
        share,
        psnr,
        found,
        np.stack(centroids[::-1]) if centroids else None,
        errors,
    )


def _energies(bands: Bands, picture: npt.NDArray[np.floating]) -> DoubleArray:
    """``(1 + b,)``: the mean's first."""
    found = measure_picture(bands, picture)
    return np.concatenate([found.dc, found.energies[0]]).astype(np.float64)
