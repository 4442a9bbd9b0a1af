"""The page of a report: one HTML file, with its pictures in it, that asks nothing of any network."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from canvaswidget import tables
from canvaswidget.inr.outputs import in_colour
from canvaswidget.plotting.style import Page, drawn_ratio, style
from canvaswidget.tables import Printed
from canvaswidget.tracing.canvas import Canvas

SCREEN = 100  # CSS pixels an inch

STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --quiet: #5f6570; --line: #d9dce1; --ground: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8ec; --quiet: #9aa1ad; --line: #363b44; --ground: #16181c; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 62rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; }
h2 { margin: 2.5rem 0 .25rem; font-size: 1.15rem; scroll-margin-top: 1rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.quiet { color: var(--quiet); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: 1rem 0; padding: .6rem 0; border: solid var(--line);
  border-width: 1px 0; }
a { color: inherit; text-decoration-color: var(--line); text-underline-offset: 3px; }
a:hover { text-decoration-color: currentColor; }
figure { margin: .75rem 0; }
figure img { display: block; max-width: 100%; height: auto; padding: .5rem; background: #ffffff;
  border: 1px solid var(--line); border-radius: 4px; }
figcaption { margin-top: .2rem; font-size: 12px; }
details { margin: .5rem 0; }
summary { cursor: pointer; }
.tables { display: flex; flex-wrap: wrap; gap: .75rem 1.5rem; padding-top: .5rem; overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
pre { margin: 0; font-size: 12px; white-space: pre-wrap; }
"""

CAUTION = {
    "xinc": (
        "A contribution of the rule xinc says where a neuron writes: its own part of its layer's output, carried to "
        "the image by what only enlarges, activates and smooths. It does not follow what later weights make of that. "
        "In the last layer the contributions add up to the raw output, before an output activation or scale."
    ),
    "gated": (
        "A contribution of the rule gated is a neuron's part of the image when every gate of the network is held at "
        "its value for this input; the parts, and what belongs to no neuron, add up to the image."
    ),
    "ablation": (
        "A contribution of the rule ablation is how much the image changes when the neuron's term is taken away, one "
        "neuron at a time."
    ),
}


@dataclass
class Section:
    """A figure with its words; sections of the same title are shown as one."""

    title: str
    text: str
    figure: Figure
    source: str
    results: list[Any] = field(default_factory=list)


def write_page(
    path: Path,
    canvas: Canvas,
    frame: int,
    sections: Sequence[Section],
    dpi: float,
    note: str = "",
    files: str = "",
) -> None:
    """Write the page; pictures at `dpi`, shown at their size on paper or smaller; `note` is said of all findings.

    `files` is the name of the folder beside it, of figures and arrays.
    """
    titles = list(dict.fromkeys(section.title for section in sections))
    parts = [_head(canvas, frame, titles, note, files)]
    for title in titles:
        own = [section for section in sections if section.title == title]
        parts.append(
            f'<h2 id="{_anchor(title)}">{html.escape(title)}</h2>\n<p>{html.escape(own[0].text)}</p>'
        )
        parts += [_figure(section, dpi) for section in own]
        results = [result for section in own for result in section.results]
        if results:
            parts.append(
                f'<details open><summary>Numbers</summary><div class="tables">{_tables(results)}</div></details>'
            )
    parts.append("</body></html>\n")
    path.write_text("\n".join(parts), encoding="utf-8")


def _head(canvas: Canvas, frame: int, titles: Sequence[str], note: str, files: str) -> str:
    inr, (height, width) = canvas.inr, canvas.inr.size
    links = "".join(f'<a href="#{_anchor(title)}">{html.escape(title)}</a>' for title in titles)
    still = _image(canvas, frame)
    facts = f"frame {frame} ({frame + 1} of {inr.n_frames}), {height}x{width} pixels, rule {canvas.rule}"
    facts += f"; {note}" if note else ""
    beside = [f'<a href="{files}/{part}/">{part}</a>' for part in ("figures", "arrays")]
    caution = CAUTION.get(canvas.rule, "")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(inr.name)}: findings</title>
<style>{STYLE}</style></head><body>
<h1>{html.escape(inr.name)}</h1>
<p class="quiet">{html.escape(facts)}<br>Beside this page: {" and ".join(beside)}</p>
<nav aria-label="Findings">{links}</nav>
<figure>{still}<figcaption class="quiet">What the model shows</figcaption></figure>
<p>{html.escape(caution)}</p>"""


def _image(canvas: Canvas, frame: int) -> str:
    ratio = drawn_ratio(canvas.inr.size)
    width = 4.0 / max(ratio, 1)
    figure = Page(figsize=(width, width * ratio))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    ax.imshow(in_colour(canvas.frame(frame)).clip(0, 1), interpolation="nearest", aspect="auto")
    return _picture(figure, 130, f"Frame {frame} as the model renders it")


def _figure(section: Section, dpi: float) -> str:
    source = html.escape(section.source)
    return (
        f"<figure>{_picture(section.figure, dpi, section.title)}"
        f'<figcaption class="quiet"><a href="{source}">{source}</a></figcaption></figure>'
    )


def _picture(figure: Figure, dpi: float, words: str) -> str:
    written = io.BytesIO()
    with style():
        figure.savefig(written, format="png", dpi=dpi)
    width = round(figure.get_figwidth() * SCREEN)
    data = base64.b64encode(written.getvalue()).decode("ascii")
    return f'<img alt="{html.escape(words)}" width="{width}" src="data:image/png;base64,{data}">'


def _tables(results: Sequence[Any]) -> str:
    """One table where all have the same rows, a column each; else a table each."""
    rows = [result.rows() if isinstance(result, Printed) else None for result in results]
    heads = {tuple(row[0] for row in part) if part is not None else None for part in rows}
    if len(heads) > 1 or None in heads:
        return "\n".join(f"<div>{_table(result)}</div>" for result in results)
    columns = [part for part in rows if part is not None]
    lines = [[line[0][0], *(cell[1] for cell in line)] for line in zip(*columns, strict=True)]
    return tables.markup(lines[0], lines[1:])


def _table(result: Any) -> str:
    return result._repr_html_() if isinstance(result, Printed) else f"<pre>{html.escape(repr(result))}</pre>"


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")
