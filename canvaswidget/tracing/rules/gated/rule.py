"""Exact contributions through the whole network, with every gate frozen at the values of the frame.

The output is the sum of a layer's neurons, its bias and what does not come from them, exactly, at every layer. A row is
one forward pass of a neuron's term from its layer; a column one backward pass of pixels to all layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import torch
from torch import fx

from canvaswidget.tracing.budget import Budget
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.naming import module_path, op_name
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules.base import (
    BIASES,
    COLOURS,
    AdditiveRule,
    channel_weights,
    checked,
    coloured,
    numel,
    share_of_bias,
)
from canvaswidget.tracing.rules.gated.frozen import Frozen, needed
from canvaswidget.tracing.rules.gated.linearise import linearise
from canvaswidget.tracing.rules.gated.patches import Boxes, boxes_of, contributions
from canvaswidget.tracing.rules.gated.reach import Slice, sliced
from canvaswidget.tracing.rules.gated.responses import Shared
from canvaswidget.tracing.window import Window


class Gated(AdditiveRule):
    """The rule on one captured model.

    Parameters
    ----------
    capture : Capture
    bias : {"separate", "split", "drop"}
        Whether the bias stays out of the maps and counts as the remainder of the image, each neuron takes its share
        ``b / n_in`` along, or it is left out of both.

    Attributes
    ----------
    layers : tuple of Layer
        Those whose terms reach the image.
    undefined : dict of str to str
        The other layers, and what they end in.

    Raises
    ------
    UntraceableError
        No layer's terms reach the image.
    """

    name = "gated"
    needs_forward_pass = True
    is_additive = True

    def __init__(self, capture: Capture, bias: str = "separate") -> None:
        self.bias = checked(self.name, "bias", bias, BIASES)
        self._capture = capture
        self._plan = linearise(capture)
        self._passed = {step.node: step for step in self._plan.passed}
        reached = self._plan.reached_by(capture.output)
        self.layers: tuple[Layer, ...] = tuple(layer for layer in capture.layers if layer.name in reached)
        self.undefined = {
            layer.name: self._why_not(layer) for layer in capture.layers if layer.name not in reached
        }
        self.needed: list[fx.Node] = needed(capture, self._plan)
        self.shared = Shared(capture, self._plan)
        self._boxes: dict[str, Boxes | None] = {}
        self._largest = max((numel(node) for node in self._passed), default=1)
        if not self.layers:
            reasons = "; ".join(f"{name}: {why}" for name, why in self.undefined.items())
            raise UntraceableError(
                f"rule='gated': no weighted layer reaches the image{f' ({reasons})' if reasons else ''}"
            )

    def refusal(self, reason: str) -> str:
        """The layer does not reach the image."""
        return f"rule 'gated' can't follow it to the image: {reason}"

    def state(self, values: dict[fx.Node, torch.Tensor]) -> Frozen:
        """What is known of a frame."""
        return Frozen(self._capture, self._plan, values)

    def status(self, node: fx.Node) -> tuple[str, str]:
        """Whether an op is traced, frozen or opaque, and a word on it."""
        if node in self._plan.opaque:
            return (
                "opaque",
                "contributions end here; check() says what that costs, rule 'ablation' sees through it",
            )
        name = next((name for name, output in self._capture.nodes.items() if output is node), "")
        if name in self.undefined:
            return "frozen", self.undefined[name]
        step = self._passed.get(node)
        if step is not None:
            return "traced", "a gate frozen at the frame" if step.kind == "gate" else ""
        if node in self._plan.within_gates:
            return "traced", "part of a gate"
        if node in self._plan.steps:
            return "frozen", "it shapes gates"
        if node in self._plan.frozen:
            return "frozen", "a constant of the frame"
        return "frozen", "no layer before it"

    def prepare(self, layer: Layer, state: Frozen) -> None:
        """Make the gates that the layer's terms pass."""
        state.prepare(self._capture.weighted[layer.name])

    def values_per_map(self, window: Window) -> int:
        """The largest value on the way of a term to the image."""
        return self._largest

    def maps(
        self, layer: Layer, state: Frozen, neurons: torch.Tensor, window: Window, rgb: str = "sum"
    ) -> torch.Tensor:
        """``(k, h, w)``, or ``(k, h, w, channels)`` for ``rgb="each"``; signed."""
        found = self._capture.weighted[layer.name]
        data, share = state.data(found), share_of_bias(found, self.bias)
        if neurons.ndim == 1:
            images = state.forward(found, found.terms(data, neurons, share))
        else:
            terms = found.terms_of_kernels(data, neurons, share)
            images = _by_output(
                neurons, lambda some, output: state.forward(found, _written_to(found, output, terms[some]))
            )
        return coloured(window.crop(images, Window.whole(window.size)), rgb)

    def shares_outputs(self, layer: Layer) -> bool:
        """Whether one kernel's map takes more than what it shares with the others of its output."""
        return self.shared.of(self._capture.weighted[layer.name]) is not None

    def maps_of_output(
        self,
        layer: Layer,
        state: Frozen,
        kernels: torch.Tensor,
        window: Window,
        rgb: str,
        budget: Budget,
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """From a few passes for all of them, where these are fewer than the kernels."""
        found = self._capture.weighted[layer.name]
        output = int(kernels[0, 1])
        terms = found.terms_of_kernels(state.data(found), kernels, share_of_bias(found, self.bias))
        suffix, given = self.shared.of(found), _written_to(found, output, terms)
        images = None if suffix is None else suffix.images(state, given, budget, rgb)
        if images is None:
            yield from super().maps_of_output(layer, state, kernels, window, rgb, budget)
            return
        for some, made in images:
            cropped = window.crop(made, Window.whole(window.size))
            yield kernels[some], coloured(cropped, "sum" if rgb in COLOURS else rgb)

    def columns(
        self, layers: list[Layer], state: Frozen, weights: torch.Tensor, rgb: str
    ) -> dict[str, torch.Tensor]:
        """By layer, its kernels' maps summed with `weights` ``(height, width)``: ``(n_in, n_out / n_groups[, 3])``.

        In the frozen network a kernel's contribution is its weights times the pixel's derivatives by them.
        """
        colours = channel_weights(self._capture.n_channels, rgb).to(weights)
        parts = [self.weighted(layers, state, colour[:, None, None] * weights) for colour in colours]
        return {
            layer.name: torch.stack([part[layer.name] for part in parts], -1)
            if rgb == "each"
            else parts[0][layer.name]
            for layer in layers
        }

    def weighted(self, layers: list[Layer], state: Frozen, weights: torch.Tensor) -> dict[str, torch.Tensor]:
        """By layer, its kernels' maps summed with weights ``(channels, h, w)``: ``(n_in, n_out / n_groups)``."""
        chosen = [self._capture.weighted[layer.name] for layer in layers]
        slopes = state.backward(weights, chosen)
        return {found.layer.name: self._kernels(found, *slopes[found.layer.name]) for found in chosen}

    @torch.no_grad()
    def combined(self, layer: Layer, state: Frozen, factors: torch.Tensor) -> torch.Tensor:
        """Sums of a layer's maps, each multiplied by a factor, in one forward pass each: ``(k, channels, h, w)``.

        Parameters
        ----------
        factors : (k, n_in, n_out / n_groups)
        """
        found = self._capture.weighted[layer.name]
        data, share = state.data(found), share_of_bias(found, self.bias)
        terms = []
        for factor in factors:
            term = found.apply(data, found.weight * found.for_weights(factor))
            if share is not None:
                term = term + found.channels(share * found.added_up(factor))
            terms.append(term)
        return state.forward(found, torch.stack(terms))

    def spacing(self, layer: Layer) -> tuple[int, int]:
        """How many rows and columns apart pixels are that `contributions` takes together."""
        found = self._boxes_of(self._capture.weighted[layer.name])
        return self._capture.inr.size if found is None else found.spacing

    def contributions(
        self,
        layers: Sequence[Layer],
        state: Frozen,
        pixels: torch.Tensor,
        colours: torch.Tensor,
        by_unit: Mapping[str, bool],
    ) -> Iterator[tuple[str, slice, torch.Tensor]]:
        """Every neuron's contribution to many pixels, in one backward pass; see `AdditiveRule`."""
        weights = colours.new_zeros(self._capture.n_channels, *self._capture.inr.size)
        weights[:, pixels[:, 0], pixels[:, 1]] = colours.T
        chosen = [self._capture.weighted[layer.name] for layer in layers]
        boxes = {found.layer.name: self._boxes_of(found) for found in chosen}
        together = [found for found in chosen if boxes[found.layer.name] is not None]
        alone = [layer for layer in layers if boxes[layer.name] is None]  # their spacing leaves one pixel
        slopes = state.slopes(weights, together)
        for name, kernels in (self.weighted(alone, state, weights) if alone else {}).items():
            yield name, slice(0, 1), (kernels.sum(1) if by_unit[name] else kernels)[None]
        for found in together:
            name, share = found.layer.name, share_of_bias(found, self.bias)
            own, data = cast(Boxes, boxes[name]), state.data(found)
            for which, values in contributions(found, data, slopes[name], own, pixels, share, by_unit[name]):
                yield name, which, values

    def _boxes_of(self, found: WeightedOp) -> Boxes | None:
        """Where the layer's patches are; None where it has none, and pixels are taken one by one."""
        name = found.layer.name
        if name not in self._boxes:
            spans = self.shared.spans(found)
            self._boxes[name] = None if spans is None else boxes_of(found, spans)
        return self._boxes[name]

    def _kernels(self, found: WeightedOp, slope: torch.Tensor, bias_slope: torch.Tensor) -> torch.Tensor:
        """What kernels contribute, ``(n_in, n_out / n_groups)``, from the slopes by the layer's weights and bias."""
        kernels = found.by_kernel((found.weight * slope.conj()).real)
        share = share_of_bias(found, self.bias)
        return kernels if share is None else kernels + found.for_kernels((share * bias_slope.conj()).real)

    def remainder(self, layer: Layer, state: Frozen) -> torch.Tensor:
        """``(channels, h, w)``: what of the image is not a layer's neurons."""
        return state.remainder(self._capture.weighted[layer.name], self.bias == "separate")

    def sums(
        self, state: Frozen, layers: Sequence[Layer]
    ) -> Iterator[tuple[str, str, torch.Tensor, torch.Tensor]]:
        """Each layer's neurons, which add up to its whole term, and the remainder are the image."""
        for layer in layers:
            found = self._capture.weighted[layer.name]
            term = found.apply(state.data(found), found.weight)
            if self.bias != "separate" and found.bias is not None:
                term = term + found.channels(found.bias)
            total = state.forward(found, term[None])[0] + self.remainder(layer, state)
            yield (
                "neurons and the remainder are the image",
                layer.name,
                total,
                state.value(self._capture.output),
            )

    def _why_not(self, layer: Layer) -> str:
        seen, waiting = set(), [self._capture.weighted[layer.name].node]
        while waiting:
            node = waiting.pop()
            if node in self._plan.steps and layer.name not in self._plan.reached_by(node):
                return f"it is only in a frozen factor of the op {op_name(node)!r}{_in(node)}"
            if node in self._plan.opaque or node in self._plan.frozen:
                kind = "opaque" if node in self._plan.opaque else "frozen"
                return f"it ends in the {kind} op {op_name(node)!r}{_in(node)}"
            if node not in seen:
                seen.add(node)
                waiting.extend(node.users)
        return "the image does not depend on it"


def _written_to(found: WeightedOp, output: int, terms: torch.Tensor) -> Slice | torch.Tensor:
    """Terms of one output of a layer, given with that channel alone."""
    return sliced(terms, found.channel_axis, output, found.layer.n_outputs)


def _by_output(kernels: torch.Tensor, images: Callable[[torch.Tensor, int], torch.Tensor]) -> torch.Tensor:
    """The images of kernels ``(k, 2)``, those that write to one output together."""
    outputs = kernels[:, 1].tolist()
    if len(set(outputs)) == 1:
        return images(torch.arange(len(kernels), device=kernels.device), outputs[0])
    found: torch.Tensor | None = None
    for output in dict.fromkeys(outputs):
        some = torch.nonzero(kernels[:, 1] == output)[:, 0]
        made = images(some, output)
        found = made.new_empty(len(kernels), *made.shape[1:]) if found is None else found
        found[some] = made
    assert found is not None
    return found


def _in(node: fx.Node) -> str:
    path = module_path(node)
    return f" in {path!r}" if path else ""
