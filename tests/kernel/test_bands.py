"""The part of a map or of the picture within a band of frequencies: bands that divide these add up to the whole."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text

import canvaswidget as cw
from canvaswidget.analysis.fourier import HIGHEST, Bands, band_part
from canvaswidget.kernel.findings import band_in_words
from tests.canvases import video
from tests.exports.saved_page import Saved
from tests.kernel.page import Page, selection, values

TIME = 2
LIMITS = (0.0, 0.0625, 0.125, 0.2, 0.5, HIGHEST)
BAND = [0.1, 0.2]


@pytest.fixture(scope="module")
def gated() -> cw.Canvas:
    return cw.trace(video(), "gated")


def by_hand(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    """Every coefficient of the plain transform, with those of other frequencies set to 0."""
    found = np.fft.fft2(picture.astype(np.float64))
    frequency = np.hypot(*np.meshgrid(*map(np.fft.fftfreq, picture.shape), indexing="ij"))
    for at in np.ndindex(*picture.shape):
        inside = (frequency[at] > low + 1e-9 or (low == 0 and frequency[at] == 0)) and frequency[
            at
        ] <= high + 1e-9
        found[at] *= inside
    return np.fft.ifft2(found).real


@pytest.mark.parametrize("size", [(16, 32), (15, 21), (7, 1), (1, 8), (1, 1)])
def test_parts_of_bands_that_divide_the_frequencies_add_up(size: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).standard_normal(size) + 2
    parts = [band_part(picture, low, high) for low, high in itertools.pairwise(LIMITS)]
    np.testing.assert_allclose(sum(parts), picture, atol=1e-13)
    for part, (low, high) in zip(parts, itertools.pairwise(LIMITS), strict=True):
        np.testing.assert_allclose(part, by_hand(picture, low, high), atol=1e-13)
    # Parts share no frequency: they are at right angles.
    for one, other in itertools.combinations(parts, 2):
        assert abs((one * other).sum()) < 1e-10


def test_a_band_has_the_coefficients_that_the_spectrum_counts_in_it() -> None:
    bands = Bands((16, 32), LIMITS[1:-1])
    impulse = np.zeros((16, 32))
    impulse[3, 5] = 1.0  # every coefficient has magnitude 1
    for place, (low, high) in enumerate(itertools.pairwise(LIMITS)):
        energy = (np.abs(np.fft.fft2(band_part(impulse, low, high))) ** 2).sum()
        assert energy == pytest.approx(bands.counts[place] + (low == 0), abs=1e-9)


def test_waves_are_in_the_band_of_their_frequency() -> None:
    across = np.arange(64)
    slow, fast = (np.cos(2 * np.pi * f * across)[None] * np.ones((48, 1)) for f in (0.125, 0.375))
    np.testing.assert_allclose(band_part(slow + fast + 3, 0.0, 0.1), np.full((48, 64), 3.0), atol=1e-12)
    np.testing.assert_allclose(band_part(slow + fast, 0.1, 0.125), slow, atol=1e-12)
    np.testing.assert_allclose(band_part(slow + fast, 0.125, 0.5), fast, atol=1e-12)


def ask(page: Page, chosen: Any, **more: Any) -> np.ndarray:
    chosen = {**chosen, "band": BAND, **more}
    body, data = page.ask(kind="map", time=TIME, selection=chosen)
    assert (body["selection"], body["signed_range"], body["by"]) == (chosen, [], "")
    assert len(data) == body["height"] * body["width"]
    found = values(body, data)[0]
    assert body["total"] == pytest.approx(np.abs(found).sum(), rel=0.02)
    return found


def check(found: np.ndarray, whole: np.ndarray, band: list[float] = BAND) -> None:
    expected = by_hand(whole, *band)
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, atol=0.51 * np.ptp(expected) / 255 + 1e-6)


def test_the_frame_shows_the_band_of_a_neuron_of_several_and_of_a_layer(pages: Any, gated: cw.Canvas) -> None:
    page, layer = pages(gated), gated.traced_layers[-2]
    check(ask(page, selection(layer.name, [1, 0])), gated.map(layer, (1, 0), TIME))
    green = ask(page, selection(layer.name, [1, 0]), channel="green")
    check(green, gated.map(layer, (1, 0), TIME, rgb="green"))
    some = [(0, 0), (2, 1), (3, 3)]
    found = ask(page, {**selection(layer.name), "neurons": [list(neuron) for neuron in some]})
    check(found, gated.maps(layer, some, TIME).sum(0))  # with signs: magnitudes are no part of the picture
    whole = sum(maps.sum(0) for _, maps in gated.iter(layer, TIME))
    check(ask(page, selection(layer.name)), np.asarray(whole))


def test_the_frame_shows_the_band_of_the_picture(pages: Any, gated: cw.Canvas) -> None:
    page, layer = pages(gated), gated.traced_layers[0]
    picture = gated.frame(TIME).sum(-1)
    check(ask(page, selection(layer.name), overlay="picture"), picture)
    body, data = page.ask(kind="map", time=TIME, selection={**selection(layer.name), "overlay": "picture"})
    np.testing.assert_allclose(values(body, data)[0], picture, atol=0.51 * np.ptp(picture) / 255)
    # What is known of one band is not taken for another's.
    low = ask(page, selection(layer.name), overlay="picture", band=[0.0, 0.1])
    check(low, picture, [0.0, 0.1])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"band": [0.2, 0.1]}, "expected 0 <= low < high <= 0.708"),
        ({"band": [0.1]}, "expected (low, high)"),
        ({"band": [-0.1, 0.1]}, "expected 0 <= low"),
        ({"band": BAND, "overlay": "neurons"}, "a band is of 'selection' or 'picture'"),
    ],
)
def test_what_is_no_band_is_refused_in_words(pages: Any, gated: cw.Canvas, more: Any, words: str) -> None:
    layer = gated.traced_layers[-1].name
    said = pages(gated).fail(kind="map", time=TIME, selection={**selection(layer, [0, 0]), **more})
    assert words in said


def test_the_widget_takes_it_and_so_do_its_figure_data_recipe_and_page(
    gated: cw.Canvas, tmp_path: Path
) -> None:
    layer = gated.traced_layers[-2]
    w = cw.CanvasWidget(gated, faithfulness=False, layer=layer.name, neuron=(1, 0), time=TIME)
    try:
        w.band = np.array(BAND)
        assert w.band == tuple(BAND)
        assert "band=(0.1, 0.2)" in w.recipe()
        written = " ".join(text.get_text() for text in w.figure(["frame"]).findobj(Text))
        assert "0.10 to 0.20 cycles a pixel" in written
        w.save_data(tmp_path / "view.npz")
        saved = np.load(tmp_path / "view.npz")
        whole = gated.map(layer, (1, 0), TIME)
        np.testing.assert_allclose(saved["map"], whole, atol=1e-6)
        np.testing.assert_allclose(saved["map_band"], by_hand(whole, *BAND), atol=1e-6)
        assert saved["band"].tolist() == BAND
        w.save(tmp_path / "page.html", neurons=2, frames=[TIME], progress=False)
        w.overlay = "neurons"
        written = " ".join(text.get_text() for text in w.figure(["frame"]).findobj(Text))
        assert "cycles" not in written
    finally:
        w.close()
    assert Saved(tmp_path / "page.html").whole["state"]["band"] is None


def test_bands_in_words() -> None:
    assert band_in_words((0.1, 0.2)) == "0.10 to 0.20 cycles a pixel"
    assert band_in_words((0.0, 0.015625)) == "0.00 to 0.0156 cycles a pixel"
