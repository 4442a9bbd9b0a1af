"""Neurons as points of a plane: the slow methods run beside the worker, one at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, wait

import numpy as np

from canvaswidget.analysis.embedding import arrange
from canvaswidget.kernel.cache import ByteCache, CachePart
from canvaswidget.kernel.quantise import Floats
from canvaswidget.kernel.region import Mask

MOMENT = 0.02  # seconds between two looks at whether the answer is still wanted


class Embeddings:
    """Embeddings that are known, and the one that is under way; used by one thread at a time.

    One that nobody waits for any more ends by itself, and is found done, or taken up again, when it is next asked for.
    The next one begins after it: while frames are stepped through, at most one runs that is not wanted.
    """

    def __init__(self, cache: ByteCache | CachePart) -> None:
        self._cache = cache
        self._under_way: dict[Hashable, Future[Floats]] = {}

    def points(
        self,
        key: Hashable,
        features: Callable[[], tuple[Floats, Mask]],
        method: str,
        moment: Callable[[], None],
    ) -> Floats:
        """``(n, 2)`` in [0, 1], NaN for dead neurons.

        Parameters
        ----------
        key : hashable
            What is asked for.
        features : callable
            ``(features of each neuron, which are alive)``; may take its time.
        method : str
        moment : callable
            Called often; raises when the answer is not wanted any more.
        """
        known = self._cache.get(key)
        if known is not None:
            return known
        if key not in self._under_way:
            described, alive = features()
            self._finish(self._under_way.values(), moment)
            for other, future in self._under_way.items():
                if future.exception() is None:
                    self._cache.put(other, future.result())
            self._under_way = {key: Future()}
            job = (self._under_way[key], described, alive, method)
            threading.Thread(target=_embed, args=job, daemon=True).start()
        self._finish([self._under_way[key]], moment)
        return self._cache.put(key, self._under_way.pop(key).result())

    @staticmethod
    def _finish(futures: Iterable[Future[Floats]], moment: Callable[[], None]) -> None:
        for future in futures:
            while not future.done():
                moment()
                wait([future], timeout=MOMENT)


def _embed(future: Future[Floats], features: Floats, alive: Mask, method: str) -> None:
    try:
        found = np.full((len(alive), 2), np.nan, np.float32)
        found[alive] = arrange(features[alive].reshape(int(alive.sum()), features[0].size), method)
        future.set_result(found)
    except BaseException as error:
        future.set_exception(error)
