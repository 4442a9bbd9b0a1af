"""Directions of activations against planted ones, and against plain linear algebra."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from tests.small_models import Mlp


class Planted(nn.Module):
    """A layer whose units are non-negative mixtures of two patterns of the image, each on its own half."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        patterns = torch.zeros(2, 6, 8)
        patterns[0, :, :4] = 1 + torch.rand(6, 4)
        patterns[1, :, 4:] = 2 + torch.rand(6, 4)
        self.register_buffer("patterns", patterns)
        self.mix = torch.tensor([[3.0, 0, 4, 0], [0, 1, 0, 0]])
        self.last = nn.Conv2d(4, 3, 1)

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        x = torch.einsum("kyx,ku->uyx", self.patterns, self.mix)
        return self.last((x * (1 + 0 * t))[None])


@pytest.fixture(scope="module")
def planted() -> cw.Canvas:
    return cw.trace(cw.INR.from_frames(Planted(), 3), "gated", progress=False)


def test_nmf_finds_the_planted_directions_and_traces_them(planted) -> None:
    found = cw.analysis.directions(planted, "last", "nmf", 2)
    np.testing.assert_allclose(found.basis[0] ** 2, [0.36, 0, 0.64, 0], atol=1e-4)
    np.testing.assert_allclose(found.basis[1] ** 2, [0, 1, 0, 0], atol=1e-4)
    assert found.explained[-1] == pytest.approx(1, abs=1e-6)
    maps = planted.directions("last", found).maps("last", [0, 1])
    assert np.abs(maps[0, :, 4:]).max() < 1e-4 * np.abs(maps).max()  # each writes its own half only
    assert np.abs(maps[1, :, :4]).max() < 1e-4 * np.abs(maps).max()


def test_pca_is_the_singular_vectors_of_the_centred_activations() -> None:
    torch.manual_seed(1)
    canvas = cw.trace(cw.INR.from_coords(Mlp([2, 7, 3], nn.GELU, True), (9, 8)), progress=False)
    found = cw.analysis.directions(canvas, "layers.1", k=5)
    activations = canvas.activations("layers.1").astype(np.float64)
    _, _, vectors = np.linalg.svd(activations - activations.mean(0))
    np.testing.assert_allclose(np.abs((found.basis * vectors[:5]).sum(1)), 1, atol=1e-4)
    fits = [
        np.linalg.lstsq(found.basis[:count].T.astype(np.float64), activations.T, rcond=None)[0]
        for count in range(1, 6)
    ]
    rest = [
        ((activations.T - found.basis[: len(fit)].T @ fit) ** 2).sum() / (activations**2).sum()
        for fit in fits
    ]
    np.testing.assert_allclose(found.explained, 1 - np.array(rest), atol=1e-5)
    assert "5 of 7 units" in repr(found)
    assert found.plot().lines


def test_several_runs_and_frames(planted) -> None:
    both = cw.analysis.directions(cw.Runs([planted, planted]), "last", k=1, frames=[0, -1])
    assert both.mean()["explained"].n == 2
    one = cw.analysis.directions(planted, "last", k=1, frames=[2])
    assert one.frames == (2,)
    assert one.n_positions == 48


def test_what_is_refused(planted) -> None:
    with pytest.raises(ValueError, match="method='svd': expected 'pca' or 'nmf'"):
        cw.analysis.directions(planted, "last", "svd")
    with pytest.raises(ValueError, match="k=9: at most 4"):
        cw.analysis.directions(planted, "last", k=9)
    canvas = cw.trace(cw.INR.from_coords(Mlp([2, 4, 3], nn.GELU, True), (4, 4)), progress=False)
    with pytest.raises(ValueError, match="method='nmf'.*negative"):
        cw.analysis.directions(canvas, "layers.0", "nmf", 1)
    with pytest.raises(ValueError, match="at least one"):
        cw.analysis.directions(planted, "last", frames=[])
