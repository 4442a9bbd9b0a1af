"""How a kind of request is declared: the function that answers it, with its priority.

The function's annotations say the rest: its second argument is the request's body, it returns the reply and its bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.progress import Report

Answer = tuple[Any, Any]  # the reply, and the bytes that go with it
AnswerFunction = Callable[[CachedCanvas, Any, Report], Answer]
Priority = Callable[[Any], int]


@dataclass(frozen=True)
class RequestKind:
    """One kind of request.

    Attributes
    ----------
    name : str
        The word in `kind`, of the request and of its reply.
    body, reply : TypedDict
    answer : callable
        ``answer(cached, body, checkpoint)`` computes the reply and its bytes on the worker's thread. What the body
        names (a layer, a frame, a pixel) is checked there: TypeError, ValueError, IndexError and KeyError say what
        is wrong.
    priority : callable
        Of a body; smaller is more urgent. What the eye follows comes first; what takes a pass over a layer comes after
        all that does not.
    quiet : float
        Seconds without any other request before this one goes on: it runs in the background.
    """

    name: str
    body: Any
    reply: Any
    answer: AnswerFunction
    priority: Priority
    quiet: float = 0.0


def answers(priority: int | Priority, quiet: float = 0.0) -> Callable[[AnswerFunction], RequestKind]:
    """Declare the decorated function to be the one that answers its kind of request."""
    ranked: Priority = priority if callable(priority) else lambda body: priority

    def declare(function: AnswerFunction) -> RequestKind:
        hints = get_type_hints(function)
        body, reply = hints["body"], get_args(hints["return"])[0]
        (name,) = get_args(get_type_hints(body)["kind"])
        return RequestKind(name, body, reply, function, ranked, quiet)

    return declare
