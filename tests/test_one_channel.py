"""An INR of one channel in everything that shows, saves and measures it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.saved.reader import SavedCanvas
from tests.kernel.page import Page, selection
from tests.small_models import Mlp


def grey_inr(truth: bool = True, n_frames: int = 2) -> cw.INR:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Mlp([3, 6, 5, 1], nn.ReLU, bias=True), (12, 16), n_frames)
    signal = np.stack([inr.frame(frame)[..., 0] for frame in range(n_frames)]) + 0.1
    return cw.INR(inr.module, inr.inputs, inr.size, n_frames, truth=signal if truth else None)


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(grey_inr(), "gated")


@pytest.mark.parametrize("shape", [(2, 12, 16), (2, 12, 16, 1), (2, 12, 16, 3)])
def test_the_truth_has_one_channel_or_three(shape: tuple[int, ...]) -> None:
    inr = grey_inr(truth=False)
    truth = cw.INR(inr.module, inr.inputs, inr.size, 2, truth=np.full(shape, 0.5)).truth
    assert truth is not None
    assert truth.shape == (2, 12, 16, 3 if len(shape) == 4 and shape[-1] == 3 else 1)
    with pytest.raises(ValueError, match="or one channel"):
        cw.INR(inr.module, inr.inputs, inr.size, 2, truth=np.zeros((2, 12, 16, 2)))


def test_the_widget_shows_grey_and_offers_the_sum_alone(canvas: cw.Canvas) -> None:
    page = Page(canvas)
    answer, data = page.ask(kind="frame", time=1, source="reconstruction")
    pixels = data.reshape(12, 16, 3)
    expected = np.rint(255 * np.clip(canvas.frame(1), 0, 1)).astype(np.uint8)
    np.testing.assert_array_equal(pixels, np.repeat(expected, 3, -1))
    clipped = np.clip(canvas.frame(1), 0, 1).astype(np.float64)
    error = ((clipped - canvas.inr.truth[1]) ** 2).mean()
    assert answer["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-4)
    answer, _ = page.ask(kind="map", time=0, selection=selection(canvas.layers[1].name, [2]))
    expected_map = canvas.map(canvas.layers[1].name, 2)
    assert answer["total"] == pytest.approx(float(np.abs(expected_map).sum()), rel=1e-4)
    page.session.close()
    widget = cw.CanvasWidget(canvas)
    with pytest.raises(Exception, match="one channel"):
        widget.channel = "red"
    widget.close()


def test_a_saved_canvas_keeps_one_channel(canvas: cw.Canvas, tmp_path: Path) -> None:
    canvas.save(tmp_path / "grey.zarr", maps="all", progress=False)
    saved: Any = cw.open(tmp_path / "grey.zarr")
    assert isinstance(saved, SavedCanvas)
    np.testing.assert_array_equal(saved.frame(1), canvas.frame(1))
    assert saved.inr.truth.shape == (2, 12, 16, 1)
    layer = canvas.layers[1].name
    np.testing.assert_allclose(saved.map(layer, 1, 1), canvas.map(layer, 1, 1), atol=1e-6)


def test_figures_and_findings_take_one_channel(canvas: cw.Canvas) -> None:
    widget = cw.CanvasWidget(canvas)
    for source in ("reconstruction", "truth", "error"):
        widget.source = source
        figure = widget.figure(panels=["frame"])
        for ax in figure.axes:
            for shown in ax.images[:1]:
                values = np.asarray(shown.get_array())
                if source != "error" and values.ndim == 3:
                    assert values.shape[-1] == 3
                    assert np.ptp(values, axis=-1).max() == 0
    widget.close()
    layer = canvas.layers[1].name
    cw.analysis.intensity(canvas, layer)
    cw.analysis.regions(canvas, layer, cells=(2, 2), k=3)
    cw.analysis.faithfulness(canvas, layer)
    cw.analysis.motion(canvas, layer)
    cw.analysis.distribution(canvas, layer)
    assert cw.prune(canvas.inr, canvas, share=0.3, layers=layer)
    cw.MaskPainter(canvas)


@pytest.mark.parametrize("size", [(1, 9), (9, 1), (1, 1)], ids=str)
def test_lines_and_single_pixels_are_frames_like_others(size: tuple[int, int], tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Mlp([3, 6, 5, 1], nn.ReLU, bias=True)
    truth = np.random.default_rng(0).random((2, *size, 1), np.float32)
    canvas = cw.trace(cw.INR.from_coords(module, size, 2, truth=truth), "gated")
    assert all(one.holds for one in canvas.check())
    layer = canvas.layers[1].name
    moved = cw.analysis.motion(canvas, layer)
    assert moved.speed.shape == (1, *size)
    assert bool(moved.speed.any()) == (size != (1, 1))
    found = cw.analysis.cluster(canvas, layer, 2)
    sheet = cw.analysis.exemplars(canvas, found).plot()
    for ax in (found.plot(), sheet, cw.analysis.intensity(canvas, layer).plot()):
        ax.figure.draw_without_rendering()  # type: ignore[union-attr]
        assert ax.figure.get_figheight() < 8  # type: ignore[union-attr]
        for picture in ax.images:
            box = picture.get_window_extent()
            assert min(box.width, box.height) > 0.1 * ax.figure.dpi
