"""`load`: an INR from a file of one of the reference models; and an INR with its truth."""

from __future__ import annotations

import os
from collections.abc import Sequence
from copy import copy
from typing import Any

from canvaswidget import media
from canvaswidget.arguments import checked
from canvaswidget.inr import INR, as_inr
from canvaswidget.models import FFN, SIREN, load_model


@checked
def load(
    path: str | os.PathLike[str],
    truth: Any = None,
    *,
    n_frames: int | None = None,
    size: Sequence[int] | None = None,
) -> INR:
    """Read a reference model and what it encodes.

    Parameters
    ----------
    path : str or Path
        Weights of an FFN, a SIREN or a NeRV; see `canvaswidget.models.load_model`.
    truth : path, array or Clip, optional
        The signal itself, resized to what the model makes; see `canvaswidget.media.read`.
    n_frames, size
        The signal's extent, where neither the file nor `truth` tells it.

    Returns
    -------
    INR
        Its `origin` says where it came from, so that `canvaswidget.CanvasWidget.recipe` can.

    Examples
    --------
    >>> cw.load("nerv.safetensors", "clip.mp4")  # doctest: +SKIP
    INR(nerv, 32 frames of 128x256, 978,557 weights, with truth)
    """
    path = os.fspath(path)
    module = load_model(path)
    given: dict[str, Any] = {"n_frames": n_frames, "size": None if size is None else tuple(size)}
    name = os.path.splitext(os.path.basename(path))[0]
    if truth is None:
        inr = as_inr(module, n_frames, size, name=name)
    else:
        clip = media.read(truth)
        n_frames = n_frames or getattr(module, "n_frames", None) or clip.n_frames
        if isinstance(module, FFN | SIREN):
            size = size or module.size or clip.size
        inr = as_inr(module, n_frames, size)
        frames = media.read(clip, inr.size).frames
        inr = as_inr(module, inr.n_frames, inr.size, truth=frames, name=name)
    if truth is None or isinstance(truth, str | os.PathLike):
        given = {"truth": None if truth is None else os.fspath(truth), **given}
        named = [f"{name}={value!r}" for name, value in given.items() if value is not None]
        inr.origin = f"cw.load({', '.join([repr(path), *named])})"
    return inr


def with_truth(model: Any, truth: Any) -> INR:
    """The INR of a model, with the signal itself where it is given."""
    if truth is None:
        return as_inr(model)
    if not isinstance(model, INR):
        return as_inr(model, truth=truth)
    checked = INR(model.module, model.inputs, model.size, model.n_frames, truth=truth)
    inr = copy(model)
    inr.truth = checked.truth
    return inr
