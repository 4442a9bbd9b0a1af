"""k-means until it has converged, a step at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.progress import Report

STEPS = 60  # planned, for progress: most layers need fewer
MOST_STEPS = 1000
AT_ONCE = 3  # between two calls of `progress`


def kmeans(
    points: npt.NDArray[np.float32], k: int, seed: int, progress: Report | None = None
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Labels and centres ``(k, features)``; fewer where there are fewer different points.

    Lloyd's algorithm from k-means++ centres, until no label changes. `progress` is called between steps; it may raise
    to stop.
    """
    from sklearn.cluster import KMeans, kmeans_plusplus

    rng = np.random.default_rng(seed)
    sample = points[np.sort(rng.permutation(len(points))[: max(2000, 20 * k)])]
    centres: Any = kmeans_plusplus(sample, min(k, len(sample)), random_state=seed)[0]
    centres = np.unique(centres, axis=0)
    labels = np.zeros(len(points), np.intp)
    for step in range(0, MOST_STEPS, AT_ONCE):
        if progress is not None:
            progress(min(step, STEPS), STEPS)
        fit: Any = KMeans(len(centres), init=centres, n_init=1, max_iter=AT_ONCE, tol=0).fit(points)  # type: ignore[arg-type]
        before, labels, centres = labels, fit.labels_.astype(np.intp), fit.cluster_centers_
        if step and (labels == before).all():
            break
    return labels, centres.astype(np.float32)
