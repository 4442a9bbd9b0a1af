"""The view's frames as an animation, MP4 or GIF: pictures as the page paints them."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import imageio.v3 as iio
import matplotlib
import numpy as np
import numpy.typing as npt
from contourpy import contour_generator
from PIL import Image, ImageDraw, ImageFont

from canvaswidget.arguments import checked_index
from canvaswidget.exports.figure_data import figure_data
from canvaswidget.exports.over_runs import checked_runs, frame_of
from canvaswidget.exports.view import ExportedView, checked_file
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.view_checks import checked_number
from canvaswidget.plotting.figures import palettes
from canvaswidget.plotting.frame_panel import colour_limit, contour_levels, drawn_values, under_map
from canvaswidget.plotting.run_frames import RunFrame, shared_scale
from canvaswidget.plotting.view import View, view_size
from canvaswidget.progress import Progress, Report

Picture = npt.NDArray[np.uint8]

FORMS = ("mp4", "gif")
STRIP, STRIP_COLOUR = 28, (28, 33, 39)  # pixels, of the words under a picture
SMALLEST = 480  # pixels of the longer side: smaller frames are enlarged by a whole factor


class Range(NamedTuple):
    """The frames of an animation, both ends included, and how many a second."""

    first: int
    last: int
    fps: float


def checked_range(first: Any, last: Any, fps: float, n_frames: int) -> Range:
    """Frames of the signal; negative ones count from the end."""
    span = Range(checked_index("first", first, n_frames), checked_index("last", last, n_frames), fps)
    if span.first > span.last:
        raise ValueError(f"first={first}, last={last}: expected the first frame not to be after the last")
    return span


def save_animation(
    view: ExportedView, path: str | Path, first: int, last: int, fps: float | None, progress: Progress
) -> None:
    """See `CanvasWidget.animation`."""
    path, form = checked_file(path, FORMS)
    rate = view.state["fps"] if fps is None else checked_number("fps", fps)
    span = checked_range(first, last, rate, view.facts.n_frames)
    view.write(path, lambda cached, report: animate(cached, view.state, span, form, report), progress)


def save_runs_animation(
    view: ExportedView, path: str | Path, runs: Any, fps: float | None, progress: Progress
) -> None:
    """See `CanvasWidget.animation`: several runs at the current frame."""
    path, form = checked_file(path, FORMS)
    rate = view.state["fps"] if fps is None else checked_number("fps", fps)
    keys = checked_runs(view, runs)

    def work(cached: CachedCanvas, report: Report) -> bytes:
        def frames() -> Iterator[RunFrame]:
            return (frame_of(view, run, report) for run in keys)

        return _animated(frames, len(keys), rate, form, report)

    view.write(path, work, progress)


def animate(cached: CachedCanvas, state: dict[str, Any], span: Range, form: str, report: Report) -> bytes:
    """The frames of a range with the selection's contribution over them, on one scale throughout.

    Parameters
    ----------
    state : dict
        The widget's traits by name.
    form : {"mp4", "gif"}
    """
    times = range(span.first, span.last + 1)

    def frames() -> Iterator[RunFrame]:
        return (
            RunFrame("", figure_data(cached, {**state, "time": time}, ("frame",), report)) for time in times
        )

    return _animated(frames, len(times), span.fps, form, report)


def _animated(
    frames: Callable[[], Iterator[RunFrame]], count: int, fps: float, form: str, report: Report
) -> bytes:
    """Frames on one scale, each with its name under it; they are gone through twice, as all may be too many to hold."""
    top = 0.0
    for done, frame in enumerate(frames()):
        report(done, 2 * count)
        top = max(top, shared_scale([frame]))

    def pictures() -> Iterator[Picture]:
        for done, frame in enumerate(frames()):
            report(count + done, 2 * count)
            picture = _with_contours(_enlarged(painted(frame.view, top)), frame.view, top)
            # On one line, whatever a name holds.
            words = " ".join(" - ".join(part for part in (frame.name, frame.note) if part).split())
            yield with_words(picture, words) if words else picture

    return _mp4(pictures(), fps) if form == "mp4" else _gif(pictures(), fps)


def with_words(picture: Picture, words: str) -> Picture:
    """The picture with a line of words in a strip under it, as large as fits."""
    width = picture.shape[1]
    size = next((size for size in (18, 16, 14, 12, 10) if _font(size).getlength(words) <= width - 12), 9)
    strip = Image.new("RGB", (width, STRIP), STRIP_COLOUR)
    ImageDraw.Draw(strip).text((6, STRIP // 2), words, "white", _font(size), anchor="lm")
    return np.concatenate([picture, np.asarray(strip, np.uint8)])


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")), size)


def painted(view: View, top: float) -> Picture:
    """A frame as the page paints it: what is weak lets the picture through."""
    if view.image is None:
        under = np.zeros((*view_size(view), 3))
    elif view.image.ndim == 3:
        under = np.clip(view.image, 0, 1)
    else:
        brightest = top if view.overlay is None and top else view.image.max() or 1
        under = np.repeat((view.image / brightest)[..., None], 3, 2)
    if view.overlay is None or top == 0:
        return np.rint(255 * under).astype(np.uint8)
    known = palettes()
    names = (
        known.diverging if view.overlay_signed else tuple(n for n in known.names if n not in known.diverging)
    )
    table = known.tables[known.names.index(view.palette if view.palette in names else names[0])] / 255
    scaled = np.clip(view.overlay / colour_limit(view, top), -1, 1)
    strength = np.abs(scaled)
    places = 127.5 + 127.5 * scaled if view.overlay_signed else 255 * strength
    under = under_map(under, view)
    alpha = view.opacity * strength * (2 - strength) if view.image is not None else np.ones_like(strength)
    colours = table[np.rint(places).astype(int)]
    return np.rint(255 * (under + alpha[..., None] * (colours - under))).astype(np.uint8)


def _enlarged(picture: Picture) -> Picture:
    factor = max(1, -(-SMALLEST // max(picture.shape[:2])))
    return picture.repeat(factor, 0).repeat(factor, 1)


def _with_contours(picture: Picture, view: View, top: float) -> Picture:
    """The lines of the overlay on an enlarged picture."""
    levels = contour_levels(view, top)
    if view.overlay is None or not levels:
        return picture
    overlay = drawn_values(view.overlay, view.overlay_signed)
    factor = picture.shape[0] / overlay.shape[0]
    found: Any = contour_generator(z=overlay)
    lines = [line for level in levels for line in found.lines(level)]
    drawn = Image.fromarray(picture)
    for width, colour in ((3, "black"), (1, "white")):
        for line in lines:
            ImageDraw.Draw(drawn).line([tuple((point + 0.5) * factor) for point in line], colour, width)
    return np.asarray(drawn, np.uint8)


def _mp4(pictures: Iterator[Picture], fps: float) -> bytes:
    written = io.BytesIO()
    with iio.imopen(written, "w", plugin="pyav", extension=".mp4") as file:
        opened: Any = file
        opened.init_video_stream("libx264", fps=float(fps), pixel_format="yuv420p")
        for picture in pictures:
            # Colours are kept for pairs of pixels each way: an odd line is repeated.
            even = np.pad(picture, [(0, size % 2) for size in picture.shape[:2]] + [(0, 0)], mode="edge")
            opened.write_frame(even)
    return written.getvalue()


def _gif(pictures: Iterator[Picture], fps: float) -> bytes:
    frames = [Image.fromarray(picture).quantize(256) for picture in pictures]
    written = io.BytesIO()
    frames[0].save(
        written, "gif", save_all=True, append_images=frames[1:], duration=round(1000 / fps), loop=0
    )
    return written.getvalue()
