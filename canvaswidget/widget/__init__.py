"""The widget: its traits, and the picture shown where no front end runs."""

from canvaswidget.widget.widget import CanvasWidget

__all__ = ["CanvasWidget"]
