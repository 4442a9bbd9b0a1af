"""A notebook that shows a model, and JupyterLab on it."""

from __future__ import annotations

import importlib.util
import json
import secrets
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from canvaswidget.cli import jupyter


def write_notebook(
    folder: Path | None, name: str, model: str, lines: Sequence[str], keywords: Sequence[str]
) -> Path:
    """A notebook of two cells; a number is added to its name where there is one already."""
    where = Path(tempfile.mkdtemp(prefix="canvaswidget-")) if folder is None else folder
    where.mkdir(parents=True, exist_ok=True)
    call = ", ".join(["model", *keywords])
    first = "\n".join(
        ["import canvaswidget as cw", *lines, "", f"model = {model}", f"w = cw.CanvasWidget({call})", "w"]
    )
    second = "print(w.recipe())  # Python that makes the view above again"
    content = {
        "cells": [_cell("first", first), _cell("second", second)],
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    text = json.dumps(content, indent=1) + "\n"
    for number in range(1000):
        path = where / f"{name}{f'_{number}' if number else ''}.ipynb"
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path.resolve()
    raise FileExistsError(f"{where}: has a thousand notebooks called {name}; remove some")


def _cell(key: str, source: str) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "id": key,
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": source.splitlines(keepends=True),
    }


def show(path: Path, port: int | None, browser: bool, tell: Callable[[str], None]) -> None:
    """JupyterLab on a notebook, until it ends or Ctrl-C does."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise ModuleNotFoundError(
            f"JupyterLab is not installed: say pip install 'canvaswidget[lab]'. The notebook is written: {path}"
        )
    port, token = port or jupyter.free_port(), secrets.token_hex(16)
    # What it says goes to standard error: standard output has the address alone.
    server = jupyter.start(
        "jupyterlab", path.parent, port, token, ["--ServerApp.log_level=ERROR"], output=sys.stderr
    )
    try:
        try:
            jupyter.wait_for(server, port, token)
        except RuntimeError as error:
            raise RuntimeError(f"{error}; what it said is above") from None
        page = f"http://{jupyter.HOST}:{port}/lab/tree/{quote(path.name)}?token={token}"
        print(page, flush=True)
        tell("Run the first cell (Shift-Enter). Ctrl-C here ends JupyterLab.")
        if browser and not webbrowser.open(page):
            tell("No browser could be opened: open the address above.")
        server.wait()
    finally:
        jupyter.stop(server)
