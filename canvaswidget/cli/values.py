"""Values of the command line, read from text: sizes, pixels, neurons, ranges of frames."""

from __future__ import annotations

import argparse
import math
from typing import Any


def size(text: str) -> tuple[int, int]:
    """``128x256``."""
    return _numbers(text, "x", 2, "HEIGHTxWIDTH, such as 128x256")


def pixel(text: str) -> tuple[int, int]:
    """``60,100``."""
    return _numbers(text, ",", 2, "Y,X, such as 60,100")


def neuron(text: str) -> Any:
    """``17`` or ``3,17``."""
    found = _numbers(text, ",", None, "a unit such as 17, or a kernel I,O such as 3,17")
    if len(found) > 2:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a unit such as 17, or a kernel I,O such as 3,17"
        )
    return found[0] if len(found) == 1 else found


def maps(text: str) -> Any:
    """``8`` or ``all``."""
    if text == "all":
        return text
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number of maps, or all")
    return int(text)


def accuracy(text: str) -> Any:
    """A number, "auto", or None for exact."""
    if text in ("auto", "exact"):
        return None if text == "exact" else text
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number between 0 and 1, such as 0.05, 'exact' or 'auto'"
        )
    return found


def at_most(text: str) -> Any:
    """A number of neurons, "auto", or None for all."""
    if text in ("auto", "all"):
        return None if text == "all" else text
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a number of neurons, at least 1, 'all' or 'auto'"
        )
    return int(text)


def frames(text: str) -> slice:
    """``0:32``, ``0:128:4`` or ``5``."""
    expected = "frames such as 0:32, 0:128:4 or 5"
    if ":" not in text:
        (first,) = _numbers(text, ":", 1, expected)
        return slice(first, first + 1)
    try:
        parts = [int(part) if part else None for part in text.split(":")]
        return slice(*parts)
    except (ValueError, TypeError):
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}") from None


def _numbers(text: str, separator: str, count: int | None, expected: str) -> Any:
    parts = text.lower().split(separator)
    try:
        found = tuple(int(part) for part in parts)
    except ValueError:
        found = ()
    if not found or (count is not None and len(found) != count):
        raise argparse.ArgumentTypeError(f"{text!r}: expected {expected}")
    return found
