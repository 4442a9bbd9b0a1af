"""How many maps to compute at a time, and what a sweep will cost."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch

_UNITS = {
    "": 1,
    "k": 10**3,
    "m": 10**6,
    "g": 10**9,
    "t": 10**12,
    "ki": 2**10,
    "mi": 2**20,
    "gi": 2**30,
    "ti": 2**40,
}
# A map passes through a handful of temporaries on its way to the image: place, activate, enlarge, pad, filter.
TEMPORARIES = 6


def parse_memory(memory: str | float, argument: str = "memory") -> int:
    """Bytes of ``"1 GiB"``, ``"500 MB"``, or a number of bytes; `argument` is what errors call it."""
    if isinstance(memory, str):
        found = re.fullmatch(r"\s*([\d.]+)\s*([kmgt]i?)?b?\s*", memory, re.IGNORECASE)
        if found is None or found[1].count(".") > 1:
            raise ValueError(
                f"{argument}={memory!r}: expected a size such as '1 GiB', '500 MB' or a number of bytes"
            )
        memory = float(found[1]) * _UNITS[(found[2] or "").lower()]
    elif isinstance(memory, bool) or not isinstance(memory, int | float):
        raise TypeError(f"{argument}={memory!r}: expected a size such as '1 GiB' or a number of bytes")
    if not 2**20 <= memory < 2**63:
        raise ValueError(f"{argument}={memory!r}: expected at least 1 MiB, and a number that is finite")
    return int(memory)


def show_bytes(count: float) -> str:
    """``"1.5 MiB"``."""
    if count < 1024:
        return f"{count:.0f} B"
    power = min(int(math.log2(count) // 10), 4)
    return f"{count / 1024**power:.3g} {('', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


@functools.cache
def cache_size() -> int:
    """Bytes of a core's own cache; 1 MiB where the system does not tell."""
    try:
        text = Path("/sys/devices/system/cpu/cpu0/cache/index2/size").read_text().strip()
        return int(text.removesuffix("K")) * 1024 if text.endswith("K") else 2**20
    except (OSError, ValueError):
        return 2**20


@dataclass(frozen=True)
class Budget:
    """What a computation may take.

    Attributes
    ----------
    memory : int
        Bytes.
    itemsize : int
        Bytes of a number.
    threads : int
        How many compute side by side.
    """

    memory: int
    itemsize: int
    device: torch.device
    threads: int = 1

    def at_a_time(self, values: int) -> int:
        """How many maps of a size to compute together, see `maps_at_a_time`."""
        return maps_at_a_time(values, self.itemsize, self.memory, self.device)

    def holds(self, values: int) -> int:
        """How many arrays of a size each thread may keep meanwhile: half of the memory, for all threads together."""
        return self.memory // (2 * self.threads * values * self.itemsize)


def maps_at_a_time(pixels: int, itemsize: int, memory: int, device: torch.device) -> int:
    """Number of maps of `pixels` values to compute together.

    On a CPU as many as stay in cache between one op and the next, elsewhere as many as the memory budget allows.
    """
    affordable = memory // (TEMPORARIES * pixels * itemsize)
    if device.type == "cpu":
        affordable = min(affordable, 2 * cache_size() // (pixels * itemsize))
    return max(1, affordable)
