"""Networks of pixel coordinates: MLPs with every activation, encoding and way to write a linear layer."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw
from tests.zoo.kind import Function, Kind, of_coordinates

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": torch.relu,
    "gelu": F.gelu,
    "gelu_tanh": lambda x: F.gelu(x, approximate="tanh"),
    "sine": lambda x: torch.sin(5.0 * x),
    "finer": lambda x: torch.sin(5.0 * (x.abs() + 1) * x),
    "gauss": lambda x: torch.exp(-((2.0 * x) ** 2)),
    "gabor": lambda x: torch.cos(5.0 * x) * torch.exp(-((2.0 * x) ** 2)),
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "silu": F.silu,
    "swish_by_hand": lambda x: x * torch.sigmoid(x),
    "softplus": F.softplus,
    "leaky": lambda x: F.leaky_relu(x, 0.2),
    "elu": F.elu,
    "sinc": torch.sinc,
    "clamped": lambda x: x.clamp(-0.5, 0.5),
}


class Mlp(nn.Module):
    """`nn.Linear` and one activation object for all layers."""

    def __init__(self, widths: list[int], activation: nn.Module) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(nn.Sequential(nn.Linear(a, b), activation) for a, b in itertools.pairwise(widths[:-1])),
            nn.Linear(widths[-2], widths[-1]),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


class Encoded(nn.Module):
    """An encoding before an MLP."""

    def __init__(self, encode: Callable[[torch.Tensor], torch.Tensor], n: int, hidden: int) -> None:
        super().__init__()
        self.encode, self.net = encode, Mlp([n, hidden, 3], nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(self.encode(x))


class RawLinear(nn.Module):
    """`F.linear` on raw parameters."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(widths))
        self.weights = nn.ParameterList(nn.Parameter(torch.randn(b, a)) for a, b in pairs)
        self.biases = nn.ParameterList(nn.Parameter(torch.randn(b)) for _, b in pairs)

    def layer(self, x: torch.Tensor, index: int) -> torch.Tensor:
        return F.linear(x, self.weights[index], self.biases[index])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for index in range(len(self.weights)):
            x = self.layer(torch.relu(x) if index else x, index)
        return x


class Matmul(RawLinear):
    """`x @ w.T`, then the bias added in place."""

    def layer(self, x: torch.Tensor, index: int) -> torch.Tensor:
        x = x @ self.weights[index].T
        x += self.biases[index]
        return x


class Pointwise(nn.Module):
    """An MLP as 1x1 convolutions."""

    def __init__(self, widths: list[int], size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in itertools.pairwise(widths))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.T.reshape(1, -1, *self.size)
        for index, conv in enumerate(self.convs):
            x = conv(torch.relu(x) if index else x)
        return x


class Wire(nn.Module):
    """Complex weights and the complex Gabor wavelet (WIRE)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(2, hidden)
        self.second = nn.Linear(hidden, hidden, dtype=torch.complex128)
        self.last = nn.Linear(hidden, 3, dtype=torch.complex128)

    @staticmethod
    def gabor(x: torch.Tensor) -> torch.Tensor:
        return torch.exp(1j * 4.0 * x - (2.0 * x).abs().square())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.gabor(self.second(self.gabor(self.first(x))))).real


class Multiplicative(nn.Module):
    """A Fourier multiplicative filter network."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.filters = nn.ModuleList(nn.Linear(2, hidden) for _ in range(3))
        self.linear = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(2))
        self.output = nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = torch.sin(self.filters[0](x))
        for index, linear in enumerate(self.linear):
            z = torch.sin(self.filters[index + 1](x)) * linear(z)
        return self.output(z)


class Modulated(nn.Module):
    """A SIREN whose features a second network scales, from a latent of the frame."""

    def __init__(self, hidden: int, latent: int) -> None:
        super().__init__()
        self.synthesis = nn.ModuleList([nn.Linear(2, hidden), nn.Linear(hidden, hidden)])
        self.modulator = nn.ModuleList([nn.Linear(latent, hidden), nn.Linear(hidden + latent, hidden)])
        self.last = nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        m = torch.relu(self.modulator[0](z))
        x = torch.sin(3.0 * self.synthesis[0](x)) * m
        m = torch.relu(self.modulator[1](torch.cat([m, z], -1)))
        x = torch.sin(3.0 * self.synthesis[1](x)) * m
        return self.last(x)


class Shifted(nn.Module):
    """A SIREN with shift modulations from a linear map of a learned latent (functa)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.randn(4))
        self.shifts = nn.Linear(4, hidden)
        self.first, self.last = nn.Linear(2, hidden), nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.sin(4.0 * (self.first(x) + self.shifts(self.latent))))


class FeatureGrid(nn.Module):
    """A dense grid of features, sampled bilinearly."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, channels, 4, 5))
        self.net = Mlp([channels, hidden, 3], nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = F.grid_sample(self.grid, x.flip(-1)[None, None], align_corners=True)
        return self.net(features[0, :, 0].T)


class HashedGrid(nn.Module):
    """A table of features, looked up and interpolated by hand."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(7, channels))
        self.net = Mlp([channels, hidden, 3], nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        place = (x + 1) * 3
        low = place.floor().long()
        part = place - low
        found = 0
        for dy in (0, 1):
            for dx in (0, 1):
                index = ((low[:, 0] + dy) * 31 + (low[:, 1] + dx) * 17) % len(self.table)
                weight = (part[:, 0] if dy else 1 - part[:, 0]) * (part[:, 1] if dx else 1 - part[:, 1])
                found = found + self.table[index] * weight[:, None]
        return self.net(found)


class SkipConcat(nn.Module):
    """The input joined to a hidden layer (DeepSDF, NeRF)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, hidden), nn.Linear(hidden + 2, hidden), nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.relu(self.a(x))
        h = F.silu(self.b(torch.cat([h, x], -1)))
        return self.c(h)


