"""Every finding against its definition, written down plainly: all maps at once, one neuron after another."""

from __future__ import annotations

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis import (
    distribution,
    intensity,
    motion,
    objects,
    objects_over_time,
    partitions,
    regions,
    vectors,
)
from tests import oracle
from tests.canvases import image, video

CASES = [
    (video, "xinc"),
    pytest.param(video, "gated", marks=pytest.mark.slow),
    (image, "xinc"),
    (image, "gated"),
]


def traced(make, rule: str) -> cw.Canvas:
    return cw.trace(make(), rule=rule, device="cpu", memory=2**20)


def magnitudes(canvas: cw.Canvas, layer, frame: int = 0) -> np.ndarray:
    """Of each colour, added, where the rule knows colours."""
    rgb = "sum" if canvas.why_no_colours(layer) else "each"
    maps = np.abs(np.concatenate([maps for _, maps in canvas.iter(layer, frame, rgb=rgb)]))
    return maps.sum(-1) if rgb == "each" else maps


@pytest.mark.parametrize(("make", "rule"), CASES)
def test_of_one_frame(make, rule: str) -> None:
    canvas = traced(make, rule)
    size = canvas.inr.size
    labels = np.zeros(size, int)
    labels[2:6, 3:9], labels[7:11, 1:5] = 1, 2
    for layer in canvas.traced_layers:
        own = magnitudes(canvas, layer)
        spread = distribution(canvas, layer)
        assert np.abs(spread.pixels_per_neuron.ravel() - oracle.pixels_per_neuron(own)).sum() <= 3
        for place, level in enumerate(spread.levels):
            assert spread.thresholds[place] == pytest.approx(oracle.threshold(own, level), rel=1e-4)
            counts = (own >= spread.thresholds[place]).sum(0)
            assert np.abs(spread.neurons_per_pixel[place] - counts).sum() <= 3
            assert np.allclose(spread.share_of_neurons[place], spread.neurons_per_pixel[place] / len(own))

        beside = intensity(canvas, layer)
        parts = oracle.contribution_and_intensity(own, canvas.frame(0))
        for found, expected in zip(
            (beside.contribution, beside.brightness, beside.edges), parts, strict=True
        ):
            assert np.allclose(found, expected, atol=1e-5)
        assert np.allclose(beside.difference, parts[0] - parts[1], atol=1e-5)

        care = regions(canvas, layer, masks=labels, k=5, cells=(2, 4))
        for kind, masks in care.masks.items():
            with np.errstate(invalid="ignore"):
                expected = oracle.variance_of_departures(own, masks)
            assert np.allclose(care.variances[kind].ravel(), expected, 1e-2, 1e-6, equal_nan=True), kind

        owned = objects(canvas, layer, labels)
        expected = oracle.means_of_objects(own, labels == np.array([1, 2])[:, None, None])
        assert np.allclose(owned.means.reshape(expected.shape), expected, rtol=1e-4, atol=1e-8)

        alive = np.ptp(own, (1, 2)) > 0
        pooled = vectors(canvas, layer)
        assert np.allclose(pooled.values[alive], oracle.pooled_cells(own[alive]), atol=1e-4)
        assert pooled.alive.tolist() == alive.tolist()
        found = vectors(canvas, layer, "colours", k=4)
        masks = partitions.colours(canvas.frame(0), 4)
        assert np.allclose(found.values[alive], oracle.region_vectors(own[alive], masks), atol=1e-4)


@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_over_time(rule: str) -> None:
    canvas = traced(video, rule)
    labels = np.zeros((6, *canvas.inr.size), int)
    labels[:, 2:6, 3:9], labels[2:, 7:11, 1:5] = 1, 2
    layer, frames = canvas.traced_layers[-1], (1, 2, 4)
    every = [magnitudes(canvas, layer, frame) for frame in frames]
    over = objects_over_time(canvas, layer, labels, frames)
    means = np.stack(
        [
            oracle.means_of_objects(own, labels[frame] == np.array([1, 2])[:, None, None])
            for own, frame in zip(every, frames, strict=True)
        ]
    )
    shares = oracle.shares_over_time(means)
    assert np.allclose(over.shares.reshape(shares.shape), shares, atol=1e-5, equal_nan=True)
    flow = np.random.default_rng(0).normal(size=(2, *canvas.inr.size, 2))
    moved = motion(canvas, layer, frames, flow)
    for pair in range(2):
        assert np.allclose(
            moved.change[pair], oracle.change(every[pair], every[pair + 1]), rtol=1e-4, atol=1e-6
        )
