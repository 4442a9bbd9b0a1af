"""Python that makes a view again."""

from __future__ import annotations

import pprint
from collections.abc import Iterable, Mapping
from typing import Any

from canvaswidget.kernel.region import Region, checked_region
from canvaswidget.kernel.region_list import Moving
from canvaswidget.runs import Runs
from canvaswidget.tracing import CanvasLike

WIDTH = 88
NAMED = 3  # runs that a comment names, and the last
MEMORY = 2**30  # what `CanvasWidget` takes where nobody says
ALWAYS = ("layer", "time", "pixel")  # what they are otherwise is computed from the model


def recipe(
    canvas: CanvasLike,
    view: Mapping[str, Any],
    usual: Mapping[str, Any],
    truth_given: bool,
    runs: Runs | None = None,
) -> str:
    """What to type for a view.

    Parameters
    ----------
    canvas : Canvas or SavedCanvas
    view, usual : dict
        The traits by name, in the order they are set; and their defaults.
    truth_given : bool
        Whether the truth came to the widget and not with the model.
    runs : Runs, optional
        The networks that the widget shows one at a time; `canvas` is that of one.
    """
    lines = ["import canvaswidget as cw", ""]
    if runs is None:
        model, options = _one_network(canvas, truth_given, lines)
    else:
        model, options = _several(canvas, runs, lines)
    options |= {name: _code(value) for name, value in _telling(view, usual, canvas.inr.n_frames)}
    lines += [_call("w = cw.CanvasWidget", model, options), "w"]
    return "\n".join(lines) + "\n"


def _one_network(canvas: CanvasLike, truth_given: bool, lines: list[str]) -> tuple[str, dict[str, str]]:
    """The model and the options of the widget; what must stand before that is added to the lines."""
    inr = canvas.inr
    model = inr.origin or "model"
    if not inr.origin:
        name = inr.name if inr.name.isprintable() else repr(inr.name)  # a line break would end the comment
        lines.append(f"# model: {name}, {_kind(inr.size, inr.n_frames)}. Make or load it here.")
    options = {"rule": repr(canvas.rule)} if canvas.has_model else {}
    if canvas.has_model and canvas.memory != MEMORY:
        options["memory"] = repr(canvas.memory)
    if truth_given:  # with a model, not with a canvas
        lines.append("# truth: what it should look like, frames in [0, 1]. Read them here.")
        options["truth"] = "truth"
    turned = [layer for layer in canvas.layers if layer.has_directions] if canvas.has_model else []
    if not turned and not (canvas.has_model and canvas.options):
        return model, options
    options |= {name: repr(value) for name, value in canvas.options.items()}
    lines.append(_call("canvas = cw.trace", model, options))
    for number, layer in enumerate(turned, 1):
        end = f"_{number}" if len(turned) > 1 else ""
        what = f"basis{end}: {layer.n_units} directions of the units of a layer, one a row"
        given = f"{layer.name!r}, basis{end}"
        if layer.has_latents:
            what = f"basis{end}, encoder{end}: decoder and encoder of {layer.n_units} latents"
            given += f", encoder=encoder{end}"
        lines += [f"# {what}. Make or load them here.", f"canvas = canvas.directions({given})"]
    return "canvas", {}


def _several(canvas: CanvasLike, runs: Runs, lines: list[str]) -> tuple[str, dict[str, str]]:
    """The same of several networks, of which the canvas is one."""
    if not runs.origin:
        lines.append(
            f"# runs: {_keys(runs)}: {_kind(runs.size, runs.n_frames)} each. Make or load them here."
        )
    return runs.origin or "runs", {"rule": repr(canvas.rule)} if canvas.has_model else {}


def _keys(runs: Runs) -> str:
    """How many runs there are, and the first ones and the last."""
    keys = list(runs)
    named = "steps " if runs.steps is not None else ""
    shown = [*map(repr, keys[:NAMED]), "...", repr(keys[-1])] if len(keys) > NAMED + 1 else map(repr, keys)
    return f"{len(keys)} network{'' if len(keys) == 1 else 's'}, {named}{', '.join(shown)}"


def _kind(size: tuple[int, int], n_frames: int) -> str:
    return f"{'an image' if n_frames == 1 else f'{n_frames} frames'} of {size[0]}x{size[1]}"


def _telling(view: Mapping[str, Any], usual: Mapping[str, Any], n_frames: int) -> Iterable[tuple[str, Any]]:
    """What must be said of a view."""
    for name, value in view.items():
        if name == "rule" or (name == "time" and n_frames == 1):
            continue
        if name == "neuron":  # one, or none where one would be chosen
            wanted = len(view["neurons"]) < 2 and (value is not None or view["cluster"] < 0)
        elif name == "neurons":
            wanted = len(value) > 1
        elif name == "source":  # what is left of the picture, where neurons are ablated or scaled
            wanted = value != ("ablated" if view["ablated"] or view["edits"] else usual[name])
        elif name == "panel":  # a region that is given turns to its neurons
            wanted = value != usual[name] or view["region"] is not None
        else:
            wanted = name in ALWAYS or value != usual[name]
        if wanted:
            yield name, value


def _code(value: Any) -> str:
    """A value as a literal, on as many lines as it takes."""
    return pprint.pformat(_plain(value), width=WIDTH - 8, compact=True, sort_dicts=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Region):
        return _region(value)
    if isinstance(value, Moving):
        return {"frames": _plain(value.frames)}
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(part) for part in value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _region(region: Region) -> Any:
    """In the shortest of the forms that `CanvasWidget.region` takes."""
    if not region.points:
        return dict(region.on_wire())
    corners = _plain((region.points[0], region.points[2]))
    return corners if checked_region(corners, region.size) == region else _plain(region.points)


def _call(function: str, model: str, options: Mapping[str, str]) -> str:
    """A call on one line, or with an argument a line."""
    arguments = [model, *(f"{name}={code}" for name, code in options.items())]
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    lines = [f"{function}(", f"    {model},"]
    for name, code in options.items():
        lines.append(f"    {name}={code},".replace("\n", "\n" + " " * (4 + len(f"{name}="))))
    return "\n".join([*lines, ")"])