class SkipAdd(nn.Module):
    """Residual sine layers."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.sin(3.0 * self.a(x))
        h = h + 0.5 * torch.sin(self.b(h))
        h += torch.tanh(self.b(h))
        return torch.sigmoid(self.c(h))


class Normed(nn.Module):
    """Layer norm between linear layers."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.a, self.norm = nn.Linear(2, hidden), nn.LayerNorm(hidden)
        self.b, self.c = nn.Linear(hidden, hidden), nn.Linear(hidden, 3)
        nn.init.normal_(self.norm.weight)
        nn.init.normal_(self.norm.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(F.gelu(self.b(F.gelu(self.norm(self.a(x))))))


class Residual(nn.Module):
    """Two decoders whose images are added, one of them squared: an output of several branches."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.low, self.high = Mlp([2, hidden, 3], nn.ReLU()), Mlp([2, hidden, 3], nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.low(x) - 0.3 * self.high(x)).square()


def _widths(rng: random.Random, n_in: int = 2) -> list[int]:
    return [n_in, *(rng.randint(1, 6) for _ in range(2)), 3]


def _fourier(n: int) -> Callable[[torch.Tensor], torch.Tensor]:
    matrix = torch.randn(2, n, dtype=torch.float64)
    return lambda x: torch.cat([torch.sin(x @ matrix), torch.cos(x @ matrix)], -1)


def _octaves(n: int) -> Callable[[torch.Tensor], torch.Tensor]:
    def encode(x: torch.Tensor) -> torch.Tensor:
        phases = [2.0**octave * torch.pi * x for octave in range(n)]
        return torch.cat([x, *map(torch.sin, phases), *map(torch.cos, phases)], -1)

    return encode


class LearnedFourier(nn.Module):
    """Random Fourier features whose frequencies are learned, and so are a layer."""

    def __init__(self, n: int, hidden: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.randn(n, 2))
        self.net = Mlp([2 * n, hidden, 3], nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        phase = 2 * torch.pi * x @ self.frequencies.t()
        return self.net(torch.cat([phase.sin(), phase.cos()], -1))


def _with_activation(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[random.Random], cw.INR]:
    return lambda rng: of_coordinates(Mlp(_widths(rng), Function(function)), rng)


def _pointwise(rng: random.Random) -> cw.INR:
    size = (rng.randint(2, 5), rng.randint(2, 5))
    return cw.INR.from_coords(Pointwise(_widths(rng), size).double(), size)


def _modulated(rng: random.Random) -> cw.INR:
    model, latents = Modulated(rng.randint(2, 6), 3).double(), torch.randn(2, 3, dtype=torch.float64)
    coordinates = cw.INR.from_coords(model, (3, 4)).inputs

    def inputs(frame: int) -> tuple[torch.Tensor, torch.Tensor]:
        return coordinates(0), latents[frame]

    return cw.INR(model, inputs, (3, 4), 2)


def _kind(make: Callable[[int], nn.Module], *layers: str, **more: Any) -> Kind:
    return Kind(lambda rng: of_coordinates(make(rng.randint(2, 6)), rng), layers, **more)


_MLP = ("net.0.0", "net.1.0", "net.2")
KINDS: dict[str, Kind] = {
    **{f"mlp_{name}": Kind(_with_activation(function), _MLP) for name, function in ACTIVATIONS.items()},
    "mlp_of_video": Kind(lambda rng: of_coordinates(Mlp(_widths(rng, 3), nn.SiLU()), rng, n_frames=2), _MLP),
    "raw_linear": Kind(
        lambda rng: of_coordinates(RawLinear(_widths(rng)), rng), ("linear", "linear#2", "linear#3")
    ),
    "matmul": Kind(lambda rng: of_coordinates(Matmul(_widths(rng)), rng), ("matmul", "matmul#2", "matmul#3")),
    "pointwise_convolution": Kind(_pointwise, ("convs.0", "convs.1", "convs.2")),
    "wire": _kind(Wire, "first", "second", "last"),
    "multiplicative_filters": _kind(
        Multiplicative, "filters.0", "filters.1", "linear.0", "filters.2", "linear.1", "output"
    ),
    "modulated_siren": Kind(_modulated, ("modulator.0", "synthesis.0", "modulator.1", "synthesis.1", "last")),
    "shifted_siren": _kind(Shifted, "first", "shifts", "last"),
    "fourier_features": _kind(
        lambda n: Encoded(_fourier(n), 2 * n, n), "matmul", "matmul#2", "net.net.0.0", "net.net.1"
    ),
    "nerf_encoding": _kind(lambda n: Encoded(_octaves(n), 2 + 4 * n, n), "net.net.0.0", "net.net.1"),
    "learned_fourier": _kind(lambda n: LearnedFourier(n, n), "matmul", "net.net.0.0", "net.net.1"),
    "feature_grid": _kind(lambda n: FeatureGrid(n, n), "grid", "net.net.0.0", "net.net.1"),
    "hashed_grid": _kind(lambda n: HashedGrid(n, n), "table", "net.net.0.0", "net.net.1"),
    "skip_by_concatenation": _kind(SkipConcat, "a", "b", "c"),
    "skip_by_addition": _kind(SkipAdd, "a", "b", "b#2", "c"),
    "layer_norm": _kind(Normed, "a", "b", "c"),
    "two_branches": _kind(Residual, "low.net.0.0", "low.net.1", "high.net.0.0", "high.net.1"),
}
