"""The built front end, as text: a path would make anywidget keep every widget alive for ever."""

from __future__ import annotations

from importlib import resources

BUNDLE = "static"


def bundled(name: str) -> str:
    """A file of the front end."""
    file = resources.files("canvaswidget") / BUNDLE / name
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"canvaswidget/{BUNDLE}/{name} is missing: the front end is not built. Say `pip install .` in the "
            "repository, or `npm install` and `npm run build` in js/"
        ) from None
