"""Draw the figures of XINC and write their numbers into `docs/paper.md`: `python -m tools.paper [name ...]`.

Each figure has a block on the page. Rows and pictures of networks that are not there (see `tools/paper_networks.py`)
stay as they are. Pictures that the page does not show go to `build/paper`. Names make only these figures.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from canvaswidget.plotting.style import style
from tools.paper_figures import FIGURES, Made, PaperFigure, Row
from tools.paper_networks import available

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "paper.md"
PICTURES = ROOT / "docs" / "images" / "paper"
OTHERS = ROOT / "build" / "paper"
DPI = 100
COLOURS = 256  # of a picture: curves and maps in one scale need no more, and it is half as large
BLOCK = re.compile(r"<!-- figure (?P<name>\w+) -->\n.*?<!-- end -->", re.DOTALL)

Table = dict[str, list[Row]]


def file_name(figure: str, network: str) -> str:
    return f"{figure}-{network}.png".replace(" ", "-").replace("_", "-")


def table_of(block: str) -> Table:
    """The rows of a block of the page, by network."""
    found: Table = {}
    lines = [line for line in block.splitlines() if line.startswith("| ")]
    for line in lines[2:]:  # without the heading and the line below it
        network, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found.setdefault(network, []).append(tuple(cells))
    return found


def blocks(page: str) -> dict[str, str]:
    """The blocks of the page, by the names of their figures."""
    return {match["name"]: match.group() for match in BLOCK.finditer(page)}


def block_of(figure: PaperFigure, table: Table) -> str:
    """What the page says of a figure: the paper's, our pictures, our numbers."""
    head = ("network", *figure.columns)
    rows = [(network, *row) for network in figure.networks for row in table.get(network, [])]
    pictures = [
        f"![{figure.caption[0].upper()}{figure.caption[1:]}: {network}](images/paper/{file_name(figure.name, network)})"
        for network in figure.shown
        if network in table
    ]
    return "\n".join(
        [
            f"<!-- figure {figure.name} -->",
            f"**The paper draws** (`{figure.script}`): {figure.shows}",
            "",
            f"**It says**: {figure.reports}",
            "",
            f"**Here**: {figure.caption}.",
            "",
            *(line for picture in pictures for line in (picture, "")),
            *(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows)),
            "",
            "<!-- end -->",
        ]
    )


def rewritten(page: str, tables: Mapping[str, Table], figures: Sequence[PaperFigure] = FIGURES) -> str:
    """The page with the numbers that were made in their blocks; the rows of other networks stay."""
    by_name, there = {figure.name: figure for figure in figures}, blocks(page)
    unknown = sorted(set(tables) - set(there))
    if unknown:
        raise ValueError(f"{PAGE.name}: has no block for {', '.join(unknown)}")

    def new(match: re.Match[str]) -> str:
        name = match["name"]
        if name not in tables:
            return match.group()
        return block_of(by_name[name], {**table_of(match.group()), **tables[name]})

    return BLOCK.sub(new, page)


def save(figure: PaperFigure, network: str, made: Made) -> Path:
    """Write a picture to where it belongs."""
    folder = PICTURES if network in figure.shown else OTHERS
    folder.mkdir(parents=True, exist_ok=True)
    path, drawn = folder / file_name(figure.name, network), io.BytesIO()
    with style():
        made.figure.savefig(drawn, format="png", dpi=DPI)
    Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return path


def main(names: Sequence[str]) -> int:
    known = [figure.name for figure in FIGURES]
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no figure {', '.join(unknown)}: expected some of {', '.join(known)}", file=sys.stderr)
        return 2
    here, tables = available(), dict[str, Table]()
    for figure in FIGURES:
        if names and figure.name not in names:
            continue
        tables[figure.name] = {}
        for network in figure.networks:
            if network not in here:
                print(f"{figure.name} of {network}: not here, left as it is", file=sys.stderr)
                continue
            made = figure.make(network)
            tables[figure.name][network] = made.rows
            print(save(figure, network, made).relative_to(ROOT), file=sys.stderr)
    PAGE.write_text(rewritten(PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
