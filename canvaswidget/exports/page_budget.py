"""What a page keeps, so that it fits into its budget: measured on a sample of two frames before it is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from canvaswidget.bundle import bundled
from canvaswidget.exports.over_runs import checked_runs
from canvaswidget.exports.page_contents import Contents, checked_contents, same_contents
from canvaswidget.exports.page_sample import USUAL, Sample, sampled
from canvaswidget.exports.precomputed import QUALITIES, Kept, Quality
from canvaswidget.exports.view import ExportedView
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.progress import Progress
from canvaswidget.runs import RunError
from canvaswidget.tables import Printed

BUDGET = "10 MB"  # that a page may take unless another is given
FEWER = (8, 6, 5, 4, 3, 2, 1)
MOST_RUNS = 24  # kept by default
RUNS_QUALITY = QUALITIES[2]  # at which so many runs must fit


@dataclass(frozen=True, repr=False)
class PageEstimate(Printed):
    """What a page will take; see `CanvasWidget.estimate_page`.

    Attributes
    ----------
    bytes : int
        Of the file, from a sample of its frames.
    budget : int
    seconds : float
        To compute it.
    neurons : int
        How many of each layer are kept, beside those that are selected.
    parts : dict of str to int
        Bytes of the file by what they are for.
    quality : str
        How finely frames and maps are kept.
    runs : tuple
        Keys of the runs that are kept; empty for one network.
    """

    title: ClassVar[str] = "page"

    bytes: int
    budget: int
    seconds: float
    neurons: int
    parts: dict[str, int]
    quality: str
    runs: tuple[RunKey, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether the file is within the budget."""
        return self.bytes <= self.budget

    def rows(self) -> list[list[str]]:
        """What and how much."""
        return [
            ["size", f"about {megabytes(self.bytes)}, of a budget of {megabytes(self.budget)}"],
            *([f"  {what}", megabytes(size)] for what, size in self.parts.items()),
            ["time", f"about {self.seconds:.0f} s"],
            ["neurons of each layer", str(self.neurons)],
            ["kept as", self.quality],
            *([["runs", named_runs(self.runs)]] if self.runs else []),
        ]


@dataclass(frozen=True)
class Plan:
    """What will be written.

    Attributes
    ----------
    kept : dict
        By run, in the order of the slider.
    quality : Quality
    estimate : PageEstimate
    chosen : str
        Which neurons are kept, in words.
    """

    kept: Mapping[RunKey, Kept]
    quality: Quality
    estimate: PageEstimate
    chosen: str


# --- a plan that fits -----------------------------------------------------------------------------------------


def plan_page(view: ExportedView, asked: Mapping[str, Any], progress: Progress = True) -> Plan:
    """What to keep and how finely: measured on a sample of two frames, so that it fits the budget if it can.

    Parameters
    ----------
    view : ExportedView
    asked : dict
        Layers, frames, neurons, runs and budget.

    Raises
    ------
    ValueError
        Nothing that would be within the budget is worth keeping; it says what to leave out.
    """
    session, state, shown = view.session, view.state, view.state["run"]
    cached = view.cached()
    contents = checked_contents(cached, asked["layers"], asked["frames"], asked["neurons"], asked["budget"])
    given = contents.neurons
    keys = None if asked["runs"] is None else checked_runs(view, asked["runs"])
    beside = [] if state["compare"] is None else [state["compare"]]
    first = sampled(session, cached, state, contents, None, QUALITIES, progress)
    samples = {shown: first}
    for run in [*(_usual_runs(view, first, contents) if keys is None else keys), *beside]:
        if run in samples:
            continue
        try:
            other = session.call(lambda report, run=run: session.of(run, state["rule"]))
        except RunError:
            if keys is None:  # nobody has asked for this one
                continue
            raise
        same = view.runs is not None and view.runs.is_one_network
        more = same_contents(other, run, asked, contents)
        neurons = first.kept.neurons if same else None
        samples[run] = sampled(session, other, state, more, neurons, QUALITIES, progress)
    order = [shown] if view.runs is None else [run for run in view.runs if run in samples]
    quality, count, estimate = _fitting(list(samples.values()), given, contents.budget)
    if view.runs is not None:
        estimate = replace(estimate, runs=tuple(order))
    if not estimate.fits:
        raise ValueError(_too_large(estimate, contents))
    words = (
        "the neurons that were chosen for it"
        if isinstance(given, Mapping)
        else f"{count} strong neurons of each layer, cluster by cluster"
    )
    kept = {run: replace(samples[run].kept, neurons=samples[run].neurons(given, count)) for run in order}
    return Plan(kept, quality, estimate, words)


