"""Answers what the page asks: the requests of `messages` in, one reply, `cancelled` or `error` each out.

There is no widget and no comm in here: a message comes with a function that takes its answers. They are
computed by one `Worker`, most urgent first, and the function is called on its thread.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, TypeVar, cast

from canvaswidget.kernel.answers import Answers, Export, Recipe
from canvaswidget.kernel.arrays import Arrays, KnownClusters
from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.checking import checked, find_unsent, short
from canvaswidget.kernel.faithfulness import QUIET
from canvaswidget.kernel.latency import Feel
from canvaswidget.kernel.messages import (
    Answer,
    Body,
    Cancel,
    FromKernel,
    FromPage,
    Painted,
    Request,
    TrustReply,
)
from canvaswidget.kernel.worker import Cancelled, Checkpoint, Job, Worker
from canvaswidget.tracing import NotKeptError

log = logging.getLogger(__name__)

T = TypeVar("T")
Reply = Callable[[FromKernel, list[bytes]], None]

CACHE_BYTES = 256 * 2**20

# A message under about 64 KB waits 40 ms more in the stock notebook server (Nagle's algorithm meets delayed
# acknowledgements), so a reply is filled up with zeros that nobody reads.
PADDED_BYTES = 66_000

# How urgent: what the eye follows first. What needs a pass over a layer comes after all that does not.
PRIORITIES = {
    "palettes": 0,
    "recipe": 0,
    "export": 8,
    "frame": 1,
    "map": 2,
    "pixel": 3,
    "grid": 4,
    "regions": 4,
    "rules": 5,
    "clusters": 7,
    "curve": 8,
    "scatter": 9,
    "values": 9,
    "strip": 10,
    "trust": 11,
}
LONG_MAP, LONG_GRID = 5, 6
LONG_SORTS = ("region", "total", "change")
TRUST_FIELDS = ("rule", "layer", "frame", "measured", "n_neurons", "totals", "pixels")
CALL_PRIORITY, LATER_PRIORITY = 0, 10


class Session:
    """The kernel's end of one widget.

    Parameters
    ----------
    canvas : Canvas
    cache_bytes : int
        Bound of the answers that are kept.
    clock : callable, optional
        Seconds, for what is reported; replaced in tests.
    recipe : callable, optional
        ``recipe(arrays, state)`` tells what Python to type for a view.
    export : callable, optional
        ``export(arrays, body, checkpoint)`` answers a request for a file; in place of the bytes it may give a function
        that makes them, which is left to whoever takes the reply.
    """

    def __init__(
        self,
        canvas: Any,
        cache_bytes: int = CACHE_BYTES,
        clock: Callable[[], float] = time.perf_counter,
        recipe: Recipe | None = None,
        export: Export | None = None,
    ) -> None:
        self._cache = ByteCache(cache_bytes)
        self._hooks = (recipe, export)
        self._first: Any = canvas
        # By rule. The page knows clusters by number, so they are never forgotten: they are small.
        self._clusters: dict[str, KnownClusters] = {}
        # Of the widget's rule, and of the last other rule that was asked for.
        self._answers: Answers | None = self._answers_of(canvas)
        self._other: Answers | None = None
        self._worker = Worker(clock)
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._feel = Feel()
        self._last_seconds: float | None = None
        self._trust: TrustReply | None = None  # the last one
        # Also at the interpreter's end, which must not come while the worker is inside torch.
        self._finalizer = weakref.finalize(self, self._worker.close)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._answers is None

    @property
    def canvas(self) -> Any:
        """What the session answers about."""
        return self.arrays.canvas

    @property
    def arrays(self) -> Arrays:
        """The canvas's arrays; to be used inside `call`."""
        if self._answers is None:
            raise RuntimeError("the widget is closed; make a new one")
        return self._answers.arrays

    # --- messages -------------------------------------------------------------------------------------------

    def handle(self, message: FromPage, reply: Reply) -> None:
        """Take a message of the page; returns at once.

        Parameters
        ----------
        message : dict
            A request, the id of one to cancel, or what the page measured. It is checked against `messages` here.
        reply : callable
            ``reply(message, buffers)`` takes what goes back, on any thread. A request's id gets exactly one
            `Reply`, `Cancelled` or `Failed`, and before that any number of `Progress`. What is no message of the page
            but has an id gets a `Failed`.
        """
        key = message.get("id") if isinstance(message, dict) else None
        if isinstance(key, bool) or not isinstance(key, int):
            log.warning("a message without an id was ignored: %s", short(message))
            return
        try:
            kind = checked(message.get("type"), Literal["request", "cancel", "painted"], "type")
            if kind == "request":
                self._request(checked(message, Request), reply)
            elif kind == "cancel":
                self._worker.cancel(checked(message, Cancel)["id"])
            else:
                with self._counting:
                    self._feel.take(checked(message, Painted))
        except (TypeError, ValueError) as error:
            if message.get("type") == "request":
                self._count("requests")
                self._count("failed")
            log.warning("a message of the page was refused: %s", error)
            reply({"type": "error", "id": key, "message": one_line(error)}, [])

    def _request(self, request: Request, reply: Reply) -> None:
        self._count("requests")
        key, body = request["id"], request["body"]

        def work(checkpoint: Checkpoint) -> tuple[Answer, bytes]:
            answer, data = self._answering(_rule_of(body)).answer(body, checkpoint)
            if unsent := find_unsent(answer):
                raise ValueError(f"{body['kind']}: {unsent} of the answer is not a finite number")
            return answer, data

        def done(result: Any, error: BaseException | None, seconds: float) -> None:
            if error is None:
                answer, data = result
                self._count("answered")
                if answer["kind"] == "trust":
                    self._trust = answer
                self._last_seconds = seconds
                buffers: Any = [data] if callable(data) else _padded(data)
                reply({"type": "reply", "id": key, "seconds": seconds, "of": body, "body": answer}, buffers)
            elif isinstance(error, Cancelled):
                self._count("cancelled")
                reply({"type": "cancelled", "id": key}, [])
            else:
                self._count("failed")
                if not isinstance(error, NotKeptError):  # that is an answer
                    log.error("request %.300r failed", body, exc_info=error)
                reply({"type": "error", "id": key, "message": one_line(error)}, [])

        def progress(completed: int, total: int) -> None:
            reply({"type": "progress", "id": key, "done": completed, "total": total}, [])

        quiet = QUIET if body["kind"] == "trust" else 0.0
        job = Job(
            work,
            done,
            priority=_priority(body),
            view=request["view"],
            key=key,
            progress=progress,
            quiet=quiet,
        )
        self._worker.submit(job)

    # --- the rules ------------------------------------------------------------------------------------------

    def under(self, rule: str) -> Arrays:
        """The arrays of a rule, the widget's or another one; to be used inside `call`.

        A rule always means the same canvas: that which the session began with, or what its `under` gives.
        """
        return self._answering(rule).arrays

    def _answering(self, rule: str | None) -> Answers:
        """The answers under a rule; the widget's where it does not matter. On the worker's thread."""
        current = self._answers
        if current is None:
            raise Cancelled
        if rule is None or rule == current.arrays.canvas.rule:
            return current
        if self._other is None or self._other.arrays.canvas.rule != rule:
            first = self._first
            self._other = self._answers_of(first if rule == first.rule else first.under(rule))
        return self._other

    def _answers_of(self, canvas: Any) -> Answers:
        clusters = self._clusters.setdefault(canvas.rule, {})
        return Answers(Arrays(canvas, self._cache, clusters), *self._hooks)

    # --- the kernel's own wishes ----------------------------------------------------------------------------

    def call(self, function: Callable[[Checkpoint], T]) -> T:
        """What `function` returns or raises, run on the worker: torch belongs to that thread."""
        if self._worker.is_current_thread:
            return function(cast(Checkpoint, lambda done=0, total=0: None))
        future: Future[T] = Future()

        def done(result: Any, error: BaseException | None, seconds: float) -> None:
            if isinstance(error, Cancelled):
                future.set_exception(RuntimeError("the widget was closed meanwhile"))
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        key = object()
        self._worker.submit(Job(function, done, priority=CALL_PRIORITY, key=key))
        try:
            return future.result()
        except KeyboardInterrupt:
            self._worker.cancel(key)
            raise

    def later(self, view: str, function: Callable[[Checkpoint], T], then: Callable[[T], None]) -> None:
        """Run `function` on the worker when nothing else waits, and hand what it returns to `then`, there.

        A newer wish of the same `view` replaces an older one.
        """

        def done(result: Any, error: BaseException | None, seconds: float) -> None:
            if error is None:
                then(result)
            elif not isinstance(error, Cancelled):
                log.error("%s could not be computed", view, exc_info=error)

        self._worker.submit(Job(function, done, priority=LATER_PRIORITY, view=view))

    def use(self, rule: str) -> None:
        """Make a rule the widget's. What is under way keeps the rule that it was asked for under."""
        self.call(lambda checkpoint: self._use(rule))

    def _use(self, rule: str) -> None:
        chosen, current = self._answering(rule), self._answers
        if chosen is not current:
            self._answers, self._other = chosen, current

    def close(self) -> None:
        """Cancel everything, wait for the worker to end, and let go of the canvas. May be called again."""
        self._worker.close()
        self._answers = self._other = self._first = None
        self._clusters.clear()
        self._cache.clear()

    def stats(self) -> dict[str, Any]:
        """What `CanvasWidget.stats` returns."""
        with self._counting:
            counts = {name: self._counts[name] for name in ("requests", "answered", "cancelled", "failed")}
            feel = self._feel.stats()
        trust = None if self._trust is None else {name: self._trust[name] for name in TRUST_FIELDS}
        return {
            **counts,
            **feel,
            "last_seconds": self._last_seconds,
            "cache_bytes": self._cache.n_bytes,
            "trust": trust,
        }

    def _count(self, what: str) -> None:
        with self._counting:
            self._counts[what] += 1


def one_line(error: BaseException) -> str:
    """An error as the page shows it: its own words if it was raised to be read, else its type too."""
    text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    first = text.strip().split("\n")[0].strip().encode("utf-8", "replace").decode("utf-8")
    if isinstance(error, TypeError | ValueError | LookupError) and " " in first:
        return first
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _rule_of(body: Body) -> str | None:
    """The rule that an answer depends on, if it does; a file and a recipe name it in their state."""
    if body["kind"] == "recipe" or body["kind"] == "export":
        return body["state"]["rule"]
    return body.get("rule")


def _priority(body: Body) -> int:
    if (body["kind"] == "map" or body["kind"] == "regions") and body["selection"]["neuron"] is None:
        return LONG_MAP
    if body["kind"] == "grid" and (body["sort"] in LONG_SORTS or body["cluster"] != -1):
        return LONG_GRID
    return PRIORITIES[body["kind"]]


def _padded(data: bytes) -> list[bytes]:
    """The data, and zeros up to `PADDED_BYTES`; see there."""
    missing = PADDED_BYTES - len(data)
    return [data, bytes(missing)] if missing > 0 else [data]
