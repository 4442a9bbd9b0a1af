"""`make docs` fails where a document is wrong; its pages work without a network, search included."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools.documents import FRAME, build, navigated
from tools.live_pages import PAGES, bake

CONFIG = """
site_name: A site
nav:
  - Home: index.md
  - Part:
      - Other: part/other.md
plugins:
  - search
  - mkdocstrings:
      handlers:
        python:
          options: { docstring_style: numpy, docstring_options: { warn_unknown_params: true } }
"""
MODULE = '''
def add(a: int) -> int:
    """Add one.

    Parameters
    ----------
    a : int
        A number.
    """
    return a + 1
'''


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "part").mkdir(parents=True)
    for name, text in {
        "mkdocs.yml": CONFIG,
        "adding.py": MODULE,
        "docs/index.md": "# Home\n\n[Other](part/other.md#there), [add][adding.add]\n\n![A dot](dot.svg)\n",
        "docs/dot.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "docs/part/other.md": "# Other\n\n## There\n\n::: adding.add\n",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.slow
def test_a_site_with_nothing_wrong(site: Path) -> None:
    assert build(site) == []
    assert "Add one." in (site / "site" / "part" / "other" / "index.html").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        ("docs/index.md", "other.md#there", "another.md", "page does not exist"),
        ("docs/index.md", "#there", "#nowhere", "anchor does not exist"),
        ("docs/index.md", "[adding.add]", "[adding.nothing]", "unresolved"),
        ("docs/index.md", "dot.svg", "dash.svg", "no image dash.svg"),
        ("docs/part/other.md", "adding.add", "adding.nothing", "adding.nothing"),
        ("adding.py", "    a : int", "    b : int", "'b'"),
        ("mkdocs.yml", "part/other.md", "part/third.md", "part/third.md"),
        ("mkdocs.yml", "  - Home: index.md\n", "", "index.md: is not in the nav"),
    ],
)
def test_what_is_wrong_is_said(site: Path, file: str, right: str, wrong: str, said: str) -> None:
    path = site / file
    text = path.read_text(encoding="utf-8")
    assert right in text
    path.write_text(text.replace(right, wrong), encoding="utf-8")
    assert said in "\n".join(build(site))


@pytest.mark.slow
def test_a_live_page_that_is_not_made_is_said_where_it_is_asked_for(site: Path) -> None:
    index = site / "docs" / "index.md"
    index.write_text(
        index.read_text(encoding="utf-8") + '\n<iframe src="live/x.html"></iframe>\n', encoding="utf-8"
    )
    assert build(site) == []
    assert "no live page live/x.html" in "\n".join(build(site, live=True))
    (site / "docs" / "live").mkdir()
    (site / "docs" / "live" / "x.html").write_text("<p>x</p>", encoding="utf-8")
    assert build(site, live=True) == []
    assert (site / "site" / "live" / "x.html").is_file()


def test_every_live_page_is_embedded() -> None:
    assert FRAME.findall((ROOT / "docs" / "live.md").read_text(encoding="utf-8")) == [
        f"live/{name}.html" for name in PAGES
    ]


@pytest.mark.slow
@pytest.mark.repeats  # saved pages have tests of their own
@pytest.mark.parametrize("name", PAGES)
def test_a_live_page_is_made(name: str, tmp_path: Path) -> None:
    path = bake(name, tmp_path)
    assert 100_000 < path.stat().st_size < 6_000_000
    assert "default-src 'none'" in path.read_text(encoding="utf-8")


def test_navigated() -> None:
    assert list(navigated(["a.md", {"B": "b.md"}, {"C": [{"D": "d.md"}]}])) == ["a.md", "b.md", "d.md"]


def test_nothing_is_fetched() -> None:
    """The theme would ask Google for fonts, and GitHub for stars where it knows the repository."""
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert "font: false" in config
    assert "repo_url" not in config
