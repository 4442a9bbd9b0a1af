"""Every notebook runs from top to bottom, and is kept without outputs."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FINDINGS = [
    path
    for path in NOTEBOOKS
    if path.stem
    in (
        *("frequencies", "distributed", "intensity", "what_neurons_care_about", "motion", "alike", "space"),
        "four_bits",
    )
]
# These train networks or measure whole models, which takes longer than all others together.
LONG = ("four_bits", "frequencies", "learning", "plane", "seeds", "trust")
RUN = [
    pytest.param(path, id=path.stem, marks=[pytest.mark.repeats] if path.stem in LONG else [])
    for path in NOTEBOOKS
]
WIDGET = "application/vnd.jupyter.widget-view+json"


def run(path: Path, folder: Path, kernel: KernelManager | None = None) -> list[dict[str, Any]]:
    """The data of every displayed output; in a kernel of its own where none is given."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, km=kernel, timeout=240, resources={"metadata": {"path": str(folder)}})
    client.execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    return [output.data for output in outputs if "data" in output]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KernelManager]:
    """One kernel for all notebooks on the demo: importing torch takes longer than most of them."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CANVASWIDGET_")}
    folder = tmp_path_factory.mktemp("notebooks")
    for path in (ROOT / "notebooks").iterdir():
        if path.suffix in (".py", ".zarr"):  # what notebooks read
            (folder / path.name).symlink_to(path)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=folder, env={**environment, "PYTHONPATH": str(ROOT)})
    yield manager
    manager.shutdown_kernel(now=True)


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


def test_the_long_notebooks_are_found() -> None:
    assert set(LONG) <= {path.stem for path in NOTEBOOKS}


@pytest.mark.slow
@pytest.mark.parametrize("path", RUN)
def test_notebook_runs(path: Path, tmp_path: Path, kernel: KernelManager) -> None:
    client = kernel.blocking_client()
    client.start_channels()
    # Until its output arrives too: what a kernel says before that is lost, and would be waited for in vain.
    client.wait_for_ready(timeout=240)
    client.execute_interactive("%reset -f", timeout=240)  # nothing of the notebook before
    client.stop_channels()
    shown = run(path, tmp_path, kernel)
    if path.stem == "quickstart":
        check_quickstart(shown)


@pytest.mark.slow
@pytest.mark.repeats
@pytest.mark.parametrize("path", FINDINGS, ids=lambda path: path.stem)
def test_findings_run_on_a_real_model(
    path: Path, tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_reference(monkeypatch, reference)
    shown = run(path, tmp_path)
    assert any("image/png" in data for data in shown)


@pytest.mark.slow
@pytest.mark.repeats
def test_trust_runs_on_the_published_models(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANVASWIDGET_REFERENCE", str(reference))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    shown = run(ROOT / "notebooks" / "trust.ipynb", tmp_path)
    assert any("image/png" in data for data in shown)


@pytest.mark.slow
@pytest.mark.repeats
def test_quickstart_runs_on_a_real_model(
    tmp_path: Path, reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_reference(monkeypatch, reference)
    shown = run(ROOT / "notebooks" / "quickstart.ipynb", tmp_path)
    check_quickstart(shown)
    first = next(data for data in shown if WIDGET in data)
    assert "32 frames of 128x256" in first["text/plain"]
