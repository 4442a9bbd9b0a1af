"""Which neurons of a layer look alike: clusters of them, and points of a plane.

Both are of the colours added, whichever colour is shown. Where all maps of a layer would take long, what describes its
neurons is estimated from columns at some pixels.
"""

from __future__ import annotations

from typing import Any, Literal

from canvaswidget.analysis.clustering import Clusters, cluster
from canvaswidget.analysis.vectors import vectors
from canvaswidget.kernel import sampled_maps
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
        found = cluster(
            cached.canvas,
            layer.name,
            n_clusters,
            frame=time,
            progress=checkpoint,
            accuracy=_accuracy(cached, layer),
        )
        cached.clusters[layer.name, n_clusters] = found
    return found


def _accuracy(cached: CachedCanvas, layer: Layer) -> Literal["auto"] | None:
    return "auto" if sampled_maps.is_long(cached, layer) else None


def known_clusters(cached: CachedCanvas, layer: Layer, n_clusters: int) -> Clusters | None:
    """The clusters, if they were computed already."""
    return cached.clusters.get((layer.name, n_clusters))


def points(cached: CachedCanvas, layer: Layer, method: str, time: int, checkpoint: Report) -> Floats:
    """``(n, 2)`` in [0, 1], neurons in C order; NaN for those whose map is the same everywhere."""

    def described() -> tuple[Floats, Any]:
        found = vectors(
            cached.canvas, layer.name, frame=time, accuracy=_accuracy(cached, layer), progress=checkpoint
        )
        return found.values, found.alive

    def features() -> tuple[Floats, Any]:
        return cached.cache.remember(
            (cached.canvas.rule, "features", layer.name, time),
            described,
        )

    key = (cached.canvas.rule, "scatter", layer.name, method, time)
    return cached.embeddings.points(key, features, method, lambda: checkpoint(0, 0))
