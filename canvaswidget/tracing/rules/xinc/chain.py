"""Read a model as the chain of blocks that XINC is defined on, from the image back to the first layer.

A block is a weighted layer, for convolutions a pixel shuffle, and a pointwise activation. Whatever else stands on
the way (a reshaped stem, a skip, attention) ends the chain: the layers before it are reported by name, not guessed at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.interpreter import Lookup, Program, call
from canvaswidget.tracing.capture.naming import module_path, op_name
from canvaswidget.tracing.capture.ops import POINTWISE, overloads
from canvaswidget.tracing.capture.rewrite.norms import is_norm
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer

aten = torch.ops.aten

# Ops that move values and change none.
LAYOUT = overloads(
    "view _unsafe_view reshape permute transpose t numpy_T mT squeeze unsqueeze expand clone contiguous",
    "alias detach select slice flatten unflatten movedim",
)
SHUFFLE = overloads("pixel_shuffle")
IGNORED = overloads("dropout contiguous alias detach clone")


@dataclass(frozen=True)
class Block:
    """A layer of the chain and what follows it before the next layer.

    Attributes
    ----------
    upscale : int
        Factor of the pixel shuffle after a convolution; 1 where there is none.
    activation : callable or None
        The pointwise function between this layer and the next; None for the last layer, whose output is the image.
    """

    layer: Layer
    node: fx.Node
    input: fx.Node
    weight: torch.Tensor
    bias: torch.Tensor | None
    upscale: int = 1
    activation: Callable[[torch.Tensor], torch.Tensor] | None = None


@dataclass(frozen=True)
class Chain:
    """Blocks in order of execution.

    Attributes
    ----------
    pixels : torch.Tensor
        ``(3, height, width)``: where in the last layer's flattened output each value of the image stands.
    undefined : dict of str to str
        The layers before the chain, and why they are not in it.
    ops : frozenset of fx.Node
        The ops the chain is made of.
    squash : tuple of str
        The pointwise ops between the last layer and the image, such as a sigmoid.
    """

    blocks: tuple[Block, ...]
    pixels: torch.Tensor
    ops: frozenset[fx.Node]
    undefined: dict[str, str] = field(default_factory=dict)
    squash: tuple[str, ...] = ()


def read_chain(capture: Capture) -> Chain:
    """The chain that ends in the image.

    Raises
    ------
    UntraceableError
        The image is not made by a linear or convolutional layer that only reshapes and squashing follow.
    """
    names = {node: name for name, node in capture.nodes.items()}
    tail, last = _walk(capture, capture.output, POINTWISE | LAYOUT | IGNORED)
    if last not in names:
        raise UntraceableError(
            f"rule='xinc': the image is made by {_where(last)}, not by a linear layer or a convolution; "
            "XINC does not define contributions to it; rule='gated' does"
        )
    odd = _odd(capture.weighted[names[last]])
    if odd:
        raise UntraceableError(f"rule='xinc': {odd}; rule='gated' is defined on it")
    blocks = [_block(capture, capture.layers.find(names[last]))]
    ops = {last, *tail}
    reason = ""
    while not reason:
        first = blocks[0]
        run, start = _walk(capture, first.input, POINTWISE | IGNORED | SHUFFLE)
        if start not in names:
            reason = f"{_where(start)} stands between it and {first.layer.name}"
            break
        layer = capture.layers.find(names[start])
        reason = _why_not(capture, run, capture.weighted[layer.name], first)
        if not reason:
            shuffles = [node for node in run if node.target in SHUFFLE]
            upscale = int(cast(int, shuffles[0].args[1])) if shuffles else 1
            ops |= {start, *run}
            blocks.insert(0, _block(capture, layer, upscale, _function(capture, run)))
    traced = {block.layer.name for block in blocks}
    undefined = {layer.name: reason for layer in capture.layers if layer.name not in traced}
    squash = tuple(op_name(node) for node in tail if node.target in POINTWISE)
    return Chain(tuple(blocks), _pixels(capture, tail, last), frozenset(ops), undefined, squash)


def _walk(capture: Capture, node: fx.Node, through: set[Any]) -> tuple[list[fx.Node], fx.Node]:
    """Back from `node` through ops of one tensor: those passed, in order of execution, and where it ends."""
    passed: list[fx.Node] = []
    layers = set(capture.nodes.values())
    node = capture.units_read.get(node, node)
    while node not in layers and (node.target in through or _is_of_batch_axis(node)) and not is_norm(node):
        varying = [source for source in node.all_input_nodes if capture.parameter(source) is None]
        if len(varying) != 1:
            break
        passed.insert(0, node)
        node = varying[0]
    return passed, node


def _is_of_batch_axis(node: fx.Node) -> bool:
    """Whether an op only adds or drops the batch axis, of length 1, before an image's channels."""
    if node.target not in LAYOUT or len(node.all_input_nodes) != 1:
        return False
    before, after = (list(one.meta["val"].shape) for one in (node.all_input_nodes[0], node))
    return len(before) + len(after) == 7 and (before == [1, *after] or after == [1, *before])


