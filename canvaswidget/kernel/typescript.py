"""Typed dictionaries as the TypeScript interfaces of the page."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_SCALARS = {str: "string", int: "number", float: "number", bool: "boolean", type(None): "null"}
_HEAD = "// Printed by `python -m canvaswidget.kernel.messages`: change that file, not this one."


def module(aliases: Mapping[str, Any], values: Iterable[Any]) -> str:
    """A module's text: the aliases, then an interface for each typed dictionary among the values."""
    lines = [_HEAD]
    for name, alias in aliases.items():
        lines += ["", f"export type {name} = {_members(alias, aliases)};"]
    for value in values:
        if isinstance(value, type) and hasattr(value, "__total__") and value.__name__ != "TypedDict":
            lines += ["", f"export interface {value.__name__} {{"]
            optional: frozenset[str] = getattr(value, "__optional_keys__", frozenset())
            lines += [
                f"  {field}{'?' if field in optional else ''}: {_typescript(hint, aliases)};"
                for field, hint in get_type_hints(value).items()
            ]
            lines += ["}"]
    return "\n".join(lines) + "\n"


def _members(annotation: Any, aliases: Mapping[str, Any]) -> str:
    if get_origin(annotation) is Literal:
        return " | ".join(f'"{value}"' for value in get_args(annotation))
    return " | ".join(_typescript(argument, aliases) for argument in get_args(annotation))


def _typescript(annotation: Any, aliases: Mapping[str, Any]) -> str:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if isinstance(annotation, type) and hasattr(annotation, "__total__"):
        return annotation.__name__
    for name, alias in aliases.items():
        if annotation == alias:
            return name
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list:
        inner = _typescript(arguments[0], aliases)
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if origin is dict:
        return f"Record<string, {_typescript(arguments[1], aliases)}>"
    if origin in (Literal, Union, types.UnionType):
        return _members(annotation, aliases)
    raise TypeError(f"{annotation!r} has no place on the wire")
