"""What quantised weights cost: the weights of each layer alone, of single channels, and of all layers together.

Losses are compared in squared error. Errors that are independent of each other add there, as variances do, so the sum
of the losses of single layers is what all layers together lose if no layer's error depends on another's. PSNR, a
logarithm, has no such sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from canvaswidget import tables
from canvaswidget.analysis.deletion import ALIKE
from canvaswidget.analysis.intervals import Interval
from canvaswidget.analysis.least_contributing import chosen_frames, require_model
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.quantisation_errors import draw_channels, measure
from canvaswidget.analysis.quantisation_loss import draw_error
from canvaswidget.analysis.quantisation_prediction import channel_correlations, correlation, predicted_by
from canvaswidget.analysis.quantise import quantisable
from canvaswidget.analysis.quantiser import PER_TENSOR, check_scheme, some_widths
from canvaswidget.arguments import checked, integer, some_frames
from canvaswidget.media.quality import mean_psnr
from canvaswidget.plotting.style import CYCLE, QUIET, heading, legend_below, new_axes, new_pictures, style
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layers import Layer, LayerKey

if TYPE_CHECKING:
    import pandas

DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BITS = (8, 6, 4, 3)
CHANNELS = 8
PIXELS = 16
MOST_COLOURED = len(CYCLE)


@dataclass(frozen=True, eq=False, repr=False)
class Quantisation:
    """What a network's picture loses when weights are quantised, by bit width.

    Squared errors are means over the pixels and colours of a frame, of pictures clipped to [0, 1]. Axes: ``b`` bit
    widths, ``l`` layers, ``k`` channels of a layer, ``t`` frames.

    Attributes
    ----------
    layers : tuple of Layer
        Whose weights were quantised.
    left_out : dict of str to str
        Layers whose weights can't be, by name, and why.
    frames : (t,)
    scheme : str
    against : str
        ``"model"`` or ``"truth"``.
    rule : str
        Of the contributions that predict.
    bits : (b,)
    model_error : (t,)
        Squared error of the network itself: 0 against ``"model"``.
    layer_error : (b, l, t)
        With one layer quantised.
    joint_error : (b, t)
        With all of them.
    channels : dict of str to (k,)
        By layer, the output channels that were drawn, in that order.
    channel_error : dict of str to (b, k, t)
        With one output channel quantised.
    predicted : (b, l)
        The squared error against the model that contributions predict; see `quantisation`. nan where the rule is not
        defined on the layer.
    predicted_channels : dict of str to (b, k)
    correlation : (b,)
        Spearman's rank correlation over layers of `predicted` and the measured loss; nan for fewer than two.
    channel_correlations : dict of str to tuple of Interval
        By layer, for each bit width, that over its output channels with its 95% interval.
    errors : (b, height, width, channels)
        Of the first of the frames: the picture with all layers quantised less what it is compared with.
    pixels : int or None
        Random pixels of each frame at which contributions were looked at; None where it was all.
    """

    layers: tuple[Layer, ...]
    left_out: dict[str, str]
    frames: IntArray
    scheme: str
    against: str
    rule: str
    bits: IntArray
    model_error: DoubleArray
    layer_error: DoubleArray
    joint_error: DoubleArray
    channels: dict[str, IntArray]
    channel_error: dict[str, DoubleArray]
    predicted: DoubleArray
    predicted_channels: dict[str, DoubleArray]
    correlation: DoubleArray
    channel_correlations: dict[str, tuple[Interval, ...]]
    errors: npt.NDArray[np.float32]
    pixels: int | None = None

    # --- losses, in squared error -------------------------------------------------------------------------------

    @property
    def layer_loss(self) -> DoubleArray:
        """``(b, l)``: how much the squared error grows when one layer is quantised, mean over frames."""
        return (self.layer_error - self.model_error).mean(-1)

    @property
    def joint_loss(self) -> DoubleArray:
        """``(b,)``: how much it grows when all are."""
        return (self.joint_error - self.model_error).mean(-1)

    @property
    def summed_loss(self) -> DoubleArray:
        """``(b,)``: the losses of single layers, added."""
        return self.layer_loss.sum(-1)

    @property
    def gap(self) -> DoubleArray:
        """``(b,)``: the joint loss less the sum: positive where the errors of layers strengthen each other."""
        return self.joint_loss - self.summed_loss

    # --- PSNR -----------------------------------------------------------------------------------------------------

    @property
    def model_psnr(self) -> float:
        """Of the network itself, in dB: inf against ``"model"``."""
        return float(_decibels(self.model_error))

    @property
    def layer_psnr(self) -> DoubleArray:
        """``(b, l)``: with one layer quantised, in dB, as `canvaswidget.media.mean_psnr` of the frames."""
        return _decibels(self.layer_error)

    @property
    def joint_psnr(self) -> DoubleArray:
        """``(b,)``: with all of them."""
        return _decibels(self.joint_error)

    @property
    def summed_psnr(self) -> DoubleArray:
        """``(b,)``: if the losses of single layers added up."""
        return _decibels(np.maximum(self.model_error + (self.layer_error - self.model_error).sum(1), 0))

    @property
    def channel_psnr(self) -> dict[str, DoubleArray]:
        """``(b, k)`` by layer: with one output channel quantised."""
        return {name: _decibels(error) for name, error in self.channel_error.items()}

    # --- shown ------------------------------------------------------------------------------------------------------

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """PSNR over bits: a curve for each layer alone, for their sum and for all together; at most 60 dB."""
        ax = ax or new_axes(height=2.4)
        order = np.argsort(self.bits)
        bits = self.bits[order]
        with style():
            for place, layer in enumerate(self.layers):
                colour = CYCLE[place % MOST_COLOURED]
                curve = np.minimum(self.layer_psnr[order, place], ALIKE)
                ax.plot(bits, curve, color=colour, lw=1, marker="o", ms=2, label=layer.name)
            for curve, dash, label in (
                (self.summed_psnr, "--", "sum of the losses"),
                (self.joint_psnr, "-", "all together"),
            ):
                curve = np.minimum(curve[order], ALIKE)
                ax.plot(bits, curve, dash, color=QUIET if dash == "--" else "black", lw=1.4, label=label)
            ax.set(xlabel=f"bits of a weight, {self.scheme}", ylabel=f"PSNR against the {self.against} (dB)")
            ax.xaxis.set_major_locator(FixedLocator(bits.tolist()))
            heading(ax, "one layer quantised, and all")
            legend_below(ax)
        return ax

    @checked
    def plot_errors(self) -> Figure:
        """The map of what is lost with all layers quantised, a picture for each bit width, on its own scale."""
        axes = new_pictures(len(self.bits), self.errors.shape[1:3])
        for ax, width, error, psnr in zip(axes, self.bits, self.errors, self.joint_psnr, strict=True):
            draw_error(ax, error)
            heading(ax, f"{width} bit{'s' if width > 1 else ''}", f"{psnr:.1f} dB", f"frame {self.frames[0]}")
        return cast(Figure, axes[0].figure)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        For each bit width: PSNR with all layers quantised (at most 60 dB), the PSNR that the sum of the losses leads to
        less that one, and the rank correlation of losses and predictions over layers.
        """
        found: dict[str, float] = {}
        for place, width in enumerate(self.bits):
            joint, summed = (min(float(curve[place]), ALIKE) for curve in (self.joint_psnr, self.summed_psnr))
            found[f"psnr_{width}_bits"] = joint
            found[f"gap_db_{width}_bits"] = summed - joint
            found[f"correlation_{width}_bits"] = float(self.correlation[place])
        return found

    def to_frame(self) -> pandas.DataFrame:
        """One row a layer and bit width: PSNR, loss and prediction; pandas is imported here."""
        import pandas

        rows = [
            {
                "layer": layer.name,
                "bits": int(width),
                "psnr": self.layer_psnr[row, column],
                "loss": self.layer_loss[row, column],
                "predicted": self.predicted[row, column],
            }
            for column, layer in enumerate(self.layers)
            for row, width in enumerate(self.bits)
        ]
        return pandas.DataFrame(rows)

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        head = ["quantised", *(f"{width} bit{'s' if width > 1 else ''}" for width in self.bits)]
        curves = [(layer.name, curve) for layer, curve in zip(self.layers, self.layer_psnr.T, strict=True)]
        curves += [("sum of the losses", self.summed_psnr), ("all together", self.joint_psnr)]
        rows = [[name, *(f"{value:.2f}" for value in curve)] for name, curve in curves]
        rows.append(
            [
                "joint loss / sum",
                *(_ratio(*pair) for pair in zip(self.joint_loss, self.summed_loss, strict=True)),
            ]
        )
        if np.isfinite(self.correlation).any():
            rows.append(["rank correlation, layers", *(_signed(value) for value in self.correlation)])
        for name, intervals in self.channel_correlations.items():
            if not all(math.isnan(one.value) for one in intervals):
                rows.append([f"the same, channels of {name}", *(_signed(one.value) for one in intervals)])
        return head, rows, tuple(range(1, len(head)))

    @property
    def note(self) -> str:
        """What the numbers are, in one line."""
        count = len(self.frames)
        drawn = {len(some) for some in self.channels.values()}
        return (
            f"PSNR in dB against the {self.against}, mean of n = {count} frame{'s' if count > 1 else ''}, weights "
            f"quantised {self.scheme}; losses are in squared error; rank correlation: measured loss and prediction "
            f"from contributions under {self.rule}, {_looked_at(self.pixels)}"
            + (f"; channels: up to {max(drawn)} drawn of each layer" if drawn else "")
            + "".join(f"; {name} is left out: {why}" for name, why in self.left_out.items())
        )

    def __repr__(self) -> str:
        return f"{tables.text(*self._table())}\n{self.note}"

    def _repr_html_(self) -> str:
        return tables.markup(*self._table(), note=self.note)


