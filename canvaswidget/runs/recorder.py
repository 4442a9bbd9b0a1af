"""Keep the weights of a training at some of its steps, in a folder that can be read meanwhile."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from canvaswidget.arguments import as_integer, checked, integer, some_steps, wrong_type
from canvaswidget.files import write_whole
from canvaswidget.models.weights import write_tensors

LAST = 10**15  # more steps than any training has
INDEX = "index.json"


class Recorder:
    """Writes a network's weights to a folder while it is trained; `Runs.from_checkpoints` reads it.

    Each step is a safetensors file of its own, and an index says what is known of it. Files are written whole or not at
    all and the index last, so that the folder can be read at any time, and a training that was killed goes on in it.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    every : int, optional
        Keep every such step.
    at : sequence of int, optional
        Keep these steps.

    Examples
    --------
    >>> recorder = cw.Recorder("training/", every=500)  # doctest: +SKIP
    >>> for step in range(5000):  # doctest: +SKIP
    ...     loss = ...
    ...     recorder(step, model, loss=loss)
    """

    @checked(every=integer(1), at=some_steps)
    def __init__(
        self, folder: str | os.PathLike[str], every: int | None = None, at: Collection[int] | None = None
    ) -> None:
        if every is None and at is None:
            raise ValueError(
                "every=None, at=None: say which steps to keep, such as every=500 or at=[0, 10, 100]"
            )
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.every, self.at = every, frozenset(() if at is None else map(int, at))
        self._entries = {entry["step"]: entry for entry in read_index(self.folder)}

    @property
    def steps(self) -> list[int]:
        """Those that are kept, ascending."""
        return sorted(self._entries)

    def __call__(self, step: int, model: nn.Module, **facts: Any) -> bool:
        """Keep the weights, where this is a step to keep.

        Parameters
        ----------
        step : int
        model : torch.nn.Module
            Neither changed nor moved. Of ``torch.compile`` and data-parallel wrappers the module within is kept.
        **facts
            Numbers to keep with it, such as ``loss``, ``psnr`` and ``lr``; a tensor of one value is one.

        Returns
        -------
        bool
            Whether it was kept.
        """
        number = as_integer(step)
        if number is None or not 0 <= number < LAST:  # it is in the file's name
            raise wrong_type("step", step, "an int that is not negative, of at most 15 digits")
        if not isinstance(model, nn.Module):
            raise wrong_type("model", model, "a torch.nn.Module")
        if number not in self.at and (self.every is None or number % self.every):
            return False
        known = {name: _number(name, value) for name, value in facts.items()}
        model = getattr(model, "_orig_mod", model)  # of torch.compile
        model = (
            model.module
            if isinstance(model, nn.parallel.DataParallel | nn.parallel.DistributedDataParallel)
            else model
        )
        self._write(number, model.state_dict(), known)
        return True

    def _write(
        self, step: int, weights: Mapping[str, torch.Tensor], facts: Mapping[str, float | None]
    ) -> None:
        file = f"step-{step:08d}.safetensors"
        write_tensors(self.folder / file, weights)
        self._entries[step] = {"step": step, "file": file, "facts": dict(facts)}
        entries = [self._entries[number] for number in sorted(self._entries)]
        write_whole(self.folder / INDEX, json.dumps({"steps": entries}, indent=1).encode())


def is_recorded(folder: Path) -> bool:
    """Whether a folder was written by a `Recorder`."""
    return (folder / INDEX).is_file()


def read_index(folder: Path) -> list[dict[str, Any]]:
    """What a `Recorder` has kept so far: step, file and facts of each; none in a new folder.

    Raises
    ------
    ValueError
        The index is damaged.
    """
    path = folder / INDEX
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text())["steps"]
        found = [
            {"step": int(one["step"]), "file": os.path.basename(one["file"]), "facts": dict(one["facts"])}
            for one in entries
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"folder={str(folder)!r}: its {INDEX} is no index of a Recorder ({error})") from None
    return found


def _number(name: str, value: Any) -> float | None:
    try:
        number = float(value.detach() if isinstance(value, torch.Tensor) else value)
    except (TypeError, ValueError, RuntimeError):
        raise wrong_type(name, value, "a number, or a tensor of one value") from None
    return number if math.isfinite(number) else None
