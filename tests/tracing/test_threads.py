"""Several threads on one canvas get the answers of one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

import canvaswidget as cw
from canvaswidget.tracing.neurons import all_neurons
from canvaswidget.tracing.rules import make_rule
from tests.tracing.pointwise import Net
from tests.zoo import KINDS, build


def test_a_fresh_canvas_swept_on_threads_gives_the_serial_answer() -> None:
    """Gates near 0 everywhere, sweeps left early, canvases made anew."""
    model = Net(torch.sigmoid)
    with torch.no_grad():
        model.a.bias.zero_()
        model.a.weight.mul_(1e-3)
    base = cw.trace(cw.INR.from_coords(model, (33, 33)), "gated", memory="1 MiB")
    expected = base.maps("a", all_neurons(base.layers.find("a"), "kernel"))
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        for _ in range(40):
            canvas = fresh(base, "gated")
            neurons, maps = next(canvas.iter("a", granularity="kernel"))
            np.testing.assert_allclose(maps, expected[: len(neurons)], rtol=1e-6, atol=1e-9)
    finally:
        torch.set_num_threads(threads)


def fresh(canvas: cw.Canvas, rule: str) -> cw.Canvas:
    """The model under a rule, with nothing computed yet: `under` gives the canvas that there is."""
    capture = canvas.matrix.capture
    return cw.Canvas(capture, make_rule(capture, rule, {}), canvas.memory)


def answers(canvas: cw.Canvas, order: random.Random | None = None) -> dict[str, np.ndarray]:
    """What a canvas says of every layer, asked in order or in any order."""
    questions: list[tuple[str, Callable[[], np.ndarray]]] = []
    for layer in canvas.traced_layers:
        name = layer.name
        questions += [
            (f"{name} map", lambda name=name: canvas.map(name, 0)),
            (f"{name} column", lambda name=name: canvas.pixel(0, 0, layers=name)[name]),
            (f"{name} sweep", lambda name=name: np.concatenate([m for _, m in canvas.iter(name)])),
            (f"{name} total", lambda name=name: canvas.summary(name, granularity="unit").pixel_abs),
        ]
        if canvas.rule == "gated":
            looks = canvas.improving_summaries(name, accuracy=0.9)
            questions.append(
                (f"{name} estimate", lambda looks=looks, name=name: next(looks)[name].neuron_abs)
            )
    if order is not None:
        order.shuffle(questions)
    return {name: ask() for name, ask in questions}


STRESSED = ("mlp_gabor", "mlp_sigmoid", "wire", "skip_by_addition", "layer_norm", "nerv", "hnerv")


@pytest.mark.parametrize(
    ("rule", "rounds"),
    [
        ("gated", 1),
        *(pytest.param(rule, 2, marks=pytest.mark.repeats) for rule in ("xinc", "gated", "ablation")),
    ],
)
def test_eight_threads_on_one_canvas_give_the_serial_answers(rule: str, rounds: int) -> None:
    for kind in STRESSED:
        stress(kind, rule, rounds)


def stress(kind: str, rule: str, rounds: int, n_threads: int = 8) -> None:
    """Ask one fresh canvas on several threads at once; every answer is the serial one to the bit."""
    base = cw.trace(build(kind, 0), "ablation", memory="1 MiB")
    try:
        expected = answers(fresh(base, rule))
    except cw.UntraceableError:
        return
    width = torch.get_num_threads()
    for round_ in range(rounds):
        canvas = fresh(base, rule)
        gathered = threading.Barrier(n_threads)

        def ask(number: int, canvas: cw.Canvas = canvas, gathered: threading.Barrier = gathered) -> Any:
            torch.set_num_threads(width)
            gathered.wait()
            return answers(canvas, random.Random(number))

        with ThreadPoolExecutor(n_threads) as pool:
            for number, found in enumerate(pool.map(ask, range(n_threads))):
                for name, value in found.items():
                    assert np.array_equal(value, expected[name]), (kind, rule, round_, number, name)


if __name__ == "__main__":  # the long one: every kind and rule, a hundred times
    for each in KINDS:
        for name in ("xinc", "gated", "ablation"):
            stress(each, name, rounds=100)
            print(each, name, flush=True)
