"""One HTML file with the live view in it, which works from disk, without a kernel and without a network.

What the page may be asked is computed beforehand, see `canvaswidget.exports.precomputed`, and what it was not given it
says in words. A Content-Security-Policy keeps the file from loading anything, whatever is in it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from canvaswidget.bundle import bundled
from canvaswidget.exports.fallback_image import WIDTH, png
from canvaswidget.exports.figure_data import PICTURE, figure_data
from canvaswidget.exports.packing import Packed, pack
from canvaswidget.exports.page_budget import BUDGET, PageEstimate, Plan, megabytes, named_runs, plan_page
from canvaswidget.exports.precomputed import RANKED, Kept, PrecomputedAnswers
from canvaswidget.exports.view import ExportedView, checked_file
from canvaswidget.files import write_whole
from canvaswidget.kernel import requests
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.message_parts import RunKey
from canvaswidget.kernel.view_checks import on_wire
from canvaswidget.plotting import figures
from canvaswidget.progress import Progress, Report, Steps, steps
from canvaswidget.version import __version__

FORM = "html"
CONTENTS = ("layers", "frames", "runs", "neurons", "budget")
NEEDS_NOTEBOOK = "needs the notebook"  # the view offers no "Try again" for an error that starts so
NEEDS = f"{NEEDS_NOTEBOOK}: this page keeps"
COLOURS = f"{NEEDS} the sum of the colours"

STYLE = """
:root { color-scheme: light dark; }
body { margin: 0 auto; max-width: 1500px; padding: 14px 16px 20px; background: #ffffff; color: #1c2127;
  font: 13px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
h1 { margin: 0 0 10px; font-size: 17px; }
h2 { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
p { margin: 10px 2px 0; max-width: 100ch; color: #5b636e; }
noscript img { max-width: 100%; }
@media (prefers-color-scheme: dark) {
  body { background: #0e1013; color: #e4e7eb; }
  p { color: #a3abb6; }
}
"""

# Stands before all else, so that any part of a file that was cut off shows it; the last line of the file hides it.
UNFINISHED = (
    "This page is still loading. If these words stay, the file is incomplete, as after a download that was cut off: "
    "get it again, or export it again."
)


# --- the file -------------------------------------------------------------------------------------------------


def save_page(
    view: ExportedView, path: str | Path, contents: Mapping[str, Any], progress: Progress
) -> PageEstimate:
    """See `CanvasWidget.save`; `contents` are layers, frames, runs, neurons and budget."""
    path, _ = checked_file(path, (FORM,))
    cached = view.cached()
    shown = view.compute(lambda cached, report: figure_data(cached, view.state, PICTURE, report))
    plan = _plan(view, contents, progress)
    return write_page(path, view, plan, view.recipe(cached.canvas), shown, progress)


def estimate_page(view: ExportedView, contents: Mapping[str, Any], progress: Progress) -> PageEstimate:
    """See `CanvasWidget.estimate_page`."""
    return _plan(view, contents, progress).estimate


def _plan(view: ExportedView, contents: Mapping[str, Any], progress: Progress) -> Plan:
    asked = {name: contents.get(name) for name in CONTENTS}
    return plan_page(view, {**asked, "budget": asked["budget"] or BUDGET}, progress)


@dataclass(frozen=True)
class WholePage:
    """A page with everything computed that it keeps; its picture, for where no script runs, is still to be drawn."""

    view: ExportedView
    plan: Plan
    page: Mapping[str, Any]
    arrays: Sequence[Packed]
    shown: figures.View

    def file(self) -> bytes:
        """The bytes of the file; ValueError where they are more than the budget."""
        picture = png(figures.view_figure(self.shown, WIDTH))
        data = _document(self.view, self.plan, self.page, self.arrays, picture).encode()
        budget = self.plan.estimate.budget
        if len(data) > budget:
            raise ValueError(
                f"budget={megabytes(budget)}: the page has {megabytes(len(data))}, more than the sample of its "
                "frames let expect; nothing was written. Give a larger budget, or keep fewer neurons, frames or layers"
            )
        return data


def whole_page(view: ExportedView, contents: Mapping[str, Any], progress: Progress, name: str) -> WholePage:
    """A page of the view, for the export menu, on the worker's thread; `contents` as for `save_page`."""
    cached = view.cached()
    shown = view.compute(lambda cached, report: figure_data(cached, view.state, PICTURE, report))
    plan = _plan(view, contents, progress)
    return WholePage(view, plan, *page_data(view, plan, view.recipe(cached.canvas), name, progress), shown)


def write_page(
    path: Path, view: ExportedView, plan: Plan, recipe: str, shown: figures.View, progress: Any = True
) -> PageEstimate:
    """Compute what the plan says, and write it at once or not at all.

    Parameters
    ----------
    view : ExportedView
        That the plan was made for.
    recipe : str
        Python that makes the view again.
    shown : View
        The view as it is, for where no script runs.

    Returns
    -------
    PageEstimate
        With the bytes that were written.
    """
    data = WholePage(view, plan, *page_data(view, plan, recipe, path.name, progress), shown).file()
    write_whole(path, data)
    return replace(plan.estimate, bytes=len(data))


def page_data(
    view: ExportedView, plan: Plan, recipe: str, name: str, progress: Progress
) -> tuple[dict[str, Any], list[Packed]]:
    """What the page's program reads, and the arrays that it names by their index; `name` stands before the progress."""
    arrays: list[Packed] = []
    with steps(name, "layer", progress) as tell:
        tell.plan(sum(len(kept.frames) * len(kept.layers) for kept in plan.kept.values()))
        baked = [_baked(view, run, plan, arrays, tell) for run in plan.kept]
    answer, tables = view.compute(_palettes)
    arrays.append(tables)
    known_runs = {"_runs": _runs(view, plan)} if view.known_runs else {}
    page = {
        "state": {**_state(view.wire, plan.kept[view.wire["run"]]), **known_runs},
        "needs": _needs(view, plan),
        "recipe": recipe,
        "palettes": {"answer": answer, "data": len(arrays) - 1},
        "baked": baked,
        "arrays": [packed.describe() for packed in arrays],
    }
    return page, arrays


def _palettes(cached: CachedCanvas, report: Report) -> tuple[Any, Packed]:
    """The kernel's answer about palettes."""
    answer, data = requests.answer(cached, {"kind": "palettes"}, report)
    return answer, pack(np.frombuffer(data, np.uint8), "u1")


def _baked(view: ExportedView, run: RunKey, plan: Plan, arrays: list[Packed], tell: Steps) -> dict[str, Any]:
    """What the page knows of a run; its arrays are added to those of the page, and stand for them by their places."""
    session, kept, rule = view.session, plan.kept[run], view.state["rule"]
    cached = session.call(lambda report: session.of(run, rule))
    answers = PrecomputedAnswers(cached, kept, plan.quality)
    for frame in kept.frames:
        session.call(lambda report, frame=frame: answers.add_frame(frame, tell.within(report)))
        for layer in kept.layers:
            session.call(
                lambda report, layer=layer, frame=frame: answers.add_layer(layer, frame, tell.within(report))
            )
            tell.take()
    # Which rules there are, and which neurons can be ablated, a page does not say: those of the run that is shown do.
    facts = session.call(lambda report: Facts.of(cached.canvas, view.facts._replace(run=run)))
    clusters = [
        session.call(lambda report, layer=layer: answers.clusters(layer, report)) for layer in kept.layers
    ]
    scores = [
        session.call(lambda report, layer=layer: answers.faithfulness(layer, report)) for layer in kept.layers
    ]

    def keep(packed: Packed) -> int:
        arrays.append(packed)
        return len(arrays) - 1

    selections = []
    for layer in kept.layers:
        for selected in [*answers.groups[layer.name], *answers.neurons[layer.name]]:
            header, planes = selected.pack()
            selections.append({**header, "planes": [keep(plane) for plane in planes]})
    return {
        "info": _info(facts.on_wire(), rule, kept),
        "faithfulness": [score for score in scores if score],
        "pictures": {source: keep(series.pack()) for source, series in answers.frames.items()},
        "psnr": answers.psnr,
        "selections": selections,
        "clusters": [{"answer": answer, "data": keep(data)} for answer, data in clusters],
        "ranked": {
            "pixels": [list(pixel) for pixel in kept.pixels],
            "points": answers.ranked.points,
            **{name: keep(packed) for name, packed in answers.ranked.pack().items()},
        },
    }


def _needs(view: ExportedView, plan: Plan) -> dict[str, str]:
    """What the page says of what it does not keep."""
    kept = plan.kept[view.state["run"]]
    several = [run["key"] for run in view.known_runs if run["key"] in plan.kept]
    return {
        "selection": f"{NEEDS} {plan.chosen}",
        "frames": f"{NEEDS} frames {_numbers(kept.frames)}",
        "overlay": f"{NEEDS} no findings about whole layers",
        "clusters": f"{NEEDS} {kept.n_clusters} clusters of each layer",
        "scatter": f"{NEEDS} no scatter of the neurons",
        "spectrum": f"{NEEDS} no power spectra",
        "rules": f"{NEEDS} the maps of one rule",
        "runs": f"{NEEDS} {f'the runs {named_runs(several)}' if len(several) > 1 else 'the maps of one run'}",
        "pairs": f"{NEEDS} no matches between neurons of two runs",
        "colours": COLOURS,
        "regions": f"{NEEDS} no sums over regions",
        "export": f"{NEEDS} the view alone, not what figures, data and animations are made of",
        "faithfulness": f"{NEEDS} the scores that were measured when it was saved",
        "source": f"{NEEDS} {' and '.join(kept.sources)}",
    }


def _runs(view: ExportedView, plan: Plan) -> list[dict[str, Any]]:
    """The runs that the page offers. Of one network the same is kept of each, so that they are alike."""
    group = 0 if view.runs is not None and view.runs.is_one_network else None
    return [{**run, "group": group} for run in view.known_runs if run["key"] in plan.kept]


def _document(
    view: ExportedView, plan: Plan, page: Mapping[str, Any], arrays: Sequence[Packed], picture: bytes
) -> str:
    info = view.facts.on_wire()
    data = "\n".join(f'<script type="text/plain" class="cw-data">{packed.text}</script>' for packed in arrays)
    title = f"{info['title']}: implicit neural canvas"
    script = _inside("script", bundled("page.js"))
    allowed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="canvaswidget {__version__}">
<title>{html.escape(title)}</title>
</head>
<body>
<p id="unfinished" role="status">{UNFINISHED}</p>
<style>{_inside("style", bundled("widget.css"))}{STYLE}</style>
<main>
<h1>{html.escape(str(info["title"]))}</h1>
<h2>Implicit neural canvas</h2>
<div id="canvas"></div>
<noscript><img alt="{html.escape(title)}" src="data:image/png;base64,{base64.b64encode(picture).decode()}"></noscript>
<p id="kept">{html.escape(_about(view, plan))}</p>
</main>
<script type="application/json" id="page">{_json(page)}</script>
{data}
<script>{script}</script>
<style>#unfinished {{ display: none; }}</style>
</body>
</html>
"""


def _json(value: Any) -> str:
    """JSON that no HTML parser takes for anything else."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _inside(element: str, text: str) -> str:
    """A part of the bundle as it stands in an element; the build escapes what would end one."""
    if f"</{element}" in text.lower() or "<!--" in text or "\r" in text:
        raise RuntimeError(f"the front end holds what ends a {element} element: build it anew")
    return text


def _info(info: Mapping[str, Any], rule: str, kept: Kept) -> dict[str, Any]:
    """The canvas as the page knows it: what is kept, under the one rule that it was computed under."""
    names = {layer.name for layer in kept.layers}
    return {
        **info,
        # The page offers what it can show: frames keep their numbers.
        "saved": {
            "frames": list(kept.frames),
            "neurons": {
                layer.name: [on_wire(layer.neuron_at(place)) for place in kept.neurons[layer.name]]
                for layer in kept.layers
            },
        },
        "layers": [
            {**layer, "why_no_colours": COLOURS} for layer in info["layers"] if layer["name"] in names
        ],
        "rules": [],
        "ranked_by": rule,
        "embeddings": [],
        "quantisation": {"why_not": f"{NEEDS} no weights", "left_out": {}},
        "device": "saved page",
    }


def _state(state: Mapping[str, Any], kept: Kept) -> dict[str, Any]:
    """The widget's traits, as far as the page keeps what they are of."""
    names = [layer.name for layer in kept.layers]
    found = {
        **state,
        "playing": False,
        "ablated": {},
        "edits": [],
        "regions": [],
        "time": kept.now,
        "overlay": "selection",
        "channel": "sum",
        "colour_by": "cluster",
        "panel": "pixel",
        "band": None,
    }
    if found["layer"] not in names:
        found |= {"layer": names[max(0, len(names) - 2)], "neuron": None, "neurons": []}
    loop = found["loop"]
    if loop is not None:
        inside = [frame for frame in kept.frames if loop[0] <= frame <= loop[1]]
        found["loop"] = [inside[0], inside[-1]] if len(inside) > 1 else None
    if found["source"] not in (*kept.sources, "error", "off"):
        found["source"] = "reconstruction"
    if found["sort"] in ("difference", "frequency") or (
        found["sort"] == "change" and not _consecutive(kept.frames)
    ):
        found["sort"] = "total"
    return found


def _consecutive(frames: Sequence[int]) -> bool:
    """Whether each frame but the first has the one before it beside it: changes are between these."""
    return len(frames) > 1 and frames[-1] - frames[0] == len(frames) - 1


def _about(view: ExportedView, plan: Plan) -> str:
    kept, facts, state = plan.kept[view.state["run"]], view.facts, view.state
    frames = kept.frames
    which = ""
    if view.runs is not None:
        several = f"runs {named_runs(plan.estimate.runs)} of" if len(plan.kept) > 1 else "one of"
        which = (
            f"{several} {len(view.runs)} runs, "
            if len(plan.kept) < len(view.runs)
            else f"all {len(view.runs)} runs, "
        )
    if len(frames) == facts.n_frames > 1:
        which += f"all {len(frames)} frames, "
    elif facts.n_frames > 1:
        which += f"frames {_numbers(frames)} of {facts.n_frames}, "
    n_layers = f"{len(kept.layers)} of {len(facts.layers)} layers"
    return (
        f"A saved page of canvaswidget {__version__}, rule {state['rule']}. "
        f"It keeps {which}{n_layers}, {plan.chosen}"
        f"{' and the selected ones' if state['neurons'] else ''}, {kept.n_clusters} clusters of each; {plan.quality}. "
        f"The {RANKED} strongest neurons of a pixel are known at {len(kept.pixels)} pixels: the nearest is shown. For "
        "anything else, open the notebook."
    )


def _numbers(frames: Sequence[int]) -> str:
    """Frame numbers: a range where they are evenly spaced."""
    steps = {later - earlier for earlier, later in itertools.pairwise(frames)}
    if len(frames) > 3 and len(steps) == 1:
        return f"{frames[0]}, {frames[1]}, … {frames[-1]}"
    return ", ".join(map(str, frames))
