"""The two halves of the wire are one."""

from __future__ import annotations

from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from canvaswidget.kernel import messages
from canvaswidget.kernel.requests import KINDS
from tests.conftest import ROOT


def problems(value: Any, annotation: Any, path: str = "message") -> list[str]:
    """What keeps a JSON value from being what `messages` says it is."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (None, type(None)):
        return [] if value is None else [f"{path}: {value!r} is not null"]
    if annotation is float:
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return (
            []
            if plain and value == value and abs(value) != float("inf")
            else [f"{path}: {value!r} is no number"]
        )
    if annotation in (int, str, bool):
        return [] if type(value) is annotation else [f"{path}: {value!r} is no {annotation.__name__}"]
    if origin is Literal:
        return [] if value in arguments else [f"{path}: {value!r} is none of {arguments}"]
    if origin is list:
        if type(value) is not list:
            return [f"{path}: {value!r} is no list"]
        return [
            found for i, part in enumerate(value) for found in problems(part, arguments[0], f"{path}[{i}]")
        ]
    if origin is dict:
        if type(value) is not dict:
            return [f"{path}: {value!r} is no object"]
        return [found for name in value for found in problems(value[name], arguments[1], f"{path}.{name}")]
    if origin in (Union, UnionType):
        tried = [problems(value, argument, path) for argument in arguments]
        return [] if any(not found for found in tried) else min(tried, key=len)
    hints = get_type_hints(annotation)
    needed = set(hints) - annotation.__optional_keys__
    if type(value) is not dict or not needed <= set(value) <= set(hints):
        return [f"{path}: {value!r} has not exactly the fields {sorted(hints)}"]
    return [found for name in value for found in problems(value[name], hints[name], f"{path}.{name}")]


def test_the_page_has_the_same_messages() -> None:
    assert (ROOT / "js/src/transport/messages.ts").read_text(encoding="utf-8") == messages.module()


def test_what_is_not_a_message_is_found_out() -> None:
    good = {"type": "progress", "id": 1, "done": 2, "total": 3}
    assert problems(good, messages.FromKernel) == []
    for bad in ({**good, "id": 1.5}, {**good, "type": "else"}, {**good, "more": 1}, {"type": "progress"}, 3):
        assert problems(bad, messages.FromKernel)
    assert problems(float("nan"), float)


def test_a_kind_is_found_by_its_name() -> None:
    """Its file is called so, and the page writes it so where it asks."""
    files = [path for path in (ROOT / "js" / "src").rglob("*.ts") if path.name != "messages.ts"]
    page = "".join(path.read_text(encoding="utf-8") for path in files)
    for name, kind in KINDS.items():
        assert kind.answer.__module__ == f"canvaswidget.kernel.requests.{name}"
        assert f'kind: "{name}"' in page
