"""Weights kept while a network is trained, readable at any time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.models import FFN


def model(seed: int = 0) -> FFN:
    torch.manual_seed(seed)
    return FFN(hidden=8, size=(4, 5))


def test_it_keeps_the_steps_it_is_asked_for(tmp_path: Path) -> None:
    recorder = cw.Recorder(tmp_path / "new", every=10, at=[3, 4])
    kept = [
        step
        for step in range(25)
        if recorder(step, model(step), loss=torch.tensor(1.0 / (step + 1)), lr=1e-3)
    ]
    assert kept == recorder.steps == [0, 3, 4, 10, 20]
    runs = cw.Runs.from_checkpoints(cw.as_inr(model()), tmp_path / "new")
    assert list(runs) == kept
    assert runs.facts(4) == {"loss": pytest.approx(0.2), "lr": 1e-3}
    for step in kept:
        np.testing.assert_array_equal(runs[step].frame(), cw.trace(cw.as_inr(model(step))).frame())


def test_a_training_goes_on_in_its_folder_and_new_steps_are_seen(tmp_path: Path) -> None:
    cw.Recorder(tmp_path, every=1)(0, model(0))
    runs = cw.Runs.from_checkpoints(cw.as_inr(model()), tmp_path)
    again = cw.Recorder(tmp_path, every=1)
    assert again.steps == [0]
    again(1, model(1))
    assert list(runs) == [0]
    assert runs.refresh() == [1]
    assert list(runs) == [0, 1]
    np.testing.assert_array_equal(runs[1].frame(), cw.trace(cw.as_inr(model(1))).frame())


def test_a_step_that_is_repeated_is_replaced(tmp_path: Path) -> None:
    recorder = cw.Recorder(tmp_path, every=1)
    recorder(0, model(0), loss=1)
    recorder(0, model(1), loss=2)
    runs = cw.Runs.from_checkpoints(cw.as_inr(model()), tmp_path)
    assert list(runs) == [0]
    assert runs.facts(0) == {"loss": 2}
    np.testing.assert_array_equal(runs[0].frame(), cw.trace(cw.as_inr(model(1))).frame())


def test_what_is_half_written_is_not_seen(tmp_path: Path) -> None:
    """Weights come before the index names them, and neither is there before it is whole."""
    recorder = cw.Recorder(tmp_path, every=1)
    recorder(0, model())
    (tmp_path / "step-00000001.safetensors").write_bytes(b"half")
    (tmp_path / ".index.json-x.part").write_bytes(b"half")
    assert list(cw.Runs.from_checkpoints(cw.as_inr(model()), tmp_path)) == [0]


def test_the_model_is_left_as_it_is(tmp_path: Path) -> None:
    trained = model().train()
    trained(torch.rand(3, 2)).sum().backward()
    before = {name: (one.clone(), one.grad) for name, one in trained.named_parameters()}
    gradients = {name: grad.clone() for name, (_, grad) in before.items() if grad is not None}
    cw.Recorder(tmp_path, every=1)(0, trained)
    assert trained.training
    assert gradients
    for name, tensor in trained.named_parameters():
        assert torch.equal(tensor, before[name][0])
        assert tensor.grad is before[name][1]
    for name, grad in gradients.items():
        assert torch.equal(trained.get_parameter(name).grad, grad)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({}, ValueError, "say which steps to keep"),
        ({"every": 0}, ValueError, "every=0"),
        ({"every": "x"}, TypeError, "every='x'"),
        ({"at": [-1]}, ValueError, "at"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, given: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        cw.Recorder(tmp_path, **given)


def test_bad_calls_are_named(tmp_path: Path) -> None:
    recorder = cw.Recorder(tmp_path, every=1)
    for arguments, keywords, said in (
        ((1.5, model()), {}, "step=1.5"),
        ((-1, model()), {}, "step=-1"),
        ((0, 3), {}, "model=3"),
        ((0, model()), {"loss": "low"}, "loss='low'"),
        ((0, model()), {"loss": torch.zeros(2)}, "loss="),
    ):
        with pytest.raises(TypeError, match=said):
            recorder(*arguments, **keywords)
    assert recorder.steps == []
    assert not (tmp_path / "index.json").exists()


def test_numbers_that_are_not_finite_are_unknown(tmp_path: Path) -> None:
    cw.Recorder(tmp_path, every=1)(0, model(), loss=float("nan"))
    assert json.loads((tmp_path / "index.json").read_text())["steps"][0]["facts"] == {"loss": None}


def test_a_damaged_index_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(ValueError, match=r"its index.json is no index of a Recorder"):
        cw.Recorder(tmp_path, every=1)
