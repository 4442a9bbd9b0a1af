"""The command line: what it writes where, its exit codes, and what it says of mistakes."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from PIL import Image

import canvaswidget as cw
from canvaswidget import cli
from canvaswidget.cli import commands, notebook
from tests.canvases import image, video
from tests.conftest import ROOT

MINE = """
import torch, canvaswidget as cw
from tests.canvases import image, video

calls = 0
ready = image()

def broken():
    raise ZeroDivisionError("division by\\n zero")

class Inner:
    make = staticmethod(video)

def small():
    return cw.models.FFN(hidden=6, size=(12, 20))

def tensor():
    return torch.zeros(3)
"""

Run = Callable[..., tuple[int, str, str]]


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unbuilt")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with models, a clip and a module, to be in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    cw.models.save_model(video().module, "clip.safetensors")
    cw.models.save_model(image().module, "photo.safetensors")
    levels = np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)
    Image.fromarray(levels).resize((20, 12)).save("photo.png")
    Path("clip").mkdir()
    for frame in range(6):
        Image.fromarray(np.roll(levels, frame, 1)).save(f"clip/{frame}.png")
    Path("mine.py").write_text(MINE)
    return tmp_path


@pytest.fixture
def run(folder: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(arguments)
        out, err = capfd.readouterr()
        return code, out, err

    return run


# --- what it does -------------------------------------------------------------------------------------------


def test_trace_tells_of_the_model(run: Run) -> None:
    code, out, err = run("trace", "clip.safetensors")
    assert (code, err) == (0, "")
    for word in ("rule xinc", "decoder.1.conv.upconv.0", "head_layer", "ops:"):
        assert word in out


def test_trace_of_a_pixel_is_that_of_python(run: Run) -> None:
    code, out, err = run("trace", "clip.safetensors", "--pixel", "4,5", "--frame", "3", "--top", "4")
    assert (code, err) == (0, "")
    assert out == repr(cw.trace(video()).top(4, 5, 4, 3)) + "\n"


def test_check(run: Run) -> None:
    code, out, _ = run("trace", "photo.safetensors", "--rule", "gated", "--check")
    assert code == 0
    assert "ok" in out or "pass" in out or "holds" in out


def test_a_canvas_is_kept_and_looked_at(run: Run) -> None:
    save = (
        "trace",
        "clip.safetensors",
        "--truth",
        "clip",
        "--save",
        "x.zarr",
        "--frames",
        "1:5:2",
        "--maps",
        "2",
    )
    code, out, _ = run(*save, "--estimate")
    assert code == 0
    assert "before compression" in out
    assert not Path("x.zarr").exists()
    code, out, err = run(*save)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "x.zarr"
    assert cw.open("x.zarr").frames == (1, 3)
    code, _, err = run(*save)
    assert code == 1
    assert "overwrite" in err
    assert run(*save, "--overwrite", "--layers", "1", "head")[0] == 0
    assert len(cw.open("x.zarr").traced_layers) == 2
    code, out, _ = run("trace", "x.zarr")
    assert (code, "1, 3" in out) == (0, True)
    code, out, _ = run("trace", "x.zarr", "--pixel", "8,16")
    assert (code, "pixel (y=8, x=16), frame 1" in out) == (0, True)
    code, _, err = run("trace", "x.zarr", "--pixel", "0,0")
    assert (code, err.count("\n")) == (1, 1)
    assert "does not know what makes pixel (0, 0)" in err
    assert run("figure", "x.zarr", "view.png", "--dpi", "50")[:2] == (0, "view.png\n")


@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_figure(run: Run, kind: str) -> None:
    given = (
        "--layer",
        "1",
        "--time",
        "2",
        "--pixel",
        "4,5",
        "--neuron",
        "0,2",
        "--maps",
        "signed",
        "--width",
        "3.3",
    )
    code, out, err = run("figure", "clip.safetensors", f"view.{kind}", *given)
    assert (code, out, err) == (0, f"view.{kind}\n", "")
    starts = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    assert Path(f"view.{kind}").read_bytes().startswith(starts[kind])


def test_fit_an_image_then_a_clip(run: Run) -> None:
    code, out, err = run("fit", "photo.png", "-o", "a.safetensors", "--steps", "3")
    assert (code, err) == (0, "")
    assert "PSNR" in out
    assert out.splitlines()[-1] == "a.safetensors"
    assert cw.load("a.safetensors").size == (12, 20)
    assert run("fit", "photo.png", "-o", "b.safetensors", "--model", "siren", "--steps", "2")[0] == 0
    assert run("fit", "photo.png", "-o", "c.safetensors", "--model", "mine:small", "--steps", "2")[0] == 0
    assert cw.models.load_model("c.safetensors").config["hidden"] == 6
    assert run("fit", "clip", "-o", "d.safetensors", "--frames", "0:3", "--steps", "2")[0] == 0
    inr = cw.load("d.safetensors")
    assert (inr.n_frames, inr.size) == (3, (16, 32))


def test_report(run: Run) -> None:
    code, out, err = run("report", "photo.safetensors", "out", "--layers", "net.1")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == str(Path("out") / "index.html")
    assert all(Path(line).is_file() for line in out.splitlines())


@pytest.mark.parametrize("name", ["ready", "Inner.make", "small"])
def test_a_model_of_the_users(run: Run, name: str) -> None:
    code, out, _ = run("trace", f"mine:{name}")
    assert (code, "Canvas(" in out) == (0, True)


# --- notebooks ----------------------------------------------------------------------------------------------


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


# --- mistakes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "COMMAND"),
        (("paint",), 2, "invalid choice"),
        (("trace",), 2, "model"),
        (("trace", "clip.safetensors", "--pixel", "4"), 2, "expected Y,X, such as 60,100"),
        (("trace", "clip.safetensors", "--rule", "mine"), 2, "invalid choice"),
        (("trace", "clip.safetensors", "--size", "4by4"), 2, "such as 128x256"),
        (("trace", "clip.safetensors", "--maps", "some"), 2, "or all"),
        (("trace", "clip.safetensors", "--frames", "a:b"), 2, "such as 0:32"),
        (("trace", "clip.safetensors", "--estimate"), 2, "--save"),
        (("figure", "clip.safetensors", "x.png", "--neuron", "1,2,3"), 2, "a kernel I,O"),
        (("fit", "clip"), 2, "--output"),
        (("fit", "clip", "-o", "x.safetensors", "--model", "mlp"), 2, "ffn, siren, nerv"),
        (("fit", "clip", "-o", "x.safetensors", "--size", "15x30"), 2, "say --size 16x32"),
        (("view", "mine:small", "--n-frames", "3"), 2, "return an INR"),
        (("trace", "nothing.safetensors"), 1, "no such file; expected weights"),
        (("view", "nothing.safetensors"), 1, "no such file; expected weights"),
        (("trace", "photo.png"), 1, "photo.png"),
        (("trace", "nowhere:model"), 1, "there is no module 'nowhere'"),
        (("trace", "mine:nothing"), 1, "mine has no 'nothing'"),
        (("trace", "mine:tensor"), 1, "expected an INR"),
        (("trace", "mine:broken"), 1, "ZeroDivisionError: division by zero"),
        (("trace", "clip"), 1, "is no saved canvas"),
        (("trace", "clip.safetensors", "--pixel", "99,0"), 1, "y=99"),
        (("trace", "clip.safetensors", "--truth", "photo.png"), 1, "truth: has shape"),
        (("figure", "clip.safetensors", "view.gif"), 1, "gif"),
        (("figure", "clip.safetensors", "no/view.pdf"), 1, "no folder"),
        (("figure", "clip.safetensors", "x.pdf", "--layer", "nothing"), 1, "no such layer"),
        (("fit", "clip", "-o", "clip.safetensors"), 1, "say --overwrite"),
        (("fit", "clip", "-o", "no/x.safetensors"), 1, "no folder"),
        (("fit", "none.mp4", "-o", "x.safetensors"), 1, "none.mp4"),
        (("trace", "photo.safetensors", "--device", "abacus"), 1, "expected a device such as"),
        (("trace", "photo.safetensors", "--device", "cuda:99"), 1, "not available here"),
    ],
)
def test_a_mistake_is_told_in_a_line(run: Run, arguments: tuple[str, ...], code: int, words: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (code, "")
    assert words in err
    last = err.splitlines()[-1]
    assert last.startswith("canvaswidget")
    assert "error: " in last
    if code == 1:
        assert err.count("\n") == 1
    assert "Traceback" not in err


def test_debug_shows_where(run: Run) -> None:
    code, _, err = run("trace", "mine:broken", "--debug")
    assert code == 1
    assert "Traceback" in err
    assert "mine.py" in err


def test_an_interrupt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "report", interrupted)
    assert run("report", "photo.safetensors", "out") == (130, "", "canvaswidget: interrupted\n")


@pytest.mark.parametrize("command", ["", "fit", "trace", "report", "figure", "view", "demo"])
def test_help_teaches(run: Run, command: str) -> None:
    code, out, err = run(*filter(None, [command]), "--help")
    assert (code, err) == (0, "")
    assert "examples:\n  canvaswidget " in out


# --- as a program -------------------------------------------------------------------------------------------


def program(*arguments: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = [sys.executable, "-m", "canvaswidget", *arguments]
    return subprocess.run(whole, capture_output=True, text=True, env=env, timeout=240, **keywords)


def test_the_program(folder: Path) -> None:
    ended = program("--version")
    assert (ended.returncode, ended.stdout) == (0, f"canvaswidget {cw.__version__}\n")
    ended = program("trace", "mine:small", "--save", "x.zarr")
    assert (ended.returncode, ended.stderr) == (0, "")  # no bar in a pipe
    ended = program("trace", "nothing.pt")
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)


def _until_closed(terminal: int) -> Iterator[bytes]:
    try:
        while part := os.read(terminal, 65536):
            yield part
    except OSError:  # how a terminal says that its other end is closed
        pass
    finally:
        os.close(terminal)


# The command line with bars that show at once, however quick the work is.
UNDELAYED = """
import sys
import tqdm.std
init = tqdm.std.tqdm.__init__
tqdm.std.tqdm.__init__ = lambda bar, *given, **named: init(bar, *given, **{**named, "delay": 0})
from canvaswidget.cli import main
sys.exit(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="there are no terminals of this kind there")
def test_progress_shows_on_a_terminal(folder: Path) -> None:
    pty = pytest.importorskip("pty")
    termios, fcntl = pytest.importorskip("termios"), pytest.importorskip("fcntl")
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))  # or it has no columns
    command = [sys.executable, "-c", UNDELAYED, "trace", "mine:small", "--save", "x.zarr"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=follower, env=env)
    os.close(follower)
    shown = b"".join(_until_closed(leader))
    out, _ = process.communicate(timeout=240)
    assert b"saving" in shown
    assert b"saving" not in out


