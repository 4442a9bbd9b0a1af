"""Recording: the module is left as it was, and modules of many forms are recorded."""

from __future__ import annotations

import copy
import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from tests.small_models import Cnn, Mlp


def test_the_module_is_left_as_it_was(decoder: Cnn) -> None:
    decoder.train()
    decoder.convs[0].eval()
    decoder.head.weight.grad = torch.ones_like(decoder.head.weight)
    before = copy.deepcopy(decoder.state_dict())
    modes = [part.training for part in decoder.modules()]
    state = torch.get_rng_state()
    canvas = cw.trace(cw.INR.from_frames(decoder, 3))
    canvas.summary("head")
    canvas.pixel(0, 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert [part.training for part in decoder.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in decoder.state_dict().items())
    assert torch.equal(decoder.head.weight.grad, torch.ones_like(decoder.head.weight))
    assert all(parameter.requires_grad for parameter in decoder.parameters())
    assert not decoder._forward_hooks
    assert torch.is_grad_enabled()


def test_statistics_of_a_norm_are_left_as_they_were() -> None:
    """In training mode a forward would change them, and show another picture each time."""
    module = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Linear(4, 3)).train()
    before = copy.deepcopy(module.state_dict())
    inr = cw.INR.from_coords(module, (4, 5))
    canvas = cw.trace(inr)
    assert canvas.check().all_hold
    np.testing.assert_array_equal(inr.frame(), inr.frame())
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_canvas_is_of_the_weights_as_they_were(decoder: Cnn) -> None:
    canvas = cw.trace(cw.INR.from_frames(decoder, 3))
    before = canvas.frame(0), canvas.map("head", (0, 0), 1)
    with torch.no_grad():
        decoder.head.weight.mul_(2)
    fresh = cw.Canvas(canvas.matrix.capture, canvas.matrix.rule, canvas.memory)
    np.testing.assert_array_equal(fresh.frame(0), before[0])
    np.testing.assert_array_equal(fresh.map("head", (0, 0), 1), before[1])
    first = fresh.check()[0]
    assert not first.holds
    assert "changed after it was traced" in first.note


@pytest.mark.slow
def test_a_model_is_recorded_while_another_thread_computes(decoder: Cnn) -> None:
    """Recording keeps what it knows of the current op where every thread sees it: nothing else may write there."""
    inr = cw.INR.from_frames(decoder, 3)
    names, busy = [layer.name for layer in cw.trace(inr).layers], cw.trace(inr)
    done, failed = threading.Event(), []

    def compute() -> None:
        try:
            while not done.is_set():
                busy.matrix.capture.run(0, [busy.matrix.capture.output])
        except Exception as error:
            failed.append(error)

    other = threading.Thread(target=compute)
    other.start()
    try:
        for _ in range(8):
            assert [layer.name for layer in cw.trace(inr).layers] == names
    finally:
        done.set()
        other.join()
    assert failed == []


def test_torchscript_is_named() -> None:
    module: Any = torch.jit.script(nn.Sequential(nn.Linear(2, 3)))
    with pytest.raises(cw.CaptureError, match="TorchScript.*the nn.Module it was made from"):
        cw.trace(cw.INR.from_coords(module, (2, 3)))


def test_a_canvas_frees_its_model(decoder: Cnn) -> None:
    canvas = cw.trace(cw.INR.from_frames(decoder, 3))
    canvas.summary("head")
    gone = weakref.ref(canvas)
    del canvas
    gc.collect()
    assert gone() is None


def test_nan_weights_are_named(decoder: Cnn) -> None:
    with torch.no_grad():
        decoder.convs[1].weight[0] = torch.nan
    with pytest.raises(ValueError, match=r"weight 'convs.1.weight' holds NaN"):
        cw.trace(cw.INR.from_frames(decoder, 1, size=(16, 20)))


def test_a_module_that_cannot_be_recorded() -> None:
    class ByNumpy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(self.linear(x).detach().numpy())

    with pytest.raises(cw.CaptureError, match="module=ByNumpy: torch.export could not record its forward"):
        cw.trace(cw.INR.from_coords(ByNumpy(), (4, 4)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = Mlp([2, 6, 3], nn.ReLU, bias=True).to(dtype)
    canvas = cw.trace(cw.INR.from_coords(model, (3, 4)))
    assert canvas.map("layers.0", 0).dtype == np.float32
    exact = cw.trace(cw.INR.from_coords(copy.deepcopy(model).double(), (3, 4)))
    np.testing.assert_allclose(canvas.map("layers.1", 2), exact.map("layers.1", 2), atol=2e-2)
    assert next(model.parameters()).dtype == dtype


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1)])
def test_small_images(size: tuple[int, int]) -> None:
    canvas = cw.trace(cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, bias=True), size))
    assert canvas.map(0, 0).shape == size
    assert canvas.check().all_hold


def test_grey_output() -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Mlp([2, 4, 5, 1], nn.ReLU, bias=True), (3, 4))
    canvas = cw.trace(inr)
    assert canvas.frame().shape == (3, 4, 1)
    each = canvas.maps(-1, range(5), rgb="each")
    np.testing.assert_allclose(each.sum(0), canvas.frame(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(canvas.summary(-1).pixel_sum, canvas.frame()[..., 0], rtol=1e-4, atol=1e-6)
    for rule in ("xinc", "gated", "ablation"):
        other = canvas.under(rule)
        assert other.check().all_hold
        last = other.layers[-1].name
        maps = other.maps(last, range(5))
        np.testing.assert_allclose(other.maps(last, range(5), rgb="each")[..., 0], maps, atol=1e-7)
        np.testing.assert_allclose(other.maps(last, range(5), rgb="abs"), np.abs(maps), atol=1e-7)
        np.testing.assert_allclose(other.pixel(1, 2, layers=last)[last], maps[:, 1, 2], atol=1e-6)
        np.testing.assert_allclose(
            other.pixel(1, 2, layers=last, rgb="each")[last][:, 0], maps[:, 1, 2], atol=1e-6
        )
        mask = np.eye(3, 4, dtype=bool)
        np.testing.assert_allclose(other.region(mask, layers=last)[last], maps[:, mask].sum(1), atol=1e-6)
        assert "one channel" in other.why_no_colours(last)
        for rgb in ("red", "green", "blue"):
            for ask in (other.map, other.summary):
                with pytest.raises(ValueError, match="one channel"):
                    ask(*(last, 0)[: 2 if ask == other.map else 1], rgb=rgb)
    gated = canvas.under("gated")
    for layer in gated.layers:
        sums = gated.summary(layer).pixel_sum + gated.remainder(layer)[..., 0]
        np.testing.assert_allclose(sums, inr.frame()[..., 0], atol=1e-5)
    with torch.no_grad():
        inr.module.layers[1].weight[:, 2] = 0
    np.testing.assert_allclose(canvas.ablate({1: [2]}), inr.frame(), atol=1e-6)


def test_outputs_in_a_dict_or_tuple_and_inputs_by_name() -> None:
    torch.manual_seed(0)

    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(2, 3)

        def forward(self, model_input: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"model_in": model_input, "model_out": self.linear(model_input)}

    coordinates = cw.models.coordinate_grid((4, 5))
    module = Named()
    inr = cw.INR(module, lambda _: {"model_input": coordinates}, (4, 5))
    assert cw.trace(inr).check().all_hold
    chosen = cw.INR(
        module, lambda _: (coordinates,), (4, 5), output=lambda out: out["model_out"].T.reshape(3, 4, 5)
    )
    np.testing.assert_array_equal(cw.trace(inr).map(0, 1), cw.trace(chosen).map(0, 1))
