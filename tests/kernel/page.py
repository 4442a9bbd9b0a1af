"""A page that asks a session for answers, without a browser."""

from __future__ import annotations

import json
import threading
from typing import Any

import numpy as np

from canvaswidget.kernel import messages
from canvaswidget.kernel.session import Session
from tests.kernel.test_messages import problems

CONV = "net.conv"  # a layer of `StepCanvas`
RUNLESS = ("palettes", "recipe", "export")
RULELESS = ("palettes", "recipe", "export", "frame", "strip", "carry", "picture_spectra")


class Page:
    """Asks, and keeps every answer; each is checked against `messages`."""

    def __init__(self, canvas: Any, **keywords: Any) -> None:
        self.session = Session(canvas, **keywords)
        self.asked: dict[int, Any] = {}
        self.heard: list[tuple[Any, list[bytes]]] = []
        self._changed = threading.Condition()
        self._last = 0

    def reply(self, message: Any, buffers: list[bytes]) -> None:
        with self._changed:
            self.heard.append((message, buffers))
            self._changed.notify_all()

    def send(self, view: str = "", **body: Any) -> int:
        """The request's id; where its answer depends on the rule, that is the session's, unless it says another."""
        self._last += 1
        if body["kind"] not in RULELESS and "rule" not in body:
            body["rule"] = self.session.canvas.rule  # which waits for the worker
        if body["kind"] not in RUNLESS:
            body.setdefault("run", None)
        request = {"type": "request", "id": self._last, "view": view or body["kind"], "body": body}
        self.asked[self._last] = body
        self.session.handle(json.loads(json.dumps(request)), self.reply)
        return self._last

    def end(self, key: int) -> tuple[Any, list[bytes]]:
        """The one terminal answer to a request."""

        def ends() -> list[Any]:
            return [(m, b) for m, b in self.heard if m["id"] == key and m["type"] != "progress"]

        with self._changed:
            assert self._changed.wait_for(ends, 60)
            found = ends()
        assert len(found) == 1
        assert problems(found[0][0], messages.FromKernel) == []
        json.dumps(found[0][0], allow_nan=False)
        if found[0][0]["type"] == "reply":
            assert found[0][0]["of"] == json.loads(json.dumps(self.asked[key]))
        return found[0]

    def ask(self, **body: Any) -> tuple[Any, np.ndarray]:
        """The body of the reply and its data."""
        message, buffers = self.end(self.send(**body))
        assert message["type"] == "reply", message
        assert message["body"]["kind"] == body["kind"]
        return message["body"], np.frombuffer(buffers[0], np.uint8)

    def fail(self, **body: Any) -> str:
        message, buffers = self.end(self.send(**body))
        assert message["type"] == "error"
        assert buffers == []
        return message["message"]

    @property
    def order(self) -> list[tuple[int, str]]:
        return [
            (message["id"], message["type"]) for message, _ in self.heard if message["type"] != "progress"
        ]


def selection(
    layer: str, neuron: list[int] | None = None, cluster: int = -1, n_clusters: int = 3
) -> dict[str, Any]:
    return {"layer": layer, "neuron": neuron, "neurons": [], "cluster": cluster, "n_clusters": n_clusters}


def grid(layer: str, **changes: Any) -> dict[str, Any]:
    body = {
        "kind": "grid",
        "time": 1,
        "layer": layer,
        "cluster": -1,
        "n_clusters": 3,
        "sort": "index",
        "channel": "sum",
    }
    return {**body, "pixel": [2, 3], "region": None, "first": 0, "count": 5, "side": 8, **changes}


def values(body: Any, data: np.ndarray) -> np.ndarray:
    levels = data.reshape(-1, body["height"], body["width"])[: 1 if body["kind"] == "map" else None]
    low, high = (np.reshape(body[name], (-1, 1, 1)) for name in ("low", "high"))
    return low + levels / 255 * (high - low)


def cluster_labels(page: Page, layer: Any, time: int) -> np.ndarray:
    """The cluster of every neuron, of three."""
    _, data = page.ask(kind="clusters", time=time, layer=layer.name, n_clusters=3)
    return data[: int(np.prod(layer.neurons))]
