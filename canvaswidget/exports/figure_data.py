"""What a figure of the view shows, as plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from canvaswidget.exports.figure_bars import beside_frame, of_pixel, of_region
from canvaswidget.exports.names import label, short_names
from canvaswidget.inr.outputs import in_colour
from canvaswidget.kernel import (
    ablation,
    findings,
    neuron_frequencies,
    neuron_maps,
    pictures,
    quantisation,
    requests,
    selection_maps,
    similarity,
    spectra,
    view_checks,
)
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.sampled_maps import SampledMap
from canvaswidget.kernel.selection_maps import Chosen
from canvaswidget.plotting.figures import Points, View
from canvaswidget.plotting.view import Spectra, Spectrum
from canvaswidget.progress import Report

FINDINGS = {
    "neurons": "neurons that make nine tenths",
    "intensity": "contribution less brightness",
    "change": "change against the previous frame",
    "gradient": "gradient of the picture",
    "laplacian": "Laplacian of the picture",
    "picture": "the picture",
}
UNITS = {
    "neurons": "neurons",
    "intensity": "difference (each scaled to 0..1)",
    "change": "change (raw level)",
    "gradient": "magnitude (levels a pixel)",
    "laplacian": "levels a pixel squared",
    "picture": "sum of the colours",
}
MAGNITUDE = "contribution, magnitude (raw level)"
PAPER = 0.97  # the middle of the diverging palette
CHANNELS = {"sum": "", "red": ", red", "green": ", green", "blue": ", blue", "abs": ", |R| + |G| + |B|"}
SORTED = {
    "pixel": "strongest at the pixel",
    "region": "strongest in the region",
    "total": "largest totals",
    "change": "largest changes",
    "frequency": "lowest frequencies",
    "difference": "least like the compared run",
    "index": "in order",
}
NEURONS, CURVE_FRAMES = 12, 32
NYQUIST = 0.5  # cycles a pixel
# Of the thumbnails whose largest magnitude is the scale of a layer: the page asks for the same.
THUMBNAIL_SIDE = 64
PICTURE = ("frame", "pixel", "maps")  # what is quick to compute
# By what stands beside the frame.
USUAL = {
    "pixel": ("frame", "pixel", "maps", "neurons", "shares", "time"),
    "region": ("frame", "region", "neurons", "time"),
    "spectrum": ("frame", "spectrum", "neurons", "time"),
}


def figure_data(
    cached: CachedCanvas,
    state: dict[str, Any],
    panels: Sequence[str] | None,
    checkpoint: Report,
    one_scale: bool = False,
    frames: Sequence[int] | None = None,
) -> View:
    """What `figures.view_figure` draws.

    Parameters
    ----------
    cached : CachedCanvas
    state : dict
        The widget's traits by name.
    panels : sequence of str, optional
        What is needed. By default `USUAL`; but the time of one neuron only: for clusters and whole layers it takes a
        pass over the layer for every frame.
    one_scale : bool
        Whether maps of neurons share their limits.
    frames : sequence of int, optional
        Where the curve of time is computed; by default on at most `CURVE_FRAMES`, evenly, and on the current one.
    """
    summed, cached = cached, cached.of_channel(state["channel"])
    layer = cached.layers.find(state["layer"])
    time, pixel = state["time"], state["pixel"]
    chosen = chosen_of(cached, state)
    short = short_names([layer.name for layer in cached.layers])
    ranked = cached if cached.has_all_colours else summed
    wanted = USUAL[beside_frame(state)] if panels is None else panels
    bars, thumbnails, shares = of_pixel(ranked, chosen, pixel, time, short, wanted, checkpoint)
    neurons_name, neurons, scale = (
        _neurons(cached, state, short[layer.name], checkpoint) if "neurons" in wanted else ("", [], 0.0)
    )
    followed: list[int] = []
    if "time" in wanted and (panels or chosen.neuron is not None) and cached.n_frames > 1:
        followed = sampled(cached.canvas.frames, time) if frames is None else sorted({*frames, time})
    curve = []
    for done, frame in enumerate(followed):
        curve.append(selection_maps.total_and_change(cached, chosen, frame, checkpoint))
        checkpoint(done + 1, len(followed))
    return View(
        title=title_of(cached, state),
        image=image_of(cached, state),
        overlay=_overlay(cached, chosen, state, checkpoint),
        overlay_name=_name(cached, short[layer.name], chosen, state, checkpoint),
        signed=state["maps"] == "signed",
        overlay_signed=_is_signed(state),
        overlay_unit=_unit(state),
        grey_unit=quantisation.UNIT if state["source"] == quantisation.SOURCE else View.grey_unit,
        palette=state["palette"],
        opacity=state["opacity"],
        contrast=state["contrast"],
        limit=state["limit"] if shows_contributions(state) else None,
        contours=state["contours"],
        pixel=pixel,
        region=mask_of(state),
        bars=bars,
        region_bars=of_region(summed, chosen, state, short, checkpoint) if "region" in wanted else (),
        colour=CHANNELS[ranked.channel].removeprefix(", "),
        thumbnails=thumbnails,
        neurons=neurons,
        neurons_name=neurons_name,
        shares=shares,
        spectra=_spectra(cached, chosen, state, short[layer.name], checkpoint)
        if "spectrum" in wanted
        else None,
        points=_points(cached, chosen, state, short[layer.name], checkpoint) if "scatter" in wanted else None,
        frames=followed,
        totals=[one.total for one in curve],
        changes=[one.change for one in curve] if len(followed) == cached.n_frames else (),
        time=time,
        ranked_by=cached.ranked_by,
        n_frames=cached.n_frames,
        one_scale=one_scale,
        neurons_scale=scale,
    )


def sampled(kept: Sequence[int], time: int) -> list[int]:
    """At most `CURVE_FRAMES` of the frames, evenly, the current one among them."""
    if len(kept) <= CURVE_FRAMES:
        return sorted({*kept, time})
    places = np.linspace(0, len(kept) - 1, CURVE_FRAMES).round().astype(int)
    chosen = [kept[place] for place in places]
    if time not in chosen:  # in the place of its neighbour, but the first and the last stay
        nearest = min(range(1, CURVE_FRAMES - 1), key=lambda place: abs(chosen[place] - time))
        chosen[nearest] = time
    return sorted(chosen)


def chosen_of(cached: CachedCanvas, state: dict[str, Any]) -> Chosen:
    """What is selected, by the widget's traits."""
    layer, neuron = cached.layers.find(state["layer"]), state["neuron"]
    if len(state["neurons"]) > (neuron is not None):  # one that is left of several is added up as they are
        return Chosen(layer, None, -1, 1, state["neurons"])
    return Chosen(layer, neuron, -1 if neuron is not None else state["cluster"], state["n_clusters"])


