"""What a saved canvas says of itself: its INR, layers, frames, regions and clusters, read from a store."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from canvaswidget.arguments import checked_index
from canvaswidget.tracing.errors import NotKeptError
from canvaswidget.tracing.layers import Layer, Layers
from canvaswidget.tracing.saved.store import Reader, SavedCanvasError

FloatArray = npt.NDArray[np.float32]
MOST = 2**20  # frames, and pixels along a side
MOST_KERNELS = 2**48  # of a layer
SHOWN = 12  # frames or pixels that a message lists


class KeptFrames:
    """Some frames of a clip, looked up by their numbers in the clip; the other frames take no memory."""

    def __init__(self, values: FloatArray, frames: Sequence[int]) -> None:
        self._values = values
        self._place = {frame: place for place, frame in enumerate(frames)}

    def __getitem__(self, frame: int | Sequence[int]) -> FloatArray:
        """One frame ``(h, w, 3)``, or several."""
        numbers = np.asarray(frame)
        missing = [int(number) for number in np.atleast_1d(numbers) if int(number) not in self._place]
        if missing:
            raise NotKeptError(f"the signal is not kept on frame {missing[0]}, only on {listed(self._place)}")
        places = [self._place[int(number)] for number in np.atleast_1d(numbers)]
        return self._values[places] if numbers.ndim else self._values[places[0]]


@dataclass
class SavedSignal:
    """What was kept of an INR: there is no module."""

    name: str
    size: tuple[int, int]
    n_frames: int
    truth: Any
    origin: str

    def frame_index(self, frame: int) -> int:
        """A frame number counted from 0."""
        return checked_index("frame", frame, self.n_frames)


class Estimated(NamedTuple):
    """How a layer's totals were estimated, frame by frame: passes, and the accuracy, None where they are exact."""

    passes: tuple[int, ...]
    accuracy: tuple[float | None, ...]


@dataclass(frozen=True)
class Description:
    """What is known of a saved canvas before a map is read; see `SavedCanvas` for what each is."""

    inr: SavedSignal
    rule: str
    why: str
    options: dict[str, str]
    layers: Layers
    traced_layers: Layers
    frames: tuple[int, ...]
    n_channels: int
    pixels: tuple[tuple[int, int], ...]
    regions: dict[str, Any]
    clusters: tuple[SimpleNamespace, ...]
    provenance: dict[str, Any]
    trouble: dict[str, str]
    why_no_colours: dict[str, str]
    neurons: dict[str, npt.NDArray[np.int64]]
    estimated: dict[str, Estimated]

    def rows(self) -> list[list[str]]:
        """What is stored, as rows of a table."""
        (height, width), n_frames = self.inr.size, self.inr.n_frames
        kept = ", ".join(
            f"{len(self.neurons[layer.name]):,} of {math.prod(layer.neurons):,} ({layer.name})"
            for layer in self.traced_layers
        )
        versions = f"canvaswidget {self.provenance['canvaswidget']}, torch {self.provenance['torch']}"
        return [
            ["model", f"{self.inr.name}, {n_frames} frames of {height}x{width}"],
            ["weights", str(self.provenance["hash"])],
            ["rule", ", ".join([self.rule, *(f"{name}={value}" for name, value in self.options.items())])],
            ["written by", versions],
            ["frames", listed(self.frames)],
            ["maps", kept],
            ["pixels", listed(self.pixels)],
            ["regions", listed(self.regions)],
            ["clusters", listed(f"{len(one.counts)} of {one.layer}" for one in self.clusters)],
            *([["totals estimated", listed(self.estimated)]] if self.estimated else []),
            *(["WARNING", problem] for problem in self.trouble.values()),
        ]


def read_description(reader: Reader, path: Path) -> Description:
    """Read the description of the canvas in a store.

    Raises
    ------
    SavedCanvasError
        It is not what `Canvas.save` writes.
    """
    try:
        return _description(reader, path)
    except SavedCanvasError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise reader.damaged(f"its description can't be read ({type(error).__name__}: {error})") from error


