"""Render with other weights in some layers: nothing is recorded anew, and what comes before them is not run again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.tracing.matrix import Matrix, as_numpy
from canvaswidget.tracing.rules.ablation import Ablation


def render_with(ablation: Matrix, weights: Mapping[str, torch.Tensor], frame: int) -> npt.NDArray[np.float32]:
    """What a model shows with other weights, raw, ``(height, width, channels)``.

    Parameters
    ----------
    ablation : Matrix
        Of the rule `ablation`, which runs the network again from the layers that change.
    weights : mapping of str to torch.Tensor
        By the name of the layer, in the shape of `canvaswidget.tracing.capture.weighted.WeightedOp.weight`. Only layers
        that the image depends on: those of the rule `ablation`.
    """
    made = cast(Ablation, ablation.rule).with_weights(weights, cast(Any, ablation.frame(frame).state))
    return as_numpy(made.permute(1, 2, 0))
