"""Read images, folders of images, videos and arrays as frames in ``[0, 1]``; optical flow."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import numpy.typing as npt
from av.error import FFmpegError
from PIL import Image

from canvaswidget.arguments import as_array, checked, show
from canvaswidget.media.images import Pages, has_alpha, has_pages, read_pages
from canvaswidget.media.resizing import FloatImage, resize

Item = TypeVar("Item")
FrameRange = slice | range | Sequence[int | None]

IMAGES = {".bmp", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}
ROUNDING = 1e-5  # by how much floats may leave [0, 1]
# What the decoders raise for a file that is damaged or no image.
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    FFmpegError,
    Image.DecompressionBombError,
)
ACCEPTED = "an image, a video, a folder of images or an array"


# An array (a, b, c) with fewer columns than this, and than a and b, is a picture of c channels and no grey clip.
NARROWEST = 16


@dataclass(frozen=True, eq=False, repr=False)
class Clip:
    """Frames and where they are from.

    Attributes
    ----------
    frames : ndarray
        ``(n_frames, height, width, 3)``, float32 in [0, 1].
    source : str
        What was read.
    fps : float or None
        Frames a second, as the video says, before any step over frames; None where nothing says it.
    """

    frames: FloatImage
    source: str
    fps: float | None = None

    @property
    def n_frames(self) -> int:
        """Number of frames; 1 for an image."""
        return len(self.frames)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a frame."""
        return self.frames.shape[1], self.frames.shape[2]

    def __len__(self) -> int:
        return self.n_frames

    def __repr__(self) -> str:
        height, width = self.size
        kind = "image" if self.n_frames == 1 else f"{self.n_frames} frames"
        rate = "" if self.fps is None else f", {self.fps:g} fps"
        return f"{type(self).__name__}({self.source!r}, {kind} of {height}x{width}{rate})"


@checked(frames=None)
def read(
    source: str | os.PathLike[str] | npt.ArrayLike | Clip,
    size: Sequence[int] | None = None,
    frames: FrameRange | None = None,
) -> Clip:
    """Read an image, a video, a folder of images or an array.

    Parameters
    ----------
    source : path, array or Clip
        A folder is a clip: its images in natural order (``2.png`` before ``10.png``). So is an animated image (GIF,
        PNG, WebP, AVIF), and a TIFF of several pages. An array is ``(h, w)``, ``(h, w, c)``, ``(n, h, w)`` or
        ``(n, h, w, c)`` with 1, 3 or 4 channels; floats lie in [0, 1].
    size : (height, width), optional
        Resize to this: by the average of the area each pixel covers when it shrinks, linearly when it grows.
    frames : slice, range or (start, stop[, step]), optional
        Which frames, counted from 0. A stop of None is the end. Nothing past the last wanted frame is read.

    Returns
    -------
    Clip
        Grey is repeated in three channels; transparent pixels are laid over white.

    Raises
    ------
    FileNotFoundError
        Nothing is at that path, or the folder has no image.
    IndexError
        `frames` reaches past the end.
    ValueError
        Not a picture, or pictures of different sizes.
    """
    if isinstance(source, Clip):
        return _from_array(source.frames, size, frames, source.source, source.fps)
    if not isinstance(source, str | os.PathLike):
        return _from_array(source, size, frames)
    path = existing(source)
    if path.is_dir():
        return read_folder(path, size, frames)
    if path.suffix.lower() not in IMAGES:
        return read_video(path, size, frames)
    return _read_pages(path, size, frames)


@checked
def read_image(path: str | os.PathLike[str], size: Sequence[int] | None = None) -> FloatImage:
    """One image file as ``(height, width, 3)``; see `read`.

    A rotation that the camera stored is applied. Sixteen bits a channel are kept.
    """
    path = existing(path)
    if not path.is_file():
        raise IsADirectoryError(f"path={str(path)!r}: is a folder; expected an image file")
    pixels = _pages(path).pixels
    if len(pixels) > 1:
        raise ValueError(
            f"path={str(path)!r}: holds {len(pixels)} frames; expected one image. media.read reads them as a clip"
        )
    return resize(_as_image(pixels[0], f"path={str(path)!r}"), size)


@checked(frames=None)
def read_folder(
    path: str | os.PathLike[str], size: Sequence[int] | None = None, frames: FrameRange | None = None
) -> Clip:
    """The images of a folder, in natural order, as a clip; see `read`. Other files are passed over."""
    path = existing(path)
    if not path.is_dir():
        raise NotADirectoryError(f"path={str(path)!r}: is a file; expected a folder of images")
    files = images_in(path)
    if not files:
        raise FileNotFoundError(
            f"path={str(path)!r}: the folder has no image; expected files that end in "
            f"{', '.join(sorted(IMAGES))}"
        )
    files = chosen(files, frames)
    images = (read_image(file) for file in files)
    first = next(images)
    stack = [resize(first, size)]
    for file, image in zip(files[1:], images, strict=True):
        if image.shape != first.shape:
            raise ValueError(
                f"path={str(path)!r}: its images differ in size: {files[0].name} is "
                f"{first.shape[0]}x{first.shape[1]}, {file.name} is {image.shape[0]}x{image.shape[1]}"
            )
        stack.append(resize(image, size))
    return Clip(np.stack(stack), path.name)


