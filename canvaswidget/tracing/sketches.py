"""A backward pass that sees all pixels: every neuron's map summed up with random weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.rules import AdditiveRule, State


def sketched(
    rule: AdditiveRule,
    layers: Sequence[Layer],
    state: State,
    colours: torch.Tensor,
    size: tuple[int, int],
    seed: int,
) -> dict[str, torch.Tensor]:
    """Sums of every kernel's map with a standard Cauchy weight for each pixel and colour; see `cauchy`.

    Parameters
    ----------
    colours : (n_colours, channels)
        Weights of the output's channels, of each colour.
    size : (height, width)
    seed : int
        Of the weights.

    Returns
    -------
    dict of str to tensor
        By layer, ``(n_in, n_out / n_groups)``.
    """
    weights = torch.empty(len(colours), *size).cauchy_(generator=torch.Generator().manual_seed(seed))
    image = torch.einsum("cyx,cd->dyx", weights.to(colours.device), colours)
    return rule.weighted(list(layers), state, image)
