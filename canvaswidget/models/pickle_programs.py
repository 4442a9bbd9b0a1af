"""Look through the operations of a pickle for those that take memory or stack out of proportion to its size."""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import Any

# Containers within containers: the hash of a deeper tuple overflows the stack of the process.
MOST_NESTED = 500
_STORES = {"PUT", "BINPUT", "LONG_BINPUT"}
_LOADS = {"GET", "BINGET", "LONG_BINGET"}
_FILLS = {"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"}  # an object that was made before


@dataclass
class _Made:
    """An object on the stack of the unpickler, or a mark there."""

    depth: int = 0
    is_mark: bool = False


def check_program(program: bytes) -> None:
    """Raise ValueError where the unpickler would take far more memory than the pickle has bytes, or crash.

    The unpickler's table of objects is as long as the largest number that is given to one; so a few bytes can ask for
    all memory. A tuple that holds a tuple, and so on, is hashed by a function of C that calls itself.
    """
    stack: list[_Made] = []
    memo: dict[int, _Made] = {}
    for code, given, _ in pickletools.genops(program):
        argument: Any = given
        if code.name in _STORES and int(argument) > len(program):
            raise ValueError(f"its pickle gives an object the number {argument:,}, which it can't have")
        if code.name in _STORES or code.name == "MEMOIZE":
            memo[len(memo) if argument is None else int(argument)] = _top(stack)
        elif code.name in _LOADS:
            stack.append(memo.get(int(argument), _Made()))
        elif code.name == "MARK":
            stack.append(_Made(is_mark=True))
        elif code.name == "DUP":
            stack.append(_top(stack))
        else:
            _apply(code, stack)


def _apply(code: Any, stack: list[_Made]) -> None:
    """Take from the stack what an operation takes, and put there what it makes."""
    taken: list[_Made] = []
    before = list(code.stack_before)
    if pickletools.markobject in before:
        while stack and not stack[-1].is_mark:
            taken.append(stack.pop())
        if stack:
            stack.pop()
        before = before[: before.index(pickletools.markobject)]
    for _ in before:
        taken.append(stack.pop() if stack else _Made())
    depth = 1 + max((one.depth for one in taken[: -1 if code.name in _FILLS else None]), default=-1)
    if depth > MOST_NESTED:
        raise ValueError(f"its pickle nests objects more than {MOST_NESTED} deep")
    if code.name in _FILLS and taken:
        filled = taken[-1]
        filled.depth = max(filled.depth, depth)
        stack.append(filled)
    else:
        stack.extend(_Made(depth) for _ in code.stack_after)


def _top(stack: list[_Made]) -> _Made:
    return stack[-1] if stack else _Made()
