"""One small reference model of each kind."""

from __future__ import annotations

import torch
from torch import nn

from canvaswidget.models import (
    FFN,
    SIREN,
    HNeRVDecoder,
    NeRV,
)


def small_models() -> list[nn.Module]:
    torch.manual_seed(0)
    return [
        FFN(hidden=7, layers=3, size=(4, 5)),
        SIREN(hidden=6, layers=3, size=(4, 5)),
        NeRV(fc_dim=6, fc_hw="2_3", dec_strds=[2, 2], n_frames=3),
        HNeRVDecoder(in_channels=4, fc_dim=6, dec_strds=[2, 2]),
    ]
