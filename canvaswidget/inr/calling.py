"""How a module is called: which inputs it takes, and the size of the image that it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from canvaswidget.inr.module_state import CALLS, evaluating, unchanged
from canvaswidget.inr.outputs import (
    CHANNELS,
    Candidate,
    candidates,
    chosen,
    tensors,
)
from canvaswidget.models import coordinate_grid

Inputs = Callable[[int], Any]
FloatImage = npt.NDArray[np.float32]


def first_weight(module: nn.Module) -> torch.Tensor | None:
    """The first floating-point parameter or buffer of a module, if it has one."""
    candidates = (*module.parameters(), *module.buffers())
    return next((tensor for tensor in candidates if tensor.is_floating_point()), None)


def device_of(module: nn.Module) -> torch.device:
    """Where the first weight of a module is; the CPU without one."""
    weight = first_weight(module)
    return torch.device("cpu") if weight is None else weight.device


def dtype_of(module: nn.Module) -> torch.dtype:
    """The type of the first weight of a module; float32 without one."""
    weight = first_weight(module)
    return torch.float32 if weight is None else weight.dtype


def works(module: nn.Module, *arguments: torch.Tensor, size: tuple[int, int] | None = None) -> bool:
    """Whether a module can be called like this and, where a size is given, returns an image of it."""
    with CALLS, unchanged(module), evaluating(module), torch.no_grad():
        try:
            result = module(*arguments)
        except Exception:  # a module may fail on shapes it was not made for in any way
            return False
    return size is None or bool(candidates(result, size))


def call_of_points(module: nn.Module, points: torch.Tensor) -> str:
    """``"batch"`` where a module takes coordinates as ``(1, n, d)`` only, else ``"points"``."""
    if works(module, points[:4]) or works(module, points) or not works(module, points[None]):
        return "points"
    return "batch"


def n_required(module: nn.Module) -> int:
    """How many positional arguments a module's forward requires."""
    try:
        parameters = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):  # of an extension, which does not say
        return 1
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(one.kind in kinds and one.default is inspect.Parameter.empty for one in parameters)


_OF_POINTS = ("coord", "xy", "point", "pos", "grid", "pixel")
_OF_LATENTS = ("latent", "code", "emb", "mod", "style", "cond", "feat")


def modulated_inputs(decoder: nn.Module, latent: Inputs, size: tuple[int, int]) -> Inputs:
    """Inputs of a network of coordinates and a latent, in the order and the shape that it works with."""
    first, second = list(inspect.signature(decoder.forward).parameters)[:2]
    latent_first = any(word in first.lower() for word in _OF_LATENTS) or any(
        word in second.lower() for word in _OF_POINTS
    )
    orders = ((False, True), (True, False))[latent_first]
    found: list[tuple[bool, bool]] = []

    def arguments(frame: int, batched: bool, swapped: bool) -> tuple[torch.Tensor, torch.Tensor]:
        convention = getattr(decoder, "coordinates", "each")
        points = coordinate_grid(size, convention, device=device_of(decoder), dtype=dtype_of(decoder))
        points = points[None] if batched else points
        return (latent(frame), points) if swapped else (points, latent(frame))

    def inputs(frame: int) -> tuple[torch.Tensor, torch.Tensor]:
        if not found:
            choices = [(batched, swapped) for swapped in orders for batched in (False, True)]
            working = (each for each in choices if works(decoder, *arguments(frame, *each), size=size))
            found.append(next(working, choices[0]))
        return arguments(frame, *found[0])

    return inputs


def size_of_output(module: nn.Module, inputs: Inputs) -> tuple[int, int]:
    """The size of the image that a module returns; of several, of the one that most parameters reach."""

    def images(result: Any) -> list[Candidate]:
        return [
            Candidate(path, tensor.reshape(tensor.shape[-3:]))
            for path, tensor in tensors(result)
            if tensor.ndim >= 3
            and tensor.shape[-3] in CHANNELS
            and tensor.numel() == tensor.shape[-3:].numel()
        ]

    given = inputs(0)
    with CALLS, unchanged(module), evaluating(module), torch.no_grad():
        found = images(module(given))
    if not found:
        raise ValueError(
            "size: the module returns no tensor (..., 3, height, width) to read the size from; "
            "give size=(height, width)"
        )
    sizes = {image.shape[-2:] for _, image in found}
    if len(sizes) > 1:
        found = [chosen(module, ((given,), {}), images, type(module).__name__)]
    return int(found[0].image.shape[-2]), int(found[0].image.shape[-1])
