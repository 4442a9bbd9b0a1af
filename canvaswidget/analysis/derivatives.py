"""The gradient and the Laplacian of an INR's picture: by autograd at its coordinates, or from differences of pixels.

A coordinate INR is a function of the plane, and has derivatives at every pixel: an input tensor that moves by equal
steps from pixel to pixel is its coordinates, and the derivative along such a step is one a pixel. Where the network is
not called with coordinates (one of frames, such as NeRV), or a pixel depends on more than its own, differences of the
rendered frame stand in their place.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes

from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.arguments import checked, inr_or_canvas
from canvaswidget.error_text import one_line
from canvaswidget.inr import INR, as_inr
from canvaswidget.inr.module_state import (
    CALLS,
    about_copies,
    evaluating,
    random_state_kept,
    replica,
)
from canvaswidget.plotting.style import colour_bar, heading, new_picture, pixels, style
from canvaswidget.progress import Progress, steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.protocol import CanvasLike

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

AUTOGRAD, DIFFERENCES = "autograd", "finite differences"
METHODS = ("auto", AUTOGRAD, DIFFERENCES)
POINTS = 2**13  # pixels that are differentiated together
SAME = (
    1e-3  # of the picture's largest value: what pixels by themselves may differ from those of the whole frame
)


@dataclass(frozen=True, eq=False, repr=False)
class Derivatives(Printed):
    """First and second derivatives of a frame.

    Attributes
    ----------
    frame : int
    method : str
        ``"autograd"`` or ``"finite differences"``.
    why : str
        Why not autograd; empty where it is.
    dy, dx : (height, width, channels)
        First derivatives down and across, in levels a pixel.
    second : (height, width, channels)
        The Laplacian: the sum of the second derivatives down and across, in levels a pixel squared.
    """

    title: ClassVar[str] = "derivatives"
    frame: int
    method: str
    why: str
    dy: FloatArray
    dx: FloatArray
    second: FloatArray

    @property
    def gradient(self) -> FloatArray:
        """``(height, width)``: the gradient's magnitude, the root of the squares added over directions and colours."""
        return np.sqrt((self.dy**2 + self.dx**2).sum(-1))

    @property
    def laplacian(self) -> FloatArray:
        """``(height, width)``: the Laplacian, colours added with their signs."""
        return self.second.sum(-1)

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """The gradient's magnitude as a picture."""
        ax = ax or new_picture(self.gradient.shape)
        with style():
            top = float(self.gradient.max(initial=0)) or 1.0
            shown = ax.imshow(self.gradient, cmap="magma", vmin=0, vmax=top, interpolation="nearest")
            heading(ax, f"gradient of frame {self.frame}", self.method)
            pixels(ax)
            colour_bar(ax, shown, "magnitude (levels a pixel)")
        return ax

    @checked
    def plot_laplacian(self, ax: Axes | None = None) -> Axes:
        """The Laplacian as a picture; the colours reach to the magnitude that 99 % of pixels are below."""
        ax = ax or new_picture(self.laplacian.shape)
        with style():
            top = (
                float(np.percentile(np.abs(self.laplacian), 99)) or float(np.abs(self.laplacian).max()) or 1.0
            )
            shown = ax.imshow(self.laplacian, cmap="RdBu_r", vmin=-top, vmax=top, interpolation="nearest")
            heading(ax, f"Laplacian of frame {self.frame}", self.method)
            pixels(ax)
            colour_bar(ax, shown, "levels a pixel squared", extend="both")
        return ax

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        Means over pixels of the gradient's magnitude and of the Laplacian's.
        """
        return {
            "gradient": float(self.gradient.mean(dtype=np.float64)),
            "laplacian": float(np.abs(self.laplacian).mean(dtype=np.float64)),
        }

    def rows(self) -> list[list[str]]:
        numbers = self.numbers()
        return [
            ["frame", str(self.frame)],
            ["method", self.method],
            *([["why not autograd", self.why]] if self.why else []),
            ["gradient, levels a pixel: mean magnitude", f"{numbers['gradient']:.4g}"],
            ["the largest", f"{float(self.gradient.max()):.4g}"],
            ["Laplacian, levels a pixel squared: mean magnitude", f"{numbers['laplacian']:.4g}"],
        ]


class Steps(NamedTuple):
    """Which input of a network is its coordinates, and how far they move from pixel to pixel."""

    key: Any  # a position among positional arguments, or a keyword
    points: torch.Tensor
    down: torch.Tensor
    across: torch.Tensor


class _NotByAutogradError(Exception):
    """Why the derivatives of a network can't be had by autograd."""


