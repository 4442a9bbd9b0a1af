"""The worker: each job ends once; urgent ones run inside of long ones; unwanted ones stop."""

from __future__ import annotations

import gc
import random
import threading
import weakref
from typing import Any

import pytest

from canvaswidget.kernel.worker import (
    RESTS,
    Cancelled,
    Checkpoint,
    Job,
    Worker,
)
from canvaswidget.tracing.capture.yield_point import yield_point


class Log:
    """What happened, in order; `wait` for as many ends."""

    def __init__(self) -> None:
        self.ends: list[tuple[Any, Any]] = []
        self.seconds: dict[Any, float] = {}
        self._changed = threading.Condition()

    def done(self, name: Any):
        def done(result: Any, error: BaseException | None, seconds: float) -> None:
            with self._changed:
                self.ends.append((name, "cancelled" if isinstance(error, Cancelled) else error or result))
                self.seconds[name] = seconds
                self._changed.notify_all()

        return done

    def wait(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ends) >= count, 60)


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.close()


def test_urgent_jobs_run_inside_of_long_ones(worker: Worker, log: Log) -> None:
    def long(checkpoint: Checkpoint) -> str:
        for name, priority in (("less", 9), ("same", 5), ("urgent", 2), ("more urgent", 1)):
            worker.submit(Job(lambda _, name=name: name, log.done(name), priority=priority))
        checkpoint()
        return "long"

    worker.submit(Job(long, log.done("long"), priority=5))
    log.wait(5)
    assert [name for name, _ in log.ends] == ["more urgent", "urgent", "long", "same", "less"]


def test_urgent_jobs_run_between_two_operations_of_a_model(log: Log) -> None:
    now = [0.0]
    worker = Worker(clock=lambda: now[0])

    def long(checkpoint: Checkpoint) -> str:
        def urgent(_: Checkpoint) -> str:
            now[0] += 5.0
            return "urgent"

        worker.submit(Job(lambda _: "less", log.done("less"), priority=9))
        worker.submit(Job(urgent, log.done("urgent"), priority=1))
        now[0] += 2.0
        yield_point()
        assert [name for name, _ in log.ends] == ["urgent"]
        worker.cancel("long")
        yield_point()
        raise AssertionError("it is not wanted any more")

    worker.submit(Job(long, log.done("long"), priority=5, key="long"))
    log.wait(3)
    worker.close()
    assert log.ends == [("urgent", "urgent"), ("long", "cancelled"), ("less", "less")]
    assert log.seconds["long"] == 2.0


def test_a_newer_job_of_the_view_stops_the_running_one_and_replaces_the_waiting_one(
    worker: Worker, log: Log
) -> None:
    def long(checkpoint: Checkpoint) -> None:
        worker.submit(Job(lambda _: 1, log.done("waiting"), view="a", priority=9))
        worker.submit(Job(lambda _: 2, log.done("newest"), view="a", priority=9))
        worker.submit(Job(lambda _: 3, log.done("other"), view="b", priority=9))
        checkpoint()
        raise AssertionError("an unwanted job went on")

    worker.submit(Job(long, log.done("long"), view="a"))
    log.wait(4)
    assert log.ends == [("waiting", "cancelled"), ("long", "cancelled"), ("newest", 2), ("other", 3)]


def test_an_outer_job_that_became_unwanted_inside_of_an_inner_one_stops(worker: Worker, log: Log) -> None:
    def inner(checkpoint: Checkpoint) -> str:
        worker.cancel("outer")
        checkpoint()
        return "inner"

    def outer(checkpoint: Checkpoint) -> None:
        worker.submit(Job(inner, log.done("inner"), priority=1))
        checkpoint()
        raise AssertionError("an unwanted job went on")

    worker.submit(Job(outer, log.done("outer"), priority=5, key="outer"))
    log.wait(2)
    assert log.ends == [("inner", "inner"), ("outer", "cancelled")]


def test_a_job_that_is_ready_is_delivered_though_a_newer_one_waits(worker: Worker, log: Log) -> None:
    def quick(checkpoint: Checkpoint) -> str:
        worker.submit(Job(lambda _: "new", log.done("new"), view="a"))
        return "old"

    worker.submit(Job(quick, log.done("old"), view="a"))
    log.wait(2)
    assert log.ends == [("old", "old"), ("new", "new")]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_any_error_is_the_jobs_end_and_not_the_workers(
    worker: Worker, log: Log, error: BaseException
) -> None:
    def fail(checkpoint: Checkpoint) -> None:
        raise error

    worker.submit(Job(fail, log.done("bad")))
    worker.submit(Job(lambda _: "fine", log.done("good")))
    log.wait(2)
    assert log.ends == [("bad", error), ("good", "fine")]


def test_an_answer_that_cannot_be_delivered_is_no_end_of_the_worker(worker: Worker, log: Log, caplog) -> None:
    worker.submit(Job(lambda _: 1, lambda *_: 1 / 0))  # type: ignore[arg-type]
    worker.submit(Job(lambda _: "fine", log.done("good")))
    log.wait(1)
    assert "could not be delivered" in caplog.text


def test_progress_comes_ten_times_a_second_at_most_and_urgent_jobs_are_not_counted(log: Log) -> None:
    now = [0.0]
    worker = Worker(clock=lambda: now[0])
    heard: list[int] = []

    def urgent(checkpoint: Checkpoint) -> None:
        now[0] += 100

    def long(checkpoint: Checkpoint) -> None:
        for step in range(10):
            now[0] += 0.03
            if step == 4:
                worker.submit(Job(urgent, log.done("urgent"), priority=0))
            checkpoint(step, 10)
        checkpoint()

    worker.submit(Job(long, log.done("long"), priority=1, progress=lambda done, total: heard.append(done)))
    log.wait(2)
    worker.close()
    assert heard == [3, 4, 8]
    assert log.seconds == pytest.approx({"urgent": 100, "long": 0.3})


