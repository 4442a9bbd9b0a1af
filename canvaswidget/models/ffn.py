"""FFN: an MLP over random Fourier features of pixel coordinates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from canvaswidget.arguments import checked, integer


class FourierFeatures(nn.Module):
    """``cat(sin(2 pi c B^T), cos(2 pi c B^T))`` (Tancik et al., NeurIPS 2020, section 5)."""

    B: torch.Tensor

    def __init__(self, in_features: int, n_frequencies: int, scale: float) -> None:
        super().__init__()
        self.register_buffer("B", torch.randn(n_frequencies, in_features) * scale)

    def forward(self, coordinates: torch.Tensor) -> torch.Tensor:
        angles = 2 * math.pi * coordinates @ self.B.T
        return torch.cat([torch.sin(angles), torch.cos(angles)], dim=-1)


class DenseLayer(nn.Module):
    """A linear layer and what follows it."""

    def __init__(self, in_features: int, out_features: int, activation: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features, out_features)
        self.activation = activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.activation(self.linear(x))


class FFN(nn.Module):
    """Coordinates ``(n, 2)`` in [-1, 1] to colours ``(n, channels)``, ReLU between layers.

    Parameter names are those of the XINC release: ``positional_encoding.B``, ``net.{i}.linear.weight``.

    Parameters
    ----------
    hidden : int
        Width of the hidden layers; also the number of Fourier frequencies unless ``n_frequencies`` is given.
    layers : int
        Number of linear layers, the output layer included.
    scale : float
        Standard deviation of the random frequencies.
    coordinates : {"each", "longest"}
        How pixels become coordinates; see `canvaswidget.models.coordinates.coordinate_grid`.
    size : (height, width), optional
        The size of the image it encodes, where it is known.
    """

    @checked(layers=integer(1, 1000))
    def __init__(
        self,
        hidden: int = 104,
        layers: int = 3,
        channels: int = 3,
        n_frequencies: int | None = None,
        scale: float = 10.0,
        coordinates: str = "longest",
        size: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if layers < 2:
            raise ValueError(f"layers={layers}: an FFN has at least 2 linear layers")
        n_frequencies = hidden if n_frequencies is None else n_frequencies
        self.config: dict[str, Any] = {
            "hidden": hidden,
            "layers": layers,
            "channels": channels,
            "n_frequencies": n_frequencies,
            "scale": scale,
            "coordinates": coordinates,
            "size": None if size is None else list(size),
        }
        self.coordinates = coordinates
        self.size = None if size is None else (int(size[0]), int(size[1]))
        self.positional_encoding = FourierFeatures(2, n_frequencies, scale)
        widths = [2 * n_frequencies, *[hidden] * (layers - 1), channels]
        self.net = nn.Sequential(
            *(
                DenseLayer(widths[i], widths[i + 1], nn.ReLU if i < layers - 1 else nn.Identity)
                for i in range(layers)
            )
        )

    def forward(self, coordinates: torch.Tensor) -> torch.Tensor:
        return self.net(self.positional_encoding(coordinates))
