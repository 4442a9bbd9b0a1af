"""Neurons and layers as figures and tables call them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from canvaswidget.kernel.view_checks import Neuron
from canvaswidget.tracing.layers import show_neuron


def label(neuron: Neuron) -> str:
    """A unit or a kernel as figures have it."""
    return show_neuron(neuron).replace("->", "→")


def short_names(names: Sequence[str]) -> dict[str, str]:
    """The fewest neighbouring parts of each module path that no other has, not starting with a number.

    The same that the page shows: ``decoder.3`` for ``decoder.3.conv.upconv.0``.
    """

    def windows(name: str) -> list[str]:
        parts = name.split(".")
        return [
            ".".join(parts[at : at + length])
            for length in range(1, len(parts) + 1)
            for at in range(len(parts) - length + 1)
        ]

    uses = Counter(window for name in names for window in set(windows(name)))
    return {
        name: next(
            (window for window in windows(name) if uses[window] == 1 and not window[0].isdigit()), name
        )
        for name in names
    }
