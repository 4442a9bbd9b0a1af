"""The network with every gate frozen at the values of one frame: linear in each layer's terms, and exact there.

An activation is ``act(z) = act(0) + g(z) z`` with ``g(z) = (act(z) - act(0)) / z``; ``g`` is a constant of the frame,
and so are a norm's ``1 / sigma``, attention weights, denominators and one factor of a product.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import fx
from torch.utils import _pytree as pytree

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.interpreter import Lookup, Program
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.parallel import batched, stop_if_dropped
from canvaswidget.tracing.rules.gated.frozen_ops import FrozenOps
from canvaswidget.tracing.rules.gated.linearise import Plan, factors_of
from canvaswidget.tracing.rules.gated.reach import Slice, whole

Leaves = tuple[torch.Tensor, torch.Tensor]


class Differentiable(NamedTuple):
    """The image as a function of every layer's weights and biases, and the layers' outputs on the way, by name."""

    image: torch.Tensor
    leaves: dict[str, Leaves]
    outputs: dict[str, torch.Tensor]


class Frozen:
    """One frame's frozen network.

    Parameters
    ----------
    capture, plan
    values : dict
        The values of `needed(plan)` at the frame.
    """

    def __init__(self, capture: Capture, plan: Plan, values: dict[fx.Node, Any]) -> None:
        self._capture = capture
        self._plan = plan
        self._values = values
        self._ops = FrozenOps(capture, values)
        self._layers = {found.node: found for found in capture.weighted.values()}
        self._pulls: dict[frozenset[fx.Node], Differentiable] = {}
        self._lock = threading.RLock()

    @property
    def nbytes(self) -> int:
        """Gates, and for columns what autograd keeps: each about as much as the values that it was made from."""
        return 2 * sum(value.nbytes for value in self._values.values() if isinstance(value, torch.Tensor))

    def data(self, layer: WeightedOp) -> torch.Tensor:
        """What the layer works on."""
        return self._ops.finite(layer.data)

    def value(self, node: fx.Node) -> Any:
        """A value of this frame."""
        return self._ops.value(node)

    def prepare(self, layer: WeightedOp) -> None:
        """Make the gates that a layer's terms pass, before threads or a transform of torch's ask for them."""
        for step in self._plan.downstream(layer.node, layer.layer.name):
            if step.kind == "gate":
                self._ops.gate(step)

    # --- rows: from a layer to the image ------------------------------------------------------------------------

    def forward(self, layer: WeightedOp, terms: Slice | torch.Tensor) -> torch.Tensor:
        """Carry terms of a layer's output ``(k, *output)`` to the image ``(k, channels, h, w)``, without constants."""
        program = self._plan.program(layer.node, layer.layer.name)
        return whole(self.carry(program, layer.node, self._capture.output, terms))

    def carry(self, program: Program, start: fx.Node, stop: fx.Node, terms: Slice | torch.Tensor) -> Any:
        """Carry terms of one value to another, ``(k, *value)``: slices where they keep to channels.

        Parameters
        ----------
        program : Program
            The ops between the two.
        """
        for node in program.nodes:  # before threads or a transform of torch's ask for them
            if self._plan.steps[node].kind == "gate":
                self._ops.gate(self._plan.steps[node])

        def one(term: Any) -> Any:
            return self._run(program, {start: term}, stop, False)

        if len(pytree.tree_leaves(terms)[0]) > 1:
            return batched(one, terms)
        return pytree.tree_map(lambda value: value[None], one(pytree.tree_map(lambda value: value[0], terms)))

    def remainder(self, layer: WeightedOp, with_bias: bool) -> torch.Tensor:
        """The image without a layer's terms: biases, what ``act(0)`` adds, and what passes beside the layer.

        Parameters
        ----------
        with_bias : bool
            Whether the layer's own bias is among it.
        """
        term = torch.zeros_like(layer.apply(self.data(layer), layer.weight))
        if layer.bias is not None and with_bias and layer.node is layer.output:
            term = term + layer.channels(layer.bias)
        elif layer.bias is not None and not with_bias and layer.node is not layer.output:
            term = term - layer.channels(layer.bias)  # the op that adds it comes next
        start: dict[fx.Node, Any] = {layer.node: term}
        for lost in self._plan.lost(layer.node, layer.layer.name):
            if isinstance(self._values.get(lost), torch.Tensor):
                start[lost] = torch.zeros_like(self._values[lost])
        program = self._plan.program(layer.node, layer.layer.name)
        return self._run(program, start, self._capture.output, True)

    def _run(self, program: Program, start: dict[fx.Node, Any], stop: fx.Node, constants: bool) -> Any:
        def compute(node: fx.Node, arrived: Lookup) -> Any:
            return self._ops.carry(self._plan.steps[node], arrived, constants)

        with torch.no_grad():
            return program.run(start.get, [stop], compute, stop_if_dropped)[stop]

    # --- columns: from pixels to every layer ---------------------------------------------------------------------

    def backward(
        self, weights: torch.Tensor, layers: Iterable[WeightedOp]
    ) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
        """Derivatives of the weighted image by each weight and each bias of some layers, all gates being constants.

        Parameters
        ----------
        weights : (channels, height, width)
        """
        found: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
        for pull, names in self._together(layers):
            wanted = [leaf for name in names for leaf in pull.leaves[name]]
            gradients = self._gradients(pull, wanted, weights)
            found.update(zip(names, zip(gradients[::2], gradients[1::2], strict=True), strict=True))
        return found

    def slopes(self, weights: torch.Tensor, layers: Iterable[WeightedOp]) -> dict[str, torch.Tensor]:
        """Derivatives of the weighted image by the output of some layers, all gates being constants.

        Parameters
        ----------
        weights : (channels, height, width)
        """
        found: dict[str, torch.Tensor] = {}
        for pull, names in self._together(layers):
            outputs = [pull.outputs[name] for name in names]
            found.update(zip(names, self._gradients(pull, outputs, weights), strict=True))
        return found

    def _together(self, layers: Iterable[WeightedOp]) -> Iterator[tuple[Differentiable, list[str]]]:
        """The layers that one backward pass serves, by name."""
        groups: dict[frozenset[fx.Node], list[str]] = {}
        for layer in layers:
            groups.setdefault(self._aside(layer.layer.name), []).append(layer.layer.name)
        for aside, names in groups.items():
            with self._lock, torch.inference_mode(False):
                if aside not in self._pulls:
                    self._pulls[aside] = self._differentiable(aside)
            yield self._pulls[aside], names

    def _gradients(
        self, pull: Differentiable, wanted: list[torch.Tensor], weights: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        with self._lock, torch.inference_mode(False):
            return torch.autograd.grad(pull.image, wanted, weights.to(pull.image.dtype), retain_graph=True)

    def _aside(self, layer: str) -> frozenset[fx.Node]:
        """The products that a layer passes through the factor that others find frozen."""
        found = set()
        for step in self._plan.steps.values():
            if step.kind == "product" and step.kept is not None and layer in step.reached_by:
                kept = factors_of(step.node)[step.kept]
                if layer not in self._plan.reached_by(kept):
                    found.add(step.node)
        return frozenset(found)

    def _differentiable(self, aside: frozenset[fx.Node]) -> Differentiable:
        leaves: dict[str, Leaves] = {}
        outputs: dict[str, torch.Tensor] = {}

        def compute(node: fx.Node, arrived: Lookup) -> Any:
            step = self._plan.steps[node]
            if step.kind != "layer":
                return self._ops.carry(step, arrived, True, node in aside)
            layer = self._layers[node]
            data, term = self.data(layer), arrived(layer.data)
            if term is not None:  # the slopes of what arrives, without the rounding of its gates
                term = self._ops.finite_as(layer.data, term)
                data = data + (term - term.detach())
            bias = layer.weight.new_zeros(layer.layer.n_outputs)
            if layer.bias is not None and layer.node is layer.output:
                bias = layer.bias
            leaf = (layer.weight.detach().clone(), bias.detach().clone())
            leaves[layer.layer.name] = (leaf[0].requires_grad_(), leaf[1].requires_grad_())
            outputs[layer.layer.name] = layer.apply(data, *leaf)
            return outputs[layer.layer.name]

        output = self._capture.output
        with torch.enable_grad():
            image = self._plan.whole.run(lambda node: None, [output], compute)[output]
        return Differentiable(image, leaves, outputs)


def needed(capture: Capture, plan: Plan) -> list[fx.Node]:
    """The values of a frame that its frozen network is made from."""
    found: dict[fx.Node, None] = {}
    for layer in capture.weighted.values():
        found[layer.data] = None
    for step in plan.passed:
        found.update(dict.fromkeys(step.constants))
        # What a layer that gets here doesn't pass through is a constant to it.
        found.update(dict.fromkeys(one for one in step.carries if plan.reached_by(one) != step.reached_by))
    found[capture.output] = None
    return [node for node in found if capture.parameter(node) is None]
