"""What must hold of a rule, tried on one model (the invariants that need no second model)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch

from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.capture.precision import rounding
from canvaswidget.tracing.capture.yield_point import yield_point
from canvaswidget.tracing.coverage import coverage
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import Matrix, as_numpy
from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.results import Check, Checks
from canvaswidget.tracing.rules import AdditiveRule, options_of

_SAMPLE, _PLACES = 32, 4
_FEW, _ONE = 4, 1  # of a check that runs by itself
# Relative to the largest value compared. Answers leave in single precision, whatever they are computed in.
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-6}


# How far neurons and the remainder may miss the image, as a part of its range, and how many times its own rounding.
MISSED, OWN = 0.01, 4


def check(matrix: Matrix, frame: int, progress: Progress = False) -> Checks:
    """A table of deviations, relative to the largest value compared."""
    image = matrix.inr.render(frame)
    rendered = image.permute(1, 2, 0).float().cpu().numpy()
    lowest = matrix.capture.coarsest
    half = torch.finfo(lowest).bits < 32
    # A module in half precision rounds at every op, what was captured does not.
    note = (
        f"the module computes in {_name(lowest)}, contributions in {_name(matrix.capture.dtype)}"
        if half
        else ""
    )
    first = _judged(
        "what was captured renders the frame",
        "",
        matrix.image(frame),
        rendered,
        note or "the model was changed after it was traced, or what it renders is random",
        tolerance=max(_TOLERANCE[torch.float32], 8 * rounding(lowest, matrix.device)),
    )
    first = replace(first, note=note) if first.holds else first
    layers, tried = matrix.rule.layers, []
    missed: dict[str, float] = {}
    with steps("check", "it", progress) as counted:
        counted.plan(len(layers))
        for layer in layers:
            tried += _tried(matrix, frame, [layer], _SAMPLE, _PLACES, missed)
            counted.take()
    settled = _settled(matrix, frame, tried)
    return Checks([first, *settled, *_cancelling(matrix, frame, settled, missed)])


def check_layer(matrix: Matrix, layer: Layer, frame: int) -> str:
    """What fails of a layer on a few sampled neurons, in words; empty where all holds."""
    missed: dict[str, float] = {}
    settled = _settled(matrix, frame, list(_tried(matrix, frame, [layer], _FEW, _ONE, missed)))
    failed = [
        f"{one.layer}: '{one.invariant}' fails by {one.deviation:.1e} of the largest value"
        + (f" ({one.note})" if one.note else "")
        for one in settled
        if not one.holds
    ]
    return "; ".join(
        failed + [f"{one.layer}: {one.note}" for one in _cancelling(matrix, frame, settled, missed)]
    )


def _settled(matrix: Matrix, frame: int, checks: list[Check]) -> list[Check]:
    """The checks, those that fail tried once more in double precision: rounding alone is no failure."""
    failed = _failed(checks)
    if not failed or matrix.capture.dtype == torch.float64:
        return checks
    wide = matrix.in_double()
    layers = [layer for layer in wide.rule.layers if layer.name in failed]
    again = {
        (one.invariant, one.layer): one
        for one in _tried(wide, frame, layers, _SAMPLE, _PLACES, {})
        if one.holds
    }
    settled = []
    for one in checks:
        better = None if one.holds else again.get((one.invariant, one.layer))
        if better is not None:
            note = f"in double precision; {one.deviation:.1e} in single, by rounding"
            better = Check(one.invariant, one.layer, better.deviation, True, note)
        settled.append(better or one)
    return settled


def _cancelling(
    matrix: Matrix, frame: int, checks: Sequence[Check], missed: Mapping[str, float]
) -> list[Check]:
    """Failed checks of layers whose contributions can't be added up; of those, in which no other check fails."""
    failed = _failed(checks)
    found = {name: off for name, off in missed.items() if name not in failed and not off <= MISSED}
    if not found:
        return []
    image, own, in_double = matrix.image(frame), 0.0, found
    if matrix.capture.dtype != torch.float64:
        wide = matrix.in_double()
        # Where the network's own values cancel, its image has errors of this size without any contributions.
        own = _part(wide.image(frame) - image, image)
        in_double = {}
        layers = [layer for layer in wide.rule.layers if layer.name in found]
        for _ in _tried(wide, frame, layers, _FEW, _ONE, in_double):
            pass
    checked = []
    for name, off in found.items():
        if off > MISSED + OWN * own:
            advice = (
                "use double precision (module.double())"
                if in_double[name] <= MISSED
                else "double precision does not help, for maps are float32: use rule 'ablation'"
            )
            note = (
                "the contributions cancel so much that float32 cannot add them up: with the remainder they miss the "
                f"image by {off:.2g} times its range; {advice}"
            )
            checked.append(Check("neurons add up in float32", name, off, False, note))
    return checked


