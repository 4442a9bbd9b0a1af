"""What is looked at and changed in the files of a saved canvas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import canvaswidget as cw
from canvaswidget.tracing.saved import store


def unkept_neuron(saved: cw.SavedCanvas) -> tuple[int, int]:
    layer = saved.layers[1]
    place = next(p for p in range(layer.n_kernels) if p not in saved.kept(1))
    return place // layer.n_outputs, place % layer.n_outputs


def kept_maps(saved: cw.SavedCanvas) -> list[np.ndarray]:
    layer = saved.traced_layers[0]
    neurons = np.stack(np.unravel_index(saved.kept(layer), layer.neurons), 1)
    return list(saved.maps(layer, neurons, 2))


def same_files(a: Path, b: Path) -> bool:
    files = [{f.relative_to(p): f.read_bytes() for f in p.rglob("*") if f.is_file()} for p in (a, b)]
    return files[0] == files[1]


def content(file: Path) -> Path:
    (found,) = file.glob("content-*")
    return found


def edit(path: Path, change: Any) -> None:
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def facts(file: Path, **changes: Any) -> None:
    """Change the description as somebody would who knows the checksum."""
    described = json.loads((file / "zarr.json").read_text())["attributes"]["canvaswidget"]
    (file / "zarr.json").write_text(store.root_text({**described, **changes}))


def link(path: Path) -> None:
    """Put a link to it where a file or a folder was."""
    path.rename(path.with_name("moved"))
    path.symlink_to(path.with_name("moved"))


def exchange(file: Path, one: str, other: str) -> None:
    """Each of two chunks in the place of the other, with its size in the list of files."""
    described = json.loads((file / "zarr.json").read_text())["attributes"]["canvaswidget"]
    data = [(content(file) / name).read_bytes() for name in (one, other)]
    for name, values in zip((other, one), data, strict=True):
        (content(file) / name).write_bytes(values)
        described["files"][name] = len(values)
    facts(file, files=described["files"])
