"""Figures: of any size and content, with text as text, and without pyplot."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from canvaswidget.exports.figure_data import CURVE_FRAMES, sampled
from canvaswidget.exports.names import short_names
from canvaswidget.plotting.figures import (
    PANELS,
    Bar,
    ShareCurve,
    save,
    view_figure,
)
from canvaswidget.plotting.view import Spectra, Spectrum
from tests.plotting.views import view

pytestmark = pytest.mark.slow


def texts(figure) -> str:
    figure.draw_without_rendering()
    found = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return "\n".join(found)


@pytest.mark.parametrize("width", [2.5, 3.3, 6.6])
def test_a_long_title_has_the_lines_that_it_needs(width: float) -> None:
    title = "demo video, frame 12 (13 of 24), rule xinc, without neuron 5 → 38 of decoder.3.conv.upconv.0, PSNR 17.9 dB"
    figure = view_figure(view(title=title), width, ["frame"])
    figure.draw_without_rendering()
    assert figure._suptitle.get_text().replace("\n", " ") == title
    box = figure._suptitle.get_window_extent()
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= figure.axes[0].get_tightbbox().y1
    assert figure.words.startswith(title)


@pytest.mark.parametrize("width", [2.5, 3.3, 6.6, 12])
def test_everything_is_there_and_within_the_page(width: float) -> None:
    figure = view_figure(view(), width)
    assert figure.get_figwidth() == width
    shown = texts(figure)
    for words in (
        "NeRV, frame 1 of 4",
        "kernel 3 → 17",
        "contribution (raw level)",
        "x (pixels)",
        "frame",
        "10.0%",
    ):
        assert words in shown
    page = figure.bbox.padded(2)
    for part in figure.subfigs:
        for ax in part.axes:
            box = ax.get_tightbbox()
            assert page.x0 <= box.x0
            assert page.y0 <= box.y0
            assert box.y1 <= page.y1
            assert width < 3 or box.x1 <= page.x1, ax.get_title(loc="left")
    sizes = [text.get_fontsize() for text in figure.findobj(Text)]
    assert min(sizes) >= 5.5


@pytest.mark.parametrize(
    "changes",
    [
        {"bars": ()},
        {"region_bars": ()},
        {"spectra": None},
        {"spectra": Spectra(np.arange(3.0), [Spectrum("truth", np.zeros(3))], (0.1, 0.7))},
        {"spectra": Spectra(np.arange(2.0), [Spectrum("truth", np.full(2, np.nan))])},
        {"one_scale": True},
        {"one_scale": True, "signed": True, "neurons": [("0", np.zeros((16, 32)))], "thumbnails": ()},
        {"changes": ()},
        {"points": None},
        {"thumbnails": ()},
        {"frames": ()},
        {"pixel": None, "bars": (), "thumbnails": (), "frames": ()},
        {"image": None},
        {"image": np.random.default_rng(0).random((16, 32)), "overlay": None},
        {"overlay": np.zeros((16, 32)), "signed": True, "overlay_signed": True},
        {"overlay": np.full((16, 32), 1e-30)},
        {"bars": [Bar("a", "1", 0.0, 0.0)], "totals": [0.0] * 4},
        {"bars": [Bar("a", "1", -1.0, 1.0)]},
        {"palette": "magma", "contrast": 5.0, "opacity": 0.0},
        {"palette": "ice-fire", "overlay_signed": True},
        {"image": np.zeros((40, 9, 3)), "overlay": np.ones((40, 9))},
    ],
)
def test_any_view_is_drawn(changes) -> None:
    view_figure(view(**changes)).draw_without_rendering()


def test_a_view_of_nothing_and_a_wrong_width() -> None:
    with pytest.raises(ValueError, match="neither an image nor an overlay"):
        view_figure(view(image=None, overlay=None))
    for width in (0, -3, 100, float("nan")):
        with pytest.raises(ValueError, match="width="):
            view_figure(view(), width)


def test_panels_are_chosen_in_order_and_in_columns() -> None:
    def titles(figure) -> list[list[str]]:
        return [[ax.get_title(loc="left").split("\n")[0] for ax in part.axes] for part in figure.subfigs]

    figure = view_figure(view(), 6.6, ["time", "pixel", "maps"], columns=2)
    assert titles(figure) == [
        ["the selection through time", "neurons of pixel y=3, x=5"],
        ["their maps, magnitudes each on its own scale"],
    ]
    assert [len(row) for row in titles(view_figure(view(), 6.6, ["time", "pixel"], columns=1))] == [1, 1]
    assert [len(row) for row in titles(view_figure(view(), 3.3, ["time", "pixel"]))] == [1, 1]
    assert sum(map(len, titles(view_figure(view(), 6.6)))) == len(PANELS)
    for wrong, what in (
        ({"panels": ["frame", "else"]}, "panels="),
        ({"panels": ["frame", "frame"]}, "each once"),
        ({"panels": []}, "at least one"),
        ({"columns": 3}, "columns=3: expected 1 or 2"),
        ({"columns": True}, "columns=True"),
        ({"columns": 2, "width": 3}, "columns=2: needs a width of at least 4 inches"),
    ):
        with pytest.raises(ValueError, match=what):
            view_figure(view(), **{"width": 6.6, **wrong})
    with pytest.raises(ValueError, match="nothing to draw as 'pixel', since no pixel is pinned"):
        view_figure(view(bars=()), panels=["pixel"])
    with pytest.raises(ValueError, match="nothing to draw as 'region', since no region is drawn"):
        view_figure(view(region_bars=()), panels=["region"])


def test_the_region_stands_in_the_place_of_a_pixel_that_is_not_pinned() -> None:
    def rows(**changes) -> list[list[str]]:
        region = np.zeros((16, 32), bool)
        region[:2, :3] = True
        figure = view_figure(view(region=region, **changes), 6.6)
        return [[ax.get_title(loc="left").split("\n")[0] for ax in part.axes] for part in figure.subfigs]

    words = "neurons of the region, mean of 6 pixels"
    alone = rows(pixel=None, bars=(), thumbnails=(), shares=())
    assert alone[0] == ["decoder.3, kernel 3 → 17", words]
    both = rows()
    assert both[0][1] == "neurons of pixel y=3, x=5"
    assert [words, "how many neurons make it (of so many)"] in both


def test_bars_whose_colours_cancel_show_what_they_are_ordered_by() -> None:
    bars = [
        Bar("a", "1", 0.5, 0.5, magnitude=0.5),
        Bar("a", "2", -0.1, 0.4, magnitude=0.4),
        Bar("a", "3", 0.02, 0.3, magnitude=0.3),
    ]
    figure = view_figure(view(bars=bars), panels=["pixel"])
    (ax,) = figure.subfigs[0].axes
    drawn = {(bar.get_alpha() is None, round(bar.get_width(), 6)) for bar in ax.patches}
    assert drawn == {(True, 0.5), (True, -0.1), (True, 0.02), (False, -0.4), (False, 0.3)}
    assert ax.get_xlim()[0] < -0.4
    assert "pale: magnitude over the colours" in texts(figure)
    alike = view_figure(view(), panels=["pixel"])
    assert "pale" not in texts(alike)


def test_maps_on_one_scale_can_be_compared() -> None:
    weak, strong = np.full((16, 32), 0.1), np.full((16, 32), 1.0)
    for one_scale in (True, False):
        figure = view_figure(
            view(thumbnails=[("weak", weak)], neurons=[("strong", strong)], one_scale=one_scale),
            panels=["maps", "neurons"],
        )
        limits = {image.get_clim()[1] for part in figure.subfigs for image in part.axes[0].images}
        assert limits == {0.1, 1.0}  # a scale for each panel, in both
        bars = [bar for part in figure.subfigs for bar in part.axes[0].child_axes]
        assert len(bars) == (2 if one_scale else 0)


def test_neurons_have_the_scale_of_their_layer() -> None:
    maps = [("0", np.full((16, 32), 0.5)), ("1", np.full((16, 32), 0.25))]
    figure = view_figure(view(neurons=maps, one_scale=True, neurons_scale=2.0), panels=["neurons"])
    assert {image.get_clim()[1] for image in figure.subfigs[0].axes[0].images} == {2.0}
    assert "on the layer's scale (raw level)" in texts(figure)
    assert "on the layer's scale up to 2" in figure.words  # type: ignore[attr-defined]


@pytest.mark.parametrize("panel", ["shares", "time"])
@pytest.mark.parametrize("width", [3.3, 6.6])
def test_legends_lie_below_the_curves(panel: str, width: float) -> None:
    figure = view_figure(view(), width, [panel])
    figure.draw_without_rendering()
    (ax,) = figure.subfigs[0].axes
    legend = ax.get_legend()
    assert legend is not None
    assert legend.get_window_extent().y1 <= ax.get_window_extent().y0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [3.3, pytest.param(6.6, marks=pytest.mark.repeats)])
@pytest.mark.parametrize(
    "size", [(16, 32), (32, 32), (64, 32), (200, 8), (8, 200), (1, 40), (40, 1), (1, 1)], ids=str
)
def test_a_figure_of_frames_of_any_shape_fits_on_a_page(size: tuple[int, int], width: float) -> None:
    maps = [(f"decoder.2  {i} → 7", np.ones(size)) for i in range(12)]
    shown = view(
        image=np.ones((*size, 3)),
        overlay=np.ones(size),
        pixel=(0, 0),
        neurons=maps,
        thumbnails=maps[:6],
        spectra=None,
        region_bars=(),  # where both are, smaller pictures do not make room for them
        points=None,
        one_scale=True,
    )
    figure = view_figure(shown, width)
    assert figure.get_figheight() < 11
    figure.draw_without_rendering()
    frame = figure.subfigs[0].axes[0].get_window_extent()
    assert min(frame.width, frame.height) > 0.2 * figure.dpi
    for panel in figure.subfigs:
        for ax in panel.axes:
            if len(ax.images) < 6:
                continue
            names = [name.get_window_extent() for name in ax.texts]
            for one, other in itertools.pairwise(names):
                assert one.x1 <= other.x0 + 1 or other.y1 < one.y0
            for picture, name in zip(ax.images, names, strict=True):
                box = picture.get_window_extent()
                assert min(box.width, box.height) > 0.07 * figure.dpi
                assert name.y1 <= box.y0 + 1


def test_a_curve_of_some_frames_says_how_many() -> None:
    shown = view(n_frames=132, changes=())
    assert "4 of 132 frames" in texts(view_figure(shown, 3.3, ["time"]))
    assert "frames" not in texts(view_figure(view(n_frames=4), 3.3, ["time"])).replace("frames of", "")


@pytest.mark.parametrize("time", [0, 1, 7, 64, 130, 131])
def test_frames_of_a_curve_are_few_even_and_with_the_current_one(time: int) -> None:
    chosen = sampled(range(132), time)
    assert len(chosen) == len(set(chosen)) == CURVE_FRAMES
    assert {0, time, 131} <= set(chosen)
    assert max(np.diff(chosen)) <= 3 * 131 / CURVE_FRAMES
    assert sampled([1, 4], 4) == [1, 4]


def test_files_say_what_is_on_them(tmp_path: Path) -> None:
    figure = view_figure(view(title="a <b> & ü"), 6.6)
    words = figure.words  # type: ignore[attr-defined]
    for part in (
        "a <b> & ü",
        "decoder.3, kernel 3 → 17",
        "y=3, x=5",
        "decoder.3 0 → 2 1 (10.0%)",
        "60 neurons",
    ):
        assert part in words
    for form in ("png", "svg", "pdf"):
        save(figure, tmp_path / f"a.{form}")
    assert Image.open(tmp_path / "a.png").text["Description"] == words  # type: ignore[attr-defined]
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<title>a &lt;b&gt; &amp; ü</title>" in svg
    assert "<desc>a &lt;b&gt; &amp; ü. Frame with decoder.3, kernel 3 → 17 over it" in svg
    assert svg.count("<desc>") == 1
    assert 'role="img"' in svg
    assert b"/Subject" in (tmp_path / "a.pdf").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "a.png", "a.svg"]


def test_words_are_of_what_is_drawn() -> None:
    overlay = np.zeros((16, 32))
    overlay[3, 4], overlay[5, 6] = -0.5, 0.25
    nothing = [ShareCurve("a", [1, 2], [0.0, 0.0]), ShareCurve("b", [1, 2], [0.4, 0.75])]
    for signed, limits in ((False, "from 0 to 0.5"), (True, "from -0.5 to 0.25")):
        shown = view(overlay=overlay, overlay_signed=signed, shares=nothing)
        words = view_figure(shown, 6.6, ["frame", "shares"]).words  # type: ignore[attr-defined]
        assert limits in words
        assert "half of the pixel: a 0, b 2" in words


def test_a_notebook_shows_it_without_pyplot() -> None:
    data, size = view_figure(view(), 3)._repr_png_()
    assert data.startswith(b"\x89PNG")
    assert size["width"] == 300


def test_text_stays_text(tmp_path) -> None:
    figure = view_figure(view(), 3.3)
    save(figure, tmp_path / "a.svg")
    assert "contribution (raw level)" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    save(figure, tmp_path / "a.pdf")
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/Type3" not in pdf.replace(b" ", b"")
    assert b"FontFile2" in pdf


def test_nobodys_settings_or_figures_are_touched() -> None:
    program = (
        "import numpy as np, matplotlib\n"
        "from canvaswidget.plotting.figures import View, view_figure\n"
        "before = dict(matplotlib.rcParams)\n"
        "view_figure(View('', np.zeros((4, 4, 3)))).draw_without_rendering()\n"
        "assert dict(matplotlib.rcParams) == before\n"
        "import matplotlib.pyplot\n"
        "assert matplotlib.pyplot.get_fignums() == []\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def test_short_names_are_those_of_the_page() -> None:
    names = ["decoder.1.conv.upconv.0", "decoder.3.conv.upconv.0", "head_layer"]
    assert list(short_names(names).values()) == ["decoder.1", "decoder.3", "head_layer"]
    assert short_names(["net.0", "net.1"]) == {"net.0": "net.0", "net.1": "net.1"}
    assert short_names(["conv", "conv#2"]) == {"conv": "conv", "conv#2": "conv#2"}
