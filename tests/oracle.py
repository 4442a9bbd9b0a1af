"""XINC, written down plainly from its definition: every map of a layer at once, no shortcuts, slow and large.

The independent way to get every number of the rule `xinc`. Nothing here is shared with the package.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

Activation = Callable[[torch.Tensor], torch.Tensor]


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
