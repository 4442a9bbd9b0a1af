"""Random networks of ordinary ops: what `gated` follows adds up, and what it can't follow is said by name."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.neurons import all_neurons

WIDTH, SIZE = 4, (2, 3)
Tensors = list[torch.Tensor]
Op = Callable[[random.Random, Tensors], torch.Tensor]


def _pick(rng: random.Random, values: Tensors) -> torch.Tensor:
    return values[-1] if rng.random() < 0.6 else rng.choice(values)


def _constant(rng: random.Random, like: torch.Tensor) -> torch.Tensor:
    return like.new_tensor([rng.uniform(-1, 1) for _ in range(WIDTH)])


def _one(function: Callable[[torch.Tensor], torch.Tensor]) -> Op:
    return lambda rng, values: function(_pick(rng, values))


def _two(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Op:
    return lambda rng, values: function(_pick(rng, values), _pick(rng, values))


def _fixed(function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Op:
    def apply(rng: random.Random, values: Tensors) -> torch.Tensor:
        x = _pick(rng, values)
        return function(x, _constant(rng, x))

    return apply


def _written(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[:, 1:3] = y[:, :2]
    x[:, 0] *= y[:, 3]
    x[y > 0.3] = 0.1
    return x


def _listed(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[:, [0, 2, 0]] = y[:, :3]
    return x


def _attention(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(x[None], y[None], y[None])[0]


def _experts(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    weights = torch.softmax(y, -1)
    return sum((weights[:, i : i + 1] * x.roll(i, -1) for i in range(3)), torch.zeros_like(x))


PLACES = torch.tensor([[0, 1, 1, 3]])
OPS: dict[str, Op] = {
    "sin": _one(torch.sin),
    "relu": _one(torch.relu),
    "gelu": _one(F.gelu),
    "softplus": _one(F.softplus),
    "square": _one(lambda x: x * x),
    "sigmoid_times": _one(lambda x: x * torch.sigmoid(x)),
    "soft_root": _one(lambda x: (1 + x * x).sqrt() / 2),
    "rounded": _one(lambda x: x + (x * 4).round()),
    "add": _two(lambda x, y: torch.add(x, y, alpha=0.3)),
    "subtract": _two(lambda x, y: torch.sub(x, y, alpha=-0.7)),
    "multiply": _two(lambda x, y: x * y / 2),
    "divide": _two(lambda x, y: x / (1 + y.abs())),
    "average": _two(lambda x, y: (x + torch.sin(y)) / 2),
    "addcmul": _two(lambda x, y: torch.addcmul(x, x, y, value=0.3)),
    "addmm": _two(lambda x, y: torch.addmm(y, x, y.T @ x, alpha=0.1, beta=0.5)),
    "lerp": _two(lambda x, y: torch.lerp(x, y, 0.3)),
    "maximum": _two(torch.maximum),
    "clamped": _two(lambda x, y: torch.clamp(x, y - 0.3, y + 0.3)),
    "where": _two(lambda x, y: torch.where(x > 0, x, y)),
    "where_number": _one(lambda x: torch.where(x > 0, x, 0.5)),
    "masked_fill": _two(lambda x, y: x.masked_fill(y > 0, y[0, 0])),
    "scale": _fixed(lambda x, c: x * c),
    "shift": _fixed(lambda x, c: x + c),
    "threshold": _fixed(lambda x, c: torch.maximum(x, c)),
    "fixed_fill": _fixed(lambda x, c: torch.where(c > 0, x, c)),
    "fixed_difference": _fixed(lambda x, c: torch.diff(x, prepend=c[:1].expand(len(x), 1))),
    "written": _two(_written),
    "listed": _two(_listed),
    "scatter": _two(lambda x, y: x.scatter(1, PLACES.expand(len(x), 4), y).scatter(1, PLACES[:, :1], 0.7)),
    "scatter_add": _two(lambda x, y: x.scatter_add(1, PLACES.expand(len(x), 4), y)),
    "index_fill": _one(lambda x: x.index_fill(1, PLACES[0, :2], 0.4)),
    "gather": _one(lambda x: x.gather(1, x.argsort(-1).roll(1, 1))),
    "sort": _one(lambda x: x.sort(-1)[0]),
    "cat": _two(lambda x, y: torch.cat([x.chunk(2, -1)[1], y.chunk(2, -1)[0]], -1)),
    "stack": _two(lambda x, y: torch.stack([x, y], 1).mean(1)),
    "pad": _one(lambda x: F.pad(x[:, :3], (0, 1), value=0.2)),
    "reflected": _one(lambda x: F.pad(x[None, :, 1:3], (1, 1), "reflect")[0]),
    "roll": _one(lambda x: x.roll(1, -1).flip(0)),
    "cumsum": _one(lambda x: x.cumsum(-1) / 2),
    "centred": _one(lambda x: x - x.mean(-1, keepdim=True)),
    "largest": _one(lambda x: x - x.amax(-1, keepdim=True) / 2),
    "standardised": _one(lambda x: (x - x.mean(0)) / (x.std(0) + 0.1)),
    "normalised": _one(lambda x: F.normalize(x, dim=-1)),
    "layer_norm": _fixed(lambda x, c: F.layer_norm(x, (WIDTH,), c, c.flip(0))),
    "pooled": _one(lambda x: F.max_pool1d(F.avg_pool1d(x[None], 3, 1, 1), 3, 1, 1)[0]),
    "outer": _two(lambda x, y: torch.einsum("ni,nj->nij", x, y).mean(1)),
    "gram": _two(lambda x, y: torch.einsum("ni,mi,mj->nj", x, y, y) / 4),
    "product": _two(lambda x, y: x @ (y.T @ y) / 4),
    "self_outer": _one(lambda x: torch.einsum("ni,nj->nij", x, x).mean(-1)),
    "attention": _two(_attention),
    "experts": _two(_experts),
    "spectrum": _one(lambda x: torch.fft.fft(x).abs() / 4),
    "filtered": _two(lambda x, y: torch.fft.irfft(torch.fft.rfft(x) * torch.fft.rfft(y), n=4) / 2),
    "powers": _one(lambda x: torch.tanh(x[:, :1]) ** torch.arange(1, 5)),
    "detached": _two(lambda x, y: x * y.detach()),
    # No rule follows these.
    "products": _one(lambda x: torch.tanh(x).prod(-1, keepdim=True) + x),
    "log_sum_exp": _one(lambda x: x - x.logsumexp(-1, keepdim=True)),
    "two_powers": _two(lambda x, y: (1 + x.abs()) ** torch.tanh(y)),
}


class Graph(nn.Module):
    """Layers with random ops between them; any later op may use any earlier value."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.seed = seed
        self.first, self.last = nn.Linear(2, WIDTH), nn.Linear(WIDTH, 3)
        self.hidden = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rng = random.Random(self.seed)
        values = [torch.tanh(self.first(x))]
        for hidden in self.hidden:
            for name in rng.choices(list(OPS), k=2):
                values.append(OPS[name](rng, values))
            values.append(hidden(values[-1]) / 2)
        values.append(OPS[rng.choice(list(OPS))](rng, values))
        return self.last(values[-1] + rng.choice(values))


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.repeats) for seed in range(8, 24))]
)
def test_what_is_followed_adds_up_and_what_is_not_is_named(seed: int) -> None:
    canvas = cw.trace(cw.INR.from_coords(Graph(seed).double(), SIZE), "gated")
    image, opaque = canvas.frame(), canvas.coverage().of("opaque")
    for layer in canvas.layers:
        if layer not in canvas.traced_layers:
            with pytest.raises(cw.UntraceableError, match=layer.name):
                canvas.map(layer, 0)
            continue
        maps = canvas.maps(layer, all_neurons(layer, "kernel"), rgb="each")
        close = {"rtol": 1e-5, "atol": 1e-5 * float(np.abs(maps).max() + np.abs(image).max())}
        column = canvas.pixel(1, 2, layers=layer, granularity="kernel", rgb="each")[layer.name]
        np.testing.assert_allclose(column.reshape(-1, 3), maps[:, 1, 2], **close)
        total = maps.sum(0) + canvas.remainder(layer)
        if not opaque:
            np.testing.assert_allclose(total, image, **close)
    assert opaque or canvas.check().all_hold
    ablation, last = canvas.under("ablation"), canvas.layers[-1]
    neurons = all_neurons(last, "unit")
    np.testing.assert_allclose(canvas.maps(last, neurons), ablation.maps(last, neurons), rtol=1e-5, atol=1e-5)
    for layer in ablation.traced_layers:
        assert np.isfinite(ablation.maps(layer, all_neurons(layer, "unit"))).all()
