"""Which of the tensors that a module returns is the image, and how it is laid out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from canvaswidget.inr.module_state import CALLS, evaluating, replica

CHANNELS = (3, 1)
FIRST_THREE: dict[str, tuple[Any, ...]] = {  # by where the axis of channels is
    "..., :3": (..., slice(3)),
    "..., :3, :, :": (..., slice(3), slice(None), slice(None)),
    "..., :3, :": (..., slice(3), slice(None)),
}
MOST_LISTED = 4  # tensors in a message
Size = tuple[int, int]
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class Candidate(NamedTuple):
    """A tensor of the result that may be the image: where it stands in the result, and it as ``(channels, h, w)``."""

    path: str
    image: torch.Tensor


def in_colour(image: Any) -> Any:
    """An array ``(..., h, w, 1)`` repeated to three channels, to be shown or compared with colours; others as given."""
    return np.repeat(image, 3, -1) if image.shape[-1] == 1 else image


def describe(value: Any) -> str:
    """A value in an error message."""
    if isinstance(value, torch.Tensor):
        kind = "" if value.is_floating_point() else f"{value.dtype} ".removeprefix("torch.")
        return f"a {kind}tensor {tuple(value.shape)}"
    return type(value).__name__


def tensors(result: Any, path: str = "") -> list[tuple[str, torch.Tensor]]:
    """The tensors in nested lists, tuples and dicts, each with its path, such as ``[0]['rgb']``."""
    if isinstance(result, torch.Tensor):
        return [(path, result)]
    if isinstance(result, Mapping):
        return [found for name, value in result.items() for found in tensors(value, f"{path}[{name!r}]")]
    if isinstance(result, tuple | list):
        return [found for index, value in enumerate(result) for found in tensors(value, f"{path}[{index}]")]
    return []


def as_image(tensor: torch.Tensor, size: Size) -> torch.Tensor | None:
    """A tensor laid out like an image of one or three channels, as ``(channels, h, w)``; None for any other.

    The layouts are ``(c, h, w)``, ``(h, w, c)``, ``(h * w, c)`` and ``(c, h * w)``, with axes of length 1 anywhere.
    """
    height, width = size
    channels, odd = divmod(tensor.numel(), height * width)
    if odd or channels not in CHANNELS or not tensor.is_floating_point():
        return None
    layouts = (
        ((channels, height, width), (0, 1, 2)),
        ((height, width, channels), (2, 0, 1)),
        ((height * width, channels), None),
        ((channels, height * width), (0, 1, 2)),
    )
    for same in (lambda shape, layout: shape[-len(layout) :] == layout, _same_but_for_ones):
        for layout, order in layouts:
            if same(tuple(tensor.shape), layout):
                if order is None:
                    return tensor.reshape(height, width, channels).permute(2, 0, 1)
                if len(layout) == 2:
                    return tensor.reshape(channels, height, width)
                return tensor.reshape(layout).permute(order)
    return None


def candidates(result: Any, size: Size) -> list[Candidate]:
    """The tensors of a result that are laid out like an image, in order."""
    found = [(path, as_image(tensor, size)) for path, tensor in tensors(result)]
    return [Candidate(path, image) for path, image in found if image is not None]


def no_image(argument: str, result: Any, size: Size) -> ValueError:
    """What to raise where a result has no image in it; it says which channels or size it has instead."""
    found = tensors(result)
    more = f" and {len(found) - MOST_LISTED} more" if len(found) > MOST_LISTED else ""
    given = ", ".join(describe(tensor) for _, tensor in found[:MOST_LISTED]) + more or describe(result)
    height, width = size
    many = [(path, tensor) for path, tensor in found if _has_channels_of(tensor, size)]
    if many:
        counts = " or ".join(str(tensor.numel() // (height * width)) for _, tensor in many[:MOST_LISTED])
        examples = [f"{path}[{index}]" for path, tensor in many if (index := _three_channels(tensor, size))]
        such = (
            f", such as output=lambda result: result{examples[0]}"
            if examples and argument != "output"
            else ""
        )
        return ValueError(
            f"{argument}: gave {given}: {counts} channels; a signal has 1 or 3. Choose the channels to show with "
            f"output=, a function from what the module returns to a tensor (channels, {height}, {width}), "
            f"({height}, {width}, channels) or ({height * width}, channels) with 1 or 3 channels{such}"
        )
    hint = (
        "take .real or .abs() of it in output=. " if any(t.is_complex() for _, t in tensors(result)) else ""
    )
    return ValueError(
        f"{argument}: gave {given}, which is no image of size={size}; {hint}Expected a tensor of floats "
        f"(channels, {height}, {width}), ({height}, {width}, channels) or ({height * width}, channels) with 1 or 3 "
        "channels. Correct size, or give output=, a function from what the module returns to such a tensor"
    )


def _has_channels_of(tensor: torch.Tensor, size: Size) -> bool:
    channels, odd = divmod(tensor.numel(), size[0] * size[1])
    if odd or channels in (0, *CHANNELS) or not tensor.is_floating_point():
        return False
    height, width = size
    layouts = ((channels, height, width), (height, width, channels), (height * width, channels))
    return any(_same_but_for_ones(tuple(tensor.shape), layout) for layout in layouts)


def _three_channels(tensor: torch.Tensor, size: Size) -> str:
    """The index that takes an image's first three channels; empty where it has fewer."""
    for text, index in FIRST_THREE.items():
        if len(index) <= tensor.ndim + 1:
            image = as_image(tensor[index], size)
            if image is not None and len(image) == 3:
                return text
    return ""


