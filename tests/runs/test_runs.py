"""A collection of networks: in order, made when asked for, one broken run beside the others."""

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
from tests.small_models import Branching

SIZE = (6, 5)


def network(seed: int = 0, hidden: int = 8, size: tuple[int, int] = SIZE, kind: Any = FFN) -> cw.INR:
    torch.manual_seed(seed)
    return cw.as_inr(kind(hidden=hidden, size=size))


def weights_of(inr: cw.INR) -> dict[str, torch.Tensor]:
    return dict(inr.module.state_dict())


def test_names_keep_their_order_and_canvases_are_made_once() -> None:
    runs = cw.Runs({"b": network(0), "a": network(1)})
    assert list(runs) == ["b", "a"]
    assert len(runs) == 2
    assert "a" in runs
    assert runs.size == SIZE
    assert runs.n_frames == 1
    assert runs.steps is None
    assert runs["a"] is runs["a"]
    assert runs["a"] is not runs["b"]
    np.testing.assert_allclose(runs["a"].frame(), network(1).frame(), rtol=1e-6, atol=1e-6)


def test_a_sequence_is_named_by_its_inrs() -> None:
    assert list(cw.Runs([network(), network(kind=SIREN)])) == ["FFN", "SIREN"]
    assert list(cw.Runs([network(0), network(1)])) == ["0: FFN", "1: FFN"]


def test_all_are_under_the_rule_of_the_first() -> None:
    runs = cw.Runs({"ffn": network(), "siren": network(kind=SIREN)}, rule="gated")
    assert {key: canvas.rule for key, canvas in runs.items()} == {"ffn": "gated", "siren": "gated"}
    chosen = cw.Runs([network(0), network(1)])
    assert chosen["0: FFN"].rule == chosen["1: FFN"].rule == chosen.rule
    canvas = cw.trace(network(), "gated")
    assert cw.Runs({"given": canvas})["given"] is canvas
    assert cw.Runs({"given": canvas}, rule="ablation")["given"] is canvas.under("ablation")
    with pytest.raises(ValueError, match="rule='xinc' in run 'b' and 'gated' in others"):
        cw.Runs({"a": canvas, "b": cw.trace(network(1), "xinc")})


