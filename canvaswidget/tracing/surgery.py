"""Which parameter of a module is a layer's weight, and what it is without some neurons."""

from __future__ import annotations

from typing import cast

import torch
from torch import fx

from canvaswidget.tracing.capture.recording import Capture, op_name
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer

_TRANSPOSES = ("t", "transpose", "permute", "numpy_T")


def weight_without(capture: Capture, layer: Layer, neurons: torch.Tensor) -> tuple[str, torch.Tensor]:
    """The name of the parameter that is a layer's weight, and its value with some neurons' weights set to 0.

    Parameters
    ----------
    neurons : torch.Tensor
        Units ``(k,)`` or kernels ``(k, 2)``.

    Raises
    ------
    UntraceableError
        The weight is no parameter, or serves in other places too.
    """
    found = capture.weighted[layer.name]
    name, turned = _parameter(capture, layer)
    left = torch.where(found.kept(neurons) != 0, 0, found.weight)
    return name, left.T if turned else left


def _parameter(capture: Capture, layer: Layer) -> tuple[str, bool]:
    """The parameter, and whether it is transposed."""
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
