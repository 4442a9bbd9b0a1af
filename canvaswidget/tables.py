"""Tables that read well in text and in HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import ClassVar


def text(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> str:
    """Aligned columns, one line a row; the columns in `right` are aligned right."""
    lines = [list(head), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markup(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = (), note: str = ""
) -> str:
    """The same as an HTML table, without style of its own but the alignment."""

    def line(cells: Sequence[str], tag: str) -> str:
        side = ["right" if column in right else "left" for column in range(len(cells))]
        return "".join(
            f'<{tag} style="text-align:{align}">{html.escape(cell)}</{tag}>'
            for cell, align in zip(cells, side, strict=True)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    caption = (
        f'<caption style="caption-side:bottom;text-align:left">{html.escape(note)}</caption>' if note else ""
    )
    return f"<table>{caption}<thead><tr>{line(head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


class Printed:
    """Prints as a table of two columns, what and how much, in text and in HTML."""

    title: ClassVar[str]

    def rows(self) -> list[list[str]]:
        """What and how much, as text."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return text([self.title, ""], self.rows())

    def _repr_html_(self) -> str:
        return markup([self.title, ""], self.rows())
