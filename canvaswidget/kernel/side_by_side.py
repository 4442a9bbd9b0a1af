"""One selection under every rule: its maps, and how those of the others differ from what ablation shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, cast

import numpy as np

from canvaswidget.kernel import knockout
from canvaswidget.kernel.arrays import (
    Arrays,
    Chosen,
    absolute_sum,
    neuron_at,
    place_of,
)
from canvaswidget.kernel.levels import Floats, quantise
from canvaswidget.kernel.messages import Plane, RuleMap
from canvaswidget.kernel.view import Neuron
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.rules import RULES

Progress = Callable[[int, int], None]

TRUTH = "ablation"


class Signed(NamedTuple):
    """A map, the colours added; its total and whether that adds the magnitudes of each colour (see `RuleMap`)."""

    values: Floats
    total: float
    each_colour: bool


class SideBySide:
    """The same selection under each rule, of which the others are made when they are first asked for.

    Parameters
    ----------
    arrays : Arrays
        Those of the rule that is shown; what a cluster's members are is theirs to say.
    """

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays
        self._under: dict[str, Arrays] = {arrays.canvas.rule: arrays}

    def compare(self, chosen: Chosen, time: int, checkpoint: Progress) -> tuple[list[RuleMap], bytes]:
        """What is told of each rule; then the levels of the maps, and of their differences from ablation, by turns."""
        chosen = self._settled(chosen, time, checkpoint)
        found = {rule: self._map(rule, chosen, time, checkpoint) for rule in RULES}
        told: list[RuleMap] = []
        data: list[bytes] = []
        for rule, one in found.items():
            truth = None if rule == TRUTH else found[TRUTH]
            if isinstance(one, UntraceableError):
                told.append(_undefined(rule, str(one)))
                continue
            levels, plane = _plane(one.values)
            data.append(levels)
            difference = correlation = None
            if truth is not None and not isinstance(truth, UntraceableError):
                levels, difference = _plane(one.values - truth.values)
                data.append(levels)
                correlation = _correlation(one.values, truth.values)
            told.append(
                {
                    "rule": rule,
                    "why": "",
                    "total": one.total,
                    "each_colour": one.each_colour,
                    "map": plane,
                    "difference": difference,
                    "correlation": correlation,
                }
            )
        return told, b"".join(data)

    def _settled(self, chosen: Chosen, time: int, checkpoint: Progress) -> Chosen:
        """A cluster by its members: under another rule there are other clusters."""
        if chosen.cluster < 0:
            return chosen
        layer = chosen.layer
        places = self._arrays.members(chosen, time, checkpoint)
        return Chosen(layer, None, -1, 1, tuple(_neurons(chosen, places)))

    def _map(self, rule: str, chosen: Chosen, time: int, checkpoint: Progress) -> Signed | UntraceableError:
        """Of several neurons ablation has what is lost without all of them at once."""
        checkpoint(0, 0)
        layer = chosen.layer
        try:
            if rule not in self._under:
                self._under[rule] = Arrays(self._arrays.canvas.under(rule), self._arrays.cache)
            arrays = self._under[rule]
            if chosen.neuron is not None:
                place = np.array([place_of(layer, chosen.neuron)])
                maps, sizes = arrays.signed_and_sizes(layer, place, time)
                return Signed(maps[0], absolute_sum(sizes[0]), arrays.adds_each_colour(layer))
            if rule == TRUTH:
                some = chosen.neurons or _neurons(chosen, np.arange(np.prod(layer.neurons)))
                values = knockout.difference(self._arrays, {layer.name: tuple(some)}, time)
            else:
                values = arrays.sums(chosen, time, checkpoint)[1]
            return Signed(values, absolute_sum(values), False)
        except UntraceableError as error:
            return error


def _neurons(chosen: Chosen, places: np.ndarray) -> list[Neuron]:
    found = [neuron_at(chosen.layer, place) for place in places]
    return [cast(Neuron, tuple(neuron) if len(neuron) > 1 else neuron[0]) for neuron in found]


def _plane(values: Floats) -> tuple[bytes, Plane]:
    levels, low, high = quantise(values)
    return levels.tobytes(), {"low": low, "high": high}


def _undefined(rule: str, why: str) -> RuleMap:
    return {
        "rule": rule,
        "why": why,
        "total": 0.0,
        "each_colour": False,
        "map": None,
        "difference": None,
        "correlation": None,
    }


def _correlation(values: Floats, truth: Floats) -> float | None:
    """Pearson's, over the pixels; None where one of the two is the same everywhere."""
    parts = [(part - part.mean(dtype=np.float64)).ravel() for part in (values, truth)]
    scale = float(np.linalg.norm(parts[0]) * np.linalg.norm(parts[1]))
    return float(parts[0] @ parts[1]) / scale if scale > 0 else None
