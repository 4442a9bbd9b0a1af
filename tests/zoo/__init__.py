"""Small INRs written in each of the ways that people write them, random in widths, sizes and weights."""

from __future__ import annotations

import random

import torch

import canvaswidget as cw
from tests.zoo import attention, contractions, convolutional, coordinates, forwards, graphs
from tests.zoo.kind import Kind

KINDS: dict[str, Kind] = {
    **coordinates.KINDS,
    **convolutional.KINDS,
    **forwards.KINDS,
    **contractions.KINDS,
    **graphs.KINDS,
    **attention.KINDS,
}


def build(name: str, seed: int) -> cw.INR:
    """A random model of a kind, in double precision and evaluation mode."""
    torch.manual_seed(seed)
    return KINDS[name].build(random.Random(seed))
