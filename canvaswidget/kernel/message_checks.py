"""Checks what the page sent against the types of `messages`, before a handler reads it."""

from __future__ import annotations

import math
from collections.abc import Collection
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

LARGEST = 2**53  # beyond it JavaScript does not tell whole numbers apart
SHOWN = 60  # characters of a value that an error shows
WORDS = {int: "an int", float: "a finite number", str: "a str", bool: "a bool"}


def checked(value: Any, annotation: Any, name: str = "") -> Any:
    """The value if it has the type: a copy, where it is a list or a dictionary.

    Parameters
    ----------
    value
        From JSON, or whatever a page makes of it.
    annotation
        A `TypedDict`, ``Literal``, ``list[...]``, ``dict[str, ...]``, a union, `int`, `float`, `str`, `bool` or None.
    name : str
        Where the value is, for errors: ``"selection.neuron[0]"``.

    Raises
    ------
    TypeError, ValueError
        They name the field, what it has and what is accepted.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _checked_union(value, arguments, name)
    if origin is Literal:
        return _checked_word(value, arguments, name)
    if origin is list:
        if not isinstance(value, list):
            raise TypeError(_problem(name, value, "a list"))
        return [checked(part, arguments[0], f"{name}[{i}]") for i, part in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise TypeError(_problem(name, value, "an object"))
        return {key: checked(part, arguments[1], f"{name}[{short(key)}]") for key, part in value.items()}
    if annotation in WORDS or annotation is type(None):
        return _checked_scalar(value, annotation, name)
    return _checked_fields(value, annotation, name)


def short(value: Any) -> str:
    """A value as an error shows it, whatever it is."""
    if isinstance(value, int) and abs(value) > LARGEST:
        return "a number beyond 2^53"
    if isinstance(value, list | dict):
        return f"a list of {len(value)}" if isinstance(value, list) else f"an object of {len(value)} fields"
    text = repr(value[:SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN + 2 else f"{text[:SHOWN]}..."


def find_unsent(value: Any, name: str = "") -> str:
    """The first field with a number that JSON can't hold; empty where there is none."""
    if isinstance(value, float):
        return "" if math.isfinite(value) else name
    if isinstance(value, dict):
        parts = [(f"{name}.{key}".lstrip("."), part) for key, part in value.items()]
    elif isinstance(value, list):
        parts = [(f"{name}[{i}]", part) for i, part in enumerate(value)]
    else:
        return ""
    return next((found for where, part in parts if (found := find_unsent(part, where))), "")


def _checked_union(value: Any, members: tuple[Any, ...], name: str) -> Any:
    if value is None and type(None) in members:
        return None
    left = [member for member in members if member is not type(None)]
    if len(left) == 1:
        return checked(value, left[0], name)
    if all(member in WORDS for member in left):
        for member in left:
            try:
                return _checked_scalar(value, member, name)
            except TypeError:
                continue
        raise TypeError(_problem(name, value, " or ".join(WORDS[member] for member in left)))
    # Of several objects the word in `kind` tells which is meant.
    if not isinstance(value, dict):
        raise TypeError(_problem(name, value, "an object"))
    kinds = {kind: member for member in left for kind in get_args(_hints(member)["kind"])}
    kind = _checked_word(value.get("kind"), kinds, _within(name, "kind"))
    return checked(value, kinds[kind], name)


def _checked_word(value: Any, words: Collection[str], name: str) -> str:
    if isinstance(value, str) and value in words:
        return value
    raise ValueError(_problem(name, value, "one of " + ", ".join(map(repr, words))))


def _checked_scalar(value: Any, annotation: Any, name: str) -> Any:
    if annotation is type(None):
        if value is None:
            return None
        raise TypeError(_problem(name, value, "null"))
    if annotation is str:
        good = isinstance(value, str) and _is_text(value)
    elif annotation is bool:
        good = isinstance(value, bool)
    else:
        whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
        good = whole or (annotation is float and isinstance(value, float) and math.isfinite(value))
    if not good:
        raise TypeError(_problem(name, value, WORDS[annotation]))
    return value


def _is_text(value: str) -> bool:
    """Whether the characters can be sent: half of a surrogate pair can't."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _checked_fields(value: Any, annotation: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(_problem(name, value, "an object"))
    hints = _hints(annotation)
    for field in value:
        if not isinstance(field, str) or field not in hints:
            raise ValueError(f"{_within(name, field)}: no such field; expected {', '.join(hints)}")
    found = {}
    for field, hint in hints.items():
        if field in value:
            found[field] = checked(value[field], hint, _within(name, field))
        elif field in annotation.__required_keys__:
            raise ValueError(f"{_within(name, field)}: the field is missing")
    return found


@cache
def _hints(annotation: Any) -> dict[str, Any]:
    return get_type_hints(annotation)


def _within(name: str, field: Any) -> str:
    plain = isinstance(field, str) and field.isidentifier() and len(field) <= SHOWN
    return f"{name}.{field}".lstrip(".") if plain else f"{name or 'message'}[{short(field)}]"


def _problem(name: str, value: Any, expected: str) -> str:
    return f"{name or 'message'}={short(value)}: expected {expected}"
