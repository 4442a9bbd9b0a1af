"""Every notebook runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FINDINGS = [
    path
    for path in NOTEBOOKS
    if path.stem in ("distributed", "what_neurons_care_about", "motion", "alike", "space")
]
WIDGET = "application/vnd.jupyter.widget-view+json"


def run(path: Path, folder: Path) -> list[dict[str, Any]]:
    """The data of every displayed output."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    return [output.data for output in outputs if "data" in output]


def use_reference(monkeypatch: pytest.MonkeyPatch, reference: Path) -> None:
    monkeypatch.setenv("CANVASWIDGET_MODEL", str(reference / "nerv_bunny.safetensors"))
    monkeypatch.setenv("CANVASWIDGET_CLIP", str(reference / "bunny.mp4"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def check_quickstart(shown: list[dict[str, Any]]) -> None:
    # A progress bar is a widget too; it shows on a slow machine.
    text = [data.get("text/plain", "") for data in shown]
    widgets = [place for place, data in enumerate(shown) if WIDGET in data and "CanvasWidget(" in text[place]]
    assert len(widgets) == 3
    for place in widgets:
        assert base64.b64decode(shown[place + 1]["image/png"]).startswith(b"\x89PNG")
    assert sum("image/png" in data for data in shown) == len(widgets) + 1  # and the figure
    assert any("contribution" in data["text/plain"] and "text/html" in data for data in shown)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CANVASWIDGET_MODEL", "CANVASWIDGET_CLIP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shown = run(path, tmp_path)
    if path.stem == "quickstart":
        check_quickstart(shown)


@pytest.mark.slow
@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_findings_run_on_a_real_model(
    path: Path, tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_reference(monkeypatch, reference)
    shown = run(path, tmp_path)
    assert any("image/png" in data for data in shown)


@pytest.mark.slow
def test_quickstart_runs_on_a_real_model(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_reference(monkeypatch, reference)
    shown = run(ROOT / "notebooks" / "quickstart.ipynb", tmp_path)
    check_quickstart(shown)
    first = next(data for data in shown if WIDGET in data)
    assert "32 frames of 128x256" in first["text/plain"]
