"""The orders in which neurons are removed from pruned copies: by rule, by the size of their weights, at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.least_contributing import totals_of_layers
from canvaswidget.analysis.pruning import canvases_by_rule, defined_on
from canvaswidget.analysis.sampled import Accuracy, Sampling, together
from canvaswidget.progress import Steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layer_weight import magnitudes
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.neurons import count_neurons

DoubleArray = npt.NDArray[np.float64]


def removal_orders(
    canvas: Canvas,
    layers: list[Layer],
    rules: Sequence[str] | None,
    frames: Sequence[int],
    granularity: str,
    accuracy: Accuracy,
    seeds: Sequence[int],
    seed: int,
    counted: Steps,
) -> tuple[list[tuple[str, list[tuple[Layer, DoubleArray]]]], dict[str, list[Layer]], Sampling | None]:
    """What neurons are ordered by, from the first to go, under each name; random ones share theirs."""
    orders: list[tuple[str, list[tuple[Layer, DoubleArray]]]] = []
    where: dict[str, list[Layer]] = {}
    samplings: list[Sampling | None] = []
    for rule, one in canvases_by_rule(canvas, rules).items():
        own = defined_on(one, layers)
        if not own:
            continue
        totals, sampling = totals_of_layers(one, own, frames, granularity, accuracy, seed, counted)
        where[rule] = own
        orders.append((rule, totals))
        samplings.append(sampling)
    capture = canvas.matrix.capture
    sizes = [magnitudes(capture, layer, granularity).ravel().astype(np.float64) for layer in layers]
    orders.append(("magnitude", list(zip(layers, sizes, strict=True))))
    for one_seed in seeds:
        rng = np.random.default_rng(one_seed)
        drawn = [rng.permutation(count_neurons(layer, granularity)).astype(np.float64) for layer in layers]
        orders.append(("random", list(zip(layers, drawn, strict=True))))
    return orders, where, together(samplings)