def _failed(checks: Sequence[Check]) -> set[str]:
    return {one.layer for one in checks if not one.holds}


def _tried(
    matrix: Matrix,
    frame: int,
    layers: Sequence[Layer],
    sample: int,
    places: int,
    missed: dict[str, float],
) -> Iterator[Check]:
    """The checks; by how much of the image's range neurons and remainder miss it is put into `missed`, by layer."""
    # Where a column is no shorter way than the maps themselves, there is nothing to compare.
    largest = {layer.name: 0.0 for layer in layers}
    image = matrix.image(frame)
    floor = float(np.finfo(np.float32).eps) * float(np.abs(image).max(initial=0))
    tolerance = _TOLERANCE[matrix.capture.dtype]
    for layer in layers if matrix.rule.name != "ablation" else ():
        rows, columns, size, at = _rows_and_columns(matrix, layer, frame, sample, places)
        largest[layer.name] = size
        if matrix.rule.is_additive and options_of(matrix.rule).get("bias") != "drop":
            missed[layer.name] = _missed(matrix, layer, frame, image, at)
        yield _judged("row and column agree", layer.name, columns, rows, "", tolerance, max(size, floor))
    opaque = ", ".join(sorted({op.name for op in coverage(matrix.capture, matrix.rule).of("opaque")}))
    note = f"the residual is what ends in {opaque}" if opaque else ""
    for layer in layers:
        for invariant, name, ours, expected in matrix.sums(frame, [layer]):
            if name in missed:
                missed[name] = max(missed[name], _part(ours - expected, image))
            yield _judged(invariant, name, ours, expected, note, tolerance, largest[layer.name])


def _rows_and_columns(
    matrix: Matrix, layer: Layer, frame: int, sample: int, places: int
) -> tuple[np.ndarray, np.ndarray, float, tuple[int, int]]:
    """The same entries of the matrix by rows and by columns; the largest magnitude in these rows, and its pixel."""
    generator = torch.Generator().manual_seed(0)
    height, width = matrix.inr.size
    neurons = all_neurons(layer, None)
    some = torch.randperm(len(neurons), generator=generator)[:sample].sort().values
    maps = matrix.maps(layer, neurons[some].to(matrix.device), frame, "sum")
    rows, columns = [], []
    for place in torch.randint(height * width, (places,), generator=generator).tolist():
        y, x = divmod(place, width)
        rows.append(maps[:, y, x])
        columns.append(matrix.pixel(y, x, frame, [layer], None, "sum")[layer.name].ravel()[some.numpy()])
        yield_point()
    at = divmod(int(np.abs(maps).max(0).argmax()), width)
    return np.stack(rows), np.stack(columns), float(np.abs(maps).max()), at


def _missed(matrix: Matrix, layer: Layer, frame: int, image: np.ndarray, at: tuple[int, int]) -> float:
    """How far a layer's neurons and the remainder are from the image at a pixel, as a part of the image's range."""
    column = matrix.pixel(*at, frame, [layer], None, "each")[layer.name].astype(np.float64)
    with torch.no_grad():
        remainder = cast(AdditiveRule, matrix.rule).remainder(layer, matrix.frame(frame).state)
    total = column.reshape(-1, column.shape[-1]).sum(0) + as_numpy(remainder)[(slice(None), *at)]
    return _part(total - image[at], image)


def _part(difference: np.ndarray, image: np.ndarray) -> float:
    """A difference from an image as a part of its range; of an almost even one, of a part of its level."""
    level = float(np.abs(image).max())
    size = max(float(np.ptp(image)), level / 100, float(np.finfo(np.float32).tiny))
    off = float(np.abs(difference).max()) / size
    return off if off < float("inf") else float("inf")  # numbers that overflow leave NaN


def _judged(
    invariant: str,
    layer: str,
    ours: np.ndarray,
    expected: np.ndarray,
    note: str = "",
    tolerance: float = _TOLERANCE[torch.float32],
    size: float = 0.0,
) -> Check:
    """A check of two arrays; `size` is that of the maps that make them, where it is larger than they are."""
    scale = max(float(np.abs(expected).max()), size, float(np.finfo(np.float32).tiny))
    deviation = float(np.abs(ours - expected).max()) / scale
    return Check(invariant, layer, deviation, deviation < tolerance, note)


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
