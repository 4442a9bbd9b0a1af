"""Labels painted on frames: strokes and polygons to numbers of objects, with undo, and PNG files of them.

Nothing in here draws or listens; `canvaswidget.MaskPainter` puts a hand and an eye to it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from canvaswidget import media
from canvaswidget.analysis import carry
from canvaswidget.arguments import as_array, as_integer, checked_index, show, wrong_type
from canvaswidget.plotting.style import CYCLE

Labels = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Point = tuple[float, float]

MOST_LABELS = 255  # what a PNG with indexed colours can tell apart
UNDO_BYTES = 128 * 2**20


class Box(NamedTuple):
    """Rows and columns that have changed: from `top` and `left` up to, not with, `bottom` and `right`."""

    top: int
    left: int
    bottom: int
    right: int


class _Before(NamedTuple):
    """Frames as they were, from `first` on."""

    first: int
    labels: Labels


class Painting:
    """Which object each pixel of each frame shows; 0 for none.

    Many methods because there is one for each way to change labels, and all share one list of steps to undo.

    Parameters
    ----------
    size : (height, width)
    n_frames : int

    Notes
    -----
    Points are ``(y, x)`` in pixels from the top left *corner* of the frame, so that the middle of pixel (0, 0) is
    (0.5, 0.5). Whatever changes labels is one step of `undo`; a stroke is one, however many points it has.
    """

    def __init__(self, size: Sequence[int], n_frames: int = 1) -> None:
        self.size = (int(size[0]), int(size[1]))
        self.n_frames = int(n_frames)
        self._labels: Labels = np.zeros((self.n_frames, *self.size), np.int32)
        self._done: deque[_Before] = deque()
        self._undone: list[_Before] = []
        self._kept_bytes = 0
        self._stroke: _Stroke | None = None

    @property
    def masks(self) -> Labels:
        """A copy of all labels, ``(n_frames, height, width)``."""
        return self._labels.copy()

    def frame(self, frame: int) -> Labels:
        """The labels of one frame, to be read."""
        labels = self._labels[checked_index("frame", frame, self.n_frames)]
        labels.flags.writeable = False
        return labels

    def mask(self, label: int, frame: int = 0) -> Mask:
        """``(height, width)``, true where that object is; what `canvaswidget.Canvas.region` takes."""
        return self.frame(frame) == checked_label(label)

    def used(self, frame: int | None = None) -> list[int]:
        """The labels that a frame has, or any frame."""
        labels = self._labels if frame is None else self.frame(frame)
        return [int(label) for label in np.unique(labels) if label]

    # --- painting -------------------------------------------------------------------------------------------

    def begin(self, frame: int, label: int, radius: float, point: Point) -> Box | None:
        """Put a round brush down at a point; label 0 erases. Returns what has changed."""
        self.end()
        if not (np.isfinite(radius) and radius > 0):
            raise ValueError(f"radius={radius!r}: expected a number of pixels above 0")
        frame, label = checked_index("frame", frame, self.n_frames), checked_label(label, erase=True)
        self._stroke = _Stroke(frame, label, float(radius), _checked_point(point), self._labels[frame].copy())
        return self.move(point)

    def move(self, point: Point) -> Box | None:
        """Draw the brush on, straight, to a point. Nothing happens while no brush is down."""
        stroke = self._stroke
        if stroke is None:
            return None
        before, stroke.at = stroke.at, _checked_point(point)
        return _put(
            self._labels[stroke.frame], *capsule(before, stroke.at, stroke.radius, self.size), stroke.label
        )

    def end(self) -> bool:
        """Lift the brush; whether its stroke has changed anything."""
        stroke, self._stroke = self._stroke, None
        if stroke is None or np.array_equal(stroke.before, self._labels[stroke.frame]):
            return False
        self._keep(_Before(stroke.frame, stroke.before[None]))
        return True

    def polygon(self, frame: int, label: int, points: Iterable[Point]) -> Box | None:
        """Fill a polygon: the pixels whose middle is inside. Label 0 erases."""
        from skimage.draw import polygon2mask

        frame, label = checked_index("frame", frame, self.n_frames), checked_label(label, erase=True)
        corners = [_checked_point(point) for point in points]
        if len(corners) < 3:
            raise ValueError(f"points: {len(corners)} of them; a polygon has at least 3 points (y, x)")
        inside = polygon2mask(self.size, np.array(corners) - 0.5)
        before = self._labels[frame].copy()
        box = _put(self._labels[frame], Box(0, 0, *self.size), inside, label)
        return self._done_to(frame, before[None], box)

    def clear(self, frame: int, label: int | None = None) -> Box | None:
        """Take one object, or all, off a frame."""
        frame = checked_index("frame", frame, self.n_frames)
        before = self._labels[frame].copy()
        gone = before > 0 if label is None else before == checked_label(label)
        box = _put(self._labels[frame], Box(0, 0, *self.size), gone, 0)
        return self._done_to(frame, before[None], box)

    def copy(self, frame: int, to: int, pictures: Sequence[npt.NDArray[Any]] | None = None) -> Box | None:
        """Copy the labels of a frame to another one, in place of what is there.

        With `pictures`, from that frame to the other, they move with the optical flow of these.
        """
        frame, to = (checked_index(n, f, self.n_frames) for n, f in (("frame", frame), ("to", to)))
        self.end()
        before = self._labels[to].copy()
        self._labels[to] = self._labels[frame] if pictures is None else carry(self._labels[frame], pictures)
        return self._done_to(to, before[None], _box_of(before != self._labels[to]))

    def replace(self, masks: npt.ArrayLike) -> None:
        """Take labels from elsewhere: integers ``(n_frames, height, width)``, or ``(height, width)`` for one frame."""
        given = as_array(masks)
        if given is None:
            raise wrong_type("masks", masks, "an array of integers, the numbers of objects")
        if given.dtype.kind not in "biu":
            raise TypeError(f"masks: have the type {given.dtype}; expected integers, the numbers of objects")
        if given.ndim == 2:
            given = given[None]
        if given.shape != self._labels.shape:
            expected = " x ".join(map(str, self._labels.shape))
            raise ValueError(
                f"masks: have the shape {given.shape}; expected {expected} (frames, height, width)"
            )
        if given.size and not (given.min() >= 0 and given.max() <= MOST_LABELS):
            raise ValueError(f"masks: from {given.min()} to {given.max()}; labels are 0 to {MOST_LABELS}")
        self.end()
        before = self._labels
        self._labels = given.astype(np.int32)
        self._done_to(0, before, _box_of((before != self._labels).any(0)))

    # --- undo -----------------------------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._done) or self._stroke is not None

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back that can be done again."""
        return bool(self._undone)

    def undo(self) -> int | None:
        """Take the last step back; the first frame that changes, or None where there is nothing to take back."""
        self.end()
        if not self._done:
            return None
        step = self._done.pop()
        self._kept_bytes -= step.labels.nbytes
        self._undone.append(self._swap(step))
        return step.first

    def redo(self) -> int | None:
        """Do again what was taken back last."""
        if not self._undone:
            return None
        step = self._undone.pop()
        self._done.append(self._swap(step))
        self._kept_bytes += step.labels.nbytes
        return step.first

    def _swap(self, step: _Before) -> _Before:
        frames = slice(step.first, step.first + len(step.labels))
        now = _Before(step.first, self._labels[frames].copy())
        self._labels[frames] = step.labels
        return now

    def _done_to(self, first: int, before: Labels, box: Box | None) -> Box | None:
        if box is not None:
            self._keep(_Before(first, before))
        return box

    def _keep(self, step: _Before) -> None:
        self._undone.clear()
        self._done.append(step)
        self._kept_bytes += step.labels.nbytes
        while self._kept_bytes > UNDO_BYTES and len(self._done) > 1:
            self._kept_bytes -= self._done.popleft().labels.nbytes

    # --- files ----------------------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write PNGs with indexed colours, whose pixels are the labels: one file, or for a video a folder of them.

        `canvaswidget.media.read_masks` reads them, as do the tools that read the masks of DAVIS.
        """
        self.end()
        path = Path(path)
        if self.n_frames == 1:
            if path.suffix.lower() != ".png":
                raise ValueError(f"path={str(path)!r}: expected a name that ends in .png")
            files = [path]
        else:
            if path.suffix:
                raise ValueError(f"path={str(path)!r}: expected a folder, for the {self.n_frames} frames")
            path.mkdir(parents=True, exist_ok=True)
            files = [path / f"{frame:05d}.png" for frame in range(self.n_frames)]
        palette = [level for label in range(MOST_LABELS + 1) for level in colour(label)]
        for labels, file in zip(self._labels, files, strict=True):
            image = Image.fromarray(labels.astype(np.uint8), mode="L")
            image.putpalette(palette)
            image.save(file, "png", optimize=True)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Take the labels from files that `save`, or another tool, has written. It can be undone."""
        self.replace(media.read_masks(path))


