"""The weighted ops of a captured graph in one form, however they are written.

``nn.Linear``, ``F.linear`` on raw parameters, ``x @ w.T`` with the bias added afterwards and ``addmm`` are all a linear
layer with a weight ``(n_out, n_in)`` and a bias.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx
from torch.nn.functional import one_hot

from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.ops import aten


@dataclass(frozen=True)
class Weighted:
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
    """

    layer: Layer
    node: fx.Node
    output: fx.Node
    data: fx.Node
    weight: torch.Tensor
    bias: torch.Tensor | None

    @property
    def is_transposed(self) -> bool:
        return self.layer.op.startswith("conv_transpose")

    @property
    def groups(self) -> int:
        if self.layer.op == "linear":
            return 1
        return int(self._argument(6, 1))

    def _argument(self, position: int, default: Any) -> Any:
        given = self.node.args[position] if len(self.node.args) > position else None
        return default if given is None else given

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
            rest += ([1] * n, [0] * n, [1] * n, 1)[len(rest) :]
            rest[3] = groups
        return cast(Any, self.node.target)(x, weight, bias, *rest)

    def terms(self, x: torch.Tensor, neurons: torch.Tensor, share: torch.Tensor | None) -> torch.Tensor:
        """What units ``(k,)`` or kernels ``(k, 2)`` add to the layer's output, ``(k, *output)``.

        Parameters
        ----------
        share : torch.Tensor or None
            A bias for each output that every unit (and, for its output, every kernel) brings along.
        """
        n_out = self.layer.n_outputs
        units = neurons if neurons.ndim == 1 else neurons[:, 0]
        owned = torch.ones(len(neurons), n_out, dtype=self.weight.dtype, device=x.device)
        if neurons.ndim == 2:
            owned = one_hot(neurons[:, 1], n_out).to(self.weight.dtype)
        if self.layer.op == "linear":
            terms = x[..., units].movedim(-1, 0)[..., None] * _spread(
                self.weight.T[units] * owned, x.ndim, -1
            )
        elif self.is_transposed or self.groups > 1 or x.ndim < self.weight.ndim:
            terms = torch.stack([self.apply(x, self._only(neuron)) for neuron in neurons.tolist()])
        else:
            terms = self._split(x, units, neurons[:, 1] if neurons.ndim == 2 else None)
        if share is None:
            return terms
        axis = -1 if self.layer.op == "linear" else 1 - self.weight.ndim
        return terms + _spread(owned * share, terms.ndim - 1, axis)

    def kept(self, neurons: torch.Tensor) -> torch.Tensor:
        """The weights of units ``(k,)`` or kernels ``(k, 2)``, all others set to 0: their terms in one application."""
        if self.groups > 1:
            chosen = [self._only(neuron) for neuron in neurons.tolist()]
            # Kernels may be named twice, and are in their units too: each weight counts once.
            return torch.where(torch.stack(chosen).any(0), self.weight, 0) if chosen else self.weight * 0
        mask = torch.zeros(
            self.layer.n_outputs, self.layer.n_units, dtype=torch.bool, device=self.weight.device
        )
        if neurons.ndim == 1:
            mask[:, neurons] = True
        else:
            mask[neurons[:, 1], neurons[:, 0]] = True
        mask = mask.T if self.is_transposed else mask
        return torch.where(mask.reshape(*mask.shape, *(1,) * (self.weight.ndim - 2)), self.weight, 0)

    def _split(self, x: torch.Tensor, units: torch.Tensor, outputs: torch.Tensor | None) -> torch.Tensor:
        """The split convolution of all units or kernels as one grouped convolution."""
        k, n_out = len(units), self.layer.n_outputs
        if outputs is None:
            weight = self.weight[:, units].transpose(0, 1).flatten(0, 1)[:, None]
            split = self.apply(x[:, units], weight, groups=k)
            return split.unflatten(1, (k, n_out)).transpose(0, 1)
        split = self.apply(x[:, units], self.weight[outputs, units][:, None], groups=k).transpose(0, 1)
        terms = split.new_zeros(k, len(x), n_out, *split.shape[2:])
        terms[torch.arange(k, device=x.device), :, outputs] = split
        return terms

    def _only(self, neuron: int | Sequence[int]) -> torch.Tensor:
        """The weights of a unit or a kernel, all others set to 0."""
        unit, output = (neuron, None) if isinstance(neuron, int) else neuron
        kept = torch.zeros_like(self.weight)
        n_in, n_out = self.layer.n_units // self.groups, self.layer.n_outputs // self.groups
        group, within = divmod(unit, n_in)
        if output is not None and output // n_out != group:
            return kept
        if self.is_transposed:
            place: Any = (unit, slice(None) if output is None else output - group * n_out)
        else:
            place = (slice(group * n_out, (group + 1) * n_out) if output is None else output, within)
        kept[place] = self.weight[place]
        return kept

    def channels(self, values: torch.Tensor) -> torch.Tensor:
        """One value an output, in the shape that broadcasts to the layer's output."""
        if self.layer.op == "linear":
            return values
        return values.reshape(-1, *(1,) * (self.weight.ndim - 2))

    def by_kernel(self, values: torch.Tensor) -> torch.Tensor:
        """``(n_in, n_out)`` from one value a weight: its kernel windows added, 0 across groups."""
        flat = values.flatten(2).sum(-1) if values.ndim > 2 else values
        blocks = flat.chunk(self.groups)
        return torch.block_diag(*(block if self.is_transposed else block.T for block in blocks))


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
