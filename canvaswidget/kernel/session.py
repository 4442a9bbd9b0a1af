"""The protocol between page and kernel.

1. The page sends ``{"type": "request", "id", "view", "body"}``. The body says everything that the answer depends on,
   the run and the rule first: the kernel reads no trait of the widget, whose values may have changed by then.
2. Every id gets exactly one `reply`, `cancelled` or `error` with that id, and any number of `progress` before it.
3. Image data is the first binary buffer of a reply. A second one is padding (see `PADDED_BYTES`) and has no meaning.
4. One thread, the `Worker`, computes all answers, since one thread should own torch. It takes the most urgent request
   first, by the priority of its kind (see `requests`), and the oldest of equal ones.
5. Long work stops at checkpoints, where more urgent requests run in between.
6. A newer request of the same `view` replaces the older one; ``{"type": "cancel", "id"}`` drops one too. Both end as
   `cancelled`: at once while they wait, at the next checkpoint while they run.
7. A reply repeats the body it answers (`of`). The page shows it only where it wants exactly that, so that a stale
   answer, which was under way when the view changed, is dropped there.
8. Whatever a request raises goes to the page as an `error` with one line that says what is wrong, and to the log.
9. A message that has no id is logged and ignored; one that has an id, but is no message, gets an `error`.
10. Files and recipes need the widget, whose functions are given to the session. There is no widget and no comm in
    here: a message comes with a function that takes what goes back, on any thread.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Literal, TypeVar, cast

from canvaswidget.arguments import show
from canvaswidget.error_text import one_line
from canvaswidget.kernel import requests
from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.cached_canvas import CachedCanvas, KnownClusters
from canvaswidget.kernel.latency import Latency
from canvaswidget.kernel.message_checks import checked, find_unsent, short
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.messages import (
    Cancel,
    FromKernel,
    FromPage,
    Painted,
    Request,
)
from canvaswidget.kernel.requests.export import Unmade
from canvaswidget.kernel.requests.registry import Answer, AnswerFunction
from canvaswidget.kernel.worker import Cancelled, Checkpoint, Job, Worker
from canvaswidget.runs import RunError
from canvaswidget.tracing import CanvasLike, NotKeptError

log = logging.getLogger(__name__)

T = TypeVar("T")
Buffers = Sequence[bytes | Unmade]
Reply = Callable[[FromKernel, Buffers], None]

CACHE_BYTES = 256 * 2**20
CANVASES = 4  # of runs and rules, with what is known of each: two runs can be compared, each under two rules

# A message under about 64 KB waits 40 ms more in the stock notebook server (Nagle's algorithm meets delayed
# acknowledgements), so a reply is filled up with zeros that nobody reads.
PADDED_BYTES = 66_000

CALL_PRIORITY, LATER_PRIORITY = 0, 10


class Session:
    """The kernel's end of one widget.

    Parameters
    ----------
    canvas : Canvas
        The only one, or that of the run which is shown first.
    cache_bytes : int
        Bound of the answers that are kept.
    clock : callable, optional
        Seconds, for what is reported; replaced in tests.
    answered_by : dict of str to callable, optional
        Functions that answer some kinds of requests in place of those in `requests`, which take a widget: recipes and
        files. A file may be an `Unmade` in place of the bytes: it is left to whoever takes the reply.
    runs : mapping of key to Canvas, optional
        The canvases of several networks; `canvas` is that of `run`.
    run : int or str, optional
    """

    def __init__(
        self,
        canvas: CanvasLike,
        cache_bytes: int = CACHE_BYTES,
        clock: Callable[[], float] = time.perf_counter,
        answered_by: Mapping[str, AnswerFunction] | None = None,
        runs: Mapping[Any, CanvasLike] | None = None,
        run: RunKey = None,
    ) -> None:
        self._cache = ByteCache(cache_bytes)
        self._answered_by = answered_by or {}
        self._canvases: Mapping[Any, CanvasLike] = {None: canvas} if runs is None else runs
        self._same_neurons = bool(getattr(runs, "is_one_network", False))
        # By run and rule. The page knows clusters by number, so they are never forgotten: they are small.
        self._clusters: dict[tuple[RunKey, str], KnownClusters] = {}
        # How often each run's weights were replaced: work that is under way stores its answers under the old number.
        self._versions: Counter[RunKey] = Counter()
        # Recently used canvases by run and rule: the one that the run has, and the one under the rule.
        self._known: OrderedDict[tuple[RunKey, str], tuple[CanvasLike, CachedCanvas]] = OrderedDict()
        # What the widget shows; None once it is closed.
        self._shown: tuple[RunKey, str] | None = run, canvas.rule
        self._remember(run, canvas, canvas)
        self._worker = Worker(clock)
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._latency = Latency()
        self._last_seconds: float | None = None
        self._faithfulness: dict[str, Any] | None = None  # the last reply about faithfulness
        # Also at the interpreter's end, which must not come while the worker is inside torch.
        self._finalizer = weakref.finalize(self, self._worker.close)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._shown is None

    @property
    def canvas(self) -> CanvasLike:
        """That of the run and the rule that are shown."""
        shown = self._require_open()
        known = self._known.get(shown)
        return self.call(lambda checkpoint: self.of(*shown)).canvas if known is None else known[1].canvas

    @property
    def cached(self) -> CachedCanvas:
        """The same canvas with what was computed of it; to be used inside `call`."""
        return self.of(*self._require_open())

    def _require_open(self) -> tuple[RunKey, str]:
        if self._shown is None:
            raise RuntimeError("the widget is closed; make a new one")
        return self._shown

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
                    self._latency.take(checked(message, Painted))
        except (TypeError, ValueError) as error:
            if message.get("type") == "request":
                self._count("requests")
                self._count("failed")
            log.warning("a message of the page was refused: %s", error)
            reply({"type": "error", "id": key, "message": one_line(error)}, [])

    def _request(self, request: Request, reply: Reply) -> None:
        self._count("requests")
        key, body = request["id"], request["body"]
        kind = requests.KINDS[body["kind"]]

        def work(checkpoint: Checkpoint) -> Answer:
            cached = self.of(*requests.subject_of(body))
            answer, data = self._answered_by.get(kind.name, requests.answer)(cached, body, checkpoint)
            if unsent := find_unsent(answer):
                raise ValueError(f"{kind.name}: {unsent} of the answer is not a finite number")
            return answer, data

        def done(result: Any, error: BaseException | None, seconds: float) -> None:
            if error is None:
                answer, data = result
                self._count("answered")
                if answer["kind"] == "faithfulness":
                    of_run = {} if body.get("run") is None else {"run": body["run"]}
                    self._faithfulness = {**of_run, **answer}
                self._last_seconds = seconds
                buffers = [data] if isinstance(data, Unmade) else _padded(data)
                reply({"type": "reply", "id": key, "seconds": seconds, "of": body, "body": answer}, buffers)
            elif isinstance(error, Cancelled):
                self._count("cancelled")
                reply({"type": "cancelled", "id": key}, [])
            else:
                self._count("failed")
                if not isinstance(error, NotKeptError | RunError):  # these are answers
                    log.error("request %.300r failed", body, exc_info=error)
                reply({"type": "error", "id": key, "message": one_line(error)}, [])

        def progress(completed: int, total: int) -> None:
            reply({"type": "progress", "id": key, "done": completed, "total": total}, [])

        job = Job(
            work,
            done,
            priority=kind.priority(body),
            view=request["view"],
            key=key,
            progress=progress,
            quiet=kind.quiet,
        )
        self._worker.submit(job)

    # --- runs and rules -------------------------------------------------------------------------------------

    def of(self, run: RunKey = None, rule: str | None = None) -> CachedCanvas:
        """The canvas of a run under a rule, by default those that are shown; to be used inside `call`.

        A rule always means the same canvas: that which the run began with, or what its `under` gives.

        Raises
        ------
        KeyError, RunError
            There is no such run, or it can't be made.
        """
        if self._shown is None:
            raise Cancelled
        run = self._shown[0] if run is None else run
        rule = self._shown[1] if rule is None else rule
        first = self._canvas_of(run)
        known = self._known.pop((run, rule), None)
        if known is not None and known[0] is first:
            self._known[run, rule] = known
            return known[1]
        return self._remember(run, first, first if rule == first.rule else first.under(rule))

    def _canvas_of(self, run: RunKey) -> CanvasLike:
        if run not in self._canvases and None in self._canvases:
            raise KeyError(f"run={show(run)}: this widget shows one network; make one of `canvaswidget.Runs`")
        return self._canvases[run]

    def _remember(self, run: RunKey, first: CanvasLike, canvas: CanvasLike) -> CachedCanvas:
        clusters = self._clusters.setdefault((run, canvas.rule), {})
        this = weakref.ref(self)

        def of_run(other: RunKey) -> CachedCanvas:
            session = this()
            if session is None:
                raise Cancelled
            return session.of(other, canvas.rule)

        part = self._cache.part((run, self._versions[run]))
        cached = CachedCanvas(canvas, part, clusters, of_run, self._same_neurons)
        self._known[run, canvas.rule] = first, cached
        oldest = [key for key in self._known if key != self._shown]
        for key in oldest[: max(0, len(self._known) - CANVASES)]:
            del self._known[key]
        return cached

    def forget(self, run: RunKey) -> None:
        """Let go of what was computed of a run: its weights are other ones now; to be used inside `call`."""
        self._cache.part((run, self._versions[run])).clear()
        self._versions[run] += 1
        for key in [key for key in (*self._known, *self._clusters) if key[0] == run]:
            self._known.pop(key, None)
            self._clusters.pop(key, None)

    # --- the kernel's own work ------------------------------------------------------------------------------

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

        A newer call for the same `view` replaces an older one.
        """

        def done(result: Any, error: BaseException | None, seconds: float) -> None:
            if error is None:
                then(result)
            elif not isinstance(error, Cancelled):
                log.error("%s could not be computed", view, exc_info=error)

        self._worker.submit(Job(function, done, priority=LATER_PRIORITY, view=view))

    def use(self, rule: str, run: RunKey = None) -> None:
        """Make a rule and a run the ones that are shown. What is under way keeps those that it was asked for under."""
        self._shown = run, rule

    def close(self) -> None:
        """Cancel everything, wait for the worker to end, and let go of the canvas. May be called again."""
        self._worker.close()
        self._shown, self._canvases = None, {}
        self._known.clear()
        self._clusters.clear()
        self._cache.clear()

    def stats(self) -> dict[str, Any]:
        """What `CanvasWidget.stats` returns."""
        with self._counting:
            counts = {name: self._counts[name] for name in ("requests", "answered", "cancelled", "failed")}
            latency = self._latency.stats()
        faithfulness = self._faithfulness and {
            name: value for name, value in self._faithfulness.items() if name != "kind"
        }
        return {
            **counts,
            **latency,
            "last_seconds": self._last_seconds,
            "cache_bytes": self._cache.n_bytes,
            "faithfulness": faithfulness,
        }

    def _count(self, what: str) -> None:
        with self._counting:
            self._counts[what] += 1


def _padded(data: bytes) -> list[bytes]:
    """The data, and zeros up to `PADDED_BYTES`; see there."""
    missing = PADDED_BYTES - len(data)
    return [data, bytes(missing)] if missing > 0 else [data]
