"""Put a report into a folder so that an earlier one is whole until the new one is.

The page names the folder that has its files. That folder is moved in first, then the new page replaces the old one by a
rename, and the old page's files are removed last. A report is written in a folder beside, with a lock that its process
holds; the next report removes what no process holds, and files that the page does not name.
"""

from __future__ import annotations

import functools
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from canvaswidget.files import remove_leftovers, work_folder

PAGE = "index.html"
FILES = "index-files-"  # and a token: the folder of a page's files
ASIDE = ".report-"  # and the same token: the folder that a report is written in


@contextmanager
def placing(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Where to write the page and its files, both of which are put into `folder` afterwards unless this raises."""
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    token = secrets.token_hex(6)
    try:
        with work_folder(folder / f"{ASIDE}{token}") as aside:
            page, files = aside / PAGE, aside / f"{FILES}{token}"
            files.mkdir()
            yield page, files
            files.rename(folder / files.name)
            os.replace(page, folder / PAGE)
    finally:
        _remove_leftovers(folder)


def _remove_leftovers(folder: Path) -> None:
    """Remove what killed reports left in a folder, and files that its page does not name."""

    def is_named(name: str) -> bool:
        try:
            return name.encode() in (folder / PAGE).read_bytes()
        except FileNotFoundError:
            return False

    remove = functools.partial(shutil.rmtree, ignore_errors=True)
    remove_leftovers(folder / ASIDE, folder / FILES, is_named, remove)
