"""What estimates of totals are made from: running sums, which more passes are added to."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from canvaswidget.tracing.layers import Layer

Doubles = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float32]


@dataclass
class Tally:
    """Of one layer: sums over the clusters that were drawn and over the sketches. Passes don't make it grow.

    Attributes
    ----------
    magnitudes, squares, with_count : (n,)
        Over clusters, of the sum of each neuron's magnitudes in it: the sum, the sum of squares, and of products with
        the number of pairs.
    pair_magnitudes : (n,)
        Over pairs, of each neuron's squared magnitudes.
    pixels : (height, width)
        The sum over neurons of magnitudes, at the pairs that were drawn.
    log_sketches : (n,)
        Over sketches, of the logarithm of the magnitude of each neuron's map summed with Cauchy weights.
    signed : (n,)
        The sum of each neuron's map, which one pass gives exactly.
    drawn, sketches : int
        Clusters and sketches.
    pairs, pair_squares : int
        The clusters' pairs, and the sum of their squared numbers.
    log_pixels : (colours, height, width), or None
        Over pixel sketches, of the logarithm of the magnitude of each pixel summed over neurons with Cauchy weights.
    signed_pixels : (height, width), or None
        The sum of all maps, which one pass gives exactly.
    pixel_sketches : int
    """

    magnitudes: Doubles
    squares: Doubles
    with_count: Doubles
    pair_magnitudes: Doubles
    pixels: Doubles
    log_sketches: Doubles
    signed: Floats | None = None
    drawn: int = 0
    sketches: int = 0
    pairs: int = 0
    pair_squares: int = 0
    log_pixels: Floats | None = None
    signed_pixels: Floats | None = None
    pixel_sketches: int = 0

    @classmethod
    def empty(cls, n_neurons: int, size: tuple[int, int]) -> Tally:
        magnitudes, squares, with_count, of_pairs, logs = (np.zeros(n_neurons) for _ in range(5))
        return cls(magnitudes, squares, with_count, of_pairs, np.zeros(size), logs)

    @property
    def passes(self) -> int:
        """That it cost."""
        exact = (self.signed is not None) + (self.signed_pixels is not None)
        return exact + self.drawn + self.sketches + self.pixel_sketches

    @property
    def n_bytes(self) -> int:
        return sum(value.nbytes for value in vars(self).values() if isinstance(value, np.ndarray))


@dataclass
class Sample:
    """Everything that further passes go on from: `Summary.sample`.

    It is of one frame, granularity and choice of colours; layers have tallies of their own. The clusters of a layer are
    drawn in an order that the seed decides, so that more of them include those before.
    """

    frame: int
    granularity: str | None
    rgb: str
    seed: int
    tallies: dict[str, Tally] = field(default_factory=dict)

    def n_bytes(self, layer: Layer) -> int:
        """What it keeps of a layer."""
        return self.tallies[layer.name].n_bytes
