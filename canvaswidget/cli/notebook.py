"""A notebook that shows a model, and JupyterLab on it."""

from __future__ import annotations

import importlib.util
import json
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

HOST = "127.0.0.1"
PATIENCE = 60.0


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
    port, token = port or _free_port(), secrets.token_hex(16)
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--ip={HOST}", f"--port={port}"),
            *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
            *(
                f"--ServerApp.root_dir={path.parent}",
                "--ServerApp.log_level=ERROR",
                "--ServerApp.allow_root=True",
            ),
        ],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        start_new_session=True,  # Ctrl-C is for us; we stop it
    )
    address = f"http://{HOST}:{port}"
    try:
        _wait(server, f"{address}/api/status?token={token}")
        page = f"{address}/lab/tree/{quote(path.name)}?token={token}"
        print(page, flush=True)
        tell("Run the first cell (Shift-Enter). Ctrl-C here ends JupyterLab.")
        if browser and not webbrowser.open(page):
            tell("No browser could be opened: open the address above.")
        server.wait()
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return sock.getsockname()[1]


def _wait(server: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        if server.poll() is not None:
            raise RuntimeError(
                f"JupyterLab ended at once, with code {server.returncode}; what it said is above"
            )
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            if time.monotonic() > deadline:
                raise RuntimeError(f"JupyterLab did not answer in {PATIENCE:g} s") from None
            time.sleep(0.1)  # between two tries to connect
