"""Reports of the page that cross changes made in Python: whatever the order, the older loses and both sides agree."""

from __future__ import annotations

import copy
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from canvaswidget.widget.widget import CanvasWidget

VIEW = CanvasWidget.VIEW
TRIANGLES = [{"points": [[0.0, 0.0], [0.0, x], [3.0, 3.0]], "runs": []} for x in (3.5, 2.5)]

# Values of each trait, as the page has them; the first is that of the widget in the beginning.
VALUES: dict[str, list[Any]] = {
    "run": ["one", "two"],
    "compare": [None, "one", "two"],
    "comparison": ["side", "wipe", "picture"],
    "rule": ["gated", "ablation"],
    "layer": ["0", "2"],
    "time": [0, 1, 2],
    "neuron": [None, [0], [1]],
    "neurons": [[], [[0], [1]], [[2]]],
    "pixel": [[0, 0], [1, 2], None],
    "region": [None, *TRIANGLES],
    "regions": [[], *([{"name": name, "frames": TRIANGLES[:1]}] for name in ("sea", "sky"))],
    "n_clusters": [6, 3, 4],
    "cluster": [-1, 0, 2],
    "cluster_names": [{}, {"0/6": ["sea"]}, {"0/6": ["", "sky"]}],
    "loop": [None, [0, 1], [1, 2]],
    "ablated": [{}, {"0": [[0]]}, {"2": [[1], [2]]}],
    "edits": [
        [],
        [{"layer": "0", "neuron": [1], "factor": 0.5}],
        [{"layer": "2", "neuron": [3], "factor": 2.0}],
    ],
    "source": ["reconstruction", "truth", "off"],
    "bits": [4, 3, 8],
    "scheme": ["per-tensor", "per-channel"],
    "maps": ["magnitude", "signed"],
    "overlay": ["selection", "intensity", "neurons"],
    "channel": ["sum", "red", "abs"],
    "palette": ["viridis", "magma"],
    "opacity": [0.75, 0.5, 0.25],
    "contrast": [1.0, 2.0, 4.0],
    "limit": [None, 0.5, 2.0],
    "contours": [False, True],
    "sort": ["pixel", "index", "total"],
    "colour_by": ["cluster", "frequency"],
    "panel": ["pixel", "spectrum", "region"],
    "band": [None, [0.125, 0.25], [0.0, 0.5]],
    "fps": [8.0, 12.0, 24.0],
    "playing": [False, True],
    "faithfulness": [True, False],
}
START = {name: values[0] for name, values in VALUES.items()}


class Page:
    """The page's half as ``js/src/state/store.ts`` has it, and two slow wires.

    Attributes
    ----------
    shown : dict
        The traits as the page has them.
    to_page, to_kernel : deque
        What is under way. A report that waits is joined by the next one where `joins`, as ipywidgets does it.
    """

    def __init__(self, widget: CanvasWidget, joins: bool = False) -> None:
        self.widget, self.joins = widget, joins
        self.shown: dict[str, Any] = copy.deepcopy(widget.get_state(list(VIEW)))
        self.model = {**self.shown, "_changes": dict(widget._changes)}
        self.taken: dict[str, int] = dict(widget._changes)
        self.known = max(self.taken.values(), default=0)
        self.unheard: dict[str, Any] = {}
        self.seen: dict[str, int] = {}
        self.reports = 0
        self.to_page: deque[dict[str, Any]] = deque()
        self.to_kernel: deque[dict[str, Any]] = deque()
        widget._send = self._take  # type: ignore[method-assign]

    def _take(self, message: dict[str, Any], buffers: Any = None) -> None:
        if message["method"] == "update":
            self.to_page.append(copy.deepcopy(message["state"]))

    def set(self, values: dict[str, Any]) -> None:
        """Somebody changes traits in the page."""
        for name, value in values.items():
            if self.shown[name] != value:
                self.shown[name] = self.unheard[name] = value
                self.seen[name] = self.known

    def save(self) -> None:
        """Report what was changed."""
        if not self.unheard:
            return
        changed = {name: value for name, value in self.unheard.items() if self.model[name] != value}
        self.model.update(changed)
        self.unheard.clear()
        self.reports += 1
        report = {**changed, "_seen": {**self.seen, "report": self.reports}}
        if self.joins and self.to_kernel:
            self.to_kernel[-1].update(report)
        else:
            self.to_kernel.append(report)
        self._pull()

    def hear(self) -> None:
        """Take one message of the kernel."""
        if not self.to_page:
            return
        state = self.to_page.popleft()
        self.model.update(state)
        for name in set(state) & set(VIEW):
            assert self.model["_changes"][name] > self.taken.get(name, 0), f"{name} came without a number"
        self._pull()

    def _pull(self) -> None:
        numbers = self.model["_changes"]
        for name in VIEW:
            if numbers.get(name, 0) > self.taken.get(name, 0):
                self.unheard.pop(name, None)
            self.taken[name] = numbers.get(name, 0)
            if name not in self.unheard:
                self.shown[name] = self.model[name]
        self.known = max(self.known, *numbers.values(), 0)

    def deliver(self) -> None:
        """The kernel takes one report."""
        if self.to_kernel:
            self.widget.set_state(self.to_kernel.popleft())

    def settle(self) -> None:
        """Everything arrives."""
        while self.unheard or self.to_kernel or self.to_page:
            self.save()
            self.deliver()
            self.hear()

    def is_on_its_way(self, name: str) -> bool:
        """Whether the page is still to hear of a change of the trait."""
        return any(name in state for state in self.to_page)

    def differing(self) -> dict[str, tuple[Any, Any]]:
        kernel = self.widget.get_state(list(VIEW))
        return {name: (self.shown[name], kernel[name]) for name in VIEW if self.shown[name] != kernel[name]}


