"""What the page may set and ask, and another rule."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Any

import pytest

import canvaswidget as cw
from canvaswidget.kernel import messages
from canvaswidget.widget.widget import CanvasWidget
from tests.kernel.test_messages import problems
from tests.widget.between_page_and_widget import WRONG, request, sent, without_numbers

pytestmark = pytest.mark.usefixtures("unbuilt")


def test_the_page_sets_a_layer_with_its_neuron(w: CanvasWidget) -> None:
    w.layer, w.neuron = 0, (0, 19)
    found = sent(w)
    w.set_state({"neuron": [1, 2], "neurons": [[1, 2]], "layer": "head_layer", "time": 1})
    assert (w.layer, w.neuron, w.time) == ("head_layer", (1, 2), 1)
    assert [message for message in found if message["method"] == "update"] == []


def test_the_last_value_sent_is_the_value_though_two_threads_send(w: CanvasWidget) -> None:
    """One thread is at the door with a value when another sets a newer one: the newer must go last."""
    at_the_door, overtaken = threading.Event(), threading.Event()
    opacities: list[float] = []

    def send(message: dict[str, Any], buffers: Any = None) -> None:
        opacity = message["state"]["opacity"]
        if opacity == 0.5:
            at_the_door.set()
            overtaken.wait(0.2)
        else:
            overtaken.set()
        opacities.append(opacity)

    def set_held() -> None:
        with w.hold_sync():
            w.opacity = 0.5

    w._send = send  # type: ignore[method-assign]
    other = threading.Thread(target=set_held)
    other.start()
    assert at_the_door.wait(60)
    w.opacity = 0.75
    other.join(60)
    assert not other.is_alive()
    assert opacities == [0.5, 0.75]


@pytest.mark.parametrize(
    ("name", "start", "by_page", "by_python"),
    [
        ("time", 1, 4, 0),
        ("pixel", (1, 1), [4, 4], (2, 3)),
        ("n_clusters", 6, 4, 3),
        ("layer", 0, "head_layer", 1),
    ],
)
def test_a_report_that_is_taken_while_python_sets_the_trait_loses(
    w: CanvasWidget, name: str, start: Any, by_page: Any, by_python: Any
) -> None:
    """Comms may have a thread of their own: the report is older than the change, whichever thread is first."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for report in range(100):
            setattr(w, name, start)
            known, together = max(w._changes.values()), threading.Barrier(2)

            def take(
                known: int = known, together: threading.Barrier = together, report: int = report
            ) -> None:
                together.wait(60)
                w.set_state({name: by_page, "_seen": {name: known, "report": report}})

            page = threading.Thread(target=take)
            page.start()
            together.wait(60)
            setattr(w, name, by_python)
            expected = getattr(w, name)
            page.join(60)
            assert getattr(w, name) == expected != by_page
            assert w._changes[name] > known
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize(("name", "value", "error", "words"), WRONG)
def test_the_page_can_break_nothing(
    w: CanvasWidget, caplog, name: str, value: Any, error: Any, words: str
) -> None:
    before = w.get_state()
    found = sent(w)
    w._handle_msg({"content": {"data": {"method": "update", "state": {name: value, "playing": True}}}})
    assert without_numbers(w.get_state()) == {**without_numbers(before), "playing": True}
    updates = [message["state"] for message in found if message["method"] == "update"]
    assert {name: before[name]} in [without_numbers(update) for update in updates]
    assert f"the page set {name}=" in caplog.text


def test_what_is_the_kernels_stays(w: CanvasWidget) -> None:
    before = w.get_state()["_canvas"]
    w.set_state({"_canvas": {}, "unheard_of": 3})
    assert w.get_state()["_canvas"] == before


