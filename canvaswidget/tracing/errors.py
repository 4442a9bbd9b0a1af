"""What can't be traced."""

from __future__ import annotations

import torch


class NotKeptError(LookupError):
    """What was asked for is not in the saved canvas; the message says what is, and how to keep more."""


class UntraceableError(ValueError):
    """The rule is not defined on this part of the model."""


class CaptureError(RuntimeError):
    """The module could not be recorded, or what was recorded is not what it does."""


FOREIGN = (ArithmeticError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)


def failed_at(rule: str, op: str, path: str, error: Exception) -> UntraceableError:
    """What to raise where torch fails on an op of the model: it names the op and its module."""
    others = {"gated": "Rule 'ablation' needs no such step", "ablation": "Rule 'gated' may follow it"}
    return UntraceableError(
        f"rule={rule!r}: contributions can't be followed through the op {op!r}{f' in {path!r}' if path else ''}: "
        f"{type(error).__name__}: {error}. {others.get(rule, 'Another rule may be defined on it')}; please report "
        "this model"
    )


def check_finite(image: torch.Tensor, frame: int) -> None:
    """Raise ValueError where an image that the module renders holds NaN or infinity."""
    broken = int((~torch.isfinite(image)).any(0).sum())
    if broken:
        pixels = image.shape[-2] * image.shape[-1]
        raise ValueError(
            f"module: renders NaN or infinity at {broken:,} of {pixels:,} pixels of frame {frame}, so no contribution "
            "to them is defined"
        )
