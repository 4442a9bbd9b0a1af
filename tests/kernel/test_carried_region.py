"""The region of one frame at another, asked for as the page does."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.kernel.region import checked_region
from canvaswidget.kernel.requests import carry
from canvaswidget.kernel.requests.carry import MOST_PAIRS, frames_between
from tests.kernel.page import Page

SIZE, FRAMES = (40, 56), 4


def waves(dx: float) -> np.ndarray:
    y, x = np.indices(SIZE)
    grey = 0.5 + 0.2 * np.sin(y / 3) + 0.2 * np.cos((x - dx) / 4)
    return np.repeat(grey[..., None], 3, -1).astype(np.float32)


def moving() -> cw.INR:
    """Its truth moves to the right by two pixels a frame; what it renders does not matter."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    truth = np.stack([waves(2 * frame) for frame in range(FRAMES)])
    return cw.INR.from_coords(module, SIZE, n_frames=FRAMES, truth=truth)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    page = Page(cw.trace(moving(), "gated"))
    yield page
    page.session.close()


def wire(mask: np.ndarray) -> Any:
    region = checked_region(mask, SIZE)
    assert region is not None
    return region.on_wire()


def box(left: int, width: int = 12) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[12:24, max(0, left) : left + width] = True
    return mask


def mask_of(body: Any) -> np.ndarray:
    region = checked_region(body["region"], SIZE)
    assert region is not None
    return region.mask


@pytest.mark.parametrize(("time", "to"), [(0, 1), (0, 3), (3, 0)])
def test_it_goes_with_the_picture(time: int, to: int, page: Page) -> None:
    there, expected = box(20), box(20 + 2 * (to - time))
    body, _ = page.ask(kind="carry", time=time, to=to, region=wire(there))
    found = mask_of(body)
    assert (found & expected).sum() / (found | expected).sum() > 0.9
    # A polygon holds the same pixels as the mask, so that it is carried to the same ones.
    corners = [[12, 20], [12, 32], [24, 32], [24, 20]]
    assert page.ask(kind="carry", time=time, to=to, region={"points": corners, "runs": []})[0] == body


def test_on_its_own_frame_it_stays(page: Page) -> None:
    region = wire(box(20))
    assert page.ask(kind="carry", time=2, to=2, region=region)[0]["region"] == region


def test_the_flow_between_two_frames_is_computed_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = page.ask(kind="carry", time=1, to=2, region=wire(box(20)))
    monkeypatch.setattr(carry, "displacement", lambda *_: pytest.fail("computed again"))
    again, _ = page.ask(kind="carry", time=1, to=2, region=wire(box(20)))
    assert again == first


def test_what_leaves_the_frame_is_null(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    away = np.full((*SIZE, 2), [0, -0.9], np.float32)
    away[:, : SIZE[1] // 2] = 0
    cached = page.session.call(lambda checkpoint: page.session.cached)
    monkeypatch.setattr(carry, "displacement", lambda pictures: away)
    cached.cache.drop(lambda key: True)
    body, _ = page.ask(kind="carry", time=0, to=1, region=wire(box(40)))
    assert body["region"] is None
    cached.cache.drop(lambda key: True)


def test_distant_frames_leave_some_out() -> None:
    assert frames_between(3, 5) == [3, 4, 5]
    assert frames_between(5, 3) == [5, 4, 3]
    far = frames_between(0, 100)
    assert (far[0], far[-1], len(far)) == (0, 100, MOST_PAIRS + 1)
    assert max(np.diff(far)) - min(np.diff(far)) <= 1


def test_it_says_how_far_it_is(page: Page) -> None:
    told: list[tuple[int, int]] = []
    cached = SimpleNamespace(canvas=cw.trace(moving(), "gated"))
    pictures = carry._pictures(cached, 0, 2, lambda done, total: told.append((done, total)))  # type: ignore[arg-type]
    assert len(list(pictures)) == 3
    assert told == [(0, 3), (1, 3), (2, 3)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"to": 4}, "to=4: out of range"),
        ({"region": {"points": [], "runs": []}}, "holds the middle of no pixel"),
        ({"region": {"points": [], "runs": [3]}}, "pairs of start and length"),
    ],
)
def test_wrong_ones_are_refused(changes: dict[str, Any], words: str, page: Page) -> None:
    body = {"kind": "carry", "time": 0, "to": 1, "region": wire(box(20)), **changes}
    assert words in page.fail(**body)
