"""What is known of a canvas before anything is computed: its size, its layers, the rules that are defined on it."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from canvaswidget.analysis.embedding import methods
from canvaswidget.kernel import ablation, quantisation
from canvaswidget.kernel.cached_canvas import ranking_canvas
from canvaswidget.kernel.counterparts import counterpart_layer
from canvaswidget.kernel.message_parts import CanvasInfo, Quantisable, RunKey
from canvaswidget.tracing import CanvasLike, UntraceableError
from canvaswidget.tracing.layers import Layers
from canvaswidget.tracing.rules import RULES

OWN = ("title", "run", "why", "device")  # facts that no view depends on: each run has its own


class Facts(NamedTuple):
    """What checking a view takes; it outlives the canvas."""

    title: str
    run: RunKey
    rule: str
    layers: Layers
    size: tuple[int, int]
    n_frames: int
    n_channels: int
    has_truth: bool
    device: str
    rules: tuple[str, ...]
    why: str
    ranked_by: str
    removable: Layers
    why_no_colours: dict[str, str]  # by layer; empty where it has
    quantisation: Quantisable

    @classmethod
    def of(cls, canvas: CanvasLike, first: Facts | None = None, run: RunKey = None) -> Facts:
        """Those of a canvas; `first` are those of the rule that the model was first traced under."""
        inr = canvas.inr
        layers = Layers(canvas.traced_layers)
        truth = inr.truth is not None
        device = str(canvas.device) if canvas.has_model else "saved canvas"
        rules = _rules(canvas) if first is None else first.rules
        why = canvas.why if first is None else first.why
        ranked_by = ranking_canvas(canvas).rule
        removable = ablation.removable(canvas) if first is None else first.removable
        colours = {layer.name: canvas.why_no_colours(layer) for layer in layers}
        size, n_frames = inr.size, inr.n_frames
        return cls(
            inr.name,
            run if first is None else first.run,
            canvas.rule,
            layers,
            size,
            n_frames,
            canvas.n_channels,
            truth,
            device,
            rules,
            why,
            ranked_by,
            removable,
            colours,
            quantisation.facts_of(canvas) if first is None else first.quantisation,
        )

    def alike(self, other: Facts) -> bool:
        """Whether a view of the one fits the other, whatever it is set to."""
        one, two = (
            {
                name: tuple(value) if isinstance(value, Layers) else value
                for name, value in facts._asdict().items()
            }
            for facts in (self, other)
        )
        return all(one[name] == two[name] for name in one if name not in OWN)

    def on_wire(self, notice: str = "", beside: Layers | None = None) -> CanvasInfo:
        """As the page gets them; a layer without a grid of its own works on every pixel.

        `beside` are the layers of the run that this one is compared with.
        """
        return {
            "title": self.title,
            "run": self.run,
            "notice": notice,
            "counterparts": {
                layer.name: counterpart_layer(layer.name, beside or (), self.layers).name
                for layer in beside or ()
            },
            "rule": self.rule,
            "height": self.size[0],
            "width": self.size[1],
            "n_frames": self.n_frames,
            "n_channels": self.n_channels,
            "layers": [
                {
                    "name": layer.name,
                    "op": layer.op,
                    "neurons": list(layer.neurons),
                    "n_groups": layer.n_groups,
                    "grid": list(layer.grid or self.size),
                    "why_no_colours": self.why_no_colours[layer.name],
                    "each_colour": not self.why_no_colours[layer.name],
                }
                for layer in self.layers
            ],
            "rules": list(self.rules),
            "why": self.why,
            "ranked_by": self.ranked_by,
            "embeddings": cast(Any, methods()),
            "has_truth": self.has_truth,
            "quantisation": self.quantisation,
            "device": self.device,
        }


def _rules(canvas: CanvasLike) -> tuple[str, ...]:
    """The rules that are defined on the model."""
    found = []
    for rule in RULES:
        try:
            if rule != canvas.rule:
                canvas.under(rule)
        except UntraceableError:
            continue
        found.append(rule)
    return tuple(found)
