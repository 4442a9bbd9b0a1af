"""Fingers on the page: touches as the browser's own input has them, which may scroll where nothing prevents it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from playwright.sync_api import Page

Place = tuple[float, float]
STEPS = 4  # moves from one place to the next, each farther than what counts as a finger that rests


def swipe(page: Page, *places: Place) -> None:
    """One finger is put down at the first place, goes through the others, and is lifted."""
    session = page.context.new_cdp_session(page)

    def send(kind: str, at: Sequence[Place]) -> None:
        points = [{"x": x, "y": y} for x, y in at]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", places[:1])
    for start, end in itertools.pairwise(places):
        for step in range(1, STEPS + 1):
            part = step / STEPS
            send(
                "touchMove", [(start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1]))]
            )
    send("touchEnd", [])
    session.detach()


def tap(page: Page, place: Place) -> None:
    """One finger, put down and lifted."""
    swipe(page, place)
