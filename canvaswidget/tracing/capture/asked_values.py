"""Answer a forward that asks tensors for their values, an assertion say, while it is recorded without any."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_QUESTIONS = {
    getattr(torch.Tensor, name)
    for name in ("__bool__", "__float__", "__int__", "__index__", "item", "tolist")
}


class _Asking(TorchFunctionMode):
    def __init__(self, called: Callable[[], None]) -> None:
        super().__init__()
        self.answers: list[Any] = []
        self._called = called

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        self._called()
        if func is torch.Tensor.tolist:
            self.answers.extend(_flat(answer))
        elif func in _QUESTIONS:
            self.answers.append(answer)
        return answer


class _Answering(TorchFunctionMode):
    def __init__(self, answers: list[Any]) -> None:
        super().__init__()
        self._answers = iter(answers)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.Tensor.tolist:
            return self._list(list(args[0].shape))
        if func in _QUESTIONS:
            return next(self._answers)
        return func(*args, **(kwargs or {}))

    def _list(self, shape: list[int]) -> Any:
        return [self._list(shape[1:]) for _ in range(shape[0])] if shape else next(self._answers)


def _flat(answer: Any) -> list[Any]:
    """The numbers of a nested list, in order: while recording, torch asks for them one at a time."""
    return [number for part in answer for number in _flat(part)] if isinstance(answer, list) else [answer]


@contextlib.contextmanager
def asking(called: Callable[[], None] = lambda: None) -> Iterator[list[Any]]:
    """The answers that tensors give, in order, for as long as it lasts; `called` is called after every op."""
    with _Asking(called) as mode:
        yield mode.answers


@contextlib.contextmanager
def answering(answers: list[Any]) -> Iterator[None]:
    """The same questions get the same answers; where none were asked, nothing is different."""
    with _Answering(answers) if answers else contextlib.nullcontext():
        yield
