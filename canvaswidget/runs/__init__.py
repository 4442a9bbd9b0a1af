"""Many networks: seeds, architectures, or the checkpoints of a training."""

from canvaswidget.runs.collection import RunError, Runs
from canvaswidget.runs.recorder import Recorder

__all__ = ["Recorder", "RunError", "Runs"]
