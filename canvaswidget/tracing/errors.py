"""What can't be traced."""

from __future__ import annotations

import torch


class UntraceableError(ValueError):
    """The rule is not defined on this part of the model."""


class CaptureError(RuntimeError):
    """The module could not be recorded, or what was recorded is not what it does."""


def check_finite(image: torch.Tensor, frame: int) -> None:
    """Raise ValueError where an image that the module renders holds NaN or infinity."""
    broken = int((~torch.isfinite(image)).any(0).sum())
    if broken:
        pixels = image.shape[-2] * image.shape[-1]
        raise ValueError(
            f"module: renders NaN or infinity at {broken:,} of {pixels:,} pixels of frame {frame}, so no contribution "
            "to them is defined"
        )
