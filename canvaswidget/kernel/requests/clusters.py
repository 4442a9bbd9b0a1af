"""The clusters of a layer's neurons, and the neuron that stands for each."""

from __future__ import annotations

from typing import Literal, TypedDict

import numpy as np

from canvaswidget.kernel import neuron_maps, sampled_maps, similarity, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.quantise import fitted
from canvaswidget.kernel.requests.checked_fields import (
    checked_cluster_count,
    checked_frame,
)
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.progress import Report

NO_CLUSTER = 255  # in place of a cluster
EXEMPLAR_SIDE = 64


class ClustersRequest(TypedDict):
    kind: Literal["clusters"]
    run: RunKey
    rule: str
    time: int
    layer: str
    n_clusters: int


class ClustersReply(TypedDict):
    """Buffer: one byte a neuron of the layer in C order, its cluster; 255 marks a dead neuron.

    `frame` is the one that was clustered: the one that these clusters were first asked for at. `exemplars` has the
    neuron nearest to the middle of each cluster, of the first clusters if some are empty. After the clusters come their
    thumbnails of that frame, each `height * width` levels of its own `low .. high`. `half_width` is half of the 95 %
    interval of a number that neurons are grouped by, where these are estimated, in the median over neurons; else 0.
    """

    kind: Literal["clusters"]
    frame: int
    layer: str
    n_clusters: int
    counts: list[int]
    exemplars: list[list[int]]
    height: int
    width: int
    low: list[float]
    high: list[float]
    half_width: float


@answers(priority=7)
def clusters(cached: CachedCanvas, body: ClustersRequest, checkpoint: Report) -> tuple[ClustersReply, bytes]:
    time, layer = checked_frame(cached, body["time"]), cached.layers.find(body["layer"])
    n_clusters = checked_cluster_count(body)
    found = similarity.clusters(cached, layer, n_clusters, time, checkpoint)
    labels = np.where(found.labels < 0, NO_CLUSTER, found.labels).astype(np.uint8)
    places = layer.flat_index(found.exemplars)
    # Of the frame that was clustered: an exemplar stands for what its cluster looked like there.
    thumbnails = neuron_maps.thumbnails(cached, layer, places, EXEMPLAR_SIDE, found.frame, checkpoint)
    height, width = fitted(cached.size, EXEMPLAR_SIDE)
    reply: ClustersReply = {
        "kind": "clusters",
        "frame": found.frame,
        "layer": layer.name,
        "n_clusters": n_clusters,
        "counts": found.counts.tolist(),
        "exemplars": [view_checks.on_wire(neuron) or [] for neuron in found.exemplars],
        "height": height,
        "width": width,
        "low": [thumbnail.low for thumbnail in thumbnails],
        "high": [thumbnail.high for thumbnail in thumbnails],
        "half_width": sampled_maps.finite_width(found.half_width),
    }
    return reply, labels.tobytes() + b"".join(thumbnail.levels.tobytes() for thumbnail in thumbnails)
