"""Totals that are estimated when they are saved: what is read says so, and its intervals hold the exact totals."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.tracing.results import Estimate
from canvaswidget.tracing.saved import planned_totals, store
from tests.canvases import video
from tests.kernel.page import Page, grid
from tests.tracing.saved.files import content, facts, flip

LONG = "decoder.1"
FRAMES = [1, 4]


@functools.cache
def exact() -> cw.Canvas:
    return cw.trace(video(), "gated", progress=False)


def description(path: Path) -> dict[str, Any]:
    return json.loads((path / "zarr.json").read_text())["attributes"]["canvaswidget"]


@pytest.fixture
def long_canvas(monkeypatch: pytest.MonkeyPatch) -> cw.Canvas:
    """A canvas one layer of which is said to take a minute, and is never swept."""
    canvas = cw.trace(video(), "gated", progress=False)
    layer = canvas.layers.find(LONG)
    sweep = canvas.matrix.sweep

    def no_sweep(swept: object, *given: object, **named: object) -> object:
        assert swept != layer, "an exact sweep"
        return sweep(swept, *given, **named)

    def said(layers: object, frame: int = 0) -> object:
        return Estimate(60.0 if layers == layer else 0.01, 1, 1, 1)

    monkeypatch.setattr(canvas.matrix, "sweep", no_sweep)
    monkeypatch.setattr(canvas, "estimate", said)
    monkeypatch.setattr("canvaswidget.tracing.sampling.exact_cost", lambda *_: math.inf)
    monkeypatch.setattr(planned_totals, "MOST_PASSES", 40)
    return canvas


@pytest.fixture
def saved(long_canvas: cw.Canvas, tmp_path: Path) -> cw.SavedCanvas:
    saving = long_canvas.save(
        tmp_path / "x.zarr", layers=[LONG, "decoder.2"], frames=FRAMES, maps=2, progress=False
    )
    (name,) = saving.estimated
    assert name == long_canvas.layers.find(LONG).name
    assert "accuracy=None keeps exact ones" in repr(saving)
    return cw.open(tmp_path / "x.zarr")


def test_totals_that_would_take_long_are_estimated_and_say_so(saved: cw.SavedCanvas) -> None:
    held = []
    for frame in FRAMES:
        found, true = saved.summary(LONG, frame), exact().summary(LONG, frame)
        assert not found.is_exact
        assert found.accuracy == 0.05
        assert 40 <= found.passes < 200
        assert "±" in repr(found)
        assert "save(..., accuracy=None)" in repr(found)
        held.append((found.low <= true.neuron_abs) & (true.neuron_abs <= found.high))
        np.testing.assert_allclose(found.neuron_sum, true.neuron_sum, rtol=1e-3, atol=1e-5)
        inside = (found.pixel_low <= true.pixel_abs) & (true.pixel_abs <= found.pixel_high)
        assert inside.mean() > 0.85
        assert found.half_width < 0.5
    assert np.mean(held) > 0.9
    assert "totals estimated" in repr(saved)
    other = saved.summary("decoder.2", 1)
    assert other.is_exact
    np.testing.assert_allclose(other.neuron_abs, exact().summary("decoder.2", 1).neuron_abs, rtol=1e-5)


def test_what_is_made_of_them_says_so(saved: cw.SavedCanvas) -> None:
    found = cw.analysis.intensity(saved, LONG, 1)
    assert not found.is_exact
    assert found.half_width > 0
    assert "as saved" in repr(found)
    assert cw.analysis.intensity(saved, "decoder.2", 1).is_exact
    page = Page(saved)
    body, _ = page.ask(**grid(saved.layers.find(LONG).name, sort="total", count=1))
    assert body["half_width"] == pytest.approx(saved.summary(LONG, 1).half_width)
    page.session.close()


def test_exact_ones_are_saved_where_these_are_asked_for(tmp_path: Path) -> None:
    saving = exact().save(tmp_path / "x.zarr", layers=[LONG], frames=[1], accuracy=None, progress=False)
    assert saving.estimated == ()
    found = cw.open(tmp_path / "x.zarr").summary(LONG, 1)
    assert found.is_exact
    np.testing.assert_allclose(found.neuron_abs, exact().summary(LONG, 1).neuron_abs, rtol=1e-5)


def test_an_accuracy_is_kept_to(tmp_path: Path) -> None:
    saving = exact().save(tmp_path / "x.zarr", layers=["head"], frames=[1], accuracy=0.3, progress=False)
    assert len(saving.estimated) == 1
    found = cw.open(tmp_path / "x.zarr").summary("head", 1)
    assert found.half_width <= 0.3  # exact where that takes no more passes
    with pytest.raises(ValueError, match="accuracy=2: expected 'auto'"):
        exact().save(tmp_path / "y.zarr", accuracy=2)


def test_an_estimate_of_the_size_knows_the_intervals(long_canvas: cw.Canvas, tmp_path: Path) -> None:
    given = {"layers": [LONG], "frames": FRAMES, "maps": 1}
    told = long_canvas.save(tmp_path / "x.zarr", **given, estimate=True)
    plain = long_canvas.save(tmp_path / "x.zarr", **given, accuracy=None, estimate=True)
    name = "totals by pixel and neuron"
    assert told.parts[name] == 2 * plain.parts[name]
    assert told.seconds < plain.seconds == 60 * len(FRAMES)


def test_a_file_of_an_earlier_version_has_exact_totals(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    exact().save(path, layers=["head"], frames=[1], progress=False)
    described = description(path)
    del described["estimated"]
    (path / "zarr.json").write_text(store.root_text(described))
    assert cw.open(path).summary("head", 1).is_exact


@pytest.mark.parametrize(
    "wrong", [{"passes": [3]}, {"passes": [1, "x"]}, {"accuracy": None}, {"accuracy": [0.1]}, {}]
)
def test_a_wrong_description_of_estimates_is_refused(saved: cw.SavedCanvas, wrong: dict[str, object]) -> None:
    ((name, right),) = description(saved.path)["estimated"].items()
    facts(saved.path, estimated={name: {**right, **wrong} if wrong else None})
    with pytest.raises(ValueError, match="description can't be read"):
        cw.open(saved.path)


def test_a_damaged_interval_is_seen(saved: cw.SavedCanvas) -> None:
    ends = content(saved.path) / "layers" / "0" / "low"
    flip(next(file for file in sorted(ends.rglob("*")) if file.is_file() and file.name != "zarr.json"))
    with pytest.raises(ValueError, match="checksum|damaged|corrupt"):
        cw.open(saved.path).summary(LONG, 1)
