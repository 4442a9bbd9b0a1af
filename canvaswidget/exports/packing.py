"""Arrays as a page keeps them: few levels, little to say from one frame to the next, deflated, base64.

The page's half is ``js/src/page/unpacking.ts``. A series of pictures is kept as differences, modulo 256: each pixel
less the one on its left, of the picture less the one before it. Maps change slowly and neighbours are alike, so
that most differences are small, and small numbers deflate well.
"""

from __future__ import annotations

import base64
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from canvaswidget.kernel.quantise import Bytes, Floats, quantise, shrink

Form = Literal["u1", "u4", "f4", "maps", "colours"]

EFFORT = 9  # of zlib: a page is written once and read often


@dataclass(frozen=True)
class Packed:
    """An array on its way into a page.

    Attributes
    ----------
    form : {"u1", "u4", "f4", "maps", "colours"}
        Plain little-endian numbers; or differences of levels ``(n, height, width)``, or of bytes ``(n, 3, height,
        width)`` whose red and blue are kept less green.
    shape : tuple of int
    levels : int
        How many of the 256 levels of a map are told apart.
    data : bytes
        Deflated.
    """

    form: Form
    shape: tuple[int, ...]
    data: bytes
    levels: int = 256

    @property
    def text(self) -> str:
        """The data in base64."""
        return base64.b64encode(self.data).decode("ascii")

    def describe(self) -> dict[str, object]:
        """What the page must know to unpack it."""
        return {"form": self.form, "shape": list(self.shape), "levels": self.levels}


def pack(values: npt.NDArray[np.generic], form: Literal["u1", "u4", "f4"]) -> Packed:
    """Plain numbers."""
    data = _deflate(np.ascontiguousarray(values, f"<{form}").tobytes())
    return Packed(form, values.shape, data)


class _Series:
    """Pictures that come one by one, each kept as its difference to the one before."""

    def __init__(self) -> None:
        self._deflater = zlib.compressobj(EFFORT, zlib.DEFLATED, -15)
        self._parts: list[bytes] = []
        self._before: Bytes | None = None
        self.count = 0

    def _put(self, picture: Bytes) -> None:
        moved = picture if self._before is None else picture - self._before
        differences = moved.copy()
        differences[..., 1:] -= moved[..., :-1]
        self._parts.append(self._deflater.compress(differences.tobytes()))
        self._before = picture
        self.count += 1

    def _data(self) -> bytes:
        self._parts.append(self._deflater.flush())
        return b"".join(self._parts)


class MapSeries(_Series):
    """Maps of one selection, frame by frame, each with its own range `low[k]` to `high[k]`.

    Parameters
    ----------
    size : (height, width)
        To which maps are averaged.
    levels : int
        2 to 256.
    """

    def __init__(self, size: tuple[int, int], levels: int = 256) -> None:
        super().__init__()
        self.size, self.levels = size, levels
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, values: Floats) -> None:
        """The map of the next frame."""
        picture, low, high = quantise(shrink(values.astype(np.float32), self.size))
        if self.levels < 256:
            picture = np.rint(picture * ((self.levels - 1) / 255)).astype(np.uint8)
        self._put(picture)
        self.low.append(low)
        self.high.append(high)

    def pack(self) -> Packed:
        """All of them; nothing can be added any more."""
        return Packed("maps", (self.count, *self.size), self._data(), self.levels)


class ColourSeries(_Series):
    """Pictures in colour, frame by frame."""

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def add(self, picture: Bytes) -> None:
        """The next frame, ``(height, width, 3)``."""
        planes = shrink(np.moveaxis(picture, 2, 0).astype(np.float32), self.size)
        planes = np.rint(planes).astype(np.uint8)
        planes[::2] -= planes[1]
        self._put(planes)

    def pack(self) -> Packed:
        """All of them; nothing can be added any more."""
        return Packed("colours", (self.count, 3, *self.size), self._data())


def _deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(EFFORT, zlib.DEFLATED, -15)
    return deflater.compress(data) + deflater.flush()
