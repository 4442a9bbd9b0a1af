"""A saved page, read as its program reads it."""

from __future__ import annotations

import base64
import json
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np


class Elements(HTMLParser):
    """Every element of a page with its attributes and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs), ""))

    def handle_data(self, data: str) -> None:
        if self.found:
            tag, attributes, text = self.found.pop()
            self.found.append((tag, attributes, text + data))


class Saved:
    """A page, read as its program reads it."""

    def __init__(self, path: Path) -> None:
        elements = Elements(path.read_text(encoding="utf-8")).found
        (described,) = [text for _, attributes, text in elements if attributes.get("id") == "page"]
        self.whole = json.loads(described)
        self.baked = {one["info"]["run"]: one for one in self.whole["baked"]}
        # What is not of a run, and what is of the one that is shown first.
        self.page = {**self.whole, **self.baked[self.whole["state"]["run"]]}
        self.texts = [text for _, attributes, text in elements if attributes.get("class") == "cw-data"]
        self.policy = next(
            a["content"] or "" for tag, a, _ in elements if tag == "meta" and "http-equiv" in a
        )
        self.tags = [(tag, attributes) for tag, attributes, _ in elements]

    def array(self, index: int) -> np.ndarray:
        packed = self.page["arrays"][index]
        data = zlib.decompress(base64.b64decode(self.texts[index]), -15)
        return unpacked(packed, data)


def unpacked(packed: dict[str, Any], data: bytes) -> np.ndarray:
    form, shape = packed["form"], packed["shape"]
    if form in ("u1", "u4", "f4"):
        return np.frombuffer(data, f"<{form}").reshape(shape)
    pictures = np.frombuffer(data, np.uint8).reshape(shape)
    pictures = pictures.cumsum(-1, dtype=np.uint8).cumsum(0, dtype=np.uint8)
    if form == "maps":
        return np.rint(pictures * (255 / (packed["levels"] - 1))).astype(np.uint8)
    pictures[:, ::2] += pictures[:, 1:2]
    return np.moveaxis(pictures, 1, -1)
