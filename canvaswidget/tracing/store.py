"""A folder of Zarr arrays that is either whole or not there: written under another name first, checked when read.

The root group's ``zarr.json`` describes what is kept, lists every file with its size, and names the group that holds
the arrays. It is put in place last, by one rename: until then an earlier file is what it was, afterwards it is the new
one.
Nothing is pickled, and reading runs no code from the file.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FORMAT = 1
KEY = "canvaswidget"
ROOT = "zarr.json"
CHUNK_BYTES = 2**20
CODECS = {"bytes", "blosc", "crc32c"}
DTYPES = {"float32", "uint8", "bool", "int16", "int64"}


class SavedCanvasError(ValueError):
    """A saved canvas that can't be read; the message names it and says what to do."""


def zarr() -> Any:
    """The package, which is wanted only here."""
    try:
        import zarr as found
    except ImportError as error:
        raise ImportError(
            f"saved canvases need the package zarr, 3.0 or later ({error}). Say pip install 'zarr>=3'; it needs "
            "Python 3.11 or later"
        ) from None
    if int(found.__version__.split(".")[0]) < 3:
        raise ImportError(
            f"saved canvases need zarr 3.0 or later, here is {found.__version__}. Say pip install 'zarr>=3'"
        )
    return found


# --- writing ------------------------------------------------------------------------------------------------


class Writer:
    """Takes the arrays of a file that is being written."""

    def __init__(self, folder: Path, content: str) -> None:
        self._zarr = zarr()
        self._folder, self._content = folder, content
        self._group = self._zarr.create_group(folder / content, zarr_format=3)
        self.facts: dict[str, Any] = {}

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

    def finish(self) -> int:
        """Describe what was written, and see it on the disk; how many bytes it is."""
        content = self._folder / self._content
        files = {
            file.relative_to(content).as_posix(): file.stat().st_size
            for file in content.rglob("*")
            if file.is_file()
        }
        described = {"format": FORMAT, "content": self._content, **self.facts, "files": files}
        root = {"zarr_format": 3, "node_type": "group", "attributes": {KEY: described}}
        (self._folder / ROOT).write_text(json.dumps(root, indent=1), encoding="utf-8")
        for file in self._folder.rglob("*"):
            _sync(file)
        _sync(self._folder)
        return sum(files.values()) + (self._folder / ROOT).stat().st_size


@contextmanager
def writing(path: Path, overwrite: bool) -> Iterator[Writer]:
    """Write a file at `path`, all or nothing: what is raised meanwhile leaves what was there."""
    check_target(path, overwrite)
    token = secrets.token_hex(6)
    folder, content = path.with_name(f"{path.name}.partial-{token}"), f"content-{token}"
    folder.mkdir()
    try:
        writer = Writer(folder, content)
        yield writer
        writer.finish()
        if path.exists():
            _replace(path, folder, content)
        else:
            folder.rename(path)
            _sync(path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


def _replace(path: Path, folder: Path, content: str) -> None:
    """Move the new content in beside the old one, then turn to it."""
    (folder / content).rename(path / content)
    _sync(path)
    os.replace(folder / ROOT, path / ROOT)
    _sync(path)
    for other in path.glob("content-*"):
        if other.name != content:
            shutil.rmtree(other, ignore_errors=True)


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
    """What a file says of itself, as far as any version does."""
    if not path.exists():
        raise FileNotFoundError(
            f"path={str(path)!r}: no such file; expected a canvas saved with canvas.save()"
        )
    root = path / ROOT
    if not path.is_dir() or not root.is_file():
        raise SavedCanvasError(
            f"{path}: is no saved canvas: it has no {ROOT}. Expected a folder written by canvas.save()"
        )
    try:
        described = json.loads(root.read_text(encoding="utf-8"))["attributes"][KEY]
        version, content = described["format"], described["content"]
        known = type(version) is int and re.fullmatch(r"content-[0-9a-f]+", content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SavedCanvasError(
            f"{path}: is no saved canvas, or a damaged one: its {ROOT} can't be read "
            f"({type(error).__name__}: {error}). Save the canvas again"
        ) from None
    if not known:
        raise SavedCanvasError(
            f"{path}: damaged: its {ROOT} is not what canvas.save() writes. Save the canvas again"
        )
    return described


class Reader:
    """The arrays of a file; each is checked against what is expected when it is first used."""

    def __init__(self, path: Path) -> None:
        self.path, self._zarr = path, zarr()
        described = describe(path)
        if described["format"] > FORMAT:
            raise SavedCanvasError(
                f"{path}: was written by canvaswidget {described.get('version', 'of a later version')} in format "
                f"{described['format']}; this version reads up to {FORMAT}. Say pip install --upgrade canvaswidget"
            )
        self.facts: Mapping[str, Any] = described
        self._folder = path / described["content"]
        self._arrays: dict[str, Any] = {}
        self._check_files()

    def damaged(self, what: str) -> SavedCanvasError:
        """An error that says so."""
        return SavedCanvasError(
            f"{self.path}: damaged: {what}. Save the canvas again, or take it from a backup"
        )

    def _check_files(self) -> None:
        files = self.facts.get("files")
        if not isinstance(files, Mapping):
            raise self.damaged("it does not list its files")
        for name, size in files.items():
            file = self._folder / name
            if not file.is_file():
                raise self.damaged(f"{name} is missing")
            if file.stat().st_size != size:
                raise self.damaged(f"{name} has {file.stat().st_size:,} of {size:,} bytes")

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
            raise self.damaged(f"{name} can't be read ({type(error).__name__}: {error})") from error

    def _opened(self, name: str) -> Any:
        """An array, once it is seen to name nothing but plain numbers and the codecs that are used here."""
        described = json.loads((self._folder / name / ROOT).read_text(encoding="utf-8"))
        codecs = {codec["name"] for codec in described["codecs"]}
        if not codecs <= CODECS or described["data_type"] not in DTYPES:
            raise ValueError(f"holds {described['data_type']} in {', '.join(sorted(codecs))}")
        return self._zarr.open_array(self._folder / name, mode="r", zarr_format=3)
