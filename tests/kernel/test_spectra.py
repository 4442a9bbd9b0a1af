"""Spectra of the frame's pictures and the selection's map: as `analysis.spectrum` and a plain transform have them."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from tests.canvases import image, video
from tests.kernel.page import Page, cluster_labels, selection

SIZE = (16, 32)
TIME = 2


@pytest.fixture(scope="module")
def inr() -> cw.INR:
    return video()


@pytest.fixture(scope="module")
def gated(inr: cw.INR) -> cw.Canvas:
    return cw.trace(inr, "gated")


def by_hand(picture: np.ndarray, limits: list[float]) -> tuple[list[float], float, float]:
    """Power by band, centroid and bandwidth of ``(h, w, colours)``, from NumPy's transform of all coefficients."""
    height, width = picture.shape[:2]
    window = np.outer(*(np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2 for n in (height, width)))[..., None]
    mean = (picture * window**2).sum((0, 1)) / (window**2).sum()
    found = np.fft.fft2((picture - mean) * window, axes=(0, 1))
    power = (np.abs(found) ** 2).sum(-1) / (height * width * (window**2).sum())
    power[0, 0] = 0
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    bands = []
    for low, high in itertools.pairwise(limits):
        inside = (frequency > low + 1e-9) & (frequency <= high + 1e-9)
        bands.append(float(power[inside].mean()) if inside.any() else np.nan)
    centroid = (power * frequency).sum() / power.sum()
    return bands, centroid, np.sqrt((power * (frequency - centroid) ** 2).sum() / power.sum())


def numbers(power: list[float | None]) -> list[float]:
    return [np.nan if value is None else value for value in power]


def check(found: Any, picture: np.ndarray, limits: list[float], rel: float = 1e-9) -> None:
    power, centroid, bandwidth = by_hand(picture.astype(np.float64), limits)
    np.testing.assert_allclose(numbers(found["power"]), power, rtol=rel)
    assert (found["centroid"], found["bandwidth"]) == pytest.approx((centroid, bandwidth), rel=rel)


def ask_pictures(page: Page, time: int = TIME) -> Any:
    body, data = page.ask(kind="picture_spectra", time=time)
    assert (body["time"], len(data)) == (time, 0)
    return body


def ask_selection(page: Page, chosen: Any, time: int = TIME) -> Any:
    body, data = page.ask(kind="selection_spectrum", time=time, selection=chosen)
    assert (body["time"], body["selection"], len(data)) == (time, chosen, 0)
    return body


def test_those_of_the_pictures_are_the_ones_of_a_plain_transform(pages: Any, gated: cw.Canvas) -> None:
    body = ask_pictures(pages(gated))
    assert body["limits"][0] == 0
    assert body["limits"][-2:] == [0.5, pytest.approx(np.sqrt(0.5), abs=0.001)]
    output, truth = gated.frame(TIME).astype(np.float64), np.asarray(gated.inr.truth[TIME], np.float64)
    assert list(body["pictures"]) == ["truth", "output", "error"]
    for name, picture in (("truth", truth), ("output", output), ("error", output - truth)):
        check(body["pictures"][name], picture, body["limits"])


def test_they_are_those_of_analysis(pages: Any, gated: cw.Canvas) -> None:
    layer = gated.traced_layers[-1]
    expected = cw.analysis.spectrum(gated, layer, TIME, sample=None)
    page = pages(gated)
    body = ask_pictures(page)
    assert body["limits"] == expected.limits.tolist()
    assert body["frequencies"] == expected.frequencies.tolist()
    for name in ("truth", "output", "error"):
        found = body["pictures"][name]
        assert numbers(found["power"]) == pytest.approx(getattr(expected, name).tolist(), nan_ok=True)
        assert found["centroid"] == pytest.approx(expected.centroids[name])
    for neuron in ([0, 0], [3, 2]):
        answer = ask_selection(page, selection(layer.name, neuron))
        place = int(layer.flat_index([tuple(neuron)])[0])
        power = numbers(answer["spectrum"]["power"])
        np.testing.assert_allclose(power, expected.neuron_power[place], rtol=1e-4)
        assert answer["each_colour"]
        values = (answer["spectrum"]["centroid"], answer["spectrum"]["bandwidth"])
        assert values == pytest.approx(
            (expected.centroid.ravel()[place], expected.bandwidth.ravel()[place]), rel=1e-5
        )


def test_that_of_a_neuron_adds_the_power_of_its_colours(pages: Any, gated: cw.Canvas) -> None:
    layer, page = gated.traced_layers[-2], pages(gated)
    limits = ask_pictures(page)["limits"]
    found = ask_selection(page, selection(layer.name, [1, 0]))
    check(found["spectrum"], gated.maps(layer, [(1, 0)], TIME, rgb="each")[0], limits, 1e-3)
    found = ask_selection(page, {**selection(layer.name, [1, 0]), "channel": "green"})
    assert not found["each_colour"]
    check(found["spectrum"], gated.maps(layer, [(1, 0)], TIME, rgb="green")[0][..., None], limits, 1e-3)


