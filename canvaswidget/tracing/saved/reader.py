"""A canvas that was saved: what was kept of it, looked up; the model is not needed and nothing is computed."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from canvaswidget import tables
from canvaswidget.arguments import checked, checked_index, instance, optional_accuracy
from canvaswidget.progress import Progress, reported
from canvaswidget.tracing.accuracy import ACCURACY
from canvaswidget.tracing.colours import rgb_of_magnitudes
from canvaswidget.tracing.errors import NotKeptError, UntraceableError
from canvaswidget.tracing.labelled import labelled_maps
from canvaswidget.tracing.layers import LayerKey, Neuron, show_neuron
from canvaswidget.tracing.matrix import as_numpy, checked_mask
from canvaswidget.tracing.neurons import Neurons
from canvaswidget.tracing.protocol import Reduced
from canvaswidget.tracing.ranking import rank
from canvaswidget.tracing.reduce import Summary
from canvaswidget.tracing.results import Ranking
from canvaswidget.tracing.saved.columns import StoredColumns
from canvaswidget.tracing.saved.contents import Contents
from canvaswidget.tracing.saved.description import read_description
from canvaswidget.tracing.saved.store import Reader
from canvaswidget.tracing.saved.stored_arrays import StoredArrays
from canvaswidget.tracing.saved.writer import fingerprint, places_of

FloatArray = npt.NDArray[np.float32]


class SavedCanvas:
    """What was kept of a canvas; it answers as `Canvas` does, or says what is missing.

    Many methods because it has every one of `Canvas`.

    Attributes
    ----------
    path : Path
    inr : SavedSignal
        With the `name`, `size`, `n_frames` and `truth` of the INR; there is no module.
    rule, why, options
        As of the canvas.
    layers : Layers
        Every weighted layer of the model.
    traced_layers : Layers
        Those that are kept.
    frames : tuple of int
        Those that are kept, with their numbers in the clip.
    pixels : tuple of (y, x)
        Those for which every neuron's contribution is kept.
    regions : {name: mask}
        The same.
    clusters : tuple
        With the attributes of `canvaswidget.analysis.Clusters`.
    provenance : dict
        The model's name and hash, and the versions that wrote it.
    trouble : dict of str to str
        By layer, what failed when its maps were checked before they were saved.
    """

    has_model = False
    can_sample = False
    memory = 0  # nothing is computed
    held_bytes = 0  # arrays are read when they are asked for
    device = torch.device("cpu")  # where `reduce` hands out maps

    def __init__(self, path: Path) -> None:
        self.path = path
        reader = Reader(path)
        self._about = about = read_description(reader, path)
        self._arrays, self._contents = StoredArrays(reader, about), Contents(about, path.name)
        self._columns = StoredColumns(self._arrays, self._contents, about)
        self.inr, self.rule, self.why, self.options = about.inr, about.rule, about.why, about.options
        self.layers, self.traced_layers = about.layers, about.traced_layers
        self.frames, self.pixels, self.n_channels = about.frames, about.pixels, about.n_channels
        self.regions, self.clusters = about.regions, about.clusters
        self.provenance, self.trouble = about.provenance, about.trouble
        self._why_no_colours, self._neurons = about.why_no_colours, about.neurons

    # --- what is kept -------------------------------------------------------------------------------------------

    def kept(self, layer: LayerKey) -> npt.NDArray[np.int64]:
        """The neurons whose maps are kept, by their place in C order."""
        return self._neurons[self._contents.layer(layer).name]

    @checked(model=instance("a torch.nn.Module", nn.Module))
    def is_of(self, model: nn.Module) -> bool:
        """Whether these are the model's weights."""
        return fingerprint(model) == self.provenance["hash"]

    # --- as a canvas answers ------------------------------------------------------------------------------------

    @checked
    def under(self, rule: str, **options: Any) -> SavedCanvas:
        """Itself, under the rule that it was saved under."""
        if rule == self.rule and not options:
            return self
        raise UntraceableError(
            f"rule={rule!r}: {self._contents.said} was made under rule {self.rule!r}; for another one, trace its model"
        )

    def forget(self) -> None:
        """Nothing is held."""

    def hold(self, frame: int | None) -> None:
        """Nothing is to be held: everything is on the disk."""

    @checked
    def frame(self, frame: int = 0) -> FloatArray:
        """The model's raw output ``(height, width, channels)``."""
        return self._arrays.frame(self._contents.frame_place(frame))

    @checked
    def map(self, layer: LayerKey, neuron: Neuron, frame: int = 0, *, rgb: str = "sum") -> FloatArray:
        """One neuron's contributions to all pixels of a frame, ``(height, width)``."""
        return self.maps(layer, [neuron], frame, rgb=rgb)[0]

    @checked
    def maps(
        self,
        layer: LayerKey,
        neurons: Neurons,
        frame: int = 0,
        *,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> FloatArray:
        """The maps of some neurons, ``(k, height, width)``."""
        found = self._contents.layer(layer)
        self._contents.require_colours(found, rgb)
        wanted, kept = places_of(found, neurons), self._neurons[found.name]
        missing = wanted[~np.isin(wanted, kept)]
        if len(missing):
            neuron = found.neuron_at(missing[0])
            raise NotKeptError(
                f"{self._contents.said} has no map of neuron {show_neuron(neuron)} of {found.name}: it keeps "
                f"{len(kept):,} of {math.prod(found.neurons):,}. Keep it with save(..., maps={{{found.name!r}: "
                f"[{neuron}]}}), or trace the model"
            )
        at = self._contents.frame_place(frame)
        return self._arrays.maps(found, at, np.searchsorted(kept, wanted), rgb)

    @checked
    def to_xarray(
        self,
        layer: LayerKey,
        neurons: Neurons | None = None,
        frames: int | Sequence[int] = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
    ) -> Any:
        """Kept maps as an `xarray.DataArray`, see `Canvas.to_xarray`."""
        return labelled_maps(self, self._contents.layer(layer), neurons, frames, rgb, granularity)

    @checked
    def iter(
        self,
        layer: LayerKey,
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[npt.NDArray[np.int64], FloatArray]]:
        """Every neuron of a layer, chunk by chunk; only where all are kept."""
        yield from self.reduce(layer, as_numpy, frame, granularity=granularity, rgb=rgb, progress=progress)

    @checked
    def reduce(
        self,
        layer: LayerKey,
        function: Callable[[torch.Tensor], Reduced],
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[npt.NDArray[np.int64], Reduced]]:
        """Like `iter`, with each chunk of maps made into something smaller; only where all are kept."""
        found, at = self._contents.layer(layer), self._contents.frame_place(frame)
        self._contents.require_colours(found, rgb)
        self._contents.require_own_neurons(found, granularity)
        self._contents.require_whole(found, "has not every map, which this takes: keep")

        def parts() -> Iterator[tuple[torch.Tensor, Reduced]]:
            for places, maps in self._arrays.all_maps(found, at, rgb):
                yield torch.from_numpy(found.neurons_at(places)), function(torch.from_numpy(maps))

        for neurons, reduced in reported(parts(), math.prod(found.neurons), progress, found.name):
            yield neurons.numpy(), reduced

    @checked
    def pixel(
        self,
        y: int,
        x: int,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> dict[str, FloatArray]:
        """Every neuron's contribution to one of the pixels that are kept, by layer."""
        size, at = self.inr.size, self._contents.frame_place(frame)
        pixel = checked_index("y", y, size[0]), checked_index("x", x, size[1])
        return self._columns.pixel(self._contents.chosen(layers, granularity), at, pixel, rgb)

    @checked
    def region(
        self,
        mask: npt.ArrayLike | torch.Tensor,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> dict[str, FloatArray]:
        """Every neuron's contribution to one of the regions that are kept, by layer."""
        weights, at = checked_mask(mask, self.inr.size).numpy(), self._contents.frame_place(frame)
        return self._columns.region(self._contents.chosen(layers, granularity), at, weights, rgb)

    @checked
    def top(
        self,
        y: int,
        x: int,
        k: int = 20,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        progress: Progress = False,
    ) -> Ranking:
        """The `k` neurons that contribute most to one of the pixels that are kept."""
        return rank(self, (y, x), k, frame, self._contents.chosen(layers), granularity, progress)

    @checked
    def summary(
        self,
        layer: LayerKey,
        frame: int = 0,
        accuracy: float | None = None,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
        more: Summary | None = None,
        progress: Progress = False,
    ) -> Summary:
        """Totals of all maps of a layer, per neuron and per pixel, as accurate as they were saved."""
        found, at = self._contents.layer(layer), self._contents.frame_place(frame)
        self._contents.require_own_neurons(found, granularity)
        kept = rgb_of_magnitudes(self, found)
        if rgb not in (None, kept):
            raise NotKeptError(
                f"rgb={rgb!r}: {self._contents.said} keeps totals with rgb={kept!r}; trace the model"
            )
        warning = self.trouble.get(found.name, "")
        return Summary(found, self.frames[at], **self._arrays.totals(found, at), rgb=kept, warning=warning)

    @checked(accuracy=optional_accuracy)
    def summaries(
        self,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        frame: int = 0,
        accuracy: float | None = ACCURACY,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
        progress: Progress = False,
    ) -> dict[str, Summary]:
        """Summaries of several layers, by default all that are kept."""
        return {
            layer.name: self.summary(layer, frame, granularity=granularity, rgb=rgb)
            for layer in self._contents.chosen(layers)
        }

    def improving_summaries(
        self,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        frame: int = 0,
        accuracy: float = ACCURACY,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
        progress: Progress = False,
    ) -> Iterator[dict[str, Summary]]:
        """What is kept, at once."""
        yield self.summaries(layers, frame, accuracy, granularity=granularity, rgb=rgb)

    def why_no_colours(self, layer: LayerKey) -> str:
        """Why the layer's maps can't be told apart by colour; empty where they can."""
        return self._why_no_colours[self._contents.layer(layer).name]

    # --- what takes the model -----------------------------------------------------------------------------------

    def ablation(self, fill: str = "zero") -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't render the model without some neurons")

    def ablate(self, neurons: Any, frame: int = 0, *, fill: str = "zero") -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't render the model without some neurons")

    def edit(self, edits: Any, frame: int = 0) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't render the model with other weights")

    def weight(self, layer: LayerKey) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("has not the model's weights")

    def activations(self, layer: LayerKey, frame: int = 0) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("has not what a layer works on")

    def directions(self, layer: LayerKey, basis: Any, *, encoder: Any = None) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't trace directions of a layer's units")

    def remainder(self, layer: LayerKey, frame: int = 0) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("has not what does not come from a layer's neurons")

    def sums(self, frame: int = 0, layer: LayerKey | None = None) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't be checked against the model")

    def coverage(self) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("has not the model's ops")

    def estimate(self, layers: LayerKey | Sequence[LayerKey] | None = None, frame: int = 0) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't compute what a sweep will take")

    def columns(
        self,
        layer: LayerKey,
        frames: int | Sequence[int] = 0,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
    ) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("has no columns but those of the pixels that it keeps")

    def check(self, frame: int = 0, *, progress: Progress = True) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't be checked against the model")

    def save(self, path: str | os.PathLike[str], **keywords: Any) -> NoReturn:
        """Raise `NotKeptError`."""
        raise self._contents.missing("can't compute anything more to save")

    def __repr__(self) -> str:
        return tables.text(["saved canvas", str(self.path)], self._about.rows())

    def _repr_html_(self) -> str:
        return tables.markup(["saved canvas", str(self.path)], self._about.rows())
