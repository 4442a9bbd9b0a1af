"""Gradient and Laplacian: of waves whose derivatives are known, and of networks that have none by autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.analysis.derivatives import AUTOGRAD, DIFFERENCES, by_differences, derivatives
from tests.canvases import image, video

SIZE = (14, 19)


class Wave(nn.Module):
    """Each colour its own multiple of ``sin(2 pi (fy y + fx x))``, with y and x in pixels."""

    def __init__(self, down: float, across: float, size: tuple[int, int] = SIZE) -> None:
        super().__init__()
        steps = torch.tensor([(n - 1) / 2 for n in size])  # pixels a unit of the coordinates in [-1, 1]
        self.frequency = nn.Parameter(2 * np.pi * torch.tensor([down, across]) * steps)
        self.amplitudes = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
        self.shift = 2 * np.pi * (down * (size[0] - 1) / 2 + across * (size[1] - 1) / 2)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        phase = points @ self.frequency + self.shift
        return torch.sin(phase)[..., None] * self.amplitudes


def expected(down: float, across: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    phase, amplitudes = 2 * np.pi * (down * y + across * x)[..., None], np.array([1.0, -2.0, 0.5])
    rate = 2 * np.pi * np.array([down, across])
    slope = np.cos(phase) * amplitudes
    return rate[0] * slope, rate[1] * slope, -(rate**2).sum() * np.sin(phase) * amplitudes


@pytest.mark.parametrize(("down", "across"), [(0.0, 0.1), (0.07, 0.0), (0.06, -0.11)])
def test_a_wave_has_the_derivatives_of_a_wave(down: float, across: float) -> None:
    inr = cw.INR.from_coords(Wave(down, across), SIZE)
    found = derivatives(inr)
    assert (found.method, found.why) == (AUTOGRAD, "")
    for values, wanted in zip((found.dy, found.dx, found.second), expected(down, across), strict=True):
        np.testing.assert_allclose(values, wanted, atol=2e-4)
    dy, dx, second = expected(down, across)
    np.testing.assert_allclose(found.gradient, np.sqrt((dy**2 + dx**2).sum(-1)), atol=2e-4)
    np.testing.assert_allclose(found.laplacian, second.sum(-1), atol=3e-4)
    # Central differences of a wave are those of a slower one: a sine of the frequency in its place.
    other = derivatives(inr, method=DIFFERENCES)
    assert other.method == DIFFERENCES
    inner = (slice(1, -1), slice(1, -1))
    if across:
        factor = np.sin(2 * np.pi * across) / (2 * np.pi * across)
        np.testing.assert_allclose(other.dx[inner], factor * dx[inner], atol=1e-4)
    if not down:
        factor = (2 - 2 * np.cos(2 * np.pi * across)) / (2 * np.pi * across) ** 2
        np.testing.assert_allclose(other.second[inner], factor * second[inner], atol=1e-4)


class Called(nn.Module):
    """The same network, called in other ways."""

    def __init__(self, wave: nn.Module, way: str) -> None:
        super().__init__()
        self.wave, self.way = wave, way

    def forward(self, *given: torch.Tensor, **named: torch.Tensor) -> torch.Tensor:
        points = named["at"] if named else given[-1]
        return self.wave(points)


@pytest.mark.parametrize("way", ["points", "batch", "grid", "batched grid", "second", "keyword", "time"])
def test_coordinates_are_found_wherever_they_are_given(way: str) -> None:
    wave = Wave(0.06, -0.11)
    points = cw.models.coordinate_grid(SIZE)
    grid = points.reshape(*SIZE, 2)
    inputs = {
        "points": points,
        "batch": points[None],
        "grid": grid,
        "batched grid": grid[None],
        "second": (torch.zeros(1, 8), points),
        "keyword": {"at": points},
        "time": points,
    }[way]
    found = derivatives(cw.INR(Called(wave, way), lambda frame: inputs, SIZE))
    assert found.method == AUTOGRAD
    for values, wanted in zip((found.dy, found.dx, found.second), expected(0.06, -0.11), strict=True):
        np.testing.assert_allclose(values, wanted, atol=2e-4)


def test_the_reference_networks_agree_with_tiny_steps_in_double() -> None:
    torch.manual_seed(0)
    size, tiny = (9, 12), 1e-5
    for model in (
        cw.models.SIREN(hidden=16, layers=3, size=size),
        cw.models.FFN(hidden=16, layers=3, scale=2.0, size=size),
    ):
        inr = cw.as_inr(model.double())
        (points,), _ = inr.arguments(0)
        grid = points.reshape(*size, 2)
        down, across = grid[1, 0] - grid[0, 0], grid[0, 1] - grid[0, 0]

        def at(
            y: float, x: float, model: nn.Module = model, points=points, down=down, across=across
        ) -> np.ndarray:
            with torch.no_grad():
                return model(points + tiny * (y * down + x * across)).reshape(*size, 3).numpy()

        found = derivatives(inr)
        assert found.method == AUTOGRAD
        np.testing.assert_allclose(found.dy, (at(1, 0) - at(-1, 0)) / (2 * tiny), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(found.dx, (at(0, 1) - at(0, -1)) / (2 * tiny), rtol=1e-4, atol=1e-4)
        second = (at(1, 0) + at(-1, 0) + at(0, 1) + at(0, -1) - 4 * at(0, 0)) / tiny**2
        np.testing.assert_allclose(found.second, second, rtol=1e-3, atol=1e-3)


def test_relus_on_coordinates_have_no_second_derivative() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 3))
    found = derivatives(cw.INR.from_coords(net, SIZE))
    assert found.method == AUTOGRAD
    assert (found.second == 0).all()
    assert found.gradient.max() > 0


class Mixing(nn.Module):
    """Each pixel depends on the mean of all."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        values = self.layer(points).square()
        return values - values.mean(0)


