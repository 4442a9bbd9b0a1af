"""The networks whose figures `tools/paper.py` draws: those of the demo, small ones, and the reference models."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import torch

import canvaswidget as cw

# The paper's FFN layers 1 to 3, and its head and last block of a NeRV.
FFN, NERV = ("net.0", "net.1", "net.2"), ("decoder.3", "head_layer")
IMAGE, VIDEO = "demo image", "demo video"
PUBLISHED, BUNNY = "ffn_cityscapes", "nerv_bunny"
SMALL = "trained here"
NETWORKS = (PUBLISHED, BUNNY, IMAGE, VIDEO, SMALL)
MODELS = NETWORKS[:-1]
FRAME = 8
FRAMES = range(8, 14)


def reference() -> Path | None:
    """The folder with the reference models; None where there is none."""
    named = os.environ.get("CANVASWIDGET_REFERENCE")
    return Path(named) if named and (Path(named) / "nerv_bunny.safetensors").is_file() else None


def available() -> tuple[str, ...]:
    """Names of the networks that are there."""
    return tuple(name for name in NETWORKS if reference() or name not in (PUBLISHED, BUNNY))


@cache
def canvas(name: str) -> cw.Canvas:
    """The canvas of a network under the paper's rule."""
    if name == IMAGE:
        return cw.trace(cw.demo.image(), "xinc")
    if name == VIDEO:
        return cw.trace(cw.demo.video(), "xinc")
    folder = reference()
    if folder is None:
        raise LookupError(f"{name}: CANVASWIDGET_REFERENCE names no folder with it")
    model = cw.models.load_model(folder / f"{name}.safetensors")
    if name == PUBLISHED:
        return cw.trace(cw.as_inr(model), "xinc")
    clip = cw.media.read(folder / "bunny.mp4")
    return cw.trace(cw.as_inr(model, clip.n_frames, clip.size, truth=clip.frames), "xinc")


@cache
def trained() -> dict[str, cw.Canvas]:
    """Three seeds each of a small FFN of a frame and of a small NeRV of the clip with that frame."""
    size, found = (64, 128), dict[str, cw.Canvas]()
    frames = cw.media.resize(cw.demo.clip().frames[::3], size)
    kinds = {
        "FFN": (lambda: cw.models.FFN(hidden=48, scale=6.0, size=size), frames[0], 100),
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
