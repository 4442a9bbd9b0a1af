"""The colour maps that the widget and the figures offer, and what values look like in them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize

Floats = npt.NDArray[np.floating]

SEQUENTIAL = ("viridis", "magma", "cividis", "gray")
# The first two have a white middle, for paper and light pages; the last a black one, for dark pages.
DIVERGING = ("RdBu_r", "PuOr_r", "ice-fire")
_ICE_FIRE = ("#9bdcf5", "#3f8fd2", "#1d4478", "#0d0d12", "#6b2414", "#dd5a2b", "#ffd28a")


class Palettes(NamedTuple):
    """Colour maps as ``(n, 256, 3)`` bytes; `diverging` names those centred on zero."""

    names: tuple[str, ...]
    diverging: tuple[str, ...]
    tables: npt.NDArray[np.uint8]


@cache
def palettes() -> Palettes:
    """The colour maps that the widget and the figures offer."""
    names = (*SEQUENTIAL, *DIVERGING)
    steps = np.linspace(0, 1, 256)
    tables = np.stack([np.rint(colour_map(name)(steps)[:, :3] * 255).astype(np.uint8) for name in names])
    tables.flags.writeable = False
    return Palettes(names, DIVERGING, tables)


def colour_map(name: str) -> Colormap:
    """One of `palettes`, by name."""
    if name not in (*SEQUENTIAL, *DIVERGING):
        raise ValueError(
            f"palette={name!r}: expected one of {', '.join(map(repr, (*SEQUENTIAL, *DIVERGING)))}"
        )
    return LinearSegmentedColormap.from_list(name, _ICE_FIRE) if name == "ice-fire" else colormaps[name]


def scaled(values: Floats, signed: bool, top: float, palette: str) -> tuple[Floats, Normalize, Colormap]:
    """What is drawn, its range and its colours: centred on 0 if signed, else magnitudes from 0 on."""
    top = top or 1.0
    if signed:
        return values, Normalize(-top, top), colour_map(palette if palette in DIVERGING else DIVERGING[0])
    return np.abs(values), Normalize(0, top), colour_map(palette if palette in SEQUENTIAL else SEQUENTIAL[0])
