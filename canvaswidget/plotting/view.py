"""What a figure shows: the arrays and words of a view of the widget, as plain dataclasses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

UNIT = "contribution (raw level)"
GREY_UNIT = "absolute error (raw level)"


@dataclass(frozen=True)
class Bar:
    """A neuron's contribution to the pixel, and its share of those of its layer; NaN where that is not known.

    `magnitude` is over all colours, by which neurons are ordered; NaN where it is that of the value.
    """

    layer: str
    neuron: str
    value: float
    share: float
    selected: bool = False
    magnitude: float = math.nan


@dataclass(frozen=True)
class ShareCurve:
    """How much the strongest `counts` neurons of a layer make of the pixel."""

    layer: str
    counts: Sequence[int]
    shares: Sequence[float]
    selected: bool = False


@dataclass(frozen=True)
class Points:
    """A layer's neurons on a plane.

    Attributes
    ----------
    places : (n, 2) array
        In [0, 1]; NaN for those that are not shown.
    labels : (n,) array
        The cluster of each, -1 for none.
    names : sequence of str
        Of the clusters; empty where they are not known.
    selected : sequence of int
    title : str
    values : (n,) array, optional
        What they are coloured by in place of their clusters, above 0; NaN for those that have none.
    values_name : str
    """

    places: Floats
    labels: npt.NDArray[np.integer]
    names: Sequence[str] = ()
    selected: Sequence[int] = ()
    title: str = ""
    values: Floats | None = None
    values_name: str = ""


@dataclass(frozen=True)
class Spectrum:
    """Power over frequency of one picture.

    Attributes
    ----------
    name : str
    power : (b,) array
        Of each band; NaN for one that has none.
    centroid : float
        Mean frequency weighted by power, in cycles a pixel; NaN where there is none.
    selected : bool
        Whether it is the selection's map, not a picture of the frame.
    """

    name: str
    power: Floats
    centroid: float = math.nan
    selected: bool = False


@dataclass(frozen=True)
class Spectra:
    """The lines of a figure's spectrum.

    Attributes
    ----------
    frequencies : (b,) array
        Of the bands, in cycles a pixel.
    lines : sequence of Spectrum
    band : (low, high), optional
        Frequencies that the map over the frame is limited to.
    """

    frequencies: Floats
    lines: Sequence[Spectrum]
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class View:
    """What `canvaswidget.plotting.figures.view_figure` draws; what is None, or empty, is left out.

    Attributes
    ----------
    title : str
        Of the whole figure.
    image : (h, w, 3) or (h, w) array
        In [0, 1] with colours; one channel is drawn in grey with its range. None for a dark ground.
    overlay : (h, w) array
        The selected contribution, drawn over the image.
    grey_unit : str
        Of an image in grey.
    overlay_name, overlay_unit : str
    signed, overlay_signed : bool
        Whether the maps of neurons, and the overlay, keep their sign: a diverging palette centred on 0.
    palette, opacity, contrast
        As in the widget.
    limit : float
        The magnitude at which the colours of the overlay end; with None its own largest, less with more contrast.
    contours : bool
        Whether lines on the overlay tell where a quarter, a half and three quarters of that magnitude are reached.
    pixel : (y, x)
    region : (h, w) array of bool
        Outlined on the image.
    bars, region_bars : sequence of Bar
        The neurons of the pixel, and of the region as a mean over its pixels, the largest contribution first.
    colour : str
        That `bars`, `region_bars`, `thumbnails` and `shares` are of; empty for the sum of the colours.
    thumbnails, neurons : sequence of (name, (h, w) array)
        Maps of the pixel's neurons, and of the layer's.
    neurons_name : str
    shares : sequence of ShareCurve
        Of the pixel, by layer.
    points : Points
    spectra : Spectra
    frames, totals, changes : array
        The selection's total on some frames, and how much it differs from the frame before; None where not known.
    time : int
        The current frame.
    ranked_by : str
        The rule that chose bars, and that `shares` are of, where it is another one than the view's.
    n_frames : int
        Of the clip; `frames` may be fewer of them.
    one_scale : bool
        Whether the maps of a panel share their limits, and have a colour bar; else each has its own.
    neurons_scale : float
        The magnitude that the limits of `neurons` reach: the scale that the widget has for their layer. With 0 it is
        found from the maps that are shown.
    """

    title: str
    image: Floats | None
    overlay: Floats | None = None
    overlay_name: str = ""
    overlay_unit: str = UNIT
    grey_unit: str = GREY_UNIT
    signed: bool = False
    overlay_signed: bool = False
    palette: str = "viridis"
    opacity: float = 0.8
    contrast: float = 1.0
    limit: float | None = None
    contours: bool = False
    pixel: tuple[int, int] | None = None
    region: npt.NDArray[np.bool_] | None = None
    bars: Sequence[Bar] = ()
    region_bars: Sequence[Bar] = ()
    colour: str = ""
    thumbnails: Sequence[tuple[str, Floats]] = ()
    neurons: Sequence[tuple[str, Floats]] = ()
    neurons_name: str = ""
    shares: Sequence[ShareCurve] = ()
    points: Points | None = None
    spectra: Spectra | None = None
    frames: Sequence[int] = ()
    totals: Sequence[float] = ()
    changes: Sequence[float | None] = field(default=())
    time: int = 0
    ranked_by: str = ""
    n_frames: int = 0
    one_scale: bool = False
    neurons_scale: float = 0.0


def view_size(view: View) -> tuple[int, int]:
    """Height and width of the frame."""
    shown = view.image if view.image is not None else view.overlay
    if shown is None:
        raise ValueError("view: has neither an image nor an overlay")
    return shown.shape[0], shown.shape[1]
