"""Each panel of a figure as it was last looked at.

`CANVASWIDGET_STORE=1 pytest tests/plotting/test_stored_panels.py` stores the panels anew, to be looked at before they
are committed.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text
from PIL import Image

from canvaswidget.plotting.figures import (
    PANELS,
    Bar,
    Points,
    ShareCurve,
    drawn,
    view_figure,
)
from canvaswidget.plotting.view import Spectra, Spectrum
from tests.plotting.views import view

pytestmark = pytest.mark.slow

STORED = Path(__file__).parent / "figures"
DPI = 50
# Levels of 256 of a blurred picture that other versions of the libraries may differ by, on average and anywhere.
TYPICAL, WORST = 1.5, 24


def picture_of(panel: str, **changes) -> Image.Image:
    """A panel without its words: fonts differ from one machine to another."""
    figure = view_figure(view(one_scale=True, **changes), 3.3, [panel])
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the words have taken their room
    for text in figure.findobj(Text):
        text.set_alpha(0)
    return Image.open(io.BytesIO(drawn(figure, "png", DPI))).convert("RGB")


def difference(one: Image.Image, other: Image.Image) -> tuple[float, float]:
    """On average and at most, between blurred pictures."""
    size = (one.width // 4, one.height // 4)
    small = [np.asarray(each.resize(size, Image.Resampling.BOX), np.float64) for each in (one, other)]
    apart = np.abs(small[0] - small[1])
    return float(apart.mean()), float(apart.max())


@pytest.mark.parametrize("panel", PANELS)
def test_each_panel_looks_as_it_did(panel: str) -> None:
    stored, now = STORED / f"{panel}.png", picture_of(panel)
    if os.environ.get("CANVASWIDGET_STORE"):
        STORED.mkdir(exist_ok=True)
        now.save(stored, optimize=True)
    before = Image.open(stored).convert("RGB")
    assert abs(before.width - now.width) <= 2
    assert abs(before.height - now.height) <= 6
    typical, worst = difference(before, now.resize(before.size))
    assert typical <= TYPICAL, f"{panel}: {typical:.2f} levels on average"
    assert worst <= WORST, f"{panel}: {worst:.0f} levels at the most"


@pytest.mark.parametrize(
    ("panel", "changes"),
    [
        ("frame", {"palette": "magma", "opacity": 1.0}),
        ("frame", {"pixel": (12, 25)}),
        ("pixel", {"bars": [Bar("decoder.3", f"{i} → 2", 1 / (i + 1), 0.1) for i in range(12)]}),
        ("region", {"region_bars": [Bar("decoder.2", f"{i} → 3", i / 9, 0.2) for i in range(6)]}),
        ("maps", {"signed": True}),
        ("neurons", {"contrast": 4.0}),
        ("spectrum", {"spectra": Spectra(np.linspace(0.05, 0.45, 9), [Spectrum("truth", np.ones(9), 0.1)])}),
        ("shares", {"shares": [ShareCurve("a", [1, 100], [0.5, 1.0])]}),
        ("time", {"changes": ()}),
        ("scatter", {"points": Points(np.random.default_rng(5).random((60, 2)), np.zeros(60, int))}),
    ],
)
def test_another_view_is_told_apart_from_the_stored_one(panel: str, changes) -> None:
    before = Image.open(STORED / f"{panel}.png").convert("RGB")
    typical, worst = difference(before, picture_of(panel, **changes).resize(before.size))
    assert typical > TYPICAL or worst > WORST
