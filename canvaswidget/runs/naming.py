"""What runs are called: by the keys of a mapping, or by the names of their INRs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from canvaswidget.arguments.kinds import is_sequence, wrong_type

Key = str | int


def named(runs: Any) -> dict[Key, Any]:
    """The runs by name."""
    found: dict[Key, Any]
    if isinstance(runs, Mapping):
        for key in runs:
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise wrong_type("runs", key, "names or numbers as keys")
        found = {**runs}
    elif is_sequence(runs):
        names = [_name_of(run) for run in runs]
        if len(set(names)) < len(names):
            names = [f"{place}: {name}" for place, name in enumerate(names)]
        found = dict(zip(names, runs, strict=True))
    else:
        raise wrong_type("runs", runs, "a mapping or a sequence of INRs, canvases or paths of saved canvases")
    if not found:
        raise ValueError("runs: there are none; give at least one INR, canvas or path of a saved canvas")
    return found


def _name_of(run: Any) -> str:
    if isinstance(run, str | os.PathLike):
        return os.path.basename(os.fspath(run))
    inr = getattr(run, "inr", run)
    return getattr(inr, "name", type(inr).__name__)
