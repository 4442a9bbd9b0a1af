"""What `feel.py` runs in the notebook's kernel: its two models, and a layer as slow as it is said to be."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import canvaswidget as cw
from benchmarks.plain_widget import PlainWidget

REFERENCE = Path(
    os.environ.get(
        "CANVASWIDGET_REFERENCE", Path(__file__).resolve().parent.parent.parent / "shared" / "reference"
    )
)
LAYERS = {"nerv_bunny": "decoder.2.conv.upconv.0", "hnerv": "decoder.4.conv.upconv.0"}
# One with 18,352 kernels, one with 30,720.
LARGE_LAYERS = {"nerv_bunny": "decoder.1.conv.upconv.0", "hnerv": "decoder.3.conv.upconv.0"}


def nerv_bunny() -> cw.INR:
    """The reference model: 32 frames of 128x256."""
    return cw.INR.from_frames(cw.models.load_model(REFERENCE / "nerv_bunny.safetensors"), 32)


def hnerv() -> cw.INR:
    """An HNeRV decoder as large as the paper's, with random weights: 16 frames of 640x1280."""
    torch.manual_seed(0)
    decoder = cw.models.HNeRVDecoder()
    start, end = torch.randn(2, 16, 2, 4)
    steps = torch.linspace(0, 1, 16)[:, None, None, None]
    return cw.INR.from_embeddings(decoder, start + steps * (end - start))


MODELS: dict[str, Callable[[], cw.INR]] = {"nerv_bunny": nerv_bunny, "hnerv": hnerv}


def widget(model: str) -> cw.CanvasWidget:
    """The real one."""
    return cw.CanvasWidget(
        cw.trace(MODELS[model](), "xinc"), layer=LAYERS[model], neuron=(0, 0), time=0, pixel=(5, 5)
    )


def plain(model: str, sends: bool) -> PlainWidget:
    """The baseline."""
    return PlainWidget(cw.trace(MODELS[model](), "xinc"), LAYERS[model], neuron=[0, 0], sends=sends)


def pace(canvas: Any, seconds: float) -> None:
    """From now on, maps take at least so long, in one piece."""
    maps = type(canvas).maps.__get__(canvas)

    def slow(*arguments: Any, **keywords: Any) -> Any:
        started = time.perf_counter()
        found = maps(*arguments, **keywords)
        time.sleep(max(0.0, seconds - (time.perf_counter() - started)))
        return found

    canvas.maps = slow
