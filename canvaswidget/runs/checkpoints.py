"""Checkpoints of one network: where their weights are, and the step of each."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from canvaswidget.arguments.kinds import wrong_type
from canvaswidget.inr import INR
from canvaswidget.models import load_weights
from canvaswidget.runs.recorder import is_recorded, read_index

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")


@dataclass
class Checkpoint:
    """Weights of a network at one step.

    Attributes
    ----------
    inr : callable
        Makes the INR with these weights from the network's.
    facts : dict
        What is known of it.
    stamp
        Of its file, which differs once that was written again.
    """

    inr: Callable[[INR], INR]
    facts: Mapping[str, Any] = field(default_factory=dict)
    stamp: Any = None


def find_checkpoints(weights: Any) -> dict[str | int, Checkpoint]:
    """Checkpoints by step, in ascending order; see `Runs.from_checkpoints`."""
    if isinstance(weights, Mapping):
        found: dict[str | int, Checkpoint] = {}
        for key, one in weights.items():
            if isinstance(key, bool) or not isinstance(key, str | int):
                raise wrong_type("weights", key, "steps or names as keys")
            found[key] = _checkpoint(one, f"weights[{key!r}]")
        return _ordered(found)
    if not isinstance(weights, str | os.PathLike):
        raise wrong_type(
            "weights", weights, "{step: state dict or file}, a folder, or a pattern such as 'run/*.pt'"
        )
    path = Path(weights)
    if is_recorded(path):
        entries = read_index(path)
        return _ordered(
            {one["step"]: _checkpoint(path / one["file"], one["file"], one["facts"]) for one in entries}
        )
    if path.is_dir():
        files = [file for file in path.iterdir() if file.suffix in SUFFIXES and not file.name.startswith(".")]
    else:
        files = [Path(file) for file in glob.glob(str(path))]
    if not files:
        kinds = ", ".join(SUFFIXES)
        raise FileNotFoundError(f"weights={str(weights)!r}: no checkpoint is there; expected files ({kinds})")
    found = {}
    for file in sorted(files):
        step = _step_of(file)
        if step in found:
            raise ValueError(
                f"weights={str(weights)!r}: two files are of step {step}; {file.name!r} is the second"
            )
        found[step] = _checkpoint(file, file.name)
    return _ordered(found)


def _checkpoint(source: Any, said: str, facts: Mapping[str, Any] | None = None) -> Checkpoint:
    """A checkpoint of a file or a state dict."""
    stamp: Any = id(source)
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        stamp = (path, *((about.st_mtime_ns, about.st_size) if (about := _about(path)) else ()))
    return Checkpoint(_with(source, said), facts or {}, stamp)


def _about(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # it is missing, which is told when it is asked for
        return None


def _with(source: Any, said: str) -> Callable[[INR], INR]:
    """How an INR gets weights of a file or a state dict."""
    if not isinstance(source, str | os.PathLike | Mapping):
        raise wrong_type(said, source, "a state dict or a file")

    def make(network: INR) -> INR:
        weights: Any = load_weights(os.fspath(source)) if isinstance(source, str | os.PathLike) else source
        for name, tensor in weights.items():
            if not isinstance(tensor, torch.Tensor):
                raise wrong_type(f"{said}[{name!r}]", tensor, "a tensor")
        return network.with_weights(weights)

    return make


def _step_of(file: Path) -> int:
    """The last number in a file's name."""
    numbers = re.findall(r"\d+", file.stem)
    if not numbers:
        raise ValueError(
            f"weights: {file.name!r} has no number in its name, so its step is not known; give {{step: file}}"
        )
    return int(numbers[-1])


def _ordered(found: dict[str | int, Checkpoint]) -> dict[str | int, Checkpoint]:
    """Steps in ascending order; names as they come."""
    if all(isinstance(key, int) for key in found):
        return dict(sorted(found.items(), key=lambda item: item[0]))
    return found
