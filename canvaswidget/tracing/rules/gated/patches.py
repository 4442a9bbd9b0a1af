"""Many pixels in one backward pass: each layer's contributions to every one of them, patch by patch.

One backward pass gives the image's slopes by a layer's output. Where the boxes of positions that the pixels depend on
(see `footprint`) don't meet, each pixel's slopes stand in a patch of their own. A kernel's contribution to the pixel is
its weights times the layer's input, times the slopes of the patch.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn.functional import pad, unfold

from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.rules.gated.footprint import Footprint, window_of

PART = 1 << 24  # numbers that the products of some patches may take at a time; never changes a result


def has_patches(layer: WeightedOp) -> bool:
    """Whether the layer's products can be taken patch by patch: linear layers and plain 2-d convolutions."""
    if layer.weight.is_complex() or layer.node.meta["val"].is_complex():
        return False
    if layer.layer.op == "linear":
        return True
    value = layer.node.meta["val"]
    batch = value.ndim == 4 and value.shape[0] == 1
    return layer.node.target is aten.conv2d.default and layer.layer.n_groups == 1 and batch


def contributions(
    layer: WeightedOp,
    data: torch.Tensor,
    slopes: torch.Tensor,
    footprint: Footprint,
    pixels: torch.Tensor,
    share: torch.Tensor | None,
    by_unit: bool,
) -> Iterator[tuple[slice, torch.Tensor]]:
    """Every kernel's (or unit's) contributions to some pixels, some pixels at a time.

    Parameters
    ----------
    data
        What the layer works on.
    slopes
        Of the weighted image by the layer's output.
    pixels : (m, 2)
        No two of which depend on one position of the layer's output.
    share : (n_out,), optional
        A bias that every kernel brings along.

    Yields
    ------
    which : slice
        Of the pixels.
    contributions : (k, n_in, n_out), or (k, n_in)
    """
    linear = layer.layer.op == "linear"
    width = slopes.numel() // slopes.shape[-1] if linear else slopes.shape[-1]
    grid = slopes.reshape(1, width, -1).permute(2, 0, 1) if linear else slopes[0]  # (n_out, rows, columns)
    first = torch.as_tensor(footprint.first, device=slopes.device)[:, pixels[:, 0], pixels[:, 1]]
    last = torch.as_tensor(footprint.last, device=slopes.device)[:, pixels[:, 0], pixels[:, 1]]
    height, breadth = (max(1, int(n)) for n in (last - first + 1).amax(1))
    n_in, n_out, taps = layer.layer.n_units, layer.layer.n_outputs, layer.weight[0, 0].numel()
    values = max(n_in * taps * (n_out + height * breadth), n_out * height * breadth)
    inputs = _Windows(layer, data, (height, breadth))
    for start in range(0, len(pixels), step := max(1, PART // values)):
        which = slice(start, min(start + step, len(pixels)))
        rows = first[0, which, None] + torch.arange(height, device=slopes.device)
        columns = first[1, which, None] + torch.arange(breadth, device=slopes.device)
        inside = (rows <= last[0, which, None])[:, :, None] & (columns <= last[1, which, None])[:, None]
        at = rows.clamp(0, grid.shape[1] - 1)[:, :, None], columns.clamp(0, grid.shape[2] - 1)[:, None]
        # (k, positions, n_out): the slopes of each pixel's own patch.
        patch = (grid[:, at[0], at[1]] * inside).flatten(2).permute(1, 2, 0)
        yield which, _products(layer, inputs.at(rows[:, 0], columns[:, 0]), patch, share, by_unit)


def _products(
    layer: WeightedOp,
    inputs: torch.Tensor,
    patch: torch.Tensor,
    share: torch.Tensor | None,
    by_unit: bool,
) -> torch.Tensor:
    """From inputs ``(k, n_in * taps, positions)`` and slopes ``(k, positions, n_out)``."""
    weight = (
        layer.weight.flatten(2) if layer.weight.ndim > 2 else layer.weight[..., None]
    )  # (n_out, n_in, taps)
    bias = None if share is None else share * patch.sum(1)  # (k, n_out)
    if by_unit:
        carried = torch.einsum("kpo,oit->kitp", patch, weight)
        found = (inputs.unflatten(1, (-1, weight.shape[2])) * carried).sum((2, 3))
        return found if bias is None else found + bias.sum(1, keepdim=True)
    if patch.shape[1] > weight.shape[2]:
        products = torch.bmm(inputs, patch).unflatten(1, (-1, weight.shape[2]))  # (k, n_in, taps, n_out)
        found = torch.einsum("kito,oit->kio", products, weight)
    else:  # fewer numbers on the way: what each kernel adds at each position of the patch
        terms = torch.einsum("kitp,oit->ikpo", inputs.unflatten(1, (-1, weight.shape[2])), weight)
        found = terms.mul_(patch).sum(2).transpose(0, 1)
    return found if bias is None else found + bias[:, None]


class _Windows:
    """What a layer reads to make its output at boxes of one size."""

    def __init__(self, layer: WeightedOp, data: torch.Tensor, size: tuple[int, int]) -> None:
        self.linear = layer.layer.op == "linear"
        self.size = size
        if self.linear:
            self.data = data.reshape(1, -1, data.shape[-1]).permute(2, 0, 1)
            self.reach = size
            return
        self.stride, padding, self.dilation = window_of(layer)
        self.kernel = layer.layer.kernel_size
        # Boxes at the border may begin so far inside that their full size leaves the grid.
        self.data = pad(data[0], (padding[1], padding[1], padding[0], padding[0]))
        self.reach = tuple(
            (size[axis] - 1) * self.stride[axis] + (self.kernel[axis] - 1) * self.dilation[axis] + 1
            for axis in range(2)
        )

    def at(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """``(k, n_in * taps, positions)`` of the boxes that begin at these positions."""
        steps = (1, 1) if self.linear else self.stride
        device = self.data.device
        y = rows[:, None] * steps[0] + torch.arange(self.reach[0], device=device)
        x = columns[:, None] * steps[1] + torch.arange(self.reach[1], device=device)
        # What is outside belongs to positions outside the box, whose slopes are masked.
        y, x = y.clamp(0, self.data.shape[1] - 1), x.clamp(0, self.data.shape[2] - 1)
        windows = self.data[:, y[:, :, None], x[:, None]].transpose(0, 1)  # (k, n_in, *reach)
        if self.linear:
            return windows.flatten(2)
        return unfold(windows, self.kernel, self.dilation, 0, self.stride)
