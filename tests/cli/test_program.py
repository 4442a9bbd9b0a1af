"""The command line as a program: its output, a terminal, a reader that leaves."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import canvaswidget as cw
from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unbuilt")]


def program(*arguments: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = [sys.executable, "-m", "canvaswidget", *arguments]
    return subprocess.run(whole, capture_output=True, text=True, env=env, timeout=240, **keywords)


def test_the_program(folder: Path) -> None:
    ended = program("--version")
    assert (ended.returncode, ended.stdout) == (0, f"canvaswidget {cw.__version__}\n")
    ended = program("trace", "mine:small", "--save", "x.zarr")
    assert (ended.returncode, ended.stderr) == (0, "")  # no bar in a pipe


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
