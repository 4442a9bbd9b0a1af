"""Answer a forward that asks tensors for their values, an assertion say, while it is recorded without any."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_QUESTIONS = {
    getattr(torch.Tensor, name)
    for name in ("__bool__", "__float__", "__int__", "__index__", "item", "tolist")
}


class _Asking(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Any] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        answer = func(*args, **(kwargs or {}))
        if func in _QUESTIONS:
            self.answers.append(answer)
        return answer


class _Answering(TorchFunctionMode):
    def __init__(self, answers: list[Any]) -> None:
        super().__init__()
        self._answers = iter(answers)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in _QUESTIONS:
            return next(self._answers)
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def asking() -> Iterator[list[Any]]:
    """The answers that tensors give, in order, for as long as it lasts; the random state is put back."""
    with torch.random.fork_rng(), _Asking() as mode:
        yield mode.answers


@contextlib.contextmanager
def answering(answers: list[Any]) -> Iterator[None]:
    """The same questions get the same answers; where none were asked, nothing is different."""
    with _Answering(answers) if answers else contextlib.nullcontext():
        yield
