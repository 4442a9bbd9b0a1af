"""Reductions over the maps of a layer that never hold them all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget import tables
from canvaswidget.tracing.colours import COLOURS_SAID
from canvaswidget.tracing.labelled import neuron_frame
from canvaswidget.tracing.layers import Layer

if TYPE_CHECKING:
    import pandas

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Summary:
    """Totals of a layer's maps on one frame: exact, or estimated with 95 % intervals.

    Attributes
    ----------
    neuron_abs : (n,) or (n_in, n_out)
        How much every neuron contributes: the sum over pixels and colours of the magnitudes.
    pixel_abs : (height, width)
        How much is contributed to every pixel: the sum over neurons and colours of the magnitudes.
    neuron_sum, pixel_sum
        The same sums with signs, the colours added.
    rgb : str
        What the magnitudes are of: ``"abs"``, each colour; ``"sum"``, the sum of the colours, where the rule does not
        know colours or that was asked for; or one colour.
    warning : str
        What failed when a few of the layer's neurons were checked; empty where all held.
    passes : int
        Of the model, backward or forward, that it cost. Of a sweep over all neurons: their number.
    low, high : as `neuron_abs`, or None
        The interval of each neuron's total; None where it is exact.
    pixel_low, pixel_high : as `pixel_abs`, or None
        The same of each pixel's total.
    accuracy : float or None
        What was asked for: half the width of a neuron's interval, as a part of its total, in the median over neurons.
    """

    layer: Layer
    frame: int
    neuron_abs: FloatArray
    pixel_abs: FloatArray
    neuron_sum: FloatArray
    pixel_sum: FloatArray
    rgb: str = "sum"
    warning: str = ""
    passes: int = 0
    low: FloatArray | None = None
    high: FloatArray | None = None
    pixel_low: FloatArray | None = None
    pixel_high: FloatArray | None = None
    accuracy: float | None = None
    # What more passes go on from; only `canvaswidget.tracing.sampling` looks into it.
    sample: Any = field(default=None, repr=False, compare=False)

    @property
    def is_exact(self) -> bool:
        """Whether the totals of neurons were computed, not estimated."""
        return self.low is None

    @property
    def half_width(self) -> float:
        """Half the width of a neuron's interval as a part of its total, the median over neurons; 0 where exact.

        Neurons that contribute nothing are left out.
        """
        if self.low is None or self.high is None:
            return 0.0
        alive = self.neuron_abs > 0
        if not alive.any():
            return 0.0
        return float(
            np.median(((self.high - self.low)[alive] / 2 / self.neuron_abs[alive]).astype(np.float64))
        )

    @property
    def n_bytes(self) -> int:
        """What its arrays take."""
        arrays = (self.neuron_abs, self.pixel_abs, self.neuron_sum, self.pixel_sum)
        intervals = (self.low, self.high, self.pixel_low, self.pixel_high)
        own = sum(array.nbytes for array in (*arrays, *intervals) if array is not None)
        return own + (0 if self.sample is None else self.sample.n_bytes(self.layer))

    @property
    def total_abs(self) -> float:
        """Sum over neurons and pixels of the absolute contributions."""
        return float(self.neuron_abs.sum(dtype=np.float64))

    @property
    def n_dead(self) -> int:
        """Number of neurons that contribute nothing: 0 at every pixel, in every colour where `rgb` is ``"abs"``."""
        return int((self.neuron_abs == 0).sum())

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron: its total, its signed sum, and the interval of an estimate; pandas is imported here."""
        columns = {"total": self.neuron_abs, "sum": self.neuron_sum}
        if self.low is not None and self.high is not None:
            columns |= {"low": self.low, "high": self.high}
        return neuron_frame(columns, self.neuron_abs.shape, self.layer.n_groups)

    def _rows(self) -> list[list[str]]:
        order = np.sort(self.neuron_abs.ravel())[::-1].astype(np.float64)
        share = np.cumsum(order) / max(order.sum(), np.finfo(float).tiny)
        half, most = (int(np.searchsorted(share, level) + 1) for level in (0.5, 0.9))
        return [
            ["layer", self.layer.name],
            ["frame", str(self.frame)],
            [
                "neurons",
                f"{order.size:,}" + (f" ({self.n_dead:,} with an all-zero map)" if self.n_dead else ""),
            ],
            ["colours", COLOURS_SAID.get(self.rgb, f"{self.rgb} only")],
            ["total of absolute contributions", f"{self.total_abs:.6g}"],
            ["neurons that make half of it", f"{min(half, order.size):,}"],
            ["neurons that make nine tenths", f"{min(most, order.size):,}"],
            *self._said(),
            *([["WARNING", self.warning]] if self.warning else []),
        ]

    def _said(self) -> list[list[str]]:
        if self.is_exact:
            return []
        # Without its sample it was read from a file.
        how = "accuracy=None computes the exact totals"
        if self.sample is None:
            how = f"as saved; trace the model, or save(..., {how.split()[0]}), for exact totals"
        return [
            ["estimated", f"each neuron's total ± {self.half_width:.1%} (median of 95% intervals)"],
            ["passes of the model", f"{self.passes:,}; {how}"],
        ]

    def __repr__(self) -> str:
        return tables.text(["summary", ""], self._rows())

    def _repr_html_(self) -> str:
        return tables.markup(["summary", ""], self._rows())


@dataclass(frozen=True)
class Totals:
    """Sums over one chunk of maps: ``(k, height, width)``, or ``(k, height, width, 3)`` to add colours by magnitude."""

    neuron_abs: torch.Tensor
    pixel_abs: torch.Tensor
    neuron_sum: torch.Tensor
    pixel_sum: torch.Tensor

    @classmethod
    def of(cls, maps: torch.Tensor) -> Totals:
        if maps.ndim == 4:
            magnitude, flat = maps.abs().sum(-1).flatten(1), maps.sum(-1).flatten(1)
        else:
            flat = maps.flatten(1)
            magnitude = flat.abs()
        return cls(magnitude.sum(1), magnitude.sum(0), flat.sum(1), flat.sum(0))


def summarise(
    layer: Layer,
    frame: int,
    granularity: str | None,
    size: tuple[int, int],
    chunks: Iterable[tuple[torch.Tensor, Totals]],
    rgb: str,
) -> Summary:
    """Add up the totals of chunks, in whatever order they come; pixels in double precision.

    Everything is added into arrays made beforehand: small results kept from every chunk would settle in the gaps
    between the large ones and make the process grow by a map a chunk.
    """
    shape = layer.shape_of(granularity)
    count = math.prod(shape)
    neuron_abs, neuron_sum = np.empty(count, np.float32), np.empty(count, np.float32)
    pixel_abs, pixel_sum = np.zeros(size), np.zeros(size)
    for neurons, totals in chunks:
        chunk = layer.flat_index(neurons.numpy())
        neuron_abs[chunk] = totals.neuron_abs.cpu().numpy()
        neuron_sum[chunk] = totals.neuron_sum.cpu().numpy()
        pixel_abs += totals.pixel_abs.cpu().numpy().reshape(size)
        pixel_sum += totals.pixel_sum.cpu().numpy().reshape(size)
    return Summary(
        layer,
        frame,
        neuron_abs.reshape(shape),
        pixel_abs.astype(np.float32),
        neuron_sum.reshape(shape),
        pixel_sum.astype(np.float32),
        rgb,
        passes=count,
    )
