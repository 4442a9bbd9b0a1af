"""Twelve small clips, a network for them, and two measurements: what the jobs of `videos.ipynb` name.

A clip is a window that moves over a photograph, and in front of it a disc, cut from elsewhere in the same photograph,
that moves otherwise. So objects and optical flow are known exactly, and no two clips show the same photograph.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.analysis.intensity import rank_correlation
from canvaswidget.analysis.spatial import agree

# Where dependencies of canvaswidget ship them. None is copied, but for the astronaut (NASA, public domain) in the
# canvases of `videos.zarr`.
PHOTOGRAPHS = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "camera": ("skimage", "data/camera.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "dahlia": ("sklearn", "datasets/images/flower.jpg"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "pavilion": ("sklearn", "datasets/images/china.jpg"),
    "portrait": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
    "retina": ("skimage", "data/retina.jpg"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "tissue": ("skimage", "data/ihc.png"),
}
N_FRAMES, SIZE = 8, (48, 64)
PHOTOGRAPH = (72, 96)  # the size it is brought to
RADIUS = 9
# Pixels (y, x) a frame. Clips take them in turn.
WINDOW_STEPS = ((1, 0), (0, 1), (-1, 1), (0, -2), (1, 1), (-1, 0))
DISC_STEPS = ((0, 3), (3, 0), (2, -2), (-2, -2))


# --- clips ----------------------------------------------------------------------------------------------------


def clip(name: str) -> np.ndarray:
    """The frames, ``(8, 48, 64, 3)``."""
    picture, (step, disc_step) = photograph(name), steps(name)
    turned = picture[::-1, ::-1]
    start = (np.array(PHOTOGRAPH) - SIZE) // 2
    frames = []
    for time, disc in enumerate(discs(name), -N_FRAMES // 2):
        top, left = start - step * time
        frame = picture[top : top + SIZE[0], left : left + SIZE[1]].copy()
        moved = np.roll(turned, disc_step * time, (0, 1))[: SIZE[0], : SIZE[1]]
        frame[disc] = moved[disc]
        frames.append(frame)
    return np.stack(frames)


@lru_cache
def photograph(name: str) -> np.ndarray:
    package, file = PHOTOGRAPHS[name]
    (folder,) = find_spec(package).submodule_search_locations
    picture = cw.media.read_image(Path(folder, file))
    height, width = picture.shape[:2]
    rows, columns = min(height, width * 3 // 4), min(width, height * 4 // 3)
    top, left = (height - rows) // 2, (width - columns) // 2
    small = cw.media.resize(picture[top : top + rows, left : left + columns], PHOTOGRAPH)
    return np.clip(small, 0, 1)  # of rounding errors


def steps(name: str) -> tuple[np.ndarray, np.ndarray]:
    """By how much what is behind, and the disc, move from each frame to the next."""
    number = list(PHOTOGRAPHS).index(name)
    behind, disc = WINDOW_STEPS[number % len(WINDOW_STEPS)], DISC_STEPS[number % len(DISC_STEPS)]
    return np.array(behind), np.array(disc)


def discs(name: str) -> np.ndarray:
    """Which pixels of each frame the disc covers. In the last frame it is where the first one's mirror image was."""
    _, step = steps(name)
    centres = np.array(SIZE) / 2 + step * (np.arange(N_FRAMES) - (N_FRAMES - 1) / 2)[:, None]
    y, x = np.indices(SIZE) + 0.5
    return np.stack([np.hypot(y - centre[0], x - centre[1]) < RADIUS for centre in centres])


def flow(name: str) -> np.ndarray:
    """By how many pixels ``(dy, dx)`` what is at each pixel moves until the next frame."""
    behind, disc = steps(name)
    return np.where(discs(name)[:-1, ..., None], disc, behind).astype(np.float32)


# --- a network ------------------------------------------------------------------------------------------------


class Field(nn.Module):
    """The paper's FFN with a third coordinate: ``(y, x, t)`` to colours, an MLP over random Fourier features."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(hidden, 3) * torch.tensor([2, 2, 0.25]))
        self.net = nn.Sequential(
            *(nn.Linear(2 * hidden, hidden), nn.ReLU()),
            *(nn.Linear(hidden, hidden), nn.ReLU()),
            nn.Linear(hidden, 3),
        )

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        angles = 2 * torch.pi * points @ self.frequencies.T
        return self.net(torch.cat([torch.sin(angles), torch.cos(angles)], -1))


def field(hidden: int = 64) -> cw.INR:
    return cw.INR.from_coords(Field(hidden), SIZE, N_FRAMES)


# --- measurements ---------------------------------------------------------------------------------------------


def follows(canvas: cw.Canvas, job: cw.Job, layers: dict[str, int]) -> dict[str, float]:
    """Whether neurons that prefer the disc in the first frame prefer it in the last, where it is in another place.

    A neuron's preference is by how much it contributes more to the disc than to the disc's mirror image in the frame,
    as a part of an even share. Its rank correlation over neurons between the two frames is 1 where preferences go with
    the disc, -1 where they stay in their place.
    """
    found = {}
    first, last = discs(job.parameters["video"])[[0, -1]]
    for name, layer in layers.items():
        starts, ends = (
            cw.analysis.regions(canvas, layer, frame, {"disc": np.stack([first, last])}).deltas["disc"]
            for frame in (0, N_FRAMES - 1)
        )
        before, after = (starts[..., 0] - starts[..., 1]).ravel(), (ends[..., 1] - ends[..., 0]).ravel()
        living = np.isfinite(before + after)
        found[name] = rank_correlation(before[living], after[living]) if living.sum() > 2 else np.nan
    return found


def moves(canvas: cw.Canvas, job: cw.Job, layers: dict[str, int]) -> dict[str, float]:
    """How contributions' change from frame to frame agrees with the speed and with the change of the picture."""
    found = {}
    pictures = np.stack([canvas.frame(frame) for frame in range(N_FRAMES)])
    for name, layer in layers.items():
        moved = cw.analysis.motion(canvas, layer, flow=flow(job.parameters["video"]))
        shown = agree(moved.change, np.abs(np.diff(pictures, axis=0)).sum(-1), moved.crop)
        found[f"{name}.with_speed"], found[f"{name}.with_change"] = moved.mean, shown.mean
    return found
