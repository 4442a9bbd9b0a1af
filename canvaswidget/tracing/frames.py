"""What a rule must know of a frame, for the frames that were used last."""

from __future__ import annotations

import collections
import threading
from typing import NamedTuple

import torch

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.rules import Rule, State


class Frame(NamedTuple):
    """The image ``(channels, height, width)`` and the rule's state."""

    image: torch.Tensor
    state: State


class Frames:
    """Frames by number, run when they are first asked for.

    Parameters
    ----------
    memory : int
        Bytes that those kept may take together; one always is.
    """

    def __init__(self, capture: Capture, rule: Rule, memory: int) -> None:
        self._capture = capture
        self._rule = rule
        self.memory = memory
        # A notebook's cell and a widget's worker may ask at the same time.
        self._lock = threading.RLock()
        self._kept: collections.OrderedDict[int, Frame] = collections.OrderedDict()
        self.held: int | None = None  # stays, whatever is asked of others meanwhile

    def get(self, number: int) -> Frame:
        """The frame of this number."""
        with self._lock:
            if number not in self._kept:
                values = self._capture.run(number, [*self._rule.needed, self._capture.output])
                image = values[self._capture.output]
                self._capture.compare(number, image)
                self._kept[number] = Frame(image, self._rule.state(values))
            self._kept.move_to_end(number)
            for other in [known for known in self._kept if known not in (number, self.held)]:
                if self._bytes() <= self.memory:
                    break
                del self._kept[other]
            return self._kept[number]

    def _bytes(self) -> int:
        return sum(frame.image.nbytes + frame.state.nbytes for frame in self._kept.values())
