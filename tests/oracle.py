"""XINC, written down plainly from its definition: every map of a layer at once, no shortcuts, slow and large.

The independent way to get every number of the rule `xinc` and of the findings. Nothing here is shared with the
package. `tests/goldens/make.py` writes the golden arrays of the released findings from it.
"""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import nn

Activation = Callable[[torch.Tensor], torch.Tensor]
Array = npt.NDArray[Any]


@dataclass
class ConvBlock:
    """A convolution, the factor of its pixel shuffle, its activation (None for the head)."""

    conv: nn.Conv2d
    upscale: int = 1
    activation: Activation | None = None


@torch.no_grad()
def linear_maps(
    linear: nn.Linear, x: torch.Tensor, size: tuple[int, int], activation: Activation | None
) -> torch.Tensor:
    """``(n_in, height, width)``: sum over j of ``x_i W[j, i] + b_j / n_in``, then the activation."""
    maps = []
    for unit in range(linear.in_features):
        total = torch.zeros(x.shape[0], dtype=x.dtype)
        for output in range(linear.out_features):
            bias = 0.0 if linear.bias is None else linear.bias[output]
            total = total + x[:, unit] * linear.weight[output, unit] + bias / linear.in_features
        maps.append(total if activation is None else activation(total))
    return torch.stack(maps).reshape(linear.in_features, *size)


