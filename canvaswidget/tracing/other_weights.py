"""Render with neurons taken out, or with other weights in some layers.

Nothing is recorded anew, and what comes before these layers is not run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.tracing.edits import Edits, edited_weights
from canvaswidget.tracing.matrix import Matrix, as_numpy
from canvaswidget.tracing.neurons import Neurons, parse_neurons
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


def render_without(ablation: Matrix, neurons: Mapping[Any, Neurons], frame: int) -> npt.NDArray[np.float32]:
    """What a model shows without some neurons, by layer, under the rule `ablation` of a matrix."""
    removed: dict[str, torch.Tensor] = {}
    for key, some in neurons.items():
        layer = ablation.layer(key)
        chosen = parse_neurons(layer, some).to(ablation.device)
        if len(chosen):
            removed[layer.name] = chosen
    made = cast(Ablation, ablation.rule).without_all(removed, cast(Any, ablation.frame(frame).state))
    return as_numpy(made.permute(1, 2, 0))


def render_edited(ablation: Matrix, edits: Edits, frame: int) -> npt.NDArray[np.float32]:
    """What a model shows when the outgoing weights of some neurons are scaled, see `edited_weights`."""
    weights = edited_weights(ablation.capture, edits)
    for name in weights:
        ablation.layer(name)  # which raises where the rule is not defined on it
    return render_with(ablation, weights, frame) if weights else ablation.image(frame)
