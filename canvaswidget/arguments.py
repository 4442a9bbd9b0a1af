"""Check the arguments of public functions: by name, in one place, before anything is computed.

A parameter of one name means one thing throughout the package, so a check belongs to a name. `checked` decorates a
public function; its keywords give checks of parameters that mean something else there. A check raises TypeError or
ValueError with the argument's name, what was given and what is accepted. What only the data can tell (whether a layer
has that neuron) is checked where the data are.
"""

from __future__ import annotations

import functools
import inspect
import math
import operator
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, overload

import numpy as np
import torch

Check = Callable[[str, Any], None]
Function = TypeVar("Function", bound=Callable[..., Any])

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
    return reprlib.repr(value)


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
    try:
        position = operator.index(index)
    except TypeError:
        raise TypeError(f"{argument}={index!r}: expected an int") from None
    if isinstance(index, bool):
        raise TypeError(f"{argument}={index!r}: expected an int, not a bool")
    if not -length <= position < length:
        raise IndexError(f"{argument}={position}: out of range, expected {-length} to {length - 1}")
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
        if not math.isfinite(value) or not within:
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
    return isinstance(value, Iterable) and not isinstance(value, str)


def is_number(value: Any) -> bool:
    """Whether a value is one real number, of Python or NumPy; booleans are none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _flag(name: str, value: Any) -> None:
    if not isinstance(value, bool | np.bool_):
        raise wrong_type(name, value, "True or False")


def _text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise wrong_type(name, value, "a text")


def _texts(name: str, value: Any) -> None:
    if not isinstance(value, str):
        several(_text, "a text or a sequence of texts", least=0)(name, value)


def _function(name: str, value: Any) -> None:
    if not callable(value):
        raise TypeError(f"{name}={type(value).__name__}: expected a function")


def _path(name: str, value: Any) -> None:
    if not isinstance(value, str | os.PathLike):
        raise wrong_type(name, value, "a path, a text or a pathlib.Path")
    text = os.fspath(value)
    if not isinstance(text, str) or not text or "\0" in text:
        raise wrong_value(name, value, "a path, a text or a pathlib.Path")


def _progress(name: str, value: Any) -> None:
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


def _is_layer(value: Any) -> bool:
    is_named = hasattr(value, "n_units") and isinstance(getattr(value, "name", None), str)
    return isinstance(value, str) or as_integer(value) is not None or is_named


def _layer(name: str, value: Any) -> None:
    if not _is_layer(value):
        raise wrong_type(name, value, "a layer's name, a unique part of it, its index, or a Layer")


def _layers(name: str, value: Any) -> None:
    if _is_layer(value):
        return
    expected = "a layer's name, index or Layer, or a sequence of those"
    if not is_sequence(value) or hasattr(value, "dtype") or not all(map(_is_layer, value)):
        raise wrong_type(name, value, expected)
    if not value:
        raise wrong_value(name, value, f"{expected}, at least one")


def _neuron(name: str, value: Any) -> None:
    parts = [value] if as_integer(value) is not None else value
    if not is_sequence(parts) or len(parts) not in (1, 2) or None in [as_integer(part) for part in parts]:
        raise wrong_type(name, value, "a unit i or a kernel (i, o)")


def _neurons(name: str, value: Any) -> None:
    expected = "a sequence of units i or of kernels (i, o)"
    if not is_sequence(value) or getattr(value, "ndim", 1) == 0:
        raise wrong_type(name, value, expected)
    if isinstance(value, torch.Tensor | np.ndarray):
        array = as_array(value)
        if array is None or (array.dtype.kind not in "iu" and array.size) or array.ndim > 2:
            raise wrong_type(name, value, expected)
        return
    for place, part in enumerate(value):
        _neuron(f"{name}[{place}]", part)


def _frames(name: str, value: Any) -> None:
    if as_integer(value) is not None:
        return
    several(integer(high=None), "an int or a sequence of ints", least=0)(name, value)


def _canvas(name: str, value: Any) -> None:
    if isinstance(value, type) or not hasattr(value, "traced_layers") or not hasattr(value, "inr"):
        raise wrong_type(name, value, "a canvas, as canvaswidget.trace and canvaswidget.open give it")


def _device(name: str, value: Any) -> None:
    if isinstance(value, torch.device) or (isinstance(value, str) and value == "auto"):
        return
    if not isinstance(value, str):
        raise wrong_type(name, value, "a device such as 'cpu' or 'cuda'")
    try:
        torch.device(value)
    except RuntimeError:
        raise wrong_value(name, value, "a device such as 'cpu' or 'cuda'") from None


def _axes(name: str, value: Any) -> None:
    if not hasattr(value, "plot") or not hasattr(value, "figure"):
        raise wrong_type(name, value, "matplotlib's Axes")


def _memory(name: str, value: Any) -> None:
    if not isinstance(value, str) and not is_number(value):
        raise wrong_type(name, value, "a size such as '1 GiB' or a number of bytes")


def _inr(name: str, value: Any) -> None:
    if isinstance(value, type) or not (isinstance(value, torch.nn.Module) or hasattr(value, "render")):
        raise wrong_type(name, value, "an INR or a torch.nn.Module")


def having(expected: str, *attributes: str) -> Check:
    """A result of this package that has some attributes."""

    def check(name: str, value: Any) -> None:
        if isinstance(value, type) or not all(hasattr(value, attribute) for attribute in attributes):
            raise wrong_type(name, value, expected)

    return check


def _regions_by(name: str, value: Any) -> None:
    """Names of divisions of the frame, or masks by name."""
    expected = "a name or several of 'cells', 'colours', 'gabor' and 'instances', or masks by name"
    if isinstance(value, Mapping):
        if not value or not all(isinstance(key, str) for key in value):
            raise wrong_value(name, value, expected)
        for key, masks in value.items():
            numbers("labels or masks of regions")(f"{name}[{key!r}]", masks)
    elif not isinstance(value, str):
        several(_text, expected)(name, value)


is_vectors = having("what canvaswidget.analysis.vectors returns", "values", "alive", "kind")
is_clusters = having(
    "what canvaswidget.analysis.cluster returns", "labels", "counts", "exemplars", "distances"
)
some_frames = several(integer(high=None), "a sequence of ints")


def some_groups(name: str, value: Any) -> None:
    """How many groups to make."""
    number = as_integer(value)
    if number is None or not 1 <= number <= MOST_GROUPS:
        raise wrong_value(name, value, f"an int from 1 to {MOST_GROUPS:,}")


def canvas_or_vectors(name: str, value: Any) -> None:
    """A canvas, or what was made of one."""
    if not hasattr(value, "alive"):
        _canvas(name, value)


def by_layer(name: str, value: Any) -> None:
    """Neurons by layer."""
    if not isinstance(value, Mapping) or not all(map(_is_layer, value)):
        raise wrong_type(name, value, "neurons by layer, {layer: [neuron, ...]}")
    for layer, neurons in value.items():
        _neurons(f"{name}[{layer!r}]", neurons)


COLOURS = ("sum", "abs", "each", "red", "green", "blue")
_share = number(0, 1)
_seed = integer(0, 2**32 - 1)

# By the name of the parameter. None is accepted where it is the default.
CHECKS: dict[str, Check] = {
    "act": _text,
    "against": choice("model", "truth"),
    "as_released": _flag,
    "as_torch": _flag,
    "at_most": integer(1),
    "ax": _axes,
    "batch": integer(1),
    "batch_size": integer(1),
    "budget": _memory,
    "by": _regions_by,
    "callback": _function,
    "canvas": _canvas,
    "border": _text,
    "bias": _text,
    "cells": several(integer(1, LARGEST_SIDE), "(rows, columns), two ints", 2, 2),
    "channels": integer(1, 2**10),
    "cluster": integer(0),
    "columns": integer(1, 100),
    "convention": choice("each", "longest"),
    "coordinates": choice("each", "longest"),
    "count": integer(1),
    "decoder": instance("a torch.nn.Module", torch.nn.Module),
    "dec_strds": several(integer(1, 64), "a sequence of ints"),
    "device": _device,
    "dtype": instance("a torch.dtype", torch.dtype),
    "dpi": number(1, 10_000),
    "embed": _text,
    "embeddings": instance("a tensor (n_frames, channels, ...)", torch.Tensor),
    "epochs": number(0, 1e12, open_low=True),
    "estimate": _flag,
    "fc_dim": integer(1, 2**12),
    "fc_hw": _text,
    "first": integer(),
    "fill": choice("zero", "mean", None),
    "first_omega_0": number(-1e9, 1e9),
    "flow": numbers("an array (pairs, height, width, 2)"),
    "folder": _path,
    "fps": number(0, 1000, open_low=True),
    "frame": integer(high=None),
    "frames": _frames,
    "function": _function,
    "granularity": choice("unit", "kernel", None),
    "half_width": number(0, open_low=True),
    "hidden": integer(1, 2**14),
    "hidden_omega_0": number(0, 1e9, open_low=True),
    "in_channels": integer(1, 2**14),
    "inputs": _function,
    "inr": _inr,
    "inserted": _flag,
    "k": integer(1),
    "kind": _text,
    "ks": _text,
    "last": integer(),
    "layer": _layer,
    "layers": _layers,
    "level": number(0, 1),
    "levels": several(number(0, 1), "a sequence of numbers from 0 to 1"),
    "limits": _text,
    "lower_width": integer(1, 2**12),
    "lr": number(0, 1e38, open_low=True),
    "mask": numbers("a mask (height, width)", (2,)),
    "masks": numbers("labels or masks of objects"),
    "memory": _memory,
    "module": instance("a torch.nn.Module", torch.nn.Module),
    "most": integer(1),
    "n_frames": integer(1, MOST_FRAMES),
    "n_frequencies": integer(1, 2**16),
    "name": _text,
    "names": several(_text, "a sequence of texts", least=0),
    "neuron": _neuron,
    "neurons": _neurons,
    "one": is_vectors,
    "other": is_vectors,
    "output": _function,
    "out_bias": instance("a number, 'tanh' or 'sigmoid'", int, float, str),
    "overwrite": _flag,
    "pair": integer(),
    "panels": _texts,
    "path": _path,
    "pictures": several(
        numbers("an array (height, width, 3)", (3,)), "a sequence of pictures (height, width, 3)", 2
    ),
    "points": integer(2, 10**6),
    "progress": _progress,
    "reduce": number(-1, 1e9),
    "rgb": choice(*COLOURS),
    "rule": _text,
    "rules": several(_text, "a sequence of names of rules"),
    "scale": number(0, 1e9),
    "seconds": number(0, 1e12, open_low=True),
    "seed": _seed,
    "seeds": several(_seed, "a sequence of ints", distinct=True),
    "share": _share,
    "shares": several(_share, "a sequence of numbers from 0 to 1"),
    "size": check_size,
    "sources": several(is_vectors, "a sequence of what canvaswidget.analysis.vectors returns"),
    "steps": integer(1),
    "subset": number(0, 1, open_low=True),
    "subsets": integer(0, 4096),
    "table": _text,
    "width": number(0, 1000, open_low=True),
    "within": _text,
    "x": integer(high=None),
    "y": integer(high=None),
}


# --- the decorator ------------------------------------------------------------------------------------------------


@overload
def checked(function: Function) -> Function: ...
@overload
def checked(**own: Check | None) -> Callable[[Function], Function]: ...
def checked(function: Any = None, **own: Check | None) -> Any:
    """Decorate a public function so that its arguments are checked before it runs.

    Parameters
    ----------
    function : callable
    **own : callable or None
        Checks of parameters that mean something else here than in `CHECKS`; None for no check.
    """
    if function is None:
        return functools.partial(checked, **own)
    signature = inspect.signature(function)
    unknown = own.keys() - signature.parameters.keys()
    assert not unknown, f"{function.__qualname__} has no parameter {', '.join(unknown)}"
    checks: dict[str, Check] = {}
    for name, parameter in signature.parameters.items():
        check = own[name] if name in own else CHECKS.get(name)
        if check is not None and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            checks[name] = optional(check) if parameter.default is None else check
    places: list[tuple[int, str]] = [
        (place, name) for place, name in enumerate(signature.parameters) if name in checks
    ]

    @functools.wraps(function)
    def checking(*arguments: Any, **keywords: Any) -> Any:
        for place, name in places:
            if name in keywords:
                checks[name](name, keywords[name])
            elif (
                place < len(arguments)
                and signature.parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY
            ):
                checks[name](name, arguments[place])
        return function(*arguments, **keywords)

    return checking
