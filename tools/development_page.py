"""Save a page of the demo's video for `npm run dev`: `python -m tools.development_page`."""

from __future__ import annotations

import canvaswidget as cw
from tools.demo import ROOT

PATH = ROOT / "js" / "dev" / "out" / "page.html"


def main() -> None:
    PATH.parent.mkdir(parents=True, exist_ok=True)
    w = cw.CanvasWidget(cw.demo.video(), layer="decoder.2", time=4, pixel=(70, 120))
    w.save(PATH, frames=range(8), neurons=6)
    w.close()


if __name__ == "__main__":
    main()