def test_those_of_several_and_of_a_cluster_are_of_their_sum_with_signs(pages: Any, gated: cw.Canvas) -> None:
    layer, page = gated.traced_layers[-2], pages(gated)
    limits = ask_pictures(page)["limits"]
    some = [[0, 0], [2, 1], [3, 3]]
    maps = gated.maps(layer, [tuple(neuron) for neuron in some], TIME, rgb="each")
    found = ask_selection(page, {**selection(layer.name), "neurons": some})
    check(found["spectrum"], maps.sum(0, dtype=np.float64), limits, 1e-3)
    # Magnitudes have other frequencies, so that this is no other way to say the same.
    _, magnitude, _ = by_hand(np.abs(maps).sum(0, dtype=np.float64), limits)
    assert abs(found["spectrum"]["centroid"] - magnitude) > 1e-3
    labels = cluster_labels(page, layer, TIME)
    members = [layer.neuron_at(place) for place in np.flatnonzero(labels == 1)]
    assert 1 < len(members) < len(labels)
    found = ask_selection(page, selection(layer.name, cluster=1))
    maps = gated.maps(layer, members, TIME, rgb="each")
    check(found["spectrum"], maps.sum(0, dtype=np.float64), limits, 1e-3)


def test_under_a_rule_without_colours_it_is_of_their_sum(pages: Any, inr: cw.INR) -> None:
    canvas = cw.trace(inr, "xinc")
    layer, page = canvas.traced_layers[-2], pages(canvas)
    assert canvas.why_no_colours(layer)
    found = ask_selection(page, selection(layer.name, [0, 1]))
    assert not found["each_colour"]
    maps = canvas.maps(layer, [(0, 1)], TIME)[0][..., None]
    check(found["spectrum"], maps, ask_pictures(page)["limits"], 1e-3)


def test_waves_have_their_frequency_and_what_is_flat_has_none(pages: Any, inr: cw.INR) -> None:
    signal = np.full((inr.n_frames, *SIZE, 3), 0.5, np.float32)
    signal[TIME] += 0.25 * np.cos(2 * np.pi * 0.25 * np.arange(SIZE[1]))[None, :, None].astype(np.float32)
    page = pages(cw.trace(cw.as_inr(inr.module, truth=signal), "gated"))
    found = ask_pictures(page)
    truth = found["pictures"]["truth"]
    assert truth["centroid"] == pytest.approx(0.25, abs=0.02)
    strongest = int(np.nanargmax(numbers(truth["power"])))
    assert found["limits"][strongest] < 0.25 <= found["limits"][strongest + 1]
    flat = ask_pictures(page, 0)["pictures"]["truth"]
    assert (flat["centroid"], flat["bandwidth"]) == (None, None)
    assert np.nanmax(numbers(flat["power"])) < 1e-12


def test_without_a_truth_there_is_the_output_alone(pages: Any) -> None:
    body = ask_pictures(pages(cw.trace(image())), 0)
    assert list(body["pictures"]) == ["output"]


def test_a_whole_layer_and_nan_are_refused_in_words(pages: Any, gated: cw.Canvas, inr: cw.INR) -> None:
    page, layer = pages(gated), gated.traced_layers[-1].name
    said = page.fail(kind="selection_spectrum", time=TIME, selection=selection(layer))
    assert "not the whole layer" in said
    signal = np.full((inr.n_frames, *SIZE, 3), np.nan, np.float32)
    broken = pages(cw.trace(cw.as_inr(inr.module, truth=signal), "gated"))
    assert "the truth holds NaN or infinity" in broken.fail(kind="picture_spectra", time=TIME)


def test_a_saved_canvas_answers_what_it_keeps(pages: Any, gated: cw.Canvas, tmp_path: Path) -> None:
    layer = gated.traced_layers[-1]
    gated.save(tmp_path / "some.zarr", layers=layer, frames=TIME, maps=8, progress=False)
    saved = cw.open(tmp_path / "some.zarr")
    page, live = pages(saved), pages(gated)
    kept = list(layer.neuron_at(int(saved.kept(layer)[0])))  # type: ignore[arg-type]
    limits = ask_pictures(live)["limits"]
    assert ask_pictures(page)["limits"] == limits
    found, expected = (
        ask_selection(each, selection(layer.name, kept))["spectrum"]["centroid"] for each in (page, live)
    )
    assert found == pytest.approx(expected, rel=0.02)


def test_a_run_has_its_own(pages: Any) -> None:
    inr = image()
    weights = {
        step: {name: (1 + step) * value for name, value in inr.module.state_dict().items()} for step in (0, 1)
    }
    runs = cw.Runs.from_checkpoints(inr, weights, rule="gated")
    page, found = pages(runs[0], runs=runs, run=0), []
    for run in (0, 1):
        body, _ = page.ask(kind="picture_spectra", run=run, time=0)
        check(body["pictures"]["output"], runs[run].frame(0), body["limits"])
        found.append(body["pictures"]["output"]["centroid"])
    assert found[0] != pytest.approx(found[1], rel=1e-3)


def test_the_panel_is_a_trait_and_a_page_shows_the_pixel(pages: Any, inr: cw.INR, tmp_path: Path) -> None:
    from tests.exports.saved_page import Saved

    w = cw.CanvasWidget(inr, rule="gated", faithfulness=False, panel="spectrum")
    try:
        assert "panel='spectrum'" in w.recipe()
        w.save(tmp_path / "page.html", neurons=2, frames=[0], progress=False)
    finally:
        w.close()
    saved = Saved(tmp_path / "page.html")
    assert saved.whole["state"]["panel"] == "pixel"
    assert "needs the notebook" in saved.whole["needs"]["spectrum"]
