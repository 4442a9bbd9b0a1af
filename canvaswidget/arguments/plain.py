"""Checks of arguments that concern no canvas: flags, texts, paths, sizes, devices."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from canvaswidget.arguments.kinds import (
    LARGEST_SIDE,
    MOST_PIXELS,
    as_integer,
    is_number,
    is_sequence,
    several,
    wrong_type,
    wrong_value,
)


def flag(name: str, value: Any) -> None:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise wrong_type(name, value, "True or False")


def text(name: str, value: Any) -> None:
    """A text, however short."""
    if not isinstance(value, str):
        raise wrong_type(name, value, "a text")


def texts(name: str, value: Any) -> None:
    """A text, or several."""
    if not isinstance(value, str):
        several(text, "a text or a sequence of texts", least=0)(name, value)


def function(name: str, value: Any) -> None:
    """Whatever can be called."""
    if not callable(value):
        raise TypeError(f"{name}={type(value).__name__}: expected a function")


def path(name: str, value: Any) -> None:
    """A path of a file or a folder."""
    if not isinstance(value, str | os.PathLike):
        raise wrong_type(name, value, "a path, a text or a pathlib.Path")
    said = os.fspath(value)
    if not isinstance(said, str) or not said or "\0" in said:
        raise wrong_value(name, value, "a path, a text or a pathlib.Path")


def some_progress(name: str, value: Any) -> None:
    """Whether to show progress, or where to report it."""
    if not isinstance(value, bool) and not callable(value):
        raise wrong_type(name, value, "True, False or a function of (done, total)")


def check_size(name: str, value: Any) -> None:
    """(height, width) of a frame."""
    if not is_sequence(value) or len(value) != 2:
        raise wrong_type(name, value, "(height, width), two ints")
    sides = [as_integer(side) for side in value]
    if None in sides:
        raise wrong_type(name, value, "(height, width), two ints")
    if not all(1 <= side <= LARGEST_SIDE for side in sides if side is not None):
        raise wrong_value(
            name, value, f"(height, width), height and width are at least 1, at most {LARGEST_SIDE:,}"
        )
    if math.prod(side for side in sides if side is not None) > MOST_PIXELS:
        raise wrong_value(name, value, f"(height, width) of at most {MOST_PIXELS:,} pixels")


def checked_size(size: Sequence[int]) -> tuple[int, int]:
    """Height and width; an error names the argument."""
    check_size("size", size)
    height, width = size
    return int(height), int(width)


def device(name: str, value: Any) -> None:
    """A device of torch, or "auto"."""
    if isinstance(value, torch.device) or (isinstance(value, str) and value == "auto"):
        return
    if not isinstance(value, str):
        raise wrong_type(name, value, "a device such as 'cpu' or 'cuda'")
    try:
        torch.device(value)
    except RuntimeError:
        raise wrong_value(name, value, "a device such as 'cpu' or 'cuda'") from None


def axes(name: str, value: Any) -> None:
    """Axes of matplotlib."""
    if not hasattr(value, "plot") or not hasattr(value, "figure"):
        raise wrong_type(name, value, "matplotlib's Axes")


def memory(name: str, value: Any) -> None:
    """A size in memory."""
    if not isinstance(value, str) and not is_number(value):
        raise wrong_type(name, value, "a size such as '1 GiB' or a number of bytes")
