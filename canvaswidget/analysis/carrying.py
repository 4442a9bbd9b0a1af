"""Carry labels of objects, or one region, along a clip with optical flow."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.motion import optical_flow
from canvaswidget.arguments import checked, numbers
from canvaswidget.media import resize

FloatArray = npt.NDArray[np.float32]
Labels = npt.NDArray[Any]

LONGEST_SIDE = (
    320  # of pictures whose flow is computed: larger ones are scaled down, which takes seconds off a pair
)


@checked(labels=numbers("labels or a mask (height, width)", (2,)))
def carry(labels: npt.NDArray[Any], pictures: Sequence[npt.NDArray[Any]]) -> Labels:
    """Move labels from the first picture to the last.

    Parameters
    ----------
    labels : (height, width)
        A mask or numbers of objects, of the first picture.
    pictures : sequence of (height, width, 3)
        Frames in [0, 1] that follow each other; at least two.

    Returns
    -------
    (height, width) array of the type of `labels`
        Each pixel has the label of the pixel of the first picture that it comes from, by the TV-L1 flow of each pair of
        pictures. What comes in over the border has the label of the border.
    """
    labels = np.asarray(labels)
    for at, picture in enumerate(pictures):
        if picture.shape[:2] != labels.shape:
            raise ValueError(f"pictures[{at}]: has shape {picture.shape}; the labels are {labels.shape}")
    return moved(labels, displacement(pictures))


def displacement(pictures: Iterable[npt.NDArray[Any]]) -> FloatArray:
    """Where each pixel of the last picture was in the first, as ``(dy, dx)`` from there, in parts of the frame.

    ``(h, w, 2)``, of the size of the pictures or, where these are larger than `LONGEST_SIDE`, of a smaller one.
    """
    small = (_shrunk(np.asarray(picture, np.float32)) for picture in pictures)
    whole: FloatArray | None = None
    for before, after in itertools.pairwise(small):
        # Flow from the later picture back to the earlier one: it has a value at each pixel that needs a label.
        step = optical_flow([after, before])[0]
        whole = step if whole is None else step + _sampled(whole, step)
    assert whole is not None
    return (whole / np.array(whole.shape[:2])).astype(np.float32)


def moved(labels: Labels, displaced: FloatArray) -> Labels:
    """Labels of the first picture as they are in the last, where pixels are displaced as `displacement` says."""
    size = labels.shape
    steps = resize(displaced, size) * np.array(size, np.float32)
    rows, columns = (
        np.clip(np.rint(axis + steps[..., i]), 0, size[i] - 1).astype(int)
        for i, axis in enumerate(np.indices(size))
    )
    return labels[rows, columns]


def _shrunk(picture: FloatArray) -> FloatArray:
    height, width = picture.shape[:2]
    scale = LONGEST_SIDE / max(height, width)
    return (
        picture
        if scale >= 1
        else resize(picture, (max(1, round(scale * height)), max(1, round(scale * width))))
    )


def _sampled(field: FloatArray, step: FloatArray) -> FloatArray:
    """A field ``(h, w, 2)`` at the positions that `step` leads to."""
    from scipy.ndimage import map_coordinates

    positions = np.indices(step.shape[:2]) + np.moveaxis(step, -1, 0)
    axes = [map_coordinates(field[..., i], positions, order=1, mode="nearest") for i in (0, 1)]
    return np.stack(axes, -1).astype(np.float32)
