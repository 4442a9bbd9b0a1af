"""The weighted ops of a captured graph in one form, however they are written.

``nn.Linear``, ``F.linear`` on raw parameters, ``x @ w.T`` with the bias added afterwards and ``addmm`` are all a linear
layer with a weight ``(n_out, n_in)`` and a bias.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx
from torch.nn.functional import one_hot

from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.layers import Layer


@dataclass(frozen=True)
class Directed:
    """Where the directions of a layer stand in the graph, see `with_directions`: the names of ops.

    Attributes
    ----------
    layer : str
    count : int
        How many directions.
    reading : str
        How much of each direction there is.
    rebuilt : str
        The part of the units that they span.
    product : str
        What the layer makes of the directions.
    total : str
        That, and what the layer makes of the rest.
    is_encoded : bool
        Whether a user's encoder says how much of each there is; else a pseudo-inverse does.
    """

    layer: str
    count: int
    reading: str
    rebuilt: str
    product: str
    total: str
    is_encoded: bool = False


@dataclass(frozen=True)
class WeightedOp:
    """A layer and where it stands in the graph.

    Attributes
    ----------
    node : fx.Node
        The op that multiplies.
    output : fx.Node
        The layer's output: the same, or the op that adds the bias to it.
    data : fx.Node
        What the layer works on.
    weight : torch.Tensor
        ``(n_out, n_in)``, for a convolution ``(n_out, n_in / groups, *kernel_size)``, for a transposed one
        ``(n_in, n_out / groups, *kernel_size)``.
    bias : torch.Tensor or None
    table : str
        Where its units are features of a learned grid: the parameter that they are looked up in; see `with_grids`.
    """

    layer: Layer
    node: fx.Node
    output: fx.Node
    data: fx.Node
    weight: torch.Tensor
    bias: torch.Tensor | None
    table: str = ""

    @property
    def is_transposed(self) -> bool:
        return self.layer.op.startswith("conv_transpose")

    @property
    def channel_axis(self) -> int:
        """Which axis of its data and of its output the units and outputs are on, counted from the end."""
        return -1 if self.layer.op == "linear" else 1 - self.weight.ndim

    @property
    def window(self) -> tuple[list[int], list[tuple[int, int]], list[int]]:
        """Of a 2-d convolution: the stride, the padding before and after, and the dilation, on each axis."""
        given: Any = [*self.node.args, *[None] * 7][3:6]
        stride, dilation = _pair(given[0], 1), _pair(given[2], 1)
        if not isinstance(given[1], str):
            return stride, [(n, n) for n in _pair(given[1], 0)], dilation
        same = given[1] == "same"
        total = [d * (n - 1) * same for d, n in zip(dilation, self.layer.kernel_size, strict=True)]
        return stride, [(n // 2, n - n // 2) for n in total], dilation

    def apply(
        self,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        groups: int | None = None,
    ) -> torch.Tensor:
        """The op itself on other data, weights and bias, ``(n_out, n_in)`` for a linear layer."""
        if self.layer.op == "linear":
            return torch.nn.functional.linear(x, weight, bias)
        rest = list(self.node.args[3:])
        if groups is not None:
            n = self.weight.ndim - 2
            third = [0] * n if self.is_transposed else [1] * n  # output padding, or dilation
            rest += ([1] * n, [0] * n, third, 1)[len(rest) :]
            rest[3] = groups
        return cast(Any, self.node.target)(x, weight, bias, *rest)

    def terms(self, x: torch.Tensor, neurons: torch.Tensor, share: torch.Tensor | None) -> torch.Tensor:
        """What units ``(k,)`` or kernels ``(k, 2)`` add to the layer's output, ``(k, *output)``.

        Parameters
        ----------
        share : torch.Tensor or None
            A bias for each output that every unit (and, for its output, every kernel) brings along.
        """
        n_out, per_unit = self.layer.n_outputs, self.layer.outputs_per_unit
        units = neurons if neurons.ndim == 1 else neurons[:, 0]
        if neurons.ndim == 2:
            owned = one_hot(neurons[:, 1], n_out).to(self.weight.dtype)
        else:
            group = units * self.layer.n_groups // self.layer.n_units
            owned = torch.arange(n_out, device=x.device) // per_unit == group[:, None]
            owned = owned.to(self.weight.dtype)
        if self.layer.op == "linear":
            terms = x[..., units].movedim(-1, 0)[..., None] * _spread(
                self.weight.T[units] * owned, x.ndim, -1
            )
        elif x.ndim < self.weight.ndim:  # no batch axis
            terms = self._split(x[None], neurons)[:, 0]
        else:
            terms = self._split(x, neurons)
        if share is None:
            return terms
        return terms + _spread(owned * share, terms.ndim - 1, self.channel_axis)

    def terms_of_kernels(
        self, x: torch.Tensor, kernels: torch.Tensor, share: torch.Tensor | None
    ) -> torch.Tensor:
        """What kernels ``(k, 2)`` add to the one output that each writes to: `terms` with that channel alone."""
        units, outputs = kernels[:, 0], kernels[:, 1]
        if self.layer.op == "linear":
            weight = self.weight[outputs, units]
            terms = x[..., units].movedim(-1, 0)[..., None] * weight.reshape(-1, *(1,) * x.ndim)
        elif x.ndim < self.weight.ndim:  # no batch axis
            terms = self._grouped(x[None], kernels)[:, 0]
        else:
            terms = self._grouped(x, kernels)
        return terms if share is None else terms + share[outputs].reshape(-1, *(1,) * (terms.ndim - 1))

    def kept(self, neurons: torch.Tensor) -> torch.Tensor:
        """The weights of units ``(k,)`` or kernels ``(k, 2)``, all others set to 0: their terms in one application."""
        return torch.where(self.mask(neurons), self.weight, 0)

    def mask(self, neurons: torch.Tensor) -> torch.Tensor:
        """Which weights are those of units ``(k,)`` or kernels ``(k, 2)``, in a shape that broadcasts to the weight."""
        n_in, per_unit = self.layer.shape_of("kernel")
        mask = torch.zeros(n_in, per_unit, dtype=torch.bool, device=self.weight.device)
        if neurons.ndim == 1:
            mask[neurons] = True
        else:
            mask[neurons[:, 0], neurons[:, 1] % per_unit] = True
        return self.for_weights(mask)

    def _split(self, x: torch.Tensor, neurons: torch.Tensor) -> torch.Tensor:
        """The split convolution of all units or kernels, with all outputs."""
        k, per_unit = len(neurons), self.layer.outputs_per_unit
        split = self._grouped(x, neurons)
        if split.shape[2] == self.layer.n_outputs:
            return split
        if neurons.ndim == 2:
            outputs = neurons[:, 1:]
        else:
            first = neurons * self.layer.n_groups // self.layer.n_units * per_unit
            outputs = first[:, None] + torch.arange(per_unit, device=x.device)
        terms = split.new_zeros(k, len(x), self.layer.n_outputs, *split.shape[3:])
        terms[torch.arange(k, device=x.device)[:, None], :, outputs] = split.transpose(1, 2)
        return terms

    def _grouped(self, x: torch.Tensor, neurons: torch.Tensor) -> torch.Tensor:
        """The split convolution of all units or kernels as one grouped convolution, with the outputs of each."""
        k, per_unit = len(neurons), self.layer.outputs_per_unit
        kernels = self.kernels_of(self.weight)
        if neurons.ndim == 2:
            units = neurons[:, 0]
            weight = kernels[units, neurons[:, 1] % per_unit][:, None]
        else:
            units, weight = neurons, kernels[neurons]
        if not self.is_transposed:
            weight = weight.flatten(0, 1)[:, None]
        return self.apply(x[:, units], weight, groups=k).unflatten(1, (k, -1)).transpose(0, 1)

    def channels(self, values: torch.Tensor) -> torch.Tensor:
        """One value an output, in the shape that broadcasts to the layer's output."""
        if self.layer.op == "linear":
            return values
        return values.reshape(-1, *(1,) * (self.weight.ndim - 2))

    def kernels_of(self, values: torch.Tensor) -> torch.Tensor:
        """Values in the shape of the weight as those of kernels, ``(n_in, n_out / n_groups, *kernel_size)``."""
        if self.is_transposed:
            return values
        return values.unflatten(0, (self.layer.n_groups, -1)).transpose(1, 2).flatten(0, 1)

    def for_weights(self, kernels: torch.Tensor) -> torch.Tensor:
        """Values of kernels ``(n_in, n_out / n_groups)`` in a shape that broadcasts to the weight."""
        values = kernels
        if not self.is_transposed:
            values = kernels.unflatten(0, (self.layer.n_groups, -1)).transpose(1, 2).flatten(0, 1)
        return values.reshape(*values.shape, *(1,) * (self.weight.ndim - 2))

    def added_up(self, kernels: torch.Tensor) -> torch.Tensor:
        """For each output ``(n_out,)``, the sum of the values ``(n_in, n_out / n_groups)`` of its kernels."""
        return kernels.unflatten(0, (self.layer.n_groups, -1)).sum(1).flatten()

    def by_kernel(self, values: torch.Tensor) -> torch.Tensor:
        """``(n_in, n_out / n_groups)`` from one value a weight: the values of each kernel are added."""
        kernels = self.kernels_of(values)
        return kernels.flatten(2).sum(-1) if kernels.ndim > 2 else kernels

    def for_kernels(self, values: torch.Tensor) -> torch.Tensor:
        """``(n_in, n_out / n_groups)`` from one value an output: every kernel has that of its output."""
        by_group = values.unflatten(0, (self.layer.n_groups, -1))
        return by_group.repeat_interleave(self.layer.n_units // self.layer.n_groups, 0)


def _pair(given: Any, default: int) -> list[int]:
    """One number for each of two axes."""
    values = [default] if given is None else list(given)
    return values * (2 // len(values))


def _spread(values: torch.Tensor, ndim: int, axis: int) -> torch.Tensor:
    """``(k, n)`` in the shape that broadcasts to ``(k, *shape)`` where `axis` of the `ndim` of shape has length n."""
    shape = [1] * ndim
    shape[axis] = values.shape[1]
    return values.reshape(len(values), *shape)


def bias_added_to(node: fx.Node, fixed: Any, channels: int) -> tuple[fx.Node, torch.Tensor | None]:
    """The op that adds a fixed vector of one value an output right after `node`, and the vector."""
    users = list(node.users)
    if len(users) == 1 and users[0].target is aten.add.Tensor and not users[0].kwargs:
        others = [argument for argument in users[0].args if argument is not node]
        if len(others) == 1 and isinstance(others[0], fx.Node):
            bias = fixed(others[0])
            if bias is not None and bias.numel() == channels and bias.shape[-1] == channels:
                return users[0], bias.reshape(channels)
    return node, None
