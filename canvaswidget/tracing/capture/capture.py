"""What is known of a recorded module: its graph of ops, its weights as they were, and its layers."""

from __future__ import annotations

import functools
import operator
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from canvaswidget.inr import INR
from canvaswidget.inr.module_state import CALLS, copied, evaluating, random_state_kept
from canvaswidget.tracing.capture.dependence import leading_to
from canvaswidget.tracing.capture.interpreter import Program, call
from canvaswidget.tracing.capture.precision import Wider, placed
from canvaswidget.tracing.capture.randomness import draws_as_recorded
from canvaswidget.tracing.capture.weighted import Directed, WeightedOp
from canvaswidget.tracing.capture.yield_point import yield_point
from canvaswidget.tracing.layers import Layers


@dataclass
class Capture:
    """The ops of one INR, from its inputs to the image ``(channels, height, width)``; `record` makes it.

    Attributes
    ----------
    module : torch.nn.Module
        A copy of the INR's module as it was when it was recorded, to compare the recording with.
    graph : torch.fx.Graph
        ATen ops; its single output is the image.
    owner : torch.nn.Module
        Holds the tensors that the graph gets by name.
    constants : dict of str to torch.Tensor
        Weights, buffers and literals, by graph input.
    targets : dict of str to str
        The name of the module's parameter or buffer, by graph input.
    numbers : list
        The inputs of the model that are no tensors, and so are constants of the graph.
    answers : list
        What tensors answered at frame 0 where the forward asked for their values.
    draws : bool
        Whether the forward changes the random state.
    inputs_draw : bool
        Whether making its inputs does.
    drawn : tuple of str
        The ops of the forward that draw random numbers, most of which are recorded as constants.
    coarsest : torch.dtype
        The type of the lowest precision that the module computes in. What is computed of the recording is in
        single precision at least.
    wider : dict of torch.dtype to torch.dtype
        What each recorded type is computed in.
    varying : set of fx.Node
        What depends on the model's inputs, or is made of features; all else depends on weights alone.
    weighted : dict of str to WeightedOp
        Where each layer stands in the graph, by name, in order of execution.
    layers : Layers
    directed : tuple of Directed
        The layers whose units are directions.
    compare : callable
        ``compare(frame, image)`` raises where the recording's image of a frame is not the module's.
    """

    inr: INR
    device: torch.device
    module: nn.Module
    graph: fx.Graph
    owner: nn.Module
    constants: dict[str, torch.Tensor]
    targets: dict[str, str]
    numbers: list[Any]
    answers: list[Any]
    draws: bool
    inputs_draw: bool
    drawn: tuple[str, ...]
    coarsest: torch.dtype
    wider: Wider
    varying: set[fx.Node] = field(default_factory=set)
    weighted: dict[str, WeightedOp] = field(default_factory=dict)
    layers: Layers = field(default_factory=lambda: Layers([]))
    directed: tuple[Directed, ...] = ()
    compare: Callable[[int, torch.Tensor], None] = lambda frame, image: None
    _fixed: dict[fx.Node, torch.Tensor | None] = field(default_factory=dict, init=False)
    # Several threads ask for what is computed of weights alone.
    _computing: Any = field(default_factory=threading.RLock, init=False)

    @functools.cached_property
    def nodes(self) -> dict[str, fx.Node]:
        """The op that gives a layer's output, by the layer's name."""
        return {name: found.output for name, found in self.weighted.items()}

    @functools.cached_property
    def units_read(self) -> dict[fx.Node, fx.Node]:
        """The units that directions are of, by the op that gives how much of each direction there is."""
        reading = {one.reading for one in self.directed}
        return {node: node.all_input_nodes[0] for node in self.graph.nodes if node.name in reading}

    @functools.cached_property
    def encoded(self) -> frozenset[str]:
        """The ops that are a user's encoder, by name: what they give is a constant of the frame to every rule."""
        return frozenset(one.reading for one in self.directed if one.is_encoded)

    def render_copy(self, positional: tuple[Any, ...], keywords: dict[str, Any]) -> torch.Tensor:
        """The image that the copy of the module makes of copies of some arguments."""
        positional, keywords = copied(positional), copied(keywords)
        with evaluating(self.module), torch.inference_mode(False), torch.no_grad():
            return self.inr.image(self.module(*positional, **keywords))

    @property
    def dtype(self) -> torch.dtype:
        """What the image is computed in."""
        recorded = cast(torch.Tensor, self.output.meta["val"]).dtype
        return self.wider.get(recorded, recorded)

    def target(self, node: fx.Node) -> str:
        """The name of the module's parameter or buffer that an input of the graph is, or an empty string."""
        return self.targets.get(node.name, "")

    def parameter(self, node: Any) -> torch.Tensor | None:
        """The tensor of an op that depends on no input: a weight, or what the forward makes of weights alone."""
        if not isinstance(node, fx.Node) or node in self.varying:
            return None
        if node.name in self.constants:
            return self.constants[node.name]
        if node not in self._fixed:
            with self._computing:
                if node not in self._fixed:
                    self._fixed[node] = self._computed(node)
        return self._fixed[node]

    @torch.inference_mode(False)
    @torch.no_grad()
    def _computed(self, node: fx.Node) -> torch.Tensor | None:
        with random_state_kept(draws_as_recorded(node)):
            return call(node, self.parameter) if node.op == "call_function" else None

    @property
    def n_channels(self) -> int:
        """Of the image: 1 or 3."""
        return int(self.output.meta["val"].shape[0])

    @property
    def output(self) -> fx.Node:
        """The op whose value is the image."""
        result = next(node for node in reversed(self.graph.nodes) if node.op == "output")
        return cast(fx.Node, pytree.tree_leaves(result.args)[0])

    @torch.inference_mode(False)  # columns need values that autograd may keep
    @torch.no_grad()
    def run(
        self,
        frame: int,
        keep: Collection[fx.Node],
        change: Callable[[torch.Tensor], torch.Tensor] | None = None,
        known: Mapping[fx.Node, Any] = MappingProxyType({}),
    ) -> dict[fx.Node, Any]:
        """The values of some nodes at a frame; with `change`, of changed weights and inputs.

        Parameters
        ----------
        known : mapping
            Values of this frame that are not computed again.
        """
        # The inputs may depend on the module's weights, which stand-ins replace meanwhile.
        with CALLS, random_state_kept(self.inputs_draw):
            given = pytree.tree_leaves(self.inr.arguments(frame))
        if numbers_of(given) != self.numbers:
            raise ValueError(
                f"inputs: gives the numbers {numbers_of(given)} at frame {frame} and {self.numbers} at frame 0; "
                "numbers are recorded as constants, so give them as tensors"
            )
        leaves = [placed(leaf, self.device, self.wider) for leaf in given]
        constants = self.constants
        if change is not None:
            leaves = [change(leaf) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
            constants = {name: change(tensor) for name, tensor in constants.items()}
        user, given = iter(leaves), {}
        for node in self.graph.nodes:
            if node.op == "placeholder":
                given[node] = constants[node.name] if node.name in constants else next(user)
            elif node.op == "get_attr":
                value = operator.attrgetter(str(node.target))(self.owner)
                given[node] = placed(value, self.device, self.wider)
        given.update(known)
        program = self._ops
        if known:
            wanted = leading_to(keep, known)
            program = Program(node for node in program.nodes if node in wanted)
        return program.run(given.__getitem__, keep, after_each=yield_point)

    @functools.cached_property
    def _ops(self) -> Program:
        return Program(node for node in self.graph.nodes if node.op == "call_function")


def numbers_of(leaves: list[Any]) -> list[Any]:
    """The inputs that are no tensors."""
    return [leaf for leaf in leaves if not isinstance(leaf, torch.Tensor)]
