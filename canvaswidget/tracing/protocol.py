"""What every canvas answers, whether it has its model or was read from a file.

Whatever takes a canvas and runs no model itself is typed against `CanvasLike`, and never asks which kind it has been
given. What a saved canvas did not store it refuses with `NotKeptError`, whose message says how to store it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.progress import Progress
from canvaswidget.tracing.accuracy import ACCURACY
from canvaswidget.tracing.columns import Columns
from canvaswidget.tracing.edits import Edits
from canvaswidget.tracing.layers import LayerKey, Layers, Neuron
from canvaswidget.tracing.neurons import Neurons
from canvaswidget.tracing.reduce import Summary
from canvaswidget.tracing.results import Checks, Coverage, Estimate, Ranking, Saving

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Reduced = TypeVar("Reduced")


class Signal(Protocol):
    """What is known of an INR without its module: the signal that it encodes.

    Attributes
    ----------
    name : str
    size : (height, width)
    n_frames : int
    origin : str
        Python that makes the INR again; empty where that is not known.
    """

    name: str
    size: tuple[int, int]
    n_frames: int
    origin: str

    @property
    def truth(self) -> Any:
        """The signal itself ``(n_frames, height, width, channels)``, which one index reads; None where unknown."""
        ...

    def frame_index(self, frame: int) -> int:
        """A frame number counted from 0; IndexError where there is none such."""
        ...


@runtime_checkable
class CanvasLike(Protocol):
    """A `Canvas` or a `SavedCanvas`; the methods are explained at `Canvas`.

    Many methods because it has every one of both. Python can not write a signature once for all three:
    `tests/tracing/test_protocol.py` compares them.

    Attributes
    ----------
    rule, why, options
        Of the rule: its name, why it was chosen, and its options.
    memory : int
        Bytes that computing may use; 0 where nothing is computed.
    layers, traced_layers : Layers
        All of the model, and those that can be asked about.
    n_channels : int
        Of the image: 1 or 3.
    trouble : dict of str to str
        By layer, what failed when it was checked.
    path : Path or None
        Of a saved canvas.
    """

    rule: str
    why: str
    options: dict[str, Any]
    memory: int
    device: torch.device
    layers: Layers
    traced_layers: Layers
    trouble: dict[str, str]

    # --- what there is ----------------------------------------------------------------------------------------

    @property
    def inr(self) -> Signal: ...
    @property
    def n_channels(self) -> int: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def has_model(self) -> bool:
        """Whether it can run the model: to ablate neurons, under another rule, to be checked or saved."""
        ...

    @property
    def held_bytes(self) -> int:
        """What it holds in memory now."""
        ...

    @property
    def can_sample(self) -> bool:
        """Whether `columns` can be drawn: with a model, under the rule `gated`."""
        ...

    @property
    def frames(self) -> Sequence[int]:
        """The frames that can be asked about."""
        ...

    @property
    def pixels(self) -> Sequence[tuple[int, int]]:
        """Pixels whose columns are stored; none with a model, which computes any."""
        ...

    @property
    def clusters(self) -> Sequence[Any]:
        """Clusters that are stored, with the attributes of `canvaswidget.analysis.Clusters`."""
        ...

    def kept(self, layer: LayerKey) -> IntArray:
        """The neurons whose maps can be asked for, by flat index."""
        ...

    # --- answers ----------------------------------------------------------------------------------------------

    def frame(self, frame: int = 0) -> FloatArray: ...
    def map(self, layer: LayerKey, neuron: Neuron, frame: int = 0, *, rgb: str = "sum") -> FloatArray: ...
    def maps(
        self,
        layer: LayerKey,
        neurons: Neurons,
        frame: int = 0,
        *,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> FloatArray: ...
    def iter(
        self,
        layer: LayerKey,
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[IntArray, FloatArray]]: ...
    def reduce(
        self,
        layer: LayerKey,
        function: Callable[[torch.Tensor], Reduced],
        frame: int = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> Iterator[tuple[IntArray, Reduced]]: ...
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
    ) -> dict[str, FloatArray]: ...
    def region(
        self,
        mask: npt.ArrayLike | torch.Tensor,
        frame: int = 0,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
        progress: Progress = False,
    ) -> dict[str, FloatArray]: ...
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
    ) -> Ranking: ...
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
    ) -> Summary: ...
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
    ) -> dict[str, Summary]: ...
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
    ) -> Iterator[dict[str, Summary]]: ...
    def columns(
        self,
        layer: LayerKey,
        frames: int | Sequence[int] = 0,
        *,
        granularity: str | None = None,
        rgb: str | None = None,
        seed: int = 0,
    ) -> Columns: ...
    def to_xarray(
        self,
        layer: LayerKey,
        neurons: Neurons | None = None,
        frames: int | Sequence[int] = 0,
        *,
        granularity: str | None = None,
        rgb: str = "sum",
    ) -> Any: ...
    def why_no_colours(self, layer: LayerKey) -> str: ...
    def forget(self) -> None: ...
    def hold(self, frame: int | None) -> None: ...

    # --- what takes the model -----------------------------------------------------------------------------------

    def under(self, rule: str, **options: Any) -> CanvasLike: ...
    def ablation(self, fill: str = "zero") -> CanvasLike: ...
    def ablate(self, neurons: Mapping[Any, Neurons], frame: int = 0, *, fill: str = "zero") -> FloatArray: ...
    def edit(self, edits: Edits, frame: int = 0) -> FloatArray: ...
    def weight(self, layer: LayerKey) -> FloatArray: ...
    def activations(self, layer: LayerKey, frame: int = 0) -> FloatArray: ...
    def directions(self, layer: LayerKey, basis: Any, *, encoder: Any = None) -> CanvasLike: ...
    def remainder(self, layer: LayerKey, frame: int = 0) -> FloatArray: ...
    def sums(
        self, frame: int = 0, layer: LayerKey | None = None
    ) -> Iterator[tuple[str, str, FloatArray, FloatArray]]: ...
    def coverage(self) -> Coverage: ...
    def estimate(self, layers: LayerKey | Sequence[LayerKey] | None = None, frame: int = 0) -> Estimate: ...
    def check(self, frame: int = 0, *, progress: Progress = True) -> Checks: ...
    def save(
        self,
        path: str | os.PathLike[str],
        *,
        layers: LayerKey | Sequence[LayerKey] | None = None,
        frames: int | Sequence[int] | None = None,
        maps: int | Literal["all"] | Mapping[Any, Neurons] = 8,
        pixels: Sequence[tuple[int, int]] | None = None,
        regions: Mapping[str, npt.ArrayLike] | None = None,
        clusters: Sequence[Any] = (),
        truth: bool = True,
        accuracy: float | Literal["auto"] | None = "auto",
        overwrite: bool = False,
        estimate: bool = False,
        progress: Progress = True,
    ) -> Saving: ...
