"""What Python and the page share besides messages, as TypeScript: traits, and numbers and words that both use.

``python -m canvaswidget.widget.typescript`` writes the modules of `MODULES`; a test keeps them equal to what it writes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_type_hints

from anywidget import AnyWidget

from canvaswidget.analysis.quantiser import MOST_BITS
from canvaswidget.exports import data_files, figure_data, page
from canvaswidget.kernel import region, region_list, view_checks
from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.kernel.requests import clusters
from canvaswidget.plotting import figures, frame_panel, panels, style
from canvaswidget.tracing.rules import RULES
from canvaswidget.version import DOCUMENTATION
from canvaswidget.widget.widget import CanvasWidget

HEAD = """\
// Written by `python -m canvaswidget.widget.typescript`: change the traits of `CanvasWidget`, not this file.
import type { CanvasInfo, RunInfo, ViewState } from "../transport/messages";
"""
CONSTANTS_HEAD = """\
// Written by `python -m canvaswidget.widget.typescript`: change the constants of Python, not this file.
"""
WIDTH = 80  # of a list on one line
CONSTANTS = {
    "RULES": list(RULES),
    "NO_CLUSTER": clusters.NO_CLUSTER,
    "MIN_CLUSTERS": view_checks.MIN_CLUSTERS,
    "MAX_CLUSTERS": view_checks.MAX_CLUSTERS,
    "CLUSTER_COLOURS": list(style.CLUSTER_COLOURS),
    "MAX_CONTRAST": view_checks.RANGES["contrast"][1],
    "CONTOURS": frame_panel.CONTOURS,
    "MAX_NEURONS": view_checks.MAX_NEURONS,
    "MOST_BITS": MOST_BITS,
    "MAX_REGIONS": region_list.MAX_REGIONS,
    "MOST_RUNS": region.MOST_RUNS,
    "LONGEST_NAME": view_checks.LONGEST_NAME,
    "FADED": frame_panel.FADED,
    "LUMA": list(frame_panel.LUMA),
    "VALUES": panels.VALUES,
    "PANELS": list(figures.PANELS),
    "TABLES": list(data_files.TABLES),
    "THUMBNAIL_SIDE": figure_data.THUMBNAIL_SIDE,
    "NEEDS_NOTEBOOK": page.NEEDS_NOTEBOOK,
    "DOCUMENTATION": DOCUMENTATION,
}
# The types of the traits that `ViewState` does not contain.
PRIVATE = {
    "_canvas": "CanvasInfo | Record<string, never>",
    "_changes": "Record<string, number>",
    "_compared": "CanvasInfo | Record<string, never>",
    "_picture": "string",
    "_runs": "RunInfo[]",
    "_seen": "Record<string, number>",
}


def constants() -> str:
    """The module ``js/src/transport/constants.ts``."""
    lines = [f"export const {name} = {_literal(value)};" for name, value in CONSTANTS.items()]
    return CONSTANTS_HEAD + "\n".join(lines) + "\n"


def _literal(value: object) -> str:
    if not isinstance(value, list):
        return json.dumps(value)
    line = json.dumps(value)
    # As the page's formatter breaks it.
    parts = line if len(line) < WIDTH else "[\n" + "".join(f"  {json.dumps(one)},\n" for one in value) + "]"
    return f"{parts} as const"


def traits() -> str:
    """The module ``js/src/state/traits.ts``."""
    given = defaults()
    types = [f"  {name}: {type_};" for name, type_ in PRIVATE.items()]
    values = [f"  {name}: {json.dumps(given[name])}," for name in (*PRIVATE, *get_type_hints(ViewState))]
    lines = [HEAD, "export interface Traits extends ViewState {", *types, "}", ""]
    return "\n".join([*lines, "export const DEFAULTS: Traits = {", *values, "};"]) + "\n"


def defaults() -> dict[str, object]:
    """By name, what each synced trait is until it is set, as the page has it."""
    inherited = AnyWidget.class_traits()
    own = {name: t for name, t in CanvasWidget.class_traits(sync=True).items() if name not in inherited}
    return {
        name: trait.metadata.get("to_json", lambda value, _: value)(trait.default(), None)
        for name, trait in own.items()
    }


MODULES = {"js/src/state/traits.ts": traits, "js/src/transport/constants.ts": constants}


if __name__ == "__main__":
    for path, module in MODULES.items():
        (Path(__file__).resolve().parents[2] / path).write_text(module(), encoding="utf-8")
