"""A small trained video and image with their originals: something to look at, without network or training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canvaswidget.demo.photographs import portrait
from canvaswidget.demo.scene import SIZE, DemoClip, clip, pictures
from canvaswidget.inr import INR
from canvaswidget.models import load_model
from canvaswidget.runs import Runs

__all__ = ["DemoClip", "clip", "image", "training", "video"]

FOLDER = Path(__file__).parent


def video() -> INR:
    """Load the demo's video, a NeRV: a pavilion above a lake and two dahlias in the wind.

    Its truth are the frames of `clip`, which also has their optical flow and object masks.
    """
    frames = pictures()
    model = load_model(FOLDER / "video.safetensors")
    inr = INR.from_frames(model, len(frames), SIZE, truth=frames, name="demo video")
    inr.origin = "cw.demo.video()"
    return inr


def image() -> INR:
    """Load the demo's image, an FFN: Chelsea the cat."""
    shown = portrait()
    model = load_model(FOLDER / "image.safetensors")
    inr = INR.from_coords(model, shown.size, truth=shown.frames, name="demo image")
    inr.origin = "cw.demo.image()"
    return inr


def training(**keywords: Any) -> Runs:
    """Load the training of the demo's image: the network at 13 steps, from its random start.

    Parameters
    ----------
    **keywords
        `rule`, `device` and `memory`, as `canvaswidget.Runs.from_checkpoints` takes them.
    """
    runs = Runs.from_checkpoints(image(), FOLDER / "training", **keywords)
    given = {name: str(value) if name == "device" else value for name, value in keywords.items()}
    runs.origin = f"cw.demo.training({', '.join(f'{name}={value!r}' for name, value in given.items())})"
    return runs
