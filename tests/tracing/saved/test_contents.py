"""What a saved canvas contains is equal; what it does not contain is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from tests.canvases import image, video
from tests.tracing.saved.files import unkept_neuron


def test_a_whole_canvas_answers_everything_as_it_did(canvas: cw.Canvas, whole_file: Path, mask) -> None:
    saved = cw.open(whole_file)
    assert list(saved.traced_layers) == list(canvas.traced_layers)
    assert (saved.rule, saved.why, saved.options) == (canvas.rule, canvas.why, canvas.options)
    assert saved.inr.size == canvas.inr.size
    np.testing.assert_array_equal(saved.inr.truth, canvas.inr.truth)
    for frame in (0, 3, -1):
        np.testing.assert_array_equal(saved.frame(frame), canvas.frame(frame))
        for layer in canvas.traced_layers:
            for (a, x), (b, y) in zip(_all(canvas, layer, frame), _all(saved, layer, frame), strict=True):
                assert a == b
                np.testing.assert_array_equal(x, y)
            one, other = canvas.summary(layer, frame), saved.summary(layer, frame)
            for key in ("neuron_abs", "neuron_sum", "pixel_abs", "pixel_sum"):
                np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
        for name, column in canvas.pixel(3, 4, frame).items():
            np.testing.assert_allclose(saved.pixel(3, 4, frame)[name], column, atol=1e-6)
        for given in (mask, ~mask):
            for name, column in canvas.region(given, frame).items():
                np.testing.assert_allclose(saved.region(given, frame)[name], column, atol=1e-4)
    assert [each[:2] for each in saved.top(8, 16, 5, 3)] == [each[:2] for each in canvas.top(8, 16, 5, 3)]


def _all(canvas: Any, layer: Any, frame: int) -> list[tuple[Any, np.ndarray]]:
    return [
        (np.asarray(neuron).tolist(), one)
        for neurons, maps in canvas.iter(layer, frame)
        for neuron, one in zip(neurons, maps, strict=True)
    ]


def test_findings_of_a_whole_canvas(canvas: cw.Canvas, whole_file: Path) -> None:
    saved = cw.open(whole_file)
    one, other = (cw.analysis.distribution(c, 1, frame=1) for c in (canvas, saved))
    np.testing.assert_array_equal(one.pixels_per_neuron, other.pixels_per_neuron)
    one, other = (cw.analysis.cluster(c, 1, 3, frame=1) for c in (canvas, saved))
    np.testing.assert_array_equal(one.labels, other.labels)
    labels = np.zeros(canvas.inr.size, int)
    labels[1:5, 2:9] = 1
    one, other = (cw.analysis.intensity(c, 1, 1) for c in (canvas, saved))
    np.testing.assert_allclose(one.difference, other.difference, atol=1e-6)
    one, other = (cw.analysis.objects_over_time(c, 1, labels, [0, 1]) for c in (canvas, saved))
    np.testing.assert_allclose(one.shares, other.shares, atol=1e-6)
    one, other = (cw.analysis.motion(c, 1, [0, 1]) for c in (canvas, saved))
    np.testing.assert_allclose(one.change, other.change, rtol=1e-5, atol=1e-6)
    for as_released in (False, True):
        found = [cw.analysis.distribution(c, 1, 1, as_released=as_released) for c in (canvas, saved)]
        np.testing.assert_array_equal(found[0].neurons_per_pixel, found[1].neurons_per_pixel)
        found = [cw.analysis.regions(c, 1, 1, k=3, as_released=as_released) for c in (canvas, saved)]
        for kind, deltas in found[0].deltas.items():
            np.testing.assert_allclose(deltas, found[1].deltas[kind], rtol=1e-4, atol=1e-5)
    with pytest.raises(cw.NotKeptError, match="granularity='unit'"):
        cw.analysis.intensity(saved, 1, granularity="unit")


def test_regions_clusters_and_where_it_came_from(canvas: cw.Canvas, part_file: Path, mask) -> None:
    saved = cw.open(part_file)
    np.testing.assert_array_equal(saved.regions["box"], mask)
    expected = cw.analysis.cluster(canvas, 2, 3, frame=2)
    (found,) = saved.clusters
    assert (found.layer, found.frame, found.exemplars) == (expected.layer, 2, expected.exemplars)
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert saved.is_of(canvas.inr.module)
    assert not saved.is_of(image().module)
    assert saved.provenance["canvaswidget"] == cw.__version__
    for word in ("part.zarr", "sha256:", "xinc", "2, 5", "(4, 5)", "box"):
        assert word in repr(saved)
        assert word in saved._repr_html_()


def test_the_strongest_and_the_exemplars_have_maps(canvas: cw.Canvas, part_file: Path) -> None:
    saved = cw.open(part_file)
    totals = canvas.summary(2, 5).neuron_abs.ravel()
    assert set(np.argsort(-totals)[:3]) <= set(saved.kept(2))
    column = canvas.pixel(4, 5, 5, [2])[canvas.layers[2].name].ravel()
    assert set(np.argsort(-np.abs(column))[:3]) <= set(saved.kept(2))
    for neuron in saved.clusters[0].exemplars:
        np.testing.assert_array_equal(saved.map(2, neuron, 2), canvas.map(2, neuron, 2))


def test_named_neurons_of_an_mlp(tmp_path: Path) -> None:
    canvas = cw.trace(image(), "xinc", border="valid")
    canvas.save(tmp_path / "x.zarr", layers="net.1", maps={"net.1": [3, -1]}, progress=False)
    saved = cw.open(tmp_path / "x.zarr")
    (layer,) = saved.traced_layers
    assert layer == canvas.layers["net.1"]
    assert list(saved.layers) == list(canvas.layers)
    for neuron in (3, 9):
        np.testing.assert_array_equal(saved.map("net.1", neuron), canvas.map("net.1", neuron))
    with pytest.raises(cw.NotKeptError, match=r"has nothing of net\.0.*: it keeps net\.1"):
        saved.map("net.0", 3)
    assert saved.options == {"border": "valid"}
    assert saved.inr.truth is None


def test_a_truth_of_bytes_is_kept_exactly(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).integers(0, 256, (6, 16, 32, 3), np.uint8)
    canvas = cw.trace(cw.as_inr(video().module, truth=truth))
    canvas.save(tmp_path / "x.zarr", frames=[1, 3], maps=0, progress=False)
    saved = cw.open(tmp_path / "x.zarr")
    np.testing.assert_array_equal(saved.inr.truth[[1, 3]], canvas.inr.truth[[1, 3]])
    canvas.save(tmp_path / "y.zarr", frames=0, maps=0, truth=False, progress=False)
    assert cw.open(tmp_path / "y.zarr").inr.truth is None


# --- what is not --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda c: c.map(1, unkept_neuron(c), 2), r"has no map of neuron .* it keeps \d+ of .* maps=\{"),
        (lambda c: c.frame(3), r"has no frame 3: it keeps 2, 5\. .*frames="),
        (
            lambda c: c.pixel(0, 0, 2),
            r"pixel \(0, 0\): it keeps \(4, 5\)\. .*pixels=\[\(0, 0\)\].*maps='all'",
        ),
        (lambda c: c.region(np.ones((16, 32)), 2), r"no such region: it keeps box\. .*maps='all'"),
        (lambda c: list(c.iter(1, 2)), r"not every map, which this takes: keep all maps of .*maps='all'"),
        (lambda c: c.ablate({0: [(0, 0)]}, 2), "trace the model"),
        (lambda c: c.map(1, (0, 0), 2, rgb="red"), "has only the sum of the colours"),
        (lambda c: list(c.reduce(1, len, 2, granularity="unit")), "XINC's neurons; trace the model"),
    ],
)
def test_what_is_not_kept_is_said(part_file: Path, ask: Any, words: str) -> None:
    with pytest.raises(cw.NotKeptError, match=words) as raised:
        ask(cw.open(part_file))
    assert "part.zarr" in str(raised.value)


def test_what_never_was(part_file: Path) -> None:
    saved = cw.open(part_file)
    with pytest.raises(cw.UntraceableError, match="made under rule 'xinc'"):
        saved.under("gated")
    with pytest.raises(KeyError, match="no such layer"):
        saved.map("nothing", 0)
    with pytest.raises(IndexError, match="frame=6"):
        saved.frame(6)
    with pytest.raises(IndexError, match="y=16"):
        saved.pixel(16, 0, 2)
