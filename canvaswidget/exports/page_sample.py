"""What a run takes in a page, measured on a sample of two frames."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from canvaswidget.exports.packing import Packed
from canvaswidget.exports.page_contents import Contents, fitting
from canvaswidget.exports.precomputed import (
    Kept,
    PrecomputedAnswers,
    Quality,
    Selected,
    labels,
    spread_pixels,
    strongest,
    sweep,
)
from canvaswidget.kernel import layer_totals
from canvaswidget.kernel.cached_canvas import CachedCanvas, Indices
from canvaswidget.kernel.session import Session
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.layers import Layer

USUAL = 8  # neurons of each layer


@dataclass(frozen=True)
class Sample:
    """What a run takes, measured on two frames.

    Attributes
    ----------
    kept : Kept
        All that could be kept of it.
    selected : dict of str to int
        By layer, how many of the neurons are selected: they stand first, and always stay.
    scale, seconds : float
        Frames there are for each one measured, and how long all take.
    ranked : int
        Bytes in the file of the neurons of pixels.
    measured : dict
        By quality, bytes in the file of the frames measured, of groups, and of each neuron by layer.
    """

    kept: Kept
    selected: Mapping[str, int]
    scale: float
    seconds: float
    ranked: int
    measured: Mapping[Quality, tuple[int, int, dict[str, list[int]]]]

    def neurons(self, given: Any, count: int) -> dict[str, Indices]:
        """By layer, those that are kept where so many are, beside the selected ones."""
        return {
            name: places if given is not None else places[: self.selected.get(name, 0) + count]
            for name, places in self.kept.neurons.items()
        }

    def parts(self, quality: Quality, given: Any, count: int) -> dict[str, int]:
        """Bytes in the file, by what they are for."""
        frames, groups, maps = self.measured[quality]
        kept = self.neurons(given, count)
        return {
            "frames": int(self.scale * frames),
            "maps of neurons": int(self.scale * sum(sum(maps[name][: len(kept[name])]) for name in maps)),
            "clusters, whole layers": int(self.scale * groups),
            "neurons of pixels": int(self.scale * self.ranked),
        }


def sampled(
    session: Session,
    cached: CachedCanvas,
    state: Mapping[str, Any],
    contents: Contents,
    neurons: Mapping[str, Indices] | None,
    qualities: Sequence[Quality],
    progress: Progress,
) -> Sample:
    """What a run takes at some qualities; `neurons` are those of another checkpoint of its network, if there is one."""
    now = min(contents.frames, key=lambda frame: abs(frame - state["time"]))
    selected = {
        layer.name: fitting(layer, state["neurons"])
        for layer in contents.layers
        if layer.name == state["layer"]
    }
    if neurons is None:
        neurons = _chosen_neurons(session, cached, state, contents, selected, now, progress)
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
    tries = [PrecomputedAnswers(cached, sample, quality) for quality in qualities]
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
    scale = len(contents.frames) / len(sample.frames)
    return Sample(
        kept,
        {name: len(places) for name, places in selected.items()},
        scale,
        (time.perf_counter() - started) * scale,
        _sizes(tries[0].ranked.pack().values()),
        {quality: _measure(answers) for quality, answers in zip(qualities, tries, strict=True)},
    )


def _chosen_neurons(
    session: Session,
    cached: CachedCanvas,
    state: Mapping[str, Any],
    contents: Contents,
    selected: Mapping[str, Indices],
    now: int,
    progress: Progress,
) -> dict[str, Indices]:
    """The selected neurons of each layer, then those that were asked for, or the strongest."""
    given = contents.neurons
    most = given if isinstance(given, int) else USUAL

    def neurons_of(layer: Layer, report: Any) -> Indices:
        if isinstance(given, Mapping):
            best = given[layer.name]
        else:
            groups = labels(cached, layer, state["n_clusters"], now, report)
            best = strongest(layer_totals.totals(cached, layer, now, report), groups, most)
        places = dict.fromkeys(int(place) for place in [*selected.get(layer.name, ()), *best])
        return np.array(list(places), np.intp)

    with steps("choosing neurons", "layer", progress) as tell:
        tell.plan(len(contents.layers))
        neurons = {}
        for layer in contents.layers:
            neurons[layer.name] = session.call(
                lambda report, layer=layer: neurons_of(layer, tell.within(report))
            )
            tell.take()
    return neurons


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
