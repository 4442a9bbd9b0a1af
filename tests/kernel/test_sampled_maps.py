"""What sums all neurons of a layer that would take long: no sweep, looks that end at the exact numbers, intervals."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis import distribution, intensity, motion
from canvaswidget.kernel import sampled_maps
from tests.canvases import magnitudes, video
from tests.kernel.page import Page, selection, values
from tests.small_models import learnt_nerv

LAYER = 2
TIME = 3


def refuse(*_: Any, **__: Any) -> Any:
    raise AssertionError("a sweep over all neurons")


@pytest.fixture
def page(pages: Any, monkeypatch: pytest.MonkeyPatch) -> Page:
    """Every layer as slow as a large one, and a canvas that sweeps none."""
    monkeypatch.setattr(sampled_maps, "LARGE", 0)
    monkeypatch.setattr("canvaswidget.analysis.sampled.EXACT_SECONDS", 0)
    monkeypatch.setattr(sampled_maps, "PATIENCE", math.inf)  # or numbers would depend on the machine
    canvas = cw.trace(video(), "gated")
    monkeypatch.setattr(canvas.matrix, "sweep", refuse)
    monkeypatch.setattr(canvas, "estimate", lambda *_: type("", (), {"seconds": 1e9}))
    return pages(canvas)


@pytest.fixture(scope="module")
def exact() -> cw.Canvas:
    """The same model, of which everything is computed."""
    return cw.trace(video(), "gated")


def ask_map(page: Page, look: int | None = None, **changes: Any) -> tuple[dict[str, Any], np.ndarray]:
    layer = page.session.canvas.traced_layers[LAYER].name
    named = {} if look is None else {"look": look}
    return page.ask(kind="map", time=TIME, selection={**selection(layer), **changes}, **named)


def looks(page: Page, **changes: Any) -> list[tuple[dict[str, Any], np.ndarray]]:
    """All looks of a map."""
    found = []
    for number in itertools.count():
        found.append(ask_map(page, number, **changes))
        if not found[-1][0]["sampled"]["has_more"]:
            return found
    raise AssertionError


# --- the map of a whole layer, and the findings that lie over the frame ----------------------------------------


def test_the_map_of_a_layer_gets_better_until_it_is_exact(page: Page, exact: cw.Canvas) -> None:
    sizes = magnitudes(exact, LAYER, TIME, None)
    found = looks(page)
    told = [body["sampled"] for body, _ in found]
    assert [one["pixels"] for one in told] == sorted({one["pixels"] for one in told})
    assert told[-1] == {"pixels": 16 * 32, "passes": told[-1]["passes"], "error": 0, "has_more": False}
    off = [np.abs(values(body, data)[0] - sizes.sum(0)).sum() / sizes.sum() for body, data in found]
    assert off[0] > off[-1]
    assert off[-1] < 0.003  # as far as 8 bits tell
    for one, true in zip(told[:-1], off[:-1], strict=True):
        assert true < 2 * one["error"]  # where most pixels are known the map is better than that
    totals = [body["total"] for body, _ in found]
    assert totals[-1] == pytest.approx(sizes.sum(), rel=1e-4)
    assert totals[0] == pytest.approx(sizes.sum(), rel=0.3)


def test_its_sum_with_signs_is_exact_from_one_pass(page: Page, exact: cw.Canvas) -> None:
    signed = magnitudes_with_signs(exact)
    body, data = ask_map(page, 0)
    low, high = body["signed_range"]
    plane = low + data[: 2 * 16 * 32].reshape(2, 16, 32)[1] / 255 * (high - low)
    np.testing.assert_allclose(plane, signed, atol=(high - low) / 255)
    layer = page.session.canvas.traced_layers[LAYER]
    body, _ = page.ask(kind="rules", time=TIME, selection=selection(layer.name))
    (gated,) = [one for one in body["maps"] if one["rule"] == "gated"]
    assert gated["total"] == pytest.approx(np.abs(signed).sum(), rel=1e-4)


def magnitudes_with_signs(exact: cw.Canvas) -> np.ndarray:
    return sum(maps.sum(0) for _, maps in exact.iter(LAYER, TIME))


def test_a_better_map_is_less_urgent_than_what_is_clicked(page: Page) -> None:
    from canvaswidget.kernel.requests import KINDS

    body = {"selection": selection("layer")}
    first, better = (KINDS["map"].priority({**body, "look": look}) for look in (0, 1))
    assert KINDS["pixel"].priority({}) < first < better


@pytest.mark.parametrize("overlay", ["neurons", "intensity", "change"])
def test_findings_over_the_frame_end_at_the_exact_ones(page: Page, exact: cw.Canvas, overlay: str) -> None:
    expected = {
        "neurons": lambda: distribution(exact, LAYER, TIME, (0.1,), accuracy=None).neurons_per_pixel[0],
        "intensity": lambda: intensity(exact, LAYER, TIME, accuracy=None).difference,
        "change": lambda: motion(exact, LAYER, [TIME - 1, TIME], accuracy=None).change[0],
    }[overlay]()
    found = looks(page, overlay=overlay)
    spread = float(np.ptp(expected))
    off = [np.abs(values(body, data)[0] - expected).mean() / spread for body, data in found]
    assert off[-1] < 0.01
    assert off[0] < 0.2
    assert found[0][0]["sampled"]["pixels"] < 16 * 32
    without, _ = ask_map(page, overlay=overlay)  # as Python asks: what can be had in a few seconds
    assert without["sampled"]["error"] <= found[0][0]["sampled"]["error"]


def test_a_look_does_not_depend_on_the_ones_before(page: Page, pages: Any) -> None:
    step_by_step = [ask_map(page, number) for number in range(4)]
    other = pages(page.session.canvas)
    body, data = ask_map(other, 3)
    assert body == step_by_step[3][0]
    np.testing.assert_array_equal(data, step_by_step[3][1])


def test_each_pass_is_drawn_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    feed = sampled_maps.feed
    monkeypatch.setattr(sampled_maps, "feed", lambda *given: drawn.append(tuple(given[1][0])) or feed(*given))
    looks(page)
    looks(page, overlay="intensity")
    ask_map(page)
    assert len(drawn) == len(set(drawn))


def test_a_cluster_of_many_neurons_is_estimated_too(
    page: Page, exact: cw.Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("canvaswidget.analysis.sampled.MOST_PASSES", 60)
    layer = exact.traced_layers[LAYER]
    reply, data = page.ask(kind="clusters", time=TIME, layer=layer.name, n_clusters=3)
    assert reply["half_width"] > 0
    members = np.flatnonzero(data[: layer.n_kernels] == 0)
    sizes = magnitudes(exact, LAYER, TIME, None)[members]
    found = looks(page, cluster=0)
    body, data = found[-1]
    np.testing.assert_allclose(values(body, data)[0], sizes.sum(0), atol=sizes.sum(0).max() / 250)
    assert found[0][0]["sampled"]["pixels"] < 16 * 32
    spectrum, _ = page.ask(kind="selection_spectrum", time=TIME, selection=selection(layer.name, cluster=0))
    assert spectrum["spectrum"]["centroid"] is not None


# --- numbers with intervals ------------------------------------------------------------------------------------


def test_the_curve_of_a_layer_has_intervals_that_hold_the_exact_totals(page: Page, exact: cw.Canvas) -> None:
    layer = exact.traced_layers[LAYER].name
    sizes = [magnitudes(exact, LAYER, time, None).sum(0) for time in range(6)]
    body, _ = page.ask(kind="curve", frames=list(range(6)), selection=selection(layer))
    assert all(0 < width < 0.5 for width in body["half_widths"])
    assert body["changes"][0] is None
    inside = []
    for at in range(6):
        true = float(sizes[at].sum())
        inside.append(abs(body["totals"][at] - true) <= body["half_widths"][at] * body["totals"][at])
        if at:
            true = float(np.abs(sizes[at] - sizes[at - 1]).sum())
            reach = body["change_half_widths"][at] * body["changes"][at]
            inside.append(abs(body["changes"][at] - true) <= reach)
    assert np.mean(inside) > 0.8


@functools.cache
def trained_image() -> tuple[cw.Canvas, np.ndarray]:
    """A NeRV that has learnt two frames of 32x64, and where its middle layer contributes."""
    model, _ = learnt_nerv(150)
    canvas = cw.trace(cw.as_inr(model), "gated", progress=False)
    return canvas, magnitudes(canvas, -2, 0, None).sum(0)


@pytest.mark.slow
@pytest.mark.parametrize("lattices", [3, 6, 12])
def test_intervals_of_sums_over_pixels_hold_the_exact_ones(lattices: int) -> None:
    """Of the whole map of a trained layer, from lattices in 400 random orders (invariant 10 of the design)."""
    canvas, image = trained_image()
    held = []
    for seed in range(400):
        columns = canvas.columns(-2, 0, seed=seed)
        known = np.full(image.shape, np.nan)
        for number in range(lattices):
            y, x = columns.lattice(number).T
            known[y, x] = image[y, x]
        found, half_width = sampled_maps.sum_over_pixels(known, columns.lattice_spacing)
        held.append(abs(found - image.sum()) <= half_width * found)
    assert np.mean(held) >= 0.93


def test_what_a_few_pixels_hold_is_not_missed_silently(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    known = np.full((16, 32), np.nan, np.float32)
    known[::4, ::4] = known[1::4, ::4] = 0.1
    plain = sampled_maps.SampledMap(known, known, 0.0, 3, True, (4, 4))
    assert plain.total() == pytest.approx((51.2, 0))
    found, half_width = plain._replace(least=27.0 + 0.1 * 512).total()
    assert found * (1 - half_width) <= 27 + 0.1 * 512 <= found * (1 + half_width)
    assert half_width > 1
    # Where the sum with signs is large, so is the map, whether the pixel was drawn or not.
    signed = np.zeros((16, 32, 3), np.float32)
    signed[5, 7] = 50
    monkeypatch.setattr(sampled_maps, "signed", lambda *_: signed)
    body, data = ask_map(page, 0)
    assert values(body, data)[0].argmax() == 5 * 32 + 7
    assert body["high"] == pytest.approx(150)


def test_shares_of_regions_and_orders_need_no_sweep(
    page: Page, exact: cw.Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampled_maps, "PATIENCE", 0)
    layer = exact.traced_layers[LAYER]
    sizes = magnitudes(exact, LAYER, TIME, None)
    region = {"points": [[2, 2], [2, 20], [14, 20], [14, 2]], "runs": []}
    body, _ = page.ask(kind="regions", time=TIME, selection=selection(layer.name), regions=[region])
    inside = sizes[:, 2:14, 2:20]
    assert body["shares"][0] == pytest.approx(inside.sum() / sizes.sum(), abs=0.05)
    assert body["sampled"]["error"] > 0
    ask = {"kind": "values", "time": TIME, "layer": layer.name, "pixel": None}
    body, data = page.ask(**ask, sort="region", region=region, channel="abs")
    assert 0 < body["half_width"] < 0.3
    exact_sums = inside.sum((1, 2))
    alive = exact_sums > 0
    found = data[: 4 * layer.n_kernels].view("<f4")
    assert np.median(np.abs(found[alive] / exact_sums[alive] - 1)) < body["half_width"]
    body, _ = page.ask(kind="region_neurons", time=TIME, region=region, k=5, channel="abs")
    assert body["half_width"] > 0
    body, _ = page.ask(**ask, sort="region", region=region, channel="sum")
    assert body["half_width"] == 0  # from one backward pass
    body, _ = page.ask(**ask, sort="change", region=None, channel="red")
    assert body["half_width"] > 0
    page.ask(kind="scatter", time=TIME, layer=layer.name, method="pca")


def test_a_layer_that_is_not_long_is_exact(pages: Any, exact: cw.Canvas) -> None:
    page = pages(exact)
    for overlay in ("selection", "neurons", "intensity", "change"):
        assert ask_map(page, 0, overlay=overlay)[0]["sampled"] is None
    layer = exact.traced_layers[LAYER].name
    body, _ = page.ask(kind="curve", frames=[1, 2], selection=selection(layer))
    assert body["half_widths"] == body["change_half_widths"] == [0, 0]
