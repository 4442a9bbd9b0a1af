"""The panel of the frame: the image, the selected contribution over it, its contours, and the pixel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize

from canvaswidget.plotting.palettes import scaled
from canvaswidget.plotting.style import INK, colour_bar, pixel_aspect, pixels
from canvaswidget.plotting.view import View, view_size

Floats = npt.NDArray[np.floating]

# How much of its colour an image loses under a map of full opacity, so that nobody takes its colours for the map's.
FADED = 0.75
LUMA = (0.2126, 0.7152, 0.0722)  # of red, green and blue: ITU-R BT.709
CONTOURS = (0.25, 0.5, 0.75)  # of the magnitude at which colours end


def frame_scale(view: View) -> float:
    """The largest magnitude over the image; without any there, that of an image in grey."""
    if view.overlay is not None:
        return float(np.abs(view.overlay).max())
    return 0.0 if view.image is None or view.image.ndim == 3 else float(view.image.max())


def colour_limit(view: View, scale: float) -> float:
    """The magnitude at which the colours of the overlay end, on the scale of some frames."""
    return scale / view.contrast if view.limit is None else view.limit


def bar_ends(view: View, largest: float, scale: float) -> str:
    """Where magnitudes up to `largest` exceed the colours of a scale: ``"neither"``, ``"both"`` or ``"max"``."""
    if view.overlay is None or largest <= (1 + 1e-6) * colour_limit(view, scale):
        return "neither"
    return "both" if view.overlay_signed else "max"


def drawn_values(values: Floats, signed: bool) -> Floats:
    """What colours and lines stand for: signed values, or magnitudes."""
    return values if signed else np.abs(values)


def contour_levels(view: View, scale: float) -> list[float]:
    """The values of the overlay that have a line, from the lowest up; none for a picture of one row or column."""
    if not view.contours or view.overlay is None or min(view.overlay.shape) < 2:
        return []
    limit = colour_limit(view, scale)
    overlay = drawn_values(view.overlay, view.overlay_signed)
    signs = (-1, 1) if view.overlay_signed else (1,)
    levels = sorted(sign * part * limit for sign in signs for part in CONTOURS)
    return [level for level in levels if overlay.min() < level < overlay.max()]


def draw_frame(ax: Axes, view: View, scale: float | None = None, bar: bool = True) -> None:
    """The frame, the selected contribution over it, and the pixel; `scale` is its own `frame_scale` by default."""
    height, width = view_size(view)
    scale = frame_scale(view) if scale is None else scale
    aspect = pixel_aspect((height, width))
    if view.image is None:
        ax.imshow(np.zeros((height, width, 3)), aspect=aspect)
    elif view.image.ndim == 3:
        ax.imshow(under_map(np.clip(view.image, 0, 1), view), aspect=aspect)
    else:
        top = scale if view.overlay is None else None
        shown = ax.imshow(view.image, cmap="gray", vmin=0, vmax=top, aspect=aspect)
        if view.overlay is None and bar:
            colour_bar(ax, shown, view.grey_unit)
    if view.overlay is not None:
        limit = colour_limit(view, scale)
        values, norm, cmap = scaled(view.overlay, view.overlay_signed, limit, view.palette)
        reach = max(abs(norm.vmin or 0), abs(norm.vmax or 0)) or 1
        alpha = _alpha(np.clip(np.abs(values) / reach, 0, 1), view)
        ax.imshow(values, cmap=cmap, norm=norm, alpha=alpha, interpolation="nearest", aspect=aspect)
        if bar:
            extend = bar_ends(view, float(np.abs(view.overlay).max()), scale)
            colour_bar(ax, frame_colours(view, scale), view.overlay_unit, extend=extend)
        if levels := contour_levels(view, scale):
            for line, colour in ((1.4, "black"), (0.6, "white")):
                ax.contour(values, levels=levels, colors=colour, linewidths=line, linestyles="solid")
    if view.region is not None:
        _outline(ax, view.region)
    if view.pixel is not None:
        y, x = view.pixel
        for line, colour in ((2.2, "black"), (1.0, "white")):
            ax.plot(x, y, "+", ms=9, mew=line, color=colour, clip_on=False)
    ax.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    pixels(ax)
    ax.set_title(view.overlay_name, color=INK)


def _outline(ax: Axes, region: npt.NDArray[np.bool_]) -> None:
    """Between the pixels that are in a region and those that are not."""
    height, width = region.shape
    edges = np.pad(region, 1).repeat(2, 0).repeat(2, 1).astype(float)
    ys, xs = (np.arange(2 * size + 4) / 2 - 1.25 for size in (height, width))
    for line, colour in ((2.0, "black"), (1.0, "white")):
        ax.contour(xs, ys, edges, levels=[0.5], colors=colour, linewidths=line)


def under_map(image: Floats, view: View) -> Floats:
    """An image with values of 0 to 1 as it lies under the map of the view, with less colour; without a map as it is."""
    if view.overlay is None or image.ndim == 2:
        return image
    return image + FADED * view.opacity * ((image @ np.asarray(LUMA))[..., None] - image)


def frame_colours(view: View, scale: float) -> ScalarMappable:
    """The colours of a scale as they lie over the image; without anything over it, those of an image in grey."""
    if view.overlay is None:
        return ScalarMappable(Normalize(0, scale), "gray")
    _, norm, cmap = scaled(view.overlay, view.overlay_signed, colour_limit(view, scale), view.palette)
    return ScalarMappable(norm, _over_image(cmap, view))


def _alpha(strength: Floats, view: View) -> Floats:
    """How much of the image a part of the largest contribution hides; the same as in the widget."""
    return view.opacity * strength * (2 - strength) if view.image is not None else np.ones_like(strength)


def _over_image(cmap: Colormap, view: View) -> Colormap:
    """The colours of the overlay as they lie over the mean colour of the image, for its colour bar."""
    if view.image is None:
        return cmap
    image = np.clip(view.image, 0, 1)
    if image.ndim == 2:  # drawn in grey from 0 to its largest value
        image = np.repeat(image[..., None] / (image.max() or 1), 3, 2)
    places = np.linspace(0, 1, 256)
    alpha = _alpha(np.abs(2 * places - 1) if view.overlay_signed else places, view)[:, None]
    return ListedColormap(alpha * cmap(places)[:, :3] + (1 - alpha) * under_map(image, view).mean((0, 1)))
