"""Which part of each frequency of a frame every layer and every neuron makes: exact, under the rule `gated`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from canvaswidget.analysis.fourier import Bands, Transform, checked_edges, octave_edges
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.spectrum import pictures_of
from canvaswidget.arguments import checked
from canvaswidget.plotting.bands import band_axis
from canvaswidget.plotting.style import (
    QUIET,
    colour_bar,
    heading,
    legend_below,
    legend_label,
    new_axes,
    style,
)
from canvaswidget.progress import Progress, steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer, LayerKey, Layers, show_neuron
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

MEAN = "mean"  # the name of frequency 0
COLOURS = ("red", "green", "blue")
SHOWN = 40  # neurons in a figure


@dataclass(frozen=True, eq=False, repr=False)
class FrequencyShares(Printed):
    """How much of a frame each neuron makes at each band of frequencies.

    Shares of a layer's neurons and of the remainder add up to 1 at every band. A share may be negative, of a neuron
    that takes away what others make, or above 1.

    Attributes
    ----------
    frame : int
    bands : tuple of str
        ``"mean"``, which is frequency 0, and the bands, in cycles a pixel.
    limits : (b + 1,)
        Of the bands but the first.
    energy : (1 + b,)
        Of the frame at each, colours added: together its mean square under the squared window.
    layers : tuple of Layer
    neurons : dict of str to array
        By layer, the share of every neuron at every band, ``(*neurons, 1 + b)``; NaN at bands where the frame has no
        energy.
    remainder : dict of str to array
        By layer, the share of what does not come from its neurons, ``(1 + b,)``; see `Canvas.remainder`.
    """

    title: ClassVar[str] = "shares of frequencies"
    frame: int
    bands: tuple[str, ...]
    limits: DoubleArray
    energy: DoubleArray
    layers: tuple[Layer, ...]
    neurons: dict[str, FloatArray]
    remainder: dict[str, FloatArray]

    def of_layer(self, layer: LayerKey) -> FloatArray:
        """``(1 + b,)``: the share of all neurons of a layer together."""
        shares = self.neurons[self._find(layer).name]
        return shares.reshape(-1, len(self.bands)).sum(0, dtype=np.float64).astype(np.float32)

    def missing(self, layer: LayerKey) -> FloatArray:
        """``(1 + b,)``: what neurons and remainder lack of 1: rounding, and what passes through opaque ops."""
        return 1 - self.of_layer(layer) - self.remainder[self._find(layer).name]

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron of each layer, one column a band; pandas is imported here."""
        import pandas

        rows, index = [], []
        for layer in self.layers:
            shares = self.neurons[layer.name]
            granularity = "kernel" if shares.ndim == 3 else "unit"
            flat = shares.reshape(-1, len(self.bands))
            rows.append(flat)
            index += [
                (layer.name, show_neuron(layer.neuron_at(place, granularity))) for place in range(len(flat))
            ]
        names = pandas.MultiIndex.from_tuples(index, names=["layer", "neuron"])
        return pandas.DataFrame(np.concatenate(rows), index=names, columns=list(self.bands))

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The share of each layer's neurons at each band; what lacks of 1 is the remainder's."""
        ax = ax or new_axes(height=2.4)
        places = np.arange(len(self.bands))
        with style():
            ax.axhline(1, color=QUIET, lw=0.6, zorder=0)
            ax.axhline(0, color=QUIET, lw=0.6, zorder=0)
            for layer in self.layers:
                ax.plot(
                    places,
                    self.of_layer(layer),
                    lw=1.2,
                    marker="o",
                    ms=2.5,
                    label=legend_label(layer.name),
                )
            band_axis(ax, self._edges)
            ax.set_ylabel("share that the\nlayer's neurons make")
            ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
            heading(ax, f"frame {self.frame}", "the rest is the remainder's")
            legend_below(ax, 1 if max(map(len, self.neurons), default=0) > 20 else 2)
        return ax

    @checked
    def plot_neurons(self, layer: LayerKey | None = None, ax: Axes | None = None) -> Axes:
        """The shares of the neurons with the largest ones, at most 40, ordered by frequency: a row each.

        Without `layer` it is the last one.
        """
        found = self.layers[-1] if layer is None else self._find(layer)
        shares = self.neurons[found.name]
        granularity = "kernel" if shares.ndim == 3 else "unit"
        flat = np.nan_to_num(shares.reshape(-1, len(self.bands)))
        largest = np.argsort(-np.abs(flat).max(1), kind="stable")[:SHOWN]
        weights = np.abs(flat[largest])
        middle = (weights * np.arange(len(self.bands))).sum(1) / np.maximum(weights.sum(1), 1e-30)
        rows = largest[np.argsort(middle, kind="stable")]
        ax = ax or new_axes(height=1.2 + 0.085 * len(rows))
        top = float(np.abs(flat[rows]).max(initial=0)) or 1.0
        with style():
            shown = ax.imshow(
                flat[rows], cmap="RdBu_r", vmin=-top, vmax=top, aspect="auto", interpolation="nearest"
            )
            ax.spines[:].set_visible(True)
            band_axis(ax, self._edges)
            every = max(1, len(rows) // 20)
            ticks = np.arange(0, len(rows), every)
            names = [show_neuron(found.neuron_at(int(rows[place]), granularity)) for place in ticks]
            ax.set_yticks(ticks, names, fontsize=5)
            ax.set_ylabel("neuron, by frequency")
            count = (
                f"{len(rows):,} of {len(flat):,} neurons" if len(rows) < len(flat) else f"n = {len(flat):,}"
            )
            heading(ax, found.name, f"frame {self.frame}", count)
            colour_bar(ax, shown, "share")
            ax.child_axes[-1].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        return ax

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        The share of each layer's neurons at the highest band.
        """
        return {f"{layer.name}_{self.bands[-1]}": float(self.of_layer(layer)[-1]) for layer in self.layers}

    def rows(self) -> list[list[str]]:
        energy = self.energy / (self.energy.sum() or 1.0)
        rows = [
            ["frame", str(self.frame)],
            ["bands, cycles a pixel", _cells(self.bands)],
            ["energy of the frame", _cells([f"{value:.2%}" for value in energy])],
        ]
        for layer in self.layers:
            shares = [_percent(value) for value in self.of_layer(layer)]
            rows.append([f"share of {layer.name}", _cells(shares)])
        return rows

    @property
    def _edges(self) -> tuple[str, ...]:
        return tuple(name.split()[-1] for name in self.bands[1:-1])

    def _find(self, layer: LayerKey) -> Layer:
        return Layers(self.layers).find(layer)


