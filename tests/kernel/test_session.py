"""The session: what happens to requests that meet, are cancelled, or come while it closes."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest

from canvaswidget.kernel import messages
from tests.canvases import StepCanvas
from tests.kernel.page import CONV, Page, cluster_labels, grid, selection
from tests.kernel.test_messages import problems


def at(step: int, act: Any):
    """Call `act` once, on the worker's thread, in that step of the first pass over a layer."""
    armed = [True]

    def at_step(what: str, now: int) -> None:
        if what != "frame" and now == step and armed:
            armed.clear()
            act()

    return at_step


def test_a_frame_is_answered_in_the_middle_of_a_slow_layer(steps: Page) -> None:
    urgent: list[int] = []

    def scrub() -> None:
        for time in (1, 2):
            urgent.append(steps.send(kind="frame", time=time, source="reconstruction"))
        urgent.append(steps.send(kind="pixel", time=1, pixel=[0, 0], k=3, selection=selection(CONV)))

    steps.session.canvas.at_step = at(1, scrub)
    slow = steps.send(**grid(CONV, sort="total"))
    assert steps.end(slow)[0]["type"] == "reply"
    superseded, frame, pixel = urgent
    assert steps.order == [(superseded, "cancelled"), (frame, "reply"), (pixel, "reply"), (slow, "reply")]
    calls = steps.session.canvas.calls
    assert calls.index("frame 2") < len(calls) - 3  # chunks came after it
    assert "frame 1" in calls  # the pixel's colour; the frame that was superseded was never computed


def test_a_newer_request_of_the_view_stops_the_older_one(steps: Page) -> None:
    newer: list[int] = []
    steps.session.canvas.at_step = at(2, lambda: newer.append(steps.send(**grid(CONV, sort="total", time=2))))
    older = steps.send(**grid(CONV, sort="total", time=1))
    assert steps.end(older)[0]["type"] == "cancelled"
    assert steps.end(newer[0])[0]["body"]["time"] == 2
    # Of the newer one: its order, the neurons that its scale is taken from, and their maps.
    assert sum(call.startswith("maps") for call in steps.session.canvas.calls) < 3 * StepCanvas.STEPS


def test_a_scrub_costs_one_computation_more_than_its_last_frame(steps: Page) -> None:
    """What is under way when the last wish comes can't be undone; all that waited between is never begun."""
    begun, go_on = threading.Event(), threading.Event()
    maps = steps.session.canvas.maps
    times: list[int] = []

    def slow(layer: str, neurons: Any, frame: int = 0, rgb: str = "sum") -> Any:
        times.append(frame)
        begun.set()
        assert go_on.wait(60)
        return maps(layer, neurons, frame)

    steps.session.canvas.maps = slow
    body = {"kind": "map", "selection": selection(CONV, [1, 2])}
    first = steps.send(**body, time=0)
    assert begun.wait(60)
    scrubbed = [steps.send(**body, time=1 + i % 2) for i in range(118)]
    last = steps.send(**body, time=3)
    go_on.set()
    assert steps.end(last)[0]["body"]["time"] == 3
    assert times == [0, 3]
    assert {steps.end(key)[0]["type"] for key in scrubbed} == {"cancelled"}
    assert steps.end(first)[0]["type"] in ("cancelled", "reply")


def test_the_page_may_cancel_what_runs_and_what_waits(steps: Page) -> None:
    waiting: list[int] = []

    def cancel() -> None:
        waiting.append(steps.send(kind="clusters", time=0, layer=CONV, n_clusters=2))
        for key in (waiting[0], slow_id):
            steps.session.handle({"type": "cancel", "id": key}, steps.reply)

    slow_id = 1
    steps.session.canvas.at_step = at(0, cancel)
    assert steps.send(**grid(CONV, sort="total")) == slow_id
    assert steps.end(slow_id)[0]["type"] == "cancelled"
    assert steps.end(waiting[0])[0]["type"] == "cancelled"
    steps.ask(kind="palettes")


def test_long_work_gives_way_to_what_needs_no_pass_over_a_layer(steps: Page) -> None:
    later: list[int] = []

    def ask() -> None:
        later.append(steps.send(**grid(CONV, sort="total")))
        later.append(steps.send(**grid("net.linear", sort="index"), view="other"))
        later.append(steps.send(kind="map", time=1, selection=selection(CONV, [0, 0])))

    steps.session.canvas.at_step = at(0, ask)
    curve = steps.send(kind="curve", frames=[0, 1], selection=selection(CONV))
    steps.end(curve)
    total, index, neuron = later
    assert [key for key, _ in steps.order] == [neuron, index, total, curve]


def test_progress_is_told(pages) -> None:
    now = [0.0]

    def clock() -> float:
        now[0] += 0.2
        return now[0]

    page = pages(StepCanvas(), clock=clock)
    page.ask(**grid(CONV, sort="total"))
    told = [message for message, _ in page.heard if message["type"] == "progress"]
    assert [(m["done"], m["total"]) for m in told][: StepCanvas.STEPS] == [(i, 5) for i in range(5)]
    assert all(problems(message, messages.FromKernel) == [] for message in told)


