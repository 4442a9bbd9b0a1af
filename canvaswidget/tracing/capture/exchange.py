"""The recording of a module with other weights: the ops stay, nothing is recorded anew."""

from __future__ import annotations

import dataclasses
import operator
from typing import Any

import torch
from torch import nn

from canvaswidget.inr import INR
from canvaswidget.inr.module_state import CALLS, replica
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.find_layers import find_layers
from canvaswidget.tracing.capture.parameters import parameter_note
from canvaswidget.tracing.capture.precision import laid_out, placed
from canvaswidget.tracing.capture.replay import Replay
from canvaswidget.tracing.errors import CaptureError
from canvaswidget.tracing.layers import Layers


@torch.inference_mode(False)
@torch.no_grad()
def exchanged(capture: Capture, inr: INR) -> Capture:
    """A recording with the weights of another INR, whose module has the same ops.

    That it has is not taken on trust: like any recording it is compared with the module before it answers.

    Raises
    ------
    CaptureError
        The modules have not the same weights, by name and shape.
    ValueError
        A weight holds NaN or infinity.
    """
    with CALLS:
        module = replica(inr.module)
    constants = {
        name: _exchanged(capture, module, capture.targets.get(name, ""), tensor)
        for name, tensor in capture.constants.items()
    }
    made = dataclasses.replace(capture, inr=inr, module=module, constants=constants)
    made.weighted = find_layers(made)
    made.layers = Layers([one.layer for one in made.weighted.values()])
    made.layers.note = parameter_note(made)
    made.compare = Replay(made, is_known=True).check
    return made


def _exchanged(capture: Capture, module: nn.Module, target: str, before: torch.Tensor) -> torch.Tensor:
    """The tensor that takes the place of a recorded one; that one where the module knows none of its name."""
    try:
        tensor: Any = operator.attrgetter(target)(module) if target else before
    except AttributeError:
        tensor = before
    if tensor is before or not isinstance(tensor, torch.Tensor):
        return before
    if tensor.shape != before.shape:
        raise CaptureError(
            f"module={type(module).__name__}: its weight {target!r} has shape {tuple(tensor.shape)}; the recorded one "
            f"has {tuple(before.shape)}"
        )
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        raise ValueError(
            f"module: its weight {target!r} holds NaN or infinity, so no contribution is defined. "
            "Load a checkpoint from before training diverged"
        )
    return laid_out(placed(tensor.detach(), capture.device, capture.wider))
