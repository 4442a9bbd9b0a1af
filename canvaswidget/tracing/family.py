"""What all canvases of one recording share: the frames, and each other."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from canvaswidget.tracing.frames import Frames

Kind = TypeVar("Kind")
Key = tuple[str, tuple[tuple[str, str], ...]]


@dataclass
class Family(Generic[Kind]):
    """Canvases of one recording under several rules.

    Attributes
    ----------
    frames : Frames
    canvases : dict
        By `key_of` their rule and its options.
    lock : threading.RLock
        Held while a canvas is looked up and made.
    """

    frames: Frames
    canvases: dict[Key, Kind] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.RLock)


def key_of(rule: str, options: Mapping[str, str]) -> Key:
    """What tells a rule with its options from others."""
    return rule, tuple(sorted(options.items()))
