"""What findings ask of a layer in one sweep: sums of every neuron's absolute map over many regions at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.tracing.canvas import Canvas, LayerKey, Progress
from canvaswidget.tracing.layers import Layer

FloatArray = npt.NDArray[np.float32]


def find(canvas: Canvas, layer: LayerKey, frame: int) -> tuple[Layer, int]:
    """The layer and the frame, checked.

    Raises
    ------
    KeyError, IndexError
        There is no such layer, or no such frame.
    """
    return canvas.layers.find(layer), canvas.inr.frame_index(frame)


@dataclass(frozen=True)
class Sums:
    """Of every neuron's absolute map, in C order.

    Attributes
    ----------
    regions : (n, r)
        Sum over each region.
    total : (n,)
        Sum over all pixels.
    low, high : (n,)
        The smallest and the largest value.
    """

    regions: FloatArray
    total: FloatArray
    low: FloatArray
    high: FloatArray


def region_sums(
    canvas: Canvas,
    layer: Layer,
    masks: npt.NDArray[np.bool_],
    frame: int,
    granularity: str | None = None,
    progress: Progress = False,
) -> Sums:
    """Sum the absolute maps over regions ``(r, height, width)``, in one sweep and one matrix product a chunk."""
    weights = torch.from_numpy(masks.reshape(len(masks), -1).T.astype(np.float32)).to(canvas.device)

    def of(maps: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values = maps.flatten(1).float().abs()
        low, high = values.aminmax(dim=1)
        return values @ weights, values.sum(1), low, high

    count = math.prod(layer.shape_of(granularity))
    sums = Sums(np.empty((count, len(masks)), np.float32), *(np.empty(count, np.float32) for _ in range(3)))
    done = 0
    for _, parts in canvas.reduce(layer, of, frame, granularity=granularity, progress=progress):
        chunk = slice(done, done + len(parts[0]))
        for whole, part in zip((sums.regions, sums.total, sums.low, sums.high), parts, strict=True):
            whole[chunk] = part.cpu().numpy()
        done = chunk.stop
    return sums
