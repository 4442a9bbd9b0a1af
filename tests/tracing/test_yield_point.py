"""A canvas asked for something else from within one of its own passes answers both as if one after the other."""

from __future__ import annotations

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.tracing.capture.yield_point import yield_point, yield_to
from tests.canvases import video


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("xinc", marks=pytest.mark.repeats),
        "gated",
        pytest.param("ablation", marks=pytest.mark.repeats),
    ],
)
def test_what_is_asked_between_two_operations_is_exact_and_harms_nothing(rule: str) -> None:
    inr = video()
    alone, shared = (cw.trace(inr, rule, device="cpu") for _ in range(2))
    layer = alone.traced_layers[-1].name
    inside = []

    def ask() -> None:
        with yield_to(lambda: None):
            inside.append(
                (shared.map(layer, (0, 1), 1), shared.pixel(2, 3, 2, [layer])[layer], shared.frame(4))
            )

    with yield_to(ask):
        outer = shared.map(layer, (0, 0), 3)
    assert len(inside) > 3
    np.testing.assert_array_equal(outer, alone.map(layer, (0, 0), 3))
    for found, column, frame in inside:
        np.testing.assert_array_equal(found, alone.map(layer, (0, 1), 1))
        np.testing.assert_array_equal(column, alone.pixel(2, 3, 2, [layer])[layer])
        np.testing.assert_array_equal(frame, alone.frame(4))


def test_an_error_of_what_is_let_in_leaves_the_canvas_as_it_was() -> None:
    canvas = cw.trace(video(), device="cpu")

    def fail() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), yield_to(fail):
        canvas.frame(3)
    np.testing.assert_array_equal(canvas.frame(3), cw.trace(video(), device="cpu").frame(3))


def test_nobody_is_let_in_without_being_asked() -> None:
    calls = []
    with yield_to(lambda: calls.append("in")):
        yield_point()
    yield_point()
    assert calls == ["in"]
