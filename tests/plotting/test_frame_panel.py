"""The panel of the frame: colours, contours, the region, and the colour bar."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from canvaswidget.plotting.frame_panel import contour_levels, draw_frame
from canvaswidget.plotting.run_frames import RunFrame, draw_run_frames
from canvaswidget.plotting.view import View
from tests.plotting.views import view


def test_colours_end_at_the_limit_or_at_the_largest_magnitude_less_with_contrast() -> None:
    overlay = np.linspace(-3.0, 1.0, 512).reshape(16, 32)
    for changes, top, extend in (
        ({}, 3.0, "neither"),
        ({"contrast": 4.0}, 0.75, "max"),
        ({"contrast": 4.0, "overlay_signed": True}, 0.75, "both"),
        ({"contrast": 4.0, "limit": 2.0}, 2.0, "max"),
        ({"limit": 5.0, "overlay_signed": True}, 5.0, "neither"),
    ):
        ax = Figure().add_subplot()
        draw_frame(ax, view(overlay=overlay, **changes))
        shown = ax.images[-1]
        assert shown.norm.vmax == pytest.approx(top)
        (bar,) = ax.child_axes
        assert bar._colorbar.extend == extend


def test_the_bar_of_several_runs_says_where_colours_end_before_values() -> None:
    overlays = [np.full((16, 32), top) for top in (1.0, 4.0)]
    for changes, extend in (
        ({}, "neither"),
        ({"contrast": 2.0}, "max"),
        ({"limit": 3.0, "overlay_signed": True}, "both"),
        ({"limit": 5.0}, "neither"),
    ):
        frames = [RunFrame("a", view(overlay=overlay, **changes)) for overlay in overlays]
        figure = Figure()
        draw_run_frames(figure, frames, "", 6.6)
        assert figure.axes[-1]._colorbar.extend == extend  # type: ignore[attr-defined]


def test_lines_tell_where_the_overlay_reaches_parts_of_its_end() -> None:
    overlay = np.tile(np.linspace(-4.0, 8.0, 25), (16, 1))
    for changes, levels in (
        ({}, []),
        ({"contours": True}, [2.0, 4.0, 6.0]),  # of magnitudes
        (
            {"contours": True, "overlay_signed": True},
            [-2.0, 2.0, 4.0, 6.0],
        ),  # -4 is its lowest, and has no line
        ({"contours": True, "contrast": 8.0}, [0.25, 0.5, 0.75]),
        ({"contours": True, "limit": 16.0}, [4.0]),
    ):
        ax = Figure().add_subplot()
        drawn = view(overlay=overlay, **changes)
        assert contour_levels(drawn, 8.0) == pytest.approx(levels)
        draw_frame(ax, drawn)
        halo, *lines = [one for one in ax.collections if isinstance(one, ContourSet)] or [None]
        assert (halo is None, len(lines)) == (not levels, bool(levels))
        if changes.get("overlay_signed"):
            xs = sorted({round(float(path.vertices[:, 0].mean()), 3) for path in lines[0].get_paths()})
            assert xs == [4.0, 12.0, 16.0, 20.0]  # two columns are worth 1
    row = view(image=np.zeros((1, 9, 3)), overlay=np.arange(9.0)[None], contours=True)
    assert contour_levels(row, 8.0) == []
    draw_frame(Figure().add_subplot(), row)


def test_a_region_is_outlined_around_its_pixels() -> None:
    region = np.zeros((16, 32), bool)
    region[4:9, 10:20] = True
    region[0, 31] = True  # in a corner, the outline is the frame's
    ax = Figure().add_subplot()
    draw_frame(ax, view(region=region))
    (whole,) = {tuple(np.round(path.vertices, 3).ravel()) for path in ax.collections[-1].get_paths()}
    x, y = np.reshape(whole, (-1, 2)).T
    inside = x < 25
    assert (x[inside].min(), x[inside].max()) == pytest.approx((9.5, 19.5), abs=0.26)
    assert (y[inside].min(), y[inside].max()) == pytest.approx((3.5, 8.5), abs=0.26)
    assert (x.max(), y.min()) == pytest.approx((31.5, -0.5), abs=0.26)


@pytest.mark.parametrize("signed", [False, True])
def test_the_colour_bar_is_as_transparent_as_the_overlay_over_the_same_ground(signed: bool) -> None:
    grey = np.full((1, 5, 3), 0.8)
    overlay = np.array([[-1.0, -0.5, 0.0, 0.5, 1.0]]) if signed else np.linspace(0, 1, 5)[None]
    figure = Figure()
    ax = figure.subplots()
    draw_frame(ax, View("", grey, overlay=overlay, overlay_signed=signed, opacity=0.7))
    (bar,) = ax.child_axes
    told = bar.collections[-1]
    values = overlay[0]
    shown = ax.images[1].to_rgba(values)[:, :3]
    alpha = np.asarray(ax.images[1].get_alpha())[0][:, None]
    over = alpha * shown + (1 - alpha) * 0.8
    np.testing.assert_allclose(told.to_rgba(values)[:, :3], over, atol=0.02)
    np.testing.assert_allclose(told.to_rgba(0.0)[:3], 0.8, atol=0.02)
