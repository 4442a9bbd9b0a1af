"""A survey's store: one group a job, each written by one worker and never shared; and an index of all.

The group of a job holds its row, and in one file each what was measured (arrays), its saved canvas and its weights: the
file system of a cluster may not allow many small files. The index is a copy of all rows for opening many groups fast:
only the survey writes it, and a group that it does not list yet is read itself.
"""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import shutil
import socket
import tempfile
import time
import weakref
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from canvaswidget.surveys.job import place_name
from canvaswidget.surveys.places import ROOT, Place
from canvaswidget.tracing import SavedCanvas
from canvaswidget.version import __version__

FORMAT = 1
KEY, ROW = "canvaswidget_survey", "canvaswidget_job"
INDEX = "index.json"
CANVAS, FINDINGS, WEIGHTS = "canvas.zip", "findings.zip", "weights.safetensors"
MOST_BYTES = 2**31  # of an array that is read
STARTS = ".starts"  # a file for each time that a job was started and has not ended
FAILED, DONE = "failed", "done"

Row = dict[str, Any]


class SurveyError(ValueError):
    """A survey's store that can't be read; the message says what to do."""


# --- the root -------------------------------------------------------------------------------------------------


def is_survey(place: Place) -> bool:
    """Whether a survey's store is there."""
    root = place.read(ROOT)
    return root is not None and KEY.encode() in root