@over_runs
@checked(canvas=inr_or_canvas)
def derivatives(
    canvas: CanvasLike | INR,
    frame: int = 0,
    *,
    method: str = "auto",
    progress: Progress = False,
) -> Derivatives:
    """Differentiate the picture of an INR by the pixel's place: its gradient and its Laplacian.

    By autograd they are those of the network's function at each pixel, not limited by the pixel grid. The Laplacian of
    a network with ReLUs lacks what is in their bends, which lie between pixels: it is 0 where nothing else is curved.
    Neither the module nor its mode, gradients or buffers change: a copy is differentiated.

    Autograd does not see what the network detaches. Where that is all of the coordinates it is noticed; where it is a
    part of them it is not, and the derivatives lack that part. Ask for ``method="finite differences"`` there.

    Finite differences are central, ``(f[x + 1] - f[x - 1]) / 2`` and ``f[x + 1] - 2 f[x] + f[x - 1]``; at the border
    the first is one-sided and the second is the neighbour's. An axis of one pixel adds nothing.

    Parameters
    ----------
    canvas : Canvas, INR or Runs
        Of runs each is measured; see `OverRuns`. A saved canvas has no network, but its frames have differences.
    frame : int
    method : {"auto", "autograd", "finite differences"}
        By default autograd where the network is called with coordinates that move by equal steps from pixel to pixel,
        and each pixel depends on its own only; else finite differences. `Derivatives.why` says what is in the way.
    progress : bool or callable
        A bar where it takes longer than 2 s, or ``progress(done, total)``, in pixels.

    Returns
    -------
    Derivatives

    Raises
    ------
    ValueError
        A method that does not exist, or autograd where that is not possible.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: expected one of {', '.join(map(repr, METHODS))}")
    source: Any = canvas if hasattr(canvas, "traced_layers") else as_inr(canvas)
    inr = getattr(source, "inr", source)
    frame = inr.frame_index(frame)
    why = "not asked for"
    if method != DIFFERENCES:
        try:
            if not isinstance(inr, INR):
                raise _NotByAutogradError("a saved canvas has no network")
            return Derivatives(frame, AUTOGRAD, "", *_by_autograd(inr, frame, progress))
        except _NotByAutogradError as error:
            why = str(error)
            if method == AUTOGRAD:
                raise ValueError(
                    f"method={method!r}: {why}; expected 'auto' or {DIFFERENCES!r} here"
                ) from None
    return Derivatives(frame, DIFFERENCES, why, *by_differences(np.asarray(source.frame(frame), np.float64)))


def by_differences(picture: DoubleArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """First derivatives down and across, and the Laplacian, of a picture ``(h, w, channels)``."""
    firsts = []
    second = np.zeros_like(picture)
    for axis in (0, 1):
        n = picture.shape[axis]
        firsts.append(np.gradient(picture, axis=axis) if n > 1 else np.zeros_like(picture))
        if n > 2:
            inner = np.diff(picture, 2, axis=axis)
            edges = [(1, 1) if one == axis else (0, 0) for one in range(picture.ndim)]
            second += np.pad(inner, edges, mode="edge")
    return firsts[0].astype(np.float32), firsts[1].astype(np.float32), second.astype(np.float32)


# --- by autograd ------------------------------------------------------------------------------------------------


@torch.inference_mode(False)  # whose tensors have no derivatives
def _by_autograd(inr: INR, frame: int, progress: Progress) -> tuple[FloatArray, FloatArray, FloatArray]:
    height, width = inr.size
    whole = inr.render(frame).double().cpu()
    scale = float(whole.abs().max()) or 1.0
    with CALLS, random_state_kept():  # as every call of a user's module
        positional, keywords = inr.arguments(frame)
        copies: dict[int, Any] = {}
        made = copy.copy(inr)
        made.module = replica(inr.module, copies)
        made.output = about_copies(inr.output, copies)
    found = _coordinates({**dict(enumerate(positional)), **keywords}, inr.size)
    if any(one.dtype in (torch.half, torch.bfloat16) for one in made.module.parameters()):
        made.module.float()  # second derivatives in half precision are noise
        positional = tuple(_single(one) for one in positional)
        keywords = {name: _single(one) for name, one in keywords.items()}
        # What its pixels are compared with must not be rounded to half precision either.
        with CALLS, random_state_kept(), torch.no_grad(), evaluating(made.module):
            try:
                whole = made.image(made.module(*positional, **keywords)).double().cpu()
            except Exception as error:  # of a network that may be anything
                raise _NotByAutogradError(
                    f"the network can't be called in single precision: {one_line(error)}"
                ) from None
    by_rows = found.points.shape[-3:-1] == (height, width) and found.points.ndim > 2 and height > 1
    n, per_part = (height, width) if by_rows else (height * width, 1)
    # In two parts at least: a network that mixes pixels gives others then.
    at_once = max(1, min(POINTS // per_part, -(-n // 2)))
    parts: list[torch.Tensor] = []
    with steps("derivatives", "pixel", progress, height * width) as counted:
        counted.tell()
        for start in range(0, n, at_once):
            stop = min(start + at_once, n)
            made.size = (stop - start, width) if by_rows else (1, stop - start)
            with CALLS, random_state_kept():
                try:
                    part = _of_part(made, positional, keywords, found, slice(start, stop), by_rows)
                except _NotByAutogradError:
                    raise
                except Exception as error:  # of a network that may be anything
                    raise _NotByAutogradError(
                        f"the network can't be differentiated at a part of its pixels: {one_line(error)}"
                    ) from None
            first = start * per_part
            expected = whole.flatten(1)[:, first : first + part.shape[-1]]
            away = float((part[0] - expected).abs().max())
            if not away <= SAME * scale:
                raise _NotByAutogradError("a pixel depends on the coordinates of others")
            parts.append(part)
            counted.take(part.shape[-1])
    values = torch.cat(parts, -1).reshape(4, -1, height, width).permute(0, 2, 3, 1).numpy()
    return values[1].astype(np.float32), values[2].astype(np.float32), values[3].astype(np.float32)


def _of_part(
    made: INR,
    positional: tuple[Any, ...],
    keywords: dict[str, Any],
    found: Steps,
    part: slice,
    by_rows: bool,
) -> torch.Tensor:
    """``(4, channels, pixels)``: values, first derivatives down and across, and Laplacians of some pixels."""
    with torch.enable_grad(), evaluating(made.module):
        points = (found.points[..., part, :, :] if by_rows else found.points[..., part, :]).detach().clone()
        moved = points.new_zeros(2, *points.shape[:-1], 1, requires_grad=True)
        shifted = points + moved[0] * found.down + moved[1] * found.across
        some = tuple(shifted if key == found.key else one for key, one in enumerate(positional))
        named = {name: shifted if name == found.key else one for name, one in keywords.items()}
        image = made.image(made.module(*some, **named)).flatten(1)
        results = []
        for values in image:
            first = _gradient(values, moved)
            laplacian = sum(
                _gradient(first[axis], moved)[axis] if first.requires_grad else torch.zeros_like(first[axis])
                for axis in (0, 1)
            )
            results.append(torch.stack([values, *first.flatten(1), laplacian.flatten()]).detach())  # type: ignore[union-attr]
        return torch.stack(results, 1).double().cpu()


def _gradient(values: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """Of each value by its own pixel's place, ``(2, ...)``: values of other pixels do not depend on it."""
    if not values.requires_grad:
        if values.numel() > 1 and float((values - values.flatten()[0]).abs().max()) > 0:
            raise _NotByAutogradError("its forward detaches the picture from its coordinates")
        return torch.zeros_like(moved)
    (found,) = torch.autograd.grad(values.sum(), moved, create_graph=True, allow_unused=True)
    return torch.zeros_like(moved) if found is None else found


