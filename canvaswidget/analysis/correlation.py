"""Pearson's correlation of maps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def row_correlations(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Of each row with the same row of the other; nan where one of the two is the same everywhere."""
    first, second = (rows - rows.mean(1, keepdims=True, dtype=np.float64) for rows in (one, other))
    scale = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    products = (first * second).sum(1)
    return np.where(scale > 0, products / np.where(scale > 0, scale, 1), np.nan)
