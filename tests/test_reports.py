"""Changes from Python and reports of the page that cross: both sides end with the same, and the newer one wins."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import canvaswidget as cw
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import video

pytestmark = pytest.mark.usefixtures("unbuilt")


class Page:
    """The page's half as `js/src/store.ts` has it: traits, what it knows of Python's changes, and two slow wires."""

    def __init__(self, widget: CanvasWidget) -> None:
        self.widget = widget
        self.state = copy.deepcopy(widget.get_state())
        self.taken: dict[str, int] = dict(self.state["_changes"])
        self.unheard: dict[str, Any] = {}
        self.seen: dict[str, int] = {}
        self.to_page: deque[dict[str, Any]] = deque()
        self.to_kernel: deque[dict[str, Any]] = deque()
        self.reports = 0
        widget._send = self._send  # type: ignore[method-assign]

    def _send(self, message: dict[str, Any], buffers: Any = None) -> None:
        if message["method"] == "update":
            self.to_page.append(copy.deepcopy(message["state"]))

    def set(self, **values: Any) -> None:
        known = max(self.taken.values(), default=0)
        for name, value in values.items():
            self.state[name] = self.unheard[name] = value
            self.seen[name] = known

    def save(self) -> None:
        if self.unheard:
            self.reports += 1
            self.to_kernel.append({**self.unheard, "_seen": {**self.seen, "report": self.reports}})
            self.unheard = {}

    def hear(self) -> None:
        """One message of the kernel."""
        if not self.to_page:
            return
        message = self.to_page.popleft()
        numbers = message.pop("_changes", {})
        for name, value in message.items():
            if numbers.get(name, 0) > self.taken.get(name, 0) or name not in self.unheard:
                self.unheard.pop(name, None)
                self.state[name] = value
        self.taken.update(numbers)

    def deliver(self) -> None:
        """One report of the page."""
        if self.to_kernel:
            self.widget.set_state(self.to_kernel.popleft())

    def settle(self) -> None:
        while self.unheard or self.to_kernel or self.to_page:
            self.save()
            self.deliver()
            self.hear()

    def differing(self) -> dict[str, tuple[Any, Any]]:
        kernel = self.widget.get_state(list(CanvasWidget.VIEW))
        return {name: (self.state[name], kernel[name]) for name in kernel if self.state[name] != kernel[name]}


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture
def page(widgets, canvas: cw.Canvas) -> Page:
    return Page(widgets(canvas))


def test_a_report_that_crosses_a_frame_chosen_in_python_loses(page: Page) -> None:
    w = page.widget
    for before in (4, 0):  # Python also means it where the kernel's frame is that one already
        w.time, w.playing = before, True
        page.settle()
        page.set(time=5)
        page.save()
        page.set(time=2)
        w.playing = False
        w.time = 0
        page.deliver()
        assert w.time == 0
        page.settle()
        assert (w.time, page.state["time"], page.state["playing"]) == (0, 0, False)
        page.set(time=3)  # and what is chosen after that counts
        page.settle()
        assert w.time == 3


def test_python_learns_where_a_clip_that_it_stops_has_stopped(page: Page) -> None:
    page.widget.playing = True
    page.settle()
    page.set(time=5)
    page.widget.playing = False
    page.settle()
    assert (page.widget.time, page.widget.playing) == (5, False)


def test_a_neuron_chosen_for_the_layer_before_is_not_one_of_the_new_layer(page: Page) -> None:
    w = page.widget
    w.layer, w.neuron = -1, None
    page.settle()
    page.set(neuron=[0, 1], neurons=[[0, 1]])
    page.save()
    w.layer = 0
    page.settle()
    assert (w.neuron, w.layer) == (None, w.facts.layers[0].name)
    assert page.differing() == {}


def test_a_report_of_another_program_is_taken(page: Page) -> None:
    page.widget.time = 4
    page.widget.set_state({"time": 2})  # a linked widget tells no numbers
    assert page.widget.time == 2
    page.widget.set_state({"time": 1, "_seen": "junk"})
    assert page.widget.time == 1


TIMES, KERNELS = st.integers(0, 5), st.tuples(st.integers(0, 2), st.integers(0, 2))
BY_PAGE = st.one_of(
    st.builds(lambda v: {"time": v}, TIMES),
    st.builds(lambda v: {"neuron": list(v), "neurons": [list(v)]}, KERNELS),
    st.builds(lambda v: {"pixel": list(v)}, KERNELS),
    st.sampled_from(
        [
            {"playing": True},
            {"playing": False},
            {"sort": "total"},
            {"sort": "index"},
            {"cluster": 1, "neuron": None, "neurons": []},
            {"n_clusters": 3},
            {"channel": "sum"},
            {"opacity": 0.25},
            {"knocked_out": {"head_layer": [[0, 1]]}, "source": "without"},
            {"knocked_out": {}, "source": "reconstruction"},
        ]
    ),
)
BY_PYTHON = st.one_of(
    st.tuples(st.just("time"), TIMES),
    st.tuples(st.just("neuron"), st.one_of(KERNELS, st.none())),
    st.tuples(st.just("layer"), st.sampled_from([0, -1])),
    st.tuples(st.just("n_clusters"), st.sampled_from([2, 3])),
    st.tuples(st.just("playing"), st.booleans()),
    st.tuples(st.just("knocked_out"), st.sampled_from([{}, {"head_layer": [(0, 0)]}])),
    st.tuples(st.just("rule"), st.sampled_from(["xinc", "gated"])),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("page"), BY_PAGE),
        st.tuples(st.just("python"), BY_PYTHON),
        st.tuples(st.sampled_from(["save", "hear", "deliver"]), st.none()),
    ),
    max_size=25,
)


@settings(
    max_examples=80,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS)
def test_both_sides_end_with_the_same_and_what_python_set_last_stands(widgets, canvas, steps: Any) -> None:
    w = widgets(canvas, layer=0, neuron=None)
    page = Page(w)
    mine: dict[str, Any] = {}  # what Python has set and the page, knowing it, has not changed
    for action, what in steps:
        if action == "page":
            page.set(**what)
            known = max(page.taken.values(), default=0)
            mine = {name: mine[name] for name in mine if name not in what or known < w._changes.get(name, 0)}
        elif action == "python":
            name, value = what
            setattr(w, name, value)
            if name in ("time", "playing"):
                mine[name] = value
        else:
            getattr(page, action)()
    page.settle()
    assert page.differing() == {}
    for name, value in mine.items():
        assert getattr(w, name) == value
    w.close()
