"""An axis of frequency bands that stand side by side, with the frequencies between them as ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes

MOST_TICKS = 9


def band_axis(ax: Axes, edges: Sequence[str]) -> None:
    """Label the x axis where place 0 is the mean, and place ``b + 1`` is band ``b``, with `edges` between bands."""
    every = math.ceil(max(len(edges), 1) / MOST_TICKS)
    ticks = [0.0, *(place + 1.5 for place in range(0, len(edges), every))]
    ax.set_xticks(ticks, ["mean", *edges[::every]])
    ax.set_xlim(-0.5, len(edges) + 1.5)
    ax.set_xlabel("frequency (cycles a pixel)")
