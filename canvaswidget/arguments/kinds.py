"""Kinds of values that an argument can have, and errors that name the argument, the value and what is accepted."""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

Check = Callable[[str, Any], None]
Function = TypeVar("Function", bound=Callable[..., Any])

SHORTENED = reprlib.Repr()
SHORTENED.maxstring = 60  # a name of a layer in whole

LARGEST_SIDE = 2**16  # pixels
MOST_PIXELS = 2**28
MOST_FRAMES = 2**24
MOST = 2**31 - 1
MOST_GROUPS = 10_000
MOST_LISTED = 10**6  # frames, neurons or layers in a range


def show(value: Any) -> str:
    """A value in an error, short whatever it is."""
    if isinstance(value, torch.Tensor):
        return f"a tensor {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    if isinstance(value, type) or callable(value) or isinstance(value, torch.nn.Module):
        return getattr(value, "__name__", type(value).__name__)
    return SHORTENED.repr(value)


def wrong_type(name: str, value: Any, expected: str) -> TypeError:
    """The error for a value of another type."""
    return TypeError(f"{name}={show(value)}: expected {expected}")


def wrong_value(name: str, value: Any, expected: str) -> ValueError:
    """The error for a value out of range."""
    return ValueError(f"{name}={show(value)}: expected {expected}")


# --- checks -----------------------------------------------------------------------------------------------------


def as_integer(value: Any) -> int | None:
    """A whole number as an int; None where it is none. Booleans and arrays of several numbers are none."""
    if isinstance(value, bool | np.bool_) or getattr(value, "dtype", None) == torch.bool:
        return None
    try:
        return operator.index(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def checked_index(argument: str, index: int, length: int) -> int:
    """`index` counted from 0, as NumPy takes it; TypeError or IndexError names the argument."""
    position = as_integer(index)
    if position is None:
        raise wrong_type(argument, index, "an int, not a bool" if isinstance(index, bool) else "an int")
    if not -length <= position < length:
        raise IndexError(f"{argument}={show(position)}: out of range, expected {-length} to {length - 1}")
    return position % length


def integer(low: int | None = None, high: int | None = MOST) -> Check:
    """An int within a range."""

    def check(name: str, value: Any) -> None:
        number = as_integer(value)
        if number is None:
            raise wrong_type(name, value, "an int")
        if (low is not None and number < low) or (high is not None and number > high):
            least = "" if low is None else f" of at least {low:,}"
            most = "" if high is None or (low is not None and number < low) else f" of at most {high:,}"
            raise wrong_value(name, value, f"an int{least}{most}")

    return check


def number(low: float | None = None, high: float | None = None, open_low: bool = False) -> Check:
    """A finite number within a range; `open_low` leaves its lower end out."""

    def check(name: str, value: Any) -> None:
        if not is_number(value):
            raise wrong_type(name, value, "a number")
        within = (low is None or (value > low if open_low else value >= low)) and (
            high is None or value <= high
        )
        if not is_finite(value) or not within:
            least = "" if low is None else f" {'above' if open_low else 'of at least'} {low:g}"
            most = "" if high is None else f"{' and' if least else ''} of at most {high:g}"
            raise wrong_value(name, value, f"a finite number{least}{most}")

    return check


def choice(*accepted: Any) -> Check:
    """One of some words, or None where that is among them."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str | None) or value not in accepted:
            words = ", ".join(map(repr, accepted))
            error = ValueError if isinstance(value, str) else TypeError
            raise error(f"{name}={show(value)}: expected one of {words}")

    return check


def instance(expected: str, *kinds: Any) -> Check:
    """An instance of some classes."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, kinds):
            raise TypeError(f"{name}={type(value).__name__}: expected {expected}")

    return check


def optional(check: Check) -> Check:
    """None, or what a check accepts."""

    def checked_or_none(name: str, value: Any) -> None:
        if value is not None:
            check(name, value)

    return checked_or_none


def several(
    check: Check, expected: str, least: int = 1, most: int | None = None, distinct: bool = False
) -> Check:
    """A sequence, an array or a range of what a check accepts."""

    def check_all(name: str, value: Any) -> None:
        if isinstance(value, torch.Tensor | np.ndarray) and value.ndim == 0:
            raise wrong_type(name, value, expected)
        if not is_sequence(value):
            raise wrong_type(name, value, expected)
        if len(value) < least or (most is not None and len(value) > most):
            count = f"exactly {least}" if most == least else f"at least {'one' if least == 1 else least}"
            raise wrong_value(name, value, f"{expected}, {count}")
        if distinct and len({as_integer(part) for part in value} - {None}) < len(value):
            raise wrong_value(name, value, f"{expected}, each once")
        for part in value:
            check(name, part)

    return check_all


def numbers(expected: str, ndim: Sequence[int] | None = None) -> Check:
    """An array of finite numbers or booleans, or what NumPy makes one of."""

    def check(name: str, value: Any) -> None:
        array = as_array(value)
        if array is None or array.dtype.kind not in "buif":
            raise wrong_type(name, value, expected)
        if (ndim is not None and array.ndim not in ndim) or array.size == 0:
            raise ValueError(f"{name}: has shape {array.shape}; expected {expected}")
        broken = 0 if array.dtype.kind != "f" else int((~np.isfinite(array)).sum())
        if broken:
            raise ValueError(
                f"{name}: holds NaN or infinity at {broken:,} of {array.size:,} values; expected {expected}"
            )

    return check


def as_array(value: Any) -> np.ndarray | None:
    """What NumPy makes of a value without guessing; None where that is no array of numbers.

    Nor where it is a range, which is short however many numbers NumPy would write down.
    """
    if isinstance(value, range):
        return None
    try:
        return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def is_sequence(value: Any) -> bool:
    """Whether a value is several others in an order: no text, no mapping, no set, no array of no axes.

    Nor a range longer than anything here, which would be gone through one by one.
    """
    if isinstance(value, torch.Tensor | np.ndarray):
        return value.ndim > 0
    if isinstance(value, range) and len(value[: MOST_LISTED + 1]) > MOST_LISTED:
        return False
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def is_listed(value: Any) -> bool:
    """Whether a value can be gone through, in an order or not: a sequence, a set or an iterator; no text."""
    if isinstance(value, range | np.ndarray | torch.Tensor):
        return is_sequence(value)
    if not isinstance(value, Iterable) or isinstance(value, str):
        return False
    try:
        iter(value)
    except Exception:  # of a class that may be anything
        return False
    return True


def is_finite(value: float) -> bool:
    """Whether a number is finite and not beyond those that a float can be."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def is_number(value: Any) -> bool:
    """Whether a value is one real number, of Python or NumPy; booleans are none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