def image_of(cached: CachedCanvas, state: dict[str, Any]) -> Any:
    """What is under the map; None for nothing."""
    source, time = state["source"], state["time"]
    if source == "off":
        return None
    if source == "ablated":
        return in_colour(ablation.edited_picture(cached, ablation.edits_of(state), time))
    if source == "difference":
        return np.full((*cached.size, 3), PAPER, np.float32)
    if source == "error":
        return pictures.error(cached, time)
    if source == quantisation.SOURCE:
        return quantisation.loss(cached, quantisation.grid_of(state), time)
    return in_colour({"reconstruction": pictures.frame, "truth": pictures.truth}[source](cached, time))


def mask_of(state: dict[str, Any]) -> Any:
    """The pixels of the region; None without one."""
    return None if state["region"] is None else state["region"].mask


def run_label(run: RunKey) -> str:
    """A run as the page calls it: a number is a step."""
    return run if isinstance(run, str) else f"step {run}"


def shown_psnr(cached: CachedCanvas, state: dict[str, Any]) -> float | None:
    """Of the picture that the frame view shows; None without truth, and where no picture is shown."""
    if state["source"] == "off":
        return None
    if state["source"] in ablation.SOURCES:
        return ablation.psnr(cached, ablation.edits_of(state), state["time"])
    if state["source"] == quantisation.SOURCE:
        return quantisation.psnr(cached, quantisation.grid_of(state), state["time"])
    return pictures.psnr(cached, state["time"])


