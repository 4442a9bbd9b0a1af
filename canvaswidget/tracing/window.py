"""A rectangle of pixels, and what it takes to compute just that much of a map."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

Span = tuple[int, int]


@dataclass(frozen=True)
class Window:
    """Rows ``y[0] .. y[1] - 1`` and columns ``x[0] .. x[1] - 1`` of a grid of the given size."""

    y: Span
    x: Span
    size: tuple[int, int]

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Window:
        return cls((0, size[0]), (0, size[1]), size)

    @classmethod
    def pixel(cls, y: int, x: int, size: tuple[int, int]) -> Window:
        return cls((y, y + 1), (x, x + 1), size)

    @property
    def is_whole(self) -> bool:
        return self.y == (0, self.size[0]) and self.x == (0, self.size[1])

    @property
    def shape(self) -> tuple[int, int]:
        return self.y[1] - self.y[0], self.x[1] - self.x[0]

    def grown(self, reach: tuple[int, int]) -> Window:
        """With `reach` more pixels on every side, as far as the grid goes: what a filter of that reach reads."""
        return Window(_grow(self.y, reach[0], self.size[0]), _grow(self.x, reach[1], self.size[1]), self.size)

    def reduced(self, factor: int) -> Window:
        """The pixels of the grid `factor` times smaller that cover it."""
        y, x = ((span[0] // factor, -(-span[1] // factor)) for span in (self.y, self.x))
        return Window(y, x, (self.size[0] // factor, self.size[1] // factor))

    def enlarged(self, factor: int) -> Window:
        """The pixels of the grid `factor` times larger that it covers."""
        y, x = ((span[0] * factor, span[1] * factor) for span in (self.y, self.x))
        return Window(y, x, (self.size[0] * factor, self.size[1] * factor))

    def missing(self, reach: tuple[int, int]) -> tuple[int, int, int, int]:
        """How far `grown` fell short on the left, right, top and bottom: the zero padding there."""
        grown = self.grown(reach)
        left, right = grown.x[0] - self.x[0] + reach[1], self.x[1] + reach[1] - grown.x[1]
        top, bottom = grown.y[0] - self.y[0] + reach[0], self.y[1] + reach[0] - grown.y[1]
        return left, right, top, bottom

    def crop(self, values: torch.Tensor, held: Window) -> torch.Tensor:
        """This window's part of `values` ``(..., h, w)``, which cover the window `held`."""
        rows = slice(self.y[0] - held.y[0], self.y[1] - held.y[0])
        columns = slice(self.x[0] - held.x[0], self.x[1] - held.x[0])
        return values[..., rows, columns]


def padded(values: torch.Tensor, window: Window, reach: tuple[int, int]) -> torch.Tensor:
    """`values`, which cover ``window.grown(reach)``, with zeros where that ends at the border of the grid."""
    missing = window.missing(reach)
    return F.pad(values, missing) if any(missing) else values


def _grow(span: Span, reach: int, size: int) -> Span:
    return max(span[0] - reach, 0), min(span[1] + reach, size)
