"""Contributions to objects, on one frame and over time."""

from __future__ import annotations

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis.objects import objects
from canvaswidget.analysis.objects_over_time import objects_over_time
from canvaswidget.analysis.regions import regions
from tests.canvases import MapsCanvas, image, magnitudes, video


def test_by_hand() -> None:
    # Two pixels of the object, two of the rest.
    maps = np.array([[4.0, -2, 1, 0], [0, 0, 5, -1], [0, 0, 0, 0]]).reshape(3, 1, 4)
    mask = np.array([[1, 1, 0, 0]])
    found = objects(MapsCanvas({"net": maps}), "net", mask, names=["bunny"])
    assert found.names == ("bunny", "the rest")
    assert found.areas.tolist() == [2, 2]
    assert found.means.tolist() == [[3, 0.5], [0, 3], [0, 0]]
    assert np.allclose(found.shares[:2], [[6 / 7, 1 / 7], [0, 1]])
    assert np.isnan(found.shares[2]).all()
    assert found.preferred.tolist() == [0, 1, -1]
    assert "bunny (2 pixels)" in repr(found)
    found.plot()


def test_over_time_by_hand() -> None:
    # One neuron gives the object 1, then 3, and the rest 4 both times; another is dead.
    frames = [
        {"net": np.array([[1.0, 4.0], [0, 0]]).reshape(2, 1, 2)},
        {"net": np.array([[3.0, 4.0], [0, 0]]).reshape(2, 1, 2)},
    ]
    found = objects_over_time(MapsCanvas(*frames), "net", np.array([[1, 0]]))
    assert found.names == ("object 1", "the rest")
    assert np.allclose(found.shares[:, 0], np.array([[1, 4], [3, 4]]) / 12)
    assert np.isnan(found.shares[:, 1]).all()
    assert "1 of 2" in repr(found)
    found.plot()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_map_that_is_no_number_is_not_a_dead_one(broken: float) -> None:
    maps = np.ones((3, 1, 4))
    maps[1, 0, 3] = broken
    canvas, mask = MapsCanvas({"net": maps}), np.array([[1, 1, 0, 0]])
    for find in (objects, objects_over_time, regions):
        with pytest.raises(ValueError, match="the maps of 1 neurons hold NaN or infinity"):
            find(canvas, "net", masks=mask)


def test_an_object_that_leaves() -> None:
    maps = np.ones((2, 2, 3))
    labels = np.zeros((2, 2, 3), int)
    labels[0, 0, :2] = 5
    canvas = MapsCanvas({"net": maps}, {"net": 2 * maps})
    gone = objects(canvas, "net", labels, frame=1)
    assert np.isnan(gone.means[:, 0]).all()
    assert gone.shares[:, 1].tolist() == [1, 1]
    over = objects_over_time(canvas, "net", labels)
    assert np.allclose(over.shares[0, 0], [0.25, 0.25])
    assert over.shares[1, 0, 1] == pytest.approx(0.5)
    over.plot()
    gone.plot()


@pytest.mark.parametrize("make", [video, image])
@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_against_each_map_on_its_own(make, rule: str) -> None:
    canvas = cw.trace(make(), rule=rule, device="cpu")
    masks = np.random.default_rng(0).random((3, *canvas.inr.size)) < 0.4  # they overlap
    for granularity in (None, "unit"):
        found = objects(canvas, -1, masks, -1, granularity=granularity)
        frame = canvas.inr.n_frames - 1
        maps = magnitudes(canvas, -1, frame, granularity)
        rest = ~masks.any(0)
        expected = np.stack([maps[:, mask].mean(1) for mask in [*masks, rest]], -1)
        assert np.allclose(found.means.reshape(expected.shape), expected, rtol=1e-4)
        assert np.allclose(found.shares.sum(-1), 1, atol=1e-5)
    over = objects_over_time(canvas, -1, masks, frames=[frame])
    assert np.allclose(over.means[0], objects(canvas, -1, masks, frame).means)
    assert over.frames.tolist() == [frame]


def test_no_neuron_lives_and_names_fit() -> None:
    canvas = MapsCanvas({"net": np.zeros((2, 3, 4))})
    mask = np.eye(3, 4, dtype=int)
    found = objects(canvas, "net", mask)
    assert (found.preferred == -1).all()
    found.plot()
    over = objects_over_time(canvas, "net", mask)
    over.plot()
    assert "0 of 2" in repr(over)
    with pytest.raises(ValueError, match="names="):
        objects(canvas, "net", mask, names=["a", "b"])
    with pytest.raises(ValueError, match="frames="):
        objects_over_time(canvas, "net", mask, frames=[])


def test_the_share_over_time_that_is_printed_is_the_one_that_is_drawn() -> None:
    rng = np.random.default_rng(4)
    frames = [{"net": rng.normal(size=(9, 6, 8)) * rng.random((9, 1, 1))} for _ in range(5)]
    labels = np.zeros((5, 6, 8), int)
    labels[:, 1:4, 2:6], labels[3:, 5] = 1, 2
    found = objects_over_time(MapsCanvas(*frames), "net", labels, names=["cat", "dog"])
    rows = dict(found.rows())
    lines = {line.get_label(): np.asarray(line.get_ydata()) for line in found.plot().get_lines()}
    assert set(lines) == {"cat", "dog", "the rest"}
    for name, drawn in lines.items():
        low, high, most = np.nanmin(drawn), np.nanmax(drawn), int(np.nanargmax(drawn))
        printed = rows[f"share of {name} on a frame, median of neurons"]
        assert printed == f"{low:.2%} to {high:.2%} (most on frame {most})"
        shares = found.shares[:, :, found.names.index(name)]
        assert np.allclose(drawn, np.median(shares, 1), atol=1e-6, equal_nan=True)
    assert np.isnan(lines["dog"][:3]).all()
    assert np.nansum(found.shares, (0, 2)) == pytest.approx(1, abs=1e-5)
    assert "on the frame" in found.plot().get_ylabel()
