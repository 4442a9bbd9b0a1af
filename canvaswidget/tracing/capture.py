"""Run the model once and see it as a graph of ops with named, weighted layers.

``torch.export`` records what the module does, op by op, whatever way it is written; nothing of the module is
edited, hooked or registered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any, cast

import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind
from torch.utils import _pytree as pytree

from canvaswidget.inr import INR
from canvaswidget.tracing.layers import Layer, Layers

aten = torch.ops.aten

LAYER_OPS: dict[Any, str] = {aten.linear.default: "linear", aten.conv2d.default: "conv2d"}


class CaptureError(RuntimeError):
    """The module could not be recorded."""


class Capture:
    """The ops of one INR, from its inputs to the image ``(3, height, width)``.

    Attributes
    ----------
    graph : torch.fx.Graph
        ATen ops; its single output is the image.
    layers : Layers
        The weighted ops, in order of execution.
    """

    def __init__(self, inr: INR, device: torch.device) -> None:
        self.inr = inr
        self.device = device
        positional, keywords = inr.arguments(0)
        with _evaluating(inr.module), torch.no_grad():
            try:
                program = torch.export.export(_Rendering(inr), positional, keywords, strict=False)
            except Exception as error:
                # Anything the user's forward raises, or torch.export refuses, ends up here.
                raise CaptureError(
                    f"module={type(inr.module).__name__}: torch.export could not record it. It must run on "
                    f"inputs(0) and depend on no tensor's values. {_first_line(error)}"
                ) from error
        self._program = program
        self.graph: fx.Graph = program.graph
        self._constants = _constants(program, device)
        self.nodes: dict[str, fx.Node] = {}
        self.layers = Layers(list(self._find_layers()))

    def node_of(self, layer: Layer) -> fx.Node:
        """The op that is this layer."""
        return self.nodes[layer.name]

    @staticmethod
    def path(node: fx.Node) -> str:
        """The module path an op was called in."""
        return _module_path(node)

    def parameter(self, node: Any) -> torch.Tensor | None:
        """The constant tensor a graph input stands for; None for anything else."""
        return self._constants.get(node.name) if isinstance(node, fx.Node) else None

    @property
    def output(self) -> fx.Node:
        """The op whose value is the image."""
        result = next(node for node in reversed(self.graph.nodes) if node.op == "output")
        return cast(fx.Node, pytree.tree_leaves(result.args)[0])

    @torch.no_grad()
    def run(self, frame: int, keep: Collection[fx.Node]) -> dict[fx.Node, torch.Tensor]:
        """The values of some nodes at a frame."""
        leaves = [_placed(leaf, self.device) for leaf in pytree.tree_leaves(self.inr.arguments(frame))]
        user = iter(leaves)
        arguments = [
            self._constants[node.name] if node.name in self._constants else next(user)
            for node in self.graph.nodes
            if node.op == "placeholder"
        ]
        recorder = _Recorder(self._program.graph_module, set(keep))
        recorder.run(*arguments)
        return recorder.values

    def _find_layers(self) -> Iterator[Layer]:
        for node in self.graph.nodes:
            op = LAYER_OPS.get(node.target)
            if op is None or self.parameter(node.args[1]) is None:
                continue
            layer = _describe(node, op, self._unused_name(_module_path(node), op))
            self.nodes[layer.name] = node
            yield layer

    def _unused_name(self, path: str, op: str) -> str:
        name = path or op
        for call in range(2, len(self.nodes) + 2):
            if name not in self.nodes:
                break
            name = f"{path or op}#{call}"
        return name


class _Rendering(nn.Module):
    """The user's module and what turns its output into the image, as one module."""

    def __init__(self, inr: INR) -> None:
        super().__init__()
        self.module = inr.module
        self._image: Callable[[Any], torch.Tensor] = inr.image

    def forward(self, *positional: Any, **keywords: Any) -> torch.Tensor:
        return self._image(self.module(*positional, **keywords))


class _Recorder(fx.Interpreter):
    def __init__(self, module: fx.GraphModule, keep: set[fx.Node]) -> None:
        super().__init__(module)
        self._names = {node.name: node for node in keep}
        self.values: dict[fx.Node, torch.Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if n.name in self._names:
            self.values[self._names[n.name]] = value
        return value


@contextlib.contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for as long as it lasts, each submodule's own mode afterwards."""
    modes = {part: part.training for part in module.modules()}
    try:
        for part in modes:
            part.training = False
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def _constants(program: torch.export.ExportedProgram, device: torch.device) -> dict[str, torch.Tensor]:
    """Weights, buffers and literals by graph input, on `device`, in single precision at least."""
    constants = {}
    for spec in program.graph_signature.input_specs:
        if spec.kind is InputKind.USER_INPUT:
            continue
        source = program.state_dict if spec.target in program.state_dict else program.constants
        tensor = cast(torch.Tensor, source[cast(str, spec.target)]).detach()
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            name = cast(str, spec.target).removeprefix("module.")
            raise ValueError(
                f"module: its weight {name!r} holds NaN or infinity, so no contribution is defined. "
                "Load a checkpoint from before training diverged"
            )
        constants[cast(Any, spec.arg).name] = _placed(tensor, device)
    return constants


def _placed(value: Any, device: torch.device) -> Any:
    if not isinstance(value, torch.Tensor):
        return value
    half = value.dtype in (torch.float16, torch.bfloat16)
    return value.to(device, torch.float32 if half else value.dtype)


def _module_path(node: fx.Node) -> str:
    stack = list(node.meta.get("nn_module_stack", {}).values())
    path = stack[-1][0] if stack else ""
    return path.removeprefix("module").removeprefix(".")


def _describe(node: fx.Node, op: str, name: str) -> Layer:
    weight = cast(fx.Node, node.args[1]).meta["val"]
    if op == "linear":
        return Layer(name, op, weight.shape[1], weight.shape[0])
    groups = node.args[6] if len(node.args) > 6 else 1
    grid = tuple(int(n) for n in node.meta["val"].shape[-2:])
    kernel_size = tuple(int(n) for n in weight.shape[-2:])
    return Layer(
        name,
        op,
        int(weight.shape[1] * cast(int, groups)),
        int(weight.shape[0]),
        cast(tuple[int, int], grid),
        cast(tuple[int, int], kernel_size),
    )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
