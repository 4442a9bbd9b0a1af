"""A network with feature grids in the widget: a pixel divides into what each level makes, and the layers behind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import canvaswidget as cw
from canvaswidget.kernel.quantise import colours
from tests.kernel.page import Page, selection, values

pytestmark = pytest.mark.usefixtures("unbuilt")

SIZE, PIXEL = (6, 7), (2, 5)


class TwoLevels(nn.Module):
    """A coarse and a fine grid of features, sampled at the coordinates and joined, and a linear head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.levels = nn.ParameterList([torch.randn(1, 3, 2, 3), torch.randn(1, 2, 5, 4)])
        self.head = nn.Linear(5, 3)

    def features(self, coords: torch.Tensor, level: int) -> torch.Tensor:
        places = coords.flip(-1)[None, None]
        return F.grid_sample(self.levels[level], places, align_corners=True)[0, :, 0].T

    def forward(self, coords: torch.Tensor) -> torch.Tensor:
        return self.head(torch.cat([self.features(coords, 0), self.features(coords, 1)], 1))


@pytest.fixture
def inr() -> cw.INR:
    return cw.INR.from_coords(TwoLevels(), SIZE)


def parts(inr: cw.INR) -> list[np.ndarray]:
    """By level, what each feature adds to each colour of each pixel, ``(n, h, w, 3)``: interpolation times the head."""
    model: Any = inr.module
    (coords,), _ = inr.arguments(0)
    weight, found, first = model.head.weight.detach(), [], 0
    for level in range(2):
        made = model.features(coords, level).detach()
        own = weight[:, first : first + made.shape[1]]
        first += made.shape[1]
        found.append((made.T[..., None] * own.T[:, None]).reshape(-1, *SIZE, 3).numpy())
    return found


@pytest.mark.parametrize("rule", ["gated", "ablation"])
def test_a_pixel_divides_into_what_each_level_makes(pages, inr: cw.INR, rule: str) -> None:
    page: Page = pages(cw.trace(inr, rule, device="cpu"))
    names = ["levels.0", "levels.1", "head"]
    assert [layer.name for layer in page.session.canvas.traced_layers] == names
    chosen = selection("levels.1", [1])
    told, _ = page.ask(kind="pixel", time=0, pixel=[*PIXEL], k=5, selection=chosen)
    shares = {share["layer"]: share for share in told["layers"]}
    by_level = parts(inr)
    for level, made in enumerate(by_level):
        share = shares[names[level]]
        at_pixel = np.abs(made[:, PIXEL[0], PIXEL[1]]).sum(1)
        assert share["n_neurons"] == len(made)
        assert share["total"] == pytest.approx(at_pixel.sum(), rel=1e-4)
    assert told["selected_signed"] == pytest.approx(by_level[1][1][PIXEL].sum(), rel=1e-4)
    best = told["neurons"][0]
    every = {
        (names[level], unit): np.abs(made[unit][PIXEL]).sum()
        for level, made in enumerate(by_level)
        for unit in range(len(made))
    }
    in_levels = [one for one in told["neurons"] if one["layer"] != "head"]
    for one in in_levels:
        assert one["magnitude"] == pytest.approx(every[one["layer"], one["neuron"][0]], rel=1e-4)
    assert best["magnitude"] == max(one["magnitude"] for one in told["neurons"])


def test_the_map_of_a_feature_and_the_picture_without_a_level(pages, inr: cw.INR) -> None:
    page: Page = pages(cw.trace(inr, "gated", device="cpu"))
    made = parts(inr)
    body, data = page.ask(kind="map", time=0, selection=selection("levels.0", [2]))
    expected = made[0][2].sum(-1)
    step = (body["high"] - body["low"]) / 255
    np.testing.assert_allclose(values(body, data)[0], expected, atol=0.51 * step + 1e-6)
    out = [{"layer": "levels.1", "neurons": [[0], [1]]}]
    _, data = page.ask(kind="frame", time=0, source="ablated", ablated=out)
    left = inr.frame(0) - made[1].sum(0)
    np.testing.assert_allclose(data.reshape(*SIZE, 3).astype(int), colours(left).astype(int), atol=1)
