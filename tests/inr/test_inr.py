"""An INR: how it is made, how a module is asked for a frame, and that it is left as it was."""

from __future__ import annotations

import copy
import random
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.inr import module_state
from canvaswidget.models import FFN, SIREN, HNeRVDecoder, NeRV, coordinate_grid
from tests.inr.echo import IMAGE, Echo


def test_inputs_as_tensor_tuple_or_dict() -> None:
    two = Echo(lambda a, b: IMAGE * a + b)
    assert torch.equal(cw.INR(two, lambda f: (1.0, f), (4, 5), n_frames=3).render(2), IMAGE + 2)
    assert torch.equal(cw.INR(two, lambda f: {"b": f, "a": 2.0}, (4, 5), n_frames=3).render(1), IMAGE * 2 + 1)


def test_frame_times() -> None:
    model = NeRV(fc_dim=4, fc_hw="2_3", dec_strds=[2])
    inr = cw.INR.from_frames(model, 8)
    assert inr.size == (4, 6)
    assert inr.arguments(2)[0][0].tolist() == [0.25]
    with torch.no_grad():
        assert torch.equal(inr.render(-1), model(torch.tensor([7 / 8]))[0])
    with pytest.raises(IndexError, match="frame=8"):
        inr.frame(8)


def test_coordinates() -> None:
    each = coordinate_grid((3, 5))
    assert each[0].tolist() == [-1, -1]
    assert each[-1].tolist() == [1, 1]
    assert each[1].tolist() == [-1, -0.5]
    longest = coordinate_grid((3, 5), "longest")
    assert longest[-1].tolist() == [0, 1]
    assert coordinate_grid((1, 1)).tolist() == [[-1, -1]]
    video = cw.INR.from_coords(Echo(lambda c: c), (3, 5), n_frames=5)
    assert video.arguments(0)[0][0][0].tolist() == [-1, -1, -1]
    assert video.arguments(4)[0][0][0].tolist() == [-1, -1, 1]
    assert torch.equal(cw.INR.from_coords(FFN(hidden=3), (3, 5)).arguments(0)[0][0], longest)
    assert torch.equal(cw.INR.from_coords(SIREN(hidden=3), (3, 5)).arguments(0)[0][0], each)


def test_embeddings() -> None:
    decoder = HNeRVDecoder(4, fc_dim=6, dec_strds=[2])
    embeddings = torch.randn(3, 4, 2, 3)
    inr = cw.INR.from_embeddings(decoder, embeddings)
    assert (inr.n_frames, inr.size) == (3, (4, 6))
    with torch.no_grad():
        assert torch.equal(inr.render(1), decoder(embeddings[1:2])[0])
    with pytest.raises(TypeError, match="embeddings=list"):
        cw.INR.from_embeddings(decoder, [1, 2])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"module": 3}, TypeError, "module=int"),
        ({"inputs": 3}, TypeError, "inputs=int"),
        ({"size": 3}, TypeError, "size=3"),
        ({"size": (0, 4)}, ValueError, r"size=\(0, 4\)"),
        ({"size": (1, 2, 3)}, TypeError, "size="),
        ({"n_frames": 0}, ValueError, "n_frames=0"),
        ({"n_frames": 1.5}, TypeError, "n_frames=1.5"),
        ({"truth": np.zeros((2, 2))}, ValueError, r"truth: has shape \(2, 2\).*\(1, 4, 5, 3\)"),
        ({"truth": np.zeros((4, 5, 3), np.int64)}, TypeError, "truth: has type int64"),
    ],
)
def test_wrong_arguments_are_named(keywords: dict[str, Any], error: type[Exception], message: str) -> None:
    right = {"module": Echo(lambda _: IMAGE), "inputs": lambda _: torch.zeros(1), "size": (4, 5)}
    with pytest.raises(error, match=message):
        cw.INR(**{**right, **keywords})


def test_truth_is_float_frames() -> None:
    module = Echo(lambda _: IMAGE)
    bytes_ = np.full((4, 5, 3), 255, np.uint8)
    truth = cw.INR(module, lambda _: torch.zeros(1), (4, 5), truth=bytes_).truth
    assert truth is not None
    assert truth.dtype == np.float32
    assert truth.shape == (1, 4, 5, 3)
    assert truth.max() == 1


def test_as_inr() -> None:
    nerv = NeRV(fc_dim=4, fc_hw="2_3", dec_strds=[2], n_frames=6)
    assert cw.as_inr(nerv).n_frames == 6
    inr = cw.as_inr(FFN(hidden=3, size=(4, 5)))
    assert inr.size == (4, 5)
    assert cw.as_inr(inr) is inr
    assert cw.as_inr(SIREN(hidden=3), size=(2, 3)).size == (2, 3)
    with pytest.raises(ValueError, match="from_frames"):
        cw.as_inr(NeRV(fc_dim=4, fc_hw="2_3", dec_strds=[2]))
    with pytest.raises(ValueError, match="from_coords"):
        cw.as_inr(SIREN(hidden=3))
    with pytest.raises(TypeError, match="from_embeddings"):
        cw.as_inr(HNeRVDecoder(4, fc_dim=6, dec_strds=[2]))
    with pytest.raises(TypeError, match="model=Linear.*from_coords"):
        cw.as_inr(nn.Linear(2, 3))
    with pytest.raises(TypeError, match="model=str"):
        cw.as_inr("nerv")


