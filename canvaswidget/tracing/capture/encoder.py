"""A sparse autoencoder's encoder as an op of a recorded graph.

It may be any function of the layer's units: it is not recorded op by op, and no rule follows it. Nothing is lost by
that. What it gives, ``a``, is written to the layer and taken from what passes beside it in equal amounts,
``x = D a + (x - D a)``, so that contributions of earlier layers are the same whatever ``a`` is.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import MethodType
from typing import Any

import torch
from torch import nn

from canvaswidget.arguments import show


class Encoder:
    """How much of each latent there is at each position, as a user's function says.

    Parameters
    ----------
    function : callable
        Of rows ``(n_positions, n_units)``; gives ``(n_positions, k)``.
    axis : int
        Which axis of the layer's data the units are on, counted from the end.
    count : int
        How many latents there are.
    """

    __name__ = "encoder"  # as ops are named

    def __init__(self, function: Callable[[torch.Tensor], Any], axis: int, count: int) -> None:
        self._function, self._axis, self._count = function, axis, count

    @torch.no_grad()
    def __call__(self, data: torch.Tensor) -> torch.Tensor:
        rows = data.movedim(self._axis, -1)
        found = self._function(rows.reshape(-1, rows.shape[-1]))
        expected = (rows.numel() // rows.shape[-1], self._count)
        if not isinstance(found, torch.Tensor):
            raise TypeError(f"encoder: returned {type(found).__name__}; expected a tensor {expected}")
        if tuple(found.shape) != expected:
            raise ValueError(
                f"encoder: returned shape {tuple(found.shape)} for rows {(expected[0], rows.shape[-1])}; expected "
                f"{expected}, one column for each row of basis"
            )
        if found.is_complex():
            raise TypeError("encoder: returned complex numbers; expected real ones")
        return found.to(data).reshape(*rows.shape[:-1], self._count).movedim(-1, self._axis)


def checked_encoder(encoder: Any, device: torch.device, dtype: torch.dtype) -> Callable[[torch.Tensor], Any]:
    """A function of rows; a module, or a method of one, is copied, so that training it on changes nothing.

    The copy is in evaluation mode, on a device and in a type.

    Raises
    ------
    TypeError
        It can't be called.
    """

    def copied(module: nn.Module) -> nn.Module:
        return copy.deepcopy(module).to(device, dtype).eval().requires_grad_(False)

    if isinstance(encoder, nn.Module):
        return copied(encoder)
    if isinstance(encoder, MethodType) and isinstance(encoder.__self__, nn.Module):
        return MethodType(encoder.__func__, copied(encoder.__self__))
    if not callable(encoder):
        raise TypeError(
            f"encoder={show(encoder)}: expected a module or a function of activations (n_positions, n_units) that "
            "gives latents (n_positions, k), or None"
        )
    return encoder


def check_values(encoder: Encoder, data: torch.Tensor) -> None:
    """Raise ValueError where an encoder gives no numbers for the activations of a frame, or others each time."""
    first, second = encoder(data), encoder(data)
    if not torch.isfinite(first).all():
        raise ValueError("encoder: returned NaN or infinity for the activations of frame 0")
    if not torch.equal(first, second):
        raise ValueError("encoder: returned other numbers when it was called again; turn its randomness off")
