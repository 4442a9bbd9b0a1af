"""Squared errors of pictures with one layer quantised, with one output channel quantised, and with all layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.deletion import target_picture
from canvaswidget.analysis.quantisation_loss import difference, squared_error
from canvaswidget.analysis.quantise import on_grid_of
from canvaswidget.analysis.quantiser import only_channels
from canvaswidget.progress import Steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.other_weights import render_with

DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass
class MeasuredErrors:
    """Squared errors as they are measured, in the shapes of `Quantisation`."""

    model: DoubleArray
    layers: DoubleArray
    joint: DoubleArray
    channels: dict[str, DoubleArray]
    pictures: list[npt.NDArray[np.float32]]

    @classmethod
    def empty(
        cls, n_widths: int, layers: Sequence[Layer], drawn: Mapping[Layer, IntArray], n_frames: int
    ) -> MeasuredErrors:
        """Nothing measured yet."""
        return cls(
            np.zeros(n_frames),
            np.zeros((n_widths, len(layers), n_frames)),
            np.zeros((n_widths, n_frames)),
            {layer.name: np.zeros((n_widths, len(some), n_frames)) for layer, some in drawn.items()},
            [],
        )


def measure(
    canvas: Canvas,
    chosen: Sequence[Layer],
    drawn: Mapping[Layer, IntArray],
    widths: Sequence[int],
    scheme: str,
    several: Sequence[int],
    against: str,
    counted: Steps,
) -> MeasuredErrors:
    """Render each frame with each part quantised to each width; pictures are those of the first frame."""
    capture, ablation = canvas.matrix.capture, canvas.ablation().matrix
    counted.plan(len(several) * len(widths) * (len(chosen) + 1 + sum(len(some) for some in drawn.values())))
    measured = MeasuredErrors.empty(len(widths), chosen, drawn, len(several))
    targets = [target_picture(canvas, frame, against) for frame in several]
    for time, (frame, target) in enumerate(zip(several, targets, strict=True)):
        measured.model[time] = squared_error(canvas.frame(frame), target)
    for row, width in enumerate(widths):
        on_grid = {layer: on_grid_of(capture, layer, width, scheme).weight for layer in chosen}
        every = {layer.name: weight for layer, weight in on_grid.items()}
        for time, (frame, target) in enumerate(zip(several, targets, strict=True)):
            picture = render_with(ablation, every, frame)
            measured.joint[row, time] = squared_error(picture, target)
            if time == 0:
                measured.pictures.append(difference(picture, target))
            counted.take()
            for column, layer in enumerate(chosen):
                picture = render_with(ablation, {layer.name: on_grid[layer]}, frame)
                measured.layers[row, column, time] = squared_error(picture, target)
                counted.take()
                for place, output in enumerate(drawn.get(layer, ())):
                    weight = only_channels(capture.weighted[layer.name], on_grid[layer], [int(output)])
                    picture = render_with(ablation, {layer.name: weight}, frame)
                    measured.channels[layer.name][row, place, time] = squared_error(picture, target)
                    counted.take()
    return measured


def draw_channels(layers: Sequence[Layer], count: int, seed: int) -> dict[Layer, IntArray]:
    """Some output channels of each layer, in random order, as `rank_correlation` wants them; none for a count of 0."""
    rng = np.random.default_rng(seed)
    return {layer: rng.permutation(layer.n_outputs)[:count] for layer in layers} if count else {}
