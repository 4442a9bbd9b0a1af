"""What a command line is refused with."""

from __future__ import annotations


class UsageError(ValueError):
    """What was asked for makes no sense; the message says what would."""
