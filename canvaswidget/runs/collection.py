"""Runs: canvases of many networks, in order, made when they are first asked for.

1. A run has a key: a name, or a number such as the step of a training. Keys are in the order in which runs were
   given; steps ascend.
2. Nothing is loaded or traced until a run is asked for. Then its canvas is kept, and those asked for longest ago are
   let go when all together hold more than `memory`.
3. Checkpoints of one network share one recording: their weights take the place of the recorded ones.
4. A run that can't be made raises `RunError` when it is asked for; the others are not affected.
"""

from __future__ import annotations

import collections
import functools
import inspect
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import torch

from canvaswidget import tables
from canvaswidget.arguments import checked, instance, show, wrong_type
from canvaswidget.inr import INR, as_inr
from canvaswidget.runs.checkpoints import Checkpoint, find_checkpoints
from canvaswidget.runs.naming import Key, named
from canvaswidget.runs.run import SHOWN, Run, listed
from canvaswidget.tracing import Canvas, CanvasLike, CaptureError, SavedCanvas, open_canvas, trace
from canvaswidget.tracing.budget import parse_memory
from canvaswidget.tracing.exchange import exchange

Result = TypeVar("Result")

KEPT = 2  # canvases at least, however large: two can be compared


class RunError(RuntimeError):
    """A run can't be made: its file is missing or damaged, or its network can't be traced."""


def _variants(name: str, value: Any) -> None:
    if not isinstance(value, Mapping) or not all(isinstance(one, Checkpoint) for one in value.values()):
        raise wrong_type(name, value, "checkpoints by name, {name: Checkpoint}")


def _bound_method(name: str, value: Any) -> None:
    if not inspect.ismethod(value):
        raise wrong_type(name, value, "a bound method")


