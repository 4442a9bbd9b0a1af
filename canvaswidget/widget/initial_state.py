"""What a widget shows first: of a saved canvas, something that it contains."""

from __future__ import annotations

from typing import Any

from canvaswidget.arguments import checked_index
from canvaswidget.kernel import layer_totals, ranking, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.session import Session
from canvaswidget.kernel.view_checks import Neuron, Pixel
from canvaswidget.tracing import CanvasLike, NotKeptError
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.results import Ranked


def initial_state(session: Session, facts: Facts, given: dict[str, Any]) -> dict[str, Any]:
    """The traits that are given, and those that are chosen where they aren't: something in every panel."""
    layer = facts.layers.find(given.get("layer", usual_layer(facts.layers)))
    centre = (facts.size[0] // 2, facts.size[1] // 2)
    state = {"layer": layer.name, "time": facts.n_frames // 2, "pixel": centre}
    canvas = session.canvas
    state |= {**({} if canvas.has_model else _of_saved(canvas)), **given}
    if not {"neuron", "neurons"} & given.keys() and given.get("cluster", -1) == -1:
        time = checked_index("time", state["time"], facts.n_frames)
        pixel = centre if state["pixel"] is None else view_checks.checked_pixel(state["pixel"], facts.size)

        def kept(checkpoint: Any) -> Any:
            at = None if state["pixel"] is None else pixel
            return _strongest_kept(session.cached, layer, at, time, checkpoint)

        def strongest(checkpoint: Any) -> Ranked:
            cached = session.cached
            best = ranking.top(cached, ranking.pixel_columns(cached, [layer], pixel, time, checkpoint), 1)[0]
            if best.magnitude or "layer" in given:
                return best
            return ranking.top(
                cached, ranking.pixel_columns(cached, facts.layers, pixel, time, checkpoint), 1
            )[0]

        if not canvas.has_model:
            state["neuron"] = session.call(kept)
        else:
            best = session.call(strongest)
            state["layer"], state["neuron"] = best.layer, best.neuron
    if state.get("region") is not None:
        is_of_region = given.get("pixel") is None or given.get("sort") == "region"
        state.setdefault("panel", "region" if is_of_region else "pixel")
    return state


def usual_layer(layers: Layers) -> str:
    """Name the layer before the last: its maps are cheap, and of more than colours."""
    return layers[max(0, len(layers) - 2)].name


def _of_saved(canvas: CanvasLike) -> dict[str, Any]:
    """The frame and the pixel."""
    pixel = canvas.pixels[0] if canvas.pixels else None
    return {"time": canvas.frames[len(canvas.frames) // 2], "pixel": pixel}


def strongest_neuron(
    cached: CachedCanvas, layer: Layer, pixel: Pixel | None, time: int, checkpoint: Any
) -> Neuron | None:
    """The neuron of a layer that contributes most to the pixel; None without a pixel, and where no map is kept."""
    if not cached.canvas.has_model:
        return _strongest_kept(cached, layer, pixel, time, checkpoint)
    if pixel is None:
        return None
    best = ranking.top(cached, ranking.pixel_columns(cached, [layer], pixel, time, checkpoint), 1)
    return best[0].neuron if best else None


def _strongest_kept(
    cached: CachedCanvas, layer: Layer, pixel: Pixel | None, time: int, checkpoint: Any
) -> Neuron | None:
    """The neuron with a map that contributes most to the pixel, or else in all; None where no map is kept."""
    kept = cached.canvas.kept(layer)
    if not len(kept):
        return None
    try:
        if pixel is None:
            raise NotKeptError
        sizes = ranking.pixel_columns(cached, [layer], pixel, time, checkpoint)[layer.name].magnitudes
    except NotKeptError:
        sizes = layer_totals.totals(cached, layer, time, checkpoint)
    return layer.neuron_at(kept[sizes[kept].argmax()])
