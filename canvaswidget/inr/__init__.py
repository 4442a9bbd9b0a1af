"""An implicit neural representation: a module together with the signal that it encodes."""

from canvaswidget.inr.inr import INR, as_inr

__all__ = ["INR", "as_inr"]
