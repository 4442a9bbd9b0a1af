"""`open_canvas`: the canvas of a file."""

from __future__ import annotations

import os
from pathlib import Path

from canvaswidget.arguments import checked
from canvaswidget.tracing.saved.reader import SavedCanvas


@checked
def open_canvas(path: str | os.PathLike[str]) -> SavedCanvas:
    """Read a canvas that was written by `Canvas.save`.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    SavedCanvas
        What `CanvasWidget` shows and `Canvas` answers, as far as it was kept. No model is made, and no code of the file
        runs.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    SavedCanvasError
        It is no saved canvas, is damaged, or was written by another version.

    Examples
    --------
    >>> canvas.save("x.zarr", frames=[8], maps=32)  # doctest: +SKIP
    >>> cw.CanvasWidget(cw.open("x.zarr"))  # doctest: +SKIP
    """
    return SavedCanvas(Path(path))
