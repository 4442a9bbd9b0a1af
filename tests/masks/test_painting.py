"""Painted labels: what a brush and a polygon cover, undo, files, and what the analyses make of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import canvaswidget as cw
from canvaswidget.masks import painting
from canvaswidget.masks.painting import Box, Painting, capsule, colour
from tests.canvases import video

SIZE = (12, 20)


def covered(start, end, radius, size=SIZE) -> np.ndarray:
    """By definition: every pixel, every point of the line."""
    y, x = (np.arange(n) + 0.5 for n in size)
    inside = np.zeros(size, bool)
    for part in np.linspace(0, 1, 2001):
        at = [a + part * (b - a) for a, b in zip(start, end, strict=True)]
        inside |= (y[:, None] - at[0]) ** 2 + (x - at[1]) ** 2 <= radius**2 + 1e-9
    return inside


@pytest.fixture
def paint() -> Painting:
    return Painting(SIZE, 3)


coordinates = st.tuples(st.floats(-5, 17), st.floats(-5, 25))


@settings(max_examples=60, deadline=None)
@given(start=coordinates, end=coordinates, radius=st.floats(0.3, 6))
def test_a_brush_covers_what_is_no_farther_than_its_radius(start, end, radius) -> None:
    box, inside = capsule(start, end, radius, SIZE)
    whole = np.zeros(SIZE, bool)
    whole[box.top : box.bottom, box.left : box.right] = inside
    expected, grown = covered(start, end, radius - 0.01), covered(start, end, radius + 0.01)
    for row, column in {(int(np.floor(y)), int(np.floor(x))) for y, x in (start, end)}:
        if 0 <= row < SIZE[0] and 0 <= column < SIZE[1]:
            assert whole[row, column]  # whatever the radius, the pixel under the hand is painted
            whole[row, column] = expected[row, column] = False
    assert not (expected & ~whole).any()
    assert not (whole & ~grown).any()


def test_a_click_with_the_smallest_brush_is_one_pixel(paint: Painting) -> None:
    assert paint.begin(1, 4, 0.5, (3.9, 7.1)) == Box(3, 7, 4, 8)
    paint.end()
    assert np.argwhere(paint.masks).tolist() == [[1, 3, 7]]
    assert paint.frame(1)[3, 7] == 4


def test_a_stroke_is_one_step_and_says_what_changes(paint: Painting) -> None:
    boxes = [paint.begin(0, 2, 1, (2.5, 2.5)), paint.move((2.5, 9.5)), paint.move((2.5, 9.6))]
    assert boxes[:2] == [Box(1, 1, 4, 4), Box(1, 3, 4, 11)]
    assert paint.end()
    assert not paint.end()
    assert paint.move((5.0, 5.0)) is None
    once = paint.masks
    assert paint.used() == [2]
    assert paint.undo() == 0
    assert not paint.masks.any()
    assert paint.undo() is None
    assert paint.redo() == 0
    assert (paint.masks == once).all()


def test_a_stroke_that_changes_nothing_is_no_step(paint: Painting) -> None:
    paint.begin(0, 0, 3, (4, 4))
    assert not paint.end()
    assert not paint.can_undo
    paint.begin(0, 1, 3, (-40, -40))
    assert not paint.end()


def test_erasing_takes_every_label(paint: Painting) -> None:
    for label, x in ((1, 4.5), (2, 8.5)):
        paint.begin(0, label, 2, (5.5, x))
    paint.begin(0, 0, 1, (5.5, 3.5))
    paint.move((5.5, 9.5))
    paint.end()
    assert not paint.frame(0)[5, 3:10].any()
    assert paint.used(0) == [1, 2]


def test_a_polygon_holds_the_middles_inside(paint: Painting) -> None:
    assert paint.polygon(2, 7, [(2, 3), (2, 9), (6, 9), (6, 3)]) == Box(2, 3, 6, 9)
    assert paint.mask(7, 2).sum() == 4 * 6
    assert paint.polygon(2, 7, [(2, 3), (2, 9), (6, 9)]) is None  # all of it is there already
    assert paint.polygon(2, 0, [(2, 3), (2, 6), (6, 6), (6, 3)]) == Box(2, 3, 6, 6)
    assert paint.undo() == 2
    assert paint.mask(7, 2).sum() == 4 * 6


def test_copy_and_clear(paint: Painting) -> None:
    paint.polygon(0, 1, [(0, 0), (0, 4), (4, 4), (4, 0)])
    paint.polygon(0, 2, [(6, 0), (6, 4), (9, 4), (9, 0)])
    assert paint.copy(0, 1) == Box(0, 0, 9, 4)
    assert paint.copy(0, 1) is None
    assert (paint.frame(1) == paint.frame(0)).all()
    assert paint.clear(1, 1) == Box(0, 0, 4, 4)
    assert paint.used(1) == [2]
    assert paint.clear(1) == Box(6, 0, 9, 4)
    assert paint.clear(1) is None
    paint.undo()
    paint.undo()
    assert paint.used(1) == [1, 2]
    assert not paint.frame(2).any()


def test_a_new_step_ends_redo(paint: Painting) -> None:
    paint.polygon(0, 1, [(0, 0), (0, 4), (4, 4)])
    paint.undo()
    assert paint.can_redo
    paint.polygon(0, 2, [(0, 0), (0, 4), (4, 4)])
    assert not paint.can_redo
    assert paint.redo() is None


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), coordinates), max_size=12), st.integers(0, 12)
)
def test_undo_leads_back_to_every_state(steps, back) -> None:
    paint = Painting(SIZE, 3)
    states = [paint.masks]
    for frame, label, point in steps:
        paint.begin(frame, label, 2, point)
        if paint.end():
            states.append(paint.masks)
    back = min(back, len(states) - 1)
    for state in states[::-1][1 : back + 1]:
        paint.undo()
        assert (paint.masks == state).all()
    for state in states[len(states) - back :]:
        paint.redo()
        assert (paint.masks == state).all()


def test_what_is_kept_for_undo_is_bounded(paint: Painting, monkeypatch) -> None:
    frame_bytes = 4 * SIZE[0] * SIZE[1]
    monkeypatch.setattr(painting, "UNDO_BYTES", 3 * frame_bytes)
    for x in range(8):
        paint.begin(0, 1, 0.5, (1, x + 0.5))
        paint.end()
    steps = 0
    while paint.undo() is not None:
        steps += 1
    assert steps == 3


def test_what_leaves_is_not_the_painting(paint: Painting) -> None:
    paint.masks[:] = 5
    assert not paint.masks.any()
    with pytest.raises(ValueError, match="read-only"):
        paint.frame(0)[:] = 1
    paint.begin(0, 1, 2, (4, 4))
    assert paint.frame(0).any()


# --- files --------------------------------------------------------------------------------------------------


def test_files_of_a_video_and_of_an_image(paint: Painting, tmp_path) -> None:
    for frame, label in enumerate((1, 200, 255)):
        paint.begin(frame, label, 3, (6, 6 + 2 * frame))
    paint.save(tmp_path / "masks")
    assert sorted(file.name for file in (tmp_path / "masks").iterdir()) == [f"0000{i}.png" for i in range(3)]
    assert (cw.media.read_masks(tmp_path / "masks") == paint.masks).all()
    again = Painting(SIZE, 3)
    again.load(tmp_path / "masks")
    assert (again.masks == paint.masks).all()
    again.undo()
    assert not again.masks.any()

    one = Painting(SIZE)
    one.begin(0, 2, 3, (6, 6))
    one.save(tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as image:
        assert image.mode == "P"
        assert image.convert("RGB").getpixel((6, 6)) == colour(2)
    assert (cw.media.read_masks(tmp_path / "one.png") == one.masks).all()


def test_what_can_not_be_saved_or_loaded(paint: Painting, tmp_path) -> None:
    with pytest.raises(ValueError, match="expected a folder, for the 3 frames"):
        paint.save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"ends in \.png"):
        Painting(SIZE).save(tmp_path / "a.jpg")
    Painting((3, 4)).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match=r"shape \(1, 3, 4\); expected 3 x 12 x 20"):
        paint.load(tmp_path / "small.png")


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda p: p.begin(3, 1, 1, (0, 0)), IndexError, "frame=3"),
        (lambda p: p.begin(0, 256, 1, (0, 0)), ValueError, "label=256: expected 0 to 255"),
        (lambda p: p.begin(0, 1.5, 1, (0, 0)), TypeError, "label=1.5"),
        (lambda p: p.begin(0, 1, 0, (0, 0)), ValueError, "radius=0"),
        (lambda p: p.begin(0, 1, 1, (float("nan"), 0)), ValueError, "finite"),
        (lambda p: p.polygon(0, 1, [(0, 0), (1, 1)]), ValueError, "at least 3 points"),
        (lambda p: p.mask(0), ValueError, "label=0: expected 1 to 255"),
        (lambda p: p.replace(np.zeros((3, 12, 20))), TypeError, "expected integers"),
        (lambda p: p.replace(np.full((3, 12, 20), 300)), ValueError, "labels are 0 to 255"),
        (lambda p: p.replace(np.full((3, 12, 20), -1)), ValueError, "labels are 0 to 255"),
    ],
)
def test_what_is_refused_changes_nothing(paint: Painting, call, error, words) -> None:
    with pytest.raises(error, match=words):
        call(paint)
    assert not paint.masks.any()
    assert not paint.can_undo


# --- what they are for --------------------------------------------------------------------------------------


def test_masks_feed_the_canvas_and_the_findings() -> None:
    canvas = cw.trace(video(), device="cpu")
    paint = Painting(canvas.inr.size, canvas.inr.n_frames)
    for frame in range(canvas.inr.n_frames):
        paint.polygon(frame, 1, [(2, 2), (2, 10), (9, 10), (9, 2)])
        paint.polygon(frame, 3, [(4, 18), (4, 26), (12, 26), (12, 18)])
    layer = canvas.traced_layers[-1].name
    column = canvas.region(paint.mask(3, 2), 2, [layer])[layer]
    assert np.allclose(column, canvas.region(paint.masks[2] == 3, 2, [layer])[layer])
    found = cw.analysis.objects(canvas, layer, paint.masks, 2)
    assert found.areas[:2].tolist() == [7 * 8, 8 * 8]
