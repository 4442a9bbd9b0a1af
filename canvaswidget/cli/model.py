"""What the command line calls a model: a file of ours, a saved canvas, or a function of the user's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from canvaswidget import media
from canvaswidget.inr import INR, as_inr
from canvaswidget.inr.factories import is_factory, made
from canvaswidget.inr.loading import load, with_truth
from canvaswidget.tracing import Canvas, CanvasLike, open_canvas, trace


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
