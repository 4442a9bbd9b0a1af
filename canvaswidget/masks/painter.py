"""`MaskPainter`: objects drawn by hand on the frames of an INR."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt
import traitlets
from ipycanvas import MultiCanvas, hold_canvas
from torch import nn

from canvaswidget.arguments import as_integer, checked, checked_index, integer, wrong_type
from canvaswidget.inr import INR
from canvaswidget.masks.frames import Bytes, Frames
from canvaswidget.masks.painter_controls import TOOLS, Controls
from canvaswidget.masks.painting import (
    Box,
    Labels,
    Mask,
    Painting,
    Point,
    checked_label,
    colour,
)
from canvaswidget.tracing import Canvas
from canvaswidget.widget.widget import CanvasWidget

COVER = 130  # of 255: how much of the frame an object hides
WIDEST = 640  # a frame is enlarged by whole numbers, up to about so many pixels
CLOSE = 8  # pixels of the screen: so near to its first point a polygon ends


def _some_label(name: str, value: Any) -> None:
    if not isinstance(value, str) and as_integer(value) is None:
        raise wrong_type(name, value, "an object's number or its name")


class MaskPainter(ipywidgets.VBox):
    """Paint objects on a frame, or on the frames of a video: brush, polygon, eraser, undo, labels.

    Many methods because each button is one too, so that Python can press it; `Painting` does the work.

    Parameters
    ----------
    frame : array, INR, model that is one, Canvas or CanvasWidget
        ``(height, width[, 3])`` or ``(n_frames, height, width, 3)`` in [0, 1]. Of an INR the truth is shown, if it
        has one, else what it renders. A `CanvasWidget` is also linked; see `link`.
    masks : array or path, optional
        Labels to begin with; see `masks` and `load`.
    names : sequence of str, optional
        Of objects 1, 2, ...

    Attributes
    ----------
    masks : (n_frames, height, width) array of int
        Which object each pixel of each frame shows, 0 for none; what the findings about objects take, such as
        `canvaswidget.analysis.objects`. A copy; set it to replace all.
    time : int
        The frame that is shown.
    label : int
        The object that is painted.
    tool : {"brush", "polygon", "erase"}
        A polygon ends where it began, or with the button.
    radius : float
        Of brush and eraser, in pixels of the frame.
    names : dict of int to str
    edits : int
        Counts the changes; observe it to hear of them.

    Examples
    --------
    >>> painter = cw.MaskPainter(cw.demo.video())
    >>> painter
    >>> cw.analysis.objects(canvas, "head_layer", painter.masks, painter.time)
    >>> canvas.region(painter.mask(1), painter.time)
    """

    time = traitlets.Int(0)
    label = traitlets.Int(1)
    tool = traitlets.Enum(TOOLS, "brush")
    radius = traitlets.Float(3.0)
    edits = traitlets.Int(0)

    @checked(frame=None, masks=None)
    def __init__(
        self,
        frame: npt.ArrayLike | INR | nn.Module | Canvas | CanvasWidget,
        masks: npt.ArrayLike | str | os.PathLike[str] | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self._source = Frames(frame)
        self._painting = Painting(self._source.size, self._source.n_frames)
        self.names = {1: "object 1"} | {number: str(name) for number, name in enumerate(names, 1)}
        self._corners: list[Point] = []
        self._linked: CanvasWidget | None = None
        self._scale = max(1, WIDEST // self._source.size[1])
        height, width = (self._scale * side for side in self._source.size)
        self._canvas = MultiCanvas(3, width=width, height=height)
        self._canvas.layout.max_width = "100%"
        self._canvas.layout.height = "auto"
        self._canvas.layout.align_self = "flex-start"
        super().__init__()
        self._controls = Controls(self)
        self.children = [*self._controls.rows, self._canvas]
        if masks is not None:
            self.load(masks) if isinstance(masks, str | os.PathLike) else self._painting.replace(masks)
        self._listen()
        self.observe(self._show_all, "time")
        self.observe(self._drop_corners, ["time", "tool", "label"])
        self.observe(self._tell, ["time", "label", "edits"])
        if isinstance(frame, CanvasWidget):
            self.link(frame)
        self._changed(None)

    # --- for the user ---------------------------------------------------------------------------------------

    @property
    def masks(self) -> Labels:
        """See the class."""
        return self._painting.masks

    @masks.setter
    def masks(self, masks: npt.ArrayLike) -> None:
        self._painting.replace(masks)
        self._changed(None)

    @checked(label=_some_label, time=integer())
    def mask(self, label: int | str | None = None, time: int | None = None) -> Mask:
        """``(height, width)``, true where an object is; by default the one being painted, on the frame shown.

        What `canvaswidget.Canvas.region` and the widget's `region` take.
        """
        number = self.label if label is None else self._number(label)
        return self._painting.mask(number, self.time if time is None else time)

    @property
    def n_frames(self) -> int:
        """How many frames there are."""
        return self._painting.n_frames

    @property
    def objects(self) -> dict[int, str]:
        """The names of all objects: those that have one, those that are painted, and the one to be painted next."""
        numbers = {*self._painting.used(), *self.names, self.label}
        return {number: self.names.get(number, f"object {number}") for number in sorted(numbers)}

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._corners) or self._painting.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back that can be done again."""
        return self._painting.can_redo

    def link(self, widget: CanvasWidget) -> None:
        """From now on the widget shows the frame that is painted, and its region is the object being painted."""
        if not isinstance(widget, CanvasWidget):
            raise TypeError(f"widget: got {type(widget).__name__}; expected a CanvasWidget")
        if (widget.facts.size, widget.facts.n_frames) != (self._source.size, self._source.n_frames):
            raise ValueError(
                f"widget: has {widget.facts.n_frames} frames of {widget.facts.size}; the painter has "
                f"{self._source.n_frames} of {self._source.size}"
            )
        self.unlink()
        self._linked = widget
        self.time = widget.time
        widget.observe(self._follow, "time")
        self._tell(None)

    def unlink(self) -> None:
        """Leave the widget alone again."""
        if self._linked is not None:
            self._linked.unobserve(self._follow, "time")
            self._linked = None

    @checked
    def save(self, path: str | os.PathLike[str]) -> None:
        """Write PNG label maps: one file, or for a video a folder of them."""
        self._painting.save(path)

    @checked
    def load(self, path: str | os.PathLike[str]) -> None:
        """Take the labels from a PNG label map, or a folder of them; it can be undone."""
        self._painting.load(path)
        self._changed(None)

    def undo(self) -> None:
        """Take back the last point of a polygon, else the last stroke or other step."""
        if self._corners:
            self._corners.pop()
            self._draw_corners()
            return
        frame = self._painting.undo()
        if frame is not None:
            self._to(frame)

    def redo(self) -> None:
        """Do again what was taken back last."""
        frame = self._painting.redo()
        if frame is not None:
            self._to(frame)

    def clear(self) -> None:
        """Take everything off the frame that is shown."""
        self._drop_corners()
        self._changed(self._painting.clear(self.time))

    def copy_to_next(self) -> None:
        """Copy the objects to the next frame, in place of what is there, and go there."""
        self._require_next()
        self._painting.copy(self.time, self.time + 1)
        self._to(self.time + 1)

    def carry_to_next(self) -> None:
        """The same, but the objects move with optical flow, as `canvaswidget.analysis.carry` moves them."""
        self._require_next()
        pictures = [self._source.frame(time) / np.float32(255) for time in (self.time, self.time + 1)]
        self._painting.copy(self.time, self.time + 1, pictures)
        self._to(self.time + 1)

    def _require_next(self) -> None:
        if self.time + 1 >= self._source.n_frames:
            raise ValueError(f"time={self.time}: is the last frame; there is no next one")

    @checked
    def add(self, name: str = "") -> int:
        """A new object, now the one that is painted; its number."""
        number = max([*self.names, *self._painting.used()]) + 1
        self.names = {**self.names, checked_label(number): name or f"object {number}"}
        self.label = number
        self._controls.update()
        return number

    def close_polygon(self) -> None:
        """Fill the polygon whose points have been clicked."""
        if len(self._corners) >= 3:
            corners, self._corners = self._corners, []
            self._draw_corners()
            self._changed(self._painting.polygon(self.time, self.label, corners))

    def close(self) -> None:
        """Free the frames and the views."""
        if hasattr(self, "_controls"):  # else what was given was refused
            self.unlink()
            self._controls.close()
            self._canvas.close()
        super().close()

    # --- what the hand does, in pixels of the frame ----------------------------------------------------------

    def _listen(self) -> None:
        canvas, at = self._canvas, self._point
        canvas.on_mouse_down(lambda x, y: self._press(at(x, y)))
        canvas.on_mouse_move(lambda x, y: self._move(at(x, y)))
        canvas.on_mouse_up(lambda x, y: self._lift())
        canvas.on_mouse_out(lambda x, y: self._lift())
        canvas.on_touch_start(
            lambda touches: self._press(at(*touches[0])) if len(touches) == 1 else self._lift()
        )
        canvas.on_touch_move(lambda touches: self._move(at(*touches[0])) if touches else None)
        canvas.on_touch_end(lambda touches: self._lift())
        canvas.on_touch_cancel(lambda touches: self._lift())
        canvas.on_client_ready(self._show_all)

    def _point(self, x: float, y: float) -> Point:
        return y / self._scale, x / self._scale

    def _press(self, point: Point) -> None:
        if self.tool == "polygon":
            if len(self._corners) >= 3 and _far(point, self._corners[0]) * self._scale <= CLOSE:
                self.close_polygon()
            else:
                self._corners.append(point)
                self._draw_corners()
            return
        label = 0 if self.tool == "erase" else self.label
        self._draw(self._painting.begin(self.time, label, self.radius, point))

    def _move(self, point: Point) -> None:
        self._draw(self._painting.move(point))

    def _lift(self) -> None:
        if self._painting.end():
            self.edits += 1
            self._controls.update()

    # --- what the eye sees -----------------------------------------------------------------------------------

    def _changed(self, box: Box | None) -> None:
        self.edits += 1
        self._controls.update()
        self._draw(box) if box is not None else self._show_all()

    def _to(self, frame: int) -> None:
        """Show a frame that has changed."""
        if frame == self.time:
            self._changed(None)
        else:
            self.time = frame
            self.edits += 1
            self._controls.update()

    def _show_all(self, change: Any = None) -> None:
        with hold_canvas():
            self._put(0, self._source.frame(self.time), Box(0, 0, *self._source.size))
            self._draw(Box(0, 0, *self._source.size))
            self._draw_corners()

    def _draw(self, box: Box | None) -> None:
        if box is not None:
            labels = self._painting.frame(self.time)[box.top : box.bottom, box.left : box.right]
            self._put(1, _coloured(labels), box)

    def _put(self, layer: int, picture: Bytes, box: Box) -> None:
        """Draw a part of the frame on one of the canvases, enlarged without blur."""
        canvas = self._canvas[layer]
        with hold_canvas():
            canvas.save()
            canvas.image_smoothing_enabled = False
            canvas.scale(self._scale)
            canvas.clear_rect(box.left, box.top, box.right - box.left, box.bottom - box.top)
            canvas.put_image_data(picture, box.left, box.top)
            canvas.restore()

    def _draw_corners(self) -> None:
        canvas, points = self._canvas[2], [(x * self._scale, y * self._scale) for y, x in self._corners]
        with hold_canvas():
            canvas.clear()
            for width, style in ((4, "rgba(0, 0, 0, 0.6)"), (2, "white")):
                canvas.line_width, canvas.stroke_style, canvas.fill_style = width, style, style
                if len(points) > 1:
                    canvas.stroke_lines(points)
                for x, y in points:
                    canvas.fill_circle(x, y, 1.5 * width)

    def _drop_corners(self, change: Any = None) -> None:
        self._painting.end()
        if self._corners:
            self._corners = []
            self._draw_corners()
        self._controls.update()

    # --- the widget beside it --------------------------------------------------------------------------------

    def _tell(self, change: Any) -> None:
        widget = self._linked
        if widget is None:
            return
        mask = self.mask()
        with widget.hold_sync():
            widget.time = self.time
            widget.region = mask if mask.any() else None
            if widget.region is None and widget.sort == "region":
                widget.sort = "pixel"

    def _follow(self, change: Any) -> None:
        self.time = change.new

    # --- checks ----------------------------------------------------------------------------------------------

    def _number(self, label: int | str) -> int:
        for number, name in self.names.items():
            if name == label:
                return number
        if isinstance(label, str):
            raise KeyError(f"label={label!r}: expected one of {', '.join(map(repr, self.names.values()))}")
        return checked_label(label)

    @traitlets.validate("time")
    def _valid_time(self, proposal: Any) -> int:
        return checked_index("time", proposal.value, self._source.n_frames)

    @traitlets.validate("label")
    def _valid_label(self, proposal: Any) -> int:
        return checked_label(proposal.value)

    @traitlets.validate("radius")
    def _valid_radius(self, proposal: Any) -> float:
        if not 0.5 <= proposal.value <= 100:
            raise traitlets.TraitError(f"radius={proposal.value!r}: expected 0.5 to 100 pixels")
        return proposal.value


def _coloured(labels: Labels) -> Bytes:
    """Labels as colours that let the frame show through."""
    colours = np.array(
        [(*colour(label), COVER if label else 0) for label in range(int(labels.max(initial=0)) + 1)]
    )
    return colours[labels].astype(np.uint8)


def _far(one: Point, other: Point) -> float:
    return float(np.hypot(one[0] - other[0], one[1] - other[1]))
