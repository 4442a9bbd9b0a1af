"""Progress: a bar appears two seconds after the work began, and no sooner. The tests turn the clock themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import tqdm.std

import canvaswidget as cw
from canvaswidget import analysis
from canvaswidget.progress import reported, steps
from tests.canvases import image, video

pytestmark = pytest.mark.usefixtures("unbuilt")


class Clock:
    """Seconds as the test says; `step` pass with every look at it."""

    def __init__(self, step: float = 0) -> None:
        self.now, self.step = 1000.0, step

    def __call__(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(tqdm.std, "time", found)
    return found


def by_reported(work: Iterator[None]) -> None:
    results = ((torch.zeros(1), None) for _ in work)
    for _ in reported(results, 3, True, "title"):
        pass


def by_report(work: Iterator[None]) -> None:
    with steps("title", "it", True) as told:
        for done, _ in enumerate(work, 1):
            told.report(done, 3)


def by_steps(work: Iterator[None]) -> None:
    with steps("title", "step", True) as told:
        told.plan(3)
        for _ in work:
            told.take()


def by_one_long_step(work: Iterator[None]) -> None:
    with steps("title", "step", True) as told:
        told.plan(1)
        report = told.within(lambda done, total: None)
        for _ in work:
            report()
        told.take()


WAYS = [by_reported, by_report, by_steps, by_one_long_step]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("seconds", "is_shown"), [(0.6, False), (0.7, True)])
def test_a_bar_appears_after_two_seconds(
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
    way: Callable[[Any], None],
    seconds: float,
    is_shown: bool,
) -> None:
    def work() -> Iterator[None]:
        for _ in range(3):
            clock.now += seconds
            yield

    way(work())
    assert ("title" in capsys.readouterr().err) is is_shown


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), "ablation", device="cpu")


@pytest.fixture(scope="module")
def widget() -> Iterator[cw.CanvasWidget]:
    w = cw.CanvasWidget(video(), rule="gated", device="cpu", faithfulness=False)
    yield w
    w.close()


# By the title of its bar: what takes longer than two seconds on a large model.
CALLS: dict[str, Callable[[cw.Canvas, cw.CanvasWidget, Path], Any]] = {
    "trace": lambda canvas, w, path: cw.trace(image()),
    "pixel": lambda canvas, w, path: canvas.pixel(1, 2, progress=True),
    "region": lambda canvas, w, path: canvas.region(canvas.frame()[..., 0] > 0, progress=True),
    "check": lambda canvas, w, path: canvas.check(),
    "decoder": lambda canvas, w, path: cw.trace(video()).summary(1, progress=True),
    "deletion": lambda canvas, w, path: analysis.deletion(canvas, 1, points=2, seeds=[0], progress=True),
    "saving": lambda canvas, w, path: canvas.save(path / "x.zarr", frames=[0], maps=0, layers=[2]),
    "figure": lambda canvas, w, path: w.figure(["time"]),
    "choosing neurons": lambda canvas, w, path: w.estimate_page(layers=[1], frames=[0]),
    "estimating the page": lambda canvas, w, path: w.estimate_page(layers=[1], frames=[0]),
    "x.html": lambda canvas, w, path: w.save(path / "x.html", layers=[1], frames=[0]),
    "x.gif": lambda canvas, w, path: w.animation(path / "x.gif", 0, 1),
}


@pytest.mark.parametrize("step", [0, 3])
@pytest.mark.parametrize("title", CALLS)
def test_what_takes_long_says_so(
    clock: Clock,
    capsys: pytest.CaptureFixture[str],
    canvas: cw.Canvas,
    widget: cw.CanvasWidget,
    tmp_path: Path,
    title: str,
    step: float,
) -> None:
    clock.step = step
    CALLS[title](canvas, widget, tmp_path)
    shown = capsys.readouterr().err
    assert title in shown if step else not shown


def test_a_pixel_counts_every_neuron_once_and_can_be_stopped(canvas: cw.Canvas) -> None:
    told: list[tuple[int, int]] = []
    canvas.pixel(1, 2, layers=[1, 2, 1], progress=lambda *now: told.append(now))
    total = canvas.layers[1].n_kernels + canvas.layers[2].n_kernels
    assert told[0] == (0, total)
    assert told[-1] == (total, total)
    assert told == sorted(told)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    for ask in (canvas.pixel, canvas.top):
        with pytest.raises(KeyboardInterrupt):
            ask(1, 2, progress=stop)


def test_tracing_tells_its_steps_and_can_be_stopped() -> None:
    told: list[tuple[int, int]] = []
    inr = image()
    cw.trace(inr, progress=lambda *now: told.append(now))
    assert sorted(set(told)) == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert told == sorted(told)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cw.trace(inr, progress=stop)
    cw.trace(inr, progress=False)