def test_a_reader_that_has_had_enough(folder: Path) -> None:
    command = f"{sys.executable} -m canvaswidget trace clip.safetensors --pixel 4,5 --top 99999 | head -n 1"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, env=env, timeout=240)
    assert "Traceback" not in ended.stderr
    assert "Exception" not in ended.stderr


def test_a_figure_of_chosen_panels_and_a_page_of_chosen_frames(run: Run) -> None:
    view = ("figure", "clip.safetensors")
    assert run(*view, "view.svg", "--panels", "pixel", "frame", "--pixel", "4,5")[0] == 0
    words = Path("view.svg").read_text(encoding="utf-8")
    assert "neurons of pixel y=4, x=5" in words
    assert "Maps of" not in words
    code, out, _ = run(*view, "view.html", "--frames", "1:3")
    assert (code, out) == (0, "view.html\n")
    assert Path("view.html").stat().st_size > 0
    assert run(*view, "view.svg", "--panels", "else")[0] == 2
    code, _, err = run(*view, "view.html", "--panels", "frame")
    assert code == 1
    assert "panels would be of a figure" in err


def test_a_animation(run: Run) -> None:
    code, out, err = run(
        "animation", "clip.safetensors", "a.gif", "--layer", "head", "--frames", "1:3", "--fps", "5"
    )
    assert (code, out, err) == (0, "a.gif\n", "")
    with Image.open("a.gif") as animated:
        assert animated.n_frames == 2  # type: ignore[attr-defined]
    code, _, err = run("animation", "clip.safetensors", "a.gif", "--frames", "0:4:2")
    assert code == 2
    assert "without gaps" in err
    assert run("animation", "clip.safetensors", "a.gif", "--frames", "9:9")[0] == 2


