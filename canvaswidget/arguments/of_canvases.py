"""Checks of what a canvas is asked about, and of what is made from one: layers, neurons, frames, runs, results."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np
import torch

from canvaswidget.arguments.kinds import (
    MOST_GROUPS,
    Check,
    as_array,
    as_integer,
    integer,
    is_number,
    is_sequence,
    numbers,
    several,
    show,
    wrong_type,
    wrong_value,
)
from canvaswidget.arguments.plain import text


def _is_layer(value: Any) -> bool:
    is_named = hasattr(value, "n_units") and isinstance(getattr(value, "name", None), str)
    return isinstance(value, str) or as_integer(value) is not None or is_named


def one_layer(name: str, value: Any) -> None:
    """A layer, in any way that it can be named."""
    if not _is_layer(value):
        raise wrong_type(name, value, "a layer's name, a unique part of it, its index, or a Layer")


def some_layers(name: str, value: Any) -> None:
    """A layer, or several."""
    if _is_layer(value):
        return
    expected = "a layer's name, index or Layer, or a sequence of those"
    if not is_sequence(value) or hasattr(value, "dtype") or not all(map(_is_layer, value)):
        raise wrong_type(name, value, expected)
    if not value:
        raise wrong_value(name, value, f"{expected}, at least one")


def one_neuron(name: str, value: Any) -> None:
    """A unit or a kernel."""
    parts = [value] if as_integer(value) is not None else value
    if not is_sequence(parts) or len(parts) not in (1, 2) or None in [as_integer(part) for part in parts]:
        raise wrong_type(name, value, "a unit i or a kernel (i, o)")


def some_neurons(name: str, value: Any) -> None:
    """Units or kernels."""
    expected = "a sequence of units i or of kernels (i, o)"
    if not is_sequence(value) or getattr(value, "ndim", 1) == 0:
        raise wrong_type(name, value, expected)
    if isinstance(value, torch.Tensor | np.ndarray):
        array = as_array(value)
        if array is None or (array.dtype.kind not in "iu" and array.size) or array.ndim > 2:
            raise wrong_type(name, value, expected)
        return
    for place, part in enumerate(value):
        one_neuron(f"{name}[{place}]", part)


def frames(name: str, value: Any) -> None:
    """A frame, or several; also none in a sequence."""
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


def state_dict(name: str, value: Any) -> None:
    """A state dict."""
    expected = "a state dict, {name: tensor}"
    if not isinstance(value, Mapping):
        raise wrong_type(name, value, expected)
    for key, tensor in value.items():
        if not isinstance(key, str) or not isinstance(tensor, torch.Tensor):
            raise wrong_type(f"{name}[{show(key)}]", tensor, expected)


def one_canvas(name: str, value: Any) -> None:
    """A canvas, with a model or saved."""
    if isinstance(value, type) or not hasattr(value, "traced_layers") or not hasattr(value, "inr"):
        raise wrong_type(name, value, "a canvas, as canvaswidget.trace and canvaswidget.open give it")


def inr_or_module(name: str, value: Any) -> None:
    """An INR, or the module of one."""
    if isinstance(value, type) or not (isinstance(value, torch.nn.Module) or hasattr(value, "render")):
        raise wrong_type(name, value, "an INR or a torch.nn.Module")


def canvases_by_run(name: str, value: Any) -> None:
    """`canvaswidget.Runs`, or another mapping of canvases; canvases of the former are made when they are asked for."""
    if not isinstance(value, Mapping):
        raise wrong_type(name, value, "canvaswidget.Runs, or a mapping of canvases")
    if type(value) is dict:
        for key, canvas in value.items():
            one_canvas(f"{name}[{show(key)}]", canvas)


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


def regions_by(name: str, value: Any) -> None:
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
        one_canvas(name, value)


def by_layer(name: str, value: Any) -> None:
    """Neurons by layer."""
    if not isinstance(value, Mapping) or not all(map(_is_layer, value)):
        raise wrong_type(name, value, "neurons by layer, {layer: [neuron, ...]}")
    for layer, neurons in value.items():
        some_neurons(f"{name}[{show(layer)}]", neurons)


def accuracy(name: str, value: Any) -> None:
    """An accuracy of estimated totals."""
    if not is_number(value):
        raise wrong_type(name, value, "a number between 0 and 1, such as 0.05, or None for exact totals")
    if not 0 < value < 1:
        raise wrong_value(name, value, "a number between 0 and 1, such as 0.05, or None for exact totals")


def optional_accuracy(name: str, value: Any) -> None:
    """An accuracy, or None for exact numbers."""
    if value is not None:
        accuracy(name, value)


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
