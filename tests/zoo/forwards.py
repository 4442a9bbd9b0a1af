"""Forwards with the odd things people write: computed weights, nested inputs and outputs, clocks, assertions."""

from __future__ import annotations

import random
import time
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations

import canvaswidget as cw
from tests.zoo.coordinates import Mlp
from tests.zoo.kind import Kind, of_coordinates, of_frames


class Quantised(nn.Module):
    """Convolutions whose weights are rounded in the forward (FFNeRV), and masked (HiNeRV)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, channels, 3, 4))
        self.conv, self.head = nn.Conv2d(channels, 8, 3, padding=1), nn.Conv2d(2, 3, 3, padding=1)
        self.register_buffer("mask", (torch.rand_like(self.head.weight) > 0.3).to(torch.float64))

    @staticmethod
    def rounded(weight: torch.Tensor, bits: int = 4) -> torch.Tensor:
        scale = weight.abs().max() / (2 ** (bits - 1) - 1)
        return weight + ((weight / scale).round() * scale - weight).detach()

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = F.conv2d(self.grid * (1 + t), self.rounded(self.conv.weight), self.conv.bias, padding=1)
        x = F.gelu(F.pixel_shuffle(x, 2))
        return F.conv2d(x, self.head.weight * self.mask, self.head.bias, padding=1)


class Parametrised(nn.Module):
    """Weight norm, computed in every forward."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.first = parametrizations.weight_norm(nn.Linear(2, hidden))
        self.last = parametrizations.weight_norm(nn.Linear(hidden, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.first(x)))


class Nested(nn.Module):
    """Inputs by name, a list of images in a dict, and things beside them."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.net = Mlp([2, hidden, 3], nn.Tanh())

    def forward(self, *, coordinates: torch.Tensor, options: dict[str, torch.Tensor]) -> dict[str, Any]:
        image = self.net(coordinates * options["zoom"])
        return {"loss": image.square().mean(), "images": [image], "n": len(image)}


class Listed(nn.Module):
    """A list of images at several sizes, the last of which counts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, channels, 3, 4))
        self.first, self.head = nn.Conv2d(channels, 12, 3, padding=1), nn.Conv2d(3, 3, 1)

    def forward(self, t: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
        x = F.pixel_shuffle(self.first(self.grid + t), 2)
        return [x[..., ::2, ::2], torch.sigmoid(self.head(x))], t


class Eventful(nn.Module):
    """Time stamps, a device sync, an assertion on values, an encoder that is not used, dropout, `if x is None`."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.encoder = nn.Linear(2, hidden)
        self.net = Mlp([2, hidden, hidden, 3], nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.embedding = nn.Parameter(torch.zeros(2))

    def forward(self, x: torch.Tensor | None = None, given: torch.Tensor | None = None) -> Any:
        start = time.time()
        if x is None:
            x = given
        assert x is not None
        assert torch.isfinite(x).all(), "coordinates"
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        unused = self.encoder(x)
        if float(x.min()) < -1.5:
            x = x / 2
        image = self.net(self.dropout(x + self.embedding))
        del unused
        return image, time.time() - start


class InPlace(nn.Module):
    """In-place ops on what other ops still read."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.a(x)
        kept = h.clone()
        h.relu_().mul_(0.7)
        kept[:, 0] = 0.25
        g = self.b(h)
        g.add_(kept).sin_()
        return self.c(g)


class Rounded(nn.Module):
    """A rounding of features by position, which no gate can follow: an op that stops what reaches it."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.a(x))
        return self.c(torch.cumprod(self.b(h), -1) + h)


def _nested(rng: random.Random) -> cw.INR:
    model = Nested(rng.randint(2, 5)).double()
    coordinates = cw.INR.from_coords(model, (3, 4)).inputs

    def inputs(frame: int) -> dict[str, Any]:
        zoom = torch.tensor(1.0 + frame, dtype=torch.float64)
        return {"coordinates": coordinates(0), "options": {"zoom": zoom}}

    return cw.INR(model, inputs, (3, 4), 2)


KINDS: dict[str, Kind] = {
    "quantised_and_masked": Kind(lambda rng: of_frames(Quantised(rng.randint(1, 3))), ("conv", "head")),
    "weight_norm": Kind(lambda rng: of_coordinates(Parametrised(rng.randint(2, 5)), rng), ("first", "last")),
    "dict_in_dict_out": Kind(_nested, ("net.net.0.0", "net.net.1")),
    "list_out": Kind(lambda rng: of_frames(Listed(rng.randint(1, 3)), (6, 8)), ("first", "head")),
    "eventful": Kind(
        lambda rng: of_coordinates(Eventful(rng.randint(2, 5)), rng),
        ("net.net.0.0", "net.net.1.0", "net.net.2"),
    ),
    "in_place": Kind(lambda rng: of_coordinates(InPlace(rng.randint(2, 5)), rng), ("a", "b", "c")),
    "opaque": Kind(
        lambda rng: of_coordinates(Rounded(rng.randint(2, 5)), rng),
        ("a", "b", "c"),
        traced=("a", "c"),
        opaque=("cumprod",),
    ),
}