class Runs(Mapping[Key, CanvasLike]):
    """Canvases of several networks that encode signals of one size and length.

    Parameters
    ----------
    runs : mapping or sequence
        INRs, reference models, canvases, saved canvases or paths of saved canvases; a mapping says their names. Those
        of a sequence are called by the names of their INRs, with a number before them where these are not distinct.
    rule : str, optional
        The rule of all. By default that of the first: contributions under different rules can't be compared.
    device, memory
        As in `canvaswidget.trace`. All canvases that are kept hold no more than `memory` together, but two always are.

    Attributes
    ----------
    size : (height, width)
    n_frames : int
    origin : str
        Python that makes them again, where it is known.
    errors : dict
        By key, why runs that were asked for could not be made.

    Raises
    ------
    ValueError
        Sizes, numbers of frames or rules differ; the message says which and whose.
    """

    @checked
    def __init__(
        self,
        runs: Mapping[Key, Any] | Sequence[Any],
        *,
        rule: str | None = None,
        device: str | torch.device = "auto",
        memory: str | float = "1 GiB",
    ) -> None:
        given = named(runs)
        self._start(rule, device, memory)
        for key, source in given.items():
            found = source if isinstance(source, str | os.PathLike | Canvas | SavedCanvas) else as_inr(source)
            if not isinstance(found, str | os.PathLike):
                inr = found if isinstance(found, INR) else found.inr
                self._check_extent(key, inr.size, inr.n_frames)
                if rule is None and not isinstance(found, INR):
                    self._check_rule(key, found)
            self._runs[key] = Run(self._maker(key, found))

    @classmethod
    @checked(weights=None)
    def from_checkpoints(
        cls,
        inr: INR,
        weights: Any,
        *,
        rule: str | None = None,
        device: str | torch.device = "auto",
        memory: str | float = "1 GiB",
    ) -> Runs:
        """The checkpoints of one network: it is recorded once, and its weights are exchanged.

        Parameters
        ----------
        inr : INR or reference model
            The network; its own weights are no run.
        weights : mapping, path or pattern
            ``{step: state dict or file}``, a folder, or a pattern such as ``"run/*.pt"``. Of files the step is the last
            number in the name. A folder of a `Recorder` also tells loss and PSNR, and may still be written to: see
            `refresh`.

        Raises
        ------
        FileNotFoundError
            There are no such files.
        ValueError
            A file's name has no number, or two have the same.
        """
        find = functools.partial(find_checkpoints, weights)
        return cls._of_network(as_inr(inr), find, rule, device, memory)

    @classmethod
    @checked(network=instance("a canvaswidget.INR", INR), variants=_variants)
    def from_variants(cls, network: INR, variants: Mapping[Any, Checkpoint]) -> Runs:
        """Variants of one network that differ in weights and inputs."""
        return cls._of_network(network, lambda: dict(variants), None, "auto", "1 GiB")

    @classmethod
    def _of_network(
        cls,
        base: INR,
        find: Callable[[], dict[Key, Checkpoint]],
        rule: str | None,
        device: str | torch.device,
        memory: str | float,
    ) -> Runs:
        made = cls.__new__(cls)
        made._start(rule, device, memory)
        made._check_extent("the network", base.size, base.n_frames)
        made._network, made._find = base, find
        made.refresh()
        return made

    def _start(self, rule: str | None, device: str | torch.device, memory: str | float) -> None:
        self.rule, self.memory, self.origin = rule, parse_memory(memory), ""
        self._options: dict[str, Any] = {"device": device, "memory": memory}
        self.size, self.n_frames = (0, 0), 0
        self._first: Key | None = None
        self._runs: dict[Key, Run] = {}
        self._kept: collections.OrderedDict[Key, CanvasLike] = collections.OrderedDict()
        self._lock = threading.RLock()
        self._network: INR | None = None
        self._recorded: Canvas | None = None
        self._find: Callable[[], dict[Key, Checkpoint]] | None = None
        self._watchers: list[weakref.WeakMethod[Callable[[list[Key]], None]]] = []

    # --- as a mapping -----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._runs))

    def __contains__(self, key: object) -> bool:
        return key in self._runs

    def __getitem__(self, key: Key) -> CanvasLike:
        """The canvas of a run.

        Raises
        ------
        KeyError
            There is no such run.
        RunError
            It can't be made.
        """
        with self._lock:
            run = self._run(key)
            canvas = self._kept.pop(key, None)
            if canvas is None:
                canvas = self._made(key, run)
            self._kept[key] = canvas
            self._let_go()
            return canvas

    def facts(self, key: Key) -> dict[str, Any]:
        """What is known of a run without its canvas: of a training its step, loss and PSNR."""
        return dict(self._run(key).facts)

    @property
    def errors(self) -> dict[Key, str]:
        return {key: run.error for key, run in self._runs.items() if run.error}

    @property
    def steps(self) -> list[int] | None:
        """The keys, where all are numbers; None where runs have names."""
        numbers = [key for key in self._runs if isinstance(key, int)]
        return numbers if len(numbers) == len(self._runs) else None

    @property
    def is_one_network(self) -> bool:
        """Whether all are one network with other weights or inputs, such as the checkpoints of a training."""
        return self._network is not None

    @checked
    def each(self, function: Callable[[CanvasLike], Result]) -> Iterator[tuple[Key, Result | RunError]]:
        """What a function makes of every run, one after the other; the error of a run that can't be made."""
        for key in self:
            try:
                canvas = self[key]
            except RunError as error:
                yield key, error
            else:
                yield key, function(canvas)

    def refresh(self) -> list[Key]:
        """Look for checkpoints again, and return those that are new or were written again.

        A run that could not be made is tried again when it is asked for.
        """
        with self._lock:
            for run in self._runs.values():
                run.error = ""
            new: list[Key] = []
            if self._find is not None:
                found = self._find()
                new = self._exchange_runs(
                    {key: Run(self._exchanger(one), one.facts, one.stamp) for key, one in found.items()}
                )
        self._tell_watchers(new)
        return new

    def _tell_watchers(self, new: list[Key]) -> None:
        for watcher in list(self._watchers):
            if (told := watcher()) is None:
                self._watchers.remove(watcher)
            else:
                told(new)

    def _exchange_runs(self, found: dict[Key, Run]) -> list[Key]:
        """Take these for the runs, but keep those that are the same; returns those that are new or were made again."""
        before = self._runs
        new = [key for key, one in found.items() if key not in before or before[key].stamp != one.stamp]
        self._runs = {key: one if key in new else before[key] for key, one in found.items()}
        for key in [key for key in self._kept if key in new or key not in found]:
            self._forget(key)
        return new

    @checked(changed=_bound_method)
    def watch(self, changed: Callable[[list[Key]], None]) -> None:
        """Call a bound method, which is referred to weakly, after every `refresh` with what that returns."""
        self._watchers.append(weakref.WeakMethod(changed))

    # --- within -----------------------------------------------------------------------------------------------

    def _run(self, key: Key) -> Run:
        try:
            return self._runs[key]
        except (KeyError, TypeError):
            some = ", ".join(map(repr, list(self._runs)[:SHOWN]))
            more = f" and {len(self._runs) - SHOWN} more" if len(self._runs) > SHOWN else ""
            raise KeyError(f"run={show(key)}: there is no such run; there are {some}{more}") from None

    def _made(self, key: Key, run: Run) -> CanvasLike:
        if not run.error:
            try:
                canvas = run.make()
                self._check_extent(key, canvas.inr.size, canvas.inr.n_frames)
                self._check_rule(key, canvas)
                return canvas
            except Exception as error:  # of a file or a network that may be anything
                run.error = f"{type(error).__name__}: {error}"
                raise RunError(f"run {key!r}: {run.error}") from error
        raise RunError(f"run {key!r}: {run.error}")

    def _maker(self, key: Key, source: Any) -> Callable[[], CanvasLike]:
        def make() -> CanvasLike:
            found = source
            if isinstance(found, str | os.PathLike):
                found = open_canvas(found)
            if isinstance(found, INR):
                return trace(found, self.rule, progress=False, **self._options)
            return found if self.rule in (None, found.rule) else found.under(self.rule)

        return make

    def _exchanger(self, checkpoint: Checkpoint) -> Callable[[], CanvasLike]:
        def make() -> CanvasLike:
            inr = checkpoint.inr(cast(INR, self._network))
            if self._recorded is None:
                self._recorded = trace(self._network, self.rule, progress=False, **self._options)
            try:
                canvas = exchange(self._recorded, inr)
                canvas.frame(0)
            except CaptureError:
                # A forward may branch on its weights: such a network is recorded anew for each checkpoint.
                canvas = trace(inr, self._recorded.rule, progress=False, **self._options)
            return canvas

        return make

    def _check_extent(self, key: Key, size: Sequence[int], n_frames: int) -> None:
        if self._first is None:
            self._first, self.size, self.n_frames = key, (size[0], size[1]), n_frames
        for what, given, expected in (
            ("size", tuple(size), self.size),
            ("n_frames", n_frames, self.n_frames),
        ):
            if given != expected:
                raise ValueError(
                    f"runs: {what} differs: {expected} in {self._first!r} and {given} in {key!r}; all runs must make "
                    "signals of one size and length"
                )

    def _check_rule(self, key: Key, canvas: CanvasLike) -> None:
        if self.rule is None:
            self.rule = canvas.rule
        elif canvas.rule != self.rule:
            raise ValueError(
                f"rule={canvas.rule!r} in run {key!r} and {self.rule!r} in others: contributions under different rules "
                f"can't be compared; give one rule to all, such as Runs(..., rule={canvas.rule!r})"
            )

    def _let_go(self) -> None:
        sizes = {key: canvas.held_bytes for key, canvas in self._kept.items()}
        for key in list(self._kept):
            if len(self._kept) <= KEPT or sum(sizes.values()) <= self.memory:
                break
            self._forget(key)
            del sizes[key]

    def _forget(self, key: Key) -> None:
        # At once: a canvas is a cycle of references, whose tensors Python's collector would leave for long.
        self._kept.pop(key).forget()

    # --- printed ----------------------------------------------------------------------------------------------

    def _title(self) -> str:
        rule = f", rule {self.rule}" if self.rule else ""
        return f"{len(self)} runs: {self._kind()}{rule}"

    def _kind(self) -> str:
        kind = "images" if self.n_frames == 1 else f"clips of {self.n_frames} frames"
        return f"{kind} of {self.size[0]}x{self.size[1]}"

    def __repr__(self) -> str:
        return f"{self._title()}\n{tables.text(*listed(self._runs))}"

    def _repr_html_(self) -> str:
        return tables.markup(*listed(self._runs), note=self._title())
