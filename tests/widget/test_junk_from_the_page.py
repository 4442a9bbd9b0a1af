"""A broken or hostile page sets traits to anything: they stay right, and it hears what they are."""

from __future__ import annotations

import json
import logging

import pytest

from canvaswidget.kernel import message_parts
from canvaswidget.widget.shared_traits import KERNELS
from canvaswidget.widget.widget import CanvasWidget
from tests.junk import FOREIGN, JUNK
from tests.kernel.test_messages import problems
from tests.widget.between_page_and_widget import sent

SYNCED = (
    *CanvasWidget.VIEW,
    "_canvas",
    "_compared",
    "_runs",
    "_changes",
    "_picture",
    "_esm",
    "_css",
    "_seen",
)
OTHERS = ("_seen", "unheard_of", "_canvas_of", "tooltip", "__class__", "comm", "a\nb")
VIEW = list(CanvasWidget.VIEW)


@pytest.mark.parametrize("name", [*VIEW, *KERNELS, *OTHERS])
def test_a_trait_is_set_to_something_right_or_not_at_all(name: str, widget: CanvasWidget, caplog) -> None:
    start = widget.get_state(VIEW)
    mate, value = ("fps", 12.0) if name == "opacity" else ("opacity", 0.5)
    for junk in JUNK:
        caplog.clear()
        found, before = sent(widget), widget.get_state()
        with caplog.at_level(logging.WARNING):
            widget.set_state({name: junk, mate: value})
        assert getattr(widget, mate) == value
        state = widget.get_state(VIEW)
        assert problems(state, message_parts.ViewState) == []
        json.dumps(state, allow_nan=False)
        if caplog.records:
            (refused,) = caplog.messages
            if name != "_changes":  # the others have numbers there
                assert widget.get_state([name]) == {name: before[name]}
            assert name in {key for message in found for key in message["state"]}
            if name in (*VIEW, *KERNELS):  # the others are of ipywidgets
                words = refused.split("which was refused: ")[1]
                assert len(words) < 500
                assert not FOREIGN.search(words), words
        for key in VIEW:
            if state[key] != start[key]:
                setattr(widget, key, start[key])
        assert widget.get_state(VIEW) == start
