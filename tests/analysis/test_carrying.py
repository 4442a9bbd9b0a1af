"""Labels that go along a clip with optical flow."""

from __future__ import annotations

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis.carrying import LONGEST_SIDE, displacement, moved

SIZE = (48, 64)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def textured(dy: float, dx: float, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A picture of smooth waves, moved by `dy` and `dx` pixels."""
    y, x = np.indices(size)
    waves = 0.5 + 0.2 * np.sin((y - dy) / 3) + 0.2 * np.cos((x - dx) / 4)
    return np.repeat(waves[..., None], 3, -1).astype(np.float32)


def box(dy: int = 0, dx: int = 0, size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[14 + dy : 30 + dy, 20 + dx : 40 + dx] = True
    return mask


def test_a_given_displacement_moves_labels_as_np_roll_does() -> None:
    labels = np.random.default_rng(0).integers(0, 5, SIZE)
    steps = np.broadcast_to(np.array([-3 / SIZE[0], 2 / SIZE[1]]), (*SIZE, 2)).astype(np.float32)
    found = moved(labels, steps)
    assert found.dtype == labels.dtype
    assert (found[3:, :-2] == np.roll(labels, (3, -2), (0, 1))[3:, :-2]).all()
    assert (found[:3] == found[3]).all()  # what comes in has the label of the border


def test_what_stands_still_stays_to_the_pixel() -> None:
    labels = np.random.default_rng(1).integers(0, 3, SIZE)
    assert (cw.analysis.carry(labels, [textured(0, 0)] * 3) == labels).all()


def test_a_mask_goes_with_the_picture_over_several_frames() -> None:
    pictures = [textured(step, 2 * step) for step in range(4)]
    found = cw.analysis.carry(box(), pictures)
    assert overlap(found, box(3, 6)) > 0.9
    assert overlap(found, box(3, 6)) > overlap(box(), box(3, 6)) + 0.3


def test_large_pictures_are_followed_in_small() -> None:
    size = (2 * 48 * 4, 2 * 64 * 4)
    pictures = [np.kron(textured(0, step), np.ones((8, 8, 1))) for step in range(2)]
    found = displacement(pictures)
    assert max(found.shape[:2]) == LONGEST_SIDE
    mask = np.kron(box(), np.ones((8, 8), bool))
    assert mask.shape == size
    assert overlap(moved(mask, found), np.kron(box(0, 1), np.ones((8, 8), bool))) > 0.9


def test_objects_of_the_demo_are_where_its_masks_say() -> None:
    clip = cw.demo.clip()
    for label in np.unique(clip.masks)[1:]:
        first, later = (clip.masks[frame] == label for frame in (0, 4))
        found = cw.analysis.carry(first, list(clip.frames[:5]))
        assert overlap(found, later) > 0.85
        assert overlap(found, later) >= overlap(first, later)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pictures\[1\]: has shape \(4, 5, 3\); the labels are \(48, 64\)"):
        cw.analysis.carry(box(), [textured(0, 0), np.zeros((4, 5, 3), np.float32)])
