"""A widget of several networks: what is asked of each, what stays from one to the next, what can't be made."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import canvaswidget as cw
from canvaswidget.models import FFN, SIREN
from canvaswidget.widget import live_view
from canvaswidget.widget.widget import CanvasWidget
from tests.widget.between_page_and_widget import sent

SIZE = (6, 5)
STEPS = (0, 10, 200)


def network(seed: int = 0, hidden: int = 8, kind: Any = FFN, truth: bool = False) -> cw.INR:
    torch.manual_seed(seed)
    return cw.as_inr(kind(hidden=hidden, size=SIZE), truth=np.full((*SIZE, 3), 0.5) if truth else None)


def weights_of(inr: cw.INR) -> dict[str, torch.Tensor]:
    return dict(inr.module.state_dict())


@pytest.fixture
def training() -> cw.Runs:
    weights = {step: weights_of(network(step)) for step in STEPS}
    return cw.Runs.from_checkpoints(network(99), weights, rule="gated")


@pytest.fixture
def mixed() -> cw.Runs:
    """Two seeds of one architecture, and another one with fewer layers."""
    runs = {"one": network(1, truth=True), "two": network(2, truth=True), "siren": network(3, 5, SIREN)}
    return cw.Runs(runs, rule="gated")


def ask(w: CanvasWidget, **body: Any) -> tuple[dict[str, Any], list[bytes]]:
    """The end of a request, as the page gets it."""
    ended, found = threading.Event(), []

    def reply(message: Any, buffers: Any) -> None:
        if message["type"] != "progress":
            found.append((message, buffers))
            ended.set()

    request: Any = {"type": "request", "id": 1, "view": "test", "body": body}
    w._live.handle(request, reply)
    assert ended.wait(60)
    return found[0]


def total(w: CanvasWidget, run: Any, neuron: int = 3) -> float:
    chosen = {"layer": w.layer, "neuron": [neuron], "neurons": [], "cluster": -1, "n_clusters": 6}
    message, _ = ask(w, kind="map", run=run, rule=w.rule, time=0, selection=chosen)
    assert message["type"] == "reply", message
    assert message["of"]["run"] == run
    return message["body"]["total"]


def expected(step: int, layer: str, neuron: int = 3) -> float:
    """The total of a network that is traced on its own."""
    return float(np.abs(cw.trace(network(step), "gated").map(layer, neuron, rgb="each")).sum())


def test_a_training_begins_at_its_last_step_and_answers_for_every_step(widgets, training) -> None:
    w = widgets(training)
    assert w.run == 200
    assert [run["key"] for run in w._runs] == list(STEPS)
    assert {run["group"] for run in w._runs} == {0}
    for run in (10, 0, 200):  # whatever is shown
        assert total(w, run) == pytest.approx(expected(run, w.layer), rel=1e-5)
    assert ask(w, kind="palettes")[0]["type"] == "reply"  # whatever depends on no run
    w.run = 10
    assert (w._canvas["run"], w.canvas) == (10, training[10])
    assert total(w, 10) == pytest.approx(expected(10, w.layer), rel=1e-5)
    assert total(w, 10, 4) == pytest.approx(expected(10, w.layer, 4), rel=1e-5)


def test_clusters_are_of_the_run_that_was_asked_about(widgets, training) -> None:
    w = widgets(training)
    found = {}
    for run in (0, 200, 0):
        message, buffers = ask(w, kind="clusters", run=run, rule="gated", time=0, layer=w.layer, n_clusters=3)
        assert message["type"] == "reply", message
        assert found.setdefault(run, bytes(buffers[0])) == bytes(buffers[0])
    assert found[0] != found[200]


def test_what_stays_and_what_a_run_with_other_layers_has_not(widgets, mixed) -> None:
    w = widgets(mixed, neuron=7, pixel=(2, 3), opacity=0.3)
    assert w.run == "one"
    w.ablated = {w.layer: [7]}
    w.edits = {w.layer: {6: 0.5}}
    w.source = "truth"
    layer = w.layer
    w.run = "two"
    assert (w.layer, w.neuron, w.pixel, w.opacity) == (layer, 7, (2, 3), 0.3)
    assert (w.ablated, w.edits) == ({layer: (7,)}, {layer: {6: 0.5}})
    assert w._canvas["notice"] == ""
    assert [run["group"] for run in w._runs] == [0, 0, None]
    w.run = "siren"
    names = [one.name for one in w.canvas.traced_layers]
    assert w.layer in names
    assert (w.pixel, w.opacity, w.ablated, w.edits, w.source) == ((2, 3), 0.3, {}, {}, "reconstruction")
    column = np.abs(w.canvas.pixel(2, 3, layers=[w.layer], rgb="each")[w.layer]).sum(-1)
    assert w.neuron == column.argmax()
    for word in ("selected neurons are not in it", "no longer ablated", "no longer scaled", "no truth"):
        assert word in w._canvas["notice"]
    w.run = "one"
    assert len({run["group"] for run in w._runs}) == 2


def test_a_layer_that_a_run_has_not_is_replaced_by_one_as_far_from_the_output(widgets) -> None:
    deep = cw.as_inr(FFN(hidden=8, layers=5, size=SIZE))
    w = widgets(
        cw.Runs({"shallow": network(), "deep": deep}, rule="gated"), run="deep", layer="net.3", pixel=None
    )
    before = w.layer
    w.run = "shallow"
    assert w.layer == w.canvas.traced_layers[-2].name
    assert w.neuron is None  # without a pixel there is no strongest one
    assert f"layer {before} is not in it: {w.layer} is shown" in w._canvas["notice"]


def test_a_rule_is_that_of_all_runs(widgets, mixed) -> None:
    w = widgets(mixed, rule="xinc")
    assert (w.rule, w.canvas.rule) == ("xinc", "xinc")
    w.run = "two"
    assert (w.rule, w.canvas.rule) == ("xinc", "xinc")
    w.rule = "ablation"
    w.run = "siren"
    assert (w.rule, w.canvas.rule, w._canvas["rule"]) == ("ablation", "ablation", "ablation")
    assert w.canvas is mixed["siren"].under("ablation")


def test_a_run_that_cant_be_made_is_told_and_the_others_go_on(widgets, tmp_path: Path) -> None:
    save_file(weights_of(network(1)), tmp_path / "step-1.safetensors")
    (tmp_path / "step-2.safetensors").write_bytes(b"no weights")
    runs = cw.Runs.from_checkpoints(network(), tmp_path, rule="gated")
    w = widgets(runs)
    assert w.run == 1  # the last that can be made
    assert "step-2" in w._runs[1]["error"]
    with pytest.raises(cw.RunError, match="run 2: .*step-2"):
        w.run = 2
    assert w.run == 1
    assert total(w, 1) > 0
    chosen = {"layer": w.layer, "neuron": [3], "neurons": [], "cluster": -1, "n_clusters": 6}
    message, _ = ask(w, kind="map", run=2, rule="gated", time=0, selection=chosen)
    assert message["type"] == "error"
    assert "step-2" in message["message"]
    with pytest.raises(KeyError, match="run=3: there is no such run"):
        w.run = 3
    with pytest.raises(TypeError, match="expected the key of a run"):
        w.run = None
    with pytest.raises(cw.RunError):
        widgets(runs, run=2)


def test_the_page_follows_a_training_without_waiting_and_is_refused_what_is_not_there(
    widgets, training
) -> None:
    w = widgets(training)
    messages = sent(w)
    w.set_state({"run": 0, "_seen": {"run": 0, "report": 1}})
    assert w.run == 0
    assert total(w, 0) == pytest.approx(expected(0, w.layer), rel=1e-5)
    messages.clear()
    w.set_state({"run": "nix", "_seen": {"run": 0, "report": 2}})
    assert w.run == 0
    assert any(message.get("state", {}).get("run") == 0 for message in messages)


def test_weights_that_were_written_again_are_computed_again(widgets, tmp_path: Path) -> None:
    recorder = cw.Recorder(tmp_path, every=1)
    recorder(1, network(1).module, loss=0.5)
    runs = cw.Runs.from_checkpoints(network(), tmp_path, rule="gated")
    w = widgets(runs)
    assert (w._runs[0]["facts"], w._runs[0]["version"]) == ({"loss": 0.5}, 0)
    assert total(w, 1) == pytest.approx(expected(1, w.layer), rel=1e-5)
    recorder(1, network(5).module, loss=0.25)
    recorder(2, network(2).module, loss=0.125)
    assert runs.refresh() == [1, 2]
    assert [(run["key"], run["version"]) for run in w._runs] == [(1, 1), (2, 1)]
    assert total(w, 1) == pytest.approx(expected(5, w.layer), rel=1e-5)
    w.run = 2
    assert total(w, 2) == pytest.approx(expected(2, w.layer), rel=1e-5)
    w.close()
    assert runs.refresh() == []


def test_one_network_has_no_other_run(widgets) -> None:
    w = widgets(network())
    assert (w.run, w._runs, w._canvas["run"]) == (None, [], None)
    with pytest.raises(ValueError, match="run=3: this widget shows one network"):
        w.run = 3
    with pytest.raises(ValueError, match="run='a': this widget shows one network"):
        widgets(network(), run="a")
    chosen = {"layer": w.layer, "neuron": [3], "neurons": [], "cluster": -1, "n_clusters": 6}
    message, _ = ask(w, kind="map", run=4, rule=w.rule, time=0, selection=chosen)
    assert message["type"] == "error"
    with pytest.raises(ValueError, match="leave them out here"):
        widgets(cw.Runs([network()]), memory="2 GiB")


def test_a_second_run_is_described_to_the_page_with_the_layers_that_stand_for_each_other(
    widgets, mixed
) -> None:
    w = widgets(mixed, compare="two")
    assert (w.compare, w.comparison, w._compared["run"]) == ("two", "side", "two")
    names = [layer.name for layer in w.facts.layers]
    assert w._compared["counterparts"] == dict(zip(names, names, strict=True))
    w.compare = "siren"
    assert w._compared["counterparts"][names[1]] == names[1]
    w.rule = "ablation"
    assert (w._compared["run"], w._compared["rule"]) == ("siren", "ablation")
    w.run = "siren"
    w.compare = "one"
    assert w._compared["counterparts"].keys() == {layer.name for layer in w.facts.layers}
    w.compare = None
    assert w._compared == {}
    assert "run='siren'" in repr(w)
    assert "compare" not in repr(w)
    with pytest.raises(KeyError, match="nix"):
        w.compare = "nix"
    with pytest.raises(TypeError, match="compare=1.5: expected the key of a run"):
        w.compare = 1.5
    with pytest.raises(ValueError, match="comparison='beside': expected one of 'side'"):
        w.comparison = "beside"
    with pytest.raises(ValueError, match="this widget shows one network"):
        widgets(network(), compare="a")


def test_a_rule_that_one_of_two_runs_has_not_is_refused(widgets, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = cw.Runs({"one": network(1), "two": network(2)}, rule="gated")
    w = widgets(runs, compare="two")

    def under(rule: str) -> Any:
        raise cw.UntraceableError(f"rule={rule!r}: not here")

    monkeypatch.setattr(runs["two"], "under", under)
    with pytest.raises(cw.UntraceableError, match="not here"):
        w.rule = "xinc"
    assert (w.rule, w._canvas["rule"], w._compared["rule"]) == ("gated", "gated", "gated")


def correlations(w: CanvasWidget, run: Any, other: Any) -> np.ndarray:
    _, buffers = ask(w, kind="pairs", run=run, rule="gated", time=0, layer=w.layer, other=other)
    count = w.facts.layers.find(w.layer).neurons[0]
    return np.frombuffer(bytes(buffers[0]), "<f4")[count : 2 * count]


def test_neurons_are_compared_again_with_weights_that_were_written_again(widgets, tmp_path: Path) -> None:
    recorder = cw.Recorder(tmp_path, every=1)
    for step in (1, 2):
        recorder(step, network(step).module)
    runs = cw.Runs.from_checkpoints(network(), tmp_path, rule="gated")
    w = widgets(runs, run=1, compare=2)
    before = correlations(w, 1, 2)
    old = w._live.call(lambda checkpoint: w._live.of(2, "gated"))
    recorder(2, network(5).module)
    runs.refresh()
    old.cache.put(old.key("total"), 1.0)  # by work that was under way
    assert w._live.call(lambda checkpoint: w._live.of(2, "gated").cache.get(old.key("total"))) is None
    fresh = widgets(cw.Runs.from_checkpoints(network(), tmp_path, rule="gated"), run=1)
    np.testing.assert_array_equal(correlations(w, 1, 2), correlations(fresh, 1, 2))
    assert not np.array_equal(correlations(w, 1, 2), before, equal_nan=True)


def test_runs_whose_files_are_deleted_are_left(widgets, tmp_path: Path) -> None:
    for step in STEPS:
        save_file(weights_of(network(step)), tmp_path / f"{step}.safetensors")
    runs = cw.Runs.from_checkpoints(network(), tmp_path, rule="gated")
    w = widgets(runs, run=200, compare=10)
    (tmp_path / "10.safetensors").unlink()
    runs.refresh()
    assert (w.run, w.compare, w._compared) == (200, None, {})
    (tmp_path / "200.safetensors").unlink()
    runs.refresh()
    assert (w.run, w._canvas["run"], [run["key"] for run in w._runs]) == (0, 0, [0])
    (tmp_path / "0.safetensors").write_bytes(b"no weights")
    runs.refresh()  # nothing can be shown, which requests say
    assert w.run == 0


def test_a_compared_run_that_cant_be_made_any_more_is_let_go(widgets, tmp_path: Path) -> None:
    for step in STEPS:
        save_file(weights_of(network(step)), tmp_path / f"{step}.safetensors")
    runs = cw.Runs.from_checkpoints(network(), tmp_path, rule="gated")
    w = widgets(runs, run=200, compare=10)
    (tmp_path / "10.safetensors").write_bytes(b"no weights")
    runs.refresh()
    w.run = 0
    assert (w.run, w._canvas["run"], w.compare, w._compared) == (0, 0, None, {})
    assert "nothing is compared: RunError: run 10" in w._canvas["notice"]


def test_the_run_is_the_one_that_is_shown_even_where_an_observer_raises(widgets, mixed) -> None:
    w = widgets(mixed, neuron=7)

    def fail(change: Any) -> None:
        raise ArithmeticError("an observer's")

    w.observe(fail, "neurons")
    with pytest.raises(ArithmeticError):
        w.run = "siren"
    assert w.run == w._canvas["run"] == w.facts.run == "siren"


def test_every_run_has_its_own_name(widgets) -> None:
    one, two = network(1), network(2)
    one.name, two.name = "bunny", "cat"
    w = widgets(cw.Runs({"one": one, "two": two}, rule="gated"))
    for run, name in (("two", "cat"), ("one", "bunny"), ("two", "cat")):
        w.run = run
        assert (w._canvas["run"], w._canvas["title"]) == (run, name)


def test_a_run_that_another_thread_chooses_meanwhile_comes_after(
    widgets, monkeypatch: pytest.MonkeyPatch
) -> None:
    networks = {"one": network(1), "two": network(2), "deep": cw.as_inr(FFN(hidden=8, layers=5, size=SIZE))}
    w = widgets(cw.Runs(networks, rule="gated"))
    deepest = [layer.name for layer in cw.trace(networks["deep"], "gated").traced_layers][-2]
    carried_over = live_view.carried_over

    def choose() -> None:
        w.run = "deep"
        w.layer = deepest

    meanwhile = threading.Thread(target=choose)

    def interrupted(*arguments: Any) -> Any:
        found = carried_over(*arguments)
        if not meanwhile.ident:
            meanwhile.start()
            meanwhile.join(1)
        return found

    monkeypatch.setattr(live_view, "carried_over", interrupted)
    w.run = "two"
    meanwhile.join(60)
    assert w.run == w.facts.run == w._canvas["run"] == "deep"
    assert w.layer == deepest


def test_a_score_says_which_run_it_is_of(widgets, training) -> None:
    w = widgets(training)
    message, _ = ask(w, kind="faithfulness", run=10, rule="gated", time=0, layer=w.layer)
    assert message["type"] == "reply", message
    assert w.stats()["faithfulness"]["run"] == 10


def test_a_run_that_is_there_again_is_no_longer_called_broken(widgets, tmp_path: Path) -> None:
    path = tmp_path / "saved.zarr"
    runs = cw.Runs({"one": network(1), "saved": path}, rule="gated")
    w = widgets(runs)
    with pytest.raises(cw.RunError):
        w.compare = "saved"
    assert w._runs[1]["error"]
    cw.trace(network(2), "gated").save(path)
    assert runs.refresh() == []
    assert w._runs[1]["error"] == ""
    w.compare = "saved"
    assert w._compared["run"] == "saved"
