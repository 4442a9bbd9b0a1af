"""`open_store`: what is in a file of ours, a saved canvas or a survey."""

from __future__ import annotations

import os

from canvaswidget.arguments import checked
from canvaswidget.surveys.collection import Survey
from canvaswidget.surveys.places import place_of
from canvaswidget.surveys.store import is_survey
from canvaswidget.tracing import SavedCanvas, open_canvas


@checked
def open_store(path: str | os.PathLike[str]) -> SavedCanvas | Survey:
    """Read a canvas that was written by `Canvas.save`, or the store of `canvaswidget.survey`.

    Parameters
    ----------
    path : path or address
        A folder; a survey also at an address such as ``s3://bucket/survey.zarr``.

    Returns
    -------
    SavedCanvas or Survey
        What `CanvasWidget` shows. No model is made, and no code of the file runs.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    SavedCanvasError
        It is no saved canvas, is damaged, or was written by another version.
    SurveyError
        It is a damaged survey.

    Examples
    --------
    >>> cw.CanvasWidget(cw.open("canvas.zarr"))  # doctest: +SKIP
    >>> cw.open("survey.zarr").table  # doctest: +SKIP
    """
    return Survey(path) if is_survey(place_of(path)) else open_canvas(path)
