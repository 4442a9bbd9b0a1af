"""A canvas, and the answers about it that were computed already: what every request is answered from.

The numbers themselves are in the modules beside: `pictures`, `neuron_maps`, `selection_maps`, `layer_totals`, `ranking`
and `similarity` are functions of a `CachedCanvas`.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.clustering import Clusters
from canvaswidget.analysis.vectors import Vectors
from canvaswidget.arguments import show
from canvaswidget.kernel.cache import ByteCache, CachePart
from canvaswidget.kernel.embeddings import Embeddings
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.quantise import Floats
from canvaswidget.tracing import CanvasLike, UntraceableError
from canvaswidget.tracing.layers import Layer, Layers

Indices = npt.NDArray[np.intp]
KnownClusters = dict[tuple[str, int], Clusters]  # by layer and how many


class CachedCanvas:
    """One canvas in one colour, with the cache of what was computed of it. Used by one thread at a time.

    Parameters
    ----------
    canvas : Canvas
    cache : ByteCache or CachePart
        Shared with the canvas of another rule: keys of what depends on the rule begin with it (see `key`), keys of
        frames with None.
    clusters : dict, optional
        Clusters of this rule that are known already; new ones are added.
    of_run : callable, optional
        ``of_run(key)`` gives the `CachedCanvas` of another run, under the same rule.
    same_neurons : bool
        Whether all runs are one network with other weights, so that a neuron keeps its number.
    """

    def __init__(
        self,
        canvas: CanvasLike,
        cache: ByteCache | CachePart,
        clusters: KnownClusters | None = None,
        of_run: Callable[[RunKey], CachedCanvas] | None = None,
        same_neurons: bool = False,
    ) -> None:
        self.canvas = canvas
        self.cache = cache
        self.ranks = ranking_canvas(canvas)
        self.layers = Layers(canvas.traced_layers)
        self.size: tuple[int, int] = canvas.inr.size
        self.n_frames: int = canvas.inr.n_frames
        self.channel = "sum"
        self._of_run, self.same_neurons = of_run, same_neurons
        self.clusters: KnownClusters = {} if clusters is None else clusters
        for one in canvas.clusters:
            self.clusters[one.layer, len(one.counts)] = Clusters(**vars(one), size=self.size)
        self.embeddings = Embeddings(cache)
        # The magnitudes computed last, alone: the next frame of a curve is compared with them.
        self.last_magnitude: dict[tuple[Any, ...], Floats] = {}
        # Neurons as vectors, of the layer and frame that were described last: see `counterparts`.
        self.last_vectors: dict[tuple[Any, ...], Vectors] = {}
        # The estimates that are getting better, those asked for last.
        self.estimating: dict[tuple[Any, ...], Any] = {}
        self._ranked = {layer.name for layer in self.ranks.traced_layers}
        self._others: dict[str, CachedCanvas] = {}

    def under(self, rule: str) -> CachedCanvas:
        """The same model under another rule, made when it is first asked for."""
        if rule == self.canvas.rule:
            return self
        if rule not in self._others:
            self._others[rule] = CachedCanvas(self.canvas.under(rule), self.cache)
        return self._others[rule]

    def of_run(self, run: RunKey) -> CachedCanvas:
        """Another run under this rule.

        Raises
        ------
        KeyError, RunError
            There is no such run, or it can't be made.
        """
        if self._of_run is None:
            raise KeyError(f"run={show(run)}: there is one network here")
        return self._of_run(run)

    def of_channel(self, channel: str) -> CachedCanvas:
        """The same canvas's contributions to one colour; what does not depend on the colour is shared."""
        other = copy(self)
        other.channel = channel
        return other

    def key(self, *parts: Any) -> tuple[Any, ...]:
        """The cache's key of something that depends on the rule and the colour."""
        return (self.canvas.rule, self.channel, *parts)

    def hold(self, time: int) -> None:
        """Keep the frame where the playhead rests: a click there must not wait for the model."""
        for canvas in {self.canvas, self.ranks}:
            canvas.hold(time)

    # --- colours and the rule that ranks ----------------------------------------------------------------------

    @property
    def has_all_colours(self) -> bool:
        """Whether the rule that ranks tells the colours of every layer apart."""
        return not any(self.ranks_of(layer).why_no_colours(layer.name) for layer in self.layers)

    def adds_each_colour(self, layer: Layer) -> bool:
        """Whether magnitudes are those of each colour, added: where the rule knows colours and all are shown."""
        return self.rgb_of(self.canvas, layer) == "each"

    def rgb_of(self, canvas: CanvasLike, layer: Layer) -> str:
        """The `rgb` that gives magnitudes: each colour, where all are shown and the rule knows colours."""
        apart = self.channel == "sum" and not canvas.why_no_colours(layer.name)
        return "each" if apart else self.channel

    @property
    def ranked_by(self) -> str:
        """The rule that ranks, where it is another one than the canvas's; else empty."""
        return "" if self.ranks is self.canvas else self.ranks.rule

    def is_ranked(self, layer: Layer) -> bool:
        """Whether the rule that ranks is defined on a layer."""
        return layer.name in self._ranked

    def ranks_of(self, layer: Layer) -> CanvasLike:
        """The canvas that orders a layer's neurons: this one where the rule that ranks is not defined on the layer."""
        return self.ranks if self.is_ranked(layer) else self.canvas


def ranking_canvas(canvas: CanvasLike) -> CanvasLike:
    """The canvas that orders neurons: under `ablation` every value costs a pass of the model, so `gated` does.

    Unless `gated` is defined on no layer of the model.
    """
    if canvas.rule != "ablation":
        return canvas
    try:
        return canvas.under("gated")
    except UntraceableError:
        return canvas
