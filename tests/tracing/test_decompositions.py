"""Each op that is written in simpler ops while it is recorded gives what torch gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.capture.ops import aten
from canvaswidget.tracing.capture.rewrite.decompositions import DECOMPOSITIONS


def random(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"is_causal": True},
        {"scale": 0.3},
        {"attn_mask": random(5, 5) > 0.3},
        {"attn_mask": random(5, 5)},
        {"enable_gqa": True},
    ],
    ids=lambda options: ", ".join(options) or "plain",
)
def test_attention(options: dict[str, Any]) -> None:
    heads = 2 if "enable_gqa" in options else 4
    query, key, value = random(1, 4, 5, 6), random(1, heads, 5, 6), random(1, heads, 5, 6)
    expected = F.scaled_dot_product_attention(query, key, value, **options)
    found = DECOMPOSITIONS[aten.scaled_dot_product_attention.default](query, key, value, **options)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("op", "arguments"),
    [
        (aten.bilinear.default, (random(4, 3), random(4, 2), random(5, 3, 2), random(5))),
        (aten.bilinear.default, (random(4, 3), random(4, 2), random(5, 3, 2))),
        (aten.masked_fill.Tensor, (random(3, 4), random(3, 4) > 0.5, torch.tensor(2.0).double())),
        (aten.masked_scatter.default, (random(3, 4), random(4) > 0.4, random(12))),
        (aten.take.default, (random(3, 4), torch.tensor([[0, 11], [5, -1]]))),
        (aten.clamp.Tensor, (random(3, 4), random(4) / 2, random(3, 1) / 2 + 0.5)),
        (aten.clamp.Tensor, (random(3, 4), None, random(4))),
    ],
    ids=lambda given: str(given) if not isinstance(given, tuple) else "",
)
def test_other_ops(op: Any, arguments: tuple[Any, ...]) -> None:
    torch.testing.assert_close(DECOMPOSITIONS[op](*arguments), op(*arguments))


class Strided(nn.Module):
    """Every second value, and the first of them again, by strides."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(2, 8), nn.Linear(5, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = torch.sin(self.first(x)).contiguous()
        half = hidden.as_strided((len(x), 4), (8, 2), 1)
        return self.last(torch.cat([half, hidden.as_strided((len(x), 1), (8, 0))], 1))


def test_a_view_by_strides_is_followed() -> None:
    canvas = cw.trace(cw.INR.from_coords(Strided().double().eval(), (3, 4)), "gated")
    assert not canvas.coverage().of("opaque")
    assert [layer.name for layer in canvas.traced_layers] == ["first", "last"]
    assert canvas.check().all_hold