def _same_but_for_ones(shape: Sequence[int], layout: Sequence[int]) -> bool:
    return [n for n in shape if n != 1] == [n for n in layout if n != 1]


# --- where several could be it ----------------------------------------------------------------------------------


def chosen(
    module: nn.Module, arguments: Arguments, images: Callable[[Any], list[Candidate]], name: str
) -> Candidate:
    """Of several candidates, the one that most of the module's parameters reach; a warning names the others.

    Parameters
    ----------
    module, arguments
        It is called once more, to record what each output depends on.
    images : callable
        The candidates of a result, at least one.
    """
    found, reached = _reached(module, arguments, images)
    best = max(
        range(len(found)), key=lambda at: (reached[at], len(found[at].image), found[at].image.numel(), -at)
    )
    others = [at for at in range(len(found)) if reached[at] > 0 or not any(reached)]
    if len(others) > 1:
        listed = ", ".join(
            f"result{found[at].path} {tuple(found[at].image.shape)} after {reached[at]} parameter tensors"
            for at in others
        )
        warnings.warn(
            f"output: {name} returns several tensors that could be the image: {listed}. "
            f"result{found[best].path} is taken, which most parameters reach; give "
            f"output=lambda result: result{found[best].path} to say so, or another",
            stacklevel=2,
        )
    return found[best]


def _reached(
    module: nn.Module, arguments: Arguments, images: Callable[[Any], list[Candidate]]
) -> tuple[list[Candidate], list[int]]:
    """The candidates, and how many of the module's parameters each depends on."""
    with CALLS:
        copied = replica(module)
    for parameter in copied.parameters():
        parameter.requires_grad_(parameter.is_floating_point() or parameter.is_complex())
    positional, keywords = arguments
    with evaluating(copied), torch.inference_mode(False), torch.enable_grad():
        found = images(copied(*positional, **keywords))
    return found, [len(_leaves(candidate.image)) for candidate in found]


def _leaves(tensor: torch.Tensor) -> set[int]:
    """The parameters that a tensor was computed from, by identity."""
    waiting: list[Any] = [tensor.grad_fn]
    seen: set[Any] = set()
    leaves: set[int] = set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            leaves.add(id(node.variable))
        waiting.extend(source for source, _ in node.next_functions)
    return leaves
