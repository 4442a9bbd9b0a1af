"""What was recorded is what the module does, at every frame; the module is left as it was."""

from __future__ import annotations

import copy
import itertools
import random
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.inr.module_state import ModuleState, RandomState, replica
from canvaswidget.tracing.capture.randomness import draws_as_recorded
from canvaswidget.tracing.capture.replay import Replay
from tests.small_models import Sine
from tests.tracing.odd_forwards import (
    HARMLESS,
    WRONG,
    Net,
    branching,
    branching_late,
    counting,
    inr_of,
    switched_off,
)


def name_of(value: Any) -> str | None:
    return value.__name__ if callable(value) else None


@pytest.mark.parametrize("function", HARMLESS, ids=name_of)
@pytest.mark.parametrize("n_frames", [1, 8])
def test_the_module_is_left_as_it_was(function: Any, n_frames: int) -> None:
    inr = inr_of(function, 8) if n_frames == 8 else cw.INR(Net(function), lambda _: torch.ones(12, 3), (3, 4))
    fresh = copy.deepcopy(inr.module)
    inr.module.train()
    buffers = {name: tensor.clone() for name, tensor in inr.module.named_buffers()}
    attributes = dict(inr.module.__dict__)
    log, by_call = inr.module.log.copy(), inr.module.by_call.copy()
    drawn, seeded = RandomState(), inr.module.generator.get_state()
    canvas = cw.trace(inr, "gated", progress=False)
    images = [canvas.frame(frame) for frame in range(n_frames)]
    layer = canvas.traced_layers[0].name
    canvas.summary(layer), canvas.maps(layer, [0]), canvas.pixel(0, 0)
    assert all(one.holds for one in canvas.check(progress=False))
    cw.analysis.derivatives(canvas)
    cw.MaskPainter(inr).masks.sum()
    assert not drawn.differs()
    assert torch.equal(seeded, inr.module.generator.get_state())
    assert inr.module.training
    assert (inr.module.log, inr.module.by_call) == (log, by_call)
    assert all(torch.equal(tensor, buffers[name]) for name, tensor in inr.module.named_buffers())
    assert inr.module.__dict__.keys() == attributes.keys()
    assert all(inr.module.__dict__[name] is value for name, value in attributes.items())
    inr.module = fresh
    for frame, image in enumerate(images):
        np.testing.assert_allclose(image, inr.frame(frame), atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("function", "cause", "frame"), WRONG, ids=name_of)
@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("xinc", marks=pytest.mark.repeats),
        "gated",
        pytest.param("ablation", marks=pytest.mark.repeats),
    ],
)
def test_a_recording_that_is_not_the_module_is_refused(
    function: Any, cause: str, frame: int, rule: str
) -> None:
    canvas = cw.trace(inr_of(function), rule)
    with pytest.raises(cw.CaptureError, match=rf"at frame \d the two images differ by .*{cause}"):
        canvas.map("b", 0, frame)
    with pytest.raises(cw.CaptureError):  # and stays refused
        canvas.pixel(0, 0, frame)


def test_frames_that_agree_are_answered_beside_one_that_does_not() -> None:
    canvas = cw.trace(inr_of(branching_late), "gated")
    assert canvas.map("b", 0, 4).any()
    with pytest.raises(
        cw.CaptureError, match="at frame 5 .*value 0 is -1.0 at frame 0, .* 0.428.* at frame 5"
    ):
        canvas.map("b", 0, 5)


def test_a_deep_steep_network_is_not_refused_for_its_rounding() -> None:
    torch.manual_seed(1)
    widths = [3, *[32] * 3]
    layers = [part for a, b in itertools.pairwise(widths) for part in (nn.Linear(a, b), Sine(30.0))]
    model = nn.Sequential(*layers, nn.Linear(32, 3))
    inr = cw.INR.from_coords(model, (8, 8), 3)
    canvas = cw.trace(inr, "gated")
    exact = copy.deepcopy(model).double()
    other = cw.INR.from_coords(exact, (8, 8), 3).frame(1)
    off = float(np.abs(other - inr.frame(1)).max())
    assert 5e-6 < off < 1e-2  # steep: rounding of 1e-7 has grown
    # What another way to sum would give is taken for rounding, what a changed weight gives is not.
    image = canvas.matrix.capture.run(1, [canvas.matrix.capture.output])[canvas.matrix.capture.output]
    replay = Replay(canvas.matrix.capture)
    assert replay._agree(1, image, image + off / 2)
    assert not replay._agree(1, image, image * 1.1)


