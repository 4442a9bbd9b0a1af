"""The notebooks that the command line writes and opens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import nbformat
import pytest

import canvaswidget as cw
from canvaswidget.cli import notebook
from tests.cli.conftest import Run
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unbuilt")]


@pytest.mark.parametrize(
    "arguments",
    [
        ("view", "clip.safetensors", "--truth", "clip", "--rule", "gated"),
        ("view", "photo.safetensors", "--memory", "64 MiB"),
        ("view", "mine:small", "--truth", "photo.png"),
        ("view", "mine:ready", "--rule", "xinc"),
        ("demo", "image"),
    ],
)
def test_a_notebook_is_ready_to_run(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments, "--write-only", "--folder", "books")
    assert (code, err) == (0, "")
    path = Path(out.strip())
    assert path.parent == (folder / "books").resolve()
    written: Any = nbformat.read(path, 4)
    nbformat.validate(written)
    names: dict[str, Any] = {}
    os.chdir("/")  # wherever the kernel runs
    exec(written.cells[0].source, names)
    w = names["w"]
    assert isinstance(w, cw.CanvasWidget)
    assert (w.inr.truth is not None) == ("--truth" in arguments or arguments[0] == "demo")
    if "--rule" in arguments:
        assert w.rule == arguments[arguments.index("--rule") + 1]
    w.close()


def test_a_notebook_of_a_saved_canvas(run: Run) -> None:
    run("trace", "photo.safetensors", "--save", "x.zarr")
    _, out, _ = run("view", "x.zarr", "--write-only")
    path = Path(out.strip())
    source = nbformat.read(path, 4).cells[0].source
    assert f"model = cw.open({str(Path('x.zarr').resolve())!r})\nw = cw.CanvasWidget(model)" in source
    path.unlink()
    path.parent.rmdir()


def test_no_notebook_is_overwritten(run: Run) -> None:
    paths = [run("demo", "--write-only", "--folder", ".")[1].strip() for _ in range(3)]
    assert [Path(path).name for path in paths] == [
        "demo_video.ipynb",
        "demo_video_1.ipynb",
        "demo_video_2.ipynb",
    ]


def test_without_jupyterlab(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook.importlib.util, "find_spec", lambda name: None)
    code, _, err = run("demo", "--folder", ".")
    assert code == 1
    assert "pip install 'canvaswidget[lab]'" in err
    assert "demo_video.ipynb" in err


@pytest.mark.skipif(os.name == "nt", reason="there are no signals there")
def test_the_address_that_is_printed_shows_the_notebook(folder: Path) -> None:
    program = [sys.executable, "-m", "canvaswidget", "demo", "image", "--no-browser", "--folder", str(folder)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
    env |= {name: str(folder / "jupyter") for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")}
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    try:
        address = process.stdout.readline().strip()
        base, token = address.split("/lab/tree/demo_image.ipynb?token=")
        with urllib.request.urlopen(
            f"{base}/api/contents/demo_image.ipynb?token={token}", timeout=240
        ) as reply:
            assert "cw.demo.image()" in json.load(reply)["content"]["cells"][0]["source"]
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=240)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "canvaswidget: interrupted"