def _coordinates(inputs: dict[Any, Any], size: tuple[int, int]) -> Steps:
    """The input that moves by equal steps from pixel to pixel."""
    height, width = size
    for key, given in inputs.items():
        if not isinstance(given, torch.Tensor) or not given.is_floating_point() or given.ndim < 2:
            continue
        leading = [length for length in given.shape[:-1] if length != 1]
        if math.prod(leading) != height * width or leading not in (
            [length for length in shape if length != 1] for shape in ((height * width,), (height, width))
        ):
            continue
        points = given.detach().double().reshape(height, width, -1)
        down = (points[-1, 0] - points[0, 0]) / max(height - 1, 1)
        across = (points[0, -1] - points[0, 0]) / max(width - 1, 1)
        y = torch.arange(height, dtype=torch.float64, device=points.device)[:, None, None]
        x = torch.arange(width, dtype=torch.float64, device=points.device)[None, :, None]
        away = float((points - points[0, 0] - y * down - x * across).abs().max())
        lengths = [float(step.abs().max()) for step, n in ((down, height), (across, width)) if n > 1]
        rounding = 4 * float(torch.finfo(given.dtype).eps) * float(points.abs().max())
        if lengths and min(lengths) > 0 and away <= 0.01 * min(lengths) + rounding:
            # A step in half precision would be rounded by up to 0.4 %.
            dtype = torch.promote_types(given.dtype, torch.float32)
            return Steps(key, given.to(dtype), down.to(dtype), across.to(dtype))
    raise _NotByAutogradError("the network is not called with coordinates that move from pixel to pixel")


def _single(value: Any) -> Any:
    is_half = isinstance(value, torch.Tensor) and value.dtype in (torch.half, torch.bfloat16)
    return value.float() if is_half else value
