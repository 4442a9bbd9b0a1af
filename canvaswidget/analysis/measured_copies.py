"""Quantised and pruned copies of a network, and what their pictures are worth, without recording anything anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.analysis.changed_copy import changed_copy
from canvaswidget.analysis.coded_size import Coded, network_size
from canvaswidget.analysis.deletion import psnr
from canvaswidget.analysis.least_contributing import Removed
from canvaswidget.analysis.quantise import on_grid_of
from canvaswidget.inr import INR
from canvaswidget.media.quality import mean_psnr, ms_ssim, ssim
from canvaswidget.progress import Steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.exchange import exchange
from canvaswidget.tracing.layer_weight import stored_type
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.neurons import count_neurons
from canvaswidget.tracing.other_weights import render_with


@dataclass
class MeasuredCopies:
    """Copies of a network, measured."""

    canvas: Canvas
    layers: list[Layer]
    scheme: str
    targets: Mapping[int, npt.NDArray[np.float32]]
    counted: Steps
    n_pixels: int = field(init=False)

    def __post_init__(self) -> None:
        self.n_pixels = self.canvas.inr.n_frames * math.prod(self.canvas.inr.size)

    def quantised(self, width: int) -> tuple[float, ...]:
        """The five numbers of the copy with all layers quantised."""
        weights, coded = {}, {}
        for layer in self.layers:
            weights[layer.name], coded[layer] = self._on_grid(self.canvas, layer, width, None, 0, 0)
        return self.measure(self.canvas, weights, coded)

    def pruned(
        self,
        removed: Removed,
        granularity: str,
        width: int | None,
        refit: Callable[[INR], Any] | None,
    ) -> tuple[float, ...]:
        """Those of a copy without some neurons."""
        kept = {
            cast(Layer, layer).name: _left(self._weighted(cast(Layer, layer)), neurons)
            for layer, neurons in removed.items()
        }
        canvas = self.canvas if refit is None else self._refitted(kept, refit)
        weights, coded = {}, {}
        for layer in self.layers:
            mask, pruned = kept.get(layer.name), removed.get(layer)
            counts = (0, 0) if pruned is None else (count_neurons(layer, granularity), len(pruned))
            if width is not None:
                weights[layer.name], coded[layer] = self._on_grid(canvas, layer, width, mask, *counts)
            elif mask is not None:
                own = canvas.matrix.capture.weighted[layer.name].weight
                bits = 8 * torch.empty((), dtype=stored_type(canvas.matrix.capture, layer)).element_size()
                weights[layer.name] = torch.where(mask, own, 0)
                coded[layer] = Coded(torch.empty(0), bits, int(mask.sum()), 0, *counts)
        return self.measure(canvas, weights, coded)

    def measure(
        self, canvas: Canvas, weights: Mapping[str, torch.Tensor], coded: Mapping[Layer, Coded]
    ) -> tuple[float, ...]:
        """Bits per pixel, plainly and with an entropy code, PSNR, SSIM and MS-SSIM of other weights."""
        each, ablation = [], canvas.ablation().matrix
        for frame, target in self.targets.items():
            picture = np.clip(
                render_with(ablation, weights, frame) if weights else canvas.frame(frame),
                0,
                1,
            )
            aim = np.clip(target, 0, 1)
            each.append((psnr(picture, aim), ssim(picture, aim), ms_ssim(picture, aim)))
            self.counted.take()
        decibels, one, several = zip(*each, strict=True)
        size = network_size(canvas.matrix.capture, coded)
        rates = (size.plain / self.n_pixels, size.entropy / self.n_pixels)
        return (*rates, mean_psnr(decibels), float(np.mean(one)), float(np.mean(several)))

    def _on_grid(
        self,
        canvas: Canvas,
        layer: Layer,
        width: int,
        kept: torch.Tensor | None,
        n_neurons: int,
        n_removed: int,
    ) -> tuple[torch.Tensor, Coded]:
        made = on_grid_of(canvas.matrix.capture, layer, width, self.scheme, kept)
        symbols = made.symbols[made.symbols >= 0]
        return made.weight, Coded(symbols, width, len(symbols), made.n_grids, n_neurons, n_removed)

    def _weighted(self, layer: Layer) -> WeightedOp:
        return self.canvas.matrix.capture.weighted[layer.name]

    def _refitted(self, kept: Mapping[str, torch.Tensor], refit: Callable[[INR], Any]) -> Canvas:
        """The canvas of what `refit` makes of the pruned network."""

        def without(found: WeightedOp) -> torch.Tensor:
            return torch.where(kept[found.layer.name].to(found.weight.device), found.weight, 0)

        layers = [layer for layer in self.layers if layer.name in kept]
        capture = self.canvas.matrix.capture
        made = refit(changed_copy(self.canvas.inr, capture, dict.fromkeys(layers, without)))
        inr = getattr(made, "inr", made)
        if not isinstance(inr, INR):
            raise TypeError(f"refit: returned {type(made).__name__}; expected an INR, or what has one as inr")
        canvas = exchange(self.canvas, inr)
        for layer in layers:
            weight = canvas.matrix.capture.weighted[layer.name].weight
            if (weight[~kept[layer.name]] != 0).any():
                raise ValueError(
                    f"refit: returned a network with weights of {layer.name!r} that had been removed; hold them, as "
                    "canvaswidget.fit(..., hold_zeros=True) does"
                )
        return canvas


def _left(found: WeightedOp, removed: npt.NDArray[np.int64]) -> torch.Tensor:
    """Booleans in the shape of a layer's weight: what is left without some units ``(k,)`` or kernels ``(k, 2)``."""
    return ~found.mask(torch.from_numpy(removed).to(found.weight.device)).expand_as(found.weight)
