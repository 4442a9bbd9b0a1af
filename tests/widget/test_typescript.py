"""The page's traits and their defaults are those of the widget."""

from __future__ import annotations

from typing import get_type_hints

from canvaswidget import CanvasWidget
from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.widget import typescript
from tests.conftest import ROOT


def test_the_page_has_the_same_traits_and_defaults() -> None:
    assert (ROOT / "js/src/state/traits.ts").read_text(encoding="utf-8") == typescript.module()


def test_every_synced_trait_has_a_type() -> None:
    typed = {*typescript.PRIVATE, *get_type_hints(ViewState)}
    assert typed == set(typescript.defaults())
    assert set(CanvasWidget.VIEW) == set(get_type_hints(ViewState))
