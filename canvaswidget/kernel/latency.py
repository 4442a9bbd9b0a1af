"""How the widget feels, as the page measures it: from an act to what it shows on screen."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np

from canvaswidget.kernel.messages import Act

KEPT = 200
LONGEST = 3.6e6  # ms


class Latency:
    """The last `KEPT` times of each act; used by one thread at a time."""

    def __init__(self) -> None:
        self._times = {act: deque[float](maxlen=KEPT) for act in get_args(Act)}
        self._rate: float | None = None

    def take(self, message: Mapping[str, Any]) -> None:
        """A `Painted` message; what is no time is left out."""
        times = message.get("times")
        for entry in times if isinstance(times, list) else ():
            if not isinstance(entry, Mapping):
                continue
            act, value = entry.get("act"), _number(entry.get("milliseconds"), LONGEST)
            if act in self._times and value is not None:
                self._times[act].append(value)
        rate = _number(message.get("rate"), 1000)
        self._rate = self._rate if rate is None else rate

    def stats(self) -> dict[str, Any]:
        """``{"pixel_ms": {"n", "p50", "p95"}, ..., "playing_fps"}``; None where nothing was measured."""
        found: dict[str, Any] = {}
        for act, times in self._times.items():
            found[f"{act}_ms"] = None
            if times:
                p50, p95 = (round(float(value), 1) for value in np.percentile(list(times), [50, 95]))
                found[f"{act}_ms"] = {"n": len(times), "p50": p50, "p95": p95}
        return {**found, "playing_fps": self._rate}


def _number(value: Any, most: float) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return None
    return float(value) if 0 <= value <= most else None
