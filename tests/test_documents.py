"""The documents: every piece of Python in them runs, from the top of its page to the end.

Where a block of text follows a piece, it is what the piece prints. A comment

    <!-- says
    f"{total:.1f}"
    -->

holds expressions, one a line, evaluated with the names of the page's code; the prose of its section must contain each
value. So no number in the text differs from what the code gives.
"""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

PAGES = sorted((ROOT / "docs").rglob("*.md"))
CODE = r"^```python\n(?P<code>.*?)^```$(?:\n\n^```text\n(?P<printed>.*?)^```$)?"
SAYS = r"^<!-- says\n(?P<says>.*?)^-->$"
ITEM = re.compile(f"{CODE}|{SAYS}", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^```.*?^```$|^<!--.*?-->$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ .*$", re.MULTILINE)


def pieces(text: str) -> list[re.Match[str]]:
    return list(ITEM.finditer(text))


def prose_before(text: str, place: int) -> str:
    """The text of the section from its heading to a place, in one line, without code."""
    start = max((match.start() for match in HEADING.finditer(text, 0, place)), default=0)
    return " ".join(FENCED.sub("", text[start:place]).split())


def run_page(text: str, name: str) -> dict[str, object]:
    names: dict[str, object] = {"__name__": "__main__"}
    for number, piece in enumerate(pieces(text), 1):
        where = f"{name}, piece {number}"
        if piece["says"] is not None:
            prose = prose_before(text, piece.start())
            lines = [line for line in piece["says"].splitlines() if line.strip()]
            assert lines, where
            for line in lines:
                value = eval(line, names)
                assert isinstance(value, str), f"{where}: {line} is no string"
                assert " ".join(value.split()) in prose, f"{where}: the text does not say {value!r} ({line})"
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(piece["code"], where, "exec"), names)
        if piece["printed"] is not None:
            assert printed.getvalue() == piece["printed"], where
    return names


# These make whole pages, train and measure whole models, which takes longer than all others together; their functions
# have tests of their own.
LONG = ("figures", "frequencies", "pages", "profile", "quantisation", "surveys", "trust")


@pytest.mark.slow
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=page.relative_to(ROOT / "docs").with_suffix("").as_posix(),
            marks=[pytest.mark.repeats] if page.stem in LONG else [],
        )
        for page in PAGES
        if pieces(page.read_text(encoding="utf-8"))
    ],
)
def test_what_a_page_says_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = run_page(page.read_text(encoding="utf-8"), page.name)
    w = names.get("w")
    if w is not None:
        w.close()  # type: ignore[attr-defined]


def test_pages_are_found() -> None:
    found = [piece for page in PAGES for piece in pieces(page.read_text(encoding="utf-8"))]
    assert sum(piece["code"] is not None for piece in found) > 10
    assert sum(piece["printed"] is not None for piece in found) > 3
    assert sum(piece["says"] is not None for piece in found) > 3
    assert set(LONG) <= {page.stem for page in PAGES}


PAGE = """# A page

Half of 3 is 1.5, half of 8 is 4.

```python
print(3 / 2)
```

```text
1.5
```

<!-- says
f"half of 8 is {8 / 2:g}"
-->
"""


def test_a_page_that_says_what_the_code_gives() -> None:
    run_page(PAGE, "page")


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("print(3 / 2)", "print(4 / 2)"),  # prints something else than the block
        ("half of 8 is 4", "half of 8 is 5"),
        ("half of 8 is 4.", "half of 8 is 4.\n\n# Another section\n\nNothing."),
        ("half of 8 is {8 / 2:g}", "half of 8 is {7 / 2:g}"),
        ("print(3 / 2)", "raise AssertionError"),
    ],
)
def test_a_page_that_does_not(right: str, wrong: str) -> None:
    assert right in PAGE
    with pytest.raises(AssertionError):
        run_page(PAGE.replace(right, wrong), "page")
