"""What findings ask of a layer in one sweep: sums of every neuron's absolute map over many regions at once."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.progress import Progress
from canvaswidget.tracing.colours import rgb_of_magnitudes
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.protocol import CanvasLike

FloatArray = npt.NDArray[np.float32]


def find(canvas: CanvasLike, layer: LayerKey, frame: int) -> tuple[Layer, int]:
    """The layer and the frame, checked.

    Raises
    ------
    KeyError, IndexError
        There is no such layer, or no such frame.
    """
    return canvas.layers.find(layer), canvas.inr.frame_index(frame)


class Buffers(threading.local):
    """Arrays that a thread uses again for each of its chunks: fresh ones cost more than the work on them."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, torch.dtype], torch.Tensor] = {}

    def like(self, values: torch.Tensor, name: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        buffer = self.held.get((name, dtype))
        if buffer is None or buffer.numel() < values.numel() or buffer.device != values.device:
            buffer = self.held[name, dtype] = torch.empty(values.numel(), dtype=dtype, device=values.device)
        return buffer[: values.numel()].view(values.shape)

    def magnitudes(self, maps: torch.Tensor) -> torch.Tensor:
        """``(k, pixels)``, float32."""
        flat = maps.flatten(1).float()
        return torch.abs(flat, out=self.like(flat, "magnitudes"))


buffers = Buffers()


class Collector(Protocol):
    """What a sweep is for: makes something small of a chunk of maps, and keeps it."""

    def of(self, magnitudes: torch.Tensor) -> Any:
        """Of absolute maps ``(k, height, width)``, float32, that last no longer than the call.

        It is called on several threads, so nothing is kept here.
        """
        ...

    def add(self, part: Any) -> None:
        """Keep what `of` gave; called in the order of the neurons."""
        ...


def sweep(
    canvas: CanvasLike,
    layer: Layer,
    collectors: Sequence[Collector],
    frame: int,
    granularity: str | None = None,
    progress: Progress = False,
    rgb: str | None = None,
) -> None:
    """Give every chunk of a layer's absolute maps to each collector, in one sweep.

    They are the sum over colours of magnitudes where the rule knows colours; with ``rgb="sum"``, as in the released
    code, the magnitude of the sum of the colours.
    """
    rgb = rgb or rgb_of_magnitudes(canvas, layer)

    def of(maps: torch.Tensor) -> list[Any]:
        magnitudes = buffers.magnitudes(maps).view(maps.shape)
        return [collector.of(magnitudes) for collector in collectors]

    for _, parts in canvas.reduce(layer, of, frame, granularity=granularity, rgb=rgb, progress=progress):
        for collector, part in zip(collectors, parts, strict=True):
            collector.add(part)


class RegionSums:
    """Sums of every neuron's absolute map over regions ``(r, height, width)``, in one matrix product a chunk.

    Attributes
    ----------
    regions : (n, r)
        In C order of the neurons.
    total : (n,)
        Sum over all pixels.
    low, high : (n,)
        The smallest and the largest value.
    """

    def __init__(
        self, masks: npt.NDArray[np.bool_], layer: Layer, granularity: str | None, device: torch.device | str
    ) -> None:
        count = math.prod(layer.shape_of(granularity))
        self.regions = np.empty((count, len(masks)), np.float32)
        self.total, self.low, self.high = (np.empty(count, np.float32) for _ in range(3))
        self._weights = torch.from_numpy(masks.reshape(len(masks), -1).T.astype(np.float32)).to(device)
        self._done = 0

    def of(self, magnitudes: torch.Tensor) -> tuple[FloatArray, ...]:
        flat = magnitudes.flatten(1)
        low, high = extremes(flat)
        return (flat @ self._weights).cpu().numpy(), flat.sum(1).cpu().numpy(), low, high

    def add(self, part: tuple[FloatArray, ...]) -> None:
        chunk = slice(self._done, self._done + len(part[0]))
        for whole, one in zip((self.regions, self.total, self.low, self.high), part, strict=True):
            whole[chunk] = one
        self._done = chunk.stop


def check_totals(layer: Layer, totals: npt.NDArray[Any]) -> None:
    """Raise ValueError where a neuron's total is not finite: its map can't be compared, but it is not dead."""
    broken = int((~np.isfinite(totals)).sum())
    if broken:
        raise ValueError(
            f"layer={layer.name!r}: the maps of {broken:,} neurons hold NaN or infinity; they can't be compared"
        )


def extremes(flat: torch.Tensor) -> tuple[FloatArray, FloatArray]:
    """The smallest and the largest of each row: on a CPU NumPy finds them many times faster than torch."""
    if flat.device.type == "cpu":
        return flat.numpy().min(1), flat.numpy().max(1)
    low, high = flat.aminmax(dim=1)
    return low.cpu().numpy(), high.cpu().numpy()


def region_sums(
    canvas: CanvasLike,
    layer: Layer,
    masks: npt.NDArray[np.bool_],
    frame: int,
    granularity: str | None = None,
    progress: Progress = False,
    rgb: str | None = None,
) -> RegionSums:
    """Sum every neuron's absolute map over regions; `rgb` as in `sweep`."""
    sums = RegionSums(masks, layer, granularity, canvas.device)
    sweep(canvas, layer, [sums], frame, granularity, progress, rgb)
    return sums