class _Stroke:
    """A brush that is down."""

    def __init__(self, frame: int, label: int, radius: float, at: Point, before: Labels) -> None:
        self.frame, self.label, self.radius, self.at, self.before = frame, label, radius, at, before


def colour(label: int) -> tuple[int, int, int]:
    """Of an object on screen and in files: safe for the colour blind, again and again; black for none."""
    if label == 0:
        return (0, 0, 0)
    name = CYCLE[(label - 1) % (len(CYCLE) - 1)]  # but for its black
    return (int(name[1:3], 16), int(name[3:5], 16), int(name[5:7], 16))


def capsule(start: Point, end: Point, radius: float, size: tuple[int, int]) -> tuple[Box, Mask]:
    """The pixels whose middle is no farther than `radius` from a line, and those that the line's ends are in.

    The mask is that of the box, which is cut to the frame, and may be empty.
    """
    (y0, x0), (y1, x1) = start, end
    reach = max(radius, 1.0)
    top, bottom = (int(np.floor(min(y0, y1) - reach)), int(np.ceil(max(y0, y1) + reach)) + 1)
    left, right = (int(np.floor(min(x0, x1) - reach)), int(np.ceil(max(x0, x1) + reach)) + 1)
    box = Box(max(top, 0), max(left, 0), min(bottom, size[0]), min(right, size[1]))
    box = Box(box.top, box.left, max(box.bottom, box.top), max(box.right, box.left))
    y = np.arange(box.top, box.bottom)[:, None] + 0.5
    x = np.arange(box.left, box.right)[None] + 0.5
    along_y, along_x = y1 - y0, x1 - x0
    length = along_y**2 + along_x**2
    part = np.clip(((y - y0) * along_y + (x - x0) * along_x) / length, 0, 1) if length else 0.0
    inside = (y - y0 - part * along_y) ** 2 + (x - x0 - part * along_x) ** 2 <= radius**2
    inside = np.broadcast_to(inside, (box.bottom - box.top, box.right - box.left)).copy()
    for point_y, point_x in (start, end):
        row, column = int(np.floor(point_y)), int(np.floor(point_x))
        if box.top <= row < box.bottom and box.left <= column < box.right:
            inside[row - box.top, column - box.left] = True
    return box, inside


def checked_label(label: int, erase: bool = False) -> int:
    """A number of an object; 0 only where it erases."""
    low = 0 if erase else 1
    number = as_integer(label)
    if number is None:
        raise wrong_type("label", label, f"an int from {low} to {MOST_LABELS}")
    if not low <= number <= MOST_LABELS:
        raise ValueError(f"label={show(number)}: expected {low} to {MOST_LABELS}")
    return number


def _checked_point(point: Point) -> Point:
    y, x = point
    if not (np.isfinite(y) and np.isfinite(x)):
        raise ValueError(f"point={point!r}: expected finite (y, x)")
    return float(y), float(x)


def _put(labels: Labels, box: Box, inside: Mask, label: int) -> Box | None:
    """Set the labels inside; the part of the frame that has changed by it."""
    part = labels[box.top : box.bottom, box.left : box.right]
    changed = inside & (part != label)
    part[changed] = label
    return _box_of(changed, box.top, box.left)


def _box_of(changed: Mask, top: int = 0, left: int = 0) -> Box | None:
    rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
    if not len(rows):
        return None
    return Box(
        top + int(rows[0]), left + int(columns[0]), top + int(rows[-1]) + 1, left + int(columns[-1]) + 1
    )