@pytest.mark.parametrize(
    ("runs", "error", "said"),
    [
        ({}, ValueError, "runs: there are none"),
        ([], ValueError, "runs: there are none"),
        (5, TypeError, "runs=5: expected a mapping or a sequence"),
        ({1.5: network()}, TypeError, "names or numbers as keys"),
        ({True: network()}, TypeError, "names or numbers as keys"),
        ({"a": 3}, TypeError, "model=int"),
        (
            {"a": network(), "b": network(size=(6, 6))},
            ValueError,
            r"size differs: \(6, 5\) in 'a' and \(6, 6\) in 'b'",
        ),
    ],
)
def test_bad_runs_are_named(runs: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        cw.Runs(runs)


def test_a_run_that_is_not_there_is_named() -> None:
    runs = cw.Runs({"a": network()})
    for key in ("b", 0, None, [1]):
        with pytest.raises(KeyError, match="there is no such run; there are 'a'"):
            runs[key]  # type: ignore[index]


def test_frames_and_sizes_of_files_are_checked_when_they_are_opened(tmp_path: Path) -> None:
    cw.trace(network(), "gated").save(tmp_path / "small.zarr", progress=False)
    runs = cw.Runs({"large": network(size=(9, 9)), "small": tmp_path / "small.zarr"}, rule="gated")
    assert runs["large"].inr.size == (9, 9)
    with pytest.raises(cw.RunError, match=r"run 'small'.*size differs"):
        runs["small"]


def test_a_saved_canvas_is_a_run(tmp_path: Path) -> None:
    canvas = cw.trace(network(), "gated")
    canvas.save(tmp_path / "one.zarr", maps="all", progress=False)
    runs = cw.Runs([tmp_path / "one.zarr", network(1)], rule="gated")
    assert list(runs) == ["one.zarr", "FFN"]
    assert not runs["one.zarr"].has_model
    np.testing.assert_allclose(runs["one.zarr"].frame(), canvas.frame(), atol=1e-3)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_checkpoints_give_what_tracing_them_gives(tmp_path: Path) -> None:
    inr, others = network(), {20: network(1), 3: network(2)}
    save_file(weights_of(others[3]), tmp_path / "net-003.safetensors")
    torch.save({"model_state_dict": weights_of(others[20])}, tmp_path / "net-020.pt")
    for given in (
        {20: tmp_path / "net-020.pt", 3: weights_of(others[3])},
        tmp_path,
        str(tmp_path / "net-*"),
    ):
        runs = cw.Runs.from_checkpoints(inr, given, rule="gated")
        assert list(runs) == [3, 20] == runs.steps
        for step, other in others.items():
            anew = cw.trace(other, "gated")
            np.testing.assert_array_equal(runs[step].frame(), anew.frame())
            for name, column in anew.pixel(2, 3).items():
                np.testing.assert_array_equal(runs[step].pixel(2, 3)[name], column)


def test_a_network_whose_ops_depend_on_its_weights_is_recorded_anew() -> None:
    inr = cw.INR.from_coords(Branching(), SIZE)
    other = inr.with_weights({**weights_of(inr), "side": torch.tensor(-1.0)})
    runs = cw.Runs.from_checkpoints(inr, {0: weights_of(inr), 1: weights_of(other)}, rule="gated")
    np.testing.assert_allclose(runs[0].frame(), inr.frame(), atol=1e-6)
    np.testing.assert_allclose(runs[1].frame(), other.frame(), atol=1e-6)


def test_broken_files_are_rows_and_the_others_go_on(tmp_path: Path) -> None:
    inr = network()
    save_file(weights_of(inr), tmp_path / "a1.safetensors")
    (tmp_path / "a2.pt").write_bytes(b"no checkpoint")
    save_file(weights_of(network(hidden=9)), tmp_path / "a3.safetensors")
    save_file({"other": torch.zeros(3)}, tmp_path / "a4.safetensors")
    runs = cw.Runs.from_checkpoints(inr, tmp_path)
    results = dict(runs.each(lambda canvas: canvas.frame().shape))
    assert results[1] == (*SIZE, 3)
    assert all(isinstance(results[step], cw.RunError) for step in (2, 3, 4))
    assert list(runs.errors) == [2, 3, 4]
    assert "has shape" in runs.errors[3]
    assert "there is no" in runs.errors[4]
    assert "has no 'other'" in runs.errors[4]
    assert runs.errors[3] in repr(runs)
    assert "error" in repr(runs)
    with pytest.raises(cw.RunError, match="run 2"):
        runs[2]
    save_file(weights_of(network(5)), tmp_path / "a2.safetensors")
    (tmp_path / "a2.pt").unlink()
    assert runs.refresh() == [2]
    assert not runs.errors
    np.testing.assert_array_equal(runs[2].frame(), cw.trace(network(5)).frame())


def test_names_without_a_step_and_two_of_one_step_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint is there"):
        cw.Runs.from_checkpoints(network(), tmp_path)
    save_file(weights_of(network()), tmp_path / "best.safetensors")
    with pytest.raises(ValueError, match=r"'best.safetensors' has no number"):
        cw.Runs.from_checkpoints(network(), tmp_path)
    (tmp_path / "best.safetensors").unlink()
    for name in ("a7.safetensors", "b007.safetensors"):
        save_file(weights_of(network()), tmp_path / name)
    with pytest.raises(ValueError, match=r"two files are of step 7"):
        cw.Runs.from_checkpoints(network(), tmp_path)
    with pytest.raises(TypeError, match="weights="):
        cw.Runs.from_checkpoints(network(), 7)  # type: ignore[arg-type]


def test_it_stays_within_its_memory() -> None:
    inr = network(hidden=64, size=(32, 32))
    checkpoints = {step: weights_of(network(step, 64, (32, 32))) for step in range(12)}
    runs = cw.Runs.from_checkpoints(inr, checkpoints, rule="gated", memory="1 MiB")
    for step in runs:
        runs[step].pixel(3, 4)
    held = [key for key in runs if key in runs._kept]
    assert held[-1] == 11
    assert len(held) < 12
    assert len(held) == 2 or sum(runs._kept[key].held_bytes for key in held) <= 2**20


def test_several_threads_ask_at_once() -> None:
    runs = cw.Runs.from_checkpoints(
        network(), {step: weights_of(network(step)) for step in range(6)}, rule="gated"
    )
    expected = {step: cw.trace(network(step), "gated").pixel(1, 1) for step in range(6)}
    problems: list[Any] = []

    def ask(offset: int) -> None:
        try:
            for turn in range(12):
                step = (turn * 5 + offset) % 6
                for name, column in runs[step].pixel(1, 1).items():
                    np.testing.assert_array_equal(column, expected[step][name])
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=ask, args=(offset,)) for offset in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems


def test_a_table_is_printed_with_what_is_known() -> None:
    fit = cw.fit(FFN(hidden=8), np.full((4, 4, 3), 0.5), steps=40, snapshots=5, progress=False)
    text = repr(fit.runs)
    assert text.splitlines()[0] == f"{len(fit.runs)} runs: images of 4x4"
    assert "psnr" in text
    assert "<table>" in fit.runs._repr_html_()
    assert fit.runs.facts(0)["psnr"] == fit.psnr[0]


def test_canvases_that_were_let_go_leave_no_frames() -> None:
    """A canvas is a cycle of references: without being told, its tensors stay until Python looks for cycles."""
    checkpoints = {step: weights_of(network(step)) for step in range(6)}
    runs = cw.Runs.from_checkpoints(network(), checkpoints, rule="gated", memory=2**20)
    runs.memory = 1
    canvases = []
    for step in runs:
        canvases.append(runs[step])
        canvases[-1].summary(0)
    assert [canvas.held_bytes > 10_000 for canvas in canvases] == [False] * 4 + [True] * 2, [
        canvas.held_bytes for canvas in canvases
    ]
    np.testing.assert_array_equal(canvases[0].frame(), cw.trace(network(0), "gated").frame())
