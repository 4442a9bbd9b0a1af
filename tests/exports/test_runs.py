"""What leaves a widget of several networks: recipes, figures, animations and data say which run they are of."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.exports.export_file import export_file
from canvaswidget.models import FFN, SIREN
from canvaswidget.widget.widget import CanvasWidget

pytestmark = pytest.mark.usefixtures("unbuilt")

SIZE = (6, 5)
STEPS = (0, 10, 200)


def network(seed: int = 0, hidden: int = 8, kind: Any = FFN) -> cw.INR:
    torch.manual_seed(seed)
    truth = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    return cw.as_inr(kind(hidden=hidden, size=SIZE), truth=truth)


@pytest.fixture
def training() -> cw.Runs:
    weights = {step: dict(network(step).module.state_dict()) for step in STEPS}
    return cw.Runs.from_checkpoints(network(99), weights, rule="gated")


@pytest.fixture
def mixed() -> cw.Runs:
    """Two seeds of one architecture, and another one with fewer layers."""
    runs = {"one": network(1), "two": network(2), "siren": network(3, 5, SIREN)}
    return cw.Runs(runs, rule="gated")


def again(w: CanvasWidget, widgets: Any, **known: Any) -> CanvasWidget:
    """The widget that its recipe makes."""
    names: dict[str, Any] = {**known, "widgets": widgets}
    exec(w.recipe().replace("cw.CanvasWidget", "widgets"), names)
    return names["w"]


def shown(w: CanvasWidget) -> dict[str, Any]:
    return {name: getattr(w, name) for name in w.VIEW}


# --- recipes and data ---------------------------------------------------------------------------------------


def test_a_recipe_says_the_run_and_makes_an_equal_view(widgets, mixed) -> None:
    w = widgets(mixed, run="two", neuron=3, maps="signed")
    text = w.recipe()
    assert (
        "# runs: 3 networks, 'one', 'two', 'siren': an image of 6x5 each. Make or load them here.\n" in text
    )
    assert "CanvasWidget(\n    runs,\n    rule='gated',\n    run='two',\n" in text
    second = again(w, widgets, runs=mixed)
    assert shown(second) == shown(w)
    assert second.recipe() == text
    w.rule, w.run = "ablation", "siren"
    second = again(w, widgets, runs=mixed)
    assert shown(second) == shown(w)
    assert (second.canvas.rule, second.run) == ("ablation", "siren")


def test_steps_are_said_shortly_and_the_demos_training_by_its_name(widgets, training) -> None:
    assert "# runs: 3 networks, steps 0, 10, 200: an image of 6x5 each." in widgets(training).recipe()
    many = {step: dict(network(1).module.state_dict()) for step in range(0, 900, 100)}
    runs = cw.Runs.from_checkpoints(network(), many, rule="gated")
    assert "# runs: 9 networks, steps 0, 100, 200, ..., 800: " in widgets(runs).recipe()
    runs = cw.demo.training(rule="gated", device=torch.device("cpu"))
    assert runs.origin == "cw.demo.training(rule='gated', device='cpu')"
    w = widgets(runs, run=112)
    assert (
        "import canvaswidget as cw\n\nw = cw.CanvasWidget(\n    cw.demo.training(rule='gated'" in w.recipe()
    )
    second = again(w, widgets)
    assert shown(second) == shown(w)


def test_one_network_has_no_run_in_its_recipe(widgets) -> None:
    assert "run" not in widgets(network()).recipe()


def test_data_and_names_of_files_say_the_run(widgets, training, tmp_path: Path) -> None:
    w = widgets(training, run=10)
    w.save_data(tmp_path / "a.npz", progress=False)
    found = np.load(tmp_path / "a.npz")
    assert "run = 10" in found["about"]
    np.testing.assert_allclose(found["frame"], training[10].frame(0), atol=1e-6)
    for table in ("pixel", "neurons", "time"):
        w.save_data(tmp_path / "a.csv", table, progress=False)
        head, *lines = csv.reader((tmp_path / "a.csv").read_text().splitlines())
        assert (head[0], {line[0] for line in lines}) == ("run", {"10"})
    body: Any = {"form": "csv", "first": 0, "last": -1, "table": "neurons", "panels": []}
    state = w._state()
    reply, _ = w._live.call(lambda report: export_file(w._live.cached, state, body, report))
    assert reply["name"] == f"{w.inr.name}_run_10_{w.layer}_frame_0.csv"
    other = widgets(network())
    other.save_data(tmp_path / "a.csv", progress=False)
    assert (tmp_path / "a.csv").read_text().startswith("layer,neuron,")
