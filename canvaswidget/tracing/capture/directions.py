"""The recording with some directions of a layer's units in the place of the units.

A layer ``W x + b`` over units ``x`` is written as

    a = E x                         how much of each direction there is
    W x + b = (W D) a + [W (x - D a) + b]

with the directions, made of length 1, as the columns of ``D`` and ``E`` its pseudo-inverse, so that ``D a`` is the part
of ``x`` that the directions span. The values are those of before. The first part is the layer, with one unit a
direction: every rule follows it like any other. The rest passes beside it.

For a sparse autoencoder the rows of its decoder, as long as they are, are the columns of ``D``, and its encoder gives
``a``, which no matrix does.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import fx

from canvaswidget.arguments import as_array
from canvaswidget.inr.module_state import CALLS
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.editing import insert_before
from canvaswidget.tracing.capture.encoder import Encoder, check_values
from canvaswidget.tracing.capture.find_layers import find_layers, find_varying
from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.capture.replay import Replay
from canvaswidget.tracing.capture.weighted import Directed, WeightedOp
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer, Layers

FloatArray = npt.NDArray[np.float64]
_CONVOLUTIONS: dict[int, Any] = {
    1: aten.conv1d.default,
    2: aten.conv2d.default,
    3: aten.conv3d.default,
}


@dataclass(frozen=True)
class Basis:
    """Directions of a layer's units.

    Attributes
    ----------
    rows : (k, n_units)
        Of length 1, in double precision.
    eps : float
        How far apart neighbouring numbers were, relative to their size, in the type that they were given in.
    encoder : callable, optional
        Of a sparse autoencoder, whose decoder the rows are, as long as they were given: how much of each there is.
    """

    rows: FloatArray
    eps: float
    encoder: Callable[[torch.Tensor], Any] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def reader(self, dtype: torch.dtype) -> FloatArray:
        """``(k, n_units)``: how much of each direction there is in each unit, the pseudo-inverse transposed.

        Directions that differ by rounding only, in their own type or in `dtype`, depend on each other: apart, they
        would have amounts as large as rounding is small, of opposite signs.
        """
        eps = max(self.eps, torch.finfo(dtype).eps)
        # Rounding changes a matrix of k rows of length 1 by about eps times the root of k.
        inverse: FloatArray = np.linalg.pinv(self.rows, rcond=4 * eps * math.sqrt(len(self))).astype(
            np.float64
        )
        return inverse.T


def checked_basis(basis: Any, layer: Layer, encoder: Any = None) -> Basis:
    """Directions ``(k, n_units)`` of a layer; ValueError or TypeError where they are none.

    With an encoder, see `checked_encoder`, they are as long as they were given, and some may be 0.
    """
    expected = (
        f"directions as rows, an array (k, {layer.n_units}), for the {layer.n_units} units of {layer.name!r}"
    )
    try:
        if isinstance(basis, torch.Tensor):
            eps = torch.finfo(basis.dtype).eps if basis.is_floating_point() else 0.0
            # NumPy has no bfloat16.
            array = (basis.double() if basis.is_floating_point() else basis).detach().cpu().numpy()
        else:
            array = as_array(basis)
            if array is None:
                raise TypeError
            eps = float(np.finfo(array.dtype).eps) if array.dtype.kind == "f" else 0.0
        if array.dtype.kind not in "fiub":
            raise TypeError
        found = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"basis={type(basis).__name__}: expected {expected}") from None
    if found.ndim != 2 or found.shape[1] != layer.n_units or not len(found):
        raise ValueError(f"basis: has shape {found.shape}; expected {expected}")
    if not np.isfinite(found).all():
        raise ValueError(f"basis: holds NaN or infinity; expected {expected}")
    if encoder is not None:
        return Basis(found, eps, encoder)
    empty = np.flatnonzero(~found.any(1))
    if len(empty):
        raise ValueError(f"basis: row {empty[0]} is all 0; expected {expected}")
    found = found / np.abs(found).max(1, keepdims=True)  # whose squares neither vanish nor overflow
    return Basis(found / np.linalg.norm(found, axis=1, keepdims=True), eps)


@torch.inference_mode(False)
@torch.no_grad()
def with_directions(capture: Capture, layer: Layer, basis: Basis) -> Capture:
    """The recording in which a layer's units are directions.

    Parameters
    ----------
    basis : Basis
        See `checked_basis`.

    Raises
    ------
    UntraceableError
        The layer is a grouped convolution, has complex weights, or has directions already.
    """
    _require_plain(capture.weighted[layer.name])
    with CALLS:  # stand-ins, which tell the shapes of values, are not for several threads at once
        return _with_directions(capture, layer, basis)


def _with_directions(capture: Capture, layer: Layer, basis: Basis) -> Capture:
    before = capture.weighted[layer.name]
    graph, copies = fx.Graph(), dict[fx.Node, fx.Node]()
    graph.output(graph.graph_copy(capture.graph, copies))
    constants = dict(capture.constants)

    def constant(values: FloatArray) -> fx.Node:
        """A new input of the graph that holds a constant."""
        shape = (*values.shape, *(1,) * (before.weight.ndim - 2))
        tensor = torch.from_numpy(values.copy()).reshape(shape).to(before.weight)
        with graph.inserting_before(next(iter(graph.nodes))):
            made = graph.placeholder(f"directions_{len(constants)}")
        made.meta["val"] = copies[before.node].meta["val"].new_empty(shape, dtype=tensor.dtype)
        constants[made.name] = tensor
        return made

    writer, node, data = constant(basis.rows.T), copies[before.node], copies[before.data]
    mixing: Any = aten.linear.default if layer.op == "linear" else _CONVOLUTIONS[before.weight.ndim - 2]
    if basis.encoder is None:
        reading = insert_before(node, mixing, data, constant(basis.reader(before.weight.dtype)))
    else:
        encoder = Encoder(basis.encoder, before.channel_axis, len(basis))
        check_values(encoder, capture.run(0, [before.data])[before.data])
        with graph.inserting_before(node):
            reading = graph.call_function(encoder, (data,))
        reading.meta.update({name: value for name, value in node.meta.items() if name != "val"})
        shape = list(data.meta["val"].shape)
        shape[before.channel_axis] = len(basis)
        reading.meta["val"] = data.meta["val"].new_empty(shape)
    rebuilt = insert_before(node, mixing, reading, writer)
    rest = insert_before(node, aten.sub.Tensor, data, rebuilt)
    product = _product(node, before, reading, writer)
    node.args = (rest, *node.args[1:])
    with graph.inserting_after(node):
        total = graph.call_function(aten.add.Tensor, (node, product))
    total.meta.update(node.meta)
    node.replace_all_uses_with(total, lambda user: user is not total)
    made = Directed(
        layer.name,
        len(basis),
        reading.name,
        rebuilt.name,
        product.name,
        total.name,
        basis.encoder is not None,
    )
    found = dataclasses.replace(
        capture,
        graph=graph,
        constants=constants,
        varying=find_varying(graph, constants),
        directed=(*capture.directed, made),
    )
    found.weighted = find_layers(found)
    found.layers = Layers([one.layer for one in found.weighted.values()], capture.layers.note)
    found.compare = Replay(found, is_known=True).check
    return found


def _product(node: fx.Node, before: WeightedOp, reading: fx.Node, writer: fx.Node) -> fx.Node:
    """The layer's op on the directions: its weight, multiplied by what each direction writes to the units."""
    weight = cast(fx.Node, node.args[1])
    make: Callable[..., fx.Node] = insert_before
    if before.layer.op == "linear":
        if (
            str(node.target).split(".")[1] != "linear"
        ):  # a plain product, whose weight stands the other way round
            weight = make(node, aten.permute.default, weight, [1, 0])
        mixed = make(node, aten.matmul.default, weight, writer)
        return make(node, aten.linear.default, reading, mixed)
    flat = make(node, aten.flatten.using_ints, writer, 1)
    equation = "io...,ik->ko..." if before.is_transposed else "oi...,ik->ok..."
    mixed = make(node, aten.einsum.default, equation, [weight, flat])
    rest = node.args[3:]
    return make(node, cast(Any, node.target), reading, mixed, None, *rest)


def _require_plain(found: WeightedOp) -> None:
    layer = found.layer
    if layer.has_directions:
        raise UntraceableError(
            f"layer={layer.name!r}: its units are directions already; give all directions in one basis"
        )
    if layer.n_groups > 1:
        raise UntraceableError(
            f"layer={layer.name!r}: a convolution of {layer.n_groups} groups, in which a unit reaches the outputs of "
            "its own group only, has no directions over all units"
        )
    if found.weight.is_complex():
        raise UntraceableError(f"layer={layer.name!r}: has complex weights; directions are of real ones")
