"""XINC for a convolution of a chain of up-sampling blocks (paper section 3.3; released code, ``nerv`` part)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F

from canvaswidget.tracing.rules.xinc.chain import Block
from canvaswidget.tracing.rules.xinc.resample import enlarged_and_blurred
from canvaswidget.tracing.window import Window, padded

Activation = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class _Step:
    """What a map goes through on the way to the image: enlarge, activate, blur."""

    upscale: int
    activation: Activation
    blur: tuple[int, int]

    @property
    def reach(self) -> tuple[int, int]:
        return self.blur[0] // 2, self.blur[1] // 2


class ConvMaps:
    """Maps of one layer: the split convolution, put in its phase of the pixel shuffle, carried to the image.

    Parameters
    ----------
    blocks : sequence of Block
        This layer's block and all that follow.
    with_bias : bool
        Whether each kernel takes its share of the bias along.
    valid : bool
        Whether the mean filters leave out what is beyond the border, instead of counting zeros there.
    """

    def __init__(self, blocks: Sequence[Block], with_bias: bool = True, valid: bool = False) -> None:
        self._block = blocks[0]
        self._valid = valid
        self._steps = [
            _Step(block.upscale, block.activation, cast("tuple[int, int]", after.layer.kernel_size))
            for block, after in itertools.pairwise(blocks)
            if block.activation is not None
        ]
        # (n_in, n_out, taps): one matrix product a unit makes all its kernels.
        self._weight = self._block.weight.flatten(2).transpose(0, 1).contiguous()
        bias = self._block.bias if with_bias else None
        self._bias = None if bias is None else bias / self._block.layer.n_units

    def maps(self, x: torch.Tensor, kernels: torch.Tensor, window: Window) -> torch.Tensor:
        """``(k, h, w)`` of kernels ``(k, 2)``."""
        windows = self._windows(window)
        z = self._split(x.reshape(x.shape[-3:]), kernels, windows[0])  # with a batch axis or without one
        if not self._steps:
            return z
        first, *later = self._steps
        values = _in_phase(z, kernels[:, 1], first)
        values = enlarged_and_blurred(
            values, windows[0].enlarged(first.upscale), 1, first.blur, windows[1], self._valid
        )
        for step, held, after in zip(later, windows[1:-1], windows[2:], strict=True):
            # An activation commutes with nearest-neighbour up-sampling, and there are fewer values before it.
            values = enlarged_and_blurred(
                step.activation(values), held, step.upscale, step.blur, after, self._valid
            )
        return values

    def _windows(self, window: Window) -> list[Window]:
        """What must be known of each grid, from the convolution's to the image's, to know `window` of the image."""
        windows = [window]
        for step in reversed(self._steps):
            windows.insert(0, windows[0].grown(step.reach).reduced(step.upscale))
        return windows

    def _split(self, x: torch.Tensor, kernels: torch.Tensor, window: Window) -> torch.Tensor:
        """``conv(x_i, W[o, i]) + b_o / n_in`` over `window`, for each kernel ``(i, o)``."""
        units, outputs = kernels[:, 0], kernels[:, 1]
        distinct, group = torch.unique_consecutive(units, return_inverse=True)
        patches = self._patches(x[distinct], window)
        weight = self._weight[units, outputs]
        if len(kernels) % len(distinct) == 0 and bool(
            (units.reshape(len(distinct), -1) == distinct[:, None]).all()
        ):
            z = weight.reshape(len(distinct), -1, weight.shape[-1]) @ patches
        else:
            z = weight[:, None] @ patches[group]
        z = z.reshape(len(kernels), *window.shape)
        return z if self._bias is None else z + self._bias[outputs][:, None, None]

    def _patches(self, x: torch.Tensor, window: Window) -> torch.Tensor:
        """``(units, taps, positions)``: what each position of the output reads of each unit."""
        kernel_size = self._block.layer.kernel_size
        reach = kernel_size[0] // 2, kernel_size[1] // 2
        whole = Window.whole(window.size)
        values = padded(window.grown(reach).crop(x, whole), window, reach)
        return F.unfold(values[:, None], kernel_size)


def _in_phase(z: torch.Tensor, outputs: torch.Tensor, step: _Step) -> torch.Tensor:
    """The pixel shuffle of each kernel alone, activated: output ``o`` owns phase ``o mod s^2``, the rest is 0."""
    values = step.activation(z)
    s = step.upscale
    if s == 1:
        return values
    rest = step.activation(z.new_zeros(1))
    shuffled = rest.expand(len(z), z.shape[1], s, z.shape[2], s).contiguous()
    phase = outputs % s**2
    shuffled[torch.arange(len(z), device=z.device), :, phase // s, :, phase % s] = values
    return shuffled.flatten(3).flatten(1, 2)
