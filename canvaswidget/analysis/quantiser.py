"""A uniform quantiser of a layer's weights: which values they take, and how many bits these are.

It is the one of the code of HNeRV (Chen et al., CVPR 2023), whose files `canvaswidget.models.load_weights` reads. On a
grid of `b` bits a weight `w` becomes

    step = (max - min) / (2**b - 1)
    symbol = round((w - min) / step)
    value = min + step * symbol

where `min` and `max` are those of the layer's weight (``"per-tensor"``) or of the weights of one output channel
(``"per-channel"``), and a tie is rounded to the even symbol. Both ends are on the grid, so 1 bit leaves two values,
and weights that are all equal stay as they are. Zero need not be on the grid. HNeRV's code tries the whole tensor and
single axes, and keeps the grid with the least error; here the grid is the one that was asked for. Biases are not
quantised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from canvaswidget.arguments.kinds import Check, as_integer, choice, integer, several, wrong_type, wrong_value
from canvaswidget.tracing.capture.weighted import WeightedOp

PER_TENSOR, PER_CHANNEL = "per-tensor", "per-channel"
SCHEMES = (PER_TENSOR, PER_CHANNEL)
MOST_BITS = 16
GRID_BITS = 32  # of a grid's minimum, and of its step


@dataclass(frozen=True, eq=False)
class Quantised:
    """A layer's weight on a grid.

    Attributes
    ----------
    weight : torch.Tensor
        The values that are left, in the shape and type of the layer's weight.
    symbols : torch.Tensor
        Which value of its grid each is, 0 to ``2**bits - 1``, one row for each real number of a weight (two for complex
        ones); -1 where a weight was removed.
    low, step : torch.Tensor
        The grids, in a shape that broadcasts to the weight.
    n_grids : int
    """

    weight: torch.Tensor
    symbols: torch.Tensor
    low: torch.Tensor
    step: torch.Tensor
    n_grids: int


def quantised(
    found: WeightedOp,
    bits: int,
    scheme: str,
    kept: torch.Tensor | None = None,
    stored: torch.dtype | None = None,
) -> Quantised:
    """Put a layer's weight on a grid.

    Parameters
    ----------
    found : WeightedOp
    bits : int
    scheme : {"per-tensor", "per-channel"}
    kept : torch.Tensor, optional
        Booleans in the shape of the weight: all others are 0, and no grid spans them.
    stored : torch.dtype, optional
        Of the module's parameter: what values are rounded to, where it is less precise than the recording.
    """
    weight = found.weight
    # The real and the imaginary parts of complex weights are numbers of one grid.
    parts = torch.stack([weight.real, weight.imag] if weight.is_complex() else [weight])
    every = torch.ones_like(weight, dtype=torch.bool) if kept is None else kept
    low, high = (_ends(found, parts, every, scheme, is_largest) for is_largest in (False, True))
    step = (high - low) / (2**bits - 1)
    # Of equal weights the step is 0.
    symbols = torch.where(step > 0, (parts - low) / step, 0).round().clamp(0, 2**bits - 1)
    values = torch.where(every, low + step * symbols, 0)
    made = torch.complex(values[0], values[1]) if weight.is_complex() else values[0]
    if stored is not None:
        made = made.to(stored).to(weight.dtype)
    symbols = torch.where(every, symbols, -1).to(torch.int32)
    return Quantised(made, symbols, low, step, 1 if scheme == PER_TENSOR else found.layer.n_outputs)


def only_channels(found: WeightedOp, changed: torch.Tensor, outputs: Sequence[int]) -> torch.Tensor:
    """A layer's weight with some output channels taken from `changed`."""
    chosen = torch.zeros(found.layer.n_outputs, dtype=torch.bool, device=changed.device)
    chosen[list(outputs)] = True
    return torch.where(found.for_weights(found.for_kernels(chosen)), changed, found.weight)


def by_output(found: WeightedOp, values: torch.Tensor) -> torch.Tensor:
    """Values in the shape of the weight as those of output channels, ``(n_out, n_in / n_groups * kernel)``."""
    grouped = found.kernels_of(values).unflatten(0, (found.layer.n_groups, -1))
    return grouped.transpose(1, 2).flatten(0, 1).flatten(1)


def _ends(
    found: WeightedOp, parts: torch.Tensor, kept: torch.Tensor, scheme: str, is_largest: bool
) -> torch.Tensor:
    """The least or the largest of the weights of each grid, which broadcasts to the weight; 0 of a grid of nothing."""
    outside = -torch.inf if is_largest else torch.inf
    known = torch.where(kept, parts, outside)
    if scheme == PER_TENSOR:
        end = known.max() if is_largest else known.min()
    else:
        rows = torch.cat([by_output(found, part) for part in known], 1)
        each = rows.amax(1) if is_largest else rows.amin(1)
        end = found.for_weights(found.for_kernels(each))
    return torch.where(end.isinf(), 0, end)


# --- arguments --------------------------------------------------------------------------------------------------

check_scheme: Check = choice(*SCHEMES)
one_width: Check = integer(1, MOST_BITS)
some_widths: Check = several(one_width, f"a sequence of ints from 1 to {MOST_BITS}", distinct=True)


def widths_by_layer(name: str, value: Any) -> None:
    """A bit width, or one a layer."""
    expected = f"an int from 1 to {MOST_BITS}, or {{layer: int}}"
    if not isinstance(value, Mapping):
        if as_integer(value) is None:
            raise wrong_type(name, value, expected)
        one_width(name, value)
        return
    if not value:
        raise wrong_value(name, value, f"{expected}, at least one layer")
    for layer, width in value.items():
        one_width(f"{name}[{layer!r}]", width)
