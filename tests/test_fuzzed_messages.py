"""Malformed messages with fixed seeds: each id gets one answer, in words that name what is wrong, and it is JSON."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from tests.canvases import StepCanvas
from tests.test_session import CONV, Page, grid, selection

JUNK: list[Any] = [
    *(None, True, False, -1, 0, 3, 2**63, 10**5000, 1.5, 9e15, float("inf"), float("-inf"), float("nan")),
    *(
        "",
        "x",
        "net.conv",
        "\ud800",
        "a\nb",
        "x" * 5000,
        [],
        [[]],
        [None],
        ["a"],
        [1, 2],
        [1e400],
        {},
        {"a": 1},
    ),
    {"kind": "frame"},
]
BASE = {"rule": "xinc", "time": 0}
GOOD: list[dict[str, Any]] = [
    {"kind": "palettes"},
    {"kind": "frame", "time": 1, "source": "reconstruction"},
    {"kind": "frame", "time": 1, "source": "without", "knocked_out": [{"layer": CONV, "neurons": [[0, 1]]}]},
    {"kind": "map", **BASE, "selection": selection(CONV, [1, 2])},
    {"rule": "xinc", **grid(CONV, time=1)},
    {"kind": "pixel", **BASE, "pixel": [1, 2], "k": 3, "selection": selection(CONV, [1, 2])},
    {"kind": "regions", **BASE, "selection": selection(CONV), "regions": [{"points": [], "runs": [0, 3]}]},
    {"kind": "curve", "rule": "xinc", "frames": [0, 1], "selection": selection(CONV, [0, 0])},
    {"kind": "strip", "frames": [0, 1], "side": 4},
    {"kind": "clusters", **BASE, "layer": CONV, "n_clusters": 2},
    {"kind": "scatter", **BASE, "layer": CONV, "method": "pca"},
]
FOREIGN = (
    "object has no attribute",
    "not subscriptable",
    "indices must be",
    "KeyError",
    "unhashable",
    "NoneType",
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place within a message."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in parts for place in places(part, (*path, key)))]


def spoiled(message: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The message with one to three places that are something else, are missing, or that it should not have."""
    message = copy.deepcopy(message)
    for _ in range(chance.randint(1, 3)):
        *path, last = chance.choice([place for place in places(message) if place and place != ("id",)])
        holder = message
        for key in path:
            holder = holder[key]
        act = chance.random()
        if act < 0.7:
            holder[last] = copy.deepcopy(chance.choice(JUNK))
        elif act < 0.9 or not isinstance(holder, dict):
            del holder[last]
        else:
            holder[chance.choice(["more", "rule", "kind"])] = chance.choice(JUNK)
    return message


@pytest.mark.parametrize("seed", range(4))
def test_every_message_with_an_id_gets_one_answer(seed: int) -> None:
    canvas = StepCanvas()
    canvas.without = lambda knocked_out, frame=0: canvas.frame(frame)  # type: ignore[attr-defined]  # it has none
    chance, page = random.Random(seed), Page(canvas)
    sent = []
    for key in range(1, 301):
        good = {"type": "request", "id": key, "view": f"view {key}", "body": chance.choice(GOOD)}
        message: Any = spoiled(good, chance)
        if message.get("type") in ("cancel", "painted"):
            continue
        page.session.handle(message, page.reply)
        sent.append(key)
    for key in sent:
        with page._changed:
            assert page._changed.wait_for(lambda key=key: any(m["id"] == key for m, _ in page.heard), 60)
    page.session.close()
    ends = [message for message, _ in page.heard if message["type"] != "progress"]
    assert sorted(message["id"] for message in ends) == sent
    for message in ends:
        json.dumps(message, allow_nan=False, ensure_ascii=False).encode("utf-8")
        if message["type"] == "error":
            assert not any(words in message["message"] for words in FOREIGN), message
            assert len(message["message"]) < 1000


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"body": {"kind": []}}, "body.kind=a list of 0: expected one of 'palettes'"),
        ({"body": {"kind": {}}}, "body.kind=an object of 0 fields: expected one of"),
        ({"body": "frame"}, "body='frame': expected an object"),
        ({"body": {"kind": "map", "rule": "xinc", "time": 0}}, "body.selection: the field is missing"),
        (
            {"body": {"kind": "map", **BASE, "selection": {**selection(CONV), "neuron": [float("inf"), 0]}}},
            "body.selection.neuron[0]=inf: expected an int",
        ),
        ({"view": 3, "body": {"kind": "palettes"}}, "view=3: expected a str"),
        ({"type": ["request"]}, "type=a list of 1: expected one of 'request', 'cancel', 'painted'"),
    ],
)
def test_the_field_is_named(message: Any, words: str) -> None:
    page = Page(StepCanvas())
    page.session.handle({"type": "request", "id": 7, "view": "v", **message}, page.reply)
    assert words in page.end(7)[0]["message"]
    page.session.close()