@checked(frames=None)
def read_video(
    path: str | os.PathLike[str], size: Sequence[int] | None = None, frames: FrameRange | None = None
) -> Clip:
    """A video or an animation as a clip; see `read`.

    Decoding stops at the last wanted frame. Frames that are skipped cost their decoding, but no memory.
    """
    path, wanted = existing(path), _wanted(frames)
    if path.is_file() and has_pages(path):
        return _read_pages(path, size, frames)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError("it has no pictures")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate) if stream.average_rate else None
            stack, seen = _decode(container.decode(stream), wanted, size)
    except (FFmpegError, ValueError) as error:
        raise ValueError(
            f"path={str(path)!r}: can't be read as a video ({error}); expected {ACCEPTED}"
        ) from None
    if not seen:
        raise ValueError(f"path={str(path)!r}: the video has no frame")
    if wanted[1] is None or seen < wanted[1]:
        _check_range(wanted, seen)
    return Clip(np.stack(stack), path.name, rate)


@checked
def read_flow(path: str | os.PathLike[str]) -> FloatImage:
    """Read the optical flow of one pair of frames from a Middlebury ``.flo`` file: ``(height, width, 2)``.

    The last axis is ``(dy, dx)`` in pixels, as all coordinates here; the file has them the other way round.
    """
    found = existing(path)
    if not found.is_file():
        raise IsADirectoryError(f"path={str(path)!r}: is a folder; expected a .flo file")
    content = found.read_bytes()
    width, height = np.frombuffer(content[4:12], "<i4") if len(content) >= 12 else (0, 0)
    if content[:4] != b"PIEH" or min(width, height) < 1 or len(content) != 12 + 8 * int(width) * int(height):
        raise ValueError(f"path={str(path)!r}: is no whole .flo file")
    return np.frombuffer(content[12:], "<f4").reshape(height, width, 2)[..., ::-1].astype(np.float32)


