"""Label maps of the objects on a frame, and a painter that makes them."""

from canvaswidget.masks.painter import MaskPainter

__all__ = ["MaskPainter"]
