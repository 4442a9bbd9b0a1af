"""What the page's tests run on is what Python writes today, but for the last digits of another processor."""

from __future__ import annotations

import base64
import json
import math
import zlib
from typing import Any

import numpy as np
import pytest

from canvaswidget.kernel.requests import faithfulness
from tests.exports.saved_page import unpacked
from tools import page_fixture

STALE = "js/test/fixture.json is stale: run `python -m tools.page_fixture`"

ROUNDING = 0.6 * 10 ** (1 - page_fixture.DIGITS)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def fresh() -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faithfulness, "SECONDS", 1e6)  # as many neurons on a slow machine
        return page_fixture.fixture()


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return json.loads(page_fixture.PATH.read_text(encoding="utf-8"))


def differences(stored: Any, fresh: Any, where: str = "") -> list[str]:
    """Where two values of JSON differ by more than the rounding of their numbers."""
    if isinstance(stored, dict) and isinstance(fresh, dict) and stored.keys() == fresh.keys():
        return [
            found for name in stored for found in differences(stored[name], fresh[name], f"{where}.{name}")
        ]
    if isinstance(stored, list) and isinstance(fresh, list) and len(stored) == len(fresh):
        pairs = enumerate(zip(stored, fresh, strict=True))
        return [found for at, (one, other) in pairs for found in differences(one, other, f"{where}[{at}]")]
    if isinstance(stored, int | float) and isinstance(fresh, int | float):
        return (
            []
            if math.isclose(stored, fresh, rel_tol=ROUNDING, abs_tol=1e-5)
            else [f"{where}: {stored}, {fresh}"]
        )
    return [] if stored == fresh else [f"{where}: {stored}, {fresh}"]


def arrays(fixture: dict[str, Any]) -> list[np.ndarray]:
    packed, texts = fixture["page"]["arrays"], fixture["texts"]
    return [
        unpacked(one, zlib.decompress(base64.b64decode(text), -15))
        for one, text in zip(packed, texts, strict=True)
    ]


def test_the_numbers_are_those_of_today(stored: dict[str, Any], fresh: dict[str, Any]) -> None:
    parts = ("canvas", "page", "recorded")
    found = differences({name: stored[name] for name in parts}, {name: fresh[name] for name in parts})
    assert not found, (STALE, found[:5])


def test_the_arrays_are_those_of_today(stored: dict[str, Any], fresh: dict[str, Any]) -> None:
    packed = fresh["page"]["arrays"]
    for at, (one, other, described) in enumerate(zip(arrays(stored), arrays(fresh), packed, strict=True)):
        if described["form"] == "f4":
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=f"{STALE}: array {at}")
            continue
        level = 255 / (described["levels"] - 1) if described["form"] == "maps" else 1
        off = np.abs(one.astype(float) - other.astype(float)).max(initial=0)
        assert off <= math.ceil(level), (STALE, at, off)


def test_it_is_small() -> None:
    assert page_fixture.PATH.stat().st_size < 200_000
