"""Regions of a frame, and what neurons care about."""

from __future__ import annotations

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis import partitions
from canvaswidget.analysis.regions import regions
from tests.canvases import MapsCanvas, image, magnitudes, video


def test_grid_cells_are_rectangles_and_the_released_ones_are_combs() -> None:
    cells = partitions.grid((5, 7), (2, 3))
    assert cells.shape == (6, 5, 7)
    assert (cells.sum(0) == 1).all()
    for cell in cells:
        ys, xs = np.nonzero(cell)
        assert cell[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].all()
    assert sorted(cells.sum((1, 2)).tolist()) == [4, 4, 6, 6, 6, 9]
    combs = partitions.grid((8, 16), (4, 8), as_released=True)
    assert combs.shape == (32, 8, 16)
    assert (combs.sum(0) == 1).all()
    # Region 8 * 1 + 3: every fourth row from 1, every eighth column from 3.
    assert np.argwhere(combs[11]).tolist() == [[1, 3], [1, 11], [5, 3], [5, 11]]
    with pytest.raises(ValueError, match="cells="):
        partitions.grid((5, 7), (6, 1))


def test_colours_are_found_whatever_their_place() -> None:
    rng = np.random.default_rng(0)
    palette = np.array([[1, 0, 0], [0, 1, 0], [0.1, 0.1, 1]])
    which = rng.integers(0, 3, (20, 30))
    masks = partitions.colours(palette[which] + rng.normal(0, 0.01, (20, 30, 3)), k=3)
    assert masks.shape == (3, 20, 30)
    for mask in masks:
        assert len(set(which[mask])) == 1
    assert partitions.colours(np.full((6, 5, 3), 0.4)).shape == (1, 6, 5)


def test_gabor_tells_directions_apart_and_is_silent_on_a_constant() -> None:
    y, x = np.indices((64, 128))
    waves = 0.5 + 0.4 * np.where(x < 64, np.sin(2 * np.pi * 0.2 * x), np.sin(2 * np.pi * 0.2 * y))
    masks = partitions.gabor(np.repeat(waves[..., None], 3, -1), k=2)
    left = masks[:, 8:-8, 12:52].mean((1, 2))
    right = masks[:, 8:-8, 76:-12].mean((1, 2))
    assert sorted(left) == [0, 1]
    assert (left + right == 1).all()
    assert partitions.gabor(np.full((20, 24, 3), 0.3), k=5).shape == (1, 20, 24)
    kernels = partitions.gabor_kernels()
    assert len(kernels) == 24
    assert max(abs(kernel.sum()) for kernel in kernels) < 1e-12


def test_instances_and_the_rest() -> None:
    labels = np.array([[0, 3, 3], [0, 0, 7]])
    masks, names = partitions.instances(labels, (2, 3))
    assert names == (3, 7, 0)
    assert masks.tolist() == [(labels == 3).tolist(), (labels == 7).tolist(), (labels == 0).tolist()]
    released, _ = partitions.instances(labels, (2, 3), as_released=True)
    assert (released[-1] == (labels > 0)).all()
    # The same as booleans, for two frames; an instance that is gone keeps its place, empty.
    video_labels = np.stack([labels, np.zeros_like(labels)])
    for given in (video_labels, np.stack([video_labels == 3, video_labels == 7], 1)):
        masks, names = partitions.instances(given, (2, 3), frame=1, n_frames=2)
        assert masks.sum((1, 2)).tolist() == [0, 0, 6]
    one, names = partitions.instances(labels == 3, (2, 3))
    assert names == (1, 0)
    assert (one[0] == (labels == 3)).all()
    for wrong in (np.zeros((2, 4), int), np.zeros((2, 3)), np.zeros((5, 2, 3), int)):
        with pytest.raises(ValueError, match="masks"):
            partitions.instances(wrong, (2, 3), n_frames=2)


