"""Read image files as arrays: every page or frame of a file, upright, in the colours that it shows."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

ORIENTATION = 274  # a tag of EXIF and TIFF
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_PIXELS = 2**30  # of all pages
# Formats whose further frames are an animation or pages; in others (MPO, of telephones) they are other views.
ANIMATED = {"AVIF", "GIF", "PNG", "TIFF", "WEBP"}
# Of those, what FFmpeg cannot read: it stops at a TIFF's first page and at an AVIF's still picture.
READ_HERE = {"AVIF", "TIFF", "WEBP"}
IMAGE_DEPTH = 32997  # a tag of TIFF: the slices of a volume, which are no pages
# What Pillow decodes to numbers that are used as they are; other modes are converted to colours.
PLAIN_MODES = {"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F", "RGB", "RGBA"}


@dataclass(frozen=True)
class Pages:
    """The pages of a file.

    Attributes
    ----------
    pixels : (n, height, width, channels)
    fps : float or None
        Frames a second of an animation with frames of one duration.
    """

    pixels: npt.NDArray[Any]
    fps: float | None = None


def read_pages(path: Path) -> Pages:
    """Every page of an image file; most have one.

    Raises
    ------
    OSError, ValueError
        The file is no image that can be decoded, or its pages differ in size.
    """
    if _is_deep_tiff(path):
        return Pages(_stacked(_deep_tiff(path)))
    with Image.open(path) as image:
        if image.format == "PNG" and _is_deep_png(path) and getattr(image, "n_frames", 1) == 1:
            turn = int(image.getexif().get(ORIENTATION, 1))
            return Pages(_stacked([_turned(_read_deep_png(path), turn)]))
        pages, durations = [], set()
        for page, turn in _shown(image):
            pages.append(_turned(_pixels(page), turn))
            durations.add(float(page.info.get("duration", 0)))
        seconds = durations.pop() / 1000 if len(durations) == 1 else 0.0
        return Pages(_stacked(pages), 1 / seconds if seconds and len(pages) > 1 else None)


def read_labels(path: Path) -> list[npt.NDArray[np.int32]]:
    """The numbers that every page of an image file stores, which are indexes where its colours are indexed.

    Raises
    ------
    OSError, ValueError
        The file is no image that can be decoded.
    """
    with Image.open(path) as image:
        return [_turned(np.asarray(page).astype(np.int32), turn) for page, turn in _shown(image)]


def has_pages(path: Path) -> bool:
    """Whether a file is an image that may have pages which only `read_pages` reads, whatever its name ends in."""
    if _is_tiff(path):
        return True
    try:
        with Image.open(path) as image:
            return image.format in READ_HERE and getattr(image, "n_frames", 1) > 1
    except (OSError, ValueError, SyntaxError, LookupError, TypeError, Image.DecompressionBombError):
        return False


def _shown(image: Image.Image) -> Iterator[tuple[Image.Image, int]]:
    """An open file at each page that a viewer shows, and the orientation to turn it by."""
    count = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
    first = 1 if count > 1 and getattr(image, "default_image", False) else 0  # shown where nothing moves
    _check_pixels(count * image.width * image.height)
    for number in range(first, count):
        image.seek(number)
        _check_flat(getattr(image, "tag_v2", {}).get(IMAGE_DEPTH, 1))
        image.load()  # a TIFF is turned by newer Pillow, which then takes the tag away
        yield image, int(image.getexif().get(ORIENTATION, 1))


def _pixels(image: Image.Image) -> npt.NDArray[Any]:
    """What a page shows: palettes, inks and other colour spaces become red, green, blue and alpha."""
    transparent = "transparency" in image.info or image.mode in ("PA", "La", "RGBa")
    if image.mode in PLAIN_MODES and not transparent:
        return np.asarray(image)
    return np.asarray(image.convert("RGBA" if transparent else "RGB"))


def _stacked(pages: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    pages = [page[..., None] if page.ndim == 2 else page for page in pages]
    shapes = {page.shape for page in pages}
    if len(shapes) > 1:
        shown = ", ".join(map(str, sorted(shapes)[:3]))
        raise ValueError(f"its {len(pages)} pages differ in size or colours: {shown}")
    return np.stack(pages)


def _turned(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Pixels ``(height, width, ...)`` as the camera's orientation tag says they are to be shown."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _check_pixels(count: int) -> None:
    """Raise where the pages have more pixels than fit into memory, before any is decoded."""
    if count > MOST_PIXELS:
        raise ValueError(f"its pages have {count:,} pixels; at most {MOST_PIXELS:,} are read")


def _check_flat(depth: int) -> None:
    if depth > 1:
        raise ValueError(f"it is a volume of {depth} slices; write each as a page of its own")


def _is_deep_tiff(path: Path) -> bool:
    """Whether a file is a TIFF of more than 8 bits a channel, which Pillow would cut to 8, or of floats."""
    if not _is_tiff(path):
        return False
    try:
        with tifffile.TiffFile(path) as file:
            return bool(np.max(file.pages.first.bitspersample) > 8)
    except (tifffile.TiffFileError, ValueError, LookupError, TypeError, struct.error):
        return False  # Pillow says what is wrong with it


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in TIFF_STARTS


def _deep_tiff(path: Path) -> list[npt.NDArray[Any]]:
    """Pages of more than 8 bits a channel, upright."""
    with tifffile.TiffFile(path) as file:
        pages = []
        _check_pixels(sum(page.size for page in file.pages))
        for page in file.pages:
            keyframe: Any = page.keyframe  # whose tags depend on the file
            _check_flat(keyframe.imagedepth)
            pixels = page.asarray()
            if pixels.dtype.kind not in "uif":
                raise ValueError(f"its numbers are of type {pixels.dtype}")
            if keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
                pixels = (np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1) - pixels
            elif keyframe.photometric not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB):
                raise ValueError(f"its colours are {keyframe.photometric.name} of more than 8 bits")
            if pixels.ndim == 3 and keyframe.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
                pixels = np.moveaxis(pixels, 0, -1)
            if pixels.ndim == 3 and tifffile.EXTRASAMPLE.ASSOCALPHA in keyframe.extrasamples:
                pixels = _unmultiplied(pixels)
            tag = keyframe.tags.get(ORIENTATION)
            pages.append(_turned(pixels, 1 if tag is None else int(tag.value)))
        return pages


def _unmultiplied(pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Colours in [0, 1] that were stored multiplied by their alpha, the last channel."""
    most = np.iinfo(pixels.dtype).max if pixels.dtype.kind in "ui" else 1
    values = np.divide(pixels, most, dtype=np.float32)
    alpha = values[..., -1:]
    colours = np.divide(values[..., :-1], alpha, out=np.zeros_like(values[..., :-1]), where=alpha > 0)
    return np.concatenate([colours.clip(0, 1), alpha], -1)


def _is_deep_png(path: Path) -> bool:
    """Whether a file is a PNG of colours, or of grey and alpha, with 16 bits a channel, which Pillow cuts to 8."""
    with path.open("rb") as file:
        start = file.read(26)
    return start[:8] == b"\x89PNG\r\n\x1a\n" and start[24] == 16 and start[25] in (2, 4, 6)


def _read_deep_png(path: Path) -> npt.NDArray[Any]:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return frame.to_ndarray(format="rgba64le" if has_alpha(frame) else "rgb48le")


def has_alpha(frame: Any) -> bool:
    """Whether a decoded frame has an alpha channel."""
    return frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
