"""Quartiles over neurons, some of whose values are not known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def quartiles(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """``(3, s)``: lower quartile, median and upper quartile of each row of `values`, of what is finite in it.

    NaN for a row without a finite value.
    """
    found = np.full((3, len(values)), np.nan)
    for place, row in enumerate(values):
        known = row[np.isfinite(row)]
        if len(known):
            found[:, place] = np.percentile(known, (25, 50, 75))
    return found
