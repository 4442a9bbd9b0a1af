"""Norms as what they compute: ``(x - mean) / sqrt(variance + eps) * weight + bias``.

The mean is linear in what it is taken of, and the variance is a frozen op, so that no rule has to know norms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from torch import fx

from canvaswidget.tracing.capture.editing import (
    PART,
    WRITTEN,
    insert_before,
    is_open,
    replace,
    result,
    shape_of,
)
from canvaswidget.tracing.capture.ops import aten

_NAMES = ("batch_norm", "layer_norm", "group_norm", "instance_norm")
_EPS = 1e-5  # torch's default


@dataclass(frozen=True)
class _Norm:
    """What the arguments of a norm say.

    Attributes
    ----------
    axes : tuple of int
        What is measured over which axes of the input; not used with running statistics.
    weight, bias : fx.Node or None
    by_channel : bool
        Whether weight and bias have one value a channel; else they have the shape of the last axes.
    running : (mean, variance) or None
        Statistics that are not measured in the frame.
    n_groups : int or None
        The channels are measured in so many groups.
    """

    axes: tuple[int, ...]
    weight: fx.Node | None
    bias: fx.Node | None
    eps: float | None
    by_channel: bool = True
    running: tuple[fx.Node, fx.Node] | None = None
    n_groups: int | None = None


def is_norm(node: fx.Node) -> bool:
    """Whether the model has a norm in the place of an op."""
    return node.meta.get(WRITTEN) in _NAMES


def _as_arithmetic(node: fx.Node) -> None:
    """A norm as a sum and products of its input; of its results only the first is used, not the statistics."""
    norm, x = _NORMS[node.target](*cast(Any, node.args)), cast(fx.Node, node.args[0])
    values = result(node, 0) if isinstance(node.meta["val"], list | tuple) else node
    if values is None:
        return
    values.meta[WRITTEN] = next(name for name in _NAMES if name in str(node.target))
    values.meta[PART] = True
    ndim = x.meta["val"].ndim

    def then(target: Any, *arguments: Any) -> fx.Node:
        return insert_before(values, target, *arguments)

    def spread(parameter: fx.Node) -> fx.Node:
        if not norm.by_channel:
            return parameter
        return then(aten.reshape.default, parameter, [-1, *[1] * (ndim - 2)])

    if norm.n_groups is not None:
        x = then(aten.unflatten.int, x, 1, [norm.n_groups, -1])
    if norm.running is None:
        made = then(aten.sub.Tensor, x, then(aten.mean.dim, x, norm.axes, True))
        variance = _measured(made, norm.axes, then)
    else:
        mean, variance = map(spread, norm.running)
        made = then(aten.sub.Tensor, x, mean)
    deviation = then(aten.add.Tensor, variance, _EPS if norm.eps is None else norm.eps)
    made = then(aten.mul.Tensor, made, then(aten.rsqrt.default, deviation))
    if norm.n_groups is not None:
        made = then(aten.flatten.using_ints, made, 1, 2)
    if norm.weight is not None:
        made = then(aten.mul.Tensor, made, spread(norm.weight))
    if norm.bias is not None:
        made = then(aten.add.Tensor, made, spread(norm.bias))
    del made.meta[PART]
    replace(values, made)


def _measured(centred: fx.Node, axes: tuple[int, ...], then: Callable[..., fx.Node]) -> fx.Node:
    """The variance of values whose mean is 0, as a frozen op."""
    if is_open(centred):
        return then(aten.var.dim, centred, axes, False, True)
    # Many times as fast as the variance.
    length = then(aten.linalg_vector_norm.default, centred, 2, axes, True)
    root = then(aten.mul.Tensor, length, math.prod(shape_of(centred)[axis] for axis in axes) ** -0.5)
    return then(aten.mul.Tensor, root, root)


def _layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: Any = None, *_: Any) -> _Norm:
    return _Norm(tuple(range(-len(shape), 0)), weight, bias, eps, by_channel=False)


def _group_norm(x: Any, groups: int, weight: Any = None, bias: Any = None, eps: Any = None, *_: Any) -> _Norm:
    return _Norm(tuple(range(2, x.meta["val"].ndim + 1)), weight, bias, eps, n_groups=groups)


def _native_group_norm(x: Any, weight: Any, bias: Any, n: Any, c: Any, size: Any, *others: Any) -> _Norm:
    groups, eps = others
    return _group_norm(x, groups, weight, bias, eps)


def _instance_norm(
    x: Any, weight: Any, bias: Any, mean: Any, variance: Any, measures: bool, momentum: Any, eps: Any, *_: Any
) -> _Norm:
    running = None if measures else (mean, variance)
    return _Norm(tuple(range(2, x.meta["val"].ndim)), weight, bias, eps, running=running)


def _batch_norm(
    x: Any, weight: Any, bias: Any, mean: Any, variance: Any, measures: bool, momentum: Any, eps: Any, *_: Any
) -> _Norm:
    running = None if measures else (mean, variance)
    return _Norm((0, *range(2, x.meta["val"].ndim)), weight, bias, eps, running=running)


def _running_batch_norm(
    x: Any, weight: Any, bias: Any, mean: Any, variance: Any, momentum: Any, eps: Any
) -> _Norm:
    return _batch_norm(x, weight, bias, mean, variance, False, momentum, eps)


def _measuring_batch_norm(x: Any, weight: Any, bias: Any, measures: bool, momentum: Any, eps: Any) -> _Norm:
    return _batch_norm(x, weight, bias, None, None, measures, momentum, eps)


_NORMS: dict[Any, Callable[..., _Norm]] = {
    aten.layer_norm.default: _layer_norm,
    aten.native_layer_norm.default: _layer_norm,
    aten.group_norm.default: _group_norm,
    aten.native_group_norm.default: _native_group_norm,
    aten.instance_norm.default: _instance_norm,
    aten.batch_norm.default: _batch_norm,
    aten._native_batch_norm_legit_functional.default: _batch_norm,
    aten._native_batch_norm_legit_no_training.default: _running_batch_norm,
    aten._native_batch_norm_legit.no_stats: _measuring_batch_norm,
}
BY_OP = dict.fromkeys(_NORMS, _as_arithmetic)
