"""Render with other weights in some layers: nothing is recorded anew, and what comes before them is not run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.matrix import as_numpy
from canvaswidget.tracing.rules.ablation import Ablation


def render_with(canvas: Canvas, weights: Mapping[str, torch.Tensor], frame: int) -> npt.NDArray[np.float32]:
    """What a canvas's model shows with other weights, raw, ``(height, width, channels)``.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        By the name of the layer, in the shape of `canvaswidget.tracing.capture.weighted.WeightedOp.weight`. Only layers
        that the image depends on: those of the rule `ablation`.
    """
    matrix = canvas.ablation().matrix
    made = cast(Ablation, matrix.rule).with_weights(weights, cast(Any, matrix.frame(frame).state))
    return as_numpy(made.permute(1, 2, 0))
