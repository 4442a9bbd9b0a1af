"""The documents: every piece of Python in them runs, from the top of its page to the end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

PAGES = sorted((ROOT / "docs").glob("*.md"))
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pieces(page: Path) -> list[str]:
    return PYTHON.findall(page.read_text(encoding="utf-8"))


# These make whole pages, train and measure whole models, which takes longer than all others together; their functions
# have tests of their own.
LONG = ("figures", "frequencies", "pages", "profile", "quantisation", "surveys", "trust")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=[pytest.mark.repeats] if page.stem in LONG else [])
        for page in PAGES
        if pieces(page)
    ],
)
def test_what_a_page_says_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for number, code in enumerate(pieces(page), 1):
        exec(compile(code, f"{page.name}, piece {number}", "exec"), names)
    w = names.get("w")
    if w is not None:
        w.close()  # type: ignore[attr-defined]


def test_pages_are_found() -> None:
    assert sum(len(pieces(page)) for page in PAGES) > 10
    assert set(LONG) <= {page.stem for page in PAGES}
