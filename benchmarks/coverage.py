"""How many of the 95 % intervals of estimated totals hold the exact total, on a trained model, over many seeds.

All clusters of pixels are computed once, and each seed draws from them as `canvas.summary(accuracy=0.05)` does, until
the median interval is as narrow as asked for. A sketch of a neuron is a Cauchy variable whose scale is its exact total.
Totals of pixels are estimated by the passes themselves, for fewer seeds. Nothing here asserts anything.

    python benchmarks/coverage.py                 nerv_bunny
    python benchmarks/coverage.py --seeds 100
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.rules import models  # noqa: E402
from benchmarks.sweeps import FRAME  # noqa: E402
from canvaswidget.tracing.estimates import of_neurons  # noqa: E402
from canvaswidget.tracing.layers import Layer  # noqa: E402
from canvaswidget.tracing.sampling import GROWTH, SKETCHES, Sampler, sampled, with_pixels  # noqa: E402
from canvaswidget.tracing.summaries import Asked  # noqa: E402
from canvaswidget.tracing.tallies import Tally  # noqa: E402

LAYERS = "head_layer", "decoder.3", "decoder.2"
ACCURACIES = 0.15, 0.05
MOST = 800  # neurons of a layer that are looked at
PIXEL_SEEDS = 20


class Columns:
    """What all clusters hold of some neurons of a layer: a tally of any of them without a pass."""

    def __init__(self, canvas: cw.Canvas, layer: Layer) -> None:
        rng = np.random.default_rng(0)
        some = np.sort(rng.permutation(layer.n_kernels)[:MOST])
        work = Sampler(canvas.matrix, Asked(FRAME, None, "abs").sample())
        clusters = work.clusters_of(layer)
        tally = work.open(layer)
        self.parts: list[tuple[np.ndarray, np.ndarray, int]] = []
        for number in range(len(clusters)):
            last = tally.magnitudes[some], tally.pair_magnitudes[some], tally.pairs
            work.draw(clusters, number, [layer])
            held, squared = tally.magnitudes[some] - last[0], tally.pair_magnitudes[some] - last[1]
            self.parts.append((held, squared, tally.pairs - last[2]))
        self.n_pairs, self.exact = tally.pairs, tally.magnitudes[some]

    def tally(self, order: np.ndarray, drawn: int, log_sketches: np.ndarray) -> Tally:
        found = Tally.empty(len(self.exact), (1, 1))
        for number in order[:drawn]:
            held, squared, pairs = self.parts[number]
            found.magnitudes += held
            found.squares += np.square(held)
            found.with_count += held * pairs
            found.pair_magnitudes += squared
            found.pairs += pairs
            found.pair_squares += pairs**2
        found.drawn, found.sketches = drawn, min(SKETCHES, drawn)
        found.log_sketches = (np.log(self.exact) + log_sketches[: found.sketches]).sum(0)
        return found


def of_seed(columns: Columns, seed: int, accuracy: float) -> tuple[float, int, float]:
    """The part of the intervals that hold the total, of how many clusters, and the median true error."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(columns.parts))
    logs = np.log(np.abs(rng.standard_cauchy((SKETCHES, len(columns.exact)))))
    drawn = 2
    while True:
        total, low, high = of_neurons(columns.tally(order, drawn, logs), len(columns.parts), columns.n_pairs)
        if np.median((high - low) / 2 / total) <= accuracy:
            break
        drawn = min(len(columns.parts) - 1, int(np.ceil(drawn * GROWTH)))
    held = (low <= columns.exact) & (columns.exact <= high)
    return float(held.mean()), drawn, float(np.median(np.abs(total / columns.exact - 1)))


def of_pixels(canvas: cw.Canvas, layer: Layer, seeds: int) -> tuple[float, int]:
    """The part of the intervals of pixels that hold the total, and of how many passes."""
    exact, held, passes = canvas.summary(layer, FRAME).pixel_abs, [], 0
    for seed in range(seeds):
        sample = Asked(FRAME, None, "abs", seed).sample()
        found = with_pixels(canvas.matrix, next(sampled(canvas.matrix, [layer], sample, 0.5))[layer.name])
        assert found.pixel_low is not None
        assert found.pixel_high is not None
        passes = sample.tallies[layer.name].pixel_sketches
        held.append(np.mean((found.pixel_low <= exact) & (exact <= found.pixel_high)))
    return float(np.mean(held)), passes


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=400)
    given = parser.parse_args(arguments)
    title, inr = next(models("cpu"))
    canvas = cw.trace(inr, "gated", progress=False)
    print(f"{title}, rule gated, {given.seeds} seeds\n")
    for name in LAYERS:
        layer = canvas.layers.find(name)
        columns = Columns(canvas, layer)
        for accuracy in ACCURACIES:
            found = np.array([of_seed(columns, seed, accuracy) for seed in range(given.seeds)])
            held, drawn, error = found.mean(0)
            print(
                f"{name:12} ± {accuracy:.0%}: {held:.1%} of intervals hold the total (the worst tenth of seeds "
                f"{np.quantile(found[:, 0], 0.1):.1%}), {drawn:.1f} clusters, median true error {error:.1%}",
                flush=True,
            )
        held, passes = of_pixels(canvas, layer, min(given.seeds, PIXEL_SEEDS))
        print(f"{name:12} pixels: {held:.1%} of intervals hold the total, {passes} passes", flush=True)


if __name__ == "__main__":
    main()