def test_answers_are_kept_and_bounded(pages) -> None:
    page = pages(StepCanvas(), cache_bytes=2000)
    ask = {"kind": "frame", "source": "reconstruction"}
    page.ask(**ask, time=1)
    page.ask(**ask, time=1)
    assert page.session.canvas.calls == ["frame 1"]
    for time in (0, 2, 3):
        page.ask(**ask, time=time)
    page.ask(**ask, time=1)
    assert page.session.canvas.calls[-1] == "frame 1"
    assert 0 < page.session.stats()["cache_bytes"] <= 2000
    stats = page.session.stats()
    assert {name: stats[name] for name in ("requests", "answered", "cancelled", "failed")} == {
        "requests": 6,
        "answered": 6,
        "cancelled": 0,
        "failed": 0,
    }


def test_another_rule_has_maps_of_its_own_and_the_same_frames(steps: Page) -> None:
    for body in ({"kind": "frame", "time": 1, "source": "reconstruction"}, grid(CONV, sort="pixel")):
        steps.ask(**body)
    first = steps.session.canvas
    steps.session.use("other")
    other = steps.session.canvas
    steps.ask(kind="frame", time=1, source="reconstruction")
    assert other.calls == []
    steps.ask(**grid(CONV, sort="pixel"))
    assert other.calls != []
    steps.session.use("xinc")
    assert steps.session.canvas is first  # with the options that it was traced with


def test_a_request_is_answered_under_the_rule_that_it_names(pages) -> None:
    """Whatever the widget's rule is when it comes, waits and runs."""
    page = pages(StepCanvas())
    running, go = threading.Event(), threading.Event()
    page.session.canvas.at_step = at(1, lambda: (running.set(), go.wait(60)))
    slow = page.send(**grid(CONV, sort="total"))
    assert running.wait(60)
    using = threading.Thread(target=page.session.use, args=("other",))
    using.start()
    waiting = page.send("waiting", kind="map", rule="xinc", time=1, selection=selection(CONV, [1, 2]))
    ahead = page.send("ahead", kind="map", rule="third", time=1, selection=selection(CONV, [1, 2]))
    go.set()
    using.join(60)
    for key, rule in ((slow, "xinc"), (waiting, "xinc"), (ahead, "third")):
        message = page.end(key)[0]
        assert (message["type"], message["of"]["rule"]) == ("reply", rule)
    assert page.session.canvas.rule == "other"


def test_clusters_of_a_rule_keep_their_numbers_while_others_are_looked_at(page: Page) -> None:
    layer = page.session.canvas.traced_layers[-2]
    before = cluster_labels(page, layer, time=0)
    for rule in ("gated", "ablation", "gated"):
        page.session.use(rule)
        cluster_labels(page, layer, time=1)
    assert "rule='xink'" in page.fail(kind="map", rule="xink", time=0, selection=selection(layer.name))
    page.session.use("xinc")
    assert (cluster_labels(page, layer, time=5) == before).all()


def test_call_runs_on_the_worker(steps: Page) -> None:
    def where(checkpoint: Any) -> str:
        checkpoint()
        return threading.current_thread().name

    assert steps.session.call(where) == "canvaswidget"
    assert steps.session.call(lambda checkpoint: steps.session.call(where)) == "canvaswidget"
    with pytest.raises(ZeroDivisionError):
        steps.session.call(lambda checkpoint: 1 / 0)
    steps.session.close()
    with pytest.raises(RuntimeError, match="closed"):
        steps.session.call(where)


def test_close_answers_everything_and_frees_the_canvas() -> None:
    canvas = StepCanvas()
    page = Page(canvas)
    running, go = threading.Event(), threading.Event()
    canvas.at_step = at(1, lambda: (running.set(), go.wait(60)))
    keys = [page.send(**grid(CONV, sort="total"))]
    assert running.wait(60)
    keys += [page.send(kind="frame", time=1, source="off"), page.send(kind="palettes")]
    closing = threading.Thread(target=page.session.close)
    closing.start()
    page.end(keys[2])
    go.set()
    closing.join(60)
    page.session.close()
    keys.append(page.send(kind="palettes"))
    assert [page.end(key)[0]["type"] for key in keys] == ["cancelled"] * 4
    alive = weakref.ref(canvas)
    del canvas
    gc.collect()
    assert alive() is None


def test_a_session_that_is_dropped_ends_its_thread() -> None:
    page = Page(StepCanvas())
    page.ask(kind="palettes")
    worker, thread = page.session._worker, page.session._worker._thread
    assert thread is not None
    del page.session
    gc.collect()
    assert worker.closed
    thread.join(60)
    assert not thread.is_alive()
