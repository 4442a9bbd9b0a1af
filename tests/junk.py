"""What a broken or hostile page may send in any place, and words that its answer never has."""

from __future__ import annotations

import re
from typing import Any

DEEP: list[Any] = []
for _ in range(5000):  # deeper than Python's stack
    DEEP = [DEEP]

JUNK: list[Any] = [
    *(None, True, False, -1, 0, 3, 99, 2**53, 2**63, -(10**400), 1.5, 9e15, 1e308),
    *(float("inf"), float("-inf"), float("nan")),
    *("", "x", "a\nb", "a\r\nimport os", "\x00", "\ud800", "$x^{", "../../up", "x" * 5000),
    *([], [[]], [None], ["a"], [1, 2], [1, 2, 3], [True, False], [-1, 99], [2**53, 2**53], DEEP),
    *([float("inf"), 0], [0] * 5000, [[1]] * 5000, [[0, 0], [0, 1e308], [3, 3]], [[0, 0], [0, 9e15], [3, 3]]),
    *({}, {"a": 1}, {"kind": "frame"}, {"kind": []}, {"0": [[1]]}, {"0": None}, {"": {"": {"": []}}}),
]

# Of Python's own errors, and of those of libraries.
FOREIGN = re.compile(
    "Error|Traceback|object has no|has no attribute|object is not|not subscriptable|unhashable|unsupported operand"
    "|indices must be|NoneType|'(int|str|list|dict|float|tuple)' object|out of bounds|out of range$|too large"
    "|could not be broadcast|shape mismatch|inhomogeneous|unpack|convert|argument must|positional|surrogates"
)
