"""The demo's video: photographs in motion, so that optical flow and object masks are known exactly.

A pavilion above a lake is filmed by a camera that pans and comes closer; two dahlias sway in front of it.
Each is a layer: a photograph, which of its pixels belong to the object, and an affine map a frame from it to
the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from canvaswidget import media
from canvaswidget.demo.photographs import photograph

SIZE = (128, 256)
N_FRAMES = 24
SAMPLES = 2  # points a pixel and axis
LABELS = ("background", "pavilion", "large dahlia", "small dahlia")

# Outline (y, x) of the pavilion in its photograph, in pixels, clockwise from the tip of its roof.
PAVILION = (
    (30, 197), (30, 213), (62, 213), (80, 235), (100, 275), (112, 300), (122, 320), (130, 308), (160, 300),
    (166, 320), (174, 329), (184, 320), (190, 313), (232, 314), (244, 325), (255, 352), (264, 342),
    (276, 334), (302, 342), (310, 352), (328, 373), (346, 352), (360, 330), (374, 330), (390, 318),
    (388, 250), (365, 210), (345, 180), (338, 150), (332, 110), (330, 72), (290, 84), (276, 72), (264, 61),
    (255, 75), (240, 98), (195, 100), (186, 86), (172, 84), (166, 106), (155, 120), (136, 118), (126, 94),
    (110, 95), (104, 120), (90, 160), (75, 190), (60, 199),
)  # fmt: skip
# Centre (y, x) and radius of the dahlia in its photograph; all within the inner radius belongs to it.
DAHLIA = (221.0, 307.0)
DAHLIA_RADIUS, DAHLIA_INNER = 141.0, 118.0


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class DemoClip(media.Clip):
    """A clip with its motion and its objects.

    Attributes
    ----------
    flow : ndarray
        ``(n_frames - 1, height, width, 2)``, float32: by how many pixels ``(dy, dx)`` the point at
        the centre of a pixel of frame ``t`` moves until frame ``t + 1``, whether or not it can be seen there.
    hidden : ndarray
        ``(n_frames - 1, height, width)``, bool: the point can't be seen in frame ``t + 1``, because something
        covers it or because it left the picture.
    masks : ndarray
        ``(n_frames, height, width)``, uint8: which of `labels` is at the centre of each pixel.
    labels : tuple of str
        Names of the objects; 0 is the background.
    """

    flow: npt.NDArray[np.float32]
    hidden: npt.NDArray[np.bool_]
    masks: npt.NDArray[np.uint8]
    labels: tuple[str, ...] = LABELS


@dataclass(frozen=True, eq=False)
class Layer:
    """A photograph in motion.

    Attributes
    ----------
    plate : torch.Tensor
        ``(4, height, width)``: colours and which pixels belong to the object.
    poses : ndarray
        ``(n_frames, 2, 3)``: affine maps from ``(y, x, 1)`` in the plate to ``(y, x)`` in the picture.
    """

    plate: torch.Tensor
    poses: npt.NDArray[np.float64]

    def sample(self, points: npt.NDArray[np.float64], frame: int) -> torch.Tensor:
        """The plate, ``(4, rows, columns)``, at points ``(rows, columns, 2)`` of the picture."""
        there = torch.from_numpy(transform(inverse(self.poses[frame]), points)).float()
        height, width = self.plate.shape[1:]
        grid = torch.stack(
            [there[..., 1] * 2 / (width - 1) - 1, there[..., 0] * 2 / (height - 1) - 1], dim=-1
        )
        return F.grid_sample(self.plate[None], grid[None], padding_mode="border", align_corners=True)[0]

    def covers(self, points: npt.NDArray[np.float64], frame: int) -> npt.NDArray[np.bool_]:
        """Which points of the picture the object covers."""
        return (self.sample(points, frame)[3] > 0.5).numpy()

    def step(self, points: npt.NDArray[np.float64], frame: int) -> npt.NDArray[np.float64]:
        """Where points that belong to the layer are one frame later."""
        return transform(self.poses[frame + 1], transform(inverse(self.poses[frame]), points))


@lru_cache(maxsize=1)
def pictures() -> npt.NDArray[np.float32]:
    """Make the frames alone, in half the time of `clip`."""
    frames = np.stack([_picture(_scene(), frame) for frame in range(N_FRAMES)])
    frames.flags.writeable = False
    return frames


@lru_cache(maxsize=1)
def clip() -> DemoClip:
    """Make the demo's clip: 24 frames of 128x256 with exact optical flow and object masks."""
    scene = _scene()
    masks = np.stack([_labels(scene, frame) for frame in range(N_FRAMES)])
    motions = [_motion(scene, masks[frame], frame) for frame in range(N_FRAMES - 1)]
    flow, hidden = np.stack([flow for flow, _ in motions]), np.stack([hidden for _, hidden in motions])
    for array in (flow, hidden, masks):
        array.flags.writeable = False
    return DemoClip(pictures(), "canvaswidget demo", 12.0, flow=flow, hidden=hidden, masks=masks)


