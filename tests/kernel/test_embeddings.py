"""Embeddings beside the worker: one at a time, and none is lost."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.embeddings import Embeddings


class Unwanted(Exception):
    pass


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], threading.Event, threading.Event]:
    """What was begun, by its first feature; an event once something was; nothing ends before the other."""
    begun: list[float] = []
    any_begun, go_on = threading.Event(), threading.Event()

    def embed(points: Any, method: str) -> Any:
        begun.append(float(points[0, 0]))
        any_begun.set()
        assert go_on.wait(60)
        return np.full((len(points), 2), points[0, 0], np.float32)

    monkeypatch.setattr("canvaswidget.kernel.embeddings.arrange", embed)
    return begun, any_begun, go_on


def features(value: float) -> Any:
    return lambda: (np.full((3, 4), value, np.float32), np.array([True, False, True]))


def unwanted() -> None:
    raise Unwanted


def test_while_frames_are_stepped_through_one_runs(slow) -> None:
    begun, any_begun, go_on = slow
    embeddings = Embeddings(ByteCache(10_000))
    for frame in range(5):
        with pytest.raises(Unwanted):
            embeddings.points(frame, features(frame), "tsne", unwanted)
    assert any_begun.wait(60)
    assert begun == [0]
    go_on.set()
    last = embeddings.points(4, features(4), "tsne", lambda: None)
    assert begun == [0, 4]
    assert (last[[0, 2]] == 4).all()
    assert np.isnan(last[1]).all()
    embeddings.points(0, lambda: pytest.fail("it is known: it was finished meanwhile"), "tsne", lambda: None)


def test_what_fails_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = Embeddings(ByteCache(10_000))
    answers = iter([ValueError("no"), np.zeros((2, 2), np.float32)])

    def embed(points: Any, method: str) -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("canvaswidget.kernel.embeddings.arrange", embed)
    with pytest.raises(ValueError, match="no"):
        embeddings.points(0, features(0), "tsne", lambda: None)
    assert embeddings.points(0, features(0), "tsne", lambda: None).shape == (3, 2)