def title_of(cached: CachedCanvas, state: dict[str, Any], says_run: bool = True) -> str:
    """What is shown, in words; where several runs are, not of which and how well it fits."""
    inr, time = cached.canvas.inr, state["time"]
    parts = [inr.name, f"rule {cached.canvas.rule}"]
    if inr.n_frames > 1:
        parts.insert(1, f"frame {time} ({time + 1} of {inr.n_frames})")
    if says_run and state["run"] not in (None, inr.name):
        parts.insert(1, run_label(state["run"]))
    if state["source"] in ablation.SOURCES:
        parts.append(ablation.title(ablation.edits_of(state)))
    if state["source"] == quantisation.SOURCE:
        parts.append(quantisation.title(quantisation.grid_of(state)))
    psnr = shown_psnr(cached, state) if says_run else None
    if psnr is not None:
        parts.append(f"PSNR {psnr:.1f} dB")
    return ", ".join(parts)


def _overlay(cached: CachedCanvas, chosen: Chosen, state: dict[str, Any], checkpoint: Report) -> Any:
    if state["source"] in ("error", "ablated", quantisation.SOURCE):
        return None
    if state["source"] == "difference":
        return ablation.difference(cached, ablation.edits_of(state), state["time"])
    if band := _band_of(state):
        return findings.within_band(cached, chosen, state["overlay"], band, state["time"], checkpoint)
    if state["overlay"] != "selection":
        return findings.finding(cached, chosen.layer, state["overlay"], state["time"], checkpoint).values
    return selection_maps.selection_map(cached, chosen, state["time"], checkpoint, state["maps"] == "signed")


def shows_contributions(state: dict[str, Any]) -> bool:
    """Whether the overlay is a map of contributions: the widget's limit applies to no other."""
    return state["overlay"] == "selection" and state["source"] != "difference"


def _band_of(state: dict[str, Any]) -> findings.Band | None:
    """The frequencies that the overlay is limited to; findings are not."""
    return state["band"] if state["overlay"] in findings.HAVE_BANDS else None


def _is_signed(state: dict[str, Any]) -> bool:
    """Whether the overlay is drawn around 0: differences and bands always are, whatever maps of neurons are."""
    if _band_of(state):
        return True
    if shows_contributions(state):
        return state["maps"] == "signed"
    return state["source"] == "difference" or state["overlay"] in ("intensity", "laplacian")


def _unit(state: dict[str, Any]) -> str:
    if shows_contributions(state):
        return View.overlay_unit if _is_signed(state) else MAGNITUDE
    return "loss (raw level)" if state["source"] == "difference" else UNITS[state["overlay"]]


def _name(cached: CachedCanvas, layer: str, chosen: Chosen, state: dict[str, Any], checkpoint: Report) -> str:
    if state["source"] == "error":
        return "error of the reconstruction"
    if state["source"] == quantisation.SOURCE:
        return f"what it loses {quantisation.title(quantisation.grid_of(state))}"
    if state["source"] in ablation.SOURCES:
        what = ablation.title(ablation.edits_of(state))
        return f"the picture {what}" if state["source"] == "ablated" else f"what it loses {what}"
    band = _band_of(state)
    within = f", {findings.band_in_words(band)}" if band else ""
    if state["overlay"] == "picture":
        return FINDINGS["picture"] + within
    if state["overlay"] != "selection":
        name = FINDINGS[state["overlay"]]
        if state["overlay"] == "change" and state["time"] == 0:
            name = name.replace("previous", "next")  # the first frame has no other
        found = findings.finding(cached, chosen.layer, state["overlay"], state["time"], checkpoint)
        return f"{name}, by {found.by}" if found.by else f"{layer}, {name}{_said(found.sampled)}"
    name = _chosen_name(layer, chosen) + CHANNELS[state["channel"]] + within
    if band or _is_signed(state):  # sums with signs are exact
        return name
    return name + _said(selection_maps.sampled(cached, chosen, state["time"], checkpoint))


def _said(sampled: SampledMap | None) -> str:
    """What is added to the name of a map that is estimated."""
    return "" if sampled is None else f", estimated at {sampled.n_pixels:,} pixels (± {sampled.error:.0%})"


def _chosen_name(layer: str, chosen: Chosen) -> str:
    if chosen.neuron is not None:
        return f"{layer}, {'kernel' if isinstance(chosen.neuron, tuple) else 'unit'} {label(chosen.neuron)}"
    if chosen.neurons:
        return f"{layer}, {len(chosen.neurons):,} neurons"
    return f"{layer}, whole layer" if chosen.cluster < 0 else f"{layer}, cluster {chosen.cluster}"


