"""The buttons and sliders of the painter of masks."""

from __future__ import annotations

from typing import Any, Protocol

import ipywidgets

from canvaswidget.masks.painting import colour

TOOLS = ("brush", "polygon", "erase")
ICONS = ("paint-brush", "draw-polygon", "eraser")  # as those of the widget's frame
SWATCH = '<span style="display: inline-block; width: 16px; height: 16px; background: rgb({}, {}, {})"></span>'


class Painter(Protocol):
    """What the controls show and set."""

    label: Any
    tool: Any
    radius: Any
    time: Any

    @property
    def n_frames(self) -> int: ...
    @property
    def objects(self) -> dict[int, str]: ...
    @property
    def can_undo(self) -> bool: ...
    @property
    def can_redo(self) -> bool: ...
    def undo(self) -> None: ...
    def redo(self) -> None: ...
    def clear(self) -> None: ...
    def copy_to_next(self) -> None: ...
    def carry_to_next(self) -> None: ...
    def close_polygon(self) -> None: ...
    def add(self, name: str = "") -> int: ...
    def observe(self, handler: Any, names: Any) -> None: ...


class Controls:
    """The buttons and sliders above the frame; they say what the painter is set to, and set it."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._updating = False
        self.tool = ipywidgets.ToggleButtons(
            options=TOOLS, icons=ICONS, tooltips=("paint", "click the corners", "rub out")
        )
        self.tool.style.button_width = "88px"
        self.radius = ipywidgets.FloatSlider(
            3, min=0.5, max=30, step=0.5, description="radius", readout_format=".1f"
        )
        self.label = ipywidgets.Dropdown(description="object", layout={"width": "220px"})
        self.swatch = ipywidgets.HTML()
        self.name = ipywidgets.Text(placeholder="name of a new one", layout={"width": "150px"})
        self.add = _button("add", "plus", "Another object")
        self.undo = _button("undo", "undo", "Take back the last step")
        self.redo = _button("redo", "repeat", "Do it again")
        self.clear = _button("clear", "trash", "Take everything off this frame")
        self.close_polygon = _button("close polygon", "check", "Fill the polygon")
        self.copy = _button("copy to next", "arrow-right", "Copy the objects to the next frame")
        self.carry = _button(
            "carry to next", "share-square", "Move the objects to the next frame, by optical flow"
        )
        last = painter.n_frames - 1
        self.time = ipywidgets.IntSlider(0, 0, max(1, last), description="frame")
        row = lambda *parts: ipywidgets.HBox(parts, layout={"flex_flow": "row wrap"})  # noqa: E731
        self.rows = [
            row(self.tool, self.close_polygon, self.radius),
            row(self.label, self.swatch, self.name, self.add),
            row(*([self.time, self.copy, self.carry] if last else []), self.undo, self.redo, self.clear),
        ]
        for control in (self.radius, self.label, self.time):
            control.style.description_width = "initial"
        for control in (self.tool, self.radius, self.label, self.time):
            control.observe(self._set, "value")
        for button, action in (
            (self.undo, painter.undo),
            (self.redo, painter.redo),
            (self.clear, painter.clear),
            (self.copy, painter.copy_to_next),
            (self.carry, painter.carry_to_next),
            (self.close_polygon, painter.close_polygon),
            (self.add, self._add),
        ):
            button.on_click(lambda _, action=action: action())
        self.name.on_msg(lambda _, content, buffers: content.get("event") == "submit" and self._add())
        painter.observe(lambda change: self.update(), ["time", "label", "tool", "radius"])

    def update(self) -> None:
        """Show what the painter is set to."""
        painter = self._painter
        self._updating = True
        try:
            self.label.options = [(f"{number}  {name}", number) for number, name in painter.objects.items()]
            self.label.value, self.tool.value, self.radius.value = painter.label, painter.tool, painter.radius
            self.time.value = painter.time
            self.swatch.value = SWATCH.format(*colour(painter.label))
        finally:
            self._updating = False
        polygon = painter.tool == "polygon"
        self.radius.layout.display = "none" if polygon else ""
        self.close_polygon.layout.display = "" if polygon else "none"
        self.undo.disabled = not painter.can_undo
        self.redo.disabled = not painter.can_redo
        self.copy.disabled = self.carry.disabled = painter.time + 1 >= painter.n_frames

    def close(self) -> None:
        """Free the views."""
        for part in [part for row in self.rows for part in row.children] + self.rows:
            part.close()

    def _set(self, change: Any) -> None:
        if not self._updating:
            names = {self.tool: "tool", self.radius: "radius", self.label: "label", self.time: "time"}
            setattr(self._painter, names[change.owner], change.new)

    def _add(self) -> None:
        self._painter.add(self.name.value.strip())
        self.name.value = ""


def _button(text: str, icon: str, title: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=text, icon=icon, tooltip=title, layout={"width": "auto"})
