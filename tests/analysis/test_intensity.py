"""Contribution beside brightness and edges."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

import canvaswidget as cw
from canvaswidget.analysis.intensity import compare, intensity, scaled
from canvaswidget.tracing.layers import Layer
from tests.canvases import image, video

LAYER = Layer("net.0", "linear", 3, 3)


def test_by_hand() -> None:
    picture = np.zeros((1, 3, 3), np.float32)
    picture[0, :, 0] = [0.0, 0.5, 1.0]
    found = compare(LAYER, 0, np.array([[4.0, 2.0, 6.0]]), picture)
    assert found.contribution.tolist() == [[0.5, 0, 1]]
    assert found.brightness.tolist() == [[0, 0.5, 1]]
    assert found.difference.tolist() == [[0.5, -0.5, 0]]
    assert found.with_brightness == pytest.approx(0.5)


@pytest.mark.parametrize("make", [video, image])
@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_against_all_maps(make, rule: str) -> None:
    canvas = cw.trace(make(), rule=rule, device="cpu")
    for granularity in (None, "unit"):
        found = intensity(canvas, -1, granularity=granularity)
        each = canvas.iter(-1, granularity=granularity, rgb="each")
        total = np.abs(np.concatenate([maps for _, maps in each])).astype(float).sum((0, 3))
        assert np.allclose(found.contribution, (total - total.min()) / np.ptp(total), atol=1e-5)
        picture = canvas.frame(0)
        expected = spearmanr(total.ravel(), picture.sum(-1).ravel())[0]
        assert found.with_brightness == pytest.approx(expected, abs=2e-3)
    assert np.allclose(found.edges, edges_written_out(picture), atol=1e-5)


def edges_written_out(picture: np.ndarray) -> np.ndarray:
    """Sobel's magnitude, scaled: differences along one axis, smoothed along the other."""
    grey = np.pad(picture @ np.array([0.2125, 0.7154, 0.0721]), 1, mode="symmetric")
    down, across = grey[2:] - grey[:-2], grey[:, 2:] - grey[:, :-2]
    down = (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 8
    across = (across[:-2] + 2 * across[1:-1] + across[2:]) / 8
    magnitude = np.hypot(down, across)
    return (magnitude - magnitude.min()) / np.ptp(magnitude)


def test_nothing_to_scale_is_zero() -> None:
    assert scaled(np.full((2, 3), 0.7)).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_constant_image_has_no_correlation() -> None:
    found = compare(LAYER, 0, np.random.default_rng(0).random((5, 6)), np.full((5, 6, 3), 0.3))
    assert np.isnan(found.with_brightness)
    assert np.isnan(found.with_edges)
    assert not found.brightness.any()
    assert repr(found).count("not defined") == 2
    assert "nan" not in repr(found)
    found.plot()


def test_drawings() -> None:
    found = intensity(cw.trace(video(), device="cpu"), "head_layer", 2)
    assert "frame 2" in found.plot().get_title(loc="left")
    figure = found.plot_all()
    assert len(figure.axes) == 4
    assert "<table" in found._repr_html_()