def test_rounding_grows_in_double_precision_too() -> None:
    torch.manual_seed(1)
    layers = [part for a in (3, 32, 32) for part in (nn.Linear(a, 32), Sine(30.0))]
    inr = cw.INR.from_coords(nn.Sequential(*layers, nn.Linear(32, 3)).double(), (8, 8), 3)
    capture = cw.trace(inr, "gated").matrix.capture
    image, replay = capture.run(1, [capture.output])[capture.output], Replay(capture)
    assert replay._agree(1, image, image + 1e-13)  # 8 units in the last place are 2e-15
    assert not replay._agree(1, image, image + 1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_modules_of_any_precision_are_compared_in_their_own(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(Net(lambda net, x: net.net(x)).to(dtype), (3, 4), 3)
    assert cw.trace(inr, "gated").frame(1).any()
    wrong = cw.INR.from_coords(Net(branching).to(dtype), (3, 4), 3)
    with pytest.raises(cw.CaptureError, match="control flow"):
        cw.trace(wrong, "gated").frame(1)


def test_a_lazy_module_gets_its_shapes_first() -> None:
    torch.manual_seed(0)
    inr = cw.INR.from_coords(nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)), (3, 4), 3)
    np.testing.assert_allclose(cw.trace(inr, "gated").frame(1), inr.frame(1), atol=1e-6)


def test_a_frame_of_nan_is_named() -> None:
    def broken(net: Net, x: torch.Tensor) -> torch.Tensor:
        return net.net(x) * torch.where(x[:, 2:] > 0.9, torch.nan, 1.0)

    canvas = cw.trace(inr_of(broken), "gated")
    assert np.isfinite(canvas.frame(0)).all()
    with pytest.raises(ValueError, match="NaN or infinity at 12 of 12 pixels of frame 7"):
        canvas.frame(7)
    with pytest.raises(ValueError, match="NaN or infinity at 12 of 12 pixels of frame 0"):
        cw.trace(inr_of(lambda net, x: net.net(x) / torch.zeros(3)), "gated")


def test_training_goes_on_beside_a_canvas() -> None:
    inr = inr_of(lambda net, x: net.net(x))
    canvas = cw.trace(inr, "gated")
    before = [inr.frame(frame) for frame in (0, 2)]
    with torch.no_grad():
        inr.module.a.weight += 1
    np.testing.assert_allclose(canvas.frame(0), before[0], atol=1e-6)
    np.testing.assert_allclose(canvas.frame(2), before[1], atol=1e-6)


def test_rendering_waits_for_a_recording() -> None:
    inr = inr_of(lambda net, x: net.net(x))
    expected, errors, done = inr.frame(3), [], threading.Event()

    def render() -> None:
        while not done.is_set():
            try:
                np.testing.assert_array_equal(inr.frame(3), expected)
            except Exception as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=render) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        cw.trace(inr, "gated").frame(1)
    done.set()
    for thread in threads:
        thread.join()
    assert not errors


def test_what_is_recorded_draws_nothing() -> None:
    canvas = cw.trace(inr_of(switched_off), "gated", progress=False)
    drawing = [str(node.target) for node in canvas.matrix.capture.graph.nodes if draws_as_recorded(node)]
    assert not [name for name in drawing if "bernoulli" not in name]
    assert canvas.matrix.capture.drawn


def test_inputs_that_draw_leave_the_random_state() -> None:
    def inputs(frame: int) -> torch.Tensor:
        torch.manual_seed(frame)
        return torch.randn(12, 3)

    torch.manual_seed(0)
    canvas = cw.trace(cw.INR(Net(lambda net, x: net.net(x)), inputs, (3, 4), 3), "gated", progress=False)
    torch.manual_seed(7)
    state = RandomState()
    canvas.frame(1), canvas.summary("a"), canvas.frame(2), canvas.check(progress=False)
    assert not state.differs()


def rarely_doubled(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) * 2 if torch.rand(()) < 0.02 else net.net(x)


def rarely_dropped(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) * torch.bernoulli(torch.full((3,), 0.9999))


def rarely_large(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x + (torch.randn(()) > 5))


