"""What a request names (a frame, a selection, a colour), checked against the canvas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canvaswidget.arguments import checked_index
from canvaswidget.kernel import message_parts, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.tracing.layers import Layer

MAX_SIDE = 1024  # of small pictures, in pixels
MOST_LOOKS = 1000  # each has half as many passes more than the one before, at least


def checked_frame(cached: CachedCanvas, frame: Any) -> int:
    """A frame of the signal; negative ones count from the end."""
    return checked_index("time", frame, cached.n_frames)


def checked_frames(cached: CachedCanvas, frames: list[int]) -> list[int]:
    """Some frames, not more than there are."""
    view_checks.checked_count("the number of frames", len(frames), 0, cached.n_frames)
    return [checked_frame(cached, frame) for frame in frames]


def checked_side(body: Mapping[str, Any]) -> int:
    """The longest side of small pictures."""
    return view_checks.checked_count("side", body["side"], 1, MAX_SIDE)


def checked_look(body: Mapping[str, Any]) -> int | None:
    """Which estimate is asked for; None for none in particular."""
    look = body.get("look")
    return None if look is None else view_checks.checked_count("look", look, 0, MOST_LOOKS)


def checked_cluster_count(body: Mapping[str, Any]) -> int:
    """How many clusters a layer has."""
    return view_checks.checked_count(
        "n_clusters", body["n_clusters"], view_checks.MIN_CLUSTERS, view_checks.MAX_CLUSTERS
    )


def checked_selection(cached: CachedCanvas, selection: message_parts.Chosen) -> Chosen:
    """The selected neurons of a layer."""
    layer = cached.layers.find(selection["layer"])
    n_clusters = checked_cluster_count(selection)
    if selection["neurons"]:
        return Chosen(layer, None, -1, 1, view_checks.checked_neurons(layer, selection["neurons"]))
    if selection["neuron"] is not None:
        return Chosen(layer, view_checks.checked_neuron(layer, selection["neuron"]), -1, 1)
    cluster = view_checks.checked_count("cluster", selection["cluster"], -1, n_clusters - 1)
    return Chosen(layer, None, cluster, n_clusters if cluster >= 0 else 1)


def in_channel(cached: CachedCanvas, body: Mapping[str, Any], layer: Layer) -> CachedCanvas:
    """The contributions to the colour that a selection or a grid names; to the sum of the colours by default."""
    channel = view_checks.checked_choice(
        "channel", body.get("channel", "sum"), view_checks.CHOICES["channel"]
    )
    problem = "" if channel == "sum" else cached.canvas.why_no_colours(layer.name)
    if problem:
        raise ValueError(f"channel={channel!r}: {problem}")
    return cached.of_channel(channel)
