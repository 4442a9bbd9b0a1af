"""`open_canvas`: the canvas of a file."""

from __future__ import annotations

import os
from pathlib import Path

from canvaswidget.arguments import checked
from canvaswidget.tracing.saved.reader import SavedCanvas


@checked
def open_canvas(path: str | os.PathLike[str]) -> SavedCanvas:
    """Read a canvas that was written by `Canvas.save`; `canvaswidget.open` reads surveys too."""
    return SavedCanvas(Path(path))