@over_runs
@checked
def frequency_shares(
    canvas: CanvasLike,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    frame: int = 0,
    *,
    edges: Sequence[float] | None = None,
    granularity: str | None = None,
    progress: Progress = False,
) -> FrequencyShares:
    """Divide the amplitude of each frequency of a frame among the neurons of each layer, exactly.

    Under `gated` the maps of a layer and the remainder add up to the frame, and so do their Fourier coefficients. Where
    ``F`` are those of the frame and ``F_k`` those of a neuron's map, the share of the neuron in a band is

        sum Re(conj(F) F_k) / sum |F|^2

    over the band's coefficients and over colours: the part of the frame's amplitude that the map makes in its phase. It
    is a ratio of sums, not a mean of ratios: a coefficient of the frame that is nearly 0 would decide the mean, while
    in the sums each counts by its energy, and the shares still add up to 1.

    The sums are linear in the map, so one pass with the frame's own part of a band as pixel weights gives those of all
    neurons of all layers: the cost is a pass for each band and colour, for any number of neurons.

    Parameters
    ----------
    canvas : Canvas or Runs
        Under the rule `gated`. Of runs each is measured; see `OverRuns`.
    layers : str, int, Layer or a sequence of these, optional
        All that are traced by default.
    frame : int
    edges : sequence of float, optional
        Frequencies between bands, ascending, above 0 and at most 0.5 cycles a pixel. By default octaves: 1/64, 1/32,
        1/16, 1/8 and 1/4, without those that the frame is too small for.
    granularity : {"unit", "kernel"}, optional
    progress : bool or callable
        A bar where it takes longer than 2 s, or ``progress(done, total)``, in passes.

    Returns
    -------
    FrequencyShares

    Raises
    ------
    UntraceableError
        The rule does not divide the image (only `gated` does), or is not defined on a layer.
    ValueError
        Edges that do not ascend, or a frame that holds NaN or infinity.
    """
    if canvas.rule != "gated":
        raise UntraceableError(
            f"rule={canvas.rule!r}: its maps do not add up to the image, so neurons have no shares of its frequencies; "
            "rule 'gated' divides it: canvas.under('gated')"
        )
    frame = canvas.inr.frame_index(frame)
    chosen = list(canvas.traced_layers) if layers is None else canvas.layers.find_all(layers)
    size = (int(canvas.inr.size[0]), int(canvas.inr.size[1]))
    bands = Bands(size, octave_edges(size) if edges is None else checked_edges(edges))
    picture = torch.from_numpy(pictures_of(canvas, frame)["output"]).permute(2, 0, 1).contiguous()
    n_bands, n_colours = len(bands.limits), len(picture)  # with the mean
    energy = np.zeros(n_bands)
    names = [layer.name for layer in chosen]
    made = {layer.name: np.zeros((*layer.shape_of(granularity), n_bands)) for layer in chosen}
    remainder = {name: np.zeros(n_bands) for name in names}
    left = {name: canvas.remainder(name, frame).astype(np.float64) for name in names}
    with steps("shares of frequencies", "pass", progress, n_bands * n_colours) as counted:
        counted.tell()
        for band, weights in enumerate(Transform(bands).parts(picture)):
            energy[band] = float((weights * picture).sum())
            for name in names:
                remainder[name][band] = (weights.permute(1, 2, 0).numpy() * left[name]).sum()
            for colour, some in _colours(weights):
                for name, values in canvas.region(
                    some, frame, chosen, granularity=granularity, rgb=colour
                ).items():
                    made[name][..., band] += values
                counted.take()
    # What rounding leaves of a band without energy divides nothing.
    scale = np.where(energy > 1e-12 * energy.sum(), energy, np.nan)
    return FrequencyShares(
        frame,
        (MEAN, *bands.names),
        bands.limits,
        np.maximum(energy, 0),
        tuple(chosen),
        {name: (values / scale).astype(np.float32) for name, values in made.items()},
        {name: (values / scale).astype(np.float32) for name, values in remainder.items()},
    )


def _colours(weights: torch.Tensor) -> Iterator[tuple[str, torch.Tensor]]:
    """The colours of weights ``(channels, h, w)`` by the names that canvases have for them."""
    return zip(("sum",) if len(weights) == 1 else COLOURS, weights, strict=True)


def _cells(parts: Sequence[str]) -> str:
    return "  ".join(part.rjust(12) for part in parts)


def _percent(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.1%}"
