"""Recently used answers, bounded by their bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

_OVERHEAD = 200  # of an entry that is a plain number or a small object, in bytes


class ByteCache:
    """Arrays and numbers by key, the least recently used first out. Used by one thread at a time.

    Parameters
    ----------
    limit : int
        Bytes; an entry that is larger than that alone is not kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.name: Hashable = None  # of the whole; parts have others
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

    def part(self, name: Hashable) -> CachePart:
        """The entries of one network, say: keys of different parts never meet."""
        return CachePart(self, name)

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


class CachePart:
    """Some entries of a cache that others share the limit of.

    Parameters
    ----------
    whole : ByteCache
    name : hashable
        All keys begin with it in the whole cache, and none here.
    """

    def __init__(self, whole: ByteCache, name: Hashable) -> None:
        self.whole, self.name = whole, name

    def get(self, key: Hashable) -> Any:
        """The entry, now the most recently used one, or None."""
        return self.whole.get((self.name, key))

    def put(self, key: Hashable, value: Any) -> Any:
        """Keep `value`, at the cost of others; returns it."""
        return self.whole.put((self.name, key), value)

    def remember(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """The entry of that key, computed if it is not there."""
        return self.whole.remember((self.name, key), compute)

    def drop(self, is_meant: Callable[[Any], bool]) -> None:
        """Remove the entries whose key is meant."""
        self.whole.drop(lambda key: key[0] == self.name and is_meant(key[1]))

    def clear(self) -> None:
        """Remove the entries of this part."""
        self.drop(lambda key: True)


def _n_bytes(value: Any) -> int:
    if isinstance(value, np.ndarray):
        value.flags.writeable = False
        return value.nbytes + _OVERHEAD
    if isinstance(value, bytes):
        return len(value) + _OVERHEAD
    if isinstance(value, tuple):
        return sum(_n_bytes(part) for part in value) + _OVERHEAD
    return _OVERHEAD
