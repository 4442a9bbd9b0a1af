"""Networks whose weights are contracted by `einsum`, and networks that choose some of their values."""

from __future__ import annotations

import random
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw
from tests.zoo.kind import Function, Kind, of_coordinates, of_frames


class Spline(nn.Module):
    """A layer of a Kolmogorov-Arnold network: a sum of bumps of each input to each output, and a linear part."""

    def __init__(self, n_in: int, n_out: int, bumps: int = 3) -> None:
        super().__init__()
        self.base = nn.Linear(n_in, n_out)
        self.coefficients = nn.Parameter(torch.randn(n_out, n_in, bumps) / n_in)
        self.register_buffer("centres", torch.linspace(-1, 1, bumps))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bumps = torch.exp(-((2 * (x[..., None] - self.get_buffer("centres"))) ** 2))
        return self.base(F.silu(x)) + torch.einsum("nig,oig->no", bumps, self.coefficients)


class Contracted(nn.Module):
    """Linear layers as `einsum`, with an ellipsis and with the axes in another order."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(2, width))
        self.second = nn.Parameter(torch.randn(3, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(torch.einsum("...i,ih->h...", x, self.first))
        return torch.einsum("hn,oh", hidden, self.second)


class Heads(nn.Module):
    """A contraction that makes two axes, as attention's projections by hand do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.into = nn.Parameter(torch.randn(2, 2, width))
        self.out = nn.Parameter(torch.randn(2, width, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        heads = torch.tanh(torch.einsum("ni,ikh->nkh", x, self.into))
        return torch.einsum("nkh,kho->no", heads, self.out)


def _chosen(choose: Callable[[torch.Tensor], torch.Tensor], into: int, out: int) -> Kind:
    def make(rng: random.Random) -> cw.INR:
        net = nn.Sequential(
            nn.Linear(2, into), nn.Tanh(), nn.Linear(into, into), Function(choose), nn.Linear(out, 3)
        )
        return of_coordinates(net, rng)

    return Kind(make, ("0", "2", "4"))


def _two_largest(x: torch.Tensor) -> torch.Tensor:
    values, places = x.topk(2, dim=-1)
    return torch.zeros_like(x).scatter(-1, places, values)


class Pooled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Linear(1, 4 * 4 * 6)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Conv2d(4, 3, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = self.conv(self.stem(t[:, None]).view(-1, 4, 4, 6))
        return self.head(F.max_pool2d(x, 2))


def _kan(rng: random.Random) -> cw.INR:
    width = rng.randint(2, 5)
    return of_coordinates(nn.Sequential(Spline(2, width), Spline(width, 3)), rng)


KINDS: dict[str, Kind] = {
    "kolmogorov_arnold": Kind(_kan, ("0.base", "0.einsum", "1.base", "1.einsum")),
    "einsum": Kind(lambda rng: of_coordinates(Contracted(rng.randint(2, 5)), rng), ("einsum", "einsum#2")),
    "einsum_of_heads": Kind(
        lambda rng: of_coordinates(Heads(rng.randint(2, 4)), rng), ("einsum", "einsum#2")
    ),
    "maxout": _chosen(lambda x: x.unflatten(-1, (3, 2)).max(-1).values, 6, 3),
    "minout_kept": _chosen(lambda x: x.unflatten(-1, (3, 2)).amin(-1, keepdim=True).flatten(-2), 6, 3),
    "two_largest": _chosen(_two_largest, 5, 5),
    "max_pooled": Kind(lambda rng: of_frames(Pooled()), ("stem", "conv", "head")),
    "rms_norm": _chosen(nn.RMSNorm(4), 4, 4),
    "randomised_leaky": _chosen(nn.RReLU(), 4, 4),
}
