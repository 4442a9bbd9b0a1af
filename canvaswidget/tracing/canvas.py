"""Canvas: the lazy neuron x pixel matrix of one INR."""

from __future__ import annotations

import collections
import itertools
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeVar, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import fx
from tqdm.auto import tqdm

from canvaswidget.inr import INR, as_inr, checked_index
from canvaswidget.tracing import budget
from canvaswidget.tracing.capture import Capture
from canvaswidget.tracing.checks import check
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.neurons import Neurons, all_neurons, chunks, parse_neuron, parse_neurons
from canvaswidget.tracing.parallel import alone, in_order
from canvaswidget.tracing.reduce import Summary, Totals, summarise
from canvaswidget.tracing.results import Checks, Coverage, Estimate, Neuron, Op, Ranked, Ranking
from canvaswidget.tracing.rules import RULES
from canvaswidget.tracing.window import Window

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
LayerKey = str | int | Layer
Progress = bool | Callable[[int, int], None]
Reduced = TypeVar("Reduced")
KEPT_SUMMARIES = 64
_RGB = ("sum", "abs", "each")


def trace(
    model: Any,
    rule: str = "xinc",
    device: str | torch.device = "auto",
    memory: str | float = "1 GiB",
) -> Canvas:
    """Trace the contributions of every neuron of an INR to every pixel, lazily.

    Parameters
    ----------
    model : INR or reference model
        See :func:`canvaswidget.as_inr`. The module is neither changed nor moved.
    rule : {"xinc"}
        How a contribution is defined.
    device : str or torch.device
        Where to compute; ``"auto"`` takes a GPU where there is one.
    memory : str or number of bytes
        Working memory that a sweep over a layer may use.

    Returns
    -------
    Canvas
        Nothing is computed yet but the shapes.

    Raises
    ------
    UntraceableError
        The rule is defined on no layer of this model.
    CaptureError
        ``torch.export`` cannot record the module.
    """
    return Canvas(as_inr(model), rule, device, memory)


