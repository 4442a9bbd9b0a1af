"""The neurons that contribute most to a pixel."""

from __future__ import annotations

from collections.abc import Sequence

from canvaswidget.progress import Progress
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.protocol import CanvasLike
from canvaswidget.tracing.results import Column, Ranking


def rank(
    canvas: CanvasLike,
    pixel: tuple[int, int],
    k: int,
    frame: int,
    layers: Sequence[Layer],
    granularity: str | None = None,
    progress: Progress = False,
) -> Ranking:
    """The `k` neurons of some layers that contribute most to a pixel, by magnitude."""
    columns = coloured_columns(canvas, pixel, frame, layers, granularity, progress)
    title = f"pixel (y={pixel[0]}, x={pixel[1]}), frame {frame}, rule {canvas.rule}"
    warnings = [f"WARNING: {canvas.trouble[name]}" for name in columns if name in canvas.trouble]
    return Ranking.of(columns, canvas.layers, k, "\n".join([title, *warnings]))


def coloured_columns(
    canvas: CanvasLike,
    pixel: tuple[int, int],
    frame: int,
    layers: Sequence[Layer],
    granularity: str | None = None,
    progress: Progress = False,
) -> dict[str, Column]:
    """Every neuron's contribution to a pixel, by layer; the colours are told apart where the rule knows them."""
    found: dict[str, Column] = {}
    for rgb in ("sum", "each"):
        some = [layer for layer in layers if (rgb == "sum") == bool(canvas.why_no_colours(layer))]
        if some:
            columns = canvas.pixel(*pixel, frame, some, granularity=granularity, rgb=rgb, progress=progress)
            found |= {name: Column.of(values, rgb == "each") for name, values in columns.items()}
    return {layer.name: found[layer.name] for layer in layers}
