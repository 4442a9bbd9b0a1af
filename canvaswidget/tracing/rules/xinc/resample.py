"""Nearest-neighbour up-sampling and a mean filter, in one go, on a window.

Both are separable and linear, so each axis is a product with a banded matrix. All its blocks along the diagonal are
alike, which makes it one product of overlapping pieces with a small matrix: several times faster than torch's
pooling, which is not vectorised for maps of one channel.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F

from canvaswidget.tracing.window import Span, Window

BLOCK = 32


def enlarged_and_blurred(
    values: torch.Tensor,
    held: Window,
    upscale: int,
    blur: tuple[int, int],
    after: Window,
    valid: bool = False,
) -> torch.Tensor:
    """Enlarge ``(k, h, w)`` on `held` by `upscale`, then take the mean over `blur`, as far as `after` needs it.

    Zeros beyond the border of the grid count in the mean, which darkens it there, as in the released code; with `valid`
    the mean is over what is within.
    """
    kind = (values.dtype, values.device)
    rows, columns = after.shape
    matrix, padding, step = _pieces(held.x, upscale, blur[1], after.x, *kind)
    # Copied into place, since a product of overlapping views is computed piece by piece.
    pieces = F.pad(values, padding).unfold(-1, len(matrix), step)
    wide = (pieces.reshape(-1, len(matrix)) @ matrix).reshape(*values.shape[:2], -1)[..., :columns]
    matrix, padding, step = _pieces(held.y, upscale, blur[0], after.y, *kind)
    pieces = F.pad(wide, (0, 0, *padding)).unfold(-2, len(matrix), step).mT
    tall = torch.matmul(matrix.T, pieces.reshape(-1, len(matrix), columns))
    result = tall.reshape(len(values), -1, columns)[:, :rows]
    if not valid:
        return result
    return (
        result
        * _share(after.y, after.size[0], blur[0], *kind)[:, None]
        * _share(after.x, after.size[1], blur[1], *kind)
    )


def _share(span: Span, size: int, blur: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """For each position of an axis, ``blur`` over how many of its neighbours are on the grid."""
    position = torch.arange(*span, device=device)
    low, high = (position - blur // 2).clamp_min(0), (position + blur // 2).clamp_max(size - 1)
    return blur / (high - low + 1).to(dtype)


@functools.lru_cache(maxsize=1024)
def _pieces(
    held: Span, upscale: int, blur: int, after: Span, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, tuple[int, int], int]:
    """How to compute the positions `after` of one axis from the values at `held`, a block at a time.

    Returns
    -------
    matrix : (inputs a block reads, positions of a block)
        What each input adds to each mean.
    padding : (before, after)
        Zeros that `held` lacks for the blocks; negative where it has more than they need.
    step : int
        Inputs from one block to the next.
    """
    length = upscale * max(1, min(BLOCK, after[1] - after[0]) // upscale)
    count = -(-(after[1] - after[0]) // length)
    first = (after[0] - blur // 2) // upscale
    reads = (after[0] + length - 1 + blur // 2) // upscale + 1 - first
    step = length // upscale
    matrix = torch.zeros(reads, length, dtype=torch.float64)
    for position in range(length):
        middle = after[0] + position
        for tap in range(middle - blur // 2, middle + blur // 2 + 1):
            matrix[tap // upscale - first, position] += 1 / blur
    padding = (held[0] - first, first + (count - 1) * step + reads - held[1])
    return matrix.to(device, dtype), padding, step
