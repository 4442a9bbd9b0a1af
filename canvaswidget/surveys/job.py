"""A job of a survey: how a worker makes one network, in plain values that any process can read."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from canvaswidget import media
from canvaswidget.arguments.kinds import as_integer, is_number, is_sequence, wrong_type, wrong_value
from canvaswidget.fitting.families import model_for
from canvaswidget.fitting.fit import fit
from canvaswidget.fitting.result import Fit
from canvaswidget.inr import INR, as_inr
from canvaswidget.inr.factories import is_factory, made
from canvaswidget.inr.loading import load, with_truth
from canvaswidget.models import load_weights
from canvaswidget.tracing import Canvas

FIT_OPTIONS = ("model", "options", "epochs", "steps", "seconds", "lr", "batch_size", "seed")
PLAIN = str | int | float | bool | None
# Columns of a survey's table, which parameters can't be called.
RESERVED = frozenset(
    {
        "status",
        "rule",
        "n_weights",
        "n_frames",
        "hash",
        "device",
        "size",
        "estimated",
        "trouble",
        "seconds",
        "host",
    }
    | {"time", "error", "canvaswidget", "torch", "numpy", "python", "psnr", "ssim"}
)


@dataclass(frozen=True)
class Job:
    """One network of a survey: a specification, never a module. It is made, and traced, where it is worked on.

    Parameters
    ----------
    name : str
        Unique in a survey; the run is called so.
    weights : path or "module:function", optional
        Weights of an FFN, a SIREN or a NeRV; or, with `inr`, of any network; or a function that returns an INR.
        A worker has to find the file, or to be able to import the module.
    inr : "module:function", optional
        How the network of `weights` is made: returns an INR, or a module that `canvaswidget.as_inr` takes.
    options : mapping
        Keywords of the function.
    fit : mapping, optional
        Instead of `weights`: train a model to be `truth`. ``model`` is "ffn", "siren", "nerv" or "module:function",
        ``options`` are its keywords, the others are those of `canvaswidget.fit`: ``epochs``, ``steps``, ``seconds``,
        ``lr``, ``batch_size``, ``seed``.
    truth : path or "module:function", optional
        The signal: an image, a video, a folder of images, or a function that returns frames.
    truth_options : mapping
        Keywords of that function.
    n_frames, size
        The signal's extent, where neither the weights nor `truth` determine it; with `fit`, `truth` is cut and resized
        to it.
    frames : sequence of int
        The frames to analyse; -1 is the last.
    rule : str, optional
        By default the one that `canvaswidget.trace` chooses.
    seed : int
        Of everything random: initial weights, training, sampling.
    parameters : mapping
        Labels of the run, such as ``{"video": "bunny", "model": "nerv"}``: columns of the table. Single values; they
        can be changed without doing the job again.

    Examples
    --------
    >>> Job("bunny, seed 0", weights="nerv.safetensors", truth="bunny.mp4", seed=0).name
    'bunny, seed 0'
    """

    name: str
    weights: str | None = None
    inr: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    fit: Mapping[str, Any] | None = None
    truth: str | None = None
    truth_options: Mapping[str, Any] = field(default_factory=dict)
    n_frames: int | None = None
    size: tuple[int, int] | None = None
    frames: tuple[int, ...] = (0,)
    rule: str | None = None
    seed: int = 0
    parameters: Mapping[str, PLAIN] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise wrong_type("name", self.name, "a name of at least one letter")
        for what in ("weights", "inr", "truth", "rule"):
            value = getattr(self, what)
            if value is not None:
                if not isinstance(value, str | os.PathLike):
                    raise wrong_type(
                        what, value, "a text: jobs travel to other machines, so they hold no modules"
                    )
                if not os.fspath(value).strip():
                    raise wrong_value(what, value, "a text that is not empty")
                object.__setattr__(self, what, os.fspath(value))
        self._check_network()
        for what in ("options", "truth_options", "parameters", "fit"):
            value = getattr(self, what)
            if value is not None or what != "fit":
                object.__setattr__(self, what, _plain_mapping(what, value))
        object.__setattr__(
            self, "n_frames", None if self.n_frames is None else _integer("n_frames", self.n_frames, 1)
        )
        for key, value in self.parameters.items():
            if isinstance(value, list | dict):
                raise wrong_type(f"parameters[{key!r}]", value, "a text, a number or a boolean")
        taken = sorted(RESERVED & set(self.parameters))
        if taken:
            raise ValueError(f"job {self.name!r}: parameter {taken[0]!r} is a column of the table; rename it")
        object.__setattr__(self, "seed", _integer("seed", self.seed, 0))
        if self.size is not None:
            if not is_sequence(self.size) or len(self.size) != 2:
                raise wrong_type("size", self.size, "(height, width)")
            object.__setattr__(self, "size", tuple(_integer("size", side, 1) for side in self.size))
        frames = [self.frames] if as_integer(self.frames) is not None else self.frames
        if not is_sequence(frames) or not len(frames):
            raise wrong_type("frames", self.frames, "a sequence of at least one frame")
        object.__setattr__(self, "frames", tuple(_integer("frames", frame, None) for frame in frames))

    def _check_network(self) -> None:
        if (self.weights is None and self.inr is None) == (self.fit is None):
            raise ValueError(
                f"job {self.name!r}: give either weights= (or inr=) or fit=: a network is loaded or trained"
            )
        if self.fit is not None:
            if self.truth is None:
                raise ValueError(f"job {self.name!r}: fit= needs truth=, the signal to train on")
            if not isinstance(self.fit, Mapping) or not isinstance(self.fit.get("model"), str):
                raise ValueError(
                    f"job {self.name!r}: fit= needs a model, such as fit={{'model': 'nerv', 'steps': 500}}"
                )
            unknown = sorted(set(self.fit) - set(FIT_OPTIONS))
            if unknown:
                raise wrong_value("fit", unknown[0], "keys among " + ", ".join(FIT_OPTIONS))
        if self.inr is not None and not is_factory(self.inr):
            raise wrong_value("inr", self.inr, "'module:function'")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Job:
        """The job of what `to_dict` gives."""
        names = [one.name for one in dataclasses.fields(cls)]
        if not isinstance(values, Mapping) or not all(key in names for key in values) or "name" not in values:
            raise wrong_type("values", values, f"a mapping with 'name' and others of {', '.join(names)}")
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON writes them."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @property
    def place(self) -> str:
        """The name of its group in a store."""
        return place_name(self.name)

    def digest(self, what: Mapping[str, Any]) -> str:
        """A hash of the job and of what is measured; results with another hash can't be reused."""
        values = {**self.to_dict(), "parameters": None}
        try:
            text = json.dumps([values, what], sort_keys=True) if isinstance(what, Mapping) else ""
        except (TypeError, ValueError):
            text = ""
        if not text:
            raise wrong_type("what", what, "a mapping of plain values")
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def stamp(self) -> list[Any]:
        """Size and time of its files, by which a survey notices that a file was written again.

        None of a function, of an address, and of a file that is missing, which the worker reports.
        """
        return [_stamp_of(text) for text in (self.weights, self.truth)]

    def make(self) -> INR:
        """The network with its signal: loaded, made by the user's function, or trained.

        torch's global random state is left as it is.
        """
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(self.seed)
            inr = self.train().inr if self.fit is not None else self._loaded()
        inr.name = self.name
        return inr

    def _loaded(self) -> INR:
        if self.weights is not None and self.inr is None and not is_factory(self.weights):
            return load(self.weights, self._signal(), n_frames=self.n_frames, size=self.size)
        given = made(self.inr or self.weights or "", self.options)
        inr = given.inr if isinstance(given, Canvas) else as_inr(given, self.n_frames, self.size)
        if self.inr is not None and self.weights is not None:
            inr = inr.with_weights(load_weights(self.weights))
        if self.truth is not None:
            inr = with_truth(inr, media.read(self._signal(), inr.size).frames)
        return inr

    def train(self, most_steps: int | None = None) -> Fit:
        """Train as `fit` specifies, for at most so many steps; it draws from torch's global random state."""
        if self.fit is None:
            raise ValueError(f"job {self.name!r}: has no fit=, so there is nothing to train")
        options = dict(self.fit)
        if most_steps is not None:
            most_steps = _integer("most_steps", most_steps, 1)
            options["steps"] = min(most_steps, options.get("steps") or most_steps)
        name, keywords = options.pop("model"), options.pop("options", None)
        count = None if self.n_frames is None else (0, self.n_frames)
        clip = media.read(self._signal(), self.size, count)
        seed = options.pop("seed", self.seed)
        torch.manual_seed(seed)
        model = model_for(name, clip, keywords)
        return fit(model, clip, **options, seed=seed, progress=False)

    def _signal(self) -> Any:
        """What `media.read` takes: a path, or what a function of the user's returns."""
        if self.truth is None or not is_factory(self.truth):
            return self.truth
        return made(self.truth, self.truth_options)


