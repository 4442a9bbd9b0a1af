"""Attention over constant tokens, weights made by networks, and weights that two layers share."""

from __future__ import annotations

import random
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw
from tests.zoo.kind import Kind, of_coordinates


class SelfAttention(nn.Module):
    """Self-attention over a grid of tokens that is a buffer; only the last step depends on the frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("grid", torch.rand(12, 2))
        self.xy, self.qkv = nn.Linear(2, width), nn.Linear(width, 3 * width)
        self.time, self.out = nn.Linear(1, width), nn.Linear(width, 3)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.xy(self.get_buffer("grid")))
        q, k, v = self.qkv(x).chunk(3, -1)
        y = torch.softmax(q @ k.T / q.shape[-1] ** 0.5, -1) @ v
        return self.out(y * torch.sin(self.time(t[:, None]))).T.reshape(1, 3, 3, 4)


class SelfAttentionByLinear(SelfAttention):
    """The same with `F.linear`, which multiplies by the second factor turned."""

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.xy(self.get_buffer("grid")))
        q, k, v = self.qkv(x).chunk(3, -1)
        y = F.linear(torch.softmax(F.linear(q, k) / q.shape[-1] ** 0.5, -1), v.T)
        return self.out(y * torch.sin(self.time(t[:, None]))).T.reshape(1, 3, 3, 4)


class CrossAttention(nn.Module):
    """Coordinates attend to learned tokens."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.tokens, self.heads = nn.Parameter(torch.rand(5, 4)), heads
        self.query = nn.Linear(2, width * heads)
        self.key, self.value = nn.Linear(4, width * heads), nn.Linear(4, width * heads)
        self.out = nn.Linear(width * heads, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.query(x), self.key(self.tokens), self.value(self.tokens)
        if self.heads == 1:
            return self.out(torch.softmax(q @ k.T / 2, -1) @ v)
        q, k, v = (one.unflatten(-1, (self.heads, -1)).transpose(0, 1) for one in (q, k, v))
        return self.out((torch.softmax(q @ k.mT, -1) @ v).transpose(0, 1).flatten(1))


class LinearAttention(CrossAttention):
    """Attention without a softmax: keys and values meet first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        k = F.elu(self.key(self.tokens)) + 1
        return self.out((F.elu(self.query(x)) + 1) @ (k.T @ self.value(self.tokens)))


class HyperNetwork(nn.Module):
    """A network that makes the first layer's weights of a latent, which are parts of that layer."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.latent = nn.Parameter(torch.rand(4))
        self.hyper = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3 * width))
        self.out = nn.Linear(width, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = self.hyper(self.latent)
        weight, bias = made[: -made.numel() // 3].reshape(-1, 2), made[-made.numel() // 3 :]
        return self.out(torch.sin(F.linear(x, weight, bias)))


class LowRank(nn.Module):
    """A weight that is a product of two."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(2, width), nn.Linear(width, 3)
        self.left, self.right = nn.Parameter(torch.rand(width, 2)), nn.Parameter(torch.rand(2, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(F.linear(torch.relu(self.first(x)), self.left @ self.right)))


def _tied(rng: random.Random) -> cw.INR:
    width = rng.randint(2, 5)
    net = nn.Sequential(
        *(nn.Linear(2, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh()),
        *(nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 3)),
    )
    net.get_submodule("4").weight = net.get_submodule("2").weight
    return of_coordinates(net, rng)


def _of_tokens(attention: type[SelfAttention], rng: random.Random) -> cw.INR:
    return cw.INR.from_frames(attention(rng.randint(2, 5)).double().eval(), 3)


_CROSS = ("query", "key", "value", "out")
KINDS: dict[str, Kind] = {
    "attention_of_constant_tokens": Kind(partial(_of_tokens, SelfAttention), ("xy", "qkv", "time", "out")),
    "attention_by_linear": Kind(partial(_of_tokens, SelfAttentionByLinear), ("xy", "qkv", "time", "out")),
    "attention_to_tokens": Kind(
        lambda rng: of_coordinates(CrossAttention(rng.randint(2, 4), 1), rng), _CROSS, ("value", "out")
    ),
    "heads_of_attention_to_tokens": Kind(
        lambda rng: of_coordinates(CrossAttention(rng.randint(2, 4), 2), rng), _CROSS, ("value", "out")
    ),
    "linear_attention": Kind(lambda rng: of_coordinates(LinearAttention(rng.randint(2, 4), 1), rng), ()),
    "hypernetwork": Kind(lambda rng: of_coordinates(HyperNetwork(rng.randint(2, 5)), rng), ("linear", "out")),
    "low_rank": Kind(
        lambda rng: of_coordinates(LowRank(rng.randint(3, 5)), rng), ("first", "linear", "last")
    ),
    "tied_weights": Kind(_tied, ("0", "2", "4", "6")),
}
