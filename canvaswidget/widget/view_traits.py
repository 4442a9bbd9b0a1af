"""The traits of a view, in the order they are set."""

from __future__ import annotations

from typing import Any, ClassVar

from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.kernel.region_list import followed
from canvaswidget.widget import traits
from canvaswidget.widget.known_runs import KnownRuns
from canvaswidget.widget.shared_traits import SharedTraits


class ViewTraits(SharedTraits):
    """What a view is set to; `CanvasWidget` says what each means."""

    facts: Facts
    _known_runs: KnownRuns
    _follows = False  # whether the region is set because it moves with time

    VIEW: ClassVar[tuple[str, ...]] = (
        "run",
        "compare",
        "comparison",
        "rule",
        "layer",
        "time",
        "neuron",
        "neurons",
        "pixel",
        "region",
        "regions",
        "n_clusters",
        "cluster",
        "cluster_names",
        "loop",
        "ablated",
        "edits",
        "source",
        "bits",
        "scheme",
        "maps",
        "overlay",
        "channel",
        "palette",
        "opacity",
        "contrast",
        "limit",
        "contours",
        "sort",
        "colour_by",
        "panel",
        "band",
        "fps",
        "playing",
        "faithfulness",
    )  # in the order they are checked: a neuron is one of a layer, a layer one of a rule

    # A report of the page loses against what Python has set meanwhile of these, too: it was meant for that.
    MEANT_FOR: ClassVar[dict[str, tuple[str, ...]]] = {
        "layer": ("run", "rule"),
        "neuron": ("run", "rule", "layer", "neurons"),
        "neurons": ("run", "rule", "layer", "neuron"),
        "cluster": ("run", "rule", "layer", "n_clusters"),
        "channel": ("run", "rule", "layer"),
        "cluster_names": ("run", "rule"),
        "source": ("ablated", "edits"),
    }

    run = traits.RunTrait()
    compare = traits.CompareTrait()
    comparison = traits.choice_trait("comparison", "side")
    rule = traits.RuleTrait()
    layer = traits.LayerTrait()
    time = traits.time_trait()
    neuron = traits.NeuronTrait()
    neurons = traits.NeuronsTrait()
    pixel = traits.pixel_trait()
    region = traits.region_trait()
    regions = traits.regions_trait()
    n_clusters = traits.CountTrait()
    cluster = traits.cluster_trait()
    cluster_names = traits.names_trait()
    loop = traits.loop_trait()
    ablated = traits.ablated_trait()
    edits = traits.edits_trait()
    source = traits.source_trait()
    bits = traits.bits_trait()
    scheme = traits.choice_trait("scheme", "per-tensor")
    maps = traits.choice_trait("maps", "magnitude")
    overlay = traits.overlay_trait()
    channel = traits.channel_trait()
    palette = traits.palette_trait()
    opacity = traits.number_trait("opacity", 0.8)
    contrast = traits.number_trait("contrast", 1.0)
    limit = traits.limit_trait()
    contours = traits.flag_trait("contours", False)
    sort = traits.choice_trait("sort", "pixel")
    colour_by = traits.choice_trait("colour_by", "cluster")
    panel = traits.choice_trait("panel", "pixel")
    band = traits.band_trait()
    playing = traits.flag_trait("playing", False)
    fps = traits.number_trait("fps", 8.0)
    faithfulness = traits.flag_trait("faithfulness", True)

    def _state(self) -> dict[str, Any]:
        """The traits by name."""
        return {name: getattr(self, name) for name in self.VIEW}

    def _stated(self, canvas: Any, state: ViewState) -> dict[str, Any]:
        """The view that a request states, checked; `canvas` is that of its rule."""
        known = self.traits()
        facts = self._known_runs.facts(state["run"], canvas)
        return traits.checked_state(state, facts, {name: known[name] for name in self.VIEW})

    def _ordered(self, state: dict[str, Any]) -> dict[str, Any]:
        """The same traits in the order they are checked."""
        return {name: state[name] for name in self.VIEW if name in state}

    def _follow(self, change: Any) -> None:
        region = followed(self.region, self.regions, change.new)
        if region is not self.region:  # setting it checks it anew, which costs a mask
            self._follows = True
            try:
                self.region = region
            finally:
                self._follows = False

    def _turn(self, change: Any) -> None:
        """What stands beside the frame is of what was set last; the page says itself which that is."""
        if self.panel == "spectrum" or self._is_report or self._follows:
            return
        if change.name == "region":
            self.panel = "pixel" if change.new is None else "region"
        elif change.new is not None:
            self.panel = "pixel"
