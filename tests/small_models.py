"""Random small models of every family the rules are defined on, for property tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from tests.oracle import ConvBlock, conv_maps, linear_maps

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "gelu": nn.GELU,
    "gelu-tanh": lambda: nn.GELU(approximate="tanh"),
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "leaky": lambda: nn.LeakyReLU(0.2),
    "silu": nn.SiLU,
    "sine": lambda: Sine(7.0),
}


class Sine(nn.Module):
    def __init__(self, omega: float) -> None:
        super().__init__()
        self.omega = omega

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(self.omega * x)


@dataclass
class SmallModel:
    """An INR and its maps by the plain oracle, ``{layer: (*neurons, height, width)}``."""

    inr: cw.INR
    maps: dict[str, torch.Tensor]


class Mlp(nn.Module):
    def __init__(self, widths: list[int], activation: Callable[[], nn.Module], bias: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=bias) for a, b in itertools.pairwise(widths))
        self.activation = activation()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = self.activation(layer(x))
        return self.layers[-1](x)


class Cnn(nn.Module):
    """A learned grid, blocks of convolution, pixel shuffle and activation, and a head."""

    def __init__(
        self,
        channels: list[int],
        kernel_sizes: list[int],
        upscales: list[int],
        grid: tuple[int, int],
        activation: Callable[[], nn.Module],
        bias: bool,
    ) -> None:
        super().__init__()
        self.grid = nn.Parameter(torch.randn(1, channels[0], *grid))
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b * s * s, k, padding=k // 2, bias=bias)
            for a, b, k, s in zip(channels, channels[1:], kernel_sizes, upscales, strict=False)
        )
        self.shuffles = nn.ModuleList(nn.PixelShuffle(s) if s > 1 else nn.Identity() for s in upscales)
        self.activation = activation()
        self.head = nn.Conv2d(channels[-1], 3, kernel_sizes[-1], padding=kernel_sizes[-1] // 2, bias=bias)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = self.grid * (1 + t)
        for conv, shuffle in zip(self.convs, self.shuffles, strict=True):
            x = self.activation(shuffle(conv(x)))
        return self.head(x)


@st.composite
def mlps(draw: st.DrawFn, min_hidden: int = 0) -> SmallModel:
    torch.manual_seed(draw(st.integers(0, 10**6)))
    size = draw(st.tuples(st.integers(1, 6), st.integers(1, 7)))
    hidden = draw(st.lists(st.integers(1, 7), min_size=min_hidden, max_size=3))
    make = ACTIVATIONS[draw(st.sampled_from(sorted(ACTIVATIONS)))]
    model = Mlp([2, *hidden, 3], make, draw(st.booleans())).double()
    inr = cw.INR.from_coords(model, size)
    (x,), _ = inr.arguments(0)
    maps = {}
    with torch.no_grad():
        for index, layer in enumerate(model.layers):
            last = index == len(model.layers) - 1
            maps[f"layers.{index}"] = linear_maps(layer, x, size, None if last else model.activation)
            x = model.activation(layer(x))
    return SmallModel(inr, maps)


@st.composite
def cnns(draw: st.DrawFn, head_sizes: tuple[int, ...] = (1, 3, 5)) -> SmallModel:
    torch.manual_seed(draw(st.integers(0, 10**6)))
    grid = draw(st.tuples(st.integers(1, 4), st.integers(1, 5)))
    depth = draw(st.integers(1, 3))
    upscales = draw(st.lists(st.integers(1, 3), min_size=depth, max_size=depth))
    channels = draw(st.lists(st.integers(1, 3), min_size=depth + 1, max_size=depth + 1))
    kernel_sizes = draw(st.lists(st.sampled_from([1, 3, 5]), min_size=depth, max_size=depth))
    kernel_sizes.append(draw(st.sampled_from(head_sizes)))
    make = ACTIVATIONS[draw(st.sampled_from(sorted(ACTIVATIONS)))]
    bias = draw(st.booleans())
    model = Cnn(channels, kernel_sizes, upscales, grid, make, bias).double()
    inr = cw.INR.from_frames(model, n_frames=2)
    blocks = [ConvBlock(conv, s, model.activation) for conv, s in zip(model.convs, upscales, strict=True)]
    blocks.append(ConvBlock(model.head))
    maps = {}
    with torch.no_grad():
        (t,), _ = inr.arguments(1)
        x = model.grid * (1 + t)
        for index, block in enumerate(blocks):
            name = f"convs.{index}" if index < len(blocks) - 1 else "head"
            maps[name] = conv_maps(blocks[index:], x)
            if block.activation is not None:
                x = block.activation(nn.functional.pixel_shuffle(block.conv(x), block.upscale))
    return SmallModel(inr, maps)


class Branching(nn.Module):
    """A forward that goes another way where a weight is negative."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, 4), nn.Linear(4, 3)
        self.side = nn.Parameter(torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.relu(self.first(x))
        return self.last(hidden if self.side > 0 else -hidden)


def learnt_nerv(steps: int) -> tuple[cw.models.NeRV, float]:
    """A NeRV of two frames of 32x64 that has learnt the first, far enough that its maps have edges; and its error."""
    torch.manual_seed(0)
    model = cw.models.NeRV(
        embed="pe_1.25_4", fc_dim=6, fc_hw="4_8", dec_strds=(2, 2, 2), lower_width=4, n_frames=2
    )
    y, x = torch.linspace(0, 1, 32)[:, None], torch.linspace(0, 1, 64)[None]
    disc = ((x - 0.4) ** 2 + (y - 0.5) ** 2 < 0.06).float()
    signal = torch.stack([0.5 + 0.4 * torch.sin(6 * x + 0 * y), 0.5 + 0.4 * torch.sin(9 * y * x), disc], 0)
    optimiser, error = torch.optim.Adam(model.parameters(), 5e-3), float("inf")
    for _ in range(steps):
        loss = ((model(torch.tensor([0.0]))[0] - signal) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        error = float(loss.detach())
    return model.eval(), error
