"""One run of a collection before it is looked at, and the table in which several are listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from canvaswidget.runs.naming import Key
from canvaswidget.tracing import CanvasLike

SHOWN = 6  # runs in a printed table, from the start and from the end


@dataclass
class Run:
    """One network of a collection, before it is looked at.

    Attributes
    ----------
    make : callable
        Makes its canvas.
    facts : dict
        What is known of it without looking: step, loss, PSNR.
    stamp
        Of its file; see `Checkpoint`.
    error : str
        Why it could not be made, once that was tried.
    """

    make: Callable[[], CanvasLike]
    facts: Mapping[str, Any] = field(default_factory=dict)
    stamp: Any = None
    error: str = ""


def listed(runs: Mapping[Key, Run]) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table of runs: the first and the last ones, where there are many."""
    names = list(dict.fromkeys(name for run in runs.values() for name in run.facts))
    keys = list(runs)
    shown = keys if len(keys) <= 2 * SHOWN else [*keys[:SHOWN], None, *keys[-SHOWN:]]
    rows = []
    for key in shown:
        if key is None:
            rows.append(["...", *("" for _ in names), ""])
            continue
        run = runs[key]
        rows.append([str(key), *(_shown(run.facts.get(name)) for name in names), run.error])
    return ["run", *names, "error" if any(run.error for run in runs.values()) else ""], rows


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
