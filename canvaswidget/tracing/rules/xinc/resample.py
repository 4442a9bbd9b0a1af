"""Nearest-neighbour up-sampling and a mean filter, in one go, on a window.

Both are separable and linear. Along an axis the positions that an up-sampling by ``s`` makes of one value stand in
``s`` phases. In each phase the mean is the same weighted sum of a value and its neighbours, so it takes one or two
passes over them: several times faster than torch's pooling, which is not vectorised for maps of one channel.
"""

from __future__ import annotations

import functools
from collections import Counter

import torch

from canvaswidget.tracing.window import Span, Window


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
    wide = _along(values, -1, held.x, upscale, blur[1], after.x)
    result = _along(wide, -2, held.y, upscale, blur[0], after.y)
    if not valid:
        return result
    kind = (values.dtype, values.device)
    return (
        result
        * _share(after.y, after.size[0], blur[0], *kind)[:, None]
        * _share(after.x, after.size[1], blur[1], *kind)
    )


def _along(values: torch.Tensor, axis: int, held: Span, upscale: int, blur: int, after: Span) -> torch.Tensor:
    """The same along one axis of ``(k, h, w)``, -2 or -1."""
    first, end = after[0] // upscale, -(-after[1] // upscale)
    shape = [*values.shape]
    shape[axis : axis + 1 or None] = [end - first, upscale]
    result = values.new_empty(shape)

    def part(array: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        return array[..., start:stop] if axis == -1 else array[..., start:stop, :]

    own, count = part(values, first - held[0], end - held[0]), end - first
    for phase, taps in enumerate(_phases(upscale, blur)):
        out = result.select(axis if axis == -1 else -2, phase)
        neighbours = {offset: weight for offset, weight in taps.items() if offset}
        if len(neighbours) != 1:
            torch.mul(own, taps[0], out=out)
        for offset, weight in neighbours.items():
            # The positions whose neighbour is held: what is beyond the border counts as 0.
            start, stop = max(0, held[0] - offset - first), max(0, min(count, held[1] - offset - first))
            inner = part(out, start, stop)
            there = start + offset + first - held[0]
            values_there = part(values, there, there + inner.shape[axis])
            if len(neighbours) > 1:
                inner.add_(values_there, alpha=weight)
                continue
            # Two weights, which add up to 1, in one pass.
            torch.lerp(part(own, start, stop), values_there, weight, out=inner)
            for low, high in ((0, start), (stop, count)):
                if low < high:
                    torch.mul(part(own, low, high), taps[0], out=part(out, low, high))
    start = after[0] - first * upscale
    return result.flatten(axis - 1, axis).narrow(axis, start, after[1] - after[0])


@functools.cache
def _phases(upscale: int, blur: int) -> list[dict[int, float]]:
    """By phase, the weights of the values that a mean is of, by how far they are from the phase's own."""
    half = blur // 2
    read = (Counter((phase + tap) // upscale for tap in range(-half, half + 1)) for phase in range(upscale))
    return [{offset: count / blur for offset, count in taps.items()} for taps in read]


def _share(span: Span, size: int, blur: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """For each position of an axis, ``blur`` over how many of its neighbours are on the grid."""
    position = torch.arange(*span, device=device)
    low, high = (position - blur // 2).clamp_min(0), (position + blur // 2).clamp_max(size - 1)
    return blur / (high - low + 1).to(dtype)
