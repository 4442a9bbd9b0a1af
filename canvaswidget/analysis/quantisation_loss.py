"""The map of what a picture loses by quantised weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from canvaswidget.analysis.deletion import psnr, target_picture
from canvaswidget.analysis.least_contributing import require_model
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.quantise import on_grid_of, quantisable, widths_of
from canvaswidget.analysis.quantiser import PER_TENSOR, check_scheme, widths_by_layer
from canvaswidget.arguments import checked
from canvaswidget.plotting.style import colour_bar, heading, new_picture, pixels, style
from canvaswidget.progress import Progress, steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layers import LayerKey
from canvaswidget.tracing.other_weights import render_with

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class QuantisationLoss(Printed):
    """A frame of a network with quantised weights, and where it differs.

    Attributes
    ----------
    frame : int
    bits : dict of str to int
        By the name of the layer.
    scheme : str
    against : str
        ``"model"`` or ``"truth"``.
    picture : (height, width, channels)
        Raw, before clipping.
    error : (height, width, channels)
        The picture less what it is compared with, both clipped to [0, 1].
    psnr : float
        In dB; inf where nothing is different.
    """

    title: ClassVar[str] = "quantisation loss"
    frame: int
    bits: dict[str, int]
    scheme: str
    against: str
    picture: FloatArray
    error: FloatArray
    psnr: float

    @property
    def squared(self) -> FloatArray:
        """``(height, width)``: the squared error, mean over colours."""
        return (self.error**2).mean(-1)

    @checked
    def plot(self, ax: Axes | None = None, signed: bool = True) -> Axes:
        """The error, mean over colours, red where the picture is too bright; or the squared one."""
        ax = ax or new_picture(self.error.shape[:2])
        draw_error(ax, self.error, signed)
        heading(ax, self._which(), f"{self.psnr:.1f} dB against the {self.against}", f"frame {self.frame}")
        return ax

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        PSNR in dB, and the largest error of a colour.
        """
        return {"psnr": self.psnr, "largest_error": float(np.abs(self.error).max())}

    def rows(self) -> list[list[str]]:
        return [
            ["layers", self._which()],
            ["scheme", self.scheme],
            ["frame", str(self.frame)],
            [f"PSNR against the {self.against}", f"{self.psnr:.2f} dB"],
            ["largest error of a colour", f"{np.abs(self.error).max():.3g}"],
        ]

    def _which(self) -> str:
        widths = set(self.bits.values())
        if len(widths) == 1:
            names = ", ".join(self.bits)
            few = names if len(names) < 40 else f"{len(self.bits)} layers"
            width = widths.pop()
            return f"{few} at {width} bit{'s' if width > 1 else ''}"
        return ", ".join(f"{name}: {width}" for name, width in self.bits.items())


@over_runs
@checked(bits=widths_by_layer, scheme=check_scheme)
def quantisation_loss(
    canvas: Canvas,
    bits: int | Mapping[LayerKey, int] = 4,
    scheme: str = PER_TENSOR,
    *,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    frame: int = 0,
    against: str = "model",
    progress: Progress = False,
) -> QuantisationLoss:
    """Render a frame with quantised weights, and map where it differs.

    Parameters
    ----------
    canvas : Canvas or Runs
    bits : int or {layer: int}
        From 1 to 16.
    scheme : {"per-tensor", "per-channel"}
    layers : optional
        Those that are quantised where `bits` is one number: by default all that the image depends on and whose weights
        are plain parameters.
    frame : int
    against : {"model", "truth"}
    progress : bool or callable
        As in `faithfulness`.

    Raises
    ------
    UntraceableError
        A layer's weight is no plain parameter of the module, but made in the forward, or used in several places.
    """
    require_model(canvas)
    if isinstance(bits, Mapping) and layers is not None:
        raise ValueError("layers: bits names layers already; give one of the two")
    frame, capture = canvas.inr.frame_index(frame), canvas.matrix.capture
    if isinstance(bits, Mapping):
        widths = widths_of(capture, bits)
        quantisable(canvas, list(widths))
    else:
        widths = dict.fromkeys(quantisable(canvas, layers)[0], int(bits))
    with steps("quantisation loss", "pass", progress, 1) as counted:
        counted.tell()
        target = target_picture(canvas, frame, against)
        weights = {
            layer.name: on_grid_of(capture, layer, width, scheme).weight for layer, width in widths.items()
        }
        picture = render_with(canvas.ablation().matrix, weights, frame)
        counted.take()
    return QuantisationLoss(
        frame,
        {layer.name: width for layer, width in widths.items()},
        scheme,
        against,
        picture,
        difference(picture, target),
        psnr(picture, target),
    )


def difference(picture: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> FloatArray:
    """What a picture has more than another one, both clipped to [0, 1]."""
    return (np.clip(picture, 0, 1) - np.clip(target, 0, 1)).astype(np.float32)


def squared_error(picture: npt.NDArray[np.floating], target: npt.NDArray[np.floating]) -> float:
    """The mean over pixels and colours of the square of `difference`."""
    return float(np.mean(difference(picture, target).astype(np.float64) ** 2))


def draw_error(ax: Axes, error: FloatArray, signed: bool = True) -> None:
    """A picture of an error, mean over colours."""
    shown = error.mean(-1) if signed else (error**2).mean(-1)
    top = float(np.abs(shown).max()) or 1.0
    with style():
        if signed:
            made = ax.imshow(shown, cmap="RdBu_r", vmin=-top, vmax=top)
        else:
            made = ax.imshow(shown, cmap="magma", vmin=0, vmax=top)
        colour_bar(ax, made, "error" if signed else "squared error")
    pixels(ax)
