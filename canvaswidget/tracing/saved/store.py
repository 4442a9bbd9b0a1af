"""A folder of Zarr arrays that is either whole or not there: written under another name first, checked when read.

The root group's ``zarr.json`` describes what is kept, lists every file with its size, and names the group that holds
the arrays. It is put in place last, by one rename: until then an earlier file is what it was, afterwards it is the new
one. A writer works in a folder beside the file and holds a lock in it; the next writer removes what no process holds.
The root has a checksum of every file, and one of itself.
Nothing is pickled, and reading runs no code from the file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.files import remove_leftovers, work_folder

FORMAT = 3  # the only one that is read
KEY = "canvaswidget"
ROOT = "zarr.json"
CONTENT = "content-"  # and a token: the group that holds the arrays
PARTIAL = ".partial-"  # and the same token, after the name of the file: the folder of a writer
REMOVED = "removed-"  # and a token: a content that is being deleted
STAGE = "store"  # in the folder of a writer: what it writes, beside the file that it holds
TRIES = 5  # of a reader whose file is replaced while it is opened
CHUNK_BYTES = 2**20
CODECS = {"bytes", "blosc", "crc32c"}
DTYPES = {"float32", "uint8", "bool", "int16", "int64"}


class SavedCanvasError(ValueError):
    """A saved canvas that can't be read; the message names it and says what to do."""


# --- writing ------------------------------------------------------------------------------------------------


class Writer:
    """Takes the arrays of a file that is being written."""

    def __init__(self, folder: Path, content: str) -> None:
        import zarr

        self._zarr: Any = zarr
        self._folder, self._content = folder, content
        self._group = self._zarr.create_group(folder / content, zarr_format=3)
        self.facts: dict[str, Any] = {}
        self.n_bytes = 0  # on the disk, once it is finished

    def array(self, name: str, shape: Sequence[int], dtype: Any, rows: int = 1) -> Any:
        """An array to be filled; `rows` of its axes are told apart by chunks, the next is divided by size."""
        codecs = self._zarr.codecs
        return self._group.create_array(
            name,
            shape=tuple(shape),
            chunks=_chunks(shape, np.dtype(dtype).itemsize, rows),
            dtype=dtype,
            compressors=[codecs.BloscCodec(cname="zstd", clevel=3), codecs.Crc32cCodec()],
            config={"write_empty_chunks": True},  # a chunk that is not there is one that was lost
        )

    def put(self, name: str, values: npt.ArrayLike, rows: int = 0) -> None:
        """A whole array."""
        values = np.asarray(values)
        self.array(name, values.shape, values.dtype, rows)[...] = values

    def finish(self) -> None:
        """Describe what was written, and see it on the disk."""
        content = self._folder / self._content
        files = {
            file.relative_to(content).as_posix(): file.stat().st_size
            for file in content.rglob("*")
            if file.is_file()
        }
        checksums = {name: _checksum((content / name).read_bytes()) for name in files}
        described = {"format": FORMAT, "content": self._content, **self.facts, "files": files}
        described["checksums"] = checksums
        (self._folder / ROOT).write_text(root_text(described), encoding="utf-8")
        for file in self._folder.rglob("*"):
            _sync(file)
        _sync(self._folder)
        self.n_bytes = sum(files.values()) + (self._folder / ROOT).stat().st_size


def root_text(described: Mapping[str, Any]) -> str:
    """The root's text: a description and the checksum of the description."""
    facts = {name: value for name, value in described.items() if name != "checksum"}
    facts["checksum"] = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {KEY: facts}}, indent=1)


