"""A folder with models, and the command line run in it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import canvaswidget as cw
from canvaswidget import cli
from tests.canvases import image, video

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