@torch.no_grad()
def conv_maps(blocks: Sequence[ConvBlock], x: torch.Tensor) -> torch.Tensor:
    """``(n_in, n_out, height, width)`` of the first block's kernels, carried through the blocks after it."""
    first = blocks[0]
    n_in, n_out = first.conv.in_channels, first.conv.out_channels
    bias = torch.zeros(n_out, dtype=x.dtype) if first.conv.bias is None else first.conv.bias
    maps = torch.stack(
        [
            F.conv2d(
                x[:, unit : unit + 1], first.conv.weight[:, unit : unit + 1], padding=first.conv.padding
            )[0]
            + (bias / n_in)[:, None, None]
            for unit in range(n_in)
        ]
    )
    if len(blocks) == 1:
        return maps
    height, width = maps.shape[-2:]
    s = first.upscale
    shuffled = torch.zeros(n_in, n_out, height * s, width * s, dtype=x.dtype)
    for output in range(n_out):
        phase = output % s**2
        shuffled[:, output, phase // s :: s, phase % s :: s] = maps[:, output]
    assert first.activation is not None
    maps = _mean_filter(first.activation(shuffled), blocks[1].conv.kernel_size)
    for block, after in itertools.pairwise(blocks[1:]):
        assert block.activation is not None
        maps = maps.repeat_interleave(block.upscale, 2).repeat_interleave(block.upscale, 3)
        maps = _mean_filter(block.activation(maps), after.conv.kernel_size)
    return maps


def _mean_filter(maps: torch.Tensor, kernel_size: tuple[int, ...]) -> torch.Tensor:
    """Mean over the window, zeros beyond the border counted."""
    ky, kx = kernel_size
    height, width = maps.shape[-2:]
    padded = F.pad(maps, (kx // 2, kx // 2, ky // 2, ky // 2))
    total = torch.zeros_like(maps)
    for dy in range(ky):
        for dx in range(kx):
            total += padded[..., dy : dy + height, dx : dx + width]
    return total / (ky * kx)


# --- findings: the published definitions, and what the released notebooks compute ---------------------------


def threshold(magnitudes: Array, area: float) -> float:
    """The value at which the descending cumulative sum reaches ``1 - area`` of the total."""
    total, reached = float(magnitudes.sum(dtype=np.float64)), 0.0
    for value in sorted(magnitudes.ravel().tolist(), reverse=True):
        reached += value
        if reached >= (1 - area) * total:
            return value
    return float(magnitudes.min())


def pixels_per_neuron(magnitudes: Array) -> Array:
    """Of ``(n, h, w)``: pixels where the neuron's part of all is larger than ``1 / n``."""
    total = magnitudes.sum(0, dtype=np.float64)
    alive = total > 0
    parts = magnitudes[:, alive] / total[alive]
    return (parts > 1 / len(magnitudes)).sum(1)


def neurons_per_pixel(magnitudes: Array, area: float) -> Array:
    """``(h, w)``: neurons that are among those of the threshold."""
    return (magnitudes >= threshold(magnitudes, area)).sum(0)


def released_neurons_per_pixel(layers: Sequence[Array], place: int, area: float) -> tuple[float, Array]:
    """Threshold, and shares ``(h, w)``; for the third layer of an MLP, the second one's contributions."""
    own = layers[place]
    counted = layers[1] if place == 2 and own.ndim == 3 else own
    counted, own = (values.reshape(-1, *values.shape[-2:]) for values in (counted, own))
    level = threshold(own, area)
    return level, (counted > level).sum(0) / len(own)


def released_combs(size: tuple[int, int], rows: int, columns: int) -> Array:
    """Regions of ``unfold``: ``(rows * columns, h, w)``, the tails left out."""
    masks = np.zeros((rows * columns, *size), bool)
    for y in range(size[0] - size[0] % rows):
        for x in range(size[1] - size[1] % columns):
            masks[y % rows * columns + x % columns, y, x] = True
    return masks


def departures(magnitudes: Array, masks: Array) -> Array:
    """``(n, r)``: sums over regions against what an even spread gives them; nan for none."""
    found = np.full((len(magnitudes), len(masks)), np.nan)
    for neuron, magnitude in enumerate(magnitudes.astype(np.float64)):
        for region, mask in enumerate(masks):
            even = magnitude.sum() * mask.sum() / mask.size
            if even:
                found[neuron, region] = (magnitude[mask].sum() - even) / even
    return found


def variance_of_departures(magnitudes: Array, masks: Array) -> Array:
    """``(n,)``: the mean square of the difference from the mean, over regions that are there."""
    found = departures(magnitudes, masks)[:, masks.any((1, 2))]
    return ((found - found.mean(1, keepdims=True)) ** 2).sum(1) / found.shape[1]


def released_variance_of_departures(magnitudes: Array, masks: Array, is_grid: bool) -> Array:
    """``(n,)``: of absolute departures but for the grid, divided by one less than the regions."""
    found = departures(magnitudes, masks)[:, masks.any((1, 2))]
    if not is_grid:
        found = np.abs(found)
    return ((found - found.mean(1, keepdims=True)) ** 2).sum(1) / (found.shape[1] - 1)


def released_gabor_features(picture: Array) -> Array:
    """``(h, w, 6)`` unsigned bytes, from ``(h, w, 3)`` in [0, 1]."""
    from PIL import Image

    data = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    grey = np.asarray(Image.fromarray(data).convert("L"), np.float64)
    features = []
    for sigma in (1, 3):
        for frequency in (0.05, 0.25, 0.5):
            reach = 3 * sigma
            steps = range(-reach, reach + 1)
            filtered = np.zeros_like(grey)
            for y, x in itertools.product(steps, steps):
                weight = math.exp(-(x * x + y * y) / (2 * sigma**2)) / (2 * math.pi * sigma**2)
                weight *= math.cos(2 * math.pi * frequency * x)
                filtered += weight * np.roll(grey, (y, x), (0, 1))
            features.append(np.trunc(filtered).astype(np.int64) % 256)
    return np.stack(features, -1).astype(np.uint8)


def released_windows(magnitudes: Array, side: int = 16) -> Array:
    """``(n, features)``: each map from 0 to 1 (but a constant one), averaged over windows of ``side`` pixels."""
    found = []
    for magnitude in magnitudes.astype(np.float64):
        span = magnitude.max() - magnitude.min()
        scaled = (magnitude - magnitude.min()) / span if span else magnitude
        height, width = scaled.shape
        found.append(
            [
                scaled[y : y + side, x : x + side].mean()
                for y in range(0, height - side + 1, side)
                for x in range(0, width - side + 1, side)
            ]
        )
    return np.array(found)


def region_vectors(magnitudes: Array, masks: Array) -> Array:
    """``(n, r)``: means of each map, from 0 to 1, over regions."""
    found = np.zeros((len(magnitudes), len(masks)))
    for neuron, magnitude in enumerate(magnitudes.astype(np.float64)):
        span = magnitude.max() - magnitude.min()
        scaled = (magnitude - magnitude.min()) / span if span else magnitude
        found[neuron] = [scaled[mask].mean() for mask in masks]
    return found


def means_of_objects(magnitudes: Array, objects: Array, as_released: bool = False) -> Array:
    """``(n, r + 1)``: mean over the pixels of each object, at last over the rest; released: over all objects."""
    anywhere = objects.any(0)
    masks = [*objects, anywhere if as_released else ~anywhere]
    absent = 0.0 if as_released else math.nan
    return np.array(
        [[m[mask].mean() if mask.any() else absent for mask in masks] for m in magnitudes.astype(np.float64)]
    )


def shares_over_time(means: Array) -> Array:
    """``(t, n, r)``: by the sum of each neuron over frames and objects."""
    return means / np.nansum(means, axis=(0, 2))[:, None]


def change(before: Array, after: Array) -> Array:
    """``(h, w)``: sum over neurons of the change of the absolute contribution."""
    return sum(abs(abs(b) - abs(a)) for a, b in zip(before, after, strict=True))


def contribution_and_intensity(magnitudes: Array, picture: Array) -> tuple[Array, Array, Array]:
    """Sums over neurons, the RGB sum, and Sobel edges of the grey picture, each from 0 to 1."""

    def scaled(values: Array) -> Array:
        return (values - values.min()) / ((values.max() - values.min()) or 1)

    grey = np.pad(picture.astype(np.float64) @ np.array([0.2125, 0.7154, 0.0721]), 1, mode="symmetric")
    height, width = picture.shape[:2]
    down, across = np.zeros((2, height, width))
    for step, weight in ((0, 1), (1, 2), (2, 1)):
        down += weight * (grey[2:, step : step + width] - grey[:-2, step : step + width])
        across += weight * (grey[step : step + height, 2:] - grey[step : step + height, :-2])
    edges = np.sqrt(down**2 + across**2)
    return scaled(magnitudes.sum(0, dtype=np.float64)), scaled(picture.sum(-1)), scaled(edges)


def pooled_cells(magnitudes: Array, side: int = 16) -> Array:
    """``(n, features)``: each map from 0 to 1, averaged over a grid of at most ``side`` rows and columns."""
    height, width = magnitudes.shape[1:]
    rows, columns = (np.linspace(0, size, min(side, size) + 1).astype(int) for size in (height, width))
    masks = np.zeros((len(rows) - 1, len(columns) - 1, height, width), bool)
    for row, column in np.ndindex(masks.shape[:2]):
        masks[row, column, rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = True
    return region_vectors(magnitudes, masks.reshape(-1, height, width))


# --- totals: magnitudes of colours --------------------------------------------------------------------------


@torch.no_grad()
def changes_without_units(
    inr: Any, name: str, n_units: int, frame: int, grouped: bool = False
) -> npt.NDArray[np.float64]:
    """``(n_units, height, width, 3)``: the image, less the image of a copy whose unit has weights of 0.

    `name` is the weight of a convolution; where it is `grouped`, each unit has a group of its own.
    """
    whole = inr.render(frame)
    lost = []
    for unit in range(n_units):
        changed = copy.copy(inr)
        changed.module = copy.deepcopy(inr.module)
        weight = changed.module.get_parameter(name)
        weight[unit if grouped else (slice(None), unit)] = 0
        lost.append((whole - changed.render(frame)).permute(1, 2, 0).double().numpy())
    return np.stack(lost)


def colour_totals(
    changes: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Magnitudes of ``(neurons, height, width, colours)``, one after another: by neuron, and by pixel."""
    n, height, width, colours = changes.shape
    by_neuron, by_pixel = np.zeros(n), np.zeros((height, width))
    for neuron, y, x, colour in itertools.product(range(n), range(height), range(width), range(colours)):
        by_neuron[neuron] += abs(changes[neuron, y, x, colour])
        by_pixel[y, x] += abs(changes[neuron, y, x, colour])
    return by_neuron, by_pixel
