"""The benchmark for a card runs on the CPU through the same code."""

from __future__ import annotations

import pytest

from benchmarks import gpu


def test_every_row_is_measured_beside_its_plain_loop(capsys: pytest.CaptureFixture[str]) -> None:
    gpu.main(["--device", "cpu", "--model", "tiny", "--seconds", "0.01"])
    printed = capsys.readouterr().out
    for name in ("xinc, whole canvas", "gated, exact totals, head_layer", "gated, a pixel", "gated, a map"):
        assert name in printed
    assert "ablation: float32 is within 0.0e+00 of the CPU's largest number" in printed
    assert "nan" not in printed
