"""What can't be traced."""

from __future__ import annotations


class UntraceableError(ValueError):
    """The rule is not defined on this part of the model."""
