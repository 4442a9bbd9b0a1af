"""What is in the folder of a survey's store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from canvaswidget.surveys.places import PARTIAL, place_of
from canvaswidget.surveys.store import STARTS, read_rows


def rows_of(store: Path) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in read_rows(place_of(store)).values()}


def leftovers(store: Path) -> list[str]:
    """What is neither a result nor about them."""
    names = os.listdir(store)
    starts = os.listdir(store / STARTS) if STARTS in names else []
    return [name for name in names if name.startswith(PARTIAL) or name.endswith(".part")] + starts
