"""Change from frame to frame beside optical flow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis.motion import agreement, motion, optical_flow
from tests.canvases import MapsCanvas, image, magnitudes, video


def test_by_hand() -> None:
    frames = [
        {"net": np.array([[1.0, -2], [0, 3]]).reshape(2, 1, 2)},
        {"net": np.array([[-1.0, 5], [4, 3]]).reshape(2, 1, 2)},
    ]
    flow = np.array([[3.0, 4], [0, 0]]).reshape(1, 1, 2, 2)
    found = motion(MapsCanvas(*frames), "net", flow=flow)
    # A change of sign alone is none: |C| goes from 1 to 1, from 2 to 5, from 0 to 4.
    assert found.change.tolist() == [[[4, 3]]]
    assert found.neuron_change.tolist() == [[3, 4]]
    assert found.speed.tolist() == [[[5, 0]]]
    assert found.agreement.tolist() == [1]
    assert found.p[0] == pytest.approx(0.5, abs=0.1)  # one product, of either sign
    assert found.whole_frame.tolist() == [1]


@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_every_pair_against_all_maps(rule: str) -> None:
    canvas = cw.trace(video(), rule=rule, device="cpu", memory=2**20)
    flow = np.random.default_rng(0).normal(size=(5, 16, 32, 2))
    told: list[tuple[int, int]] = []
    for granularity in (None, "unit"):
        found = motion(
            canvas, "decoder.1", flow=flow, granularity=granularity, progress=lambda *step: told.append(step)
        )
        every = [magnitudes(canvas, "decoder.1", frame, granularity) for frame in range(6)]
        for step, (one, other) in enumerate(itertools.pairwise(every)):
            difference = np.abs(other.astype(float) - one)
            assert np.allclose(found.change[step], difference.sum(0), rtol=1e-4, atol=1e-6)
            assert np.allclose(
                found.neuron_change[step].ravel(), difference.sum((1, 2)), rtol=1e-4, atol=1e-6
            )
    assert told
    some = motion(canvas, "decoder.1", [3, 4, 5], flow=flow)
    assert np.allclose(some.flow, flow[3:])
    assert np.allclose(some.change, found.change[3:]) or granularity == "unit"
    assert some.frames.tolist() == [3, 4, 5]


def test_agreement_of_a_pair() -> None:
    rng = np.random.default_rng(0)
    change = rng.random((24, 30))
    same = agreement(change, 3 * change)
    assert same[0] == pytest.approx(1)
    assert same[3] == pytest.approx(0.001)
    assert agreement(change, -change)[0] == pytest.approx(-1)
    assert agreement(change, -change)[3] > 0.99
    found, middle, high, p = agreement(change, rng.random((24, 30)))
    assert abs(middle) < high
    assert (p < 0.05) == (found > high)
    assert np.isnan(agreement(change, np.ones((24, 30)))).all()


def test_flow_of_a_moving_picture() -> None:
    y, x = np.indices((48, 64))
    pattern = 0.5 + 0.2 * np.sin(y / 3) + 0.2 * np.cos(x / 4)
    moved = 0.5 + 0.2 * np.sin((y - 1) / 3) + 0.2 * np.cos((x - 2) / 4)
    flow = optical_flow([np.repeat(p[..., None], 3, -1) for p in (pattern, moved)])
    assert flow.shape == (1, 48, 64, 2)
    inner = flow[0, 10:-10, 10:-10]
    assert np.median(inner[..., 0]) == pytest.approx(1, abs=0.2)
    assert np.median(inner[..., 1]) == pytest.approx(2, abs=0.2)


def test_the_moving_part_of_the_canvas_is_found_and_a_still_one_has_no_agreement() -> None:
    size = (20, 30)
    still = np.random.default_rng(0).random((3, *size))
    moving = [still.copy() for _ in range(3)]
    flow = np.zeros((2, *size, 2))
    for step in range(3):
        moving[step][:, 5:10, 5 + step : 12 + step] += 5
    flow[:, 5:10, 5:14] = 1
    found = motion(MapsCanvas(*({"net": maps} for maps in moving)), "net", flow=flow)
    assert (found.agreement > found.by_chance[:, 1]).all()
    assert found.mean == pytest.approx(found.agreement.mean())
    assert (found.p < 0.05).all()
    assert "2 of 2 (0.1 expected by chance)" in repr(found)
    assert "mean of 2 pairs" in repr(found)
    assert found.mean_p < 0.05
    found.plot()
    found.plot_pair(-1)
    with pytest.raises(IndexError, match="pair=2"):
        found.plot_pair(2)
    none = motion(MapsCanvas(*({"net": still} for _ in range(2))), "net", flow=flow[:1])
    assert np.isnan(none.agreement).all()
    assert "nothing moves" in repr(none)
    none.plot()


def test_one_frame_does_not_move_and_flow_has_a_shape() -> None:
    with pytest.raises(ValueError, match="two frames"):
        motion(cw.trace(image(), device="cpu"), 0)
    canvas = cw.trace(video(), device="cpu")
    for frames, count in ((None, 3), ([0, 2, 4], 5)):
        with pytest.raises(ValueError, match="flow"):
            motion(canvas, 1, frames, flow=np.zeros((count, 16, 32, 2)))


def test_flow_is_computed_where_there_is_none() -> None:
    found = motion(cw.trace(video(truth=False), device="cpu"), "head_layer", [0, 1])
    assert found.source == "TV-L1"
    assert found.flow.shape == (1, 16, 32, 2)


def test_the_demo_moves_where_it_changes() -> None:
    clip = cw.demo.clip()
    found = motion(cw.trace(cw.demo.video(), device="cpu"), "head_layer", [10, 11], flow=clip.flow)
    assert found.whole_frame[0] > 0.3
    assert abs(found.agreement[0]) < 0.1  # of one pair, without what position alone explains
