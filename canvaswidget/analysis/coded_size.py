"""How many bits a network with quantised and pruned weights takes: counted plainly, and with an entropy code.

Of each layer that is quantised or pruned there are

    kept weights x bits  +  grids x (32 + 32)  +  neurons x 1

bits: the symbols, a minimum and a step for each grid, and, where the layer is pruned, one bit that says whether a
neuron is kept. A layer that is pruned only has the bits of its own type for each kept weight, and no grid. All other
parameters (biases, norms, layers that stay) have the bits of their type. Buffers, and what the INR holds outside its
module, such as embeddings, are not counted.

An entropy code takes the place of the symbols' bits and of the neurons' by their Shannon entropy: kept weights times
the entropy of the layer's symbols, neurons times that of the share that is kept. Huffman's code, which the code of NeRV
uses, comes within one bit a symbol of it; its table of codes is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from canvaswidget.analysis.quantiser import GRID_BITS
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.layer_weight import parameter_of
from canvaswidget.tracing.layers import Layer


class Size(NamedTuple):
    """Bits of a whole network."""

    plain: float
    entropy: float


@dataclass(frozen=True, eq=False)
class Coded:
    """How one layer's weight is stored.

    Attributes
    ----------
    symbols : torch.Tensor
        Those that are kept, one axis; empty where the layer is not quantised.
    bits : int
        Of each: of a symbol, or of a weight in its own type.
    n_kept : int
        Symbols, or weights in their own type.
    n_grids : int
    n_neurons, n_removed : int
        0 where the layer is not pruned.
    """

    symbols: torch.Tensor
    bits: int
    n_kept: int
    n_grids: int = 0
    n_neurons: int = 0
    n_removed: int = 0

    @property
    def size(self) -> Size:
        """Of the layer."""
        grids = 2 * GRID_BITS * self.n_grids
        each = (
            entropy(np.unique(self.symbols.cpu(), return_counts=True)[1]) if len(self.symbols) else self.bits
        )
        mask = self.n_neurons * entropy(np.array([self.n_removed, self.n_neurons - self.n_removed]))
        return Size(self.n_kept * self.bits + grids + self.n_neurons, self.n_kept * each + grids + mask)


def entropy(counts: np.ndarray) -> float:
    """Shannon's, in bits a symbol, of how often each symbol occurs."""
    known = counts[counts > 0] / max(counts.sum(), 1)
    return float(-(known * np.log2(known)).sum()) + 0.0


def network_size(capture: Capture, coded: Mapping[Layer, Coded]) -> Size:
    """Of a network of which some layers are stored otherwise than in their own type."""
    own = {parameter_of(capture, layer)[0] for layer in coded}
    others = sum(
        bits_of(parameter) for name, parameter in capture.inr.module.named_parameters() if name not in own
    )
    sizes = [one.size for one in coded.values()]
    return Size(others + sum(size.plain for size in sizes), others + sum(size.entropy for size in sizes))


def bits_of(tensor: torch.Tensor) -> int:
    """In its own type."""
    return 8 * tensor.element_size() * tensor.numel()
