"""What becomes of the output's colours in a map: the choices of `rgb`."""

from __future__ import annotations

from typing import Protocol

from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules.base import COLOURS

RGB = ("sum", "abs", "each", *COLOURS)
ONE_CHANNEL = "the image has one channel, so there are no colours to tell apart"
COLOURS_SAID = {"abs": "added by magnitude", "sum": "added with their signs"}


class KnowsColours(Protocol):
    """A canvas, as far as colours go."""

    def why_no_colours(self, layer: Layer) -> str:
        """Why the layer's maps can't be told apart by colour; empty where they can."""
        ...


def checked_rgb(rgb: str, n_channels: int = 3) -> str:
    """`rgb` itself if it is one of the choices."""
    if rgb not in RGB:
        raise ValueError(f"rgb={rgb!r}: expected one of {', '.join(map(repr, RGB))}")
    if n_channels == 1 and rgb in COLOURS:
        raise ValueError(f"rgb={rgb!r}: {ONE_CHANNEL}; use rgb='sum'")
    return rgb


def rgb_of_magnitudes(canvas: KnowsColours, layer: Layer) -> str:
    """The `rgb` of a canvas's maps whose absolute value is how much a neuron of a layer contributes to a pixel.

    ``"abs"``, the sum over colours of magnitudes, where the rule knows colours: a neuron that shifts only the hue
    contributes too. ``"sum"`` where it does not, see `Canvas.why_no_colours`.
    """
    return "sum" if canvas.why_no_colours(layer) else "abs"
