"""How a layer's neurons came to be, against the definition written down plainly."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import canvaswidget as cw
from canvaswidget.analysis import training
from canvaswidget.models import FFN

SIZE = (5, 4)


def network(seed: int, hidden: int = 6) -> cw.INR:
    torch.manual_seed(seed)
    return cw.as_inr(FFN(hidden=hidden, size=SIZE))


def runs(rule: str = "gated", memory: str = "1 GiB") -> cw.Runs:
    weights = {step: dict(network(step).module.state_dict()) for step in (0, 1, 5, 9)}
    dying = dict(weights[9])
    name = next(name for name in reversed(dying) if name.endswith("weight"))  # of the last layer
    dying[name] = dying[name].clone()
    dying[name][:, 2] = 0
    return cw.Runs.from_checkpoints(network(0), {**weights, 9: dying}, rule=rule, memory=memory)


@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_numbers_are_what_they_are_defined_as(rule: str) -> None:
    every = runs(rule)
    layer = every[9].traced_layers[-1]
    found = training(every, layer.name)
    rgb = found.rgb
    maps = {step: np.concatenate([maps for _, maps in every[step].iter(layer.name)]) for step in every}
    flat = np.stack([one.reshape(len(one), -1) for one in maps.values()])
    assert found.steps == (0, 1, 5, 9)
    for place, step in enumerate(every):
        colours = "each" if rgb == "abs" else "sum"
        each = np.abs(np.concatenate([maps for _, maps in every[step].iter(layer.name, rgb=colours)]))
        np.testing.assert_allclose(found.totals[place], each.reshape(len(each), -1).sum(1), rtol=1e-5)
        for neuron in range(flat.shape[1]):
            one, final = flat[place, neuron], flat[-1, neuron]
            expected = np.corrcoef(one, final)[0, 1] if min(one.std(), final.std()) > 1e-9 else np.nan
            np.testing.assert_allclose(found.stability[place, neuron], expected, atol=1e-5)
    change = [np.abs(b - a).sum() / np.abs(b).sum() for a, b in itertools.pairwise(flat)]
    np.testing.assert_allclose(found.contribution_change, change, rtol=1e-5)
    matrices = [every[step].weight(layer.name) for step in every]
    moved = [np.linalg.norm(b - a) / np.linalg.norm(b) for a, b in itertools.pairwise(matrices)]
    np.testing.assert_allclose(found.weight_change, moved, rtol=1e-5)


def test_a_neuron_that_ends_dead_has_died_and_has_no_half() -> None:
    found = training(runs(), -1)
    assert found.died[2]
    alive = found.totals > 0.01 * found.totals.mean(1, keepdims=True)
    np.testing.assert_array_equal(found.alive, alive)
    np.testing.assert_array_equal(found.died, alive.any(0) & ~alive[-1])
    np.testing.assert_array_equal(found.born, ~alive[0] & alive[-1])
    assert found.half_step[2] is None
    for neuron, step in enumerate(found.half_step):
        if step is not None:
            place = found.steps.index(step)
            assert (found.totals[place:, neuron] >= found.totals[-1, neuron] / 2).all()
            assert place == 0 or found.totals[place - 1, neuron] < found.totals[-1, neuron] / 2
    table = found.to_frame()
    assert list(table.died) == found.died.tolist()
    assert len(table) == found.totals.shape[1]
    assert "born, died" in repr(found)
    assert isinstance(found.plot(), Figure)


def test_any_number_of_maps_at_once_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = training(runs(), 0)
    module = sys.modules["canvaswidget.analysis.training"]  # the package has a function of this name
    monkeypatch.setattr(module, "AT_ONCE", 1)
    parts = training(runs(), 0)
    np.testing.assert_array_equal(whole.stability, parts.stability)
    np.testing.assert_allclose(whole.contribution_change, parts.contribution_change, rtol=1e-6)


def test_one_run_and_other_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two steps"):
        training({0: cw.trace(network(0), "gated")}, 0)
    other = {0: cw.trace(network(0, hidden=5), "gated"), 1: cw.trace(network(1), "gated")}
    with pytest.raises(ValueError, match="expected checkpoints of one network"):
        training(other, -1)
    with pytest.raises(KeyError):
        training(runs(), "no such layer")


def test_a_broken_checkpoint_is_left_out_and_named(tmp_path: Path) -> None:
    weights: dict[str | int, Any] = {step: dict(network(step).module.state_dict()) for step in (0, 1, 5)}
    whole = cw.Runs.from_checkpoints(network(0), weights, rule="gated")
    broken = tmp_path / "3.pt"
    broken.write_bytes(b"no checkpoint")
    every = cw.Runs.from_checkpoints(network(0), {**weights, 3: broken}, rule="gated")
    found, expected = training(every, -1), training(whole, -1)
    assert found.steps == expected.steps == (0, 1, 5)
    np.testing.assert_array_equal(found.totals, expected.totals)
    np.testing.assert_array_equal(found.stability, expected.stability)
    assert list(found.errors) == [3]
    assert "step 3, left out" in repr(found)
    assert "left out" not in repr(expected)
    with pytest.raises(ValueError, match=r"there are 1; expected at least two steps of a training; .*run 3"):
        training(cw.Runs.from_checkpoints(network(0), {0: weights[0], 3: broken}, rule="gated"), -1)