def _description(reader: Reader, path: Path) -> Description:
    facts = reader.facts
    size, n_frames = (int(facts["size"][0]), int(facts["size"][1])), int(facts["n_frames"])
    frames = tuple(int(frame) for frame in facts["frames"])
    if not (all(1 <= side <= MOST for side in size) and set(frames) <= set(range(min(n_frames, MOST)))):
        raise ValueError(f"frames {listed(frames)} of {n_frames}, each of {size[0]}x{size[1]} pixels")
    n_channels = int(facts["channels"])
    if n_channels not in (1, 3):
        raise ValueError(f"frames of {n_channels} channels")
    layers = Layers([_layer(given) for given in facts["layers"]])
    traced = Layers([layers.find(str(name)) for name in facts["traced"]])
    counts = [int(count) for count in facts["kept"]]
    truth = _truth(reader, facts["truth"], (*size, int(facts["truth_channels"] or 0)), frames, n_frames)
    names = [str(name) for name in facts["regions"]]
    masks = reader.read("regions", (len(names), *size), "bool") if names else []
    return Description(
        SavedSignal(str(facts["model"]["name"]), size, n_frames, truth, f"cw.open({str(path)!r})"),
        str(facts["rule"]),
        str(facts["why"]),
        dict(facts["options"]),
        layers,
        traced,
        frames,
        n_channels,
        tuple((int(y), int(x)) for y, x in facts["pixels"]),
        dict(zip(names, masks, strict=True)),
        tuple(_clusters(reader, layers, number, given) for number, given in enumerate(facts["clusters"])),
        {
            "model": facts["model"]["name"],
            "hash": facts["model"]["hash"],
            "origin": facts["model"]["origin"],
            "canvaswidget": facts["version"],
            "torch": facts["torch"],
        },
        {str(layer): str(problem) for layer, problem in facts["trouble"].items()},
        {layer.name: str(facts["why_no_colours"][layer.name]) for layer in traced},
        {
            layer.name: _places(reader, f"layers/{number}/places", counts[number], layer)
            for number, layer in enumerate(traced)
        },
        {
            traced.find(str(name)).name: _estimated(given, len(frames))
            for name, given in facts.get("estimated", {}).items()  # files of earlier versions have none
        },
    )


def _estimated(given: Mapping[str, Any], n_frames: int) -> Estimated:
    passes = tuple(int(count) for count in given["passes"])
    accuracy = tuple(None if one is None else float(one) for one in given["accuracy"])
    if not len(passes) == len(accuracy) == n_frames:
        raise ValueError(f"estimates of {len(passes)} and {len(accuracy)} frames; there are {n_frames}")
    return Estimated(passes, accuracy)


def _places(reader: Reader, name: str, count: int, layer: Layer) -> npt.NDArray[np.int64]:
    """The flat indices of the layer's neurons whose maps are kept."""
    places = reader.read(name, (count,), "int64")
    if places.size and not 0 <= places.min() <= places.max() < math.prod(layer.neurons):
        raise ValueError(f"{name} holds neurons that layer {layer.name!r} has not")
    return places


def _truth(
    reader: Reader, kind: str | None, shape: tuple[int, int, int], frames: Sequence[int], n_frames: int
) -> Any:
    """The signal ``(n_frames, h, w, channels)``, or its kept frames by their numbers."""
    if kind is None:
        return None
    kept = reader.read("truth", (len(frames), *shape), kind)
    values = np.divide(kept, 255, dtype=np.float32) if kind == "uint8" else kept
    return values if len(frames) == n_frames else KeptFrames(values, frames)


def _clusters(reader: Reader, layers: Layers, number: int, given: Mapping[str, Any]) -> SimpleNamespace:
    layer, name = layers.find(given["layer"]), f"clusters/{number}"
    places = reader.read(f"{name}/exemplars", (given["exemplars"],), "int64")
    return SimpleNamespace(
        layer=layer.name,
        frame=int(given["frame"]),
        labels=reader.read(f"{name}/labels", layer.neurons, "int16"),
        counts=np.array([int(count) for count in given["counts"]], np.int64),
        centres=reader.read(f"{name}/centres", given["centres"], "float32"),
        exemplars=tuple(layer.neuron_at(place) for place in places),
        n_groups=layer.n_groups,
        distances=reader.read(f"{name}/distances", layer.neurons, "float32"),
        kind=str(given["kind"]),
        within=str(given["within"]),
    )


def _layer(given: Mapping[str, Any]) -> Layer:
    grid = given["grid"]
    n_units, n_outputs, n_groups = (int(given[name]) for name in ("n_units", "n_outputs", "n_groups"))
    if not (1 <= n_groups <= min(n_units, n_outputs) and n_units * n_outputs <= MOST_KERNELS):
        raise ValueError(f"a layer of {n_units} units, {n_outputs} outputs and {n_groups} groups")
    return Layer(
        str(given["name"]),
        str(given["op"]),
        n_units,
        n_outputs,
        None if grid is None else tuple(int(n) for n in grid),
        tuple(int(n) for n in given["kernel_size"]),
        n_groups,
        str(given.get("units_are", "inputs")),  # files of earlier versions have none
    )


def listed(values: Any) -> str:
    """``0, 4, 8``; runs of numbers as ``0 to 8``."""
    found = list(values)
    if (
        len(found) > 2
        and all(isinstance(one, int) for one in found)
        and found == list(range(found[0], found[-1] + 1))
    ):
        return f"{found[0]} to {found[-1]}"
    shown = ", ".join(map(str, found[:SHOWN]))
    return (shown or "none") + (f" and {len(found) - SHOWN} more" if len(found) > SHOWN else "")
