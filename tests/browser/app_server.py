"""Run an app of another host than Jupyter, and read what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import matplotlib
from playwright.sync_api import Page

from tests.browser.page import TIMEOUT


@contextmanager
def running(
    command: Sequence[str],
    home: Path,
    url: str,
    ready: str = "/",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Path]:
    """Run a server with its settings in `home` until the block ends, from when it answers at `url + ready`; its log."""
    log = home / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=home,
            # Apart from the user's settings, but with the list of fonts that takes matplotlib long to make.
            env={
                **os.environ,
                "XDG_CONFIG_HOME": str(home),
                "MPLCONFIGDIR": matplotlib.get_cachedir(),
                **(environment or {}),
            },
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(url + ready, process, log)
        yield log
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + TIMEOUT / 1000
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)  # between two tries to connect
    raise AssertionError(f"the app did not start:\n{log.read_text(errors='replace')}")


def wait_until_said(page: Page, log: Path, pattern: str) -> re.Match[str]:
    """The last place in the app's output that is like the pattern."""
    deadline = time.monotonic() + TIMEOUT / 1000
    while not (found := list(re.finditer(pattern, said := log.read_text(errors="replace")))):
        assert time.monotonic() < deadline, said
        page.wait_for_timeout(30)
    assert "Traceback" not in said
    return found[-1]
