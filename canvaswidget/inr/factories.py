"""``module:function``: a function of the user's that makes a network, named in a text."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

FACTORY = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def is_factory(text: str) -> bool:
    """Whether it reads as ``module:function``."""
    return FACTORY.fullmatch(text) is not None and not Path(text).exists()


def named(text: str) -> Any:
    """What ``module:name`` of the user's names; modules of the current folder can be named."""
    module, _, name = text.partition(":")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise ModuleNotFoundError(
            f"{text}: there is no module {error.name!r}, here ({folder}) or installed"
        ) from None
    for part in name.split("."):
        if not hasattr(found, part):
            raise AttributeError(f"{text}: {module} has no {name!r}")
        found = getattr(found, part)
    return found


def is_called(found: Any) -> bool:
    """Whether it is a function that makes a model, and not one."""
    return callable(found) and not isinstance(found, nn.Module)


def made(text: str, options: Mapping[str, Any] | None = None) -> Any:
    """What a function of the user's gives, called with the options as keywords."""
    found = named(text)
    return found(**(options or {})) if is_called(found) else found
