"""The widget on a saved canvas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from tests.kernel.page import Page
from tests.tracing.saved.files import unkept_neuron

pytestmark = pytest.mark.usefixtures("unbuilt")


@pytest.fixture
def shown(part_file: Path):
    w = cw.CanvasWidget(cw.open(part_file))
    yield w
    w.close()


def test_the_widget_opens_on_what_is_kept(shown: cw.CanvasWidget, canvas: cw.Canvas) -> None:
    assert (shown.time, shown.pixel, shown.layer) == (5, (4, 5), canvas.traced_layers[-2].name)
    assert shown.neuron == canvas.top(4, 5, 1, 5, [shown.layer])[0].neuron
    assert shown.facts.rules == ("xinc",)
    assert shown.facts.device == "saved canvas"
    assert len(shown.facts.removable) == 0
    names: dict[str, Any] = {}
    exec(shown.recipe(), names)
    assert all(getattr(names["w"], name) == getattr(shown, name) for name in shown.VIEW)
    names["w"].close()


def test_its_page_is_answered(shown: cw.CanvasWidget, canvas: cw.Canvas, mask: np.ndarray) -> None:
    page = Page(shown.canvas)
    layer = canvas.traced_layers[1].name
    chosen = {"layer": layer, "neuron": None, "neurons": [], "cluster": -1, "n_clusters": 3}
    grid = {
        "time": 2,
        "layer": layer,
        "cluster": -1,
        "n_clusters": 3,
        "pixel": [4, 5],
        "first": 0,
        "count": 50,
    }
    grid |= {"side": 16, "region": None, "channel": "sum"}
    assert page.ask(kind="frame", time=5, source="truth")[0]["psnr"] > 0
    body, _ = page.ask(kind="map", time=5, selection=chosen)
    assert body["total"] == pytest.approx(canvas.summary(layer, 5).total_abs, rel=1e-4)
    body, _ = page.ask(kind="pixel", time=2, pixel=[4, 5], k=5, selection=chosen)
    assert [n["neuron"] for n in body["neurons"]] == [list(n.neuron) for n in canvas.top(4, 5, 5, 2)]
    for sort in ("pixel", "total", "index"):
        body, data = page.ask(kind="grid", sort=sort, **grid)
        assert body["n_neurons"] == len(body["neurons"]) == len(shown.canvas.kept(layer))
    run = cw.CanvasWidget(shown.canvas, region=mask)
    on_wire = run.region.on_wire()
    run.close()
    body, _ = page.ask(kind="grid", sort="region", **{**grid, "region": json.loads(json.dumps(on_wire))})
    assert body["n_neurons"] == len(shown.canvas.kept(layer))
    body, _ = page.ask(kind="clusters", time=2, layer=layer, n_clusters=3)
    assert body["counts"] == shown.canvas.clusters[0].counts.tolist()
    body, _ = page.ask(kind="curve", frames=[1, 2, 5], selection=chosen)
    assert body["totals"][0] is None
    assert body["totals"][2] == pytest.approx(canvas.summary(layer, 5).total_abs, rel=1e-4)
    body, data = page.ask(kind="strip", frames=[2, 3], side=8)
    assert (data.reshape(2, -1, 3)[1] == 128).all()
    assert "no frame 3" in page.fail(kind="frame", time=3, source="reconstruction")
    assert "pixel (0, 0)" in page.fail(kind="pixel", time=2, pixel=[0, 0], k=5, selection=chosen)
    missing = list(unkept_neuron(shown.canvas))
    first = canvas.traced_layers[0].name
    words = page.fail(kind="map", time=2, selection={**chosen, "layer": first, "neuron": missing})
    assert words.startswith("this saved canvas (part.zarr) has no map of neuron")
    assert "maps='all'" in page.fail(kind="scatter", time=2, layer=first, method="pca")
    page.session.close()


def test_its_figure(shown: cw.CanvasWidget, tmp_path: Path) -> None:
    shown.save(tmp_path / "x.png", dpi=60)
    assert (tmp_path / "x.png").stat().st_size > 1000
    shown.neuron = None
    shown.figure()


def test_a_saved_canvas_of_no_map(canvas: cw.Canvas, tmp_path: Path) -> None:
    canvas.save(tmp_path / "x.zarr", maps=0, pixels=[], frames=1, progress=False)
    w = cw.CanvasWidget(cw.open(tmp_path / "x.zarr"))
    assert (w.time, w.pixel, w.neuron) == (1, None, None)
    w.figure()
    w.close()
