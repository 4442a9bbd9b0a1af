"""One selection under every rule: the maps, their differences, and why there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.kernel import similarity
from tests.canvases import image, video
from tests.kernel.page import Page, selection


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


def compare(page: Page, chosen: dict[str, Any], time: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """By rule, what is told; and the values of each map and of its difference."""
    body, data = page.ask(kind="rules", time=time, selection=chosen)
    planes = iter(data.reshape(-1, body["height"], body["width"]))
    values: dict[str, Any] = {}
    for told in body["maps"]:
        values[told["rule"]] = [
            None if plane is None else plane["low"] + next(planes) / 255 * (plane["high"] - plane["low"])
            for plane in (told["map"], told["difference"])
        ]
    assert next(planes, None) is None
    assert [told["rule"] for told in body["maps"]] == ["xinc", "gated", "ablation"]
    return {told["rule"]: told for told in body["maps"]}, values


def assert_close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, atol=0.51 * np.ptp(expected) / 255 + 1e-6)


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_one_neuron(pages, canvas: cw.Canvas, rule: str) -> None:
    layer = canvas.traced_layers[-2]
    told, values = compare(pages(canvas.under(rule)), selection(layer.name, [1, 2]))
    maps = {each: canvas.under(each).map(layer, (1, 2), 2) for each in told}
    whole = {each: canvas.under(each).map(layer, (1, 2), 2, rgb="abs") for each in ("gated", "ablation")}
    assert not np.allclose(
        whole["gated"], np.abs(maps["gated"])
    )  # its colours have different signs somewhere
    for each, expected in maps.items():
        found, difference = values[each]
        assert_close(found, expected)
        assert told[each]["total"] == pytest.approx(np.abs(whole.get(each, expected)).sum(), rel=1e-4)
        assert told[each]["each_colour"] == (each in whole)
        if each == "ablation":
            assert difference is told[each]["correlation"] is None
        else:
            assert_close(difference, expected - maps["ablation"])
            known = np.corrcoef(expected.ravel(), maps["ablation"].ravel())[0, 1]
            assert told[each]["correlation"] == pytest.approx(known, abs=1e-5)


def test_several_neurons_are_taken_out_together(pages, canvas: cw.Canvas) -> None:
    layer, some = canvas.traced_layers[-2], [(0, 1), (1, 2), (3, 0)]
    told, values = compare(pages(canvas), {**selection(layer.name), "neurons": [list(one) for one in some]})
    assert_close(values["gated"][0], canvas.under("gated").maps(layer, some, 2).sum(0))
    lost = (canvas.frame(2) - canvas.ablate({layer: some}, 2)).sum(2)
    assert_close(values["ablation"][0], lost)
    assert told["gated"]["correlation"] > 0.5
    assert told["ablation"]["total"] == pytest.approx(np.abs(lost).sum(), rel=1e-4)
    assert not any(one["each_colour"] for one in told.values())


def test_a_cluster_has_its_members_under_every_rule(pages, canvas: cw.Canvas) -> None:
    page, layer = pages(canvas), canvas.traced_layers[-2]
    _, values = compare(page, selection(layer.name, cluster=1))
    labels = similarity.known_clusters(page.session.cached, layer, 3).labels
    members = [tuple(int(part) for part in one) for one in np.argwhere(labels == 1)]
    assert members
    assert_close(values["xinc"][0], canvas.maps(layer, members, 2).sum(0))
    assert_close(values["gated"][0], canvas.under("gated").maps(layer, members, 2).sum(0))


def test_several_neurons_are_filled_up_as_one_is(pages, canvas: cw.Canvas) -> None:
    ours, layer = canvas.under("ablation", fill="mean"), canvas.traced_layers[-2]
    some = [(0, 1), (1, 2)]
    _, one = compare(pages(ours), selection(layer.name, [0, 1]))
    assert_close(one["ablation"][0], ours.map(layer, (0, 1), 2))
    _, several = compare(pages(ours), {**selection(layer.name), "neurons": [list(each) for each in some]})
    lost, zero = (canvas.frame(2) - canvas.ablate({layer: some}, 2, fill=fill) for fill in ("mean", "zero"))
    assert_close(several["ablation"][0], lost.sum(2))
    assert np.abs((lost - zero).sum(2)).max() > 3 * np.ptp(lost.sum(2)) / 255  # more than rounding


def test_a_cluster_without_neurons_is_not_the_whole_layer(pages) -> None:
    model = image().module
    with torch.no_grad():  # only one unit of the hidden layer is alive: there is one cluster
        model.net[0].linear.bias[1:] = -1e3
    page = pages(cw.trace(cw.as_inr(model), "gated"))
    layer = page.session.canvas.traced_layers[2].name
    _, data = page.ask(kind="clusters", time=0, layer=layer, n_clusters=3)
    assert 2 not in data[:10]
    for kind in ("rules", "agreement"):
        assert "cluster 2 of layer" in page.fail(kind=kind, time=0, selection=selection(layer, cluster=2))


def test_a_whole_layer_of_units(pages) -> None:
    canvas = cw.trace(image(), "gated", device="cpu")
    layer = canvas.traced_layers[1]
    _, values = compare(pages(canvas), selection(layer.name), time=0)
    assert_close(values["gated"][0], canvas.maps(layer, range(layer.n_units)).sum(0))
    lost = (canvas.frame() - canvas.ablate({layer: range(layer.n_units)})).sum(2)
    assert_close(values["ablation"][0], lost)


def test_in_the_last_layer_gated_is_ablation(pages, canvas: cw.Canvas) -> None:
    told, _ = compare(pages(canvas), selection(canvas.layers[-1].name, [1, 1]))
    assert told["gated"]["correlation"] == pytest.approx(1, abs=1e-4)
    assert abs(told["gated"]["difference"]["high"]) < 1e-4


def test_a_rule_that_is_not_defined_on_the_layer_says_why(pages, canvas: cw.Canvas) -> None:
    gated = canvas.under("gated")
    stem = gated.traced_layers[0]
    assert stem.name not in [layer.name for layer in canvas.traced_layers]
    told, values = compare(pages(gated), selection(stem.name, [0, 0]))
    assert stem.name in told["xinc"]["why"]
    assert (told["xinc"]["map"], values["xinc"]) == (None, [None, None])
    assert told["gated"]["why"] == told["ablation"]["why"] == ""


def test_a_neuron_without_effect_has_no_correlation(pages) -> None:
    inr = image()
    last = [layer for layer in inr.module.modules() if hasattr(layer, "weight")][-1]
    last.weight.data[:, 3] = 0
    last.bias.data[:] = 0
    canvas = cw.trace(inr, device="cpu")
    told, _ = compare(pages(canvas), selection(canvas.layers[-1].name, [3]), time=0)
    assert told["gated"]["total"] == 0
    assert told["gated"]["correlation"] is None


def test_it_is_computed_once(pages, canvas: cw.Canvas) -> None:
    page, chosen = pages(canvas), selection(canvas.traced_layers[-1].name, [0, 0])
    first = compare(page, chosen)
    n_bytes = page.session.stats()["cache_bytes"]
    assert compare(page, chosen)[0] == first[0]
    assert page.session.stats()["cache_bytes"] == n_bytes
