"""Latents of a sparse autoencoder against surgery by a hook, and against what must hold for any encoder."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.exchange import exchange
from tests.small_models import Cnn, Mlp, SmallModel, cnns, mlps

CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}


class SparseAutoencoder(nn.Module):
    """``relu((x - b_d) W_e^T + b_e)``, and back by rows of a decoder that are not of length 1."""

    def __init__(self, n_units: int, n_latents: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def drawn(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.randn(*shape, generator=generator, dtype=torch.float64))

        self.decoder, self.shift = drawn(n_latents, n_units), drawn(n_units)
        self.weight, self.bias = drawn(n_latents, n_units), drawn(n_latents)

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu((x - self.shift) @ self.weight.T + self.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.encode(x) @ self.decoder + self.shift


def units_last(values: torch.Tensor, layer: Any) -> torch.Tensor:
    return values if layer.op == "linear" else values.movedim(1, -1)


def without(
    inr: cw.INR, layer: Any, encode: Callable[[torch.Tensor], torch.Tensor], row: Any, latent: int, frame: int
) -> np.ndarray:
    """The image of a copy that reads ``x - row * encode(x)[latent]`` at a layer, by a hook on its input."""
    module = copy.deepcopy(inr.module)

    def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        rows = units_last(inputs[0], layer)
        taken = encode(rows)[..., latent, None] * row
        return (inputs[0] - (taken if layer.op == "linear" else taken.movedim(-1, 1)),)

    module.get_submodule(layer.name).register_forward_pre_hook(hook)
    return cw.INR(module, inr.inputs, inr.size, inr.n_frames).frame(frame)


@given(small=st.one_of(mlps(), cnns()), data=st.data())
def test_every_rule_against_a_hook_and_each_other(small: SmallModel, data: st.DataObject) -> None:
    inr, frame = small.inr, small.inr.n_frames - 1
    gated = cw.trace(inr, "gated", progress=False)
    layer = data.draw(st.sampled_from(list(gated.layers)))
    count = data.draw(st.integers(1, 2 * layer.n_units))
    autoencoder = SparseAutoencoder(layer.n_units, count, data.draw(st.integers(0, 99)))
    latent = data.draw(st.integers(0, count - 1))
    traced = gated.directions(layer.name, autoencoder.decoder, encoder=autoencoder.encode)
    with torch.no_grad():
        rendered = without(inr, layer, autoencoder.encode, autoencoder.decoder[latent], latent, frame)
    expected = gated.frame(frame) - rendered
    scale = max(float(np.abs(expected).max()), float(np.abs(gated.frame(frame)).max()), 1e-3)
    close: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
    found = traced.under("ablation").map(layer.name, latent, frame, rgb="each")
    np.testing.assert_allclose(found / scale, expected / scale, **close)
    np.testing.assert_allclose(
        traced.ablate({layer.name: [latent]}, frame) / scale, rendered / scale, **close
    )
    maps = traced.maps(layer.name, range(count), frame, rgb="each")
    if layer.name == gated.layers[-1].name:  # where gated is ablation
        np.testing.assert_allclose(maps[latent] / scale, expected / scale, **close)
    np.testing.assert_allclose(traced.frame(frame) / scale, gated.frame(frame) / scale, **close)
    sizes = max(scale, float(np.abs(maps).sum(0).max()))
    total = maps.sum(0) + traced.remainder(layer.name, frame)
    np.testing.assert_allclose(total / sizes, gated.frame(frame) / sizes, rtol=1e-4, atol=1e-5)
    assert traced.check(frame, progress=False).all_hold
    y, x = (data.draw(st.integers(0, side - 1)) for side in inr.size)
    column = traced.pixel(y, x, frame, granularity="unit")[layer.name]
    np.testing.assert_allclose(column / sizes, maps.sum(-1)[:, y, x] / sizes, rtol=1e-4, atol=1e-5)
    for other in gated.layers:
        if other.name != layer.name:
            np.testing.assert_allclose(
                traced.map(other.name, 0, frame) / sizes,
                gated.map(other.name, 0, frame) / sizes,
                rtol=1e-4,
                atol=1e-5,
            )


def planted() -> tuple[cw.INR, np.ndarray, np.ndarray]:
    """A picture of two concepts, sparse in place, that are written to eight units along oblique rows; and both."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2, 8))
    places = np.zeros((2, 6, 5))
    places[0, :2], places[1, 3:, 2:] = 1.5, 0.5 + rng.random((3, 3))

    class Picture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(8, 3).double()
            self.places = torch.from_numpy(places.reshape(2, -1).T)
            self.rows = torch.from_numpy(rows)

        def forward(self, coords: torch.Tensor) -> torch.Tensor:
            return self.last(self.places @ self.rows + 0 * coords.sum(-1, keepdim=True))

    torch.manual_seed(1)
    return cw.INR.from_coords(Picture(), (6, 5)), rows, places


