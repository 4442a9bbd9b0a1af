"""The plain approach that `feel.py` compares with: pictures in a synced trait, every wish computed in turn.

It shows the same things from the same canvas (a frame under a neuron's map, the strongest neurons of a pixel), the way
a widget is written that leaves the wire to ipywidgets. Wishes come as a trait, or as messages (`sends`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from matplotlib import colormaps

import canvaswidget as cw

TABLE = np.asarray(colormaps["viridis"](np.arange(256))[:, :3] * 255, np.float32)
RANKED = 24


class PlainWidget(anywidget.AnyWidget):
    """A picture, a slider and a list."""

    _esm = (Path(__file__).parent / "plain_widget.js").read_text()
    size = traitlets.List().tag(sync=True)
    n_frames = traitlets.Int().tag(sync=True)
    sends = traitlets.Bool(False).tag(sync=True)
    time = traitlets.Int(0).tag(sync=True)
    pixel = traitlets.List().tag(sync=True)
    neuron = traitlets.List().tag(sync=True)
    image = traitlets.Bytes().tag(sync=True)
    bars = traitlets.List().tag(sync=True)
    # What the picture and the bars are of, for the benchmark; a plain widget has no such thing.
    image_of = traitlets.List().tag(sync=True)
    bars_of = traitlets.List().tag(sync=True)

    def __init__(self, canvas: cw.Canvas, layer: str, **state: Any) -> None:
        self._shown, self._layer = canvas, layer
        self._pictures: dict[Any, bytes] = {}
        super().__init__(size=list(canvas.inr.size), n_frames=canvas.inr.n_frames, **state)
        self.observe(lambda change: self._draw(), ["time", "neuron"])
        self.observe(lambda change: self._rank(), ["time", "pixel"])
        self.on_msg(self._wish)
        self._draw()

    def _wish(self, widget: Any, content: dict[str, Any], buffers: Any) -> None:
        self.set_trait(content["name"], content["value"])

    def _draw(self) -> None:
        key = (self.time, *self.neuron)
        if key not in self._pictures:
            frame = np.clip(self._shown.frame(self.time), 0, 1) * 255
            strength = np.abs(self._shown.maps(self._layer, [tuple(self.neuron)], self.time)[0])
            part = (strength / max(float(strength.max()), 1e-12))[..., None]
            alpha = 0.8 * part * (2 - part)
            over = TABLE[(part[..., 0] * 255).astype(np.uint8)]
            self._pictures[key] = (frame + alpha * (over - frame)).astype(np.uint8).tobytes()
        with self.hold_sync():
            self.image, self.image_of = self._pictures[key], list(key)

    def _rank(self) -> None:
        if not self.pixel:
            return
        ranked = self._shown.top(*self.pixel, k=RANKED, frame=self.time)
        with self.hold_sync():
            self.bars = [[each.layer, str(each.neuron), float(each.value)] for each in ranked]
            self.bars_of = [self.time, *self.pixel]
