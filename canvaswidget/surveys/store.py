"""A survey's store: one group a job, each written by one worker and never shared; and an index of all.

The group of a job holds its row, and in one file each what was measured (arrays), its saved canvas and its weights: the
file system of a cluster may not allow many small files. The index is a copy of all rows for opening many groups fast:
only the survey writes it, and a group that it does not list yet is read itself.
"""

from __future__ import annotations

import json
import math
import secrets
import socket
import time
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from canvaswidget.surveys.places import ROOT, Place
from canvaswidget.tracing import SavedCanvas
from canvaswidget.tracing.saved.store import zarr
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
    """What the store says of itself: its format and what was measured."""
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
    names = [name for name in place.names() if not name.startswith(".")]
    rows = {name: row for name, row in _read_index(place).items() if name in set(names)}
    missing = [name for name in names if name not in rows]
    for name, data in place.read_all([f"{name}/{ROOT}" for name in missing]).items():
        row = _row_of(data)
        if row is not None:
            rows[name.rsplit("/", 1)[0]] = row
    return dict(sorted(rows.items(), key=lambda item: (item[1]["number"], item[1]["name"])))


def read_row(place: Place, name: str) -> Row | None:
    """The row of a group; None where it is not there, or not whole."""
    data = place.read(f"{name}/{ROOT}")
    return None if data is None else _row_of(data)


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
        return {name: _restored(row) for name, row in json.loads(text)["rows"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # a copy: the groups are read themselves


def _row_of(data: bytes) -> Row | None:
    try:
        row = _restored(json.loads(data)["attributes"][ROW])
        return row if {"name", "number", "status"} <= row.keys() else None
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
        if value.keys() == {"float"}:
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


def put_group(place: Place, name: str, row: Row, staged: Path) -> None:
    """Put what a worker wrote in place, with its row. What failed never takes the place of what was done."""
    if row["status"] == FAILED:
        there = read_row(place, name)
        if there is not None and there["status"] == DONE and there["digest"] == row["digest"]:
            return
    (staged / ROOT).write_bytes(_group(ROW, row))
    place.put(staged, name)


def write_arrays(staged: Path, arrays: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Arrays of findings, by finding and name: a Zarr group in one file."""
    if not arrays:
        return
    package = zarr()
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
    path, package = place.fetched(f"{name}/{FINDINGS}"), zarr()
    if path is None:
        raise KeyError(f"finding={finding!r}: the survey keeps no arrays for this run")
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
            raise SurveyError(
                f"store={place.address!r}: damaged: array {too_large[0]!r} of {finding!r} is too large"
            )
        return {key: np.asarray(array[...]) for key, array in found.items()}


def pack_canvas(saved: Path, staged: Path) -> None:
    """Make one file of a saved canvas; its arrays are compressed already."""
    with zipfile.ZipFile(staged / CANVAS, "w", zipfile.ZIP_STORED) as file:
        for part in sorted(saved.rglob("*")):
            if part.is_file():
                file.write(part, part.relative_to(saved))


def unpack_canvas(place: Place, name: str, folder: Path) -> SavedCanvas:
    """The saved canvas of a job, unpacked into a folder of this machine."""
    path = place.fetched(f"{name}/{CANVAS}")
    if path is None:
        raise SurveyError(f"store={place.address!r}: damaged: {name}/{CANVAS} is missing")
    target = folder / f"{name}.zarr"
    if not target.exists():
        try:
            with zipfile.ZipFile(path) as file:
                # What is not compressed is not larger than the file.
                if any(part.compress_type != zipfile.ZIP_STORED for part in file.infolist()):
                    raise zipfile.BadZipFile("it is compressed")
                file.extractall(target)
        except zipfile.BadZipFile as error:
            raise SurveyError(
                f"store={place.address!r}: damaged: {name}/{CANVAS} can't be read ({error})"
            ) from None
    return SavedCanvas(target)


# --- starts ---------------------------------------------------------------------------------------------------


def count_start(place: Place, name: str) -> int:
    """Note that a job is started; how often it has been without an end, this time included."""
    sign = {"host": socket.gethostname(), "time": time.time()}
    earlier = sum(one.startswith(f"{name}.") for one in place.listed(STARTS))
    place.write(f"{STARTS}/{name}.{secrets.token_hex(4)}", json.dumps(sign).encode())
    return earlier + 1


def forget_starts(place: Place, names: Iterable[str]) -> None:
    """Of jobs that have ended, or are to be done from the beginning."""
    wanted = set(names)
    for one in place.listed(STARTS):
        if one.rsplit(".", 1)[0] in wanted:
            place.remove(f"{STARTS}/{one}")