def test_planted_latents_come_out_where_they_were_put() -> None:
    inr, rows, places = planted()
    # Of 16 latents 3 and 11 are the planted ones; the others read noise that is below their threshold.
    rng = np.random.default_rng(2)
    decoder = rng.normal(size=(16, 8))
    decoder[[3, 11]] = rows
    reader = torch.zeros(16, 8, dtype=torch.float64)
    reader[[3, 11]] = torch.from_numpy(np.linalg.pinv(rows).T)
    bias = torch.full((16,), -0.1, dtype=torch.float64)
    bias[[3, 11]] = 0

    def encode(x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ reader.T + bias)

    canvas = cw.trace(inr, "gated", progress=False)
    traced = canvas.directions("last", decoder, encoder=encode)
    assert traced.layers.find("last").has_latents
    assert "16 latents" in repr(traced.layers)
    found = traced.activations("last").T.reshape(16, 6, 5)
    np.testing.assert_allclose(found[[3, 11]], places, **CLOSE)
    assert not found[[one for one in range(16) if one not in (3, 11)]].any()
    written = rows @ inr.module.last.weight.detach().numpy().T  # what one of each adds to the three colours
    maps = traced.maps("last", range(16), rgb="each")
    np.testing.assert_allclose(maps[[3, 11]], places[..., None] * written[:, None, None], **CLOSE)
    left = traced.remainder("last")  # no error of the reconstruction: the layer's own bias
    np.testing.assert_allclose(left, np.broadcast_to(inr.module.last.bias.detach(), left.shape), **CLOSE)
    # The least-squares fit to as many rows is spread over all of them.
    fitted = canvas.directions("last", decoder).activations("last").T.reshape(16, 6, 5)
    assert (np.abs(fitted).sum((1, 2)) > 1e-3).all()


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_a_linear_encoder_that_is_the_pseudo_inverse_gives_the_directions(rule: str) -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Mlp([2, 6, 5, 3], nn.ReLU, True).double(), (4, 5))
    canvas = cw.trace(inr, rule, progress=False)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0][:3]
    reader = torch.from_numpy(np.linalg.pinv(basis))
    for layer in ("layers.2",) if rule == "xinc" else ("layers.1", "layers.2"):
        rows = basis if layer == "layers.2" else np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
        reader = torch.from_numpy(np.linalg.pinv(rows))
        found = canvas.directions(layer, rows, encoder=lambda x, reader=reader: x @ reader)
        expected = canvas.directions(layer, rows)
        np.testing.assert_allclose(
            found.maps(layer, range(len(rows))), expected.maps(layer, range(len(rows))), **CLOSE
        )


def test_encoders_that_torch_can_not_follow() -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_frames(Cnn([2, 4, 3], [3, 3, 3], [2, 1], (3, 4), nn.ReLU, True).double(), 2)
    canvas, decoder = cw.trace(inr, "gated", progress=False), torch.randn(9, 4, dtype=torch.float64)

    def strongest(x: torch.Tensor) -> torch.Tensor:
        amounts = x @ decoder.T
        values, places = amounts.topk(2)
        return torch.zeros_like(amounts).scatter(1, places, values.relu())

    layer = canvas.layers[1]
    traced = canvas.directions(layer, decoder, encoder=strongest)
    assert ((traced.activations(layer.name, 1) > 0).sum(1) <= 2).all()
    assert traced.check(1, progress=False).all_hold
    assert traced.coverage().of("opaque") == canvas.coverage().of("opaque")
    first = canvas.layers[0].name
    np.testing.assert_allclose(traced.map(first, (0, 0), 1), canvas.map(first, (0, 0), 1), **CLOSE)
    np.testing.assert_allclose(
        traced.under("ablation").maps(first, [(0, 0), (1, 1)], 1),
        canvas.under("ablation").maps(first, [(0, 0), (1, 1)], 1),
        **CLOSE,
    )

    def by_numpy(x: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.maximum(x.numpy() @ decoder.numpy().T, 0))

    plain = canvas.directions(layer, decoder, encoder=lambda x: torch.relu(x @ decoder.T))
    one = canvas.directions(layer, decoder, encoder=by_numpy)
    np.testing.assert_allclose(one.maps(layer.name, range(9)), plain.maps(layer.name, range(9)), **CLOSE)
    np.testing.assert_allclose(
        one.under("ablation").maps(first, [(0, 0), (1, 1)]),
        canvas.under("ablation").maps(first, [(0, 0), (1, 1)]),
        **CLOSE,
    )