def natural_key(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts ``2.png`` before ``10.png``."""
    parts = re.findall(r"\d+|\D+", path.name.lower())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


# --- pixels -----------------------------------------------------------------------------------------------


def existing(path: str | os.PathLike[str]) -> Path:
    """A path where something is; FileNotFoundError else."""
    path = Path(path)
    try:
        exists = path.exists()
    except OSError as error:  # a name that is too long, say
        raise FileNotFoundError(f"path={show(str(path))}: {error.strerror}; expected {ACCEPTED}") from None
    if not exists:
        raise FileNotFoundError(f"path={str(path)!r}: no such file or folder; expected {ACCEPTED}")
    return path


def images_in(folder: Path) -> list[Path]:
    """The files of a folder that end as images do, in natural order."""
    return sorted((file for file in folder.iterdir() if file.suffix.lower() in IMAGES), key=natural_key)


def _pages(path: Path) -> Pages:
    try:
        return read_pages(path)
    except UNREADABLE as error:
        raise ValueError(
            f"path={str(path)!r}: can't be read as an image ({error}); expected {ACCEPTED}"
        ) from None


def _read_pages(path: Path, size: Sequence[int] | None, frames: FrameRange | None) -> Clip:
    pages = _pages(path)
    return _from_array(_as_image(pages.pixels, f"path={str(path)!r}"), size, frames, path.name, pages.fps)


def _decode(
    decoded: Iterable[Any], wanted: tuple[int, int | None, int], size: Sequence[int] | None
) -> tuple[list[FloatImage], int]:
    """The wanted frames, and how many were decoded to get them."""
    start, stop, step = wanted
    stack: list[FloatImage] = []
    seen = 0
    for frame in itertools.islice(decoded, stop):
        if seen >= start and (seen - start) % step == 0:
            deep, clear = frame.format.components[0].bits > 8, has_alpha(frame)
            kind = ("rgba64le" if deep else "rgba") if clear else "rgb48le" if deep else "rgb24"
            pixels = frame.to_ndarray(format=kind)
            stack.append(resize(_as_image(pixels, "path"), size))
        seen += 1
    return stack, seen


def _as_image(pixels: npt.NDArray[Any], what: str) -> FloatImage:
    """Pixels of any kind as ``(..., height, width, 3)`` in [0, 1]."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim not in (3, 4) or pixels.shape[-1] not in (1, 2, 3, 4) or 0 in pixels.shape:
        raise ValueError(f"{what}: has shape {pixels.shape}; expected (height, width, 1, 3 or 4 channels)")
    values = _as_unit(pixels, what)
    colours, alpha = (values[..., :-1], values[..., -1:]) if values.shape[-1] in (2, 4) else (values, None)
    if alpha is not None:
        colours = colours * alpha + (1 - alpha)
    return np.ascontiguousarray(np.broadcast_to(colours, (*colours.shape[:-1], 3)))


def _as_unit(pixels: npt.NDArray[Any], what: str) -> FloatImage:
    if pixels.dtype == bool:
        return pixels.astype(np.float32)
    if np.issubdtype(pixels.dtype, np.unsignedinteger):
        return (pixels / np.iinfo(pixels.dtype).max).astype(np.float32)
    low, high = float(pixels.min()), float(pixels.max())
    if np.issubdtype(pixels.dtype, np.floating):
        if not (low >= -ROUNDING and high <= 1 + ROUNDING):
            raise ValueError(f"{what}: has floats from {low:g} to {high:g}; expected [0, 1]")
        return (np.clip(pixels, 0, 1) if low < 0 or high > 1 else pixels).astype(np.float32, copy=False)
    if np.issubdtype(pixels.dtype, np.integer) and low >= 0 and high <= 65535:
        return (pixels / (255 if high <= 255 else 65535)).astype(np.float32)
    raise ValueError(
        f"{what}: has type {pixels.dtype} from {low:g} to {high:g}; expected integers or floats in [0, 1]"
    )


def _from_array(
    array: Any,
    size: Sequence[int] | None,
    frames: FrameRange | None,
    source: str = "array",
    fps: float | None = None,
) -> Clip:
    wanted = _wanted(frames)
    pixels = as_array(array)
    if pixels is None or pixels.dtype.kind not in "buif" or pixels.ndim not in (2, 3, 4) or 0 in pixels.shape:
        is_number = pixels is not None and pixels.dtype.kind in "buif"
        given = f"an array {pixels.shape}" if pixels is not None and is_number else type(array).__name__
        raise TypeError(
            f"source={given}: expected {ACCEPTED} (height, width, 3) or (n_frames, height, width, 3)"
        )
    if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
        if pixels.shape[-1] < min(NARROWEST, *pixels.shape[:2]):
            raise ValueError(
                f"source: an array {pixels.shape} looks like a picture of {pixels.shape[-1]} channels; expected 1, 3 "
                "or 4. Give grey frames as (n_frames, height, width, 1)"
            )
        pixels = pixels[..., None]
    if pixels.ndim == 4 and pixels.shape[-1] not in (1, 3, 4):
        raise ValueError(
            f"source: an array {pixels.shape} has {pixels.shape[-1]} channels; expected 1, 3 or 4"
        )
    clip = pixels if pixels.ndim == 4 else pixels[None] if pixels.ndim == 3 else pixels[None, ..., None]
    start, stop, step = wanted
    _check_range(wanted, len(clip))
    return Clip(resize(_as_image(clip[start:stop:step], "source"), size), source, fps)


# --- arguments --------------------------------------------------------------------------------------------


def chosen(items: Sequence[Item], frames: FrameRange | None) -> Sequence[Item]:
    """Those of some items that a frame range means; IndexError where it reaches past the end."""
    wanted = start, stop, step = _wanted(frames)
    _check_range(wanted, len(items))
    return items[start:stop:step]


def _wanted(frames: FrameRange | None) -> tuple[int, int | None, int]:
    """A frame range as start, stop and step, where stop may be None for the end."""
    expected = "expected a slice, a range or (start, stop[, step]) counted from 0, with a step of at least 1"
    if frames is None:
        return 0, None, 1
    parts: tuple[Any, ...]
    if isinstance(frames, slice | range):
        parts = (frames.start, frames.stop, frames.step)
    elif isinstance(frames, Sequence) and not isinstance(frames, str) and len(frames) in (2, 3):
        parts = (*frames, None)[:3]
    else:
        raise TypeError(f"frames={show(frames)}: {expected}")
    if not all(part is None or hasattr(part, "__index__") for part in parts):
        raise TypeError(f"frames={show(frames)}: {expected}")
    start, stop, step = parts[0] or 0, parts[1], 1 if parts[2] is None else parts[2]
    if start < 0 or step < 1 or (stop is not None and stop <= start):
        raise ValueError(f"frames={show(frames)}: {expected}, and a stop after the start")
    return int(start), None if stop is None else int(stop), int(step)


def _check_range(wanted: tuple[int, int | None, int], count: int) -> None:
    start, stop, step = wanted
    if start >= count or (stop is not None and stop > count):
        raise IndexError(f"frames=({start}, {stop}, {step}): out of range, there are {count} frames")
