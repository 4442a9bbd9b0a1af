"""What quantised weights lose, as a source of the frame: the picture, its PSNR, and where it is not offered."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.kernel import quantisation
from canvaswidget.kernel.facts import Facts
from tests.canvases import image, video
from tests.exports.saved_page import Saved
from tests.kernel.page import Page

pytestmark = pytest.mark.usefixtures("unbuilt")


def ask(page: Page, bits: int, scheme: str = "per-tensor", time: int = 2) -> tuple[Any, np.ndarray]:
    quantised = {"bits": bits, "scheme": scheme}
    return page.ask(kind="frame", time=time, source="quantisation", quantised=quantised)


def rounded(weights: torch.Tensor, bits: int) -> torch.Tensor:
    """On an even grid from the least to the largest, weight by weight."""
    values, low, high = weights.double(), float(weights.min()), float(weights.max())
    steps = [low + k * (high - low) / (2**bits - 1) for k in range(2**bits)]
    flat = [min(steps, key=lambda step: abs(step - value)) for value in values.flatten().tolist()]
    return torch.tensor(flat).reshape(weights.shape).to(weights)


def by_hand(inr: cw.INR, bits: int, time: int, per_channel: bool) -> np.ndarray:
    """The frame of a copy whose weight matrices and kernels are rounded one number at a time, ``(h, w, c)``."""
    weights = deepcopy(inr.module.state_dict())
    for name, part in inr.module.named_modules():
        if isinstance(part, torch.nn.Conv2d | torch.nn.Linear):
            rows = part.weight.detach()
            made = torch.stack([rounded(row, bits) for row in rows]) if per_channel else rounded(rows, bits)
            weights[f"{name}.weight"] = made
    return inr.with_weights(weights).frame(time)


def decibels(one: np.ndarray, other: np.ndarray) -> float:
    return -10 * np.log10(((np.clip(one, 0, 1) - np.clip(other, 0, 1)) ** 2).mean())


@pytest.mark.parametrize("rule", ["xinc", "gated", "ablation"])
@pytest.mark.parametrize("scheme", ["per-tensor", "per-channel"])
def test_the_map_is_the_difference_of_the_two_pictures(
    pages, canvas: cw.Canvas, rule: str, scheme: str
) -> None:
    made = by_hand(canvas.inr, 3, 2, scheme == "per-channel")
    whole = canvas.frame(2)
    body, data = ask(pages(canvas.under(rule)), 3, scheme)
    assert (body["source"], body["channels"], body["low"]) == ("quantisation", 1, 0)
    lost = np.abs(np.clip(made, 0, 1) - np.clip(whole, 0, 1)).mean(2)
    assert lost.max() > 0.005
    found = data.reshape(canvas.inr.size) / 255 * body["high"]
    np.testing.assert_allclose(found, lost, atol=0.51 * body["high"] / 255 + 1e-5)
    truth = canvas.inr.truth[2]
    assert body["psnr"] == pytest.approx(decibels(made, truth), rel=1e-4)
    assert body["psnr_before"] == pytest.approx(decibels(whole, truth), rel=1e-4)


def test_where_there_is_no_truth_the_original_is_what_is_compared_with(pages) -> None:
    canvas = cw.trace(video(truth=False), device="cpu")
    body, _ = ask(pages(canvas), 4)
    assert body["psnr"] == pytest.approx(
        decibels(by_hand(canvas.inr, 4, 2, False), canvas.frame(2)), rel=1e-4
    )
    assert body["psnr_before"] is None


def test_more_bits_lose_less_and_each_is_rendered_once(pages, canvas: cw.Canvas, monkeypatch) -> None:
    calls: list[Any] = []
    render = quantisation.quantisation_loss
    monkeypatch.setattr(
        quantisation,
        "quantisation_loss",
        lambda *args, **more: calls.append(args[1:]) or render(*args, **more),
    )
    page = pages(canvas)
    highest = [ask(page, bits)[0]["high"] for bits in (2, 4, 8, 16, 4, 2)]
    assert highest[0] > highest[1] > highest[2] > highest[3]
    assert highest[4:] == [highest[1], highest[0]]
    assert calls == [(2, "per-tensor"), (4, "per-tensor"), (8, "per-tensor"), (16, "per-tensor")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "quantised: missing"),
        ({"quantised": {"bits": 0, "scheme": "per-tensor"}}, "bits=0: expected 1 to 16"),
        ({"quantised": {"bits": 17, "scheme": "per-tensor"}}, "bits=17"),
        (
            {"quantised": {"bits": 4, "scheme": "per-layer"}},
            "scheme='per-layer': expected one of 'per-tensor'",
        ),
    ],
)
def test_what_is_no_quantiser(page: Page, given: dict[str, Any], words: str) -> None:
    assert words in page.fail(kind="frame", time=0, source="quantisation", **given)


# --- where it is offered --------------------------------------------------------------------------------------


class Shared(torch.nn.Module):
    """Every weight is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(3, 2))

    def forward(self, coords: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.linear(coords, self.weight) + torch.nn.functional.linear(
            coords.flip(-1), self.weight
        )


def test_a_saved_canvas_and_shared_weights_are_refused_by_name(
    pages, widgets, canvas: cw.Canvas, tmp_path: Path
) -> None:
    canvas.save(tmp_path / "saved.zarr", frames=[0], progress=False)
    saved = cw.open(tmp_path / "saved.zarr")
    shared = cw.trace(cw.INR.from_coords(Shared(), (6, 8)), "gated", device="cpu")
    for one, words in ((saved, "does not contain the weights"), (shared, "used in 2 places")):
        why = Facts.of(one).quantisation["why_not"]
        assert words in why
        given = {"bits": 4, "scheme": "per-tensor"}
        assert words in pages(one).fail(kind="frame", time=0, source="quantisation", quantised=given)
        w = widgets(one)
        assert w._canvas["quantisation"] == {"why_not": why, "left_out": {}}
        with pytest.raises(ValueError, match=words):
            w.source = "quantisation"
        assert w.source == "reconstruction"


def test_layers_that_stay_as_they_are_are_named(canvas: cw.Canvas) -> None:
    assert Facts.of(canvas).quantisation == {"why_not": "", "left_out": {}}
    layer = canvas.layers[-2]
    turned = canvas.under("gated").directions(layer.name, np.eye(layer.n_units))
    told = Facts.of(turned).quantisation
    assert told["why_not"] == ""
    assert list(told["left_out"]) == [layer.name]
    assert "directions" in told["left_out"][layer.name]


# --- the widget -------------------------------------------------------------------------------------------------


def test_figures_recipes_and_runs_show_it(widgets, canvas: cw.Canvas) -> None:
    w = widgets(canvas, source="quantisation", bits=3, scheme="per-channel", time=2)
    assert (w.source, w.bits, w.scheme) == ("quantisation", 3, "per-channel")
    recipe = w.recipe()
    assert "source='quantisation'" in recipe
    assert "bits=3" in recipe
    assert "scheme='per-channel'" in recipe
    drawn = w.figure(["frame"])
    words = " ".join(text.get_text() for text in drawn.findobj(lambda one: hasattr(one, "get_text")))
    assert "with weights of 3 bits per channel" in words
    assert quantisation.UNIT in words
    made = by_hand(canvas.inr, 3, 2, True)
    assert f"PSNR {decibels(made, canvas.inr.truth[2]):.1f} dB" in words
    lost = np.abs(np.clip(made, 0, 1) - np.clip(canvas.frame(2), 0, 1)).mean(2)
    shown = [image.get_array() for ax in drawn.axes for image in ax.images]
    assert any(one.shape == lost.shape and np.allclose(one, lost, atol=1e-5) for one in shown)


def test_a_page_keeps_no_weights_and_does_not_offer_it(widgets, canvas: cw.Canvas, tmp_path: Path) -> None:
    w = widgets(canvas, source="quantisation", bits=3)
    w.save(tmp_path / "page.html", neurons=2, frames=[2], progress=False)
    saved = Saved(tmp_path / "page.html")
    assert saved.whole["state"]["source"] == "reconstruction"
    assert "keeps no weights" in saved.page["info"]["quantisation"]["why_not"]


def test_a_run_that_can_not_be_quantised_is_shown_as_it_is(widgets) -> None:
    networks = {"plain": image(), "shared": cw.INR.from_coords(Shared(), image().size)}
    runs = cw.Runs({name: cw.trace(inr, "gated", device="cpu") for name, inr in networks.items()})
    w = widgets(runs, source="quantisation")
    w.run = "shared"
    assert w.source == "reconstruction"
    assert "its weights can't be quantised" in w._canvas["notice"]
