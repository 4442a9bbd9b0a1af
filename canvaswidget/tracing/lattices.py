"""Lattices of pixels: those whose contributions one backward pass gives together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules import AdditiveRule

TOGETHER = 128  # pixels of a lattice that are enough to serve another layer too
MOST = 512  # pixels of a lattice: from here on the products with a layer's input cost more than the pass


@dataclass(frozen=True)
class Clusters:
    """The pairs of a pixel and a colour, divided into lattices.

    A cluster is a lattice of pixels, each of them with the next colour.

    Parameters
    ----------
    size, spacing : (rows, columns)
    n_colours : int
    """

    size: tuple[int, int]
    spacing: tuple[int, int]
    n_colours: int

    def __len__(self) -> int:
        return self.spacing[0] * self.spacing[1] * self.n_colours

    def pairs(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The pixels ``(m, 2)`` of a cluster and the colour ``(m,)`` of each."""
        place, turn = divmod(number, self.n_colours)
        first = divmod(place, self.spacing[1])
        rows, columns = (torch.arange(first[axis], self.size[axis], self.spacing[axis]) for axis in range(2))
        colours = (torch.arange(len(rows))[:, None] + torch.arange(len(columns)) + turn) % self.n_colours
        return torch.cartesian_prod(rows, columns), colours.flatten()


def spacings(
    rule: AdditiveRule, size: tuple[int, int], granularity: str | None
) -> dict[str, tuple[int, int]]:
    """How far apart the pixels of each layer's lattices are: those of `AdditiveRule.spacing` or further.

    Layers share lattices, and so passes, as long as these have pixels enough.
    """
    found: dict[str, tuple[int, int]] = {}
    least = {layer.name: rule.spacing(layer) for layer in rule.layers}
    groups: list[tuple[tuple[int, int], list[Layer]]] = []
    for layer in sorted(rule.layers, key=lambda layer: -math.prod(least[layer.name])):
        rows, columns = least[layer.name]
        if (rows, columns) == (1, 1) and len(layer.shape_of(granularity)) == 1:
            found[layer.name] = (1, 1)
            continue
        if groups:
            wide, together = groups[-1]
            if wide[0] >= rows and wide[1] >= columns and math.prod(size) // math.prod(wide) >= TOGETHER:
                together.append(layer)
                continue
        while rows * columns * MOST < math.prod(size):
            rows, columns = (rows + 1, columns) if rows <= columns else (rows, columns + 1)
        groups.append(((rows, columns), [layer]))
    for (rows, columns), together in groups:
        grids = [layer.grid for layer in together if layer.grid is not None and len(layer.grid) == 2]
        spread = [
            _spread(distance, size[axis], max([1, *(size[axis] // grid[axis] for grid in grids)]))
            for axis, distance in enumerate((rows, columns))
        ]
        found.update({layer.name: (spread[0], spread[1]) for layer in together})
    return found


def _spread(least: int, size: int, period: int) -> int:
    """The distance, hardly above `least`, whose multiples within `size` leave the smallest gaps within a period.

    A kernel of a convolution writes to some of the pixels that an upsampling makes of a position. So the pixels of a
    lattice stand on as many different ones of them as can be.
    """

    def gap(distance: int) -> int:
        places = sorted({place % period for place in range(0, size, distance)})
        return max(
            after - place for place, after in zip(places, [*places[1:], places[0] + period], strict=True)
        )

    return min(
        range(least, min(size, least + 1 + least // 4) + 1), key=lambda distance: (gap(distance), distance)
    )
