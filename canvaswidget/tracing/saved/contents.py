"""What a saved canvas contains: a question about anything else is refused, with the way to store it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from canvaswidget.tracing.colours import checked_rgb
from canvaswidget.tracing.errors import NotKeptError
from canvaswidget.tracing.layers import Layer, LayerKey
from canvaswidget.tracing.saved.description import Description, listed


class Contents:
    """Layers, frames and neurons of a saved canvas, looked up; `NotKeptError` where they are not stored.

    Parameters
    ----------
    about : Description
    name : str
        Of the file, for messages.
    """

    def __init__(self, about: Description, name: str) -> None:
        self._about = about
        self.said = f"this saved canvas ({name})"

    def layer(self, key: LayerKey) -> Layer:
        """A layer that is stored."""
        layer = self._about.layers.find(key)
        if layer.name not in self._about.neurons:
            raise NotKeptError(
                f"{self.said} has nothing of {layer.name}: it keeps {listed(self._about.neurons)}. Keep it with "
                f"save(..., layers=[{layer.name!r}]) where the rule is defined on it, or trace the model"
            )
        return layer

    def chosen(
        self, keys: LayerKey | Sequence[LayerKey] | None, granularity: str | None = None
    ) -> list[Layer]:
        """Some layers that are stored, all by default, at XINC's granularity."""
        several = [keys] if isinstance(keys, str | int | Layer) else keys
        found = list(
            self._about.traced_layers if several is None else dict.fromkeys(map(self.layer, several))
        )
        for layer in found:
            self.require_own_neurons(layer, granularity)
        return found

    def frame_place(self, frame: int) -> int:
        """Where a frame stands among those that are stored."""
        number, frames = self._about.inr.frame_index(frame), self._about.frames
        if number not in frames:
            raise NotKeptError(
                f"{self.said} has no frame {number}: it keeps {listed(frames)}. Keep it with "
                f"save(..., frames=[..., {number}]), or trace the model"
            )
        return frames.index(number)

    def require_own_neurons(self, layer: Layer, granularity: str | None) -> None:
        """Raise where a granularity means others than XINC's neurons."""
        if layer.shape_of(granularity) != layer.neurons:
            raise NotKeptError(
                f"granularity={granularity!r}: {self.said} keeps the maps of XINC's neurons; trace the model"
            )

    def require_colours(self, layer: Layer, rgb: str) -> None:
        """Raise where `rgb` takes colours that the layer's maps do not have."""
        problem = "" if checked_rgb(rgb) == "sum" else self._about.why_no_colours[layer.name]
        if problem:
            raise NotKeptError(
                f"rgb={rgb!r}: {self.said} has only the sum of the colours ({problem}); trace the model"
            )

    def require_whole(self, layer: Layer, why: str) -> None:
        """Raise where some maps of a layer are not stored."""
        if len(self._about.neurons[layer.name]) != math.prod(layer.neurons):
            raise NotKeptError(
                f"{self.said} {why} all maps of {layer.name} with maps='all', or trace the model"
            )

    def missing(self, why: str) -> NotKeptError:
        """The error that says why a question takes the model."""
        return NotKeptError(f"{self.said} {why}; trace the model")