def test_faithfulness_is_that_of_python(run: Run) -> None:
    code, out, err = run("faithfulness", "photo.safetensors", "--layers", "net.1", "--at-most", "5")
    assert (code, err) == (0, "")
    assert out == f"{cw.analysis.faithfulness(cw.trace(image()), 'net.1', at_most=5)!r}\n"
    assert run("faithfulness", "photo.safetensors", "--layers", "else")[0] == 1


def test_prune_writes_the_model_of_python(run: Run) -> None:
    pruning = ("prune", "photo.safetensors", "small.safetensors", "--share", "0.5", "--layers", "net.1")
    code, out, err = run(*pruning)
    assert (code, err) == (0, "")
    assert out.endswith("small.safetensors\n")
    canvas = cw.trace(image())
    expected = cw.prune(image(), canvas, share=0.5, layers="net.1").render(0)
    np.testing.assert_array_equal(cw.load("small.safetensors").render(0), expected)
    assert not np.array_equal(expected, canvas.inr.render(0))
    pictures = [np.clip(one.frame(0), 0, 1) for one in (cw.load("small.safetensors"), canvas.inr)]
    assert "50% of the neurons of net.1 removed" in out
    assert f"PSNR against the model before: {cw.media.psnr(*pictures):.2f} dB, mean over frames 0\n" in out
    assert run(*pruning)[0] == 1
    assert run(*pruning, "--overwrite")[0] == 0
