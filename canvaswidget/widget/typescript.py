"""The traits that Python and the page share, as the TypeScript module ``js/src/state/traits.ts``.

``python -m canvaswidget.widget.typescript`` prints it; a test keeps the two equal.
"""

from __future__ import annotations

import json
from typing import get_type_hints

from anywidget import AnyWidget

from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.widget.widget import CanvasWidget

HEAD = """\
// Printed by `python -m canvaswidget.widget.typescript`: change the traits of `CanvasWidget`, not this file.
import type { CanvasInfo, ViewState } from "../transport/messages";
"""
# The types of the traits that `ViewState` does not contain.
PRIVATE = {
    "_canvas": "CanvasInfo | Record<string, never>",
    "_changes": "Record<string, number>",
    "_picture": "string",
    "_seen": "Record<string, number>",
}


def module() -> str:
    """The module ``js/src/state/traits.ts``."""
    given = defaults()
    types = [f"  {name}: {type_};" for name, type_ in PRIVATE.items()]
    values = [f"  {name}: {json.dumps(given[name])}," for name in (*PRIVATE, *get_type_hints(ViewState))]
    lines = [HEAD, "export interface Traits extends ViewState {", *types, "}", ""]
    return "\n".join([*lines, "export const DEFAULTS: Traits = {", *values, "};"]) + "\n"


def defaults() -> dict[str, object]:
    """By name, what each synced trait is until it is set, as the page has it."""
    inherited = AnyWidget.class_traits()
    traits = {name: t for name, t in CanvasWidget.class_traits(sync=True).items() if name not in inherited}
    return {
        name: trait.metadata.get("to_json", lambda value, _: value)(trait.default(), None)
        for name, trait in traits.items()
    }


if __name__ == "__main__":
    print(module(), end="")
