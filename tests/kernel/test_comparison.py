"""What is asked about a second run: counterparts, their bars, and curves over the runs, held against the canvases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import canvaswidget as cw
from canvaswidget.models import FFN, SIREN
from tests.kernel.page import Page, grid, selection, values

SIZE = (12, 10)
SEEDS = (1, 2)


def network(seed: int, kind: Any = FFN, **options: Any) -> cw.INR:
    torch.manual_seed(seed)
    inr = cw.as_inr(kind(hidden=8, size=SIZE, **options))
    return cw.as_inr(inr.module, truth=np.random.default_rng(seed).random((*SIZE, 3), np.float32))


@pytest.fixture
def runs() -> cw.Runs:
    permuted = network(1)
    order = torch.tensor([3, 1, 7, 0, 2, 6, 5, 4])
    weights = permuted.module.state_dict()
    # The units of the second layer in another order: the same network.
    for name in ("net.0.linear.weight", "net.0.linear.bias"):
        weights[name] = weights[name][order]
    weights["net.1.linear.weight"] = weights["net.1.linear.weight"][:, order]
    permuted.module.load_state_dict(weights)
    return cw.Runs(
        {"one": network(1), "permuted": permuted, "siren": network(3, SIREN, layers=4)}, rule="gated"
    )


@pytest.fixture
def page(runs: cw.Runs) -> Any:
    page = Page(runs["one"], runs=runs, run="one")
    yield page
    page.session.close()


def test_neurons_in_another_order_are_found_again(page: Page, runs: cw.Runs) -> None:
    layer = runs["one"].layers.find("net.1")
    body, data = page.ask(kind="pairs", run="one", time=0, layer="net.1", other="permuted")
    assert (body["layer"], body["other_layer"]) == (layer.name, layer.name)
    count = layer.neurons[0]
    places = data[: 4 * count].view("<i4")
    correlations = data[4 * count : 8 * count].view("<f4")
    ours = np.abs(runs["one"].maps("net.1", range(count), rgb="each"))
    theirs = np.abs(runs["permuted"].maps("net.1", range(count), rgb="each"))
    alive = ours.reshape(count, -1).sum(1) > 0
    assert alive.sum() >= 4
    for neuron in np.flatnonzero(alive):
        assert places[neuron] >= 0
        assert correlations[neuron] == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(theirs[places[neuron]], ours[neuron], atol=1e-5)
    assert np.isnan(correlations[~alive]).all()
    assert (places[~alive] == -1).all()


def test_another_architecture_answers_for_the_layer_as_far_from_the_output(page: Page, runs: cw.Runs) -> None:
    body, data = page.ask(kind="pairs", run="one", time=0, layer="net.0", other="siren")
    names = [layer.name for layer in runs["siren"].traced_layers]
    assert body["other_layer"] == "net.0.linear"  # of the same name
    body, data = page.ask(kind="pairs", run="siren", time=0, layer=names[2], other="one")
    assert body["other_layer"] == "net.2.linear"
    body, data = page.ask(kind="pairs", run="siren", time=0, layer=names[3], other="one")
    assert body["other_layer"] == "net.2.linear"  # the last, which has no namesake
    assert len(data) >= 8 * runs["siren"].layers.find(names[3]).neurons[0]


@pytest.mark.parametrize("channel", ["sum", "red", "abs"])
@pytest.mark.parametrize("rule", ["gated", "ablation"])
def test_bars_are_what_the_second_run_contributes(page: Page, runs: cw.Runs, channel: str, rule: str) -> None:
    neurons = [{"layer": "net.1.linear", "neuron": [n]} for n in (4, 0)] + [
        {"layer": "net.2.linear", "neuron": [2]}
    ]
    body, _ = page.ask(
        kind="bars", run="permuted", rule=rule, time=0, pixel=[3, 4], channel=channel, neurons=neurons
    )
    canvas = runs["permuted"].under(rule)
    for one, value in zip(neurons, body["values"], strict=True):
        expected = canvas.map(one["layer"], one["neuron"][0], rgb=channel)[3, 4]
        assert value == pytest.approx(float(expected), rel=1e-4, abs=1e-6)
    assert "no such layer" in page.fail(
        kind="bars",
        run="permuted",
        time=0,
        pixel=[3, 4],
        channel="sum",
        neurons=[{"layer": "x", "neuron": [0]}],
    )
    assert "no such run" in page.fail(
        kind="bars", run="nix", time=0, pixel=[3, 4], channel="sum", neurons=neurons
    )


def test_a_curve_over_runs_has_totals_where_the_neuron_is_and_says_nothing_of_a_broken_run(
    tmp_path: Path,
) -> None:
    for seed in SEEDS:
        save_file(dict(network(seed).module.state_dict()), tmp_path / f"{seed}.safetensors")
    (tmp_path / "3.safetensors").write_bytes(b"")
    runs = cw.Runs.from_checkpoints(network(9), tmp_path, rule="gated")
    page = Page(runs[1], runs=runs, run=1)
    body, _ = page.ask(
        kind="run_curve", run=1, time=0, runs=[3, 2, 1], selection=selection("net.1.linear", [3])
    )
    assert (body["runs"], body["totals"][0], body["psnr"][0]) == ([3, 2, 1], None, None)
    for place, run in ((1, 2), (2, 1)):
        total = np.abs(runs[run].map("net.1", 3, rgb="each")).sum()
        assert body["totals"][place] == pytest.approx(total, rel=1e-5)
        frame, truth = np.clip(runs[run].frame(), 0, 1), runs[run].inr.truth
        assert truth is not None
        psnr = -10 * np.log10(np.mean((frame - truth[0]) ** 2))
        assert body["psnr"][place] == pytest.approx(psnr, rel=1e-4)
    body, _ = page.ask(kind="run_curve", run=1, time=0, runs=[2], selection=None)
    assert body["totals"] == [None]
    assert body["psnr"][0] is not None
    page.session.close()


def test_a_run_without_the_layer_has_no_total(page: Page) -> None:
    body, _ = page.ask(
        kind="run_curve", run="siren", time=0, runs=["one", "siren"], selection=selection("net.3", [2])
    )
    assert body["totals"][0] is None
    assert body["totals"][1] is not None


def test_one_network_has_nothing_to_be_compared_with() -> None:
    page = Page(cw.trace(network(1), "gated"))
    assert "one network" in page.fail(kind="pairs", time=0, layer="net.1", other="two")
    page.session.close()


def test_neurons_are_sorted_by_how_little_they_are_like_their_counterparts(tmp_path: Path) -> None:
    weights = {seed: dict(network(seed).module.state_dict()) for seed in SEEDS}
    weights[1]["net.0.linear.bias"][5] = -1e3  # a unit that is dead in one run has no correlation
    runs = cw.Runs.from_checkpoints(network(9), weights, rule="gated")
    page = Page(runs[1], runs=runs, run=1)
    layer, count = "net.1.linear", 8
    vectors = [cw.analysis.vectors(runs[seed], layer) for seed in SEEDS]
    expected = np.full(count, np.nan)
    for neuron in range(count):  # one network: each beside its own number
        one, two = (side.values[neuron] for side in vectors)
        if one.std() > 0 and two.std() > 0:
            expected[neuron] = 1 - np.corrcoef(one, two)[0, 1]
    assert np.isnan(expected[5])
    body, _ = page.ask(**grid(layer, run=1, time=0, sort="difference", beside=2, count=count, pixel=None))
    shown = {neuron[0]: value for neuron, value in zip(body["neurons"], body["values"], strict=True)}
    assert len(shown) == count
    for neuron, value in shown.items():
        assert (value is None) == bool(np.isnan(expected[neuron]))
        if value is not None:
            assert value == pytest.approx(expected[neuron], abs=1e-4)
    known = [value for value in body["values"] if value is not None]
    assert known == sorted(known, reverse=True)
    assert body["values"][: len(known)] == known  # those that can't be compared come last
    _, data = page.ask(
        kind="values",
        run=1,
        time=0,
        layer=layer,
        sort="difference",
        channel="sum",
        pixel=None,
        region=None,
        beside=2,
    )
    np.testing.assert_allclose(data[: 4 * count].view("<f4"), expected, atol=1e-4)
    assert "needs a run" in page.fail(**grid(layer, run=1, time=0, sort="difference", pixel=None))
    page.session.close()


def test_thumbnails_of_named_neurons_come_in_the_order_they_are_named(page: Page, runs: cw.Runs) -> None:
    body, data = page.ask(
        kind="thumbnails",
        run="permuted",
        time=0,
        layer="net.1",
        channel="sum",
        neurons=[[5], [2], [5]],
        side=12,
    )
    assert (body["height"], body["width"]) == SIZE
    shown = values(body, data[: 3 * SIZE[0] * SIZE[1]])
    for place, neuron in enumerate((5, 2, 5)):
        expected = runs["permuted"].map("net.1", neuron)
        step = (body["high"][place] - body["low"][place]) / 255
        np.testing.assert_allclose(shown[place], expected, atol=step + 1e-6)
    assert "out of range" in page.fail(
        kind="thumbnails", run="one", time=0, layer="net.1", channel="sum", neurons=[[8]], side=12
    )


def test_bars_of_a_colour_that_the_second_run_has_not_are_refused() -> None:
    grey = network(3, channels=1)
    page = Page(
        cw.trace(network(1), "gated"),
        runs=cw.Runs({"one": network(1), "grey": grey}, rule="gated"),
        run="one",
    )
    asked = {
        "kind": "bars",
        "time": 0,
        "pixel": [3, 4],
        "neurons": [{"layer": "net.1.linear", "neuron": [4]}],
    }
    assert "one channel" in page.fail(run="grey", channel="red", **asked)
    body, _ = page.ask(run="grey", channel="sum", **asked)
    assert len(body["values"]) == 1
    page.session.close()
