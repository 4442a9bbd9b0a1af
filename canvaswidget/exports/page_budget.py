"""What a page keeps, so that it fits into its budget: measured on a sample of two frames before it is written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from canvaswidget.arguments import checked_index
from canvaswidget.bundle import bundled
from canvaswidget.exports.packing import Packed
from canvaswidget.exports.precomputed import (
    QUALITIES,
    Kept,
    PrecomputedAnswers,
    Quality,
    Selected,
    labels,
    spread_pixels,
    strongest,
    sweep,
)
from canvaswidget.kernel import layer_totals, view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.kernel.session import Session
from canvaswidget.progress import steps
from canvaswidget.tables import Printed
from canvaswidget.tracing.budget import parse_memory
from canvaswidget.tracing.layers import Layer, Layers

BUDGET = "10 MB"
USUAL = 8  # neurons of each layer
FEWER = (8, 6, 5, 4, 3, 2, 1)


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
    """

    title: ClassVar[str] = "page"

    bytes: int
    budget: int
    seconds: float
    neurons: int
    parts: dict[str, int]
    quality: str

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
        ]


@dataclass(frozen=True)
class Contents:
    """What the user asked for, checked."""

    layers: tuple[Layer, ...]
    frames: tuple[int, ...]
    neurons: Mapping[str, Indices] | int | None
    budget: int


@dataclass(frozen=True)
class Plan:
    """What will be written."""

    kept: Kept
    quality: Quality
    estimate: PageEstimate
    chosen: str  # which neurons those are, in words


# --- the contents that are asked for  -----------------------------------------------------------------------


def checked_contents(
    cached: CachedCanvas,
    layers: Any = None,
    frames: Any = None,
    neurons: Any = None,
    budget: str | float = BUDGET,
) -> Contents:
    """The layers, frames and neurons that are meant; errors name what is accepted."""
    chosen = _layers(cached.layers, layers)
    numbers = tuple(cached.canvas.frames) if frames is None else checked_frames(cached.n_frames, frames)
    return Contents(chosen, numbers, _neurons(chosen, neurons), parse_memory(budget, "budget"))


def _layers(known: Any, layers: Any) -> tuple[Layer, ...]:
    if layers is None:
        return tuple(known)
    if isinstance(layers, str | int):
        layers = [layers]
    if not isinstance(layers, Iterable):
        raise TypeError(f"layers={layers!r}: expected names or indices of layers, or None for all")
    meant = {known.find(key).name for key in layers}
    if not meant:
        raise ValueError("layers: at least one is needed")
    return tuple(layer for layer in known if layer.name in meant)


def checked_frames(n_frames: int, frames: Any) -> tuple[int, ...]:
    """Frames in order, each once."""
    if hasattr(frames, "__index__"):
        frames = [frames]
    if not isinstance(frames, Iterable) or isinstance(frames, str):
        raise TypeError(f"frames={frames!r}: expected a range or a list of frames, or None for all")
    found = sorted({checked_index("frames", frame, n_frames) for frame in frames})
    if not found:
        raise ValueError("frames: at least one is needed")
    return tuple(found)


def _neurons(layers: Sequence[Layer], neurons: Any) -> Mapping[str, Indices] | int | None:
    if neurons is None:
        return None
    if isinstance(neurons, Mapping):
        known = Layers(list(layers))
        found = {layer.name: np.empty(0, np.intp) for layer in layers}
        for key, some in neurons.items():
            layer = known.find(key)
            found[layer.name] = layer.flat_index(view_checks.checked_neurons(layer, some))
        return found
    if isinstance(neurons, bool) or not hasattr(neurons, "__index__"):
        raise TypeError(
            f"neurons={neurons!r}: expected how many of each layer, {{layer: [neuron, ...]}}, or None"
        )
    return view_checks.checked_count("neurons", neurons, 1, view_checks.MAX_NEURONS)


# --- a plan that fits -----------------------------------------------------------------------------------------


