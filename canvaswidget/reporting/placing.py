"""Put a report into a folder so that an earlier one is whole until the new one is.

The page names the folder that has its files. That folder is moved in first, then the new page replaces the old one by a
rename, and the old page's files are removed last. A report is written in a folder beside, with a lock that its process
holds; the next report removes what no process holds, and files that the page does not name.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from canvaswidget.files import LOCK, hold, is_worked_in

PAGE = "index.html"
FILES = "index-files-"  # and a token: the folder of a page's files
ASIDE = ".report-"  # and the same token: the folder that a report is written in


@contextmanager
def placing(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Where to write the page and its files, both of which are put into `folder` afterwards unless this raises."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    token = secrets.token_hex(6)
    aside = folder / f"{ASIDE}{token}"
    aside.mkdir()
    lock = hold(aside / LOCK)
    try:
        page, files = aside / PAGE, aside / f"{FILES}{token}"
        files.mkdir()
        yield page, files
        files.rename(folder / files.name)
        os.replace(page, folder / PAGE)
    finally:
        lock.close()
        shutil.rmtree(aside, ignore_errors=True)
        _remove_leftovers(folder)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed reports left in a folder, and files that its page does not name."""
    for aside in folder.glob(f"{ASIDE}*"):
        if not is_worked_in(aside):
            shutil.rmtree(aside, ignore_errors=True)
    for files in folder.glob(f"{FILES}*"):
        token = files.name.removeprefix(FILES)
        # Its files are moved in before the page, and the folder beside is there until the page is: once that is gone,
        # the page names these files, or newer ones.
        if re.fullmatch(r"[0-9a-f]{12}", token) and not (folder / f"{ASIDE}{token}").exists():
            try:
                named = files.name.encode() in (folder / PAGE).read_bytes()
            except FileNotFoundError:
                named = False
            if not named:
                shutil.rmtree(files, ignore_errors=True)
