"""The painter: what a hand on its canvas paints, what its buttons do, and what the widget beside it is told."""

from __future__ import annotations

import numpy as np
import pytest
import traitlets

import canvaswidget as cw
from canvaswidget.masks.painter import WIDEST, MaskPainter
from canvaswidget.widget import live_view
from tests.canvases import video

SIZE = (16, 32)


@pytest.fixture
def painters():
    made: list[MaskPainter] = []

    def make(frame, **keywords) -> MaskPainter:
        made.append(MaskPainter(frame, **keywords))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def painter(painters) -> MaskPainter:
    return painters(np.random.default_rng(0).random((4, *SIZE, 3)))


def waves(dx: float, size: tuple[int, int] = (40, 56)) -> np.ndarray:
    """A picture that has moved to the right."""
    y, x = np.indices(size)
    grey = 0.5 + 0.2 * np.sin(y / 3) + 0.2 * np.cos((x - dx) / 4)
    return np.repeat(grey[..., None], 3, -1).astype(np.float32)


class Hand:
    """Sends what the page sends, in pixels of the frame."""

    def __init__(self, painter: MaskPainter) -> None:
        self._painter = painter
        self._scale = WIDEST // SIZE[1]

    def send(self, event: str, y: float = 0, x: float = 0) -> None:
        content = {"event": event, "x": x * self._scale, "y": y * self._scale}
        self._painter._canvas._handle_custom_msg(content, [])

    def click(self, y: float, x: float) -> None:
        self.send("mouse_down", y, x)
        self.send("mouse_up", y, x)

    def drag(self, *points: tuple[float, float]) -> None:
        self.send("mouse_down", *points[0])
        for point in points[1:]:
            self.send("mouse_move", *point)
        self.send("mouse_up", *points[-1])


@pytest.fixture
def hand(painter: MaskPainter) -> Hand:
    return Hand(painter)


def test_a_drag_is_a_stroke(painter: MaskPainter, hand: Hand) -> None:
    before = painter.edits
    hand.drag((4.5, 4.5), (4.5, 12.5))
    assert painter.edits == before + 1
    assert painter.masks.shape == (4, *SIZE)
    assert painter.mask()[4, 2:15].all()
    hand.send("mouse_move", 12, 25)  # the button is up
    assert not painter.mask()[10:].any()
    painter.tool = "erase"
    hand.drag((4.5, 0.5), (4.5, 31.5))
    assert not painter.masks.any()
    painter.undo()
    assert painter.mask()[4, 2:15].all()
    painter.undo()
    painter.redo()
    assert painter.mask()[4, 2:15].all()


def test_a_drag_ends_where_the_hand_leaves(painter: MaskPainter, hand: Hand) -> None:
    hand.send("mouse_down", 4.5, 4.5)
    hand.send("mouse_out")
    hand.send("mouse_move", 4.5, 20.5)
    assert not painter.mask()[:, 10:].any()


