"""Requests that cannot be answered: an error that says what is wrong."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from canvaswidget.error_text import one_line
from tests.canvases import StepCanvas
from tests.kernel.page import CONV, Page, grid, selection

BAD = [
    ({"kind": "frame", "time": 4, "source": "off"}, "time=4: out of range"),
    ({"kind": "frame", "time": None, "source": "off"}, "time=None: expected an int"),
    ({"kind": "frame", "time": True, "source": "off"}, "time=True: expected an int"),
    ({"kind": "frame", "time": 0, "source": "video"}, "source='video': expected one of 'reconstruction'"),
    ({"kind": "frame", "source": "off"}, "time: the field is missing"),
    ({"kind": "frame", "time": 0, "source": "off", "rule": "xinc"}, "rule: no such field"),
    ({"kind": "frame", "time": 0, "source": "off", "a\nb": 1}, "body['a\\nb']: no such field; expected kind"),
    ({"kind": "map", "time": 0, "selection": selection("net.nix")}, "no such layer"),
    ({"kind": "map", "time": 0, "selection": selection("x" * 5000)}, "xxx...xxx"),
    ({"kind": "map", "time": 0, "selection": selection("net")}, "could be any of net.conv, net.linear"),
    ({"kind": "map", "time": 0, "selection": selection(CONV, [1])}, "takes a kernel (i, o), of 3 x 4"),
    ({"kind": "map", "time": 0, "selection": selection(CONV, [1, 4])}, "neuron[1]=4: out of range"),
    ({"kind": "map", "time": 0, "selection": selection(CONV, cluster=3)}, "cluster=3: expected -1 to 2"),
    ({"kind": "map", "time": 0, "selection": None}, "selection=None: expected an object"),
    ({"kind": "map", "time": 0, "selection": "net.conv"}, "selection='net.conv': expected an object"),
    ({"kind": "map", "time": 0}, "selection: the field is missing"),
    ({"kind": "strip", "frames": [0] * 5, "side": 8}, "the number of frames=5: expected 0 to 4"),
    (grid(CONV, sort="size"), "sort='size'"),
    (grid(CONV, sort="pixel", pixel=None), "needs a pixel"),
    (grid(CONV, sort="pixel", pixel=[4, 0]), "pixel[0]=4: out of range"),
    (grid(CONV, count=10**9), "count=1000000000: expected 0 to"),
    (grid(CONV, side=0), "side=0"),
    (
        {"kind": "pixel", "time": 0, "pixel": [1], "k": 3, "selection": selection(CONV)},
        "pixel=[1]: expected (y, x)",
    ),
    ({"kind": "clusters", "time": 0, "layer": CONV, "n_clusters": 1}, "n_clusters=1: expected 2 to 12"),
    ({"kind": "curve", "frames": [0, 9], "selection": selection(CONV)}, "time=9: out of range"),
]


@pytest.mark.parametrize(("body", "words"), BAD)
def test_a_wrong_request_is_answered_with_what_is_wrong(steps: Page, body: Any, words: str) -> None:
    message = steps.fail(**body)
    assert words in message
    assert "\n" not in message
    steps.ask(kind="frame", time=0, source="reconstruction")  # and the worker lives


def test_messages_that_are_none(steps: Page, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        for message in (None, 3, [], {}, {"type": "request"}, {"type": "cancel", "id": None}):
            steps.session.handle(message, steps.reply)  # type: ignore[arg-type]
    assert steps.heard == []
    assert caplog.text.count("ignored") == 6
    for i, message in enumerate(
        ({}, {"view": "a"}, {"view": "a", "body": {"kind": "no"}}, {"view": 1, "body": {}})
    ):
        steps.session.handle({"type": "request", "id": 50 + i, **message}, steps.reply)  # type: ignore[arg-type]
        assert steps.end(50 + i)[0]["type"] == "error"
    steps.session.handle({"type": "what", "id": 60}, steps.reply)  # type: ignore[arg-type]
    assert "expected one of 'request', 'cancel', 'painted'" in steps.end(60)[0]["message"]
    steps.session.handle({"type": "cancel", "id": 12345}, steps.reply)


def test_an_error_is_shown_and_logged(pages, caplog) -> None:
    canvas = StepCanvas()

    def fail(what: str, step: int) -> None:
        raise RuntimeError("CUDA is out of memory.\nTried to allocate")

    canvas.at_step = fail
    message = pages(canvas).fail(kind="frame", time=1, source="reconstruction")
    assert message == "RuntimeError: CUDA is out of memory."
    assert "Tried to allocate" in caplog.text


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_maps_that_are_no_numbers_are_named(pages, bad: float) -> None:
    canvas = StepCanvas()
    canvas.spoiled = {"map": bad}
    page = pages(canvas)
    for body in (
        {"kind": "map", "time": 2, "selection": selection(CONV, [1, 2])},
        {"kind": "curve", "frames": [3], "selection": selection(CONV, [1, 2])},  # compared with frame 2
        grid(CONV, time=2, first=6),
    ):
        assert "layer 'net.conv', neuron (1, 2), frame 2 has 24 values of 24 that are NaN" in page.fail(
            **body
        )
    for body in (
        {"kind": "map", "time": 2, "selection": selection(CONV)},
        {"kind": "pixel", "time": 2, "pixel": [0, 0], "k": 2, "selection": selection(CONV, [1, 2])},
        grid(CONV, time=2, sort="total"),
    ):
        assert "layer 'net.conv'" in page.fail(**body)
    canvas.spoiled = {"frame": bad}
    assert "frame 3 of the model has 72 values" in page.fail(kind="frame", time=3, source="reconstruction")


def test_one_line() -> None:
    assert one_line(KeyError("layer='x': no such layer")) == "layer='x': no such layer"
    assert one_line(KeyError("x")) == "KeyError: x"
    assert one_line(MemoryError()) == "MemoryError"
    assert one_line(ValueError("first line\nsecond")) == "first line"
