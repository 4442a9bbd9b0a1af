"""The widget: traits, the compute session and the wire."""

from canvaswidget.widget.widget import CanvasWidget

__all__ = ["CanvasWidget"]
