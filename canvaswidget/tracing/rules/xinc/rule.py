"""The released XINC method (Padmanabhan et al., CVPR 2024), exactly.

A neuron's map is its own share of the layer's next pre-activation, carried to the image's size by the blocks'
up-sampling, activations and a mean filter. Later weights are never used: the map says where a neuron writes, not
what the rest of the network makes of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import fx

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules.base import BIASES, COLOURS, Rule, checked
from canvaswidget.tracing.rules.xinc.chain import Chain, read_chain
from canvaswidget.tracing.rules.xinc.convolution import ConvMaps
from canvaswidget.tracing.rules.xinc.linear import LinearMaps
from canvaswidget.tracing.window import Window


@dataclass(frozen=True)
class Inputs:
    """What each layer of the chain works on at a frame, and what the last one makes of it."""

    values: dict[fx.Node, torch.Tensor]
    nbytes = 0


class Xinc(Rule):
    """The rule on one captured model.

    Parameters
    ----------
    capture : Capture
    bias : {"split", "separate", "drop"}
        Whether each neuron takes its share ``b / n_in`` of the bias along; else it is in no map.
    border : {"released", "valid"}
        Whether zeros beyond the border count in the mean filter.

    Attributes
    ----------
    layers : tuple of Layer
        The layers it is defined on.
    undefined : dict of str to str
        The other layers, and why it is not defined on them.
    inputs : dict of str to fx.Node
        What it must know of a frame to trace a layer: that layer's input.

    traced : frozenset of fx.Node
        The ops it follows.
    output_of_last : fx.Node
        The last layer, whose output is the raw image.

    Raises
    ------
    UntraceableError
        It is defined on no layer of the model.
    """

    name = "xinc"
    needs_forward_pass = False
    is_additive = False

    def __init__(self, capture: Capture, bias: str = "split", border: str = "released") -> None:
        checked(self.name, "bias", bias, BIASES)
        checked(self.name, "border", border, ("released", "valid"))
        chain = read_chain(capture)
        self.bias, self.border = bias, border
        self._chain = chain
        self._names = {node: name for name, node in capture.nodes.items()}
        self.layers: tuple[Layer, ...] = tuple(block.layer for block in chain.blocks)
        self.undefined = chain.undefined
        self.inputs: dict[str, fx.Node] = {block.layer.name: block.input for block in chain.blocks}
        self.traced = chain.ops
        self.output_of_last = chain.blocks[-1].node
        self.needed: list[fx.Node] = [*self.inputs.values(), self.output_of_last]
        self._last = self.layers[-1].name
        self._size = capture.inr.size
        self._rows, self._channels = _arrangement(chain)
        last = chain.blocks[-1].layer
        grid = cast("tuple[int, int]", last.grid or self._size)
        self._grid = grid
        whole = torch.arange(grid[0] * grid[1], device=capture.device).reshape(grid)
        self._straight = last.grid is not None and grid == self._size and bool((self._rows == whole).all())
        self._maps: dict[str, ConvMaps | LinearMaps] = {}
        for index, block in enumerate(chain.blocks):
            if block.layer.grid is None:
                self._maps[block.layer.name] = LinearMaps(block, self._rows, bias == "split")
            else:
                self._maps[block.layer.name] = ConvMaps(
                    chain.blocks[index:], bias == "split", border == "valid"
                )

    def refusal(self, reason: str) -> str:
        """The layer is not of the chain of blocks."""
        return (
            f"rule 'xinc' is not defined on it: {reason}. "
            f"It is defined on {', '.join(traced.name for traced in self.layers)}; rule 'gated' on every layer"
        )

    def state(self, values: dict[fx.Node, torch.Tensor]) -> Inputs:
        """What is known of a frame."""
        return Inputs(values)

    def status(self, node: fx.Node) -> tuple[str, str]:
        """Whether an op is traced or frozen, and a word on it."""
        return "traced" if node in self.traced else "frozen", self.undefined.get(
            self._names.get(node, ""), ""
        )

    def values_per_map(self, window: Window) -> int:
        """The size of a map; however small the window, one passes through somewhat larger ones on its way there."""
        return max(window.shape[0] * window.shape[1], 256)

    def sums(
        self, state: Inputs, layers: Sequence[Layer]
    ) -> Iterator[tuple[str, str, torch.Tensor, torch.Tensor]]:
        """The last layer's maps are the raw output, before an output activation or scale makes the image of it.

        Less the bias where that is kept apart.
        """
        last = self._chain.blocks[-1]
        if last.layer not in layers or last.layer.has_directions:  # which may span a part of its units only
            return
        units = torch.arange(last.layer.n_units, device=self._rows.device)
        total = self.maps(last.layer, state, units, Window.whole(self._size), "each").sum(0)
        output = state.values[self.output_of_last]
        if self.bias != "split" and last.bias is not None:
            output = output - last.bias.reshape(-1, *((1, 1) if last.layer.grid else ()))
        before = f", before {', '.join(self._chain.squash)}" if self._chain.squash else ""
        yield f"maps sum to the raw output{before}", last.layer.name, total, self.raw_output(output)

    def raw_output(self, last: torch.Tensor) -> torch.Tensor:
        """The last layer's output as an image ``(height, width, channels)``, before the output activation."""
        flat = last.flatten()
        if self.layers[-1].grid:
            positions = last.shape[-2] * last.shape[-1]
            places = self._channels[:, None, None] * positions + self._rows
        else:
            places = self._rows * last.shape[-1] + self._channels[:, None, None]
        return flat[places].permute(1, 2, 0)

    def maps(
        self, layer: Layer, state: Inputs, neurons: torch.Tensor, window: Window, rgb: str = "sum"
    ) -> torch.Tensor:
        """Contribution maps over a window of the image.

        Parameters
        ----------
        layer : Layer
            One of `layers`.
        state : Inputs
        neurons : torch.Tensor
            Units ``(k,)`` or kernels ``(k, 2)``.
        window : Window
            Of the image.
        rgb : {"sum", "abs", "each", "red", "green", "blue"}
            Colours exist in the last layer only: add them, add their magnitudes, keep them, or one of them.

        Returns
        -------
        torch.Tensor
            ``(k, h, w)``, or ``(k, h, w, channels)`` for ``rgb="each"``.
        """
        x = state.values[self.inputs[layer.name]]
        if rgb != "sum":
            return self._colours(layer, x, neurons, window, rgb)
        maps = self._maps[layer.name]
        if isinstance(maps, LinearMaps):
            return maps.maps(x, neurons, window)
        if neurons.ndim == 2:
            return self._conv_maps(maps, x, neurons, window)
        return torch.stack(
            [self._conv_maps(maps, x, kernels, window).sum(0) for kernels in _kernels(layer, neurons)]
        )

    def why_no_colours(self, layer: Layer) -> str:
        """Why the layer's maps can't be told apart by colour: only the last layer writes colours."""
        if layer.name == self._last:
            return ""
        return (
            f"rule 'xinc' does not follow a map of {layer.name!r} to the colours, only those of the last layer, "
            f"{self._last!r}"
        )

    def _colours(
        self, layer: Layer, x: torch.Tensor, neurons: torch.Tensor, window: Window, rgb: str
    ) -> torch.Tensor:
        problem = self.why_no_colours(layer)
        if problem:
            raise ValueError(f"rgb={rgb!r}: {problem}; use rgb='sum', or rule 'gated', which does")
        maps = self._maps[layer.name]
        if isinstance(maps, LinearMaps):
            values = maps.colours(x, neurons, window)
        else:
            kernels = neurons if neurons.ndim == 2 else torch.cat(list(_kernels(layer, neurons)))
            single = self._conv_maps(maps, x, kernels, window)
            if neurons.ndim == 1:
                values = single.reshape(len(neurons), layer.n_outputs, *window.shape)
            else:
                chosen = torch.nn.functional.one_hot(kernels[:, 1], layer.n_outputs).to(single.dtype)
                values = single[:, None] * chosen[:, :, None, None]
        if rgb == "abs":
            return values.abs().sum(1)
        if rgb in COLOURS:
            return values[:, self._channels[COLOURS.index(rgb)]]
        return values[:, self._channels].permute(0, 2, 3, 1)

    def _conv_maps(
        self, maps: ConvMaps, x: torch.Tensor, kernels: torch.Tensor, window: Window
    ) -> torch.Tensor:
        if self._straight:
            return maps.maps(x, kernels, window)
        # The module crops or turns its output: take the image's pixels from the whole grid.
        rows = window.crop(self._rows, Window.whole(self._size))
        return maps.maps(x, kernels, Window.whole(self._grid)).flatten(1)[:, rows]


def _kernels(layer: Layer, units: torch.Tensor) -> list[torch.Tensor]:
    outputs = torch.arange(layer.n_outputs, device=units.device)
    return [torch.stack([unit.expand_as(outputs), outputs], dim=1) for unit in units]


def _arrangement(chain: Chain) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each pixel stands in the last layer's output: its position ``(h, w)`` and the channel of each colour."""
    last = chain.blocks[-1]
    shape = cast(torch.Tensor, last.node.meta["val"]).shape
    positions = int(shape[-2] * shape[-1]) if last.layer.grid else int(shape.numel() // shape[-1])
    pixels = chain.pixels
    if last.layer.grid:
        channels, rows = pixels // positions, pixels % positions
    else:
        channels, rows = pixels % last.layer.n_outputs, pixels // last.layer.n_outputs
    colours = channels[:, 0, 0]
    one_order = bool((channels == colours[:, None, None]).all() and (rows == rows[:1]).all())
    if not one_order or len(set(colours.tolist())) != last.layer.n_outputs:
        raise UntraceableError(
            f"rule='xinc': the outputs of {last.layer.name!r} are not the colours of the pixels one to one, "
            "so its maps have no place on the image"
        )
    return rows[0], colours
