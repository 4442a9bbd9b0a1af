"""The neurons that make a pixel or a region, and how many of a layer make most of it, as messages have them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from canvaswidget.kernel import view_checks
from canvaswidget.kernel.message_parts import LayerShare, RankedNeuron
from canvaswidget.tracing.results import Column, Ranked

CURVE_POINTS = 40


def told(ranked: Sequence[Ranked], scale: float = 1.0) -> list[RankedNeuron]:
    """As messages have them, the values multiplied by `scale`."""
    return [
        RankedNeuron(
            layer=one.layer,
            neuron=view_checks.on_wire(one.neuron) or [],
            value=float(one.value) * scale,
            share=None if math.isnan(one.share) else float(one.share),
            magnitude=float(one.magnitude) * scale,
        )
        for one in ranked
    ]


def shares(columns: Mapping[str, Column]) -> list[LayerShare]:
    """Of each layer by its column."""
    return [share_of(name, column.magnitudes) for name, column in columns.items()]


def share_of(layer: str, magnitudes: Any) -> LayerShare:
    """How many of a layer's neurons make half, and nine tenths, of what all of them contribute, in magnitude."""
    descending = np.sort(magnitudes.astype(np.float64))[::-1]
    running = np.cumsum(descending)
    total = float(running[-1]) if running.size else 0.0
    reach = [int(np.searchsorted(running, part * total) + 1) if total > 0 else 0 for part in (0.5, 0.9)]
    counts = np.unique(np.geomspace(1, max(1, running.size), CURVE_POINTS).round().astype(int))
    return LayerShare(
        layer=layer,
        n_neurons=int(running.size),
        total=total,
        n50=reach[0],
        n90=min(reach[1], running.size),
        counts=counts.tolist(),
        shares=(running[counts - 1] / total).round(5).tolist() if total > 0 else [0.0] * len(counts),
    )
