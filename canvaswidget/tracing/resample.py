"""Nearest-neighbour up-sampling and a mean filter, in one go, on a window.

Both are separable and linear, so each axis is a product with a banded matrix. In blocks that stay near the diagonal
this is several times faster than torch's own pooling, which is not vectorised for maps of one channel.
"""

from __future__ import annotations

import functools

import torch

from canvaswidget.tracing.window import Span, Window

BLOCK = 32


def enlarged_and_blurred(
    values: torch.Tensor, held: Window, upscale: int, blur: tuple[int, int], after: Window
) -> torch.Tensor:
    """Enlarge ``(k, h, w)`` on `held` by `upscale`, then take the mean over `blur`, as far as `after` needs it.

    Zeros beyond the border of the grid count in the mean, which darkens it there, as in the released code.
    """
    kind = (values.dtype, values.device)
    parts = []
    for block in _blocks(after.x):
        reads = _reads(block, upscale, blur[1], held.x)
        matrix = _matrix(upscale, blur[1], reads, block, after.size[1], *kind)
        parts.append(values[..., reads[0] - held.x[0] : reads[1] - held.x[0]] @ matrix)
    wide = _joined(parts, -1)
    parts = []
    for block in _blocks(after.y):
        reads = _reads(block, upscale, blur[0], held.y)
        matrix = _matrix(upscale, blur[0], reads, block, after.size[0], *kind)
        parts.append(matrix.T @ wide[:, reads[0] - held.y[0] : reads[1] - held.y[0]])
    return _joined(parts, -2)


def _joined(parts: list[torch.Tensor], axis: int) -> torch.Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, axis)


def _blocks(span: Span) -> list[Span]:
    return [(start, min(start + BLOCK, span[1])) for start in range(span[0], span[1], BLOCK)]


def _reads(block: Span, upscale: int, blur: int, held: Span) -> Span:
    """The part of `held` that the mean over `blur` reads for the positions of `block`."""
    low = max((block[0] - blur // 2) // upscale, held[0])
    high = min((block[1] - 1 + blur // 2) // upscale + 1, held[1])
    return low, high


@functools.lru_cache(maxsize=512)
def _matrix(
    upscale: int, blur: int, held: Span, after: Span, size: int, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """``(positions of held, positions of after)``: what each value adds to each mean."""
    matrix = torch.zeros(held[1] - held[0], after[1] - after[0], dtype=torch.float64)
    for position in range(*after):
        for tap in range(position - blur // 2, position + blur // 2 + 1):
            if 0 <= tap < size:
                matrix[tap // upscale - held[0], position - after[0]] += 1 / blur
    return matrix.to(device, dtype)
