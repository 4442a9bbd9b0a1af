"""A saved page of several runs, from disk without a kernel: slider, keys, menu and player show each to the pixel."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, expect

import canvaswidget as cw
from canvaswidget.kernel import requests
from canvaswidget.models import FFN, SIREN
from tests.browser.saved_page import TIMEOUT, SavedPage
from tests.browser.test_access import AXE, CHECK

KEPT = [0, 112, 2400]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, cw.CanvasWidget]]:
    path = tmp_path_factory.mktemp("runs") / "view.html"
    w = cw.CanvasWidget(cw.demo.training(), opacity=0.0)  # the picture alone can be compared to the pixel
    w.save(path, runs=KEPT, neurons=2, progress=False)
    yield path, w
    w.close()


@pytest.fixture
def opened(browser: Browser, written: tuple[Path, cw.CanvasWidget]) -> Iterator[SavedPage]:
    page = SavedPage(browser, written[0])
    yield page
    page.close()


def kernel(w: cw.CanvasWidget, **body: Any) -> tuple[Any, np.ndarray]:
    answer, data = w._live.call(lambda report: requests.answer(w._live.of(body["run"]), body, report))
    return answer, np.frombuffer(data, np.uint8)


def levels(opened: SavedPage, name: str = "frame") -> np.ndarray:
    """What a canvas shows, without its alpha."""
    address = opened.part(name).evaluate("canvas => canvas.toDataURL()")
    drawn = io.BytesIO(base64.b64decode(address.partition(",")[2]))
    return np.asarray(Image.open(drawn).convert("RGB"))


def test_the_slider_and_the_keys_go_through_the_runs(
    opened: SavedPage, written: tuple[Path, cw.CanvasWidget]
) -> None:
    w, frame, label = written[1], opened.part("frame"), opened.part("run-label")

    def expect_run(run: int) -> None:
        expect(label).to_have_text(str(run))
        expect(frame).to_have_attribute("data-run", str(run), timeout=TIMEOUT)
        opened.settle()
        answer, data = kernel(w, run=run, kind="frame", time=0, source="reconstruction")
        np.testing.assert_array_equal(levels(opened).ravel(), data)
        expect(opened.panel("frame").locator(".cw-label")).to_contain_text(f"{answer['psnr']:.1f} dB")

    expect_run(2400)
    assert opened.part("run").get_attribute("max") == "2"
    opened.slide("run", 0)
    expect_run(0)
    opened.page.locator(".cw-root").focus()
    opened.page.keyboard.press(".")
    expect_run(112)
    opened.page.keyboard.press(",")
    expect_run(0)
    expect(frame).to_have_attribute("data-selection", f"{w.layer}/{w.neuron}")
    expect(opened.panel("pixel").locator(".cw-bar:visible").first).to_be_visible()
    opened.part("run-menu").wait_for(state="hidden")


def test_its_answers_are_the_kernels_for_each_run(
    opened: SavedPage, written: tuple[Path, cw.CanvasWidget]
) -> None:
    w = written[1]
    selection = {"layer": w.layer, "neuron": [w.neuron], "neurons": [], "cluster": -1, "n_clusters": 6}
    for run in KEPT:
        body = {"kind": "map", "run": run, "rule": w.rule, "time": 0, "selection": selection}
        (mine, ours), (truth, theirs) = opened.ask(**body), kernel(w, **body)
        assert mine["total"] == pytest.approx(truth["total"], rel=1e-4)
        assert (mine["low"], mine["high"]) == pytest.approx((truth["low"], truth["high"]), rel=1e-4)
        np.testing.assert_array_equal(ours, theirs)
        pixel = {"kind": "pixel", "run": run, "rule": w.rule, "time": 0, "pixel": w.pixel, "k": 5}
        mine, _ = opened.ask(**pixel, selection=selection)
        truth, _ = kernel(w, **pixel, selection=selection)
        assert [each["neuron"] for each in mine["neurons"]] == [each["neuron"] for each in truth["neurons"]]


def test_a_second_run_is_compared(opened: SavedPage, written: tuple[Path, cw.CanvasWidget]) -> None:
    w, second = written[1], opened.part("compared")
    opened.part("compare").select_option("112")
    expect(second).to_have_attribute("data-run", "112", timeout=TIMEOUT)
    expect(second).to_have_attribute("data-selection", f"{w.layer}/{w.neuron}", timeout=TIMEOUT)
    opened.settle()
    _, data = kernel(w, run=112, kind="frame", time=0, source="reconstruction")
    np.testing.assert_array_equal(levels(opened, "compared").ravel(), data)
    expect(opened.panel("pixel").locator(".cw-bar[data-other]:visible").first).to_be_visible()
    expect(opened.page.locator("[data-panel][data-state=error]")).to_have_count(0)
    opened.part("compare").select_option("–")
    expect(second).to_be_hidden()


def test_it_plays_through_the_runs(opened: SavedPage) -> None:
    opened.play_through(3, over="run", button="play-runs")
    expect(opened.part("play-runs")).to_have_attribute("aria-label", "Play the runs")


def test_for_everyone(opened: SavedPage) -> None:
    opened.page.evaluate(AXE.read_text(encoding="utf-8"))
    violations, looked_at = opened.page.evaluate(CHECK.replace("axe.run('.cw-root')", "axe.run()"))
    assert "color-contrast" in looked_at
    assert violations == []
    opened.page.set_viewport_size({"width": 600, "height": 1000})
    opened.settle()
    assert opened.page.evaluate("() => document.documentElement.scrollWidth") <= 600


def test_a_menu_of_networks_of_other_layers(browser: Browser, tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = (24, 40)
    runs: Any = {
        "FFN": cw.as_inr(FFN(hidden=12, size=size)),
        "SIREN": cw.as_inr(SIREN(hidden=6, size=size)),
    }
    w = cw.CanvasWidget(cw.Runs(runs, rule="gated"), neuron=9, opacity=0.0)
    w.save(tmp_path / "a.html", runs="all", neurons=2, progress=False)
    opened = SavedPage(browser, tmp_path / "a.html")
    frame, menu = opened.part("frame"), opened.part("run-menu")
    assert menu.locator("option").all_text_contents() == ["FFN", "SIREN"]
    menu.select_option("SIREN")
    expect(frame).to_have_attribute("data-run", "SIREN", timeout=TIMEOUT)
    opened.settle()
    _, data = kernel(w, run="SIREN", kind="frame", time=0, source="reconstruction")
    np.testing.assert_array_equal(levels(opened).ravel(), data)
    expect(opened.part("status")).to_contain_text("SIREN: this page does not keep the selected neurons")
    expect(opened.page.locator("[data-panel][data-state=error]")).to_have_count(0)
    menu.select_option("FFN")
    expect(frame).to_have_attribute("data-run", "FFN", timeout=TIMEOUT)
    opened.part("compare").select_option("SIREN")
    expect(opened.part("compared")).to_have_attribute("data-run", "SIREN", timeout=TIMEOUT)
    opened.settle()
    np.testing.assert_array_equal(levels(opened, "compared").ravel(), data)
    expect(opened.part("compared-said")).to_contain_text("this page keeps no matches between neurons")
    expect(opened.page.locator("[data-panel][data-state=error]")).to_have_count(0)
    opened.close()
    w.close()
