"""k-means that takes a step at a time, and points that are equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_STEPS = 60
TOLERANCE = 1e-4  # relative change of the squared distances at which the clusters have settled


def kmeans(
    points: npt.NDArray[np.float32], k: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Labels and centres ``(k, features)``; fewer where there are fewer different points.

    `progress` is called between steps; it may raise to stop.
    """
    from sklearn.cluster import KMeans, kmeans_plusplus

    rng = np.random.default_rng(seed)
    sample = points[np.sort(rng.permutation(len(points))[: max(2000, 20 * k)])]
    centres: Any = kmeans_plusplus(sample, min(k, len(sample)), random_state=seed)[0]
    centres = np.unique(centres, axis=0)
    labels, previous = np.zeros(len(points), np.intp), np.inf
    for step in range(MAX_STEPS):
        if progress is not None:
            progress(step, MAX_STEPS)
        fit: Any = KMeans(len(centres), init=centres, n_init=1, max_iter=1).fit(points)  # type: ignore[arg-type]
        labels, centres = fit.labels_.astype(np.intp), fit.cluster_centers_
        if previous - fit.inertia_ <= TOLERANCE * fit.inertia_:
            break
        previous = fit.inertia_
    return labels, centres.astype(np.float32)
