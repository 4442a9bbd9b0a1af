"""What a rule is to the canvas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import fx

from canvaswidget.tracing.budget import Budget
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.window import Window


class State(Protocol):
    """What a rule knows of one frame."""

    @property
    def nbytes(self) -> int:
        """What it keeps besides the values that it was made from."""
        ...


class Rule(Protocol):
    """How a contribution is defined, on one captured model.

    Attributes
    ----------
    layers : tuple of Layer
        The layers it is defined on.
    undefined : dict of str to str
        The other layers, and why it is not defined on them.
    needed : list of fx.Node
        The values of a frame that its state is made from.
    needs_forward_pass : bool
        Whether a map costs about a pass of the model.
    is_additive : bool
        Whether it is a `AdditiveRule`; else columns are read off the maps.
    """

    name: str
    layers: tuple[Layer, ...]
    undefined: dict[str, str]
    needed: list[fx.Node]
    needs_forward_pass: bool
    is_additive: bool

    def require(self, layer: Layer) -> None:
        """Raise UntraceableError where the rule is not defined on `layer`."""
        if layer.name in self.undefined:
            raise UntraceableError(f"layer={layer.name!r}: {self.refusal(self.undefined[layer.name])}")

    def refusal(self, reason: str) -> str:
        """What to say of a layer that the rule is not defined on for this reason."""
        return reason

    def status(self, node: fx.Node) -> tuple[str, str]:
        """Whether an op is traced, frozen or opaque, and a word on it."""
        ...

    def state(self, values: dict[fx.Node, torch.Tensor]) -> Any:
        """A `State` from the values of `needed`."""
        ...

    def prepare(self, layer: Layer, state: Any) -> None:
        """Compute what the maps of a layer share, before several threads ask for them: by default nothing."""

    def values_per_map(self, window: Window) -> int:
        """The size of the largest thing that has to be computed for one map over a window."""
        ...

    def maps(
        self, layer: Layer, state: Any, neurons: torch.Tensor, window: Window, rgb: str = "sum"
    ) -> torch.Tensor:
        """Maps of units ``(k,)`` or kernels ``(k, 2)``: ``(k, h, w)``, for ``rgb="each"`` ``(k, h, w, channels)``."""
        ...

    def shares_outputs(self, layer: Layer) -> bool:
        """Whether kernels that write to one output are cheaper together, as `maps_of_output` computes them."""
        return False

    def maps_of_output(
        self,
        layer: Layer,
        state: Any,
        kernels: torch.Tensor,
        window: Window,
        rgb: str,
        budget: Budget,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Kernels ``(k, 2)`` that write to one output and their maps, part by part."""
        for some in torch.split(kernels, budget.at_a_time(self.values_per_map(window))):
            yield some, self.maps(layer, state, some, window, rgb)

    def why_no_colours(self, layer: Layer) -> str:
        """Why the layer's maps can't be told apart by colour; empty where they can, as by default."""
        return ""

    def sums(
        self, state: Any, layers: Sequence[Layer]
    ) -> Iterator[tuple[str, str, torch.Tensor, torch.Tensor]]:
        """``(invariant, layer, sum, what it should be)`` for what must add up of some layers."""
        ...


class AdditiveRule(Rule, Protocol):
    """A rule (with `is_additive`) whose maps are parts of the image, linear in each layer's terms."""

    def columns(
        self, layers: list[Layer], state: Any, weights: torch.Tensor, rgb: str
    ) -> dict[str, torch.Tensor]:
        """By layer, its kernels' maps summed with `weights` ``(height, width)``: ``(n_in, n_out / n_groups[, 3])``.

        `rgb` is not ``"abs"``: magnitudes can't be pulled.
        """
        ...

    def weighted(self, layers: list[Layer], state: Any, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        """By layer, its kernels' maps summed with weights ``(channels, h, w)``: ``(n_in, n_out / n_groups)``."""
        ...

    def combined(self, layer: Layer, state: Any, factors: torch.Tensor) -> torch.Tensor:
        """Sums of a layer's maps, each times its factor ``(k, n_in, n_out / n_groups)``: ``(k, channels, h, w)``."""
        ...

    def spacing(self, layer: Layer) -> tuple[int, int]:
        """How many rows and columns apart pixels are that `contributions` takes together."""
        ...

    def contributions(
        self,
        layers: Sequence[Layer],
        state: Any,
        pixels: torch.Tensor,
        colours: torch.Tensor,
        by_unit: Mapping[str, bool],
    ) -> Iterator[tuple[str, slice, torch.Tensor]]:
        """Every neuron's contribution to many pixels, in one backward pass.

        Parameters
        ----------
        pixels : (m, 2)
            At least `spacing` apart for each of the layers.
        colours : (m, channels)
            The weight of each colour at each pixel.
        by_unit : dict of str to bool
            By layer, whether the neurons are units.

        Yields
        ------
        name : str
            Of a layer.
        which : slice
            Of the pixels.
        contributions : (k, n_in, n_out / n_groups), or (k, n_in)
        """
        ...

    def remainder(self, layer: Layer, state: Any) -> torch.Tensor:
        """``(channels, height, width)``: what of the image is not a layer's neurons."""
        ...


BIASES = ("split", "separate", "drop")


def checked(rule: str, option: str, value: str, accepted: tuple[str, ...]) -> str:
    """The value of an option."""
    if value not in accepted:
        raise ValueError(
            f"{option}={value!r}: rule {rule!r} takes {' or '.join(repr(one) for one in accepted)}"
        )
    return value


def share_of_bias(found: WeightedOp, bias: str) -> torch.Tensor | None:
    """What each neuron takes along of its layer's bias, ``(n_out,)``; None where it stays.

    The units that write to an output share its bias: all of them, or those of its group.
    """
    if bias != "split" or found.bias is None:
        return None
    return found.bias / (found.layer.n_units // found.layer.n_groups)


def numel(node: fx.Node) -> int:
    """How many numbers an op gives, of several tensors the largest; 0 where the values decide it."""
    value = node.meta["val"]
    parts = value if isinstance(value, list | tuple) else [value]
    counts = [part.numel() for part in parts if isinstance(part, torch.Tensor)]
    return max((count for count in counts if isinstance(count, int)), default=0)


COLOURS = ("red", "green", "blue")


def channel_weights(n_channels: int, rgb: str) -> torch.Tensor:
    """The weights of the output's channels that are taken one by one, ``(n, channels)``.

    Each channel for ``"each"`` and ``"abs"``, one of them, or for ``"sum"`` all of them together.
    """
    if rgb == "sum":
        return torch.ones(1, n_channels)
    every = torch.eye(n_channels)
    return every[COLOURS.index(rgb)][None] if rgb in COLOURS else every


def coloured(images: torch.Tensor, rgb: str) -> torch.Tensor:
    """Images ``(k, channels, h, w)`` as maps: their sum, sum of magnitudes, all as the last axis, or one colour."""
    if rgb == "each":
        return images.permute(0, 2, 3, 1)
    if rgb in COLOURS:
        return images[:, COLOURS.index(rgb)]
    return images.abs().sum(1) if rgb == "abs" else images.sum(1)
