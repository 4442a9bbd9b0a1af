"""The messages between page and kernel: a request and how it ends, and what the page measures.

The page's half, ``js/src/transport/messages.ts``, is printed by ``python -m canvaswidget.kernel.messages``; a test
keeps the two equal. `session` explains the protocol; the bodies of requests and of replies are in `requests`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Union, get_origin

from canvaswidget.kernel import message_parts, typescript
from canvaswidget.kernel.requests import KINDS, MODULES

# To the pixel's bars; another selection's map; another frame; another run; a second run beside it.
Act = Literal["pixel", "overlay", "step", "run", "compare"]

if TYPE_CHECKING:  # a type checker can't follow types that are put together at run time
    Body = dict[str, Any]
    Answer = dict[str, Any]
else:
    Body = Union[tuple(kind.body for kind in KINDS.values())]
    Answer = Union[tuple(kind.reply for kind in KINDS.values())]


# --- from the page ---------------------------------------------------------------------------------------------


class Request(TypedDict):
    """`view` names the asking part of the page: a newer request of a view replaces its older one."""

    type: Literal["request"]
    id: int
    view: str
    body: Body


class Cancel(TypedDict):
    type: Literal["cancel"]
    id: int


class Timing(TypedDict):
    act: Act
    milliseconds: float


class Painted(TypedDict):
    """What the page measured since it last said so; `rate` is of playing, in pictures a second. Not answered."""

    type: Literal["painted"]
    id: int
    times: list[Timing]
    rate: float | None


# --- from the kernel -------------------------------------------------------------------------------------------


class Reply(TypedDict):
    """`of` is the body of the request that is answered."""

    type: Literal["reply"]
    id: int
    seconds: float
    of: Body
    body: Answer


class Cancelled(TypedDict):
    """A newer request of the view, or the page, made the answer unwanted."""

    type: Literal["cancelled"]
    id: int


class Failed(TypedDict):
    type: Literal["error"]
    id: int
    message: str


class Progress(TypedDict):
    type: Literal["progress"]
    id: int
    done: int
    total: int


FromPage = Union[Request, Cancel, Painted]
FromKernel = Union[Reply, Cancelled, Failed, Progress]


# --- the page's half -------------------------------------------------------------------------------------------


def module() -> str:
    """The module ``js/src/transport/messages.ts``."""
    spaces = [vars(message_parts), *map(vars, MODULES), globals()]
    words = {name: value for space in spaces for name, value in space.items() if get_origin(value) is Literal}
    unions = {
        "RunKey": message_parts.RunKey,
        "Body": Body,
        "Answer": Answer,
        "FromPage": FromPage,
        "FromKernel": FromKernel,
    }
    return typescript.module({**words, **unions}, _typed_dicts(spaces))


def _typed_dicts(spaces: list[dict[str, Any]]) -> Iterator[Any]:
    """Each once, where it is defined."""
    for space in spaces:
        for value in space.values():
            if getattr(value, "__module__", None) == space["__name__"]:
                yield value


if __name__ == "__main__":
    print(module(), end="")
