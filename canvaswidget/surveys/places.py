"""Where a survey's store lies: a folder, or an address of object storage that fsspec knows.

Both put a group in place whole or not at all. In a folder by one rename; in object storage, which has none, by writing
the file that makes it a group last.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from canvaswidget.arguments.kinds import wrong_type
from canvaswidget.files import remove_abandoned, try_to_hold, work_folder, write_whole

ROOT = "zarr.json"
PARTIAL = ".partial-"
STAGE = "group"  # in the folder of a worker: what it writes
BEAT = 20.0  # seconds between two signs of life of a survey in object storage
DEAD = 90.0  # seconds without one


class InUseError(RuntimeError):
    """Another survey is writing into the store."""


class Place(Protocol):
    """What a store does with files, by their names within it."""

    address: str

    def names(self) -> list[str]:
        """The groups that are there."""
        ...

    def read(self, name: str) -> bytes | None:
        """A file; None where there is none."""
        ...

    def read_all(self, names: Sequence[str]) -> dict[str, bytes]:
        """Those files that are there."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Write a file, whole or not at all."""
        ...

    def listed(self, folder: str) -> list[str]:
        """The names of the files in a folder, "" for the store itself; none where there is no such folder."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing where there is none."""
        ...

    def staging(self) -> contextlib.AbstractContextManager[Path]:
        """A folder of this machine to write a group in, before it is put in place."""
        ...

    def put(self, staged: Path, name: str) -> None:
        """Put a group in place, whole; one that was there is replaced."""
        ...

    def fetched(self, name: str) -> contextlib.AbstractContextManager[Path | None]:
        """A file, as one of this machine, meanwhile; None where there is none."""
        ...

    def kept(self, name: str) -> Path | None:
        """A file, as one of this machine until the process ends; None where there is none."""
        ...

    def held(self) -> contextlib.AbstractContextManager[None]:
        """Meanwhile no other survey writes here; InUseError where one does."""
        ...


def place_of(address: str | os.PathLike[str]) -> Place:
    """The place at a path or an address such as ``s3://bucket/survey.zarr``."""
    if not isinstance(address, str | os.PathLike):
        raise wrong_type("store", address, "a path, or an address such as 's3://bucket/survey.zarr'")
    text = os.fspath(address)
    if "://" in text and not text.startswith("file://"):
        return Remote(text)
    return Folder(Path(text.removeprefix("file://")))


