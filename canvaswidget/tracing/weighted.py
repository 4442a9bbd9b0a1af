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

    def apply(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
        """The op itself on other data, weights and bias, ``(n_out, n_in)`` for a linear layer."""
        if self.layer.op == "linear":
            return torch.nn.functional.linear(x, weight, bias)
        rest = self.node.args[3:]
        return cast(Any, self.node.target)(x, weight, bias, *rest)

    def terms(self, x: torch.Tensor, neurons: torch.Tensor, share: torch.Tensor | None) -> torch.Tensor:
        """What units ``(k,)`` or kernels ``(k, 2)`` add to the layer's output, ``(k, *output)``.

        Parameters
        ----------
        share : torch.Tensor or None
            A bias for each output that every unit (and, for its output, every kernel) brings along.
        """
        return torch.stack([self._term(x, neuron, share) for neuron in neurons.tolist()])

    def _term(self, x: torch.Tensor, neuron: int | Sequence[int], share: torch.Tensor | None) -> torch.Tensor:
        unit, output = (neuron, None) if isinstance(neuron, int) else neuron
        only = self._only(unit, output)
        z = x[..., unit, None] * only[:, unit] if self.layer.op == "linear" else self.apply(x, only)
        if share is None:
            return z
        if output is not None:
            share = share * torch.nn.functional.one_hot(
                torch.tensor(output, device=share.device), len(share)
            ).to(share.dtype)
        return z + self.channels(share)

    def _only(self, unit: int, output: int | None) -> torch.Tensor:
        """The weights of a unit or a kernel, all others set to 0."""
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
