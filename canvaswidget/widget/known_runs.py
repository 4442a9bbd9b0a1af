"""What a widget knows of its runs: the facts of those that were looked at, and which of them are alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from canvaswidget.arguments import as_integer, show
from canvaswidget.kernel.facts import OWN, Facts
from canvaswidget.kernel.message_parts import RunInfo, RunKey
from canvaswidget.runs import RunError, Runs
from canvaswidget.tracing import CanvasLike


class KnownRuns:
    """The runs of one widget; without any, those of a single network.

    Parameters
    ----------
    runs : Runs, optional
    """

    def __init__(self, runs: Runs | None) -> None:
        self.runs = runs
        self._facts: dict[RunKey, Facts] = {}  # under the rule that each run begins with
        self._versions: dict[RunKey, int] = {}

    def first(self, run: RunKey, rule: str | None) -> tuple[RunKey, CanvasLike]:
        """The run that a widget begins with, and its canvas: of a training the last that can be made, else the first.

        Raises
        ------
        KeyError, RunError
            There is no such run, or none can be made.
        """
        runs = self._required()
        keys: Iterable[RunKey] = [self.checked(run)] if run is not None else list(runs)
        if run is None and runs.steps is not None:
            keys = list(runs)[::-1]
        problem: RunError | None = None
        for key in keys:
            try:
                canvas = runs[key]  # type: ignore[index]  # a key of its own
            except RunError as error:
                problem = problem or error
            else:
                return key, canvas if rule in (None, canvas.rule) else canvas.under(rule)
        raise problem or RunError("runs: there are none yet")

    def checked(self, run: Any, name: str = "run") -> RunKey:
        """A key of the runs; KeyError where it is none, ValueError where there is one network only."""
        if self.runs is None:
            if run is not None:
                raise ValueError(
                    f"{name}={show(run)}: this widget shows one network; give it a canvaswidget.Runs"
                )
            return None
        key = run if isinstance(run, str) else as_integer(run)
        if key is None:
            raise TypeError(f"{name}={show(run)}: expected the key of a run, a step or a name")
        self.runs.facts(key)
        return key

    def has(self, run: RunKey) -> bool:
        """Whether there is such a run, or there is one network only."""
        return run is None or run in self._required()

    def facts(self, run: RunKey, canvas: CanvasLike) -> Facts:
        """What is known of a run's canvas."""
        first = self._facts.get(run)
        if first is None:
            first = self._facts.setdefault(run, Facts.of(canvas, run=run))
        return first if first.rule == canvas.rule else Facts.of(canvas, first)

    def alike(self, run: RunKey, other: Facts) -> Facts | None:
        """The facts of a run without looking at it, where they are those of another one."""
        group = self._group(run)
        if group is None or group != self._group(other.run):
            return None
        known = self._facts.get(run)
        own = {} if known is None else {name: getattr(known, name) for name in OWN}
        return other._replace(**{**own, "run": run})

    def changed(self, runs: Iterable[RunKey]) -> None:
        """The weights of some runs were replaced."""
        for run in runs:
            self._versions[run] = self._versions.get(run, 0) + 1
            self._facts.pop(run, None)

    def on_wire(self) -> list[RunInfo]:
        """As the page gets them."""
        if self.runs is None:
            return []
        errors = self.runs.errors
        return [
            {
                "key": key,
                "group": self._group(key),
                "error": errors.get(key, ""),
                "facts": {
                    name: None if value is None else float(value)
                    for name, value in self.runs.facts(key).items()
                    if value is None or isinstance(value, int | float)
                },
                "version": self._versions.get(key, 0),
                "same_neurons": self.runs.is_one_network,
            }
            for key in self.runs
        ]

    def _group(self, run: RunKey) -> int | None:
        if self.runs is not None and self.runs.is_one_network:
            return 0
        known = self._facts.get(run)
        if known is None:
            return None
        alike = (place for place, other in enumerate(self._facts.values()) if known.alike(other))
        return next(alike)

    def _required(self) -> Runs:
        if self.runs is None:
            raise ValueError("this widget shows one network")
        return self.runs
