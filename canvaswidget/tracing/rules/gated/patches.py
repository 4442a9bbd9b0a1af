"""Many pixels in one backward pass: each layer's contributions to every one of them, patch by patch.

One backward pass gives the image's slopes by a layer's output. Where the spans of positions that the pixels depend on
don't meet, each pixel's slopes stand in a patch of their own. A kernel's contribution to the pixel is its weights times
the layer's input, times the slopes of the patch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn.functional import pad, unfold

from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.rules.gated.spans import Spans

PART = 1 << 24  # numbers that the products of some patches may take at a time; never changes a result


@dataclass(frozen=True)
class Boxes:
    """The rows and columns of a layer's output that each pixel depends on.

    Attributes
    ----------
    size : (rows, columns)
        Of the output. The positions of a linear layer that are on one axis stand in one row.
    first, last : torch.Tensor
        ``(2, height, width)``; the first lies behind the last where there is none.
    """

    size: tuple[int, int]
    first: torch.Tensor
    last: torch.Tensor

    @functools.cached_property
    def spacing(self) -> tuple[int, int]:
        """How many rows and columns apart pixels must be so that no two of them depend on one position."""
        height, width = self.first.shape[1:]
        row_first, row_last = (
            self.first.amin(2),
            self.last.amax(2),
        )  # (2, height), of all pixels of a row together
        between = next((d for d in range(1, height) if _are_apart(row_first, row_last, d)), height)
        beside = next((d for d in range(1, width) if _are_apart(self.first, self.last, d)), width)
        return between, beside


def _are_apart(first: torch.Tensor, last: torch.Tensor, distance: int) -> bool:
    """Whether boxes this far from each other along the last axis follow one another, in their rows or their columns."""

    def follow(first: torch.Tensor, last: torch.Tensor) -> bool:
        return bool((last[..., :-distance] < first[..., distance:]).all())

    # Most distances are too small already in one row of pixels, which takes a thousandth of the time of all.
    return any(
        (one.ndim == 1 or follow(one[0], other[0])) and follow(one, other)
        for one, other in zip(first, last, strict=True)
    )


def boxes_of(layer: WeightedOp, spans: Spans) -> Boxes | None:
    """The boxes of a layer; None where its products can't be taken patch by patch."""
    value = layer.node.meta["val"]
    if layer.weight.is_complex() or value.is_complex() or len(spans.axes) > 2:
        return None
    if layer.layer.op == "linear":
        places = range(-len(spans.axes), 0)
    elif layer.layer.op == "conv2d" and layer.layer.n_groups == 1 and value.ndim == 4 and value.shape[0] == 1:
        places = spans.axes
    else:
        return None
    size = [1, 1]
    first = spans.low.new_zeros(2, *spans.low.shape[1:])
    last = first.clone()
    for place, positions, low, high in zip(places, spans.sizes, spans.low, spans.high, strict=True):
        size[place], first[place], last[place] = positions, low, high
    return Boxes((size[0], size[1]), first, last)


@torch.no_grad()  # while it computes: several of these generators may be read in turn
def contributions(
    layer: WeightedOp,
    data: torch.Tensor,
    slopes: torch.Tensor,
    boxes: Boxes,
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
    # (n_out, rows, columns)
    grid = slopes.reshape(*boxes.size, -1).permute(2, 0, 1) if layer.layer.op == "linear" else slopes[0]
    first, last = (side[:, pixels[:, 0], pixels[:, 1]] for side in (boxes.first, boxes.last))
    height, breadth = (max(1, int(n)) for n in (last - first + 1).amax(1))
    n_in, n_out, taps = layer.layer.n_units, layer.layer.n_outputs, layer.weight[0, 0].numel()
    values = max(n_in * taps * (n_out + height * breadth), n_out * height * breadth)
    inputs = _Windows(layer, data, boxes.size, (height, breadth))
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

    def __init__(
        self, layer: WeightedOp, data: torch.Tensor, grid: tuple[int, int], size: tuple[int, int]
    ) -> None:
        self.kernel = layer.layer.kernel_size
        if layer.layer.op == "linear":
            self.stride, self.dilation = [1, 1], [1, 1]
            self.data = data.reshape(*grid, -1).permute(2, 0, 1)
        else:
            self.stride, padding, self.dilation = layer.window
            self.data = pad(data[0], [*padding[1], *padding[0]])
        self.reach = [
            (positions - 1) * stride + (taps - 1) * dilation + 1
            for positions, stride, taps, dilation in zip(
                size, self.stride, self.kernel, self.dilation, strict=True
            )
        ]

    def at(self, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """``(k, n_in * taps, positions)`` of the boxes that begin at these positions."""
        y, x = (
            (first[:, None] * stride + torch.arange(reach, device=first.device)).clamp(0, size - 1)
            # What is outside belongs to positions outside the box, whose slopes are masked.
            for first, stride, reach, size in zip(
                (rows, columns), self.stride, self.reach, self.data.shape[1:], strict=True
            )
        )
        windows = self.data[:, y[:, :, None], x[:, None]].transpose(0, 1)  # (k, n_in, *reach)
        return unfold(windows, self.kernel, tuple(self.dilation), 0, tuple(self.stride))
