"""The exit codes of the command line, and what it says of mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from canvaswidget.cli import commands
from tests.cli.conftest import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unbuilt")]


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
        (("fit", "clip", "-o", "x.safetensors", "--size", "15x30"), 2, "choose the size 16x32; see --size"),
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