class Canvas:
    """All contribution maps of all layers: a neurons x pixels matrix that is never held in memory whole.

    Made by :func:`trace`. Layers are given by name, by a unique part of it, or by index; a neuron is a unit ``i`` or
    a kernel ``(i, o)``. `granularity` says which neurons an answer is about: ``"unit"``, ``"kernel"``, or ``None``
    for XINC's: kernels for convolutions, units for linear layers. `rgb` says what becomes of the output's colours:
    ``"sum"`` adds them with their sign, ``"abs"`` adds their magnitudes, ``"each"`` keeps a trailing axis of 3.

    Attributes
    ----------
    inr : INR
    rule : str
    device : torch.device
    layers : Layers
        Every weighted layer of the model.
    traced_layers : Layers
        Those the rule is defined on.
    """

    def __init__(self, inr: INR, rule: str, device: str | torch.device, memory: str | float) -> None:
        if rule not in RULES:
            raise ValueError(f"rule={rule!r}: expected one of {', '.join(map(repr, RULES))}")
        self.inr = inr
        self.rule = rule
        self.device = _checked_device(device)
        self.memory = budget.parse_memory(memory)
        self._capture = Capture(inr, self.device)
        self._rule = RULES[rule](self._capture)
        self.layers: Layers = self._capture.layers
        self.traced_layers = Layers(self._rule.layers)
        # A notebook's cell and a widget's worker may ask at the same time.
        self._lock = threading.RLock()
        self._frames: collections.OrderedDict[int, dict[fx.Node, torch.Tensor]] = collections.OrderedDict()
        self._summaries: collections.OrderedDict[tuple[Any, ...], Summary] = collections.OrderedDict()

    # --- what the model shows ---------------------------------------------------------------------------------

    def frame(self, frame: int = 0) -> FloatArray:
        """The model's raw output ``(height, width, 3)``, before clipping."""
        return _numpy(self._values(frame)[self._capture.output].permute(1, 2, 0))

    # --- rows: neuron -> pixels -------------------------------------------------------------------------------

    @overload
    def map(
        self,
        layer: LayerKey,
        neuron: Neuron,
        frame: int = 0,
        *,
        rgb: str = "sum",
        as_torch: Literal[False] = False,
    ) -> FloatArray: ...
    @overload
    def map(
        self, layer: LayerKey, neuron: Neuron, frame: int = 0, *, rgb: str = "sum", as_torch: Literal[True]
    ) -> torch.Tensor: ...
    def map(
        self, layer: LayerKey, neuron: Neuron, frame: int = 0, *, rgb: str = "sum", as_torch: bool = False
    ) -> FloatArray | torch.Tensor:
        """One neuron's contributions to all pixels of a frame, ``(height, width)``.

        Raises
        ------
        KeyError
            No layer has this name.
        IndexError
            The layer has no such neuron, or the INR no such frame.
        UntraceableError
            The rule is not defined on this layer; the message says why.
        """
        found = self._layer(layer)
        neurons = parse_neuron(found, neuron).to(self.device)
        maps = self._rows(found, neurons, frame, rgb)[0]
        return maps if as_torch else _numpy(maps)

    def maps(
        self,
        layer: LayerKey,
        neurons: Neurons,
        frame: int = 0,
        *,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> FloatArray:
        """The maps of some neurons, ``(k, height, width)``: a sequence of units, of kernels, or ``(k, 2)``."""
        found = self._layer(layer)
        chosen = parse_neurons(found, neurons).to(self.device)
        parts = list(torch.split(chosen, self._maps_at_a_time())) if len(chosen) else []
        rows = (_numpy(self._rows(found, part, frame, rgb)) for part in parts)
        maps = list(_reported(rows, parts, progress, found.name))
        tail = (3,) if rgb == "each" else ()
        return np.concatenate(maps) if maps else np.empty((0, *self.inr.size, *tail), np.float32)

    def iter(
        self,
        layer: LayerKey,
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[IntArray, FloatArray]]:
        """Every neuron of a layer, chunk by chunk within the memory budget.

        Yields
        ------
        neurons : (k,) or (k, 2)
            Units or kernels, in C order.
        maps : (k, height, width)
        """
        yield from self.reduce(layer, _numpy, frame, granularity=granularity, rgb=rgb, progress=progress)

    def reduce(
        self,
        layer: LayerKey,
        function: Callable[[torch.Tensor], Reduced],
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[IntArray, Reduced]]:
        """Like :meth:`iter`, with each chunk of maps made into something smaller where it was computed.

        Parameters
        ----------
        function : callable
            Of a tensor ``(k, height, width)`` on the canvas's device. On a CPU several chunks are computed side by
            side: it is called on their threads and must not keep a state of its own.

        Yields
        ------
        neurons : (k,) or (k, 2)
            Units or kernels, in C order.
        reduced
            What `function` returned for their maps.
        """
        found = self._layer(layer)
        for neurons, reduced in self._sweep(found, frame, granularity, rgb, progress, function):
            yield neurons.numpy(), reduced

    # --- columns: pixel -> neurons ----------------------------------------------------------------------------

    def pixel(
        self,
        y: int,
        x: int,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
    ) -> dict[str, FloatArray]:
        """Every neuron's contribution to one pixel.

        Returns
        -------
        dict of str to array
            By layer, in order of execution: ``(n,)`` for units, ``(n_in, n_out)`` for kernels. Without `layers` all
            that the rule is defined on.
        """
        window = Window.pixel(
            checked_index("y", y, self.inr.size[0]), checked_index("x", x, self.inr.size[1]), self.inr.size
        )
        return self._columns(frame, layers, granularity, rgb, window, lambda maps: maps[:, 0, 0])

    def region(
        self,
        mask: npt.ArrayLike | torch.Tensor,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> dict[str, FloatArray]:
        """Every neuron's contribution to a region: the sum of its map over a mask, or weighted by it.

        Parameters
        ----------
        mask : (height, width)
            Boolean, or a weight for each pixel.
        """
        weights = torch.as_tensor(np.asarray(mask) if not isinstance(mask, torch.Tensor) else mask)
        if tuple(weights.shape) != self.inr.size:
            raise ValueError(
                f"mask: has shape {tuple(weights.shape)}; expected (height, width) = {self.inr.size}"
            )
        weights = weights.to(self.device, torch.float32)

        def weighted(maps: torch.Tensor) -> torch.Tensor:
            return torch.einsum("kyx...,yx->k...", maps, weights.to(maps.dtype))

        return self._columns(frame, layers, granularity, rgb, Window.whole(self.inr.size), weighted, progress)

    def top(
        self,
        y: int,
        x: int,
        k: int = 20,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
    ) -> Ranking:
        """The `k` neurons that contribute most to a pixel, by absolute value, across layers."""
        if k < 1:
            raise ValueError(f"k={k!r}: at least 1")
        columns = self.pixel(y, x, frame, layers, granularity=granularity)
        names = list(columns)
        values = np.concatenate([column.ravel() for column in columns.values()])
        owner = np.repeat(np.arange(len(names)), [column.size for column in columns.values()])
        within = np.concatenate([np.arange(column.size) for column in columns.values()])
        totals = [float(np.abs(column).sum(dtype=np.float64)) for column in columns.values()]
        # Stable, so that equal contributions keep the order of execution.
        ranked = []
        for index in np.argsort(-np.abs(values), kind="stable")[:k]:
            name, total = names[owner[index]], totals[owner[index]]
            position = tuple(int(n) for n in np.unravel_index(within[index], columns[name].shape))
            neuron = position[0] if len(position) == 1 else (position[0], position[1])
            value = float(values[index])
            ranked.append(Ranked(name, neuron, value, abs(value) / total if total else 0.0))
        return Ranking(ranked, f"pixel (y={y}, x={x}), frame {frame}, rule {self.rule}")

    # --- reductions -------------------------------------------------------------------------------------------

    def summary(
        self, layer: LayerKey, frame: int = 0, *, granularity: str | None = None, progress: Progress = False
    ) -> Summary:
        """Totals of all maps of a layer, per neuron and per pixel, streaming."""
        found, frame = self._layer(layer), self.inr.frame_index(frame)
        key = (found.name, frame, granularity)
        with self._lock:
            summary = self._summaries.get(key)
        if summary is None:
            sweep = self._sweep(found, frame, granularity, "sum", progress, Totals.of)
            summary = summarise(found, frame, granularity, self.inr.size, sweep)
            with self._lock:
                self._summaries[key] = summary
                while len(self._summaries) > KEPT_SUMMARIES:
                    self._summaries.popitem(last=False)
        return summary

    # --- about itself -----------------------------------------------------------------------------------------

    def coverage(self) -> Coverage:
        """What the rule follows of the model, op by op."""
        traced = self._rule.traced
        undefined = self._rule.undefined
        names = {node: name for name, node in self._capture.nodes.items()}
        ops = []
        for node in self._capture.graph.nodes:
            if node.op != "call_function":
                continue
            note = undefined.get(names.get(node, ""), "")
            status = "traced" if node in traced else "frozen"
            ops.append(Op(str(node.target).split(".")[1], self._capture.path(node), status, note))
        return Coverage(ops)

    def estimate(self, layers: LayerKey | Sequence[LayerKey] | None = None, frame: int = 0) -> Estimate:
        """What a sweep over all neurons of some layers (all that are traced, by default) will take."""
        seconds, n_maps = 0.0, 0
        for layer in self._chosen(layers):
            parts = chunks(layer, None, self._maps_at_a_time())
            count = sum(len(part) for part in parts)
            sweep = self._sweep(layer, frame, None, "sum", False, Totals.of)
            # The first chunks pay for warming up; those after them are typical.
            warm, timed = min(2, len(parts) - 1), 8
            for _ in range(warm):
                next(sweep)
            start = time.perf_counter()
            done = sum(len(part) for part, _ in itertools.islice(sweep, timed))
            seconds += (time.perf_counter() - start) / done * count
            sweep.close()
            n_maps += count
        height, width = self.inr.size
        working = self._maps_at_a_time() * height * width * self._itemsize * budget.TEMPORARIES
        return Estimate(seconds, working, n_maps, height * width)

    def check(self, frame: int = 0) -> Checks:
        """Try the invariants that hold for this rule on this model."""
        return check(self._capture, self._rule, self.inr.frame_index(frame))

    def __repr__(self) -> str:
        height, width = self.inr.size
        kernels = sum(len(all_neurons(layer, None)) for layer in self.traced_layers)
        return (
            f"Canvas({self.inr.name}, rule {self.rule}: {kernels:,} neurons in {len(self.traced_layers)} of "
            f"{len(self.layers)} layers x {height}x{width} pixels x {self.inr.n_frames} frames, on {self.device})"
        )

    # --- within -----------------------------------------------------------------------------------------------

    def _layer(self, key: LayerKey) -> Layer:
        layer = self.layers.find(key)
        self._rule.require(layer)
        return layer

    def _chosen(self, keys: LayerKey | Sequence[LayerKey] | None) -> list[Layer]:
        if keys is None:
            return list(self.traced_layers)
        if isinstance(keys, str | int | Layer):
            keys = [keys]
        return [self._layer(key) for key in keys]

    def _rows(self, layer: Layer, neurons: torch.Tensor, frame: int, rgb: str) -> torch.Tensor:
        x = self._values(frame)[self._rule.inputs[layer.name]]

        @torch.no_grad()
        def compute() -> torch.Tensor:
            return self._rule.maps(layer, x, neurons, Window.whole(self.inr.size), _checked_rgb(rgb))

        return alone(compute, self.device)

    def _sweep(
        self,
        layer: Layer,
        frame: int,
        granularity: str | None,
        rgb: str,
        progress: Progress,
        reduce: Callable[[torch.Tensor], Reduced],
        window: Window | None = None,
    ) -> Generator[tuple[torch.Tensor, Reduced]]:
        """``(neurons, reduce(maps))`` for every chunk of a layer, in order."""
        window = window or Window.whole(self.inr.size)
        x = self._values(frame)[self._rule.inputs[layer.name]]
        parts = chunks(layer, granularity, self._maps_at_a_time(window, granularity, layer))
        _checked_rgb(rgb)

        @torch.no_grad()
        def compute(part: torch.Tensor) -> tuple[torch.Tensor, Reduced]:
            return part, reduce(self._rule.maps(layer, x, part.to(self.device), window, rgb))

        yield from _reported(in_order(compute, parts, self.device), parts, progress, layer.name)

    def _columns(
        self,
        frame: int,
        layers: LayerKey | Sequence[LayerKey] | None,
        granularity: str | None,
        rgb: str,
        window: Window,
        reduce: Callable[[torch.Tensor], torch.Tensor],
        progress: Progress = False,
    ) -> dict[str, FloatArray]:
        columns = {}
        for layer in self._chosen(layers):
            sweep = self._sweep(layer, frame, granularity, rgb, progress, reduce, window)
            values = torch.cat([part for _, part in sweep])
            columns[layer.name] = _numpy(values).reshape(
                *layer.shape_of(granularity), *((3,) if rgb == "each" else ())
            )
        return columns

    def _maps_at_a_time(
        self, window: Window | None = None, granularity: str | None = None, layer: Layer | None = None
    ) -> int:
        height, width = window.shape if window else self.inr.size
        # However small the window, a map passes through somewhat larger ones on its way there.
        pixels = max(height * width, 256)
        count = budget.maps_at_a_time(pixels, self._itemsize, self.memory, self.device)
        if window is not None and not window.is_whole:
            count = max(1, self.memory // (budget.TEMPORARIES * pixels * self._itemsize))
        if layer is not None and layer.grid and granularity == "unit":
            count = max(1, count // layer.n_outputs)
        return count

    @property
    def _itemsize(self) -> int:
        return self._values(0)[self._capture.output].element_size()

    def _values(self, frame: int) -> dict[fx.Node, torch.Tensor]:
        """What the rule must know of a frame; the frames used last are kept, within a quarter of the memory."""
        frame = self.inr.frame_index(frame)
        with self._lock:
            if frame not in self._frames:
                values = self._capture.run(frame, [*self._rule.inputs.values(), self._capture.output])
                each = sum(value.nbytes for value in values.values())
                while self._frames and (len(self._frames) + 1) * each > self.memory // 4:
                    self._frames.popitem(last=False)
                self._frames[frame] = values
            self._frames.move_to_end(frame)
            return self._frames[frame]


def _reported(
    results: Iterable[Reduced], parts: Sequence[torch.Tensor], progress: Progress, title: str
) -> Iterator[Reduced]:
    """The results, one for each part, with a progress bar or calls of ``progress(done, total)``, in neurons."""
    total, done = sum(len(part) for part in parts), 0
    with tqdm(total=total, desc=title, unit="neuron", disable=progress is not True) as bar:
        if callable(progress):
            progress(0, total)
        for result, part in zip(results, parts, strict=True):
            yield result
            done += len(part)
            bar.update(len(part))
            if callable(progress):
                progress(done, total)


def _checked_rgb(rgb: str) -> str:
    if rgb not in _RGB:
        raise ValueError(f"rgb={rgb!r}: expected one of {', '.join(map(repr, _RGB))}")
    return rgb


def _checked_device(device: str | torch.device) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(f"device={device!r}: not available here: {str(error).splitlines()[0]}") from None
    return found


def _numpy(values: torch.Tensor) -> FloatArray:
    return values.float().cpu().numpy()