def _checksum(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


@contextmanager
def writing(path: Path, overwrite: bool) -> Iterator[Writer]:
    """Write a file at `path`, all or nothing: what is raised meanwhile leaves what was there."""
    check_target(path, overwrite)
    _remove_leftovers(path)
    token = secrets.token_hex(6)
    with work_folder(path.with_name(f"{path.name}{PARTIAL}{token}")) as folder:
        (folder / STAGE).mkdir()
        writer = Writer(folder / STAGE, f"{CONTENT}{token}")
        yield writer
        writer.finish()
        _put_in_place(path, folder / STAGE, f"{CONTENT}{token}", overwrite)
    _remove_leftovers(path)


def check_target(path: Path, overwrite: bool) -> None:
    """Raise where no file can be written."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
    if not path.exists():
        return
    if not overwrite:
        raise FileExistsError(f"path={str(path)!r}: exists; say overwrite=True to replace it")
    try:
        describe(path)
    except SavedCanvasError as error:
        raise FileExistsError(
            f"path={str(path)!r}: is not replaced, for it is no saved canvas that can be read ({error}). Remove it "
            "yourself, or choose another name"
        ) from None


def _put_in_place(path: Path, stage: Path, content: str, overwrite: bool) -> None:
    """Rename what was written; into an earlier file the content goes first, then the root that names it."""
    if not path.exists():
        try:
            stage.rename(path)
        except OSError:
            if not path.exists():
                raise
            check_target(path, overwrite)  # another process was sooner
        else:
            _sync(path.parent)
            return
    (stage / content).rename(path / content)
    _sync(path)
    os.replace(stage / ROOT, path / ROOT)
    _sync(path)


def _remove_leftovers(path: Path) -> None:
    """Remove what killed writers of this file left, and contents that its root does not name."""

    def is_named(content: str) -> bool:
        try:
            return describe(path)["content"] == content
        except (SavedCanvasError, FileNotFoundError):
            return True  # of a file that can't be read nothing is removed

    remove_leftovers(path.with_name(f"{path.name}{PARTIAL}"), path / CONTENT, is_named, _remove)
    for removed in path.glob(f"{REMOVED}*"):
        shutil.rmtree(removed, ignore_errors=True)


def _remove(content: Path) -> None:
    """Rename a content before it is deleted, so that a reader of it misses all of it and never a part."""
    removed = content.with_name(content.name.replace(CONTENT, REMOVED))
    try:
        content.rename(removed)
    except OSError:
        return  # another writer removes it
    shutil.rmtree(removed, ignore_errors=True)


def _sync(path: Path) -> None:
    """See a file or a folder on the disk, not in memory only."""
    if path.is_dir() and os.name == "nt":
        return  # a folder can't be opened there
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _chunks(shape: Sequence[int], itemsize: int, rows: int) -> tuple[int, ...]:
    whole = [max(1, n) for n in shape[rows + 1 :]]
    found = [1] * min(rows, len(shape))
    if len(shape) > rows:
        one = itemsize * int(np.prod(whole, dtype=np.int64))
        found.append(max(1, min(shape[rows], CHUNK_BYTES // one)))
    return (*found, *whole)


# --- reading ------------------------------------------------------------------------------------------------


def describe(path: Path) -> dict[str, Any]:
    """The description of a file: of this format, or as far as every format has it."""
    if not path.exists():
        raise FileNotFoundError(
            f"path={str(path)!r}: no such file; expected a canvas saved with canvas.save()"
        )
    root = path / ROOT
    if not path.is_dir() or not root.is_file() or root.is_symlink():
        raise SavedCanvasError(
            f"{path}: is no saved canvas: it has no {ROOT}. Expected a folder written by canvas.save()"
        )
    try:
        text = root.read_text(encoding="utf-8")
        described = json.loads(text)["attributes"][KEY]
        version, content = described["format"], described["content"]
        known = type(version) is int and re.fullmatch(rf"{CONTENT}[0-9a-f]+", content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SavedCanvasError(
            f"{path}: is no saved canvas, or a damaged one: its {ROOT} can't be read "
            f"({type(error).__name__}: {error}). Save the canvas again"
        ) from None
    if not known:
        raise SavedCanvasError(
            f"{path}: damaged: its {ROOT} is not what canvas.save() writes. Save the canvas again"
        )
    if version == FORMAT and text != root_text(described):
        raise SavedCanvasError(
            f"{path}: damaged: its {ROOT} was changed after it was written (its checksum differs). Save the canvas "
            "again, or take it from a backup"
        )
    return described


class Reader:
    """The arrays of a file; each is checked against what is expected when it is first used."""

    def __init__(self, path: Path) -> None:
        import zarr

        self._zarr: Any = zarr
        self.path = path
        self._arrays: dict[str, Any] = {}
        for left in reversed(range(TRIES)):
            self.facts: Mapping[str, Any] = self._described()
            self._folder = path / self.facts["content"]
            try:
                self._check_files()
                return
            except SavedCanvasError as error:
                if not self._is_replaced():
                    raise
                if not left:
                    raise self._replaced() from error

    def _described(self) -> dict[str, Any]:
        described = describe(self.path)
        if described["format"] != FORMAT:
            later = described["format"] > FORMAT
            raise SavedCanvasError(
                f"{self.path}: was written in format {described['format']}, by "
                f"{'a later' if later else 'an earlier'} version of canvaswidget ({described.get('version')}); this "
                f"version reads format {FORMAT}. "
                + ("Say pip install --upgrade canvaswidget" if later else "Trace the model and save it again")
            )
        return described

    def _is_replaced(self) -> bool:
        """Whether another save has put a new content in place since this one was opened."""
        try:
            return describe(self.path)["content"] != self.facts["content"]
        except (SavedCanvasError, FileNotFoundError):
            return False

    def _replaced(self) -> SavedCanvasError:
        return SavedCanvasError(
            f"{self.path}: was replaced by another save after it was opened. Open it again"
        )

    def damaged(self, what: str) -> SavedCanvasError:
        """An error that says so."""
        return SavedCanvasError(
            f"{self.path}: damaged: {what}. Save the canvas again, or take it from a backup"
        )

    def _check_files(self) -> None:
        files, checksums = self.facts.get("files"), self.facts.get("checksums")
        if not isinstance(files, Mapping) or not isinstance(checksums, Mapping):
            raise self.damaged("it does not list its files")
        folders: set[PurePosixPath] = {PurePosixPath(".")}
        self._check_kind(PurePosixPath("."), stat.S_ISDIR)
        for name, size in files.items():
            where = PurePosixPath(name)
            if str(where) != name or where.is_absolute() or ".." in where.parts or set(name) & set(":\\\0"):
                raise self.damaged(f"it lists {name!r}, which is no name of a file in it")
            for folder in {*where.parents} - folders:
                self._check_kind(folder, stat.S_ISDIR)
                folders.add(folder)
            if not isinstance(size, int):
                raise self.damaged(f"it lists {name!r} without its size")
            found = self._check_kind(where, stat.S_ISREG)
            if found.st_size != size:
                raise self.damaged(f"{name} has {found.st_size:,} of {size:,} bytes")
        if files.keys() != checksums.keys():
            raise self.damaged("it does not have a checksum for each of its files")
        for name, checksum in checksums.items():
            if PurePosixPath(name).name != ROOT:
                continue  # numbers are checked when they are read
            try:
                is_same = _checksum((self._folder / name).read_bytes()) == checksum
            except OSError as error:  # it was there when its size was asked
                raise self.damaged(f"{name} can't be read ({type(error).__name__})") from error
            if not is_same:
                raise self.damaged(f"{name} was changed after it was written")

    def _check_kind(self, where: PurePosixPath, is_kind: Callable[[int], bool]) -> os.stat_result:
        """What the disk says of a file or folder, which is no link: that could lead out of the saved canvas."""
        try:
            found = os.lstat(self._folder / where)
        except (OSError, ValueError):
            raise self.damaged(f"{where} is missing") from None
        if not is_kind(found.st_mode):
            raise self.damaged(f"{where} is a link, or of another kind")
        return found

    def read(self, name: str, shape: Sequence[int], dtype: str, index: Any = ...) -> npt.NDArray[Any]:
        """A part of an array, which has to have this shape and type."""
        try:
            if name not in self._arrays:
                self._arrays[name] = self._opened(name)
            array = self._arrays[name]
            if array.shape != tuple(shape) or array.dtype != np.dtype(dtype):
                raise ValueError(f"is {array.dtype} {array.shape}, and not {dtype} {tuple(shape)}")
            return np.asarray(array.oindex[index])
        except Exception as error:  # whatever zarr, a codec or the disk has to say
            if self._is_replaced():
                raise self._replaced() from error
            raise self.damaged(f"{name} can't be read ({type(error).__name__}: {error})") from error

    def _opened(self, name: str) -> Any:
        """An array, once it is seen to name nothing but plain numbers and the codecs that are used here."""
        described = json.loads((self._folder / name / ROOT).read_text(encoding="utf-8"))
        codecs = {codec["name"] for codec in described["codecs"]}
        if not codecs <= CODECS or described["data_type"] not in DTYPES:
            raise ValueError(f"holds {described['data_type']} in {', '.join(sorted(codecs))}")
        store = _whole_store(self._zarr, self._folder, self.facts["checksums"])
        return self._zarr.open_array(store, path=name, mode="r", zarr_format=3)


def _whole_store(zarr: Any, folder: Path, checksums: Mapping[str, str]) -> Any:
    """A folder in which a listed file that is missing, or holds something else, is an error.

    Zarr takes a missing chunk for zeros, and a chunk that stands in the place of another for that one.
    """

    class WholeStore(zarr.storage.LocalStore):
        async def get(self, key: str, *arguments: Any, **keywords: Any) -> Any:
            value = await super().get(key, *arguments, **keywords)
            if key in checksums:
                if value is None:
                    raise FileNotFoundError(f"{key} is missing")
                if _checksum(value.to_bytes()) != checksums[key]:
                    raise ValueError(f"{key} was changed after it was written")
            return value

    return WholeStore(folder, read_only=True)