# --- the scene --------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _scene() -> list[Layer]:
    """The layers, farthest first."""
    view, flower = photograph("china"), photograph("flower")
    ground = _plate(view, inside(PAVILION, (view.shape[0], view.shape[1])))
    half = media.resize(np.dstack([flower, _dahlia(flower)])[:426], (213, 320))
    dahlia = _plate(half[..., :3], half[..., 3])
    time = np.linspace(0, 1, N_FRAMES)
    return [
        Layer(ground, np.stack([_camera(t) for t in time])),
        Layer(dahlia, np.stack([_sway(t, (109, 48), -24, 22, 0.6, -0.2, 4.5) for t in time])),
        Layer(dahlia, np.stack([_sway(t, (104, 211), -45, 38.5, 0.0, 0.35, 7.5) for t in time])),
    ]


def _plate(colours: npt.NDArray[np.float32], belongs: npt.NDArray[np.float32]) -> torch.Tensor:
    return torch.from_numpy(np.dstack([colours, belongs])).permute(2, 0, 1).contiguous()


def _dahlia(photo: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Which pixels belong to the dahlia: bright red ones near it, on a dark green ground."""
    y, x = np.indices(photo.shape[:2])
    radius = np.hypot(y - DAHLIA[0], x - DAHLIA[1])
    return ((radius < DAHLIA_INNER) | ((radius < DAHLIA_RADIUS) & (photo[..., 0] > 0.5))).astype(np.float32)


def _camera(time: float) -> npt.NDArray[np.float64]:
    """A pan to the right and a slow zoom, starting and ending at rest."""
    ease = (1 - math.cos(math.pi * time)) / 2
    middle = ((SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2)
    return pose(1 / (2.1 - 0.225 * ease), 0.0, (152 - 6 * ease, 272 + 78 * ease), middle)


def _sway(
    time: float,
    at: tuple[float, float],
    drift: float,
    radius: float,
    phase: float,
    angle: float,
    swing: float,
) -> npt.NDArray[np.float64]:
    """A dahlia that swings in the wind by `swing` pixels while the camera passes it."""
    ease = (1 - math.cos(math.pi * time)) / 2
    wave = math.sin(2 * math.pi * (time + phase))
    there = (at[0] + 0.25 * swing * abs(wave), at[1] + drift * ease + swing * wave)
    centre = ((DAHLIA[0] - 0.5) / 2, (DAHLIA[1] - 0.5) / 2)
    return pose(2 * radius / DAHLIA_RADIUS * (1 + 0.06 * ease), angle + 0.035 * swing * wave, centre, there)


# --- pictures and motion ----------------------------------------------------------------------------------


def _picture(scene: list[Layer], frame: int) -> npt.NDArray[np.float32]:
    """A frame, each pixel the mean of its sample points."""
    points = _points(SAMPLES)
    colours = scene[0].sample(points, frame)[:3]
    for layer in scene[1:]:
        own = layer.sample(points, frame)
        colours = torch.where(own[3] > 0.5, own[:3], colours)
    return F.avg_pool2d(colours, SAMPLES).permute(1, 2, 0).contiguous().numpy()


def _labels(scene: list[Layer], frame: int) -> npt.NDArray[np.uint8]:
    """What is at the centre of each pixel."""
    points = _points(1)
    labels = scene[0].covers(points, frame).astype(np.uint8)
    for number, layer in enumerate(scene[1:]):
        labels[layer.covers(points, frame)] = len(LABELS) - 1 - number
    return labels


def _motion(
    scene: list[Layer], labels: npt.NDArray[np.uint8], frame: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Flow from a frame to the next, and which points are hidden there."""
    points = _points(1)
    depth = np.where(labels < 2, 0, len(LABELS) - labels.astype(int))
    there = np.zeros_like(points)
    hidden = np.zeros(SIZE, bool)
    for number, layer in enumerate(scene):
        own = depth == number
        there[own] = layer.step(points, frame)[own]
    for number, layer in enumerate(scene[1:], start=1):
        hidden |= layer.covers(there, frame + 1) & (depth < number)
    low, high = np.array([-0.5, -0.5]), np.array(SIZE) - 0.5
    hidden |= ((there < low) | (there > high)).any(-1)
    return (there - points).astype(np.float32), hidden


def _points(samples: int) -> npt.NDArray[np.float64]:
    """Sample points ``(y, x)``, evenly spread over each pixel; integers are pixel centres."""
    axes = [(np.arange(n * samples) + 0.5) / samples - 0.5 for n in SIZE]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


# --- geometry ---------------------------------------------------------------------------------------------


def pose(
    scale: float, angle: float, centre: tuple[float, float], there: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Affine map ``(2, 3)`` that scales and turns about `centre` and puts it `there`."""
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return np.column_stack([turn, np.array(there) - turn @ np.array(centre)])


def inverse(affine: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The affine map that undoes another."""
    turn = np.linalg.inv(affine[:, :2])
    return np.column_stack([turn, -turn @ affine[:, 2]]).astype(np.float64)


def transform(affine: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points ``(..., 2)`` under an affine map."""
    y, x = points[..., 0], points[..., 1]
    return np.stack([row[0] * y + row[1] * x + row[2] for row in affine], axis=-1)


def inside(outline: tuple[tuple[float, float], ...], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Which pixels of a picture have their centre inside a polygon of ``(y, x)``: 1, else 0."""
    y, x = np.arange(size[0])[:, None], np.arange(size[1])[None, :]
    odd = np.zeros(size, bool)
    for (y0, x0), (y1, x1) in zip(outline, (*outline[1:], outline[0]), strict=True):
        if y0 != y1:
            crossed = (np.minimum(y0, y1) <= y) & (y < np.maximum(y0, y1))
            odd ^= crossed & (x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0)))
    return odd.astype(np.float32)
