"""A canvas: how it is asked, what it refuses, and that it fits in memory."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.tracing.budget import maps_at_a_time, parse_memory
from tests.canvases import video
from tests.small_models import Cnn, Mlp


def test_layers_are_found_by_name_part_and_index(canvas: cw.Canvas) -> None:
    assert [layer.name for layer in canvas.layers] == ["convs.0", "convs.1", "head"]
    for key in ("head", "hea", 2, -1, canvas.layers[2]):
        assert canvas.layers.find(key).name == "head"
    assert canvas.layers["convs.0"].neurons == (3, 8)
    assert canvas.layers["convs.0"].grid == (4, 5)
    with pytest.raises(KeyError, match="could be any of convs.0, convs.1"):
        canvas.map("convs", (0, 0))
    with pytest.raises(KeyError, match="did you mean 'head'"):
        canvas.map("haed", (0, 0))
    with pytest.raises(IndexError, match="layer=7: out of range, the model has 3 layers"):
        canvas.map(7, (0, 0))


def test_neurons_frames_and_pixels_count_as_in_numpy(canvas: cw.Canvas) -> None:
    np.testing.assert_array_equal(canvas.map("head", (-1, -2), -1), canvas.map("head", (1, 1), 2))
    np.testing.assert_array_equal(canvas.maps("head", [(0, 0), (1, 2)])[1], canvas.map("head", (1, 2)))
    np.testing.assert_array_equal(canvas.maps("head", np.array([1]))[0], canvas.map("head", 1))
    assert canvas.maps("head", []).shape == (0, 16, 20)
    np.testing.assert_array_equal(canvas.pixel(-1, -1)["head"], canvas.pixel(15, 19)["head"])
    for bad, message in (((2, 0), "i=2"), ((0, 3), "o=3"), (5, "neuron=5")):
        with pytest.raises(IndexError, match=message):
            canvas.map("head", bad)
    for bad in ("a", 1.5, (1, 2, 3), None, True):
        with pytest.raises(TypeError, match="neuron="):
            canvas.map("head", bad)
    with pytest.raises(TypeError, match="mixed"):
        canvas.maps("head", [0, (0, 1)])
    with pytest.raises(IndexError, match="frame=3: out of range, expected -3 to 2"):
        canvas.frame(3)
    with pytest.raises(IndexError, match="y=16"):
        canvas.pixel(16, 0)
    with pytest.raises(TypeError, match="x=0.5"):
        canvas.pixel(0, 0.5)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"rgb": "cyan"}, "rgb='cyan'.*'sum', 'abs', 'each', 'red'"),
        ({"rgb": "each"}, "not follow a map of 'convs.0' to the colours"),
        ({"granularity": "neuron"}, "granularity='neuron'"),
    ],
)
def test_wrong_options_are_named(canvas: cw.Canvas, keywords: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        canvas.pixel(0, 0, layers="convs.0", **keywords)  # pyright: ignore[reportArgumentType]


def test_a_wrong_rgb_is_named_under_a_rule_that_pulls(canvas: cw.Canvas) -> None:
    """Its colours are told apart before `rgb` is looked at."""
    with pytest.raises(ValueError, match=r"rgb='cyan'.*'sum', 'abs', 'each'"):
        canvas.under("gated").pixel(0, 0, rgb="cyan")


def test_a_region_has_the_frames_shape(canvas: cw.Canvas) -> None:
    with pytest.raises(ValueError, match=r"mask: has shape \(3, 3\).*\(16, 20\)"):
        canvas.region(np.ones((3, 3)))


def test_top_ranks_across_layers(canvas: cw.Canvas) -> None:
    columns = canvas.pixel(3, 4, 1)
    everything = np.concatenate([np.abs(column).ravel() for column in columns.values()])
    ranking = canvas.top(3, 4, k=7, frame=1)
    np.testing.assert_allclose([abs(one.value) for one in ranking], np.sort(everything)[::-1][:7])
    for one in ranking:
        column = columns[one.layer]
        assert column[one.neuron] == pytest.approx(one.value)
        assert one.share == pytest.approx(abs(one.value) / np.abs(column).sum(), rel=1e-5)
    assert len(canvas.top(3, 4, k=10**6)) == len(everything)
    assert "contribution" in repr(ranking)
    assert "<table>" in ranking._repr_html_()
    with pytest.raises(ValueError, match="k=0"):
        canvas.top(0, 0, k=0)


def test_everything_prints_in_text_and_html(canvas: cw.Canvas) -> None:
    for result in (canvas.layers, canvas.coverage(), canvas.summary("head"), canvas.check()):
        assert "\n" in repr(result)
        assert "<table>" in result._repr_html_()
    assert "3 frames" in repr(canvas.inr)
    assert "neurons in 3 of 3 layers" in repr(canvas)
    assert "maps of 320 pixels" in repr(canvas.estimate())


def test_progress_counts_neurons_and_can_cancel(canvas: cw.Canvas) -> None:
    calls: list[tuple[int, int]] = []
    canvas.summary("head", progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (0, 6)
    assert calls[-1] == (6, 6)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        canvas.summary("convs.0", progress=stop)
    assert canvas.summary("convs.0").neuron_abs.shape == (3, 8)


def test_the_number_of_threads_is_left_as_it_was(canvas: cw.Canvas) -> None:
    before = torch.get_num_threads()
    canvas.summary("head")
    assert torch.get_num_threads() == before


def test_a_dead_neuron_is_counted() -> None:
    model = Mlp([2, 4, 3], nn.ReLU, bias=False)
    with torch.no_grad():
        model.layers[1].weight[:, 2] = 0
    summary = cw.trace(cw.INR.from_coords(model, (3, 4))).summary(1)
    assert summary.neuron_abs[2] == 0
    assert summary.n_dead >= 1
    assert "all-zero map" in repr(summary)


def test_unknown_rule_device_and_memory(decoder: Cnn) -> None:
    inr = cw.INR.from_frames(decoder, 3)
    with pytest.raises(ValueError, match="rule='xing'.*'xinc'"):
        cw.trace(inr, rule="xing")
    with pytest.raises(ValueError, match="device='cuda:99'|device='abacus'"):
        cw.trace(inr, device="abacus")
    with pytest.raises(ValueError, match="memory='lots'"):
        cw.trace(inr, memory="lots")
    with pytest.raises(TypeError):
        cw.trace(inr, ruel="xinc")  # pyright: ignore[reportCallIssue]


def test_memory_sizes() -> None:
    assert parse_memory("1 GiB") == 2**30
    assert parse_memory("500MB") == 500 * 10**6
    assert parse_memory(2**21) == 2**21
    for bad in ("1 2", "GiB", 1000, float("nan"), float("inf"), "99999999999 TiB"):
        with pytest.raises(ValueError, match="memory="):
            parse_memory(bad)
    cpu = torch.device("cpu")
    assert maps_at_a_time(10**9, 4, 2**20, cpu) == 1
    assert maps_at_a_time(1000, 4, 2**30, torch.device("meta")) > maps_at_a_time(
        1000, 4, 2**20, torch.device("meta")
    )


@pytest.mark.slow
def test_the_whole_canvas_of_a_large_model_stays_small(reference: Path) -> None:
    model = cw.models.load_model(reference / "nerv_bunny.safetensors")
    canvas = cw.trace(cw.INR.from_frames(model, 32))
    canvas.pixel(0, 0)
    process = psutil.Process()
    before, peak = process.memory_info().rss, 0

    def watch(done: int, total: int) -> None:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)

    for layer in canvas.traced_layers:
        canvas.summary(layer, progress=watch)
    assert peak - before < 2**30


def test_a_cell_and_a_widget_may_ask_at_the_same_time(decoder: Cnn) -> None:
    inr = cw.INR.from_frames(decoder, 64)
    shared = cw.trace(inr, memory="1 MiB")
    expected = [cw.trace(inr).pixel(3, 4, frame)["head"] for frame in (0, 63)]
    with ThreadPoolExecutor(4) as pool:
        frames = [frame % 64 for frame in range(256)]
        columns = list(pool.map(lambda frame: shared.pixel(3, 4, frame)["head"], frames))
    np.testing.assert_allclose(columns[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(columns[255], expected[1], rtol=1e-5)


def test_a_frame_that_is_held_is_rendered_once() -> None:
    canvas = cw.trace(video(), "xinc", memory="1 MiB")
    canvas.matrix.frames.memory = 1
    runs: list[int] = []
    run = canvas.matrix.capture.run

    def counted(frame, keep, *others):
        runs.extend(
            [frame] if len(keep) > 1 else []
        )  # not those that only compare the recording with the module
        return run(frame, keep, *others)

    canvas.matrix.capture.run = counted
    canvas.hold(2)
    for frame in (2, 0, 2, 1, 2):
        canvas.frame(frame)
    assert runs == [2, 0, 1]
    canvas.hold(None)
    for frame in (0, 2):
        canvas.frame(frame)
    assert runs == [2, 0, 1, 0, 2]


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
def test_a_mask_is_finite_and_real(rule: str) -> None:
    canvas = cw.trace(cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, bias=True), (3, 4)), rule)
    mask = np.zeros((3, 4))
    for bad in (np.nan, np.inf):
        mask[1, 2] = bad
        for given in (mask, torch.tensor(mask)):
            with pytest.raises(ValueError, match="mask: holds NaN or infinity at 1 of 12 values"):
                canvas.region(given)
    for given in (np.zeros((3, 4), complex), "mask", np.full((3, 4), "a"), [[1], [2, 3]]):
        with pytest.raises((TypeError, ValueError), match="mask"):
            canvas.region(given)
    for wrong in (True, np.True_):
        for ask in (
            lambda wrong=wrong: canvas.map(0, 0, wrong),
            lambda wrong=wrong: canvas.pixel(wrong, 0),
            lambda wrong=wrong: canvas.map(0, wrong),
            lambda wrong=wrong: canvas.map(wrong, 0),
            lambda wrong=wrong: canvas.maps(0, [(wrong, 0)]),
        ):
            with pytest.raises(TypeError, match="expected"):
                ask()


@pytest.mark.parametrize(
    ("squash", "named"), [(torch.sigmoid, "sigmoid"), (lambda y: y / 2 + 0.5, "div, add")]
)
def test_xinc_adds_up_to_the_raw_output_and_says_before_what(squash: Any, named: str) -> None:
    class Squashed(Mlp):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return squash(super().forward(x))

    torch.manual_seed(0)
    model = Squashed([2, 4, 3], nn.ReLU, bias=True)
    canvas = cw.trace(cw.INR.from_coords(model, (3, 4)), "xinc")
    (one,) = [check for check in canvas.check() if "sum to" in check.invariant]
    assert one.invariant == f"maps sum to the raw output, before {named}"
    assert one.holds
    total = canvas.maps(1, range(4), rgb="each").sum(0)
    np.testing.assert_allclose(squash(torch.tensor(total)).numpy(), canvas.frame(), atol=1e-6)
    plain = cw.trace(cw.INR.from_coords(Mlp([2, 4, 3], nn.ReLU, bias=True), (3, 4)), "xinc")
    assert "maps sum to the raw output" in {check.invariant for check in plain.check()}
