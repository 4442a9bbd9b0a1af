"""A layer is checked on a few of its neurons before its first sweep, and what fails is said."""

from __future__ import annotations

import threading
import warnings
from dataclasses import replace

from canvaswidget.tracing.invariants import check_layer
from canvaswidget.tracing.layers import Layer
from canvaswidget.tracing.matrix import Matrix
from canvaswidget.tracing.reduce import Summary


class FirstChecks:
    """The layers of a matrix that were checked, and what failed.

    Attributes
    ----------
    trouble : dict of str to str
        By layer, what failed.
    """

    def __init__(self, matrix: Matrix) -> None:
        self.trouble: dict[str, str] = {}
        self._matrix = matrix
        self._checked: set[str] = set()
        # A notebook's cell and a widget's worker may ask at the same time.
        self._lock = threading.RLock()

    def check(self, layer: Layer, frame: int) -> None:
        """Check a layer if it was not checked before; warn of what fails."""
        with self._lock:
            if layer.name in self._checked:
                return
            self._checked.add(layer.name)
        matrix = self._matrix
        problem = check_layer(matrix, layer, matrix.inr.frame_index(frame))
        if problem:
            self.trouble[layer.name] = problem
            warnings.warn(
                f"rule {matrix.rule.name!r}, layer {problem}. canvas.check() tries every layer", stacklevel=3
            )

    def warned(self, summary: Summary) -> Summary:
        """A summary that says what failed of its layer."""
        trouble = self.trouble.get(summary.layer.name, "")
        return replace(summary, warning=trouble) if trouble else summary