def _stamp_of(text: str | None) -> list[int] | None:
    try:
        about = os.stat(text or "")
        if text is None or not os.path.isdir(text):
            return [about.st_size, about.st_mtime_ns]
        with os.scandir(text) as found:  # a folder's own time does not change with its images
            inside = [one.stat() for one in found if one.is_file()]
        return [
            sum(one.st_size for one in inside),
            max((one.st_mtime_ns for one in inside), default=0),
            len(inside),
        ]
    except OSError:
        return None


def _integer(name: str, value: Any, least: int | None) -> int:
    number = as_integer(value)
    if number is None:
        raise wrong_type(name, value, "an int")
    if least is not None and number < least:
        raise wrong_value(name, value, f"an int of at least {least}")
    return number


def _plain_mapping(name: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise wrong_type(name, values, "a mapping")
    return {str(key): plain(f"{name}[{key!r}]", value) for key, value in values.items()}


def plain(name: str, value: Any) -> Any:
    """The value as plain Python that JSON writes and reads back unchanged.

    Raises
    ------
    TypeError
        JSON can't write it.
    """
    if isinstance(value, Mapping):
        return _plain_mapping(name, value)
    if is_sequence(value):
        return [plain(f"{name}[{place}]", part) for place, part in enumerate(value)]
    whole = as_integer(value)
    if whole is not None and not isinstance(value, str):
        return whole
    if is_number(value):
        return float(value)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    raise wrong_type(name, value, "plain values: texts, numbers, booleans, lists and mappings of them")


def place_name(name: str) -> str:
    """The name of the group of a job: readable, safe on every file system, unique to the job's name."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:40] or "job"
    # File names that are no UTF-8 have surrogates.
    return f"{readable}-{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:10]}"


def names_are_unique(jobs: Sequence[Job]) -> None:
    """Raise ValueError where two jobs have one name."""
    seen: set[str] = set()
    for job in jobs:
        if job.name in seen:
            raise ValueError(f"jobs: two are called {job.name!r}; each needs a name of its own")
        seen.add(job.name)
