"""Figures: of any size and content, with text as text, and without pyplot."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from canvaswidget.figures import DIVERGING, Bar, View, colour_map, palettes, save, view_figure
from canvaswidget.widget.snapshot import short_names


def view(**changes) -> View:
    rng = np.random.default_rng(0)
    content = {
        "title": "NeRV, frame 1 of 4",
        "image": rng.random((16, 32, 3)),
        "overlay": rng.normal(size=(16, 32)) / 100,
        "overlay_name": "decoder.3, kernel 3 → 17",
        "pixel": (3, 5),
        "bars": [Bar("decoder.3", f"{i} → 2", (-1) ** i / (i + 1), 0.1, i == 1) for i in range(12)],
        "thumbnails": [(f"decoder.3  {i} → 2", rng.normal(size=(16, 32))) for i in range(6)],
        "frames": [0, 1, 2, 3],
        "totals": [1.0, 5.0, 2.0, 3.0],
        "time": 1,
    }
    return View(**{**content, **changes})


def texts(figure) -> str:
    figure.draw_without_rendering()
    found = [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    return "\n".join(found)


@pytest.mark.parametrize("width", [2.5, 3.3, 6.6, 12])
def test_everything_is_there_and_within_the_page(width: float) -> None:
    figure = view_figure(view(), width)
    assert figure.get_figwidth() == width
    shown = texts(figure)
    for words in (
        "NeRV, frame 1 of 4",
        "kernel 3 → 17",
        "contribution (RGB level)",
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
    sizes = [text.get_fontsize() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]
    assert min(sizes) >= 5.5


@pytest.mark.parametrize(
    "changes",
    [
        {"bars": ()},
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


def test_a_notebook_shows_it_without_pyplot() -> None:
    data, size = view_figure(view(), 3)._repr_png_()
    assert data.startswith(b"\x89PNG")
    assert size["width"] == 300


def test_text_stays_text(tmp_path) -> None:
    figure = view_figure(view(), 3.3)
    save(figure, tmp_path / "a.svg")
    assert "contribution (RGB level)" in (tmp_path / "a.svg").read_text(encoding="utf-8")
    save(figure, tmp_path / "a.pdf")
    pdf = (tmp_path / "a.pdf").read_bytes()
    assert b"/Type3" not in pdf.replace(b" ", b"")
    assert b"FontFile2" in pdf


def test_palettes() -> None:
    found = palettes()
    assert found.tables.shape == (len(found.names), 256, 3)
    assert found.tables.dtype == np.uint8
    assert found.diverging == DIVERGING
    light = found.tables.astype(float) @ [0.299, 0.587, 0.114]
    for name, lightness in zip(found.names, light, strict=True):
        if name in DIVERGING:  # the same on both sides, brighter or darker in the middle
            assert abs(lightness - lightness[::-1]).max() < 60
            assert abs(lightness[127] - lightness[[0, 255]]).min() > 100
        else:
            assert (np.diff(lightness) > -1).all()
    assert tuple(found.tables[found.names.index("gray"), 255] / 255) == to_rgb("white")
    with pytest.raises(ValueError, match="palette='jet'"):
        colour_map("jet")


def test_nobodys_settings_or_figures_are_touched() -> None:
    program = (
        "import numpy as np, matplotlib\n"
        "from canvaswidget.figures import View, view_figure\n"
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
