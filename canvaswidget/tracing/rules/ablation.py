"""What the image loses when a neuron's term is taken out and the rest of the network runs again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.dependence import leading_to, reached
from canvaswidget.tracing.capture.interpreter import Lookup, Program, call
from canvaswidget.tracing.capture.naming import module_path, op_name
from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.errors import FOREIGN, UntraceableError, failed_at
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.parallel import batched
from canvaswidget.tracing.rules.base import (
    BIASES,
    Rule,
    checked,
    coloured,
    numel,
    share_of_bias,
)
from canvaswidget.tracing.window import Window

Taken = Callable[[Lookup], torch.Tensor]


@dataclass(frozen=True)
class Values:
    """What the suffixes of the network start from at a frame."""

    by_node: dict[fx.Node, Any]

    nbytes = 0


class Ablation(Rule):
    """The rule on one captured model: the ground truth that other rules are measured against.

    Parameters
    ----------
    capture : Capture
    bias : {"separate", "split", "drop"}
        Whether a neuron's share ``b / n_in`` of the bias goes with it ("split"), or the bias stays.
    fill : {"zero", "mean"}
        What stands in the place of its term: nothing, or the term's mean over the positions.
    """

    name = "ablation"
    needs_forward_pass = True
    is_additive = False

    def __init__(self, capture: Capture, bias: str = "separate", fill: str = "zero") -> None:
        self.bias = checked(self.name, "bias", bias, BIASES)
        self.fill = checked(self.name, "fill", fill, ("zero", "mean"))
        self._capture = capture
        self._suffixes = {
            name: _suffix(capture.graph, found.node) for name, found in capture.weighted.items()
        }
        self._programs = {
            name: Program([capture.weighted[name].node, *suffix]) for name, suffix in self._suffixes.items()
        }
        self.layers: tuple[Layer, ...] = tuple(
            layer for layer in capture.layers if capture.output in self._suffixes[layer.name]
        )
        self.undefined = {
            layer.name: "the image does not depend on it"
            for layer in capture.layers
            if layer not in self.layers
        }
        if not self.layers:
            raise UntraceableError("rule='ablation': the image depends on no weighted layer")
        self.needed: list[fx.Node] = self._needed()
        self._followed = frozenset(node for suffix in self._suffixes.values() for node in suffix)
        self._largest = max(numel(node) for node in self._followed)

    def _needed(self) -> list[fx.Node]:
        found: dict[fx.Node, None] = {self._capture.output: None}
        for layer in self.layers:
            weighted, suffix = self._capture.weighted[layer.name], self._suffixes[layer.name]
            found.update({weighted.data: None, weighted.node: None})
            inside = {weighted.node, *suffix}
            for node in suffix:
                found.update(dict.fromkeys(source for source in node.all_input_nodes if source not in inside))
        return [node for node in found if self._capture.parameter(node) is None]

    def status(self, node: fx.Node) -> tuple[str, str]:
        """Every op after a layer is run again; nothing is opaque to it."""
        if node in self._followed or any(found.node is node for found in self._capture.weighted.values()):
            return "traced", ""
        return "frozen", "no layer before it"

    def state(self, values: dict[fx.Node, Any]) -> Values:
        """What is known of a frame."""
        return Values(values)

    def values_per_map(self, window: Window) -> int:
        """The largest value on the way to the image."""
        return self._largest

    def maps(
        self, layer: Layer, state: Values, neurons: torch.Tensor, window: Window, rgb: str = "sum"
    ) -> torch.Tensor:
        """The image less the image without the neuron: ``(k, h, w)``, for ``rgb="each"`` ``(k, h, w, channels)``."""
        found = self._capture.weighted[layer.name]
        data = self._value(state, found.data)
        terms = found.terms(data, neurons, share_of_bias(found, self.bias))
        if self.fill == "mean":
            terms = terms - self._mean(found, terms)
        images = state.by_node[self._capture.output] - self._ablated(found, state, terms)
        return coloured(window.crop(images, Window.whole(window.size)), rgb)

    def sums(
        self, state: Values, layers: Sequence[Layer]
    ) -> Iterator[tuple[str, str, torch.Tensor, torch.Tensor]]:
        """Maps do not add up, each is of a network of its own; but with nothing taken out the image is as it was."""
        for layer in layers:
            found = self._capture.weighted[layer.name]
            image = self._ablated(found, state, torch.zeros_like(state.by_node[found.node])[None])[0]
            yield "nothing taken out, nothing changes", layer.name, image, state.by_node[self._capture.output]

    @torch.no_grad()
    def _ablated(self, found: WeightedOp, state: Values, terms: torch.Tensor) -> torch.Tensor:
        """The images ``(k, channels, height, width)`` with each of `terms` taken from a layer's output."""
        if len(terms) == 1:
            return self._without(found, state, terms[0])[None]
        if not any(_has_open_shape(node) for node in self._suffixes[found.layer.name]):
            # torch can run every op, but not every op in a batch. One that fails alone is named below.
            with contextlib.suppress(UntraceableError):
                return batched(lambda term: self._without(found, state, term), terms)
        return torch.stack([self._without(found, state, term) for term in terms])

    def _without(self, found: WeightedOp, state: Values, term: torch.Tensor) -> torch.Tensor:
        program = self._programs[found.layer.name]
        return self._again(program, state, {found.node: lambda value: term}, {found.node})

    @torch.no_grad()
    def without_all(self, removed: dict[str, torch.Tensor], state: Values) -> torch.Tensor:
        """The image ``(channels, height, width)`` without several neurons of several layers at once.

        It starts at the first of the layers. What a later one loses is its neurons' terms in the changed network, so
        that this is the model with those weights set to 0 (for ``fill="mean"`` to what they make on average).

        Parameters
        ----------
        removed : dict of str to torch.Tensor
            Units ``(k,)`` or kernels ``(k, 2)`` by layer.
        """

        def taken(found: WeightedOp, value: Lookup) -> torch.Tensor:
            term = found.apply(value(found.data), found.kept(removed[found.layer.name]))
            return term - self._mean(found, term[None])[0] if self.fill == "mean" else term

        return self._less(removed, taken, state)

    @torch.no_grad()
    def with_weights(self, weights: Mapping[str, torch.Tensor], state: Values) -> torch.Tensor:
        """The image ``(channels, height, width)`` with other weights in some layers; biases stay.

        It starts at the first of the layers. The difference from the layer's own weight is applied, so that a weight
        that is the same changes nothing at all.

        Parameters
        ----------
        weights : mapping of str to torch.Tensor
            By layer, in the shape of `WeightedOp.weight`.
        """

        def taken(found: WeightedOp, value: Lookup) -> torch.Tensor:
            return found.apply(value(found.data), found.weight - weights[found.layer.name])

        return self._less(weights, taken, state)

    def _less(
        self, names: Iterable[str], taken: Callable[[WeightedOp, Lookup], torch.Tensor], state: Values
    ) -> torch.Tensor:
        """The image with something taken from the output of each of some layers."""
        found = [self._capture.weighted[name] for name in names]
        layers = {one.node: one for one in found}
        after = set().union(*(self._suffixes[one.layer.name] for one in found))
        program = Program(node for node in self._capture.graph.nodes if node in after or node in layers)
        by_node = {node: partial(taken, one) for node, one in layers.items()}
        return self._again(program, state, by_node, set(layers) - after)

    def _again(
        self, program: Program, state: Values, taken: dict[fx.Node, Taken], first: set[fx.Node]
    ) -> torch.Tensor:
        """The image when some ops run once more.

        Parameters
        ----------
        taken : dict of fx.Node to callable
            What is subtracted from the value of a layer, computed from the values of other ops.
        first : set of fx.Node
            The layers whose inputs are as they were.
        """

        def compute(node: fx.Node, value: Lookup) -> Any:
            try:
                made = self._value(state, node) if node in first else call(node, value)
            except torch.OutOfMemoryError:
                raise
            except FOREIGN as error:
                raise failed_at("ablation", op_name(node), module_path(node), error) from error
            return made - taken[node](value) if node in taken else made

        output = self._capture.output
        return program.run(partial(self._value, state), [output], compute)[output]

    def _value(self, state: Values, node: fx.Node) -> Any:
        fixed = self._capture.parameter(node)
        return state.by_node[node] if fixed is None else fixed

    @staticmethod
    def _mean(found: WeightedOp, terms: torch.Tensor) -> torch.Tensor:
        channel = terms.ndim - 1 if found.layer.op == "linear" else terms.ndim - found.weight.ndim + 1
        return terms.mean([axis for axis in range(1, terms.ndim) if axis != channel], keepdim=True)


def _has_open_shape(node: fx.Node) -> bool:
    """Whether values decide the shape of an op's result or of what it writes: torch can't batch it."""
    for one in (node, *node.all_input_nodes):
        value = one.meta.get("val")
        parts = value if isinstance(value, list | tuple) else [value]
        for part in parts:
            if isinstance(part, torch.SymInt | torch.SymFloat | torch.SymBool):
                return True
            if isinstance(part, torch.Tensor) and not all(isinstance(n, int) for n in part.shape):
                return True
    places = node.args[1] if node.target in (aten.index.Tensor, aten.index_put.default) else []
    return any(one is not None and one.meta["val"].dtype == torch.bool for one in cast(Any, places))


def _suffix(graph: fx.Graph, start: fx.Node) -> dict[fx.Node, None]:
    """The ops that depend on `start` and that the output depends on, in order of execution."""
    after, output = reached(graph, {start}), next(node for node in graph.nodes if node.op == "output")
    used = leading_to([output]) - {start, output}
    return {node: None for node in graph.nodes if node in after and node in used}
