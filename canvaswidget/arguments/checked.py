"""The decorator of public functions that checks their arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from canvaswidget.arguments.by_name import CHECKS
from canvaswidget.arguments.kinds import Check, Function, optional


@overload
def checked(function: Function) -> Function: ...
@overload
def checked(**own: Check | None) -> Callable[[Function], Function]: ...
def checked(function: Any = None, **own: Check | None) -> Any:
    """Decorate a public function so that its arguments are checked before it runs.

    Parameters
    ----------
    function : callable
    **own : callable or None
        Checks of parameters that mean something else here than in `CHECKS`; None for no check.
    """
    if function is None:
        return functools.partial(checked, **own)
    signature = inspect.signature(function)
    unknown = own.keys() - signature.parameters.keys()
    assert not unknown, f"{function.__qualname__} has no parameter {', '.join(unknown)}"
    checks: dict[str, Check] = {}
    for name, parameter in signature.parameters.items():
        check = own[name] if name in own else CHECKS.get(name)
        if check is not None and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            checks[name] = optional(check) if parameter.default is None else check
    places: list[tuple[int, str]] = [
        (place, name) for place, name in enumerate(signature.parameters) if name in checks
    ]

    @functools.wraps(function)
    def checking(*arguments: Any, **keywords: Any) -> Any:
        for place, name in places:
            if name in keywords:
                checks[name](name, keywords[name])
            elif (
                place < len(arguments)
                and signature.parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY
            ):
                checks[name](name, arguments[place])
        return function(*arguments, **keywords)

    return checking