def _where(node: fx.Node) -> str:
    op = node.name if node.op != "call_function" else op_name(node)
    path = module_path(node)
    return f"the op {op!r} in {path!r}" if path else f"the op {op!r}"


def _why_not(capture: Capture, run: list[fx.Node], found: WeightedOp, after: Block) -> str:
    """Why a layer cannot be the block before `after`; empty where it can."""
    layer, name = found.layer, after.layer.name
    odd = _odd(found) or _differs_by_channel(capture, run)
    if odd:
        return odd
    if layer.op != after.layer.op:
        return f"it is a {layer.op} before the {after.layer.op} {name}"
    shuffles = [index for index, node in enumerate(run) if node.target in SHUFFLE]
    if len(shuffles) > 1 or (shuffles and layer.grid is None):
        return f"more than a pixel shuffle and an activation stand between it and {name}"
    if shuffles and any(node.target in POINTWISE for node in run[: shuffles[0]]):
        return f"its activation comes before its pixel shuffle, not after it as XINC has it, on the way to {name}"
    if layer.grid is not None:
        upscale = int(cast(int, run[shuffles[0]].args[1])) if shuffles else 1
        if after.layer.grid != (layer.grid[0] * upscale, layer.grid[1] * upscale):
            return f"{name} changes the size of its grid, other than by a pixel shuffle"
    return ""


def _block(
    capture: Capture,
    layer: Layer,
    upscale: int = 1,
    activation: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Block:
    found = capture.weighted[layer.name]
    return Block(layer, found.output, found.data, found.weight, found.bias, upscale, activation)


def _odd(found: WeightedOp) -> str:
    """What makes a layer one that XINC is not defined for; empty where nothing does."""
    layer = found.layer
    if layer.has_features:
        return f"the units of {layer.name!r} are looked up in a table; XINC is defined for layers of weights"
    if layer.op == "linear":
        return ""
    if layer.op != "conv2d":
        return f"{layer.name!r} is a {layer.op}; XINC is defined for linear layers and two-dimensional convolutions"
    stride, dilation, groups = _conv_arguments(found.node)
    even = any(n % 2 == 0 for n in layer.kernel_size)
    if stride == dilation == (1, 1) and groups == 1 and not even and _keeps_size(found):
        return ""
    return (
        f"the convolution {layer.name!r} has stride {stride}, dilation {dilation}, {groups} groups and kernel size "
        f"{layer.kernel_size}; XINC is defined for stride 1, dilation 1, one group, odd kernel sizes and zero padding "
        "that keeps the size"
    )


def _keeps_size(found: WeightedOp) -> bool:
    given = cast(Any, found.node.args[4]) if len(found.node.args) > 4 else [0]
    if isinstance(given, str):
        return given == "same"
    padding = [int(n) for n in given] * (2 // len(given))
    return padding == [n // 2 for n in found.layer.kernel_size]


def _differs_by_channel(capture: Capture, run: list[fx.Node]) -> str:
    for node in run:
        for constant in (capture.parameter(source) for source in node.all_input_nodes):
            if constant is not None and constant.numel() > 1:
                return f"{_where(node)} uses weights that differ by channel; XINC's activations are the same for all"
    return ""


def _conv_arguments(node: fx.Node) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    arguments = [*node.args, *[None] * 7][:7]
    stride = tuple(cast(Any, arguments[3] or (1, 1)))
    dilation = tuple(cast(Any, arguments[5] or (1, 1)))
    return stride * (2 // len(stride)), dilation * (2 // len(dilation)), cast(int, arguments[6] or 1)


def _function(capture: Capture, run: list[fx.Node]) -> Callable[[torch.Tensor], torch.Tensor]:
    """The pointwise ops of a run as one function."""
    pointwise = [node for node in run if node.target in POINTWISE]
    # Of an op between two of them that changes no value, such as a clone: the one before it.
    before: dict[fx.Node, fx.Node] = {}
    last: fx.Node | None = None
    for node in run:
        if node in pointwise:
            last = node
        elif last is not None:
            before[node] = last

    def sources(node: fx.Node) -> list[fx.Node]:
        return [before.get(source, source) for source in node.all_input_nodes]

    program = Program(pointwise, sources)

    def compute(node: fx.Node, value: Lookup) -> torch.Tensor:
        return call(node, lambda source: value(before.get(source, source)))

    def activation(value: torch.Tensor) -> torch.Tensor:
        def given(node: fx.Node) -> torch.Tensor:
            constant = capture.parameter(node)
            return value if constant is None else constant

        return program.run(given, pointwise[-1:], compute)[pointwise[-1]] if pointwise else value

    return activation


def _pixels(capture: Capture, tail: list[fx.Node], last: fx.Node) -> torch.Tensor:
    """Send the positions of the last layer's output through the tail's reshapes to see where each one lands."""
    shape = last.meta["val"].shape
    positions = torch.arange(shape.numel(), dtype=torch.float64).reshape(shape)
    sources = dict(zip(tail, [last, *tail], strict=False))

    def compute(node: fx.Node, value: Lookup) -> torch.Tensor:
        return call(node, value) if node.target in LAYOUT else value(sources[node])

    output = capture.output
    return Program(tail).run(lambda node: positions, [output], compute)[output].long().to(capture.device)
