"""The widget: traits, the compute session and the wire; and a painter of masks beside it."""

from canvaswidget.widget.painter import MaskPainter
from canvaswidget.widget.widget import CanvasWidget

__all__ = ["CanvasWidget", "MaskPainter"]
