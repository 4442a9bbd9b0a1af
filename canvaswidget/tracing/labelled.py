"""Numbers with names: tables of pandas, one row a neuron, and maps as arrays of xarray.

Both are imported when they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from canvaswidget.tracing.layers import Layer, neurons_at, show_neuron
from canvaswidget.tracing.neurons import parse_neurons
from canvaswidget.version import __version__

if TYPE_CHECKING:
    import pandas
    import xarray

    from canvaswidget.tracing.protocol import CanvasLike

MOST_BYTES = 2**30  # of an array of maps


def neuron_frame(
    columns: Mapping[str, npt.ArrayLike],
    shape: tuple[int, ...],
    n_groups: int = 1,
    flat: npt.ArrayLike | None = None,
) -> pandas.DataFrame:
    """One row a neuron: its unit, for kernels its output, and given columns; the index is how it is shown.

    Parameters
    ----------
    columns : mapping of str to array
        One value a neuron, in any shape.
    shape : tuple of int
        Of an array with one value for each neuron of the layer.
    flat : (k,), optional
        Flat indices of the neurons; all by default.
    """
    import pandas

    places = np.arange(int(np.prod(shape))) if flat is None else np.asarray(flat, np.int64)
    neurons = neurons_at(places, shape, n_groups)
    names = [show_neuron(tuple(one) if isinstance(one, list) else one) for one in neurons.tolist()]
    found: dict[str, Any] = {"unit": neurons if neurons.ndim == 1 else neurons[:, 0]}
    if neurons.ndim == 2:
        found["output"] = neurons[:, 1]
    found |= {name: np.asarray(values).reshape(len(places)) for name, values in columns.items()}
    return pandas.DataFrame(found, index=pandas.Index(names, name="neuron"))


def labelled_maps(
    canvas: CanvasLike,
    layer: Layer,
    neurons: Any,
    frames: int | Sequence[int],
    rgb: str,
    granularity: str | None,
) -> xarray.DataArray:
    """Maps as ``(frame, neuron, y, x[, channel])`` with coordinates and attributes; see `Canvas.to_xarray`."""
    try:
        import xarray
    except ImportError:
        raise ImportError("to_xarray needs xarray: pip install 'canvaswidget[xarray]'") from None
    everyone = (
        canvas.kept(layer) if granularity is None else np.arange(int(np.prod(layer.shape_of(granularity))))
    )
    chosen = (
        layer.neurons_at(everyone, granularity) if neurons is None else parse_neurons(layer, neurons).numpy()
    )
    several = [frames] if isinstance(frames, int | np.integer) else frames
    numbers = [canvas.inr.frame_index(frame) for frame in several]
    height, width = canvas.inr.size
    tail = (canvas.n_channels,) if rgb == "each" else ()
    n_bytes = 4 * len(numbers) * len(chosen) * height * width * int(np.prod(tail))
    if n_bytes > MOST_BYTES:
        raise ValueError(
            f"neurons: {len(chosen):,} maps on {len(numbers):,} frames take {n_bytes / 2**30:.1f} GiB; name fewer with "
            "neurons= and frames=, or go through them with iter()"
        )
    maps = np.empty((len(numbers), len(chosen), height, width, *tail), np.float32)
    for place, number in enumerate(numbers):
        if len(chosen):
            maps[place] = canvas.maps(layer, chosen, number, rgb=rgb)
    names = [show_neuron(tuple(one) if isinstance(one, list) else one) for one in chosen.tolist()]
    coordinates: dict[str, Any] = {
        "frame": numbers,
        "neuron": names,
        "y": np.arange(height),
        "x": np.arange(width),
        "unit": ("neuron", chosen if chosen.ndim == 1 else chosen[:, 0]),
    }
    if chosen.ndim == 2:
        coordinates["output"] = ("neuron", chosen[:, 1])
    if tail:
        coordinates["channel"] = ["red", "green", "blue"] if tail[0] == 3 else ["grey"]
    made = xarray.DataArray(
        maps,
        coordinates,
        ("frame", "neuron", "y", "x", *(("channel",) if tail else ())),
        "contribution",
        {
            "long_name": "contribution",
            "units": "raw level of the output",
            "inr": canvas.inr.name,
            "layer": layer.name,
            "rule": canvas.rule,
            "rgb": rgb,
            **{f"option_{name}": str(value) for name, value in canvas.options.items()},
            "source": f"canvaswidget {__version__}",
        },
    )
    for axis in ("y", "x"):
        made[axis].attrs["units"] = "pixel"
    return made