class Detached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 3)

    @torch.no_grad()
    def forward(self, points: torch.Tensor) -> torch.Tensor:
        return self.layer(points)


@pytest.mark.parametrize(
    ("module", "why"),
    [(Mixing(), "depends on the coordinates of others"), (Detached(), "detaches")],
)
def test_networks_that_autograd_can_not_answer_for(module: nn.Module, why: str) -> None:
    inr = cw.INR.from_coords(module, SIZE)
    found = derivatives(inr)
    assert found.method == DIFFERENCES
    assert why in found.why
    np.testing.assert_allclose(found.dx, np.gradient(inr.frame(), axis=1), atol=1e-5)
    assert why in repr(found)
    with pytest.raises(ValueError, match=f"method='autograd': .*{why}"):
        derivatives(inr, method=AUTOGRAD)


def test_networks_of_frames_have_differences() -> None:
    inr = video()
    found = derivatives(cw.trace(inr, "gated", device="cpu", progress=False), 3)
    assert found.method == DIFFERENCES
    assert "not called with coordinates" in found.why
    picture = inr.frame(3)
    np.testing.assert_allclose(found.dy, np.gradient(picture, axis=0), atol=1e-6)
    wanted = picture[2:, 1:-1] + picture[:-2, 1:-1] + picture[1:-1, 2:] + picture[1:-1, :-2]
    np.testing.assert_allclose(found.second[1:-1, 1:-1], wanted - 4 * picture[1:-1, 1:-1], atol=1e-5)
    assert found.numbers() == {
        "gradient": pytest.approx(found.gradient.mean()),
        "laplacian": pytest.approx(np.abs(found.laplacian).mean()),
    }


def test_differences_by_hand() -> None:
    picture = np.array([[0.0, 1, 4, 9]])[..., None]
    dy, dx, second = by_differences(picture)
    assert dx[0, :, 0].tolist() == [1, 2, 4, 5]
    assert second[0, :, 0].tolist() == [2, 2, 2, 2]
    assert (dy == 0).all()
    dy, dx, second = by_differences(np.array([[[2.0]], [[5.0]]]))
    assert (dy.ravel().tolist(), dx.ravel().tolist(), second.ravel().tolist()) == ([3, 3], [0, 0], [0, 0])


def test_the_model_is_left_as_it_was() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)).train()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    inr = cw.INR.from_coords(net, SIZE)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    state = torch.get_rng_state()
    with torch.no_grad():
        found = derivatives(inr)
    assert found.method == AUTOGRAD
    assert all(part.training for part in net.modules())
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert (net[0].weight.grad == 1).all()
    assert net[3].weight.grad is None
    assert all(parameter.requires_grad for parameter in net.parameters())
    assert torch.equal(state, torch.get_rng_state())
    with torch.inference_mode():
        again = derivatives(inr)
    np.testing.assert_array_equal(again.dx, found.dx)


@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (2, 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_frames_and_one_channel(size: tuple[int, int], channels: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, channels))
    found = derivatives(cw.INR.from_coords(net, size))
    assert found.dy.shape == found.second.shape == (*size, channels)
    assert found.method == (DIFFERENCES if size == (1, 1) else AUTOGRAD)
    assert (found.dy == 0).all() == (size[0] == 1)
    assert (found.dx == 0).all() == (size[1] == 1)
    for ax in (found.plot(), found.plot_laplacian()):
        ax.figure.draw_without_rendering()
    assert isinstance(found._repr_html_(), str)


def test_half_precision_is_differentiated_in_single() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
    single = derivatives(cw.INR.from_coords(net, SIZE))
    half = derivatives(cw.INR.from_coords(net.bfloat16(), SIZE))
    assert half.method == AUTOGRAD
    np.testing.assert_allclose(half.dx, single.dx, atol=0.02 * np.abs(single.dx).max())
    np.testing.assert_allclose(half.second, single.second, atol=0.05 * np.abs(single.second).max())


def test_networks_of_half_precision_alone_have_differences() -> None:
    class Casting(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x.half())

    found = derivatives(cw.INR.from_coords(Casting(2, 3).half(), SIZE))
    assert found.method == DIFFERENCES
    assert "can't be called in single precision" in found.why


def test_saved_canvases_runs_and_mistakes(tmp_path) -> None:
    canvas = cw.trace(image(), "gated", device="cpu", progress=False)
    canvas.save(tmp_path / "saved.zarr", maps=1, progress=False)
    found = derivatives(cw.open(tmp_path / "saved.zarr"))
    assert "saved canvas has no network" in found.why
    np.testing.assert_allclose(found.dx, derivatives(canvas, method=DIFFERENCES).dx, atol=1e-2)
    over = derivatives({"one": canvas, "other": canvas})
    assert over.number("gradient").tolist() == [derivatives(canvas).numbers()["gradient"]] * 2
    with pytest.raises(ValueError, match="method='slopes'"):
        derivatives(canvas, method="slopes")
    with pytest.raises(TypeError, match="canvas="):
        derivatives("junk")
    with pytest.raises(IndexError, match="frame"):
        derivatives(canvas, 1)

    def stop(done: int, total: int) -> None:
        if done:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        derivatives(canvas, progress=stop)
