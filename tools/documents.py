"""Build the documents into `site/` with Zensical: `python -m tools.documents`. Whatever is wrong with them is an error.

Zensical's strict mode finds links, anchors, snippets and names that are not there. It does not look at images, at pages
that the navigation lacks or has too many of, and only prints what the docstrings' parser warns of. With ``--live`` the
live pages that a page embeds must be there (`tools/live_pages.py` makes them).
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
WARNS = re.compile(r"^(?:griffe|mkdocstrings|mkdocs_autorefs)\b", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FRAME = re.compile(r'<iframe src="([^"]+)"')
IMAGE = re.compile(r"!\[[^\]]*\]\(([^)#\s]+)")


def navigated(nav: Any) -> Iterator[str]:
    """The pages that a navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict | list):
        for one in nav.values() if isinstance(nav, dict) else nav:
            yield from navigated(one)


def unnoticed(root: Path, live: bool = False) -> Iterator[str]:
    """What Zensical does not notice."""
    docs = root / "docs"
    pages = {page.relative_to(docs).as_posix(): page for page in docs.rglob("*.md")}
    named = set(navigated(yaml.safe_load((root / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))
    yield from (f"mkdocs.yml: nav names {name}, which is not there" for name in sorted(named - set(pages)))
    yield from (f"docs/{name}: is not in the nav of mkdocs.yml" for name in sorted(set(pages) - named))
    for name, page in sorted(pages.items()):
        text = page.read_text(encoding="utf-8")
        for frame in FRAME.findall(text) if live else ():
            if not (page.parent / frame).is_file():
                yield f"docs/{name}: there is no live page {frame}; make docs-live makes it"
        for image in IMAGE.findall(text):
            if "://" not in image and not (page.parent / image).is_file():
                yield f"docs/{name}: there is no image {image}"


def build(root: Path, live: bool = False) -> list[str]:
    """Build the site; what is wrong with the documents."""
    wrong = list(unnoticed(root, live))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    done = subprocess.run(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    said = COLOUR.sub("", done.stdout)
    if done.returncode or WARNS.search(said):
        wrong.append(said.strip())
    return wrong


def main() -> int:
    wrong = build(ROOT, live="--live" in sys.argv[1:])
    print(*wrong, sep="\n", end="\n" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