def plan_page(
    session: Session, cached: CachedCanvas, state: Mapping[str, Any], contents: Contents, progress: Any = True
) -> Plan:
    """What to keep and how finely: measured on a sample of two frames, so that it fits the budget if it can.

    Parameters
    ----------
    cached : CachedCanvas
        Those of the rule that the state names, whatever the widget's rule is by now.

    Raises
    ------
    ValueError
        Nothing that would be within the budget is worth keeping; it says what to leave out.
    """
    now = min(contents.frames, key=lambda frame: abs(frame - state["time"]))
    selected = _selected(contents.layers, state)
    given = contents.neurons
    most = given if isinstance(given, int) else USUAL

    def neurons_of(layer: Layer, report: Any) -> Indices:
        if isinstance(given, Mapping):
            best = given[layer.name]
        else:
            groups = labels(cached, layer, state["n_clusters"], now, report)
            best = strongest(layer_totals.totals(cached, layer, now, report), groups, most)
        places = dict.fromkeys([*selected.get(layer.name, ()), *(int(place) for place in best)])
        return np.array(list(places), np.intp)

    with steps("choosing neurons", "layer", progress) as tell:
        tell.plan(len(contents.layers))
        neurons = {}
        for layer in contents.layers:
            neurons[layer.name] = session.call(
                lambda report, layer=layer: neurons_of(layer, tell.within(report))
            )
            tell.take()
    has_truth = cached.canvas.inr.truth is not None
    kept = Kept(
        layers=contents.layers,
        frames=contents.frames,
        neurons=neurons,
        n_clusters=state["n_clusters"],
        pixels=spread_pixels(
            cached.size, max(int(np.prod(layer.neurons)) for layer in contents.layers), state["pixel"]
        ),
        sources=("reconstruction", "truth") if has_truth else ("reconstruction",),
        now=now,
    )
    at = contents.frames.index(now)
    sample = kept.of_frames(
        contents.frames[at : at + 2] if at + 1 < len(contents.frames) else contents.frames[-2:]
    )
    tries = [PrecomputedAnswers(cached, sample, quality) for quality in QUALITIES]
    started = time.perf_counter()
    with steps("estimating the page", "layer", progress) as tell:
        tell.plan(len(sample.frames) * len(contents.layers))
        for frame in sample.frames:
            for answers in tries:
                session.call(
                    lambda report, answers=answers, frame=frame: answers.add_frame(frame, tell.within(report))
                )
            for layer in contents.layers:
                session.call(
                    lambda report, layer=layer, frame=frame: _sample(
                        cached, layer, frame, tries, tell.within(report)
                    )
                )
                tell.take()
    seconds = (time.perf_counter() - started) * len(contents.frames) / len(sample.frames)
    scale = len(contents.frames) / len(sample.frames)
    ranked = _sizes(tries[0].ranked.pack().values())
    estimates: list[tuple[Quality, int, PageEstimate]] = []
    measured = {quality: _measure(answers) for quality, answers in zip(QUALITIES, tries, strict=True)}
    for quality, count in _tries(given):
        frames, groups, maps = measured[quality]
        n_kept = {
            name: _kept_count(given, selected.get(name, ()), count, len(all_)) for name, all_ in maps.items()
        }
        parts = {
            "the page itself": overhead(),
            "frames": int(scale * frames),
            "maps of neurons": int(scale * sum(sum(maps[name][:n]) for name, n in n_kept.items())),
            "clusters, whole layers": int(scale * groups),
            "neurons of pixels": int(scale * ranked),
        }
        estimate = PageEstimate(sum(parts.values()), contents.budget, seconds, count, parts, str(quality))
        estimates.append((quality, count, estimate))
        if estimate.fits:
            break
    quality, count, estimate = estimates[-1]
    if not estimate.fits:
        raise ValueError(_too_large(estimate, contents))
    fewer = {
        name: places[: _kept_count(given, selected.get(name, ()), count, len(places))]
        for name, places in neurons.items()
    }
    words = (
        "the neurons that were chosen for it"
        if isinstance(given, Mapping)
        else f"{count} strong neurons of each layer, cluster by cluster"
    )
    return Plan(
        Kept(kept.layers, kept.frames, fewer, kept.n_clusters, kept.pixels, kept.sources, now),
        quality,
        estimate,
        words,
    )


def _sample(cached: Any, layer: Layer, frame: int, tries: Sequence[PrecomputedAnswers], report: Any) -> None:
    swept = sweep(cached, layer, frame, tries[0].kept, tries[0].labels(layer, report), report)
    for answers in tries:
        answers.take(layer, swept, ranks=answers is tries[0])


def _measure(answers: PrecomputedAnswers) -> tuple[int, int, dict[str, list[int]]]:
    """Bytes in the file: of frames, of groups, and of each neuron by layer."""
    frames = _sizes(series.pack() for series in answers.frames.values())
    groups = sum(_size(selected) for some in answers.groups.values() for selected in some)
    return (
        frames,
        groups,
        {name: [_size(selected) for selected in some] for name, some in answers.neurons.items()},
    )


def _size(selected: Selected) -> int:
    header, planes = selected.pack()
    return len(json.dumps(header)) + _sizes(planes)


def _sizes(packed: Iterable[Packed]) -> int:
    return sum(4 * -(-len(each.data) // 3) + 60 for each in packed)


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


def _kept_count(given: Any, selected: Sequence[int], count: int, n_all: int) -> int:
    """How many of a layer's neurons: the selected ones stand first, and always stay."""
    return n_all if given is not None else min(n_all, len(selected) + count)


def _selected(layers: Sequence[Layer], state: Mapping[str, Any]) -> dict[str, list[int]]:
    """The places of the selected neurons."""
    for layer in layers:
        if layer.name == state["layer"]:
            return {layer.name: layer.flat_index(state["neurons"]).tolist()}
    return {}


def _too_large(estimate: PageEstimate, contents: Contents) -> str:
    largest = max(estimate.parts, key=lambda part: estimate.parts[part])
    ways = (
        [f"fewer frames (frames=range(0, {max(contents.frames) + 1}, 4))"] if len(contents.frames) > 1 else []
    )
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
