"""The benchmark for a card runs on the CPU through the same code."""

from __future__ import annotations

import pytest

import canvaswidget as cw
from benchmarks import gpu


def test_every_row_is_measured_beside_its_plain_loop(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--device", "cpu", "--model", "tiny", "--seconds", "0.01"])
    printed = capsys.readouterr().out
    for name in ("xinc, whole canvas", "gated, exact totals, head_layer", "gated, a pixel", "gated, a map"):
        assert name in printed
    assert "ablation: float32 is within 0.0e+00 of the CPU's largest number" in printed
    assert "nan" not in printed
    assert " of 4 layers to 5 %, the widest ±" in printed
    assert printed.count(" MiB ") == 9  # a row each: with the memory that it took


def test_no_comparison_takes_all_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a column under `ablation` would: days on a CPU."""
    ((_, inr),) = gpu.chosen_models("tiny", "cpu")
    for rule in ("gated", "ablation"):
        canvas = cw.trace(inr, rule, device="cpu", progress=False)
        monkeypatch.setattr(canvas.matrix, "sweep", lambda *_: pytest.fail("a sweep"))
        assert len(gpu.answers(canvas)) >= 1 + len(canvas.traced_layers)


def test_it_keeps_to_its_time(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows share what is left, though each might take longer."""
    limits: list[float] = []
    monkeypatch.setattr(gpu, "compare", lambda *_: None)
    monkeypatch.setattr(gpu, "timed", lambda work, count, seconds, device: limits.append(seconds) or 1.0)
    gpu.main(["--device", "cpu", "--model", "tiny", "--seconds", "1000", "--minutes", "0.02"])
    assert 0 < max(limits) <= 0.02 * 60 / gpu.SHARES
    assert "s in all" in capsys.readouterr().out
