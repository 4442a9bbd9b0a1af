"""What each argument of a public function may be, by the name of its parameter."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence, Set
from typing import Any

import numpy as np
import torch

from canvaswidget.arguments.kinds import (
    LARGEST_SIDE,
    MOST_FRAMES,
    MOST_GROUPS,
    MOST_PIXELS,
    Check,
    as_array,
    as_integer,
    choice,
    instance,
    integer,
    is_number,
    is_sequence,
    number,
    numbers,
    several,
    show,
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


def _texts(name: str, value: Any) -> None:
    if not isinstance(value, str):
        several(text, "a text or a sequence of texts", least=0)(name, value)


def _function(name: str, value: Any) -> None:
    if not callable(value):
        raise TypeError(f"{name}={type(value).__name__}: expected a function")


def _path(name: str, value: Any) -> None:
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


def frame_or_frames(name: str, value: Any) -> None:
    """A frame, or at least one in a sequence."""
    if as_integer(value) is None:
        several(integer(high=None), "an int or a sequence of ints")(name, value)


def some_steps(name: str, value: Any) -> None:
    """Steps of a training, in a sequence or a set."""
    steps = list(value) if isinstance(value, Set) else value
    several(integer(0, high=None), "a sequence or a set of ints, the steps", least=0)(name, steps)


def _weights(name: str, value: Any) -> None:
    """A state dict."""
    expected = "a state dict, {name: tensor}"
    if not isinstance(value, Mapping):
        raise wrong_type(name, value, expected)
    for key, tensor in value.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise wrong_type(f"{name}[{show(key)}]", tensor, expected)


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


def canvases_by_run(name: str, value: Any) -> None:
    """`canvaswidget.Runs`, or another mapping of canvases; canvases of the former are made when they are asked for."""
    if not isinstance(value, Mapping):
        raise wrong_type(name, value, "canvaswidget.Runs, or a mapping of canvases")
    if type(value) is dict:
        for key, canvas in value.items():
            _canvas(f"{name}[{show(key)}]", canvas)


def inr_or_canvas(name: str, value: Any) -> None:
    """An INR, a reference model, or a canvas of one."""
    is_canvas = hasattr(value, "traced_layers") and hasattr(value, "inr")
    is_inr = isinstance(value, torch.nn.Module) or hasattr(value, "render")
    if isinstance(value, type) or not (is_canvas or is_inr):
        raise wrong_type(name, value, "a canvas, an INR or a reference model")


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
            numbers("labels or masks of regions")(f"{name}[{show(key)}]", masks)
    elif not isinstance(value, str):
        several(text, expected)(name, value)


is_vectors = having("what canvaswidget.analysis.vectors returns", "values", "alive", "kind")
is_clusters = having(
    "what canvaswidget.analysis.cluster returns", "labels", "counts", "exemplars", "distances"
)
some_frames = several(integer(high=None), "a sequence of ints")


def vectors_by_run(name: str, value: Any) -> None:
    """Vectors by run, or one after another."""
    if not isinstance(value, Mapping):
        several(is_vectors, "what canvaswidget.analysis.vectors returns, by run or in a sequence")(
            name, value
        )
        return
    for run, vectors in value.items():
        is_vectors(f"{name}[{show(run)}]", vectors)


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
        _neurons(f"{name}[{show(layer)}]", neurons)


COLOURS = ("sum", "abs", "each", "red", "green", "blue")
_share = number(0, 1)
_seed = integer(0, 2**32 - 1)


def _accuracy(name: str, value: Any) -> None:
    if not is_number(value):
        raise wrong_type(name, value, "a number between 0 and 1, such as 0.05, or None for exact totals")
    if not 0 < value < 1:
        raise wrong_value(name, value, "a number between 0 and 1, such as 0.05, or None for exact totals")


def optional_accuracy(name: str, value: Any) -> None:
    """An accuracy, or None for exact numbers."""
    if value is not None:
        _accuracy(name, value)


def some_accuracy(name: str, value: Any) -> None:
    """An accuracy, None for exact numbers, or "auto"."""
    accepted = "'auto', a number between 0 and 1, such as 0.05, or None for exact numbers"
    if isinstance(value, str):
        if value != "auto":
            raise wrong_value(name, value, accepted)
    elif value is not None:
        if not is_number(value):
            raise wrong_type(name, value, accepted)
        if not 0 < value < 1:
            raise wrong_value(name, value, accepted)


def some_sample(name: str, value: Any) -> None:
    """How many neurons to measure, None for all, or "auto"."""
    number = as_integer(value)
    if (
        value is not None
        and not (isinstance(value, str) and value == "auto")
        and (number is None or number < 1)
    ):
        error = wrong_value if isinstance(value, str) or number is not None else wrong_type
        raise error(name, value, "'auto', an int of at least 1, or None for all neurons")


# By the name of the parameter. None is accepted where it is the default.
CHECKS: dict[str, Check] = {
    "accuracy": _accuracy,
    "act": text,
    "against": choice("model", "truth"),
    "as_released": flag,
    "as_torch": flag,
    "at_most": integer(1),
    "attempts": integer(1),
    "ax": _axes,
    "batch": integer(1),
    "batch_size": integer(1),
    "budget": _memory,
    "by": _regions_by,
    "callback": _function,
    "canvas": _canvas,
    "border": text,
    "bias": text,
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
    "edges": several(number(0, 0.5, open_low=True), "a sequence of frequencies", least=0),
    "embed": text,
    "embeddings": instance("a tensor (n_frames, channels, ...)", torch.Tensor),
    "entropy": flag,
    "epochs": number(0, 1e12, open_low=True),
    "estimate": flag,
    "fc_dim": integer(1, 2**12),
    "fc_hw": text,
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
    "hold_zeros": flag,
    "in_channels": integer(1, 2**14),
    "inputs": _function,
    "inr": _inr,
    "inserted": flag,
    "k": integer(1),
    "kind": text,
    "ks": text,
    "last": integer(),
    "layer": _layer,
    "layers": _layers,
    "level": number(0, 1),
    "levels": several(number(0, 1), "a sequence of numbers from 0 to 1"),
    "limits": text,
    "lower_width": integer(1, 2**12),
    "lr": number(0, 1e38, open_low=True),
    "mask": numbers("a mask (height, width)", (2,)),
    "masks": numbers("labels or masks of objects"),
    "memory": _memory,
    "method": text,
    "module": instance("a torch.nn.Module", torch.nn.Module),
    "most": integer(1),
    "n_frames": integer(1, MOST_FRAMES),
    "n_frequencies": integer(1, 2**16),
    "name": text,
    "names": several(text, "a sequence of texts", least=0),
    "neuron": _neuron,
    "neurons": _neurons,
    "one": is_vectors,
    "other": is_vectors,
    "output": _function,
    "out_bias": instance("a number, 'tanh' or 'sigmoid'", int, float, str),
    "overwrite": flag,
    "pair": integer(),
    "panels": _texts,
    "path": _path,
    "picture": numbers("a picture (height, width, 3), or of one channel", (3,)),
    "pictures": several(
        numbers("an array (height, width, 3)", (3,)), "a sequence of pictures (height, width, 3)", 2
    ),
    "pixels": integer(1, 2**20),
    "points": integer(2, 10**6),
    "predict": flag,
    "progress": some_progress,
    "reduce": number(-1, 1e9),
    "refit": _function,
    "rgb": choice(*COLOURS),
    "rule": text,
    "rules": several(text, "a sequence of names of rules"),
    "scale": number(0, 1e9),
    "seconds": number(0, 1e12, open_low=True),
    "seed": _seed,
    "seeds": several(_seed, "a sequence of ints", distinct=True),
    "share": _share,
    "signed": flag,
    "shares": several(_share, "a sequence of numbers from 0 to 1"),
    "size": check_size,
    "sources": several(is_vectors, "a sequence of what canvaswidget.analysis.vectors returns"),
    "snapshots": integer(0, 10_000),
    "steps": integer(1),
    "subset": number(0, 1, open_low=True),
    "subsets": integer(0, 4096),
    "table": text,
    "weights": _weights,
    "width": number(0, 1000, open_low=True),
    "within": text,
    "workers": integer(1),
    "x": integer(high=None),
    "y": integer(high=None),
}
