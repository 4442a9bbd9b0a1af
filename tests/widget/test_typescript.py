"""The page's traits and their defaults are those of the widget."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from canvaswidget import CanvasWidget
from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.version import DOCUMENTATION
from canvaswidget.widget import typescript
from tests.conftest import ROOT


@pytest.mark.parametrize("path", typescript.MODULES)
def test_the_page_has_the_same_traits_defaults_and_constants(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == typescript.MODULES[path]()


@pytest.mark.parametrize("path", ["pyproject.toml", "mkdocs.yml"])
def test_the_documents_have_one_address(path: str) -> None:
    assert DOCUMENTATION in (ROOT / path).read_text(encoding="utf-8")


def test_every_synced_trait_has_a_type() -> None:
    typed = {*typescript.PRIVATE, *get_type_hints(ViewState)}
    assert typed == set(typescript.defaults())
    assert set(CanvasWidget.VIEW) == set(get_type_hints(ViewState))
