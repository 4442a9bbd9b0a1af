"""What all drawings share: a page that a notebook shows, the text sizes of papers, colours, number formats.

Figures are made as objects, never through pyplot, so that nobody's current figure is touched. Like `tables`, this
module knows nothing of the package, so that a finding can draw itself without reaching for what shows it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MaxNLocator, ScalarFormatter
from matplotlib.transforms import ScaledTranslation

COLUMN = 3.3  # inches: the width of a column of a paper
# Okabe and Ito's colours, without their yellow, which is too light for a line on white.
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
# Of clusters, in figures and on the page: Okabe and Ito's eight, their black replaced, and four more that the colour
# blind can tell from them.
CLUSTER_COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00"),
    *("#f0e442", "#7f7f7f", "#5e3c99", "#8c510a", "#b8e186", "#000075"),
)
SCREEN_DPI = 100
EXTREME = 4  # of one side of a frame to the other; the pixels of a longer one are stretched
TALLEST = 3.0  # inches of a picture
LETTERS = 46  # of a title in a column
LEGEND_LETTERS = 60  # of a line of a legend in a column, with 6 for each handle
BELOW = 27  # points from an axis to a legend under its ticks and label
INK, QUIET = "#222222", "#777777"
POSITIVE, NEGATIVE = "#b2182b", "#2166ac"
STYLE: Any = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.titlelocation": "left",
    "axes.titlepad": 4,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "axes.unicode_minus": True,
}


class Page(Figure):
    """A figure that a notebook shows as it is, whether or not pyplot is set up there; `words` tell what is on it."""

    words = ""

    def draw(self, renderer: RendererBase) -> None:
        """Draw everything, with names as they are: a dollar in a name begins no formula."""
        for text in self.findobj(Text):
            text.set_parse_math(False)
        for ax in self.findobj(Axes):
            for axis in (ax.xaxis, ax.yaxis):  # their numbers may have powers of ten
                is_named = isinstance(axis.get_major_formatter(), FixedFormatter | FuncFormatter)
                for label in [*axis.get_ticklabels(which="both"), axis.get_offset_text()]:
                    label.set_parse_math(not is_named)
        super().draw(renderer)

    def _repr_png_(self) -> tuple[bytes, dict[str, int]]:
        picture = io.BytesIO()
        with style():
            self.savefig(picture, format="png", dpi=1.5 * SCREEN_DPI)
        width, height = self.get_size_inches() * SCREEN_DPI
        return picture.getvalue(), {"width": round(width), "height": round(height)}


def colour_bar(ax: Axes, shown: Any, label: str, width: float = 0.03, extend: str = "neither") -> None:
    """A thin colour bar beside the axes, its width as a part of theirs."""
    bar = ax.figure.colorbar(shown, cax=ax.inset_axes((1 + min(0.02, width), 0, width, 1)), extend=extend)
    finish_bar(bar, label)


def finish_bar(bar: Colorbar, label: str) -> None:
    """The label, numbers and outline of a colour bar."""
    bar.set_label(label)
    bar.outline.set_linewidth(0.5)  # type: ignore[operator]
    bar.ax.yaxis.set_major_locator(MaxNLocator(4))
    bar.ax.yaxis.set_major_formatter(plain_numbers())


def plain_numbers() -> ScalarFormatter:
    """Numbers that stay short: powers of ten apart from the axis."""
    numbers = ScalarFormatter(useMathText=True)
    numbers.set_powerlimits((-3, 4))
    return numbers


def legend_label(name: str) -> str:
    """A name for a legend, which leaves out what begins with an underscore."""
    return f" {name}" if name.startswith("_") else name


@contextmanager
def style() -> Iterator[None]:
    """Our text sizes and fonts, while drawing; nothing of it stays."""
    with matplotlib.rc_context(STYLE):
        yield


def new_axes(width: float = COLUMN, height: float = 2.1) -> Axes:
    """The axes of a new page, in inches."""
    with style():
        ax = Page(figsize=(width, height), layout="constrained").subplots()
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_prop_cycle(color=CYCLE)
    return ax


def drawn_ratio(size: Sequence[int]) -> float:
    """Height by width of a frame as it is drawn: a line of pixels would be too thin to see."""
    return min(max(size[0] / size[1], 1 / EXTREME), EXTREME)


def pixel_aspect(size: Sequence[int]) -> float:
    """Height by width of its pixels as they are drawn: 1 but for frames that are much longer than wide, or wider."""
    return drawn_ratio(size) * size[1] / size[0]


def new_picture(size: Sequence[int], width: float = COLUMN) -> Axes:
    """The axes of a page that shows pixels: room for a colour bar beside them, for a title and for the axis."""
    ax = new_axes(width, min((width - 1.1) * drawn_ratio(size), TALLEST) + 0.75)
    ax.spines[:].set_visible(True)
    return ax


def new_pictures(count: int, size: Sequence[int], columns: int = 2, width: float = 2 * COLUMN) -> list[Axes]:
    """The axes of a page of pictures, each with room for a title, for the axis and for a colour bar."""
    rows, columns = -(-count // columns), min(columns, count)
    width = width if columns > 1 else COLUMN
    height = min((width / columns - 1.1) * drawn_ratio(size), TALLEST) + 0.75
    with style():
        page = Page(figsize=(width, rows * height), layout="constrained")
        axes = list(page.subplots(rows, columns, squeeze=False).ravel())
        for ax in axes[count:]:
            ax.remove()
    return axes[:count]


def heading(ax: Axes, *parts: str) -> None:
    """A title in one line where it fits beside the axes, else a line for each part."""
    line = ", ".join(parts)
    with style():
        ax.set_title(line if len(line) <= LETTERS else "\n".join(parts), color=INK, fontsize=6.5, loc="left")


def legend_below(ax: Axes, columns: int = 3, **options: Any) -> None:
    """A legend under the label of the x axis, where it lies on no curve; long names stand in fewer columns."""
    longest = max((len(name) for name in ax.get_legend_handles_labels()[1]), default=0)
    columns = max(1, min(columns, LEGEND_LETTERS // (longest + 6)))
    offset = ScaledTranslation(0, -BELOW / 72, ax.figure.dpi_scale_trans)
    with style():
        ax.legend(
            frameon=False,
            fontsize=6,
            handlelength=1.6,
            columnspacing=1.2,
            ncols=columns,
            loc="upper left",
            bbox_to_anchor=(0, 0),
            bbox_transform=ax.transAxes + offset,
            borderaxespad=0,
            **options,
        )


def pixels(ax: Axes) -> None:
    """Label the axes of a picture, which have one already."""
    height, width = ax.images[0].get_size()
    ax.set_aspect(pixel_aspect((height, width)))
    ax.set(xlabel="x (pixels)", ylabel="y (pixels)")
    for axis, side, other in ((ax.xaxis, width, height), (ax.yaxis, height, width)):
        is_short = drawn_ratio((side, other)) < 0.5
        axis.set_major_locator(
            MaxNLocator(2 if is_short else 4, integer=True) if side > 1 else FixedLocator([0])
        )


def new_panels(count: int, columns: int = 2, height: float = 2.1, width: float = 2 * COLUMN) -> list[Axes]:
    """The axes of a page of plots, each of the size of a column."""
    rows, columns = -(-count // columns), min(columns, count)
    with style():
        page = Page(figsize=(width if columns > 1 else COLUMN, rows * height), layout="constrained")
        axes = list(page.subplots(rows, columns, squeeze=False).ravel())
        for ax in axes:
            ax.spines[["top", "right"]].set_visible(False)
            ax.set_prop_cycle(color=CYCLE)
        for ax in axes[count:]:
            ax.remove()
    return axes[:count]