def test_close_ends_everything_and_frees_it(log: Log) -> None:
    worker = Worker()
    started, go = threading.Event(), threading.Event()

    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)

    def long(checkpoint: Checkpoint, big: Big = big) -> None:
        started.set()
        assert go.wait(60)
        checkpoint()

    worker.submit(Job(long, log.done("running")))
    worker.submit(Job(lambda _, big=big: None, log.done("waiting")))
    assert started.wait(60)
    closing = threading.Thread(target=worker.close)
    closing.start()
    log.wait(1)
    go.set()
    closing.join(60)
    worker.close()
    worker.submit(Job(lambda _: None, log.done("late")))
    assert log.ends == [("waiting", "cancelled"), ("running", "cancelled"), ("late", "cancelled")]
    del big, long
    gc.collect()
    assert alive() is None


def test_a_worker_can_be_closed_from_its_own_thread(log: Log) -> None:
    worker = Worker()
    worker.submit(Job(lambda _: 1, lambda *end: (worker.close(), log.done("first")(*end))[0]))
    log.wait(1)
    assert worker.closed


def test_an_idle_worker_keeps_nothing_of_its_last_job(worker: Worker, log: Log) -> None:
    class Big:
        pass

    big = Big()
    alive = weakref.ref(big)
    worker.submit(Job(lambda _, big=big: big and None, log.done(1)))
    log.wait(1)
    del big
    idle = threading.Event()
    worker.submit(Job(lambda _: idle.set(), log.done(2)))
    log.wait(2)
    gc.collect()
    assert alive() is None


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_every_job_ends_exactly_once(seed: int) -> None:
    """Jobs from three threads that nest, fail, supersede and cancel each other; then close in the middle."""
    log, worker, count = Log(), Worker(), 150

    def submit(name: tuple[int, int], dice: random.Random) -> None:
        def work(
            checkpoint: Checkpoint, steps: int = dice.randrange(4), fails: bool = dice.random() < 0.2
        ) -> str:
            for step in range(steps):
                checkpoint(step, steps)
            if fails:
                raise ValueError("as meant")
            return "done"

        view = dice.choice(["a", "b", "c", None])
        worker.submit(Job(work, log.done(name), priority=dice.randrange(4), view=view, key=name))
        if dice.random() < 0.2:
            worker.cancel((name[0], dice.randrange(count)))

    def run(thread: int) -> None:
        dice = random.Random(100 * seed + thread)
        for i in range(count):
            submit((thread, i), dice)

    threads = [threading.Thread(target=run, args=(thread,)) for thread in range(3)]
    for thread in threads:
        thread.start()
    log.wait(200)
    worker.close()
    for thread in threads:
        thread.join(60)
    names = [name for name, _ in log.ends]
    assert len(names) == len(set(names)) == 3 * count


def test_a_job_in_the_background_goes_on_when_no_other_has_come_for_a_while(log: Log) -> None:
    now, steps = [0.0], []
    worker = Worker(clock=lambda: now[0])
    more, done = threading.Event(), threading.Event()

    def background(checkpoint: Checkpoint) -> str:
        steps.append("begun")
        done.set()
        more.wait(60)
        checkpoint()
        steps.append("went on")
        return "background"

    def urgent(number: int) -> Job:
        return Job(lambda _: steps.append(number), log.done(number), priority=1)

    try:
        worker.submit(Job(background, log.done("background"), priority=9, quiet=0.2))
        assert done.wait(60)
        for number in range(3):
            worker.submit(urgent(number))
        more.set()
        log.wait(3)
        # By this clock no time has passed since the last of them: it still rests, and takes what comes at once.
        worker.submit(urgent(3))
        log.wait(4)
        assert steps == ["begun", 0, 1, 2, 3]
        now[0] = 1.0
        log.wait(5)
        assert steps[-1] == "went on"
        assert log.seconds["background"] == 0.0
    finally:
        worker.close()


def test_a_job_that_waits_for_quiet_can_be_cancelled_and_closed(log: Log) -> None:
    worker = Worker(clock=lambda: 0.0)  # it is never quiet
    for ended, key in enumerate(("cancelled", "closed")):
        worker.submit(Job(lambda _: None, log.done(f"before {key}")))
        worker.submit(Job(lambda checkpoint: checkpoint(), log.done(key), priority=9, key=key, quiet=3600.0))
        log.wait(2 * ended + 1)
        if key == "cancelled":
            worker.cancel(key)
            log.wait(2)
    worker.close()
    log.wait(4)
    assert ("cancelled", "cancelled") in log.ends
    assert ("closed", "cancelled") in log.ends


def test_a_job_in_the_background_rests_longer_where_its_steps_take_long(log: Log) -> None:
    now = [0.0]
    worker = Worker(clock=lambda: now[0])

    def background(checkpoint: Checkpoint) -> None:
        now[0] = 10.0  # that was one step
        worker.submit(Job(lambda _: None, log.done("urgent"), priority=1))
        checkpoint()

    try:
        worker.submit(Job(background, log.done("background"), priority=9, key="background", quiet=0.01))
        log.wait(1)
        now[0] = 10.0 + RESTS * 10.0 - 1.0  # long after its own quiet, and still in that rest
        worker.submit(Job(lambda _: None, log.done("in its rest"), priority=1))
        log.wait(2)
        worker.cancel("background")
        log.wait(3)
        assert log.ends == [("urgent", None), ("in its rest", None), ("background", "cancelled")]
    finally:
        worker.close()
