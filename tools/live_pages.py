"""Bake the pages that the documents embed into `docs/live`: `python -m tools.live_pages`.

They are saved pages of widgets on the demo, which work without a kernel. They are made, not kept: git ignores them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import canvaswidget as cw

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "live"
BUDGET = "6 MB"


class LivePage(NamedTuple):
    """A widget, and what of it the page keeps."""

    widget: Callable[[], cw.CanvasWidget]
    keeps: dict[str, Any]


PAGES = {
    "video": LivePage(
        lambda: cw.CanvasWidget(cw.demo.video(), layer="decoder.3", time=8, pixel=(60, 100)),
        {"layers": ["decoder.2", "decoder.3", "head_layer"], "frames": range(0, 24, 4), "neurons": 4},
    ),
    "training": LivePage(
        lambda: cw.CanvasWidget(cw.demo.training(), layer="net.1", run=2400),
        {"layers": ["net.1", "net.2"], "runs": [0, 6, 24, 112, 240, 2400], "neurons": 4},
    ),
    "comparison": LivePage(
        lambda: cw.CanvasWidget(cw.demo.training(), layer="net.1", run=112, compare=2400),
        {"layers": ["net.1", "net.2"], "runs": [112, 2400], "neurons": 6},
    ),
}


def bake(name: str, folder: Path) -> Path:
    """Save a page."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.html"
    widget = PAGES[name].widget()
    try:
        widget.save(str(path), budget=BUDGET, **PAGES[name].keeps)
    finally:
        widget.close()
    return path


def main() -> int:
    for name in PAGES:
        print(f"{name} ...", file=sys.stderr)
        bake(name, FOLDER)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
