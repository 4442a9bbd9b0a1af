"""A small random decoder, and its canvas."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import canvaswidget as cw
from tests.small_models import Cnn


@pytest.fixture
def decoder() -> Cnn:
    torch.manual_seed(0)
    return Cnn([3, 2, 2], [3, 3, 3], [2, 2], (4, 5), nn.GELU, bias=True)


@pytest.fixture
def canvas(decoder: Cnn) -> cw.Canvas:
    return cw.trace(cw.INR.from_frames(decoder, 3))