def _neurons(
    cached: CachedCanvas, state: dict[str, Any], layer: str, checkpoint: Report
) -> tuple[str, list[tuple[str, Any]], float]:
    """The first neurons of the layer in the order that the widget shows, and the scale that it draws them on."""
    known = cached.layers.find(state["layer"])
    sort, cluster = state["sort"], state["cluster"]
    if (
        (sort == "pixel" and state["pixel"] is None)
        or (sort == "region" and state["region"] is None)
        or (sort == "difference" and state["compare"] is None)
    ):
        sort = "total"
    body: Any = {
        "kind": "grid",
        "rule": cached.canvas.rule,
        "time": state["time"],
        "layer": state["layer"],
        "cluster": cluster,
        "n_clusters": state["n_clusters"],
        "sort": sort,
        "pixel": state["pixel"],
        "region": state["region"],
        "first": 0,
        "count": NEURONS,
        "side": THUMBNAIL_SIDE,
        "channel": state["channel"],
    }
    if sort == "difference":
        body["beside"] = state["compare"]
    found, _ = requests.answer(cached.of_channel("sum"), body, checkpoint)
    if not found["neurons"]:
        return "", [], 0.0
    neurons = [view_checks.checked_neuron(known, neuron) for neuron in found["neurons"]]
    maps = neuron_maps.maps(cached, known, known.flat_index(neurons), state["time"])
    within = f" in cluster {cluster}" if cluster >= 0 else ""
    by = f" by {cached.ranked_by}" if cached.ranked_by and sort in ("pixel", "region") else ""
    colour = CHANNELS[state["channel"]]
    title = f"{layer}: {len(neurons)} of {found['n_neurons']:,} neurons{within}, {SORTED[sort]}{by}{colour}"
    named = [(label(neuron), values) for neuron, values in zip(neurons, maps, strict=True)]
    return title, named, float(found["scale"])


def _spectra(
    cached: CachedCanvas, chosen: Chosen, state: dict[str, Any], layer: str, checkpoint: Report
) -> Spectra:
    """Of the frame's pictures, and of the selection's map where it is not of the whole layer."""
    bands = spectra.bands_of(cached)
    # The last band has the diagonal waves beyond Nyquist.
    shown = bands.limits[:-1] < NYQUIST
    lines = [
        Spectrum({"output": "reconstruction"}.get(name, name), found.power[shown], found.centroid)
        for name, found in spectra.picture_spectra(cached, state["time"])
    ]
    if not chosen.is_whole_layer:
        found = spectra.selection_spectrum(cached, chosen, state["time"], checkpoint)
        name = _chosen_name(layer, chosen) + CHANNELS[cached.channel]
        lines.append(Spectrum(name, found.power[shown], found.centroid, selected=True))
    return Spectra(bands.frequencies[shown], lines, _band_of(state))


def _points(
    cached: CachedCanvas, chosen: Chosen, state: dict[str, Any], layer: str, checkpoint: Report
) -> Points | None:
    """The layer's neurons on a plane, by principal components; in the colours of known clusters or of frequencies."""
    n_clusters = state["n_clusters"]
    places = similarity.points(cached, chosen.layer, "pca", state["time"], checkpoint)
    clusters = similarity.known_clusters(cached, chosen.layer, n_clusters)
    labels = np.full(len(places), -1) if clusters is None else clusters.labels.ravel()
    given = state["cluster_names"].get(f"{chosen.layer.name}/{n_clusters}", [""] * n_clusters)
    names = [] if clusters is None else [name or f"cluster {number}" for number, name in enumerate(given)]
    neurons = chosen.neurons or (() if chosen.neuron is None else (chosen.neuron,))
    selected = chosen.layer.flat_index(neurons).tolist()
    title = f"{layer}: {len(places):,} neurons, alike ones near each other (PCA)"
    if state["colour_by"] == "frequency":
        values = neuron_frequencies.frequencies(cached, chosen.layer, state["time"], checkpoint)
        return Points(places, labels, (), selected, title, values, "frequency (cycles a pixel)")
    return Points(places, labels, names, selected, title)
