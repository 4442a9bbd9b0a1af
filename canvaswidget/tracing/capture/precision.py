"""Where and how precisely a recorded model is computed: in single, or in double to tell rounding from mistakes."""

from __future__ import annotations

from typing import Any

import torch
from torch import fx
from torch.fx.node import map_aggregate

Wider = dict[torch.dtype, torch.dtype]
SINGLE: Wider = {torch.float16: torch.float32, torch.bfloat16: torch.float32}
DOUBLE: Wider = {
    **dict.fromkeys((torch.float16, torch.bfloat16, torch.float32), torch.float64),
    **dict.fromkeys((torch.complex32, torch.complex64), torch.complex128),
}

TF32 = 2.0**-10  # of a GPU's convolutions in float32, relative


def place(graph: fx.Graph, device: torch.device, wider: Wider) -> None:
    """Replace the types and devices that ops are told to compute in, and drop assertions about them."""

    def changed(value: Any) -> Any:
        if isinstance(value, torch.device):
            return device
        return wider.get(value, value) if isinstance(value, torch.dtype) else value

    for node in list(graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.erase_node(node)
            continue
        node.args = map_aggregate(node.args, changed)  # type: ignore[assignment]  # a tuple
        node.kwargs = map_aggregate(node.kwargs, changed)  # type: ignore[assignment]  # a dict
        if _makes_a_tensor(node):
            node.kwargs = {"device": device, **node.kwargs}


def _makes_a_tensor(node: fx.Node) -> bool:
    """Whether an op makes a tensor of numbers alone, which torch puts into main memory unless told where."""
    schema = getattr(node.target, "_schema", None)
    return (
        schema is not None
        and any(argument.name == "device" for argument in schema.arguments)
        and not any(isinstance(source.meta.get("val"), torch.Tensor) for source in node.all_input_nodes)
    )


def placed(value: Any, device: torch.device, wider: Wider) -> Any:
    """A tensor on `device`, in the type to compute in; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    return value.to(device, wider.get(value.dtype, value.dtype))


def laid_out(weight: torch.Tensor) -> torch.Tensor:
    """A weight of a recorded model; on a CPU that of a 2-d convolution with its channels last in memory.

    Torch computes such convolutions 1.3 to 3 times as fast there, and what follows stays in that layout.
    """
    if weight.device.type != "cpu" or weight.ndim != 4 or not weight.is_floating_point():
        return weight
    return weight.contiguous(memory_format=torch.channels_last)


def rounding(dtype: torch.dtype, device: torch.device) -> float:
    """The relative rounding in a type: a GPU may round single precision to TF32, and parts of double to single."""
    eps = torch.finfo(dtype).eps
    if device.type != "cuda":
        return eps
    return max(eps, TF32 if dtype == torch.float32 else torch.finfo(torch.float32).eps)


def coarsest(graph: fx.Graph) -> torch.dtype:
    """The type of the lowest precision that a recorded model has values in."""
    found = {torch.float64}
    for node in graph.nodes:
        value = node.meta.get("val")
        for part in value if isinstance(value, list | tuple) else [value]:
            if isinstance(part, torch.Tensor) and (part.is_floating_point() or part.is_complex()):
                found.add(part.dtype.to_real() if part.is_complex() else part.dtype)
    return max(found, key=lambda dtype: torch.finfo(dtype).eps)