def rarely_the_last(net: Net, x: torch.Tensor) -> torch.Tensor:
    return net.net(x) + (torch.randint(500, ()) == 499)


@pytest.mark.parametrize(
    "function", [rarely_doubled, rarely_dropped, rarely_large, rarely_the_last], ids=name_of
)
def test_what_a_rare_number_changes_is_refused(function: Any) -> None:
    canvas = cw.trace(inr_of(function), "ablation", progress=False)
    torch.manual_seed(0)
    with pytest.raises(
        cw.CaptureError, match=r"randomness in the forward \((rand|bernoulli|randn|randint)\)"
    ):
        canvas.frame(0)


def test_rare_numbers_of_other_libraries_are_warned_of() -> None:
    for draw, name in ((random.random, "Python"), (np.random.rand, "NumPy")):
        canvas = cw.trace(
            inr_of(lambda net, x, draw=draw: net.net(x) * (2 if draw() > 1.0 else 1)),
            "ablation",
            progress=False,
        )
        with pytest.warns(UserWarning, match=f"random numbers of {name}"):
            canvas.frame(0)


def test_a_draw_that_decides_nothing_is_no_reason_to_refuse() -> None:
    def asserting(net: Net, x: torch.Tensor) -> torch.Tensor:
        y = net.net(x)
        assert torch.rand(()).item() < 2
        torch.manual_seed(5)
        return y * 2 if torch.rand(()) < 0.01 else y  # it never is

    canvas = cw.trace(inr_of(asserting), "ablation", progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        canvas.frame(0)


def test_random_forwards_answer_rightly_or_are_refused() -> None:
    """Whatever a forward does of these, a frame that is answered is the module's own."""
    parts: dict[str, Callable[[Net, torch.Tensor, torch.Tensor], torch.Tensor]] = {
        "branch": lambda net, x, y: y * 1.5 if x[0, 2] > 0 else y,
        "item": lambda net, x, y: y + 0.1 * round(float(x[0, 2])),
        "buffer": lambda net, x, y: y + 0.1 * net.count.add_(1),
        "noise": lambda net, x, y: y + 0.1 * torch.randn_like(y),
        "log": lambda net, x, y: (net.log.append(1), y)[1],
        "last": lambda net, x, y: (setattr(net, "seen", len(net.log)), y)[1],
        "where": lambda net, x, y: torch.where(x[:, 2:] > 0, y, 2 * y),
        "mask": lambda net, x, y: y.index_fill(0, torch.tensor([0, 3]), 0.5),
    }
    refused = 0
    for seed in range(12):
        rng = random.Random(seed)
        chosen = rng.sample(sorted(parts), rng.randint(1, 3))

        def forward(net: Net, x: torch.Tensor, chosen: list[str] = chosen) -> torch.Tensor:
            y = net.net(x)
            for name in chosen:
                y = parts[name](net, x, y)
            return y

        inr = inr_of(forward, n_frames=5)
        fresh = copy.deepcopy(inr.module)
        canvas = cw.trace(inr, "ablation")
        for frame in (0, 1, 4):
            inr.module = copy.deepcopy(fresh)
            try:
                image = canvas.frame(frame)
            except cw.CaptureError:
                assert {"branch", "item", "buffer", "noise"} & set(chosen), chosen
                refused += 1
            else:
                assert not {"buffer", "noise"} & set(chosen), chosen
                np.testing.assert_allclose(image, inr.frame(frame), atol=1e-5, err_msg=str(chosen))
    assert refused


def test_a_replica_shares_nothing_that_changes() -> None:
    net = Net(counting)
    net.act = lambda x: net.a(x)  # pyright: ignore[reportAttributeAccessIssue]
    net.lock = threading.Lock()  # pyright: ignore[reportAttributeAccessIssue]
    net.tied = net.a  # pyright: ignore[reportAttributeAccessIssue]
    copied = replica(net)
    assert copied.tied is copied.a is not net.a
    with torch.no_grad():
        copied.a.weight.zero_()
        assert not copied.act(torch.ones(1, 3)).equal(net.act(torch.ones(1, 3)))
    copied(torch.ones(1, 3))
    assert (net.log, net.calls, float(net.count)) == ([], 0, 0)
    state = ModuleState(copied)
    copied(torch.ones(1, 3))
    state.restore()
    assert (copied.log, copied.calls, float(copied.count)) == ([1], 1, 1)
