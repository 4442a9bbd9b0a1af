"""`canvaswidget survey`: a table of jobs into a store, and what it would take."""

from __future__ import annotations

import numpy as np
import pytest
from imageio.v3 import imwrite

import canvaswidget as cw
from canvaswidget.cli import main

TABLE = """name,truth,fit.model,fit.steps,fit.options,seed,video
"a, 0",a.png,ffn,2,"{""hidden"": 4}",0,a
"a, 1",a.png,ffn,2,"{""hidden"": 4}",1,a
missing,none.png,ffn,2,,0,b
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:12, :16]
    imwrite("a.png", np.stack([9 * y, 9 * x, 5 * (x + y)], -1).astype(np.uint8))
    (tmp_path / "jobs.csv").write_text(TABLE)
    return tmp_path


def test_a_survey_goes_on_where_it_was(folder, capsys) -> None:
    arguments = [
        "survey",
        "jobs.csv",
        "s.zarr",
        "--what",
        "psnr",
        'faithfulness={"at_most": 4}',
        "--workers",
        "1",
    ]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert "survey of 3 runs, 1 failed" in out
    assert "1 of 3 jobs failed" in err
    imwrite("none.png", np.zeros((12, 16, 3), np.uint8))
    assert main([*arguments, "--retry", "failed"]) == 0
    runs = cw.open("s.zarr")
    assert list(runs) == ["a, 0", "a, 1", "missing"]
    assert runs.table.psnr.notna().all()
    assert list(runs.where(video="a", seed=1)) == ["a, 1"]


def test_a_dry_run_tells_jobs_seconds_and_bytes_and_writes_nothing(folder, capsys) -> None:
    assert main(["survey", "jobs.csv", "s.zarr", "--what", "psnr", "--dry-run"]) == 0
    out, _ = capsys.readouterr()
    assert "3, of which 0 are in the store" in out
    assert "a, 0" in out
    assert "none.png" in out  # the only job of its kind, which could not be tried
    assert not (folder / "s.zarr").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("jobs.csv", "s.zarr", "--what", "psrn"), 1, "expected one of psnr"),
        (("jobs.csv", "s.zarr", "--what", "psnr={"), 2, "as JSON"),
        (("jobs.csv", "s.zarr", "--what", "psnr=3"), 2, "in braces"),
        (("none.csv", "s.zarr"), 1, "no such file"),
        (("jobs.csv", "a.png"), 1, "a.png"),
        (("jobs.csv", "s.zarr", "--retry", "all"), 2, "invalid choice"),
    ],
)
def test_a_mistake_is_told(folder, capsys, arguments, code, words) -> None:
    assert main(["survey", *arguments]) == code
    assert words in capsys.readouterr().err
