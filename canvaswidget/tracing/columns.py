"""Whole columns of a layer's magnitudes, at lattices of pixels in a random order.

A column is every neuron's magnitude at one pixel: the sum over colours of absolute contributions, so each pixel takes a
pass for every colour. A lattice of pixels that are far enough apart shares these passes, see `lattices`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.tracing.accuracy import LEVEL
from canvaswidget.tracing.cauchy import cauchy_errors, cauchy_scale, log_magnitudes
from canvaswidget.tracing.lattices import Clusters, spacings
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import Matrix, as_numpy
from canvaswidget.tracing.neurons import at_granularity
from canvaswidget.tracing.rules import AdditiveRule
from canvaswidget.tracing.rules.base import channel_weights
from canvaswidget.tracing.sketches import sketched

Pixels = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

SKETCHES = 16  # backward passes that see all pixels of a frame
SURE = 0.999  # of wider ones: all neurons' errors have the same sign, so one may be sure of many at once


class Norms(NamedTuple):
    """Estimates of every neuron's total ``(n,)``, with 95% intervals; it surely lies in those of `least` and `most`.

    All are 0 for a neuron that contributes nothing, whose total is 0 for certain.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    least: FloatArray
    most: FloatArray


class Columns:
    """Columns of one layer on one frame or several, drawn without replacement: a lattice a draw.

    Neither the order of the lattices nor a number depends on the memory budget.

    Attributes
    ----------
    layer : Layer
    frames : tuple of int
    size : (height, width)
    n_neurons : int
    rgb : str
        How magnitudes add colours.
    seed : int
    spacing : (rows, columns)
        How far apart pixels must be that share passes.
    passes : int
        Of the model, so far.
    """

    def __init__(
        self,
        matrix: Matrix,
        layer: Layer,
        frames: Sequence[int],
        granularity: str | None,
        rgb: str,
        seed: int,
    ) -> None:
        self.layer, self.frames, self.size, self.rgb = layer, tuple(frames), matrix.inr.size, rgb
        self.seed = seed
        self.n_neurons = math.prod(layer.shape_of(granularity))
        self.passes = 0
        self._matrix, self._granularity = matrix, granularity
        self._rule = cast(AdditiveRule, matrix.rule)
        self._by_unit = {layer.name: len(layer.shape_of(granularity)) == 1}
        self._colours = channel_weights(matrix.n_channels, rgb).to(matrix.device)
        self.spacing = self._rule.spacing(layer)
        self._lattices = Clusters(self.size, spacings(self._rule, self.size, granularity)[layer.name], 1)
        self._order = np.random.default_rng([seed, len(self._lattices)]).permutation(len(self._lattices))

    def __len__(self) -> int:
        """How many lattices all pixels make."""
        return len(self._lattices)

    @property
    def lattice_spacing(self) -> tuple[int, int]:
        """How many rows and columns apart the pixels of a lattice are: as far as `spacing`, or further."""
        return self._lattices.spacing

    @property
    def passes_a_draw(self) -> int:
        """What a lattice costs."""
        return len(self._colours) * len(self.frames)

    def lattice(self, number: int) -> Pixels:
        """The pixels ``(m, 2)`` of the lattice with this number in the random order."""
        return self._lattices.pairs(int(self._order[number]))[0].numpy()

    def at(self, pixels: Pixels) -> Iterator[tuple[slice, list[torch.Tensor]]]:
        """The columns of pixels that are at least `spacing` apart, some pixels at a time.

        Yields
        ------
        which : slice
            Of the pixels.
        magnitudes : list of (k, n)
            Of each frame, float32.
        """
        places = torch.from_numpy(pixels).to(self._matrix.device)
        passes = [[self._pass(places, colour, frame) for colour in self._colours] for frame in self.frames]
        self.passes += self.passes_a_draw
        done = 0
        while done < len(pixels):
            which, magnitudes = slice(done, done), []
            for one in passes:
                total: Any = 0.0
                for part in one:  # all passes divide the pixels in the same way
                    _, which, values = next(part)
                    total = total + values.flatten(1).abs()
                magnitudes.append(total.float())
            yield which, magnitudes
            done = which.stop

    def norms(self, frame: int) -> Norms:
        """Every neuron's total on a frame, from passes that see all pixels."""
        state, sums = self._matrix.frame(frame).state, np.zeros(self.n_neurons)
        for number in range(SKETCHES):
            seed = int(np.random.SeedSequence([self.seed, 1, number]).generate_state(1)[0])
            sums_of_maps = sketched(self._rule, [self.layer], state, self._colours, self.size, seed)
            kernels = sums_of_maps[self.layer.name]
            sums += log_magnitudes(as_numpy(at_granularity(kernels, self.layer, self._granularity).flatten()))
            self.passes += 1
        scale = cauchy_scale(sums, SKETCHES).astype(np.float32)
        below, above = cauchy_errors(SKETCHES, LEVEL)
        surely_below, surely_above = cauchy_errors(SKETCHES, SURE)
        return Norms(scale, scale / above, scale / below, scale / surely_above, scale / surely_below)

    def summed(self, frame: int, neurons: Pixels | None = None) -> FloatArray:
        """The sum of the maps of some neurons, all by default: exact, ``(height, width, channels)``, from one pass.

        Parameters
        ----------
        neurons : (k,), optional
            Flat indices.
        """
        layer, shape = self.layer, self.layer.shape_of(self._granularity)
        factors = torch.ones(self.n_neurons)
        if neurons is not None:
            factors.zero_()[torch.from_numpy(np.asarray(neurons, np.int64))] = 1
        factors = factors.view(1, layer.n_units, -1 if len(shape) == 2 else 1).to(self._matrix.device)
        state = self._matrix.frame(frame).state
        with torch.no_grad():
            factors = factors.expand(1, layer.n_units, layer.outputs_per_unit)
            image = self._rule.combined(layer, state, factors)[0]
        self.passes += 1
        return as_numpy(image.permute(1, 2, 0))

    def _pass(
        self, places: torch.Tensor, colour: torch.Tensor, frame: int
    ) -> Iterator[tuple[str, slice, torch.Tensor]]:
        state = self._matrix.frame(frame).state
        weights = colour.expand(len(places), -1)
        return self._rule.contributions([self.layer], state, places, weights, self._by_unit)