def test_departures_by_hand() -> None:
    # Left half and right half. The first neuron writes 3 to 1, the second evenly, the third nothing.
    maps = np.array([[3.0, 3, -1, -1], [2, -2, 2, 2], [0, 0, 0, 0]]).reshape(3, 1, 4)
    halves = np.array([[0, 0, 1, 1]])
    found = regions(MapsCanvas({"net": maps}), "net", by={"halves": halves})
    assert found.deltas["halves"][:2].tolist() == [[0.5, -0.5], [0, 0]]
    assert np.isnan(found.deltas["halves"][2]).all()
    assert found.variances["halves"][:2].tolist() == [0.25, 0]
    assert "1 dead" in repr(found)
    # A mask is two regions, as its numbers are.
    of_mask = regions(MapsCanvas({"net": maps}), "net", by={"halves": halves == 1})
    assert (of_mask.deltas["halves"] == found.deltas["halves"])[:2].all()
    found.plot()
    found.plot_regions("halves")
    with pytest.raises(ValueError, match="kind='grid'"):
        found.plot_regions("grid")


@pytest.mark.parametrize("make", [video, pytest.param(image, marks=pytest.mark.repeats)])
@pytest.mark.parametrize("rule", ["xinc", "gated"])
@pytest.mark.parametrize("as_released", [False, True])
def test_against_each_map_on_its_own(make, rule: str, as_released: bool) -> None:
    canvas = cw.trace(make(), rule=rule, device="cpu")
    labels = np.zeros(canvas.inr.size, int)
    labels[2:6, 3:9], labels[7:9, 1:5] = 1, 2
    layer = canvas.traced_layers[0]
    found = regions(canvas, layer, masks=labels, k=5, cells=(2, 4), as_released=as_released)
    assert list(found.deltas) == ["grid", "colours", "gabor", "instances"]
    maps = magnitudes(canvas, layer, 0, None, as_released).reshape(*layer.neurons, *canvas.inr.size)
    for kind, masks in found.masks.items():
        for neuron in list(np.ndindex(*layer.neurons))[::7]:
            magnitude = maps[neuron].astype(float)
            if not magnitude.any():
                assert np.isnan(found.variances[kind][neuron])
                continue
            for region, mask in enumerate(masks):
                even = magnitude.sum() * mask.mean()
                expected = (magnitude[mask].sum() - even) / even
                if as_released and kind != "grid":
                    expected = abs(expected)
                assert found.deltas[kind][neuron][region] == pytest.approx(expected, abs=2e-4)
            expected = np.var(found.deltas[kind][neuron].astype(float), ddof=int(as_released))
            assert found.variances[kind][neuron] == pytest.approx(expected, rel=1e-4)


def test_one_instance_an_empty_region_and_a_constant_image() -> None:
    maps = np.random.default_rng(0).normal(size=(4, 3, 6, 8))
    canvas = MapsCanvas({"conv": maps}, pictures=np.full((1, 6, 8, 3), 0.5))
    empty = np.zeros((2, 6, 8), bool)
    empty[0, 1:3, 1:4] = True
    found = regions(canvas, "conv", masks=empty)
    assert found.deltas["instances"].shape == (4, 3, 3)
    assert np.isnan(found.deltas["instances"][..., 1]).all()
    assert np.isfinite(found.variances["instances"]).all()
    for kind in ("colours", "gabor"):  # one region, the whole frame: nothing to depart from
        assert found.deltas[kind].shape == (4, 3, 1)
        assert np.allclose(found.deltas[kind], 0, atol=1e-6)
    assert "2 regions (instances)" in repr(found)
    found.plot()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"by": "cells"}, "by='cells'"),
        ({"by": ["instances"]}, "masks=None"),
        ({"by": []}, "at least one"),
        ({"by": {"mine": np.zeros((3, 3))}}, "mine"),
    ],
)
def test_what_is_wrong_is_named(arguments, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        regions(MapsCanvas({"net": np.ones((2, 4, 8))}), 0, **arguments)
