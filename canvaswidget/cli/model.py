"""What the command line calls a model: a file of ours, a saved canvas, or a function of the user's."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from typing import Any

from torch import nn

from canvaswidget import media
from canvaswidget.inr import INR, as_inr
from canvaswidget.inr.loading import load
from canvaswidget.tracing import Canvas, CanvasLike, open_canvas, trace
from canvaswidget.widget.model import with_truth

FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_factory(text: str) -> bool:
    """Whether it reads as ``module:function``."""
    return FACTORY.fullmatch(text) is not None and not Path(text).exists()


def named(text: str) -> Any:
    """What ``module:name`` of the user's names; modules of the current folder can be named."""
    module, _, name = text.partition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ModuleNotFoundError(
            f"{text}: there is no module {error.name!r}, here ({folder}) or installed"
        ) from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise AttributeError(f"{text}: {module} has no {name!r}")
        found = getattr(found, part)
    return found


def is_called(found: Any) -> bool:
    """Whether it is a function that makes a model, and not one."""
    return callable(found) and not isinstance(found, nn.Module)


def made(text: str) -> Any:
    """What a function of the user's gives."""
    found = named(text)
    return found() if is_called(found) else found


def read_inr(text: str, truth: str | None, n_frames: int | None, size: tuple[int, int] | None) -> INR:
    """The INR that a command line names."""
    if is_factory(text):
        given = made(text)
        if isinstance(given, Canvas):
            given = given.inr
        inr = as_inr(given, n_frames, size)
        if truth is None:
            return inr
        return with_truth(inr, media.read(truth, inr.size).frames)
    if not Path(text).exists():
        raise FileNotFoundError(
            f"{text}: no such file; expected weights (.safetensors, .pt, .ckpt), a saved canvas (.zarr), or "
            "module:function of yours that returns an INR"
        )
    return load(text, truth, n_frames=n_frames, size=size)


def read_canvas(options: Any) -> CanvasLike:
    """The canvas that a command line names: traced, or opened."""
    text, rule = options.model, options.rule
    if Path(text).is_dir():
        saved = open_canvas(text)
        return saved if rule is None else saved.under(rule)
    inr = read_inr(text, options.truth, options.n_frames, options.size)
    return trace(inr, rule, options.device, options.memory, progress=progress_of(options))


def progress_of(options: Any) -> bool:
    """Whether a command shows progress: on a terminal, not in a pipe."""
    return not options.quiet and sys.stderr.isatty()
