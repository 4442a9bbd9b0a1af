"""A copy of a model with other weights in some of its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch

from canvaswidget.inr import INR
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.layer_weight import parameter_of
from canvaswidget.tracing.layers import Layer

Change = Callable[[WeightedOp], torch.Tensor]


@torch.no_grad()
def changed_copy(inr: INR, capture: Capture, changes: Mapping[Layer, Change]) -> INR:
    """A copy of an INR in which the weights of some layers are what functions make of them.

    Parameters
    ----------
    inr : INR
        What was recorded, or another of the same build. It is not changed.
    capture : Capture
    changes : mapping of Layer to callable
        Each is given the layer with the weight that `inr` has, and returns the new one in the same shape.

    Raises
    ------
    UntraceableError
        A layer's weight is no plain parameter of the module, but made in the forward, or used in several places.
    ValueError
        The module has not the weights that were recorded, by name and shape, or they hold NaN.
    """
    names = {layer: parameter_of(capture, layer) for layer in changes}  # refuse before the work starts
    # What torch.compile wraps, whose copy is not compiled.
    source = getattr(inr.module, "_orig_mod", inr.module)
    made = inr.with_weights(source.state_dict())
    for copied, own in zip(made.module.parameters(), source.parameters(), strict=True):
        copied.requires_grad_(own.requires_grad)  # it may be trained on
    known = dict(made.module.named_parameters()) | dict(made.module.named_buffers())
    for layer, change in changes.items():
        name, turned = names[layer]
        name = name if name in known else name.removeprefix("_orig_mod.")
        found = capture.weighted[layer.name]
        expected = found.weight.T if turned else found.weight
        if name not in known or known[name].shape != expected.shape:
            raise ValueError(
                f"inr={type(inr.module).__name__}: has no parameter {name!r} {tuple(expected.shape)}, which the "
                f"canvas's {type(capture.inr.module).__name__} has; give the model that was traced"
            )
        own = known[name].detach()
        if not torch.isfinite(own).all():
            raise ValueError(f"inr={type(inr.module).__name__}: its weight {name!r} holds NaN or infinity")
        wide = own.to(torch.promote_types(own.dtype, found.weight.dtype))
        new = change(replace(found, weight=wide.T if turned else wide))
        known[name].copy_(new.T if turned else new)
        if not torch.isfinite(known[name]).all():
            dtype = str(own.dtype).removeprefix("torch.")
            raise ValueError(
                f"layer={layer.name!r}: its new weight is too large for {dtype}, the type of {name!r}"
            )
    return made