def _usual_runs(view: ExportedView, first: Sample, contents: Contents) -> list[RunKey]:
    """Of a training as many as fit, evenly; of other runs the one that is shown."""
    shown, runs = view.state["run"], view.runs
    if runs is None or runs.steps is None:
        return [shown]
    count = contents.neurons if isinstance(contents.neurons, int) else USUAL
    size = sum(first.parts(RUNS_QUALITY, contents.neurons, count).values())
    most = max(1, min(MOST_RUNS, (contents.budget - overhead()) // max(1, size)))
    return even_runs(list(runs), shown, most)


def even_runs(keys: Sequence[RunKey], shown: RunKey, count: int) -> list[RunKey]:
    """So many of the runs, evenly over the list, the one that is shown and the last among them."""
    if count >= len(keys):
        return list(keys)
    if count == 1:
        return [shown]
    places = np.linspace(0, len(keys) - 1, count).round().astype(int)
    at = keys.index(shown)
    if at not in places:  # in the place of its neighbour, but the last stays
        places[np.abs(places[:-1] - at).argmin()] = at
    return [keys[place] for place in places]


def _fitting(samples: Sequence[Sample], given: Any, budget: int) -> tuple[Quality, int, PageEstimate]:
    """The finest quality and the most neurons with which all are within the budget; the coarsest if none are."""
    seconds = sum(sample.seconds for sample in samples)
    found: tuple[Quality, int, PageEstimate] | None = None
    for quality, count in _tries(given):
        parts = {"the page itself": overhead()}
        for sample in samples:
            for what, size in sample.parts(quality, given, count).items():
                parts[what] = parts.get(what, 0) + size
        estimate = PageEstimate(sum(parts.values()), budget, seconds, count, parts, str(quality))
        found = quality, count, estimate
        if estimate.fits:
            break
    assert found is not None
    return found


def overhead() -> int:
    """Bytes of what every page has: the program, its style, its picture, its numbers."""
    return sum(len(bundled(name).encode()) for name in ("page.js", "widget.css")) + 150_000


def _tries(given: Any) -> Iterable[tuple[Quality, int]]:
    """Finely first; then less finely, then fewer neurons where nobody has said how many."""
    if given is not None:
        count = given if isinstance(given, int) else max(len(places) for places in given.values())
        return [(quality, count) for quality in QUALITIES]
    first = [(quality, USUAL) for quality in QUALITIES[:4]]
    return [*first, *((quality, count) for quality in QUALITIES[3:] for count in FEWER)]


def _too_large(estimate: PageEstimate, contents: Contents) -> str:
    largest = max(estimate.parts, key=lambda part: estimate.parts[part])
    ways = (
        [f"fewer frames (frames=range(0, {max(contents.frames) + 1}, 4))"] if len(contents.frames) > 1 else []
    )
    if len(estimate.runs) > 1:
        ways.insert(0, f"fewer runs (runs=[{estimate.runs[-1]!r}])")
    if len(contents.layers) > 1:
        ways.append(f"fewer layers (layers=[{contents.layers[-2].name!r}])")
    if contents.neurons is not None:
        ways.append("fewer neurons")
    return (
        f"budget={megabytes(contents.budget)}: the page would have about {megabytes(estimate.bytes)} even with "
        f"{estimate.quality}, most of it for {largest}. Give a larger budget, or keep {', or '.join(ways) or 'less'}"
    )


def megabytes(count: float) -> str:
    """``"1.50 MB"``: of a million bytes each."""
    return f"{count / 1e6:.2f} MB" if count < 1e7 else f"{count / 1e6:.1f} MB"


def named_runs(runs: Sequence[RunKey]) -> str:
    """Keys of runs, the first ones and the last where they are many."""
    names = [str(run) for run in runs]
    return f"{names[0]}, {names[1]}, … {names[-1]}" if len(names) > 6 else ", ".join(names)
