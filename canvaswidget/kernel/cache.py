"""Recently used answers, bounded by their bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

_OVERHEAD = 200  # of an entry that is a plain number or a small object, in bytes


class ByteCache:
    """CachedCanvas and numbers by key, the least recently used first out. Used by one thread at a time.

    Parameters
    ----------
    limit : int
        Bytes; an entry that is larger than that alone is not kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.n_bytes = 0
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """The entry, now the most recently used one, or None."""
        if key not in self._entries:
            return None
        self._entries.move_to_end(key)
        return self._entries[key]

    def put(self, key: Hashable, value: Any) -> Any:
        """Keep `value`, at the cost of others; returns it. Its arrays become read-only."""
        self._remove(key)
        size = _n_bytes(value)
        if size <= self.limit:
            self._entries[key] = value
            self.n_bytes += size
            while self.n_bytes > self.limit:
                self._remove(next(iter(self._entries)))
        return value

    def remember(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The entry of that key, computed if it is not there."""
        value = self.get(key)
        return self.put(key, compute()) if value is None else value

    def drop(self, is_meant: Callable[[Any], bool]) -> None:
        """Remove the entries whose key is meant."""
        for key in [key for key in self._entries if is_meant(key)]:
            self._remove(key)

    def clear(self) -> None:
        """Remove everything."""
        self._entries.clear()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def _remove(self, key: Hashable) -> None:
        if key in self._entries:
            self.n_bytes -= _n_bytes(self._entries.pop(key))


def _n_bytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
        return value.nbytes + _OVERHEAD
    if isinstance(value, bytes):
        return len(value) + _OVERHEAD
    if isinstance(value, tuple):
        return sum(_n_bytes(part) for part in value) + _OVERHEAD
    return _OVERHEAD
