"""What is known of the frames that were used last, for all rules on one recording together."""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import fx

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.rules import Rule, State


class Frame(NamedTuple):
    """The image ``(channels, height, width)`` and the rule's state."""

    image: torch.Tensor
    state: State


@dataclass
class _Known:
    """Of one frame: the values of some ops, and what rules made of them."""

    values: dict[fx.Node, Any]
    states: dict[Rule, State] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Values that several rules use count once."""
        tensors = {id(value): value for value in self.values.values() if isinstance(value, torch.Tensor)}
        return sum(one.nbytes for one in tensors.values()) + sum(one.nbytes for one in self.states.values())


class Frames:
    """Frames by number, run when they are first asked for; a rule that needs other values adds them.

    Parameters
    ----------
    memory : int
        Bytes that those kept may take together; one always is.
    """

    def __init__(self, capture: Capture, memory: int) -> None:
        self._capture = capture
        self.memory = memory
        # A notebook's cell and a widget's worker may ask at the same time.
        self._lock = threading.RLock()
        self._kept: collections.OrderedDict[int, _Known] = collections.OrderedDict()
        self.held: int | None = None  # stays, whatever is asked of others meanwhile

    def get(self, number: int, rule: Rule) -> Frame:
        """The frame of this number, as a rule needs it."""
        with self._lock:
            frame = self._known(number, rule)
            for other in [one for one in self._kept if one not in (number, self.held)]:
                if self.nbytes <= self.memory:
                    break
                del self._kept[other]
            return frame

    def forget(self) -> None:
        """Let go of all that are kept."""
        with self._lock:
            self._kept.clear()

    @property
    def numbers(self) -> list[int]:
        """Those that are kept, the one that was used last at the end."""
        return list(self._kept)

    @property
    def nbytes(self) -> int:
        """What those that are kept take together."""
        return sum(one.nbytes for one in self._kept.values())

    def _known(self, number: int, rule: Rule) -> Frame:
        output = self._capture.output
        known = self._kept.get(number)
        if known is None or rule not in known.states:
            values = {} if known is None else known.values
            missing = [node for node in (*rule.needed, output) if node not in values]
            # An urgent job between two ops of this run may ask for the same frame: it is put in its place afterwards.
            values = {**values, **self._capture.run(number, missing, None, values)} if missing else values
            if known is None:
                self._capture.compare(number, values[output])
            known = self._kept.setdefault(number, _Known(values))
            known.values.update(values)
            if rule not in known.states:
                known.states[rule] = rule.state({node: known.values[node] for node in (*rule.needed, output)})
        self._kept.move_to_end(number)
        return Frame(known.values[output], known.states[rule])
