"""Networks with features between two layers made by ordinary ops: divisions, writes in place, masks, contractions."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from tests.zoo.kind import Kind, of_coordinates

Features = Callable[["Between", torch.Tensor], torch.Tensor]
MASK = torch.tensor([True, False, True, True])
FIRST = torch.tensor([0, 0])


class Between(nn.Module):
    """Layers `a` and `c`, and between them any function of the features and of a layer `b`."""

    def __init__(self, function: Features) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(2, 4), nn.Linear(4, 4), nn.Linear(4, 3)
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.c(self.function(self, torch.tanh(self.a(x))))


def _slice_written(s: Between, h: torch.Tensor) -> torch.Tensor:
    y = s.b(h)
    y[:, 0:3] = torch.sigmoid(y[:, 0:3])
    return y


def _column_written(s: Between, h: torch.Tensor) -> torch.Tensor:
    y = s.b(h)
    y[:, 0] = h[:, 1]
    y[:, 1] /= 2
    return y


def _filled(s: Between, h: torch.Tensor) -> torch.Tensor:
    y = torch.zeros_like(h)
    y[:, :2] = s.b(h)[:, :2]
    y[:, 2:] = h[:, 2:] * y[:, :2] / 2
    y[:, 3] = 0.4
    return y


def _masked_places_written(s: Between, h: torch.Tensor) -> torch.Tensor:
    y = s.b(h)
    y[h > 0] = h[h > 0]
    return y


def _places_written_twice(s: Between, h: torch.Tensor) -> torch.Tensor:
    y = s.b(h)
    y[:, [0, 2, 0]] = h[:, :3]
    return y


def _mixture(s: Between, h: torch.Tensor) -> torch.Tensor:
    weights = torch.softmax(s.b(h), -1)
    experts = [torch.sin(s.b(h)), torch.relu(h), torch.tanh(h)]
    return sum((weights[:, i : i + 1] * expert for i, expert in enumerate(experts)), torch.zeros_like(h))


def _adain(s: Between, h: torch.Tensor) -> torch.Tensor:
    style = s.b(h.mean(0))
    return (h - h.mean(0)) / h.std(0) * style + style.flip(0)


def _global_response(s: Between, h: torch.Tensor) -> torch.Tensor:
    y = s.b(h)
    energy = torch.norm(y, p=2, dim=0, keepdim=True)
    return y * (energy / (energy.mean(-1, keepdim=True) + 1e-6)) + y


def _shifted(s: Between, h: torch.Tensor) -> torch.Tensor:
    return torch.diff(s.b(h), prepend=torch.ones(len(h), 1, dtype=h.dtype))


def _scattered(s: Between, h: torch.Tensor) -> torch.Tensor:
    places = torch.tensor([[0, 1, 1, 3]]).expand(len(h), 4)
    return s.b(h).scatter(1, places, h).scatter(1, places[:, :1], 0.7)


def _chosen_places_written(s: Between, h: torch.Tensor) -> torch.Tensor:
    """Writes to as many rows as the values decide."""
    z, places = s.b(h).clone(), (h[:, 0] > 0).nonzero()[:, 0]
    z[places] = 2 * z[places]
    return z


def _measured_norms(s: Between, h: torch.Tensor) -> torch.Tensor:
    """Norms by what they measure in the frame, as torch's functions that also write or return the statistics."""
    z, statistics = s.b(h), (h.new_zeros(4), h.new_ones(4))
    of_batch = F.batch_norm(z, *statistics, training=True)
    of_row = F.instance_norm(z.T[None], *statistics, use_input_stats=True)[0].T
    return of_batch + of_row + torch.native_layer_norm(z, [4], h[0], None, 1e-5)[0]


def _one(x: torch.Tensor) -> torch.Tensor:
    return x.new_ones(())


