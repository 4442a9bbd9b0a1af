"""The widget's current view as plain arrays, for a figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from canvaswidget.figures import Bar, View
from canvaswidget.tracing.results import Ranked, show_neuron
from canvaswidget.widget import knockout
from canvaswidget.widget.arrays import Arrays, Chosen, place_of
from canvaswidget.widget.view import Neuron

Progress = Callable[[int, int], None]

FINDINGS = {
    "neurons": "neurons that make nine tenths",
    "intensity": "contribution less brightness",
    "change": "change against the previous frame",
}
UNITS = {
    "neurons": "neurons",
    "intensity": "difference (each scaled to 0..1)",
    "change": "change (RGB level)",
}
PAPER = 0.97  # the middle of the diverging palette
CHANNELS = {"sum": "", "red": ", red", "green": ", green", "blue": ", blue", "abs": ", |R| + |G| + |B|"}
BARS, THUMBNAILS, CURVE_FRAMES = 12, 6, 64


def snapshot(arrays: Arrays, state: dict[str, Any], curve: bool, checkpoint: Progress) -> View:
    """What `figures.view_figure` draws.

    Parameters
    ----------
    arrays : Arrays
    state : dict
        The widget's traits by name.
    curve : bool
        Whether to follow one neuron through time, on every frame of a short clip and on some of a long one.
        Clusters and whole layers are not followed: that takes a pass over the layer for every frame.
    """
    summed, arrays = arrays, arrays.of_channel(state["channel"])
    layer = arrays.layers.find(state["layer"])
    neuron, time, pixel = state["neuron"], state["time"], state["pixel"]
    if len(state["neurons"]) > 1:
        chosen = Chosen(layer, None, -1, 1, state["neurons"])
    else:
        chosen = Chosen(layer, neuron, -1 if neuron is not None else state["cluster"], state["n_clusters"])
    short = short_names([layer.name for layer in arrays.layers])
    ranked = arrays if arrays.has_all_colours else summed
    bars, thumbnails = _pixel(ranked, chosen, pixel, time, short, checkpoint)
    frames: list[int] = []
    if curve and chosen.neuron is not None and arrays.n_frames > 1:
        count = min(arrays.n_frames, CURVE_FRAMES)
        frames = sorted({round(frame) for frame in np.linspace(0, arrays.n_frames - 1, count)} | {time})
    return View(
        title=_title(arrays, time, state),
        image=_image(arrays, state, time),
        overlay=_overlay(arrays, chosen, state, checkpoint),
        overlay_name=_name(short[layer.name], chosen, state),
        signed=state["maps"] == "signed",
        overlay_signed=state["source"] == "difference"
        or (state["maps"] == "signed" and _has_sign(chosen, state["overlay"])),
        overlay_unit="loss (RGB level)"
        if state["source"] == "difference"
        else UNITS.get(state["overlay"], View.overlay_unit),
        palette=state["palette"],
        opacity=state["opacity"],
        contrast=state["contrast"],
        pixel=pixel,
        bars=bars,
        thumbnails=thumbnails,
        frames=frames,
        totals=[arrays.total(chosen, frame, checkpoint) for frame in frames],
        time=time,
    )


def _image(arrays: Arrays, state: dict[str, Any], time: int) -> Any:
    source = state["source"]
    if source == "off":
        return None
    if source == "without":
        return knockout.without(arrays, state["knocked_out"], time)
    if source == "difference":
        return np.full((*arrays.size, 3), PAPER, np.float32)
    return {"reconstruction": arrays.frame, "truth": arrays.truth, "error": arrays.error}[source](time)


def _title(arrays: Arrays, time: int, state: dict[str, Any]) -> str:
    inr, psnr, source = arrays.canvas.inr, arrays.psnr(time), state["source"]
    parts = [inr.name, f"rule {arrays.canvas.rule}"]
    if inr.n_frames > 1:
        parts.insert(1, f"frame {time} of {inr.n_frames}")
    if source in knockout.SOURCES:
        parts.append(knockout.title(state["knocked_out"]))
        psnr = knockout.psnr(arrays, state["knocked_out"], time)
    if psnr is not None and source != "off":
        parts.append(f"{psnr:.1f} dB")
    return ", ".join(parts)


def _overlay(arrays: Arrays, chosen: Chosen, state: dict[str, Any], checkpoint: Progress) -> Any:
    if state["source"] in ("error", "without"):
        return None
    if state["source"] == "difference":
        return knockout.difference(arrays, state["knocked_out"], state["time"])
    if state["overlay"] != "selection":
        return arrays.finding(chosen.layer, state["overlay"], state["time"], checkpoint)
    return arrays.map(chosen, state["time"], checkpoint)


def _has_sign(chosen: Chosen, overlay: str) -> bool:
    return chosen.neuron is not None if overlay == "selection" else overlay == "intensity"


def _name(layer: str, chosen: Chosen, state: dict[str, Any]) -> str:
    if state["source"] == "error":
        return "error of the reconstruction"
    if state["source"] in knockout.SOURCES:
        what = knockout.title(state["knocked_out"])
        return f"the picture {what}" if state["source"] == "without" else f"what it loses {what}"
    if state["overlay"] != "selection":
        return f"{layer}, {FINDINGS[state['overlay']]}"
    return _chosen_name(layer, chosen) + CHANNELS[state["channel"]]


def _chosen_name(layer: str, chosen: Chosen) -> str:
    if chosen.neuron is not None:
        return f"{layer}, {'kernel' if isinstance(chosen.neuron, tuple) else 'unit'} {label(chosen.neuron)}"
    if chosen.neurons:
        return f"{layer}, {len(chosen.neurons):,} neurons"
    return f"{layer}, whole layer" if chosen.cluster < 0 else f"{layer}, cluster {chosen.cluster}"


def _pixel(
    arrays: Arrays,
    chosen: Chosen,
    pixel: tuple[int, int] | None,
    time: int,
    short: dict[str, str],
    checkpoint: Progress,
) -> tuple[list[Bar], list[tuple[str, Any]]]:
    if pixel is None:
        return [], []
    ranked: Sequence[Ranked] = arrays.top(arrays.columns(arrays.layers, pixel, time, checkpoint), BARS)
    bars = [
        Bar(
            short[each.layer],
            label(each.neuron),
            each.value,
            each.share,
            (each.layer, each.neuron) == (chosen.layer.name, chosen.neuron),
        )
        for each in ranked
    ]
    thumbnails = []
    for each in ranked[:THUMBNAILS]:
        layer = arrays.layers.find(each.layer)
        values = arrays.maps(layer, np.array([place_of(layer, each.neuron)]), time)[0]
        thumbnails.append((f"{short[each.layer]}  {label(each.neuron)}", values))
    return bars, thumbnails


def label(neuron: Neuron) -> str:
    """A unit or a kernel as figures have it."""
    return show_neuron(neuron).replace("->", "→")


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The fewest neighbouring parts of each module path that no other has, not starting with a number.

    The same that the page shows: ``decoder.3`` for ``decoder.3.conv.upconv.0``.
    """

    def windows(name: str) -> list[str]:
        parts = name.split(".")
        return [
            ".".join(parts[at : at + length])
            for length in range(1, len(parts) + 1)
            for at in range(len(parts) - length + 1)
        ]

    uses = Counter(window for name in names for window in set(windows(name)))
    return {
        name: next(
            (window for window in windows(name) if uses[window] == 1 and not window[0].isdigit()), name
        )
        for name in names
    }