def read_root(place: Place) -> dict[str, Any]:
    """The attributes of the store: its format and version."""
    text = place.read(ROOT)
    if text is None:
        raise FileNotFoundError(
            f"store={place.address!r}: there is no survey; expected what canvaswidget.survey wrote"
        )
    try:
        about = json.loads(text)["attributes"][KEY]
        version = int(about["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise SurveyError(
            f"store={place.address!r}: is no survey, or a damaged one ({type(error).__name__}: {error})"
        ) from None
    if version != FORMAT:
        raise SurveyError(
            f"store={place.address!r}: was written in format {version}; this version of canvaswidget ({__version__}) "
            f"reads format {FORMAT}"
        )
    return about


def write_root(place: Place) -> None:
    """Make an empty store."""
    about = {"format": FORMAT, "version": __version__}
    place.write(ROOT, _group(KEY, about))


# --- rows -----------------------------------------------------------------------------------------------------


def read_rows(place: Place) -> dict[str, Row]:
    """The row of every group, by the group's name, in the order of their jobs."""
    names = set(place.names())
    rows = {name: row for name, row in _read_index(place).items() if name in names}
    missing = sorted(names - rows.keys())
    for name, data in place.read_all([f"{name}/{ROOT}" for name in missing]).items():
        name = name.rsplit("/", 1)[0]
        row = _row_in(data, name)
        if row is not None:
            rows[name] = row
    return dict(sorted(rows.items(), key=lambda item: (item[1]["number"], item[1]["name"])))


def read_row(place: Place, name: str) -> Row | None:
    """The row of a group; None where it is not there, or not whole."""
    data = place.read(f"{name}/{ROOT}")
    return None if data is None else _row_in(data, name)


def write_index(place: Place, rows: Mapping[str, Row]) -> None:
    """Copy all rows into one file."""
    place.write(
        INDEX,
        json.dumps({"format": FORMAT, "rows": {name: _plain(row) for name, row in rows.items()}}).encode(),
    )


def _read_index(place: Place) -> dict[str, Row]:
    text = place.read(INDEX)
    if text is None:
        return {}
    try:
        listed = json.loads(text)["rows"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # a copy: the groups are read themselves
    rows = {name: _row_of(row, name) for name, row in listed}
    return {name: row for name, row in rows.items() if row is not None}


def _row_in(data: bytes, name: str) -> Row | None:
    try:
        return _row_of(json.loads(data)["attributes"][ROW], name)
    except (ValueError, KeyError, TypeError):
        return None


def _row_of(stored: Any, name: str) -> Row | None:
    """The row of a group of this name; None where it is damaged, or of another group, such as a copied one."""
    try:
        row = _restored(stored)
        return row if place_name(row["name"]) == name and {"number", "status"} <= row.keys() else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _plain(value: Any) -> Any:
    """JSON has no numbers such as nan."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _restored(value: Any) -> Any:
    if isinstance(value, Mapping):
        if value.keys() == {"float"} and value["float"] in ("nan", "inf", "-inf"):
            return float(value["float"])
        return {key: _restored(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_restored(one) for one in value]
    return value


def _group(key: str, facts: Mapping[str, Any]) -> bytes:
    """The file that makes a folder a group of Zarr with these attributes."""
    described = {"zarr_format": 3, "node_type": "group", "attributes": {key: _plain(facts)}}
    return json.dumps(described, indent=1).encode()


# --- groups ---------------------------------------------------------------------------------------------------


def put_group(place: Place, name: str, row: Row, staged: Path) -> Row:
    """Put what a worker wrote in place, with its row; returns the row that is there then.

    A failure does not replace a result of the same job from the same files: a scheduler may have started it twice.
    """
    if row["status"] == FAILED:
        there = read_row(place, name)
        if there is not None and there["status"] == DONE and is_of_same_job(there, row):
            return there
    (staged / ROOT).write_bytes(_group(ROW, row))
    place.put(staged, name)
    return row


def is_of_same_job(row: Row, other: Row) -> bool:
    """Whether two rows answer the same question about the same files."""
    return (row["digest"], row["stamp"]) == (other["digest"], other["stamp"])


def put_row(place: Place, name: str, row: Row) -> None:
    """Replace the row of a group, and leave what else it holds."""
    place.write(f"{name}/{ROOT}", _group(ROW, row))


def write_arrays(staged: Path, arrays: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Arrays of findings, by finding and name: a Zarr group in one file."""
    if not arrays:
        return
    import zarr

    package: Any = zarr
    with package.storage.ZipStore(staged / FINDINGS, mode="w") as file:
        root = package.create_group(file, zarr_format=3)
        for finding, several in arrays.items():
            group = root.create_group(finding)
            for name, values in several.items():
                if values.size:
                    group.create_array(
                        name, shape=values.shape, chunks=values.shape or None, dtype=values.dtype
                    )[...] = values


def read_arrays(place: Place, name: str, finding: str) -> dict[str, np.ndarray]:
    """The arrays of a finding of a job."""
    with place.fetched(f"{name}/{FINDINGS}") as path:
        if path is None:
            raise KeyError(f"finding={finding!r}: the survey keeps no arrays for this run")
        with _damaged_if_unreadable(place, f"{name}/{FINDINGS}"):
            zipfile.ZipFile(path).close()  # zarr's own error for a damaged archive is unclear
            return _arrays_in(path, finding)


def _arrays_in(path: Path, finding: str) -> dict[str, np.ndarray]:
    import zarr

    package: Any = zarr
    with package.storage.ZipStore(path, mode="r") as file:
        root = package.open_group(file, mode="r")
        if finding not in root:
            kept = ", ".join(sorted(root)) or "none"
            raise KeyError(
                f"finding={finding!r}: the survey keeps no arrays of it for this run; there are {kept}"
            )
        found = dict(root[finding].arrays())
        too_large = [key for key, array in found.items() if array.nbytes > MOST_BYTES]
        if too_large:
            raise ValueError(f"array {too_large[0]!r} of {finding!r} is too large")
        return {key: np.asarray(array[...]) for key, array in found.items()}


def pack_canvas(saved: Path, staged: Path) -> None:
    """Make one file of a saved canvas; its arrays are compressed already."""
    with zipfile.ZipFile(staged / CANVAS, "w", zipfile.ZIP_STORED) as file:
        for part in sorted(saved.rglob("*")):
            if part.is_file():
                file.write(part, part.relative_to(saved))


def unpack_canvas(place: Place, name: str) -> SavedCanvas:
    """The saved canvas of a job, unpacked into a folder of this machine that lasts as long as the canvas."""
    with place.fetched(f"{name}/{CANVAS}") as path:
        if path is None:
            raise SurveyError(f"store={place.address!r}: damaged: {name}/{CANVAS} is missing")
        folder = tempfile.mkdtemp()
        try:
            with _damaged_if_unreadable(place, f"{name}/{CANVAS}"):
                _unpack(path, Path(folder) / f"{name}.zarr")
            canvas = SavedCanvas(Path(folder) / f"{name}.zarr")
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    # Its arrays are read when they are asked for, perhaps after the survey that opened it is gone.
    weakref.finalize(canvas, shutil.rmtree, folder, ignore_errors=True)
    return canvas


def _unpack(path: Path, target: Path) -> None:
    with zipfile.ZipFile(path) as file:
        # What is not compressed is not larger than the file.
        if any(part.compress_type != zipfile.ZIP_STORED for part in file.infolist()):
            raise zipfile.BadZipFile("it is compressed")
        file.extractall(target)


@contextlib.contextmanager
def _damaged_if_unreadable(place: Place, name: str) -> Iterator[None]:
    """Name the file that can't be read; `KeyError` is of a caller who asks for something else."""
    try:
        yield
    except (zipfile.BadZipFile, EOFError, OSError, RuntimeError, ValueError, TypeError) as error:
        raise SurveyError(
            f"store={place.address!r}: damaged: {name} can't be read ({type(error).__name__}: {error})"
        ) from error


# --- starts ---------------------------------------------------------------------------------------------------


def count_start(place: Place, name: str) -> int:
    """Note that a job is started, and return the number of its starts that have not ended, with this one."""
    sign = {"host": socket.gethostname(), "time": time.time()}
    earlier = sum(one.startswith(f"{name}.") for one in place.listed(STARTS))
    place.write(f"{STARTS}/{name}.{secrets.token_hex(4)}", json.dumps(sign).encode())
    return earlier + 1


def was_started(place: Place, name: str) -> bool:
    """Whether a job was started and has not ended."""
    return any(one.startswith(f"{name}.") for one in place.listed(STARTS))


def forget_starts(place: Place, names: Iterable[str]) -> None:
    """Remove the notes of jobs that have ended, or will be done from the beginning."""
    wanted = set(names)
    for one in place.listed(STARTS):
        # A worker that died while it wrote a note left the file that `write_whole` begins with.
        note = one[1:].removesuffix(".part") if one.startswith(".") else one
        if note.rsplit(".", 1)[0] in wanted:
            place.remove(f"{STARTS}/{one}")
