"""Forwards with hidden state, side effects or randomness: which are harmless, and which make a recording wrong."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw


class Net(nn.Module):
    """A network of ``(y, x, t)``, with a counter, a buffer and whatever `forward` makes of them."""

    calls = 0
    seen: Any = None

    def __init__(self, function: Callable[[Net, torch.Tensor], torch.Tensor], hidden: int = 8) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, hidden), nn.Linear(hidden, 3)
        self.function = function
        self.log: list[int] = []
        self.by_call: dict[int, int] = {}
        self.generator = torch.Generator()
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(hidden))

    def net(self, x: torch.Tensor) -> torch.Tensor:
        return self.b(torch.relu(self.a(x)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def inr_of(
    function: Callable[[Net, torch.Tensor], torch.Tensor], n_frames: int = 8, **keywords: Any
) -> cw.INR:
    torch.manual_seed(0)
    return cw.INR.from_coords(Net(function), (3, 4), n_frames, **keywords)


def counting(net: Net, x: torch.Tensor) -> torch.Tensor:
    net.calls += 1
    net.log.append(net.calls)
    net.by_call[net.calls] = 1
    net.count += 1
    return net.net(x)


def seeding(net: Net, x: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(3)
    random.seed(1)
    np.random.seed(2)  # noqa: NPY002 - as people write it
    torch.rand(2, generator=net.generator)
    return net.net(x)


def keeping(net: Net, x: torch.Tensor) -> torch.Tensor:
    h = net.a(x)
    net.seen = h
    net.mean.copy_(h.mean(0))
    return net.b(torch.relu(h))


def writing_its_input(net: Net, x: torch.Tensor) -> torch.Tensor:
    y = net.net(x)
    x.mul_(0.5)
    return y


def asking_harmlessly(net: Net, x: torch.Tensor) -> torch.Tensor:
    assert float(x.min()) > -2
    return net.net(x) if x.shape[0] > 1 else x


def switched_off(net: Net, x: torch.Tensor) -> torch.Tensor:
    kept = torch.bernoulli(torch.ones_like(x))
    return net.net(kept * x + 0.0 * torch.randn_like(x) + torch.zeros_like(x).uniform_() * 0)


def in_any_order(net: Net, x: torch.Tensor) -> torch.Tensor:
    order = torch.randperm(len(x))
    return net.net(x[order])[torch.argsort(order)]


HARMLESS = [
    counting,
    seeding,
    keeping,
    writing_its_input,
    asking_harmlessly,
    switched_off,
    in_any_order,
]


def branching(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) * 2 if x[0, 2] > 0.3 else net.net(x)


def branching_late(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) * 2 if 0.4 < x[0, 2].item() < 0.5 else net.net(x)  # frame 5 of 8 alone


def rounding_time(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) + 0.1 * int((x[0, 2] + 1) * 10)


def listing_time(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) + x[0].tolist()[2]


def counting_in_the_image(net: Net, x: torch.Tensor) -> torch.Tensor:
    net.calls += 1
    return net.net(x) * net.calls


def counting_in_a_buffer(net: Net, x: torch.Tensor) -> torch.Tensor:
    net.count += 1
    return net.net(x) * net.count


def averaging(net: Net, x: torch.Tensor) -> torch.Tensor:
    h = net.a(x)
    net.mean.lerp_(h.mean(0), 0.5)
    return net.b(torch.relu(h - net.mean))


def keeping_the_first(net: Net, x: torch.Tensor) -> torch.Tensor:
    if net.seen is None:
        net.seen = float(x[0, 2])
    return net.net(x) + net.seen


def noisy(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) + 0.01 * torch.rand(len(x), 3)


def noisy_by_python(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) + random.random()


def noisy_by_numpy(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) + float(np.random.rand())  # noqa: NPY002 - as people write it


def dropping(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.b(F.dropout(torch.relu(net.a(x)), 0.5, training=True))


def seeded_noise(net: Net, x: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(3)
    return net.net(x) + torch.rand(len(x), 3)


def telling_the_time(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) + time.perf_counter_ns() % 10**6 / 1e5


COUNTS = [0]


def counting_in_a_global(net: Net, x: torch.Tensor) -> torch.Tensor:
    COUNTS[0] += 1
    return net.net(x) * COUNTS[0]


WRONG = [
    (counting_in_a_global, "hidden state outside the module", 0),
    (branching, "control flow", 7),
    (branching_late, "control flow", 5),
    (rounding_time, "control flow", 3),
    (listing_time, "control flow", 3),
    (counting_in_the_image, "hidden state", 0),
    (counting_in_a_buffer, "hidden state", 0),
    (averaging, "hidden state", 0),
    (keeping_the_first, "", 3),
    (noisy, "randomness", 0),
    (noisy_by_python, "randomness", 0),
    (noisy_by_numpy, "randomness", 0),
    (dropping, "randomness", 0),
    (seeded_noise, "randomness", 0),
    (telling_the_time, "randomness", 0),
]
