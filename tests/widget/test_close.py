"""What is left after a widget is closed."""

from __future__ import annotations

import gc
import weakref

import pytest

from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import video
from tests.widget.between_page_and_widget import displayed, request

pytestmark = pytest.mark.usefixtures("unbuilt")


def test_close_frees_the_model_and_the_widget(monkeypatch) -> None:
    inr = video()
    w = CanvasWidget(inr, device="cpu")
    w.figure()
    displayed(w, monkeypatch)
    w._handle_custom_msg(request(1, kind="frame", time=0, source="reconstruction"), [])
    freed = [weakref.ref(w), weakref.ref(w.canvas), weakref.ref(inr), weakref.ref(inr.module)]
    assert w.stats()["cache_bytes"] > 3 * 16 * 32
    cache = w._session._cache
    w.close()
    assert (cache.n_bytes, len(cache)) == (0, 0)
    del inr
    gc.collect()
    assert [ref() for ref in freed[1:]] == [None, None, None]
    del w
    gc.collect()
    assert freed[0]() is None


def test_a_closed_widget_can_be_read_and_says_that_it_is_closed(w: CanvasWidget) -> None:
    w.close()
    w.close()
    assert (w.time, w.pixel) == (3, (8, 16))
    w.time = 1
    w.layer = 0
    assert "closed" in repr(w)
    w._handle_custom_msg(request(1, kind="palettes"), [])
    for use in (lambda: w.canvas, lambda: w.inr, w.figure, w.stats, lambda: setattr(w, "rule", "gated")):
        with pytest.raises(RuntimeError, match="closed"):
            use()