def test_requests_are_answered_on_the_loop(w: CanvasWidget) -> None:
    async def talk() -> tuple[dict[str, Any], list[bytes], int]:
        answered = asyncio.get_running_loop().create_future()
        w.send = lambda content, buffers=None: answered.set_result(  # type: ignore[method-assign]
            (content, buffers, threading.get_ident())
        )
        w._handle_custom_msg(request(7, kind="frame", time=2, source="reconstruction"), [])
        return await asyncio.wait_for(answered, 60)

    content, buffers, thread = asyncio.run(talk())
    assert problems(content, messages.FromKernel) == []
    assert (content["id"], content["body"]["time"], len(buffers[0])) == (7, 2, 16 * 32 * 3)
    assert thread == threading.get_ident()
    assert w.stats()["answered"] == 1


def test_requests_are_answered_without_a_loop(w: CanvasWidget) -> None:
    answered = threading.Event()
    w.send = lambda content, buffers=None: answered.set()  # type: ignore[method-assign]
    w._handle_custom_msg(request(7, kind="palettes"), [])
    assert answered.wait(60)
    w._handle_custom_msg("what", [])


def test_an_answer_after_the_loops_end_is_dropped(w: CanvasWidget, caplog) -> None:
    async def ask() -> None:
        w._handle_custom_msg(request(1, kind="palettes"), [])

    gate = threading.Event()
    blocked = threading.Thread(target=lambda: w._live.call(lambda checkpoint: gate.wait(60)))
    blocked.start()
    asyncio.run(ask())
    gate.set()
    blocked.join(60)
    w._live.call(lambda checkpoint: None)
    assert "Traceback" not in caplog.text


def test_clusters_are_named(w: CanvasWidget) -> None:
    w.n_clusters = 3
    w.name_cluster(1, "sky")
    w.name_cluster(0, "sea")
    assert w.cluster_names == {f"{w.layer}/3": ["sea", "sky", ""]}
    with pytest.raises(ValueError, match="cluster=3: expected 0 to 2"):
        w.name_cluster(3, "x")


# --- the rule -----------------------------------------------------------------------------------------------


def test_another_rule_is_another_canvas(stepped: CanvasWidget) -> None:
    w = stepped
    w.layer, w.neuron = "conv", (1, 1)
    before, found = w.canvas, sent(w)
    w.rule = "other"
    assert (w.rule, w.canvas.rule, w.layer, w.neuron) == ("other", "other", "net.linear", None)
    assert w.canvas is not before
    (update,) = [message["state"] for message in found if message["method"] == "update"]
    assert {"rule", "_canvas", "layer", "neuron", "neurons", "cluster_names", "_changes"} == set(update)
    assert update["_canvas"]["rule"] == "other"
    assert [layer["name"] for layer in update["_canvas"]["layers"]] == ["net.linear"]


def test_the_page_is_offered_the_rules_that_are_defined(stepped: CanvasWidget) -> None:
    assert stepped._canvas["rules"] == ["xinc", "other"]
    stepped.rule = "other"
    assert stepped._canvas["rules"] == ["xinc", "other"]


def test_another_rule_keeps_the_selection(canvas, widgets) -> None:
    real = widgets(canvas.inr)
    assert real._canvas["rules"] == ["xinc", "gated", "ablation"]
    assert "xinc" in real._canvas["why"]
    real.layer, real.neuron = real.facts.layers[-1].name, (1, 2)
    for rule in ("gated", "ablation"):
        real.rule = rule
        assert (real.neuron, real.canvas.rule) == ((1, 2), rule)
        assert real._canvas["ranked_by"] == "gated"
        assert "xinc" in real._canvas["why"]


def test_a_rule_that_is_not_defined_changes_nothing(stepped: CanvasWidget, caplog) -> None:
    w, before = stepped, stepped.canvas
    with pytest.raises(cw.UntraceableError):
        w.rule = "undefined"
    found = sent(w)
    w.set_state({"rule": "undefined"})
    assert (w.rule, w.canvas) == ("xinc", before)
    assert {"rule": "xinc"} in [without_numbers(message["state"]) for message in found]
    w.set_state({"rule": "other"})
    assert (w.rule, w.canvas.rule) == ("other", "other")