def at_the_start(widget: CanvasWidget) -> CanvasWidget:
    """The same widget, with every trait as in `START`."""
    for _ in range(2):  # some change with others
        for name, value in widget.get_state(list(VIEW)).items():
            if value != START[name]:
                setattr(widget, name, START[name])
    assert widget.get_state(list(VIEW)) == START
    return widget


def reported(name: str, value: Any) -> dict[str, Any]:
    """What the page reports when it sets a trait: the neuron goes with those that are selected."""
    if name == "neuron":
        return {"neuron": value, "neurons": [] if value is None else [value]}
    if name == "neurons":
        return {"neuron": value[-1] if value else None, "neurons": value}
    return {name: value}


def test_every_trait_is_here() -> None:
    assert tuple(VALUES) == VIEW


WIRES = some.tuples(some.sampled_from(["save", "hear", "deliver"]), some.none())


def steps(*names: str) -> Any:
    """Changes of these traits on both sides, and what arrives in between."""
    changes = [some.tuples(some.just(name), some.sampled_from(VALUES[name])) for name in names]
    changed = some.tuples(some.sampled_from(["page", "python"]), some.one_of(changes))
    return some.lists(some.one_of(changed, WIRES), max_size=20)


def winners(page: Page, taken: list[tuple[str, Any]]) -> dict[str, Any]:
    """Take the steps; the last change of each trait, but those that the page makes while another is on its way."""
    found: dict[str, Any] = {}
    for action, change in taken:
        if action == "python":
            setattr(page.widget, *change)
            found[change[0]] = change[1]
        elif action == "page":
            name, value = change
            if page.shown[name] != value and not page.is_on_its_way(name):
                found[name] = value
            page.set(reported(name, value))
        else:
            getattr(page, action)()
    return found


@pytest.mark.parametrize("name", VIEW)
def test_a_report_that_is_older_than_pythons_change_loses_and_a_newer_one_wins(
    name: str, widget: CanvasWidget
) -> None:
    @settings(max_examples=5 * settings().max_examples, deadline=None, derandomize=True, database=None)
    @given(steps(name), some.booleans())
    def holds(taken: list[tuple[str, Any]], joins: bool) -> None:
        page = Page(at_the_start(widget), joins)
        found = winners(page, taken)
        page.settle()
        assert page.differing() == {}
        assert page.shown[name] == found.get(name, START[name])

    holds()


# Nothing else that is set changes these; a pixel or a region that is set turns the panel to it.
CHANGE_WITH_OTHERS = (*CanvasWidget.MEANT_FOR, "ablated", "edits", "region", "panel")
ALONE = [name for name in VIEW if name not in CHANGE_WITH_OTHERS]


@settings(max_examples=20 * settings().max_examples, deadline=None, derandomize=True, database=None)
@given(steps(*VIEW), some.booleans())
def test_both_sides_agree_in_the_end(widget: CanvasWidget, taken: list[tuple[str, Any]], joins: bool) -> None:
    page = Page(at_the_start(widget), joins)
    found = winners(page, taken)
    page.settle()
    assert page.differing() == {}
    for name in ALONE:
        assert (name, page.shown[name]) == (name, found.get(name, START[name]))


@pytest.mark.parametrize(
    ("name", "by"), [(name, by) for name in VIEW for by in CanvasWidget.MEANT_FOR.get(name, ())]
)
def test_a_report_loses_against_a_change_of_what_it_was_meant_for(
    name: str, by: str, widget: CanvasWidget
) -> None:
    page = Page(at_the_start(widget))
    page.set(reported(name, VALUES[name][1]))
    page.save()
    setattr(widget, by, VALUES[by][1])
    after = widget.get_state(list(VIEW))
    page.deliver()
    assert widget.get_state(list(VIEW)) == after
    page.settle()
    assert page.differing() == {}
    newer = reported(name, next(value for value in VALUES[name] if value != page.shown[name]))
    page.set(newer)
    page.settle()
    assert page.shown.items() >= newer.items()
    assert page.differing() == {}


def test_python_learns_where_a_clip_that_it_stops_has_stopped(widget: CanvasWidget) -> None:
    page = Page(at_the_start(widget))
    widget.playing = True
    page.settle()
    page.set({"time": 2})
    widget.playing = False
    page.settle()
    assert (widget.time, widget.playing) == (2, False)


@pytest.mark.parametrize(
    "seen", ["junk", None, [], {"time": "7"}, {"time": None}, {"time": [0]}, {"time": 1e308}, {1: 2}]
)
def test_a_report_of_another_program_is_taken(seen: Any, widget: CanvasWidget) -> None:
    page = Page(at_the_start(widget))
    widget.time = 1
    widget.set_state({"time": 2, "_seen": seen})
    assert widget.time == 2
    widget.set_state({"time": 0})  # of a widget that is linked to the trait
    assert widget.time == 0
    page.hear()
