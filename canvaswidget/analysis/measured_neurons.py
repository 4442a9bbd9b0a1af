"""Neurons under a rule and under ablation: a sample that can grow, from which faithfulness is estimated."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.intervals import Interval, rank_correlation
from canvaswidget.progress import Steps
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.protocol import CanvasLike

FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

BATCH_BYTES = 2**26
# Of the image's largest value: what re-rendering alone may change.
ROUNDING = 16 * float(np.finfo(np.float32).eps)


class MeasuredNeurons:
    """Totals, and values at some pixels, of the neurons that were measured so far: under a rule and under ablation."""

    def __init__(
        self, canvas: CanvasLike, layer: Layer, frame: int, fill: str, places: IntArray, batch: int | None
    ) -> None:
        self.canvas, self.layer, self.frame, self.fill, self.places = canvas, layer, frame, fill, places
        self.truth = canvas.ablation(fill)
        self.image = canvas.frame(frame)
        self.floor = ROUNDING * max(float(np.abs(self.image).max()), 1.0)
        self.neurons = np.empty(0, np.int64)
        self.rule_totals = self.ablation_totals = np.empty(0, np.float32)
        self.rgb = "sum" if canvas.why_no_colours(layer) else "each"
        # Signed, with colours where the rule knows them; and the magnitudes of the changes.
        self.rule_values = np.empty(
            (0, len(places), 1 if self.rgb == "sum" else self.image.shape[-1]), np.float32
        )
        self.ablation_values = np.empty((0, len(places)), np.float32)
        self.batch = batch or max(1, BATCH_BYTES // (4 * self.image.size))

    def add(self, neurons: IntArray, counted: Steps) -> None:
        """Measure more neurons."""
        counted.plan(2 * len(neurons))
        parts: list[list[FloatArray]] = [[], [], [], []]
        for start in range(0, len(neurons), self.batch):
            some = neurons[start : start + self.batch]
            for place, canvas, rgb in ((0, self.canvas, self.rgb), (2, self.truth, "each")):
                maps = canvas.maps(self.layer, some, self.frame, rgb=rgb)
                maps = maps.reshape(len(some), self.image[..., 0].size, -1)
                if broken := int((~np.isfinite(maps)).any((1, 2)).sum()):
                    raise ValueError(
                        f"layer={self.layer.name!r}: the maps of {broken:,} neurons under {canvas.rule!r} hold NaN or "
                        "infinity; they have no order"
                    )
                maps[np.abs(maps) <= self.floor] = 0
                parts[place].append(np.abs(maps).sum((1, 2)))
                at = maps[:, self.places]
                parts[place + 1].append(np.abs(at).sum(-1) if place else at)
                counted.take(len(some))
        self.neurons = np.concatenate([self.neurons, neurons]) if len(self.neurons) else neurons
        self.rule_totals = np.concatenate([self.rule_totals, *parts[0]])
        self.rule_values = np.concatenate([self.rule_values, *parts[1]])
        self.ablation_totals = np.concatenate([self.ablation_totals, *parts[2]])
        self.ablation_values = np.concatenate([self.ablation_values, *parts[3]])

    def totals_interval(self, n_neurons: int, counted: Steps) -> Interval:
        ours, truth = self.rule_totals[:, None], self.ablation_totals[:, None]
        return rank_correlation(ours, truth, n_neurons, 1, counted.tell)[0]

    def pixel_interval(self, n_neurons: int, counted: Steps) -> tuple[Interval, DoubleArray]:
        """Of the mean over pixels, and each pixel's: both the neurons and the pixels were drawn."""
        n_pixels = self.image[..., 0].size
        ours, truth = np.abs(self.rule_values).sum(-1), self.ablation_values
        return rank_correlation(ours, truth, n_neurons, n_pixels, counted.tell)

    def subsets(
        self, count: int, size: int, rng: np.random.Generator, counted: Steps
    ) -> tuple[DoubleArray, DoubleArray]:
        """What random sets are said to contribute, and what goes with them: ``(count, pixels, colours)`` each."""
        counted.plan(count)
        claimed, changed = (np.empty((count, *self.rule_values.shape[1:])) for _ in range(2))
        image = self.image.reshape(-1, self.image.shape[-1])[self.places].astype(np.float64)
        for one in range(count):
            drawn = rng.permutation(len(self.neurons))[:size]
            left = self.canvas.ablate({self.layer: self.neurons[drawn]}, self.frame, fill=self.fill)
            claimed[one] = self.rule_values[drawn].sum(0, dtype=np.float64)
            change = image - left.reshape(-1, left.shape[-1])[self.places]
            changed[one] = change if self.rgb == "each" else change.sum(1, keepdims=True)
            counted.take()
        changed[np.abs(changed) <= self.floor] = 0
        return claimed, changed
