"""The colours of maps and of clusters."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from canvaswidget.kernel import view_checks
from canvaswidget.plotting.figures import (
    DIVERGING,
    Points,
    colour_map,
    palettes,
)
from canvaswidget.plotting.panels import draw_points
from canvaswidget.plotting.style import CLUSTER_COLOURS

pytestmark = pytest.mark.slow


def test_palettes() -> None:
    found = palettes()
    assert found.tables.shape == (len(found.names), 256, 3)
    assert found.tables.dtype == np.uint8
    assert found.diverging == DIVERGING
    light = found.tables.astype(float) @ [0.299, 0.587, 0.114]
    for name, lightness in zip(found.names, light, strict=True):
        if name in DIVERGING:  # the same on both sides, brighter or darker in the middle
            assert abs(lightness - lightness[::-1]).max() < 60
            assert abs(lightness[127] - lightness[[0, 255]]).min() > 100
        else:
            assert (np.diff(lightness) > -1).all()
    assert tuple(found.tables[found.names.index("gray"), 255] / 255) == to_rgb("white")
    with pytest.raises(ValueError, match="palette='jet'"):
        colour_map("jet")


def test_each_cluster_has_its_number_in_the_middle_of_its_points() -> None:
    places = np.array([[0.1, 0.2], [0.2, 0.3], [0.9, 0.25], [0.5, 0.5], [np.nan, np.nan], [0.3, 0.3]])
    ax = Figure().subplots()
    draw_points(ax, Points(places, np.array([0, 0, 0, 7, 7, -1])))
    numbers = {text.get_text(): text.get_position() for text in ax.texts}
    assert numbers == {"0": pytest.approx((0.2, 0.7)), "7": pytest.approx((0.5, 0.5))}


def test_each_cluster_has_the_colour_of_the_page() -> None:
    count = view_checks.MAX_CLUSTERS
    assert len(set(CLUSTER_COLOURS)) == count
    _, ax = plt.subplots()
    draw_points(ax, Points(np.random.default_rng(5).random((count, 2)), np.arange(count)))
    drawn = [to_hex(points.get_facecolor()[0]) for points in ax.collections]
    assert drawn == list(CLUSTER_COLOURS)
    plt.close("all")
