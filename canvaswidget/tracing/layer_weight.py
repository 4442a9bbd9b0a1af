"""A layer's weight: which parameter of the module it is, and how large it is."""

from __future__ import annotations

from typing import cast

import torch
from torch import fx

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.naming import op_name
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.matrix import FloatArray, as_numpy
from canvaswidget.tracing.neurons import at_granularity

_TRANSPOSES = ("t", "transpose", "permute", "numpy_T")


def magnitudes(capture: Capture, layer: LayerKey, granularity: str | None = None) -> FloatArray:
    """How large the outgoing weights of a layer's neurons are: the sum of their absolute values."""
    found = capture.layers.find(layer)
    weighted = capture.weighted[found.name]
    return as_numpy(at_granularity(weighted.by_kernel(weighted.weight.abs()), found, granularity))


def stored_type(capture: Capture, layer: Layer) -> torch.dtype:
    """The type of the parameter that is a layer's weight, which a recording may compute with in a wider one."""
    name, _ = parameter_of(capture, layer)
    module = capture.inr.module
    return (dict(module.named_parameters()) | dict(module.named_buffers()))[name].dtype


def parameter_of(capture: Capture, layer: Layer) -> tuple[str, bool]:
    """The name of the parameter that is a layer's weight, and whether it is transposed there.

    Raises
    ------
    UntraceableError
        The weight is no parameter, or serves in other places too.
    """
    if layer.has_directions:
        raise UntraceableError(
            f"layer={layer.name!r}: its units are directions, whose weights no parameter holds; give a canvas of the "
            "units themselves"
        )
    if layer.has_features:
        raise UntraceableError(
            f"layer={layer.name!r}: its units are features that are looked up in "
            f"{capture.weighted[layer.name].table!r} and have no weights of their own; give the layer that reads them, "
            "or change entries of that parameter yourself"
        )
    node = capture.weighted[layer.name].node
    op = op_name(node)
    # A linear layer's weight is seen as (n_out, n_in); a plain product is written the other way round.
    turned = op in ("mm", "matmul")
    source = cast(fx.Node, node.args[1])
    while True:
        if len(source.users) > 1:
            raise UntraceableError(
                f"layer={layer.name!r}: its weight is used in {len(source.users)} places, so that it can't be "
                "changed for this layer alone"
            )
        if source.op == "placeholder":
            break
        if op_name(source) not in _TRANSPOSES:
            raise UntraceableError(
                f"layer={layer.name!r}: its weight is no parameter of the module, but is made in the forward "
                f"(by {op_name(source)!r}), so that it can't be changed there"
            )
        swapped = op_name(source) != "permute" or source.args[1] != [0, 1]
        turned, source = turned != swapped, source.all_input_nodes[0]
    name = capture.target(source)
    module = capture.inr.module
    if name not in dict(module.named_parameters()) and name not in dict(module.named_buffers()):
        raise UntraceableError(
            f"layer={layer.name!r}: its weight is no parameter of the module, but a constant of the forward, so that "
            "it can't be changed there"
        )
    return name, turned
