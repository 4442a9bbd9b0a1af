"""XINC for a linear layer of an MLP (paper section 3.2; released code, ``ffn`` part)."""

from __future__ import annotations

import torch

from canvaswidget.tracing.rules.xinc.chain import Block
from canvaswidget.tracing.window import Window


class LinearMaps:
    """Maps of one layer: ``x_i(p) W[j, i] + b_j / n_in``, added over ``j``, then the layer's activation.

    Parameters
    ----------
    rows : torch.Tensor
        ``(height, width)``: which row of the layer's input is each pixel.
    with_bias : bool
        Whether each unit takes its share of the bias along.
    """

    def __init__(self, block: Block, rows: torch.Tensor, with_bias: bool = True) -> None:
        self._block = block
        self._rows = rows
        self._weight = block.weight
        bias = (
            block.weight.new_zeros(len(block.weight)) if block.bias is None or not with_bias else block.bias
        )
        self._bias = bias / block.layer.n_units
        # A unit's weights and biases nearly cancel in many a unit: add them in double precision.
        self._unit_weight = self._weight.double().sum(0).to(self._weight.dtype)
        self._unit_bias = (bias.double().sum() / block.layer.n_units).to(self._weight.dtype)

    def maps(self, x: torch.Tensor, neurons: torch.Tensor, window: Window) -> torch.Tensor:
        """``(k, h, w)``; `neurons` are units ``(k,)`` or kernels ``(k, 2)``."""
        if neurons.ndim == 1:
            units, weight, bias = neurons, self._unit_weight[neurons], self._unit_bias
        else:
            units, outputs = neurons.unbind(1)
            weight, bias = self._weight[outputs, units], self._bias[outputs][:, None, None]
        values = self._inputs(x, units, window) * weight[:, None, None] + bias
        return values if self._block.activation is None else self._block.activation(values)

    def colours(self, x: torch.Tensor, neurons: torch.Tensor, window: Window) -> torch.Tensor:
        """``(k, n_out, h, w)``: the maps of the last layer by output, before they are added."""
        units = neurons if neurons.ndim == 1 else neurons[:, 0]
        inputs = self._inputs(x, units, window)[:, None]
        values = inputs * self._weight.T[units][:, :, None, None] + self._bias[:, None, None]
        if neurons.ndim == 2:
            chosen = torch.nn.functional.one_hot(neurons[:, 1], len(self._weight)).to(values.dtype)
            values = values * chosen[:, :, None, None]
        return values

    def _inputs(self, x: torch.Tensor, units: torch.Tensor, window: Window) -> torch.Tensor:
        rows = window.crop(self._rows, Window.whole(window.size))
        columns = x.reshape(-1, x.shape[-1])[rows.reshape(-1)]
        return columns[:, units].T.reshape(len(units), *window.shape)
