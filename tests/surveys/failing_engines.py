"""Engines that lose or cancel tasks."""

from __future__ import annotations

import concurrent.futures
from typing import Any

from canvaswidget.surveys.job import place_name
from canvaswidget.surveys.places import place_of
from canvaswidget.surveys.store import count_start
from tests.surveys.test_survey import Here


class Cancelling(concurrent.futures.Executor):
    """Cancels what it gets, as Dask does when its scheduler is gone."""

    def submit(self, function, task):
        future: concurrent.futures.Future = concurrent.futures.Future()
        future.cancel()
        return future


class Losing(Here):
    """As Dask may: starts a job again by itself until it is given up, and loses the row that says so."""

    def submit(self, function: Any, task: Any) -> concurrent.futures.Future[Any]:
        place = place_of(task.address)
        if self.tasks:
            return super().submit(function, task)
        for _ in range(task.attempts):
            count_start(place, place_name("X"))
        super().submit(function, task)
        lost: concurrent.futures.Future[Any] = concurrent.futures.Future()
        lost.set_exception(RuntimeError("its worker went"))
        return lost