def test_a_finger_paints_too(painter: MaskPainter) -> None:
    def touch(event: str, *points: tuple[float, float]) -> None:
        touches = [{"y": y * WIDEST // SIZE[1], "x": x * WIDEST // SIZE[1]} for y, x in points]
        painter._canvas._handle_custom_msg({"event": event, "touches": touches}, [])

    touch("touch_start", (4.5, 4.5))
    touch("touch_move", (4.5, 10.5))
    touch("touch_end")
    touch("touch_start", (12, 1), (12, 30))  # two fingers are no brush
    assert painter.mask()[4, 4:11].all()
    assert not painter.mask()[11:].any()


def test_a_polygon_ends_where_it_began(painter: MaskPainter, hand: Hand) -> None:
    painter.tool = "polygon"
    corners = [(2, 4), (2, 12), (10, 12), (10, 4)]
    for corner in corners:
        hand.click(*corner)
    assert not painter.masks.any()
    painter.undo()  # the last corner
    hand.click(*corners[-1])
    hand.click(2.1, 4.1)
    expected = np.zeros(SIZE, bool)
    expected[2:10, 4:12] = True
    assert (painter.mask() == expected).all()
    for corner in corners[:3]:
        hand.click(*corner)
    painter.label = 2  # another object is another polygon
    painter.close_polygon()
    assert painter.mask(2).sum() == 0
    for corner in corners[:3]:
        hand.click(*corner)
    painter._controls.close_polygon.click()
    assert painter.mask(2).sum() > 20


def test_labels_and_frames(painter: MaskPainter, hand: Hand) -> None:
    hand.click(4.5, 4.5)
    assert painter.add("flower") == 2
    hand.click(10.5, 20.5)
    assert painter.names[2] == "flower"
    assert painter.mask("flower")[10, 20]
    assert not painter.mask("object 1")[10, 20]
    with pytest.raises(KeyError, match="'tree'.*'flower'"):
        painter.mask("tree")
    painter.copy_to_next()
    assert painter.time == 1
    assert (painter.masks[1] == painter.masks[0]).all()
    painter.clear()
    assert not painter.masks[1].any()
    assert painter.masks[0].any()
    painter.time = 0
    painter.undo()
    assert painter.time == 1  # where something was taken back
    painter.time = 3
    with pytest.raises(ValueError, match="no next one"):
        painter.copy_to_next()


def test_the_controls_are_what_the_painter_is(painter: MaskPainter, hand: Hand) -> None:
    controls = painter._controls
    assert controls.undo.disabled
    assert controls.redo.disabled
    assert controls.close_polygon.layout.display == "none"
    hand.click(4.5, 4.5)
    assert not controls.undo.disabled
    controls.undo.click()
    assert not painter.masks.any()
    assert not controls.redo.disabled
    controls.tool.value = "polygon"
    assert painter.tool == "polygon"
    assert controls.radius.layout.display == "none"
    controls.name.value = "tree"
    controls.add.click()
    assert painter.label == controls.label.value == 2
    assert [name for name, _ in controls.label.options] == ["1  object 1", "2  tree"]
    controls.time.value = 3
    assert painter.time == 3
    assert controls.copy.disabled
    painter.radius = 7
    assert controls.radius.value == 7


def test_what_is_painted_on(painters) -> None:
    for frame, n_frames in ((np.zeros(SIZE), 1), (np.zeros((*SIZE, 3)), 1), (cw.as_inr(video()), 6)):
        assert painters(frame).masks.shape == (n_frames, *SIZE)
    with pytest.raises(ValueError, match=r"shape \(3,\)"):
        painters(np.zeros(3))


def test_files(painter: MaskPainter, hand: Hand, painters, tmp_path) -> None:
    hand.click(4.5, 4.5)
    painter.save(tmp_path / "masks")
    again = painters(np.zeros((4, *SIZE, 3)), masks=tmp_path / "masks", names=["cat"])
    assert (again.masks == painter.masks).all()
    assert again.mask("cat").any()
    again.masks = np.zeros((4, *SIZE), int)
    assert not again.masks.any()
    again.undo()
    assert again.masks.any()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [("time", 4, IndexError), ("label", 0, ValueError), ("radius", 0.0, traitlets.TraitError)],
)
def test_a_wrong_value_is_refused(painter: MaskPainter, name: str, value, error) -> None:
    before = getattr(painter, name)
    with pytest.raises(error, match=f"{name}="):
        setattr(painter, name, value)
    assert getattr(painter, name) == before


def test_the_widget_beside_it_is_told(painters, monkeypatch) -> None:
    monkeypatch.setattr(live_view, "bundled", lambda name: "")
    w = cw.CanvasWidget(video(), device="cpu", time=1)
    try:
        painter = painters(w)
        hand = Hand(painter)
        assert painter.time == 1
        hand.click(4.5, 4.5)
        assert (w.region.mask == painter.mask()).all()
        w.sort = "region"
        painter.label = 2
        assert w.region is None
        assert w.sort == "pixel"
        painter.label = 1
        assert w.region is not None
        w.time = 3
        assert painter.time == 3
        painter.time = 2
        assert w.time == 2
        painter.unlink()
        painter.time = 0
        assert w.time == 2
        with pytest.raises(ValueError, match="the painter has 4 of"):
            painters(np.zeros((4, *SIZE, 3))).link(w)
        with pytest.raises(TypeError, match="expected a CanvasWidget"):
            painter.link(3)
    finally:
        w.close()


def test_objects_are_carried_to_the_next_frame_with_the_picture(painters) -> None:
    painter = painters(np.stack([waves(0), waves(3)]))
    masks = np.zeros((2, 40, 56), int)
    masks[0, 10:22, 16:28], masks[0, 26:36, 30:44] = 1, 2
    painter.masks = masks
    painter._controls.carry.click()
    assert painter.time == 1
    for label in (1, 2):
        found, expected = painter.mask(label), np.roll(masks[0] == label, 3, 1)
        assert (found & expected).sum() / (found | expected).sum() > 0.85
        assert (found & expected).sum() > (found & (masks[0] == label)).sum()
    assert painter._controls.carry.disabled
    with pytest.raises(ValueError, match="is the last frame"):
        painter.carry_to_next()
    painter.undo()
    assert not painter.mask(1).any()
    assert painter.time == 1
