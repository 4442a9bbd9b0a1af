"""Which share of a model's parameters is in layers, and where the others are."""

from __future__ import annotations

import torch
from torch import nn

import canvaswidget as cw


class Grids(nn.Module):
    """A feature grid read by a linear layer, a norm, a scale, and an encoder that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.planes = nn.ParameterList([torch.randn(1, 10, 4, 5)])  # 200
        self.first, self.last = nn.Linear(10, 6), nn.Linear(6, 3)  # 66, 21
        self.norm = nn.LayerNorm(6)  # 12
        self.encoder = nn.Linear(9, 10)  # 100
        self.scale = nn.Parameter(torch.ones(1))  # 1

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        features = self.planes[0].flatten(2).transpose(1, 2)[0] * (1 + t)
        return self.last(torch.relu(self.norm(self.first(features)))) * self.scale


def test_layers_and_coverage_end_with_where_the_parameters_are() -> None:
    inr = cw.INR(Grids(), lambda frame: torch.tensor([frame / 2]), (4, 5), 2)
    canvas = cw.trace(inr, "gated")
    note = canvas.layers.note
    assert "22 % of 400 parameters are in layers" in note
    assert "planes.0 (50 %)" in note
    assert "ask for the units of 'first'" in note
    assert "norm.weight (1.5 %)" in note or "norm.weight (2 %)" in note
    assert "encoder.weight (22 %), encoder.bias (2 %)) reach nothing" in note
    assert repr(canvas.layers).endswith(note)
    assert note in canvas.layers._repr_html_().replace("&#x27;", "'")
    assert canvas.coverage().note.endswith(note)


def test_tied_and_computed_weights_are_in_layers() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
            self.b, self.c = nn.Linear(2, 2), nn.Linear(2, 3)
            self.b.weight = self.a.parametrizations.weight.original1

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.c(torch.relu(self.b(torch.relu(self.a(x)))))

    canvas = cw.trace(cw.INR.from_coords(Tied(), (3, 4)), "gated")
    assert canvas.layers.note == "100 % of 19 parameters are in layers"


class Mixture(nn.Module):
    """Layers that a softmax and a product end, a matrix for each group, a decomposed norm, a scale."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.gate, self.factor = nn.Linear(2, 4), nn.Linear(2, 2), nn.Linear(4, 4)  # 12, 6, 20
        self.groups = nn.Parameter(torch.randn(2, 2, 2))  # 8
        self.norm, self.scale = nn.RMSNorm(4), nn.Parameter(torch.ones(1))  # 4, 1
        self.last = nn.Linear(4, 3)  # 15

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.tanh(self.first(x))
        grouped = torch.einsum("ngi,gio->ngo", h.unflatten(1, (2, 2)), self.groups).flatten(1)
        gates = torch.softmax(self.gate(x), -1)
        made = torch.stack([grouped, self.factor(h)]).prod(0)
        return self.last(self.norm(gates[:, :1] * grouped + gates[:, 1:] * made) * self.scale)


def test_parameters_beside_layers_and_layers_that_a_rule_does_not_follow_are_named() -> None:
    canvas = cw.trace(cw.INR.from_coords(Mixture().double(), (3, 4)), "gated")
    note = canvas.coverage().note
    assert "80 % of 66 parameters are in layers" in note
    assert "12 % (groups (12 %)) in products that are no layers" in note
    assert "ask for the units of 'last'" in note
    assert "2 % (scale (2 %)) in grids, latents and other tensors" in note
    assert "6 % (norm.weight (6 %)) in norms" in note
    assert "39 % (factor (30 %), gate (9 %)) in layers that rule 'gated' does not follow" in note
    assert "not follow" not in canvas.under("ablation").coverage().note
