"""Which neurons of a layer look alike: clusters of them, and points of a plane.

Both are of the colours added, whichever colour is shown.
"""

from __future__ import annotations

from typing import Any

from canvaswidget.analysis.clustering import Clusters, cluster
from canvaswidget.analysis.vectors import pooled_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Floats
from canvaswidget.progress import Report
from canvaswidget.tracing.layers import Layer


def clusters(cached: CachedCanvas, layer: Layer, n_clusters: int, time: int, checkpoint: Report) -> Clusters:
    """Groups of neurons that look alike at a frame.

    The first frame they are asked for at decides: they keep their names and members while time runs.
    """
    found = known_clusters(cached, layer, n_clusters)
    if found is None:
        found = cluster(cached.canvas, layer.name, n_clusters, frame=time, progress=checkpoint, accuracy=None)
        cached.clusters[layer.name, n_clusters] = found
    return found


def known_clusters(cached: CachedCanvas, layer: Layer, n_clusters: int) -> Clusters | None:
    """The clusters, if they were computed already."""
    return cached.clusters.get((layer.name, n_clusters))


def points(cached: CachedCanvas, layer: Layer, method: str, time: int, checkpoint: Report) -> Floats:
    """``(n, 2)`` in [0, 1], neurons in C order; NaN for those whose map is the same everywhere."""

    def features() -> tuple[Floats, Any]:
        return cached.cache.remember(
            (cached.canvas.rule, "features", layer.name, time),
            lambda: pooled_maps(cached.canvas, layer, layer.neurons, time, checkpoint),
        )

    key = (cached.canvas.rule, "scatter", layer.name, method, time)
    return cached.embeddings.points(key, features, method, lambda: checkpoint(0, 0))