def test_what_else_is_asked_of_a_canvas(tmp_path, widgets) -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_frames(Cnn([2, 4, 3], [3, 3, 3], [2, 1], (3, 4), nn.ReLU, True), 2)
    canvas, autoencoder = cw.trace(inr, "gated", progress=False), SparseAutoencoder(4, 6)
    layer = canvas.layers[1]
    traced = canvas.directions(layer, autoencoder.decoder, encoder=autoencoder.encode)
    before = traced.maps(layer.name, range(6))
    with torch.no_grad():
        autoencoder.weight.zero_()  # it is trained on
    traced.forget()
    np.testing.assert_array_equal(traced.maps(layer.name, range(6)), before)
    assert traced.summary(layer.name).neuron_abs.shape == (6,)
    assert cw.analysis.faithfulness(traced, layer.name, subsets=2).n_neurons == 6
    kept = SparseAutoencoder(4, 6)
    with torch.no_grad():
        expected = without(inr, layer, kept.float().encode, kept.decoder[2] / 2, 2, 0)
    np.testing.assert_allclose(traced.edit({layer.name: {2: 0.5}}), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(cw.UntraceableError, match="directions already"):
        traced.directions(layer.name, np.eye(6))
    recipe = widgets(traced).recipe()
    assert "# basis, encoder: decoder and encoder of 6 latents" in recipe
    assert f"canvas = canvas.directions({layer.name!r}, basis, encoder=encoder)" in recipe
    traced.save(tmp_path / "turned.zarr", maps="all", progress=False)
    saved = cw.open(tmp_path / "turned.zarr")
    assert saved.layers.find(layer.name).has_latents
    np.testing.assert_allclose(saved.map(layer.name, 2), traced.map(layer.name, 2), rtol=2e-2, atol=1e-3)
    with pytest.raises(cw.tracing.NotKeptError, match="can't trace directions"):
        saved.directions(layer.name, np.eye(4), encoder=autoencoder)


def test_other_weights_take_the_same_encoder() -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Mlp([2, 6, 5, 3], nn.ReLU, True), (4, 5))
    moved = {name: one + 0.1 * torch.randn_like(one) for name, one in inr.module.state_dict().items()}
    other, autoencoder = inr.with_weights(moved), SparseAutoencoder(5, 9)

    def turned(canvas: cw.Canvas) -> cw.Canvas:
        return canvas.directions("layers.2", autoencoder.decoder, encoder=autoencoder.encode)

    first = turned(cw.trace(inr, "gated", progress=False))
    found = exchange(first, other).maps("layers.2", range(9))
    expected = turned(cw.trace(other, "gated", progress=False)).maps("layers.2", range(9))
    np.testing.assert_allclose(found, expected, **CLOSE)
    assert np.abs(found - first.maps("layers.2", range(9))).max() > 1e-3


@pytest.mark.parametrize(
    ("encoder", "error", "words"),
    [
        ("relu", TypeError, "encoder='relu': expected a module or a function"),
        (lambda x: x.numpy(), TypeError, "encoder: returned ndarray; expected a tensor"),
        (lambda x: x, ValueError, r"returned shape \(9, 4\) for rows \(9, 4\); expected \(9, 2\)"),
        (lambda x: x[:, :2] / 0, ValueError, "returned NaN or infinity"),
        (lambda x: torch.rand(len(x), 2), ValueError, "other numbers when it was called again"),
        (lambda x: x[:, :2] * 1j, TypeError, "returned complex numbers"),
    ],
)
def test_refused_encoders(encoder: Any, error: type[Exception], words: str) -> None:
    canvas = cw.trace(cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, True), (3, 3)), progress=False)
    with pytest.raises(error, match=words):
        canvas.directions("layers.1", np.eye(4)[:2], encoder=encoder)