class Folder:
    """A store in a folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.address = str(self.path)

    def names(self) -> list[str]:
        if not self.path.is_dir():
            return []
        with os.scandir(self.path) as found:
            return sorted(one.name for one in found if one.is_dir() and not one.name.startswith("."))

    def read(self, name: str) -> bytes | None:
        try:
            return (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def read_all(self, names: Sequence[str]) -> dict[str, bytes]:
        found = ((name, self.read(name)) for name in names)
        return {name: data for name, data in found if data is not None}

    def write(self, name: str, data: bytes) -> None:
        target = self.path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target, data)

    def listed(self, folder: str) -> list[str]:
        try:
            return os.listdir(self.path / folder)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def remove(self, name: str) -> None:
        target = self.path / name
        if target.is_dir():
            # Under another name first, so that a reader misses all of it and never a part.
            aside = self.path / f"{PARTIAL}{secrets.token_hex(6)}"
            with contextlib.suppress(FileNotFoundError):
                target.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        with work_folder(self.path / f"{PARTIAL}{secrets.token_hex(6)}") as folder:
            (folder / STAGE).mkdir()
            yield folder / STAGE

    def put(self, staged: Path, name: str) -> None:
        target = self.path / name
        try:
            staged.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            self.remove(name)
            staged.rename(target)

    @contextlib.contextmanager
    def fetched(self, name: str) -> Iterator[Path | None]:
        yield self.kept(name)

    def kept(self, name: str) -> Path | None:
        return self.path / name if (self.path / name).is_file() else None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        handle = try_to_hold(self.path / ".lock")
        if handle is None:
            raise InUseError(_in_use(self.address))
        try:
            remove_abandoned(self.path / PARTIAL)
            yield
        finally:
            remove_abandoned(self.path / PARTIAL)
            handle.close()


class Remote:
    """A store at an address that fsspec knows: S3, a web server, memory."""

    def __init__(self, address: str) -> None:
        try:
            import fsspec
        except ImportError as error:
            raise ImportError(
                f"store={address!r}: an address takes the package fsspec ({error}). Say pip install "
                "'canvaswidget[survey]'; S3 also takes s3fs"
            ) from None
        self.address = address.rstrip("/")
        found: tuple[Any, str] = fsspec.core.url_to_fs(self.address)
        self._files, self._root = found

    def __getstate__(self) -> dict[str, Any]:
        raise TypeError("a store's address travels, not its connection")

    def names(self) -> list[str]:
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._root, detail=True)
        except FileNotFoundError:
            return []
        names = (one["name"].rstrip("/").rsplit("/", 1)[-1] for one in found if one["type"] == "directory")
        return sorted(name for name in names if not name.startswith("."))

    def read(self, name: str) -> bytes | None:
        try:
            return self._files.cat_file(f"{self._root}/{name}")
        except (FileNotFoundError, IsADirectoryError):
            return None

    def read_all(self, names: Sequence[str]) -> dict[str, bytes]:
        if not names:
            return {}
        paths = {f"{self._root}/{name}": name for name in names}
        found = self._files.cat(list(paths), on_error="return")  # all at once, where the protocol can
        if isinstance(found, bytes):
            found = {next(iter(paths)): found}
        known = {self._files._strip_protocol(path): name for path, name in paths.items()}
        results: dict[str, bytes] = {}
        for path, data in found.items():
            if isinstance(data, bytes):
                results[known[self._files._strip_protocol(path)]] = data
            elif not isinstance(data, FileNotFoundError):
                raise data
        return results

    def write(self, name: str, data: bytes) -> None:
        self._files.pipe_file(f"{self._root}/{name}", data)

    def listed(self, folder: str) -> list[str]:
        self._files.invalidate_cache()
        try:
            found = self._files.ls(f"{self._root}/{folder}".rstrip("/"), detail=False)
        except FileNotFoundError:
            return []
        return [path.rstrip("/").rsplit("/", 1)[-1] for path in found]

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            # The file that makes it a group first: what is left of a removal is no group.
            with contextlib.suppress(FileNotFoundError):
                self._files.rm_file(f"{self._root}/{name}/{ROOT}")
            self._files.rm(f"{self._root}/{name}", recursive=True)

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)

    def put(self, staged: Path, name: str) -> None:
        self.remove(name)
        for file in sorted(staged.rglob("*")):
            inside = file.relative_to(staged).as_posix()
            if file.is_file() and inside != ROOT:
                self._files.pipe_file(f"{self._root}/{name}/{inside}", file.read_bytes())
        self._files.pipe_file(f"{self._root}/{name}/{ROOT}", (staged / ROOT).read_bytes())

    @contextlib.contextmanager
    def fetched(self, name: str) -> Iterator[Path | None]:
        data = self.read(name)
        if data is None:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / Path(name).name
            target.write_bytes(data)
            yield target

    def kept(self, name: str) -> Path | None:
        data = self.read(name)
        if data is None:
            return None
        folder = tempfile.mkdtemp()
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        target = Path(folder) / Path(name).name
        target.write_bytes(data)
        return target

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        token, stop = secrets.token_hex(6), threading.Event()
        known = self.read(".lock")
        if known is not None:
            sign = json.loads(known)
            if time.time() - sign["time"] < DEAD:
                raise InUseError(_in_use(self.address))

        def beat() -> None:
            self.write(".lock", json.dumps({"token": token, "time": time.time()}).encode())

        def keep_beating() -> None:
            while not stop.wait(BEAT):
                beat()

        beat()
        if json.loads(self.read(".lock") or b"{}").get("token") != token:
            raise InUseError(_in_use(self.address))
        thread = threading.Thread(target=keep_beating, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.remove(".lock")


def _in_use(address: str) -> str:
    return (
        f"store={address!r}: another survey is writing into it. Wait for it, give both one list of jobs, or choose "
        "another store"
    )