FEATURES: dict[str, Features] = {
    "halved_residual": lambda s, h: (h + torch.sin(s.b(h))) / 2,
    "halved_product": lambda s, h: h * s.b(h) / 2,
    "over_norm": lambda s, h: s.b(h) / s.b(h).norm(dim=-1, keepdim=True),
    "over_deviation": lambda s, h: (h - h.mean(-1, keepdim=True)) / h.std(-1, keepdim=True),
    "over_whole_deviation": lambda s, h: s.b(h) / s.b(h).std(),
    "over_layer": lambda s, h: h / (1 + s.b(h) ** 2),
    "normalised": lambda s, h: F.normalize(s.b(h), dim=-1),
    "cosine_similarity": lambda s, h: h * F.cosine_similarity(h, s.b(h), dim=-1)[:, None],
    "adain": _adain,
    "global_response_norm": _global_response,
    "measured_norms": _measured_norms,
    "floor_division": lambda s, h: torch.div(s.b(h), 0.3, rounding_mode="floor") + s.b(h) % 0.3 + h,
    "differences_of_multiples": lambda s, h: (
        torch.rsub(s.b(h), 1, alpha=2) + torch.add(h, 0.5, alpha=3) - torch.rsub(s.b(h), h, alpha=0.3)
    ),
    "floor_division_operator": lambda s, h: torch.sin(s.b(h) // 0.3) + h // torch.tensor(0.2) + s.b(h) % 0.3,
    "slice_written": _slice_written,
    "column_written": _column_written,
    "zeros_filled": _filled,
    "masked_places_written": _masked_places_written,
    "places_written_twice": _places_written_twice,
    "chosen_places_written": _chosen_places_written,
    "piece_of_a_list": lambda s, h: F.glu(torch.cat([s.b(h), h], -1)) + torch.stack([h, s.b(h)], 1)[:, 0],
    "mixture": _mixture,
    "masked_fill_by_tensor": lambda s, h: (
        s.b(h).masked_fill(h > 0, 0.3 * _one(h)).masked_fill(~MASK, h[0, 0])
    ),
    "where_number": lambda s, h: torch.where(s.b(h) > 0, s.b(h), 0.5) + torch.where(MASK, 0.5, h),
    "where_two": lambda s, h: torch.where(h > 0, s.b(h), torch.sin(h)),
    "larger_of_two": lambda s, h: torch.maximum(s.b(h), h) - torch.fmin(s.b(h), 0.1 * _one(h)),
    "larger_of_two_by_other_names": lambda s, h: (
        torch.max(s.b(h), h) - torch.min(s.b(h), 0.1 * h) + s.b(h).clamp_min(h).clamp_max(0.5 + h)
    ),
    "clamped_by_layer": lambda s, h: torch.clamp(s.b(h), h - 0.2, h + 0.2),
    "scattered": _scattered,
    "index_filled": lambda s, h: s.b(h).index_fill(1, FIRST[:1], 0.4).index_copy(1, FIRST + 1, h[:, :2]),
    "differences": _shifted,
    "padded": lambda s, h: F.pad(s.b(h)[:, :3], (1, 0), value=0.7),
    "addmm": lambda s, h: torch.addmm(h, s.b(h), h.T @ h, alpha=0.3, beta=2.0),
    "baddbmm": lambda s, h: torch.baddbmm(h[None], s.b(h)[None], (h.T @ h)[None], alpha=0.3, beta=2.0)[0],
    "addbmm": lambda s, h: torch.addbmm(h, s.b(h)[None], (h.T @ h)[None], alpha=0.3, beta=2.0),
    "addmv": lambda s, h: h + torch.addmv(h[:, 0], s.b(h), h[0], alpha=0.3, beta=2.0)[:, None],
    "computed_bias": lambda s, h: F.linear(h, torch.eye(4, dtype=h.dtype).flip(0), s.b(h).mean(0)),
    "outer_product_of_itself": lambda s, h: torch.einsum("ni,nj->nij", h, h).sum(1) + s.b(h),
    "einsum_of_three": lambda s, h: torch.einsum("ni,ij,nj->ni", h, h.T @ h, s.b(h)),
    "einsum_of_one": lambda s, h: torch.einsum("nii->ni", s.b(h)[:, None, :] * h[..., None]),
    "spectrum": lambda s, h: torch.fft.fft(s.b(h)).abs(),
    "filtered_spectrum": lambda s, h: torch.fft.irfft(torch.fft.rfft(s.b(h)) * torch.fft.rfft(h), n=4),
    "complex": lambda s, h: torch.complex(s.b(h), h).abs(),
    "powers": lambda s, h: s.b(h)[:, :1] ** torch.arange(1, 5),
    "sorted": lambda s, h: s.b(h).sort(-1)[0] + s.b(h).median(-1, keepdim=True)[0],
}


# Where a call of `b` only makes a denominator, a mask or the weights of a mixture, which are frozen.
TRACED = {
    "over_norm": ("a", "b", "c"),
    "over_whole_deviation": ("a", "b", "c"),
    "over_layer": ("a", "c"),
    "mixture": ("a", "b#2", "c"),
    "where_number": ("a", "b#2", "c"),
    "piece_of_a_list": ("a", "b", "c"),
}


def _kind(name: str) -> Kind:
    return Kind(lambda rng: of_coordinates(Between(FEATURES[name]), rng), (), TRACED.get(name))


class Splines(nn.Module):
    """A layer of a Kolmogorov-Arnold network: B-splines by the recursion of Cox and de Boor."""

    def __init__(self, n_in: int, n_out: int, degree: int = 2) -> None:
        super().__init__()
        self.knots = torch.arange(-degree, 4 + degree, dtype=torch.float64) * 2 / 3 - 1
        self.base, self.degree = nn.Linear(n_in, n_out), degree
        self.coefficients = nn.Parameter(torch.randn(n_out, n_in * (3 + degree)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, knots = x[..., None], self.knots
        splines = ((x >= knots[:-1]) & (x < knots[1:])).to(x.dtype)
        for k in range(1, self.degree + 1):
            rising = (x - knots[: -k - 1]) / (knots[k:-1] - knots[: -k - 1]) * splines[..., :-1]
            falling = (knots[k + 1 :] - x) / (knots[k + 1 :] - knots[1:-k]) * splines[..., 1:]
            splines = rising + falling
        return self.base(F.silu(x[..., 0])) + F.linear(splines.flatten(1), self.coefficients)


class SparseExperts(nn.Module):
    """Each pixel by the expert that a gate chooses for it: shapes that values decide."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gate = nn.Linear(2, 2)
        self.experts = nn.ModuleList(
            nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 3)) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weights = torch.softmax(self.gate(x), -1)
        image = x.new_zeros(len(x), 3)
        for index, expert in enumerate(self.experts):
            chosen = weights.argmax(-1) == index
            image[chosen] = expert(x[chosen]) * weights[chosen, index : index + 1]
        return image


_EXPERTS = ("experts.0.0", "experts.0.2", "experts.1.0", "experts.1.2")
KINDS: dict[str, Kind] = {
    **{f"between_{name}": _kind(name) for name in FEATURES},
    "b_splines": Kind(
        lambda rng: of_coordinates(nn.Sequential(Splines(2, 3), Splines(3, 3)), rng),
        ("0.base", "0.linear", "1.base", "1.linear"),
    ),
    "sparse_experts": Kind(
        lambda rng: of_coordinates(SparseExperts(rng.randint(2, 4)), rng), ("gate", *_EXPERTS), _EXPERTS
    ),
}