@over_runs
@checked(
    bits=some_widths,
    scheme=check_scheme,
    channels=integer(0, 2**16),
    frames=some_frames,
    pixels=integer(1, 2**20),
)
def quantisation(
    canvas: Canvas,
    bits: Sequence[int] = BITS,
    scheme: str = PER_TENSOR,
    *,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    frames: Sequence[int] | None = None,
    against: str = "model",
    channels: int = CHANNELS,
    pixels: int = PIXELS,
    predict: bool = True,
    seed: int = 0,
    progress: Progress = False,
) -> Quantisation:
    """Quantise each layer alone, single output channels, and all layers together, and measure what the picture loses.

    Nothing is recorded anew: the network runs again from the layer whose weights change. The quantiser is that of
    `canvaswidget.quantise`.

    Beside each loss is what contributions under the canvas's rule predict. Where the gates hold (under `gated`) a
    kernel's map is linear in its weights, so that an error of a part `e` of the weights changes the picture by about
    this part of the map. With `e` the norm of the kernel's quantisation error by the norm of the kernel, and `C` its
    contributions, the prediction for an output channel is the sum over its kernels of ``e**2 * mean(C**2)`` (errors of
    different weights are taken as independent), and for a layer the sum over its channels. Only under `gated` is it in
    the unit of the squared error, so ranks are compared.

    Parameters
    ----------
    canvas : Canvas or Runs
    bits : sequence of int
        Bit widths, from 1 to 16.
    scheme : {"per-tensor", "per-channel"}
        One grid for each layer, or one for each of its output channels.
    layers : optional
        Those that are quantised: by default all whose weights are plain parameters of the module; a fixed matrix, such
        as that of Fourier features, stays.
    frames : sequence of int, optional
        Up to four, evenly spread, by default.
    against : {"model", "truth"}
        What the pictures are compared with: the network's own, or the signal itself.
    channels : int
        Output channels of each layer that are quantised alone, drawn at random; 0 for none. In a per-tensor scheme they
        take the values of the whole layer's grid.
    pixels : int
        Random pixels of each frame at which the contributions that predict are looked at, under `gated`, where one
        backward gives those of all kernels to a pixel. Under other rules they are those of whole maps, which takes a
        sweep over all kernels.
    predict : bool
        Whether to predict at all: without it predictions and correlations are nan. Under `ablation` a prediction takes
        a pass of the network for every kernel.
    seed : int
        Of the channels, and of the sample of pixels.
    progress : bool or callable
        As in `faithfulness`.

    Raises
    ------
    UntraceableError
        The weight of one of `layers` is no plain parameter of the module, but made in the forward, or used in several
        places.
    """
    require_model(canvas)
    several = chosen_frames(canvas, frames)
    chosen, left_out = quantisable(canvas, layers)
    drawn, widths = draw_channels(chosen, channels, seed), [int(width) for width in bits]
    with steps("quantisation", "pass", progress) as counted:
        measured = measure(canvas, chosen, drawn, widths, scheme, several, against, counted)
        by_output = predicted_by(
            canvas, chosen if predict else [], widths, scheme, several, pixels, seed, counted
        )
        by_output = {
            layer.name: by_output.get(layer.name, np.full((len(widths), layer.n_outputs), np.nan))
            for layer in chosen
        }
    predicted = np.stack([by_output[layer.name].sum(-1) for layer in chosen], 1)
    predicted_channels = {layer.name: by_output[layer.name][:, some] for layer, some in drawn.items()}
    loss = (measured.layers - measured.model).mean(-1)
    return Quantisation(
        tuple(chosen),
        left_out,
        np.array(several),
        scheme,
        against,
        canvas.rule,
        np.array(widths),
        measured.model,
        measured.layers,
        measured.joint,
        {layer.name: some for layer, some in drawn.items()},
        measured.channels,
        predicted,
        predicted_channels,
        np.array([correlation(one, other) for one, other in zip(loss, predicted, strict=True)]),
        {
            layer.name: channel_correlations(
                (measured.channels[layer.name] - measured.model).mean(-1),
                predicted_channels[layer.name],
                layer.n_outputs,
            )
            for layer in drawn
        },
        np.stack(measured.pictures),
        pixels if canvas.can_sample and pixels < math.prod(canvas.inr.size) else None,
    )


def _decibels(error: DoubleArray) -> DoubleArray:
    """The mean over frames, the last axis, of their PSNR."""
    with np.errstate(divide="ignore"):
        each = -10 * np.log10(error)
    return np.apply_along_axis(mean_psnr, -1, each)


def _ratio(one: float, other: float) -> str:
    return f"{one / other:.2f}" if other > 0 else ""


def _signed(value: float) -> str:
    return "" if math.isnan(value) else f"{value:+.2f}"


def _looked_at(pixels: int | None) -> str:
    return "all pixels" if pixels is None else f"{pixels} random pixels a frame"