@pytest.mark.parametrize("wrong", [True, np.True_, 1.0, "1", None])
def test_a_frame_is_an_int(wrong: Any) -> None:
    inr = cw.INR.from_coords(nn.Linear(3, 3), (4, 5), 3)
    for ask in (inr.frame, inr.render, cw.trace(inr).frame):
        with pytest.raises(TypeError, match="frame="):
            ask(wrong)


def test_a_missing_number_of_frames_says_what_to_give() -> None:
    with pytest.raises(ValueError, match="n_frames=32"):
        cw.as_inr(NeRV(fc_dim=4, fc_hw="2_3", dec_strds=[2]))
    with pytest.raises(ValueError, match=r"size=\(height, width\)"):
        cw.as_inr(SIREN(hidden=3))
    with pytest.raises(TypeError, match=r"size=\(True, 4\)"):
        cw.INR.from_coords(nn.Linear(2, 3), (True, 4))


class Batched(nn.Module):
    """Takes ``(batch, n, features)`` alone."""

    def __init__(self, n_in: int = 2) -> None:
        super().__init__()
        self.a = nn.Linear(n_in, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, n, _ = x.shape
        return self.a(x).reshape(1, n, 3)


@pytest.mark.parametrize("n_frames", [1, 3])
def test_coordinates_in_a_batch(n_frames: int) -> None:
    inr = cw.INR.from_coords(Batched(2 + (n_frames > 1)), (4, 5), n_frames)
    (x,), _ = inr.arguments(n_frames - 1)
    assert x.shape == (1, 20, 2 + (n_frames > 1))
    with torch.no_grad():
        expected = inr.module(x)[0].reshape(4, 5, 3).numpy()
    np.testing.assert_allclose(cw.trace(inr, "gated").frame(n_frames - 1), expected, atol=1e-6)


class Modulated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.shift, self.b = nn.Linear(2, 8), nn.Linear(5, 8), nn.Linear(8, 3)

    def net(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.b(torch.sin(self.a(x) + self.shift(z)))


class CoordinatesFirst(Modulated):
    def forward(self, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        return self.net(x, z)


class LatentFirst(Modulated):
    def forward(self, latent: torch.Tensor, coords: torch.Tensor) -> torch.Tensor:
        return self.net(coords, latent)


class Concatenated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Linear(7, 3)

    def forward(self, coords: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
        latent = latent[:, None].expand(-1, coords.shape[1], -1)
        return self.a(torch.cat([coords, latent], -1))


@pytest.mark.parametrize("model", [CoordinatesFirst, LatentFirst, Concatenated])
def test_a_modulated_network_takes_a_latent_and_coordinates(model: Any) -> None:
    torch.manual_seed(0)
    decoder, latents = model(), torch.randn(4, 5)
    inr = cw.INR.from_embeddings(decoder, latents, (4, 6))
    grid = coordinate_grid((4, 6))
    for frame in (0, 3):
        z = latents[frame : frame + 1]
        with torch.no_grad():
            if model is Concatenated:
                expected = decoder.a(torch.cat([grid, z.expand(24, -1)], -1))
            else:
                expected = decoder.net(grid, z)
        np.testing.assert_allclose(inr.frame(frame), expected.reshape(4, 6, 3).numpy(), atol=1e-6)
        np.testing.assert_allclose(cw.trace(inr, "gated").frame(frame), inr.frame(frame), atol=1e-6)
    with pytest.raises(ValueError, match=r"size: .*size=\(height, width\)"):
        cw.INR.from_embeddings(decoder, latents)


class Counting(nn.Module):
    """It changes what it can reach when it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(1))
        self.register_buffer("shown", torch.zeros(1, 3, 2, 2))
        self.linear, self.calls = nn.Linear(1, 12), 0

    def forward(self, t: torch.Tensor) -> torch.Tensor:
        self.count += 1
        self.calls += 1
        self.last = t
        self.train()
        torch.manual_seed(7)
        random.seed(7)
        shown = self.get_buffer("shown")
        shown[:] = self.linear(t[:, None]).reshape(1, 3, 2, 2)
        t += 1
        return shown


def test_rendering_and_checking_leave_the_module_the_inputs_and_the_random_state() -> None:
    module, times = Counting().eval(), torch.tensor([[0.1], [0.2]])
    expected = module.linear(times)[1].detach().reshape(3, 2, 2)
    inr = cw.INR(module, lambda frame: times[frame], (2, 2), 2)
    canvas = cw.trace(inr, "gated")
    before = copy.deepcopy(module.state_dict())
    for ask in (lambda: inr.render(1), lambda: canvas.check(1)):
        state = torch.get_rng_state(), random.getstate()
        answer = ask()
        assert torch.equal(torch.get_rng_state(), state[0])
        assert random.getstate() == state[1]
        assert torch.allclose(answer, expected) if isinstance(answer, torch.Tensor) else answer.all_hold
        assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
        assert (module.calls, hasattr(module, "last"), module.training) == (0, False, False)
        assert times.flatten().tolist() == pytest.approx([0.1, 0.2])


@pytest.mark.parametrize("draws", [False, True])
def test_the_random_state_is_read_once_before_a_call_and_once_after(
    draws: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, seen = module_state.RandomState, []

    class Counted(read):
        def __init__(self) -> None:
            super().__init__()
            seen.append(self)

    monkeypatch.setattr(module_state, "RandomState", Counted)
    module = Echo(lambda _: torch.rand(3, 4, 5) if draws else IMAGE)
    inr = cw.INR(module, lambda _: torch.zeros(1), (4, 5))
    inr.render()
    assert len(seen) == 2
    inr.render()
    assert len(seen) == (4 if draws else 2)  # nothing is read once a call is known not to draw
