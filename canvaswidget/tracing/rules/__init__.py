"""The rules by name."""

from canvaswidget.tracing.rules.xinc import Xinc

RULES = {"xinc": Xinc}

__all__ = ["RULES", "Xinc"]
