"""SIREN: an MLP with sine activations (Sitzmann et al., NeurIPS 2020)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from canvaswidget.arguments import checked, integer


class SineLayer(nn.Module):
    """``sin(omega_0 (W x + b))`` with the initialisation of the paper, section 3.2."""

    def __init__(self, in_features: int, out_features: int, omega_0: float, is_first: bool) -> None:
        super().__init__()
        self.omega_0 = omega_0
        self.linear = nn.Linear(in_features, out_features)
        bound = 1 / in_features if is_first else math.sqrt(6 / in_features) / omega_0
        nn.init.uniform_(self.linear.weight, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.omega_0 * self.linear(x))


class SIREN(nn.Module):
    """Coordinates ``(n, 2)`` in [-1, 1] to colours ``(n, channels)``.

    Parameter names are those of the authors' notebook: ``net.{i}.linear.weight`` for the sine layers and
    ``net.{last}.weight`` for the linear output layer.

    Parameters
    ----------
    hidden : int
        Width of the hidden layers.
    layers : int
        Number of linear layers, the output layer included.
    first_omega_0, hidden_omega_0 : float
        Frequency of the first and of the other sine layers.
    coordinates : {"each", "longest"}
        How pixels become coordinates; see `canvaswidget.models.coordinates.coordinate_grid`.
    size : (height, width), optional
        The size of the image it encodes, where it is known.
    """

    @checked(layers=integer(1, 1000))
    def __init__(
        self,
        hidden: int = 128,
        layers: int = 4,
        channels: int = 3,
        first_omega_0: float = 30.0,
        hidden_omega_0: float = 30.0,
        coordinates: str = "each",
        size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"layers={layers}: a SIREN has at least 2 linear layers")
        self.config: dict[str, Any] = {
            "hidden": hidden,
            "layers": layers,
            "channels": channels,
            "first_omega_0": first_omega_0,
            "hidden_omega_0": hidden_omega_0,
            "coordinates": coordinates,
            "size": None if size is None else list(size),
        }
        self.coordinates = coordinates
        self.size = None if size is None else (int(size[0]), int(size[1]))
        sines: list[nn.Module] = [
            SineLayer(
                2 if i == 0 else hidden, hidden, hidden_omega_0 if i else first_omega_0, is_first=i == 0
            )
            for i in range(layers - 1)
        ]
        last = nn.Linear(hidden, channels)
        bound = math.sqrt(6 / hidden) / hidden_omega_0
        nn.init.uniform_(last.weight, -bound, bound)
        self.net = nn.Sequential(*sines, last)

    def forward(self, coordinates: torch.Tensor) -> torch.Tensor:
        return self.net(coordinates)
