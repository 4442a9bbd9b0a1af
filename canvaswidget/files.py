"""Files that are written whole or not at all, and files and folders that a process holds."""

from __future__ import annotations

import glob
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

LOCK = "lock"  # the file that a process holds in a folder that it works in
UNLOCKED_SECONDS = 60  # age of such a folder without a lock, which is made right after it


def write_whole(path: Path, data: bytes) -> None:
    """Write a file at once or not at all: what was there before stays until the new one is complete."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(name, 0o666 & ~mask)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def hold(path: Path) -> BinaryIO:
    """Make a file that this process holds until the handle is closed, or the process ends in whatever way."""
    # It gets its name when it is locked: under that name another process would see a file that nobody holds. Windows
    # can't rename an open file, but removes none either.
    unnamed = path if sys.platform == "win32" else path.with_name(f"{path.name}.new")
    handle = unnamed.open("a+b")
    _lock(handle)
    if unnamed != path:
        unnamed.rename(path)
    return handle


def try_to_hold(path: Path) -> BinaryIO | None:
    """Hold a file that several processes know, as `hold`; None where another one, or another handle, holds it."""
    handle = path.open("a+b")
    if _lock(handle):
        return handle
    handle.close()
    return None


def is_held(path: Path) -> bool:
    """Whether some process holds a file; also where that can't be found out."""
    try:
        with path.open("a+b") as handle:
            return not _lock(handle)
    except OSError:
        return path.exists()


def is_worked_in(folder: Path) -> bool:
    """Whether a process works in a folder, and so holds the lock in it."""
    if (folder / LOCK).exists():
        return is_held(folder / LOCK)
    try:
        return time.time() - folder.stat().st_mtime < UNLOCKED_SECONDS
    except FileNotFoundError:
        return False


@contextmanager
def work_folder(path: Path) -> Iterator[Path]:
    """Make a folder that this process works in, and remove it at the end."""
    path.mkdir(parents=True)
    lock = hold(path / LOCK)
    try:
        yield path
    finally:
        lock.close()
        shutil.rmtree(path, ignore_errors=True)


def remove_abandoned(prefix: Path) -> None:
    """Remove the folders whose paths start with a prefix and that no process works in."""
    for folder in prefix.parent.glob(f"{glob.escape(prefix.name)}*"):
        if not is_worked_in(folder):
            shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(
    work: Path, content: Path, is_named: Callable[[str], bool], remove: Callable[[Path], None]
) -> None:
    """Remove what killed writers left: folders that they worked in, and contents that are not named.

    A writer draws a token of 12 hexadecimal digits for its work folder and for its content. It moves the content in
    first, then the file that names it, and removes its work folder last.

    Parameters
    ----------
    work, content : Path
        What the paths of all work folders, and of all contents, start with; a token follows.
    is_named : callable
        Whether the file that names a content has this name now.
    remove : callable
        Removes the content at a path.
    """
    remove_abandoned(work)
    for found in content.parent.glob(f"{glob.escape(content.name)}*"):
        token = found.name.removeprefix(content.name)
        # Once the work folder is gone, the file names this content or a newer one. Look in this order.
        if not re.fullmatch(r"[0-9a-f]{12}", token) or work.with_name(work.name + token).exists():
            continue
        if not is_named(found.name):
            remove(found)


def _lock(handle: BinaryIO) -> bool:
    """Lock a file for this handle; False where another has it, or the file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
