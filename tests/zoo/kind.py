"""What a way of writing an INR is expected to be traced as."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

import canvaswidget as cw


@dataclass(frozen=True)
class Kind:
    """A way of writing an INR.

    Attributes
    ----------
    build : callable
        A random model of it.
    layers : tuple of str
        The names of its layers, as executed.
    traced : tuple of str, optional
        Those whose contributions `gated` follows to the image, where not all.
    opaque : tuple of str
        The ops it can't follow.
    """

    build: Callable[[random.Random], cw.INR]
    layers: tuple[str, ...]
    traced: tuple[str, ...] | None = None
    opaque: tuple[str, ...] = ()


def of_coordinates(model: nn.Module, rng: random.Random, n_frames: int = 1) -> cw.INR:
    size = (rng.randint(2, 5), rng.randint(2, 5))
    return cw.INR.from_coords(model.double().eval(), size, n_frames)


def of_frames(model: nn.Module, size: tuple[int, int] | None = None) -> cw.INR:
    return cw.INR.from_frames(model.double().eval(), 3, size)


class Function(nn.Module):
    """A pointwise function as a module."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)
