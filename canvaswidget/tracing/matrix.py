"""Rows, columns and sweeps of the neuron x pixel matrix of one rule, chunk by chunk within the memory budget."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.inr import INR
from canvaswidget.progress import Progress, reported
from canvaswidget.tracing import budget
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.recording import in_double
from canvaswidget.tracing.colours import ONE_CHANNEL, checked_rgb
from canvaswidget.tracing.frames import Frame, Frames
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.neurons import at_granularity, by_output, chunks, count_neurons
from canvaswidget.tracing.parallel import alone, in_order
from canvaswidget.tracing.reduce import Totals
from canvaswidget.tracing.results import Estimate
from canvaswidget.tracing.rules import AdditiveRule, Rule, make_rule, options_of
from canvaswidget.tracing.window import Window

FloatArray = npt.NDArray[np.float32]
Reduced = TypeVar("Reduced")


class Matrix:
    """What a `Canvas` computes with. Layers are those of the rule, frames are in range; `rgb` is checked here."""

    def __init__(self, capture: Capture, rule: Rule, memory: int, frames: Frames | None = None) -> None:
        self.capture = capture
        self.inr: INR = capture.inr
        self.rule = rule
        self.device = capture.device
        self.memory = memory
        self.frames = Frames(capture, memory // 4) if frames is None else frames
        itemsize = max(4, cast(torch.Tensor, capture.output.meta["val"]).element_size())
        threads = torch.get_num_threads() if self.device.type == "cpu" else 1
        self.budget = budget.Budget(memory, itemsize, self.device, threads)
        self._whole = Window.whole(self.inr.size)
        self.n_channels = capture.n_channels

    def layer(self, key: LayerKey) -> Layer:
        """A layer that the rule is defined on; UntraceableError, or KeyError, where there is none such."""
        layer = self.capture.layers.find(key)
        self.rule.require(layer)
        return layer

    def chosen(self, keys: LayerKey | Sequence[LayerKey] | None) -> list[Layer]:
        """Some layers that the rule is defined on; all of these for None."""
        if keys is None:
            return list(self.rule.layers)
        return [self.layer(layer) for layer in self.capture.layers.find_all(keys)]

    def why_no_colours(self, layer: Layer) -> str:
        """Why a layer's maps can't be told apart by colour; empty where they can."""
        return ONE_CHANNEL if self.n_channels == 1 else self.rule.why_no_colours(layer)

    def frame(self, frame: int) -> Frame:
        """The image and what the rule needs of a frame; IndexError where the INR has none such."""
        return self.frames.get(self.inr.frame_index(frame), self.rule)

    def image(self, frame: int) -> FloatArray:
        """The raw output of a frame, ``(height, width, channels)``."""
        return as_numpy(self.frame(frame).image.permute(1, 2, 0))

    def rows(self, layer: Layer, neurons: torch.Tensor, frame: int, rgb: str) -> torch.Tensor:
        """The maps of some neurons, all at once."""
        rgb, state = checked_rgb(rgb, self.n_channels), self.frame(frame).state

        @torch.no_grad()
        def compute() -> torch.Tensor:
            return self.rule.maps(layer, state, neurons, self._whole, rgb)

        # A pass of the model keeps all cores busy by itself; smaller things are better left to one.
        return compute() if self.rule.needs_forward_pass else alone(compute, self.device)

    def maps(
        self, layer: Layer, neurons: torch.Tensor, frame: int, rgb: str, progress: Progress = False
    ) -> FloatArray:
        """The maps of some neurons, chunk by chunk."""
        parts = list(torch.split(neurons, self.maps_at_a_time())) if len(neurons) else []
        rows = ((part, as_numpy(self.rows(layer, part, frame, rgb))) for part in parts)
        maps = [maps for _, maps in reported(rows, len(neurons), progress, layer.name)]
        tail = (self.n_channels,) if rgb == "each" else ()
        return np.concatenate(maps) if maps else np.empty((0, *self.inr.size, *tail), np.float32)

    def sweep(
        self,
        layer: Layer,
        frame: int,
        granularity: str | None,
        rgb: str,
        progress: Progress,
        reduce: Callable[[torch.Tensor], Reduced],
        window: Window | None = None,
        in_c_order: bool = True,
    ) -> Generator[tuple[torch.Tensor, Reduced]]:
        """``(neurons, reduce(maps))`` for every chunk of a layer: in C order, or in the order that takes least."""
        window = window or self._whole
        state = self.frame(frame).state
        checked_rgb(rgb, self.n_channels)
        with torch.no_grad():
            self.rule.prepare(layer, state)
        together = not in_c_order and window.is_whole and self._together(layer, granularity)

        @torch.no_grad()
        def compute(part: torch.Tensor) -> list[tuple[torch.Tensor, Reduced]]:
            neurons = part.to(self.device)
            if not together:
                return [(part, reduce(self.rule.maps(layer, state, neurons, window, rgb)))]
            maps = self.rule.maps_of_output(layer, state, neurons, window, rgb, self.budget)
            return [(some.cpu(), reduce(made)) for some, made in maps]

        count = self.maps_at_a_time(window, granularity, layer)
        parts = by_output(layer) if together else chunks(layer, granularity, count)
        results = itertools.chain.from_iterable(in_order(compute, parts, self.device))
        yield from reported(results, count_neurons(layer, granularity), progress, layer.name)

    def pixel(
        self,
        y: int,
        x: int,
        frame: int,
        layers: Sequence[Layer],
        granularity: str | None,
        rgb: str,
        progress: Progress = False,
    ) -> dict[str, FloatArray]:
        """One column of every layer: every neuron's contribution to a pixel."""
        rgb = checked_rgb(rgb, self.n_channels)
        if self.rule.is_additive:
            weights = torch.zeros(self.inr.size, device=self.device)
            weights[y, x] = 1
            # One pixel's colours can be told apart before their magnitudes are added; a region's can't.
            each = self._pulled(frame, layers, granularity, "each" if rgb == "abs" else rgb, weights)
            return {name: np.abs(c).sum(-1) for name, c in each.items()} if rgb == "abs" else each
        window = Window.pixel(y, x, self.inr.size)
        return self._columns(
            frame, layers, granularity, rgb, window, lambda maps: maps[:, 0, 0], progress, "pixel"
        )

    def region(
        self,
        weights: torch.Tensor,
        frame: int,
        layers: Sequence[Layer],
        granularity: str | None,
        rgb: str,
        progress: Progress,
    ) -> dict[str, FloatArray]:
        """A weighted sum of the columns of every layer."""
        weights = weights.to(self.device, torch.float32)
        if self.rule.is_additive and rgb != "abs":
            return self._pulled(frame, layers, granularity, rgb, weights)

        def weighted(maps: torch.Tensor) -> torch.Tensor:
            return torch.einsum("kyx...,yx->k...", maps, weights.to(maps.dtype))

        return self._columns(frame, layers, granularity, rgb, self._whole, weighted, progress, "region")

    def estimate(self, layers: Sequence[Layer], frame: int) -> Estimate:
        """What a sweep over some layers will take, from some of their chunks."""
        seconds, n_maps = 0.0, 0
        for layer in layers:
            count, at_a_time = count_neurons(layer, None), self.maps_at_a_time()
            together = self._together(layer, None)
            if together:
                at_a_time = layer.n_units // layer.n_groups
            sweep = self.sweep(layer, frame, None, "sum", False, Totals.of, in_c_order=False)
            # The first chunks pay for warming up; those after them are typical. Slow ones need fewer to be told.
            warm = min(2, (count - 1) // at_a_time) * at_a_time
            done, start = 0, time.perf_counter()
            for part, _ in sweep:
                if warm > 0:
                    warm, start = warm - len(part), time.perf_counter()
                    continue
                done += len(part)
                if together and done % at_a_time:
                    continue  # they share passes, which the first of them has waited for
                if done >= 8 * at_a_time or time.perf_counter() - start > 0.5:
                    break
            seconds += (time.perf_counter() - start) / done * count
            sweep.close()
            n_maps += count
        height, width = self.inr.size
        values = self.rule.values_per_map(self._whole)
        working = self.maps_at_a_time() * values * self.budget.itemsize * budget.TEMPORARIES
        return Estimate(seconds, working, n_maps, height * width)

    def sums(self, frame: int, layers: Sequence[Layer]) -> Iterator[tuple[str, str, FloatArray, FloatArray]]:
        """What the rule says adds up, by layer: ``(invariant, layer, sum, what it should be)``."""
        state = self.frame(frame).state
        with torch.no_grad():
            for invariant, name, total, expected in self.rule.sums(state, layers):
                yield invariant, name, as_numpy(total), as_numpy(expected)

    def in_double(self) -> Matrix:
        """The same, computed in double precision."""
        capture = in_double(self.capture)
        return Matrix(capture, make_rule(capture, self.rule.name, options_of(self.rule)), self.memory)

    def maps_at_a_time(
        self, window: Window | None = None, granularity: str | None = None, layer: Layer | None = None
    ) -> int:
        """How many maps a chunk may have."""
        window = window or self._whole
        values = self.rule.values_per_map(window)
        if window.is_whole:
            count = self.budget.at_a_time(values)
        else:
            count = max(1, self.memory // (budget.TEMPORARIES * values * self.budget.itemsize))
        if layer is not None and layer.grid and len(layer.shape_of(granularity)) == 1:
            count = max(1, count // layer.outputs_per_unit)
        return count

    def _together(self, layer: Layer, granularity: str | None) -> bool:
        """Whether a sweep in any order takes the kernels that write to an output together."""
        return len(layer.shape_of(granularity)) == 2 and self.rule.shares_outputs(layer)

    def _columns(
        self,
        frame: int,
        layers: Sequence[Layer],
        granularity: str | None,
        rgb: str,
        window: Window,
        reduce: Callable[[torch.Tensor], torch.Tensor],
        progress: Progress,
        title: str,
    ) -> dict[str, FloatArray]:
        found: dict[str, list[torch.Tensor]] = {layer.name: [] for layer in layers}

        def sweeps() -> Iterator[tuple[torch.Tensor, tuple[str, torch.Tensor]]]:
            for layer in layers:
                for part, values in self.sweep(layer, frame, granularity, rgb, False, reduce, window):
                    yield part, (layer.name, values)

        total = sum(count_neurons(layer, granularity) for layer in layers)
        for _, (name, values) in reported(sweeps(), total, progress, title):
            found[name].append(values)
        columns: dict[str, FloatArray] = {}
        for layer in layers:
            values = torch.cat(found.pop(layer.name))
            tail: Any = (self.n_channels,) if rgb == "each" else ()
            columns[layer.name] = as_numpy(values).reshape(*layer.shape_of(granularity), *tail)
        return columns

    def _pulled(
        self,
        frame: int,
        layers: Sequence[Layer],
        granularity: str | None,
        rgb: str,
        weights: torch.Tensor,
    ) -> dict[str, FloatArray]:
        state, rule = self.frame(frame).state, cast(AdditiveRule, self.rule)
        columns = rule.columns(list(layers), state, weights, checked_rgb(rgb, self.n_channels))
        return {
            layer.name: as_numpy(at_granularity(columns[layer.name], layer, granularity)) for layer in layers
        }


def checked_mask(
    mask: npt.ArrayLike | torch.Tensor, size: tuple[int, int], argument: str = "mask"
) -> torch.Tensor:
    """A mask or a weight for each pixel, in main memory; ValueError or TypeError where it is neither."""
    try:
        weights = mask.detach().cpu() if isinstance(mask, torch.Tensor) else torch.as_tensor(np.asarray(mask))
    except (TypeError, ValueError):
        raise TypeError(
            f"{argument}={type(mask).__name__}: expected an array (height, width) = {size}"
        ) from None
    if tuple(weights.shape) != size:
        raise ValueError(f"{argument}: has shape {tuple(weights.shape)}; expected (height, width) = {size}")
    if weights.is_complex():
        raise TypeError(f"{argument}: is complex; expected booleans, or a real weight for each pixel")
    broken = int((~torch.isfinite(weights)).sum())
    if broken:
        raise ValueError(
            f"{argument}: holds NaN or infinity at {broken:,} pixels; expected booleans, or a finite weight for each"
        )
    return weights


def as_numpy(values: torch.Tensor) -> FloatArray:
    """As arrays leave the package: float32 in main memory."""
    return values.float().cpu().numpy()
