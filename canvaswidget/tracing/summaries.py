"""Summaries of a canvas: the exact ones, held in a part of the memory budget, and the estimated ones."""

from __future__ import annotations

import collections
import copy
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from canvaswidget.progress import Progress
from canvaswidget.tracing.colours import checked_rgb, rgb_of_magnitudes
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import Matrix
from canvaswidget.tracing.neurons import count_neurons
from canvaswidget.tracing.reduce import Summary, Totals, summarise
from canvaswidget.tracing.sampling import (
    enumerated,
    is_by_columns,
    sampled,
    with_pixels,
)
from canvaswidget.tracing.tallies import Sample

KEPT = 1 / 8  # of the memory


class Asked(NamedTuple):
    """What a summary of a layer is of."""

    frame: int
    granularity: str | None
    rgb: str
    seed: int = 0

    def sample(self) -> Sample:
        """An empty sample to answer it from."""
        return Sample(self.frame, self.granularity, self.rgb, self.seed)


class Summaries:
    """The summaries of one matrix, by layer and what is asked of it."""

    def __init__(self, matrix: Matrix) -> None:
        self._matrix = matrix
        self._lock = threading.Lock()
        self._kept: collections.OrderedDict[tuple[str, Asked], Summary] = collections.OrderedDict()

    @property
    def n_bytes(self) -> int:
        """What those that are held take."""
        return sum(summary.n_bytes for summary in list(self._kept.values()))

    def forget(self) -> None:
        """Let go of all that are held."""
        with self._lock:
            self._kept.clear()

    def one(
        self, layer: Layer, asked: Asked, accuracy: float | None, more: Summary | None, progress: Progress
    ) -> Summary:
        """The summary of a layer: estimated where an accuracy is given and the rule can be sampled, else exact."""
        if accuracy is not None and self._matrix.rule.is_additive:
            return self.estimated(layer, asked, accuracy, more, progress)
        return self.exact(layer, asked, progress)

    def exact(self, layer: Layer, asked: Asked, progress: Progress) -> Summary:
        """The exact totals, held from the last time they were asked for."""
        key = layer.name, asked._replace(seed=0)
        with self._lock:
            summary = self._kept.get(key)
        if summary is None:
            summary = self._computed(layer, asked, progress)
            with self._lock:
                self._kept[key] = summary
                while len(self._kept) > 1 and self.n_bytes > KEPT * self._matrix.memory:
                    self._kept.popitem(last=False)
        return summary

    def estimated(
        self, layer: Layer, asked: Asked, accuracy: float, more: Summary | None, progress: Progress
    ) -> Summary:
        """Totals from a sample, which goes on from that of `more`."""
        if more is not None and more.is_exact and _is_of(more, layer, asked):
            return more
        sample = asked.sample() if more is None else _sample_of(more, layer, asked)
        *_, last = sampled(self._matrix, [layer], sample, accuracy, progress, self._exact(asked, progress))
        return with_pixels(self._matrix, last[layer.name])

    def improving(
        self, asked: Mapping[Asked, Sequence[Layer]], accuracy: float, progress: Progress
    ) -> Iterator[dict[str, Summary]]:
        """Estimates of the totals of neurons, ever better ones."""
        order = [layer.name for layers in asked.values() for layer in layers]
        found: dict[str, Summary] = {}
        for one, layers in asked.items():
            exact = self._exact(one, progress)
            for better in sampled(self._matrix, layers, one.sample(), accuracy, progress, exact):
                found.update(better)
                yield {name: found[name] for name in order if name in found}

    def with_pixels(self, summaries: Mapping[str, Summary]) -> dict[str, Summary]:
        """The same with the totals of pixels."""
        return {name: with_pixels(self._matrix, summary) for name, summary in summaries.items()}

    def _computed(self, layer: Layer, asked: Asked, progress: Progress) -> Summary:
        matrix, (frame, granularity, rgb, _) = self._matrix, asked
        if is_by_columns(matrix, layer, granularity, rgb):
            return enumerated(matrix, layer, asked.sample(), progress)
        maps = "each" if rgb == "abs" else rgb
        sweep = matrix.sweep(layer, frame, granularity, maps, progress, Totals.of, in_c_order=False)
        return summarise(layer, frame, granularity, matrix.inr.size, sweep, rgb)

    def _exact(self, asked: Asked, progress: Progress) -> Callable[[Layer], Summary]:
        """What computes the exact summary of a layer within the estimates of some."""
        return lambda layer: self.exact(layer, asked, progress)


def rgb_of_totals(matrix: Matrix, layer: Layer, rgb: str | None) -> str:
    """What the magnitudes of a layer's totals are of: `rgb`, or for None what suits the rule."""
    if rgb == "each":
        raise ValueError("rgb='each': a summary adds the colours up; ask for 'red', 'green' and 'blue'")
    return rgb_of_magnitudes(matrix, layer) if rgb is None else checked_rgb(rgb, matrix.n_channels)


def asked_of(
    matrix: Matrix, layers: Sequence[Layer], frame: int, granularity: str | None, rgb: str | None, seed: int
) -> dict[Asked, list[Layer]]:
    """What is asked of some layers, of those together whose magnitudes are of the same."""
    found: dict[Asked, list[Layer]] = {}
    for layer in layers:
        asked = Asked(frame, granularity, rgb_of_totals(matrix, layer, rgb), seed)
        found.setdefault(asked, []).append(layer)
    return found


def _is_of(more: Summary, layer: Layer, asked: Asked) -> bool:
    """Whether a summary answers what is asked."""
    shape = layer.shape_of(asked.granularity)
    given = more.layer, more.frame, more.rgb, more.neuron_abs.shape
    return given == (layer, asked.frame, asked.rgb, shape)


def _sample_of(more: Summary, layer: Layer, asked: Asked) -> Sample:
    """The sample of an estimate, to be added to; ValueError where it is of something else."""
    sample = more.sample
    if sample is None or not _is_of(more, layer, asked):
        kind = "an exact summary" if more.is_exact else "an estimate"
        raise ValueError(
            f"more: {kind} of {more.layer.name!r}, frame {more.frame}, rgb={more.rgb!r}, {more.neuron_abs.size:,} "
            f"neurons; expected a summary of {layer.name!r}, frame {asked.frame}, rgb={asked.rgb!r}, "
            f"{count_neurons(layer, asked.granularity):,} neurons"
        )
    return copy.deepcopy(sample)
