"""Check the arguments of public functions: by name, in one place, before anything is computed.

A parameter of one name means one thing throughout the package, so a check belongs to a name: see `by_name`. `checked`
decorates a public function; its keywords give checks of parameters that mean something else there. A check raises
TypeError or ValueError with the argument's name, what was given and what is accepted. What only the data can tell
(whether a layer has that neuron) is checked where the data are.
"""

from canvaswidget.arguments.checked import checked
from canvaswidget.arguments.kinds import (
    as_array,
    as_integer,
    checked_index,
    choice,
    instance,
    integer,
    is_finite,
    is_listed,
    is_number,
    numbers,
    optional,
    show,
    wrong_type,
)
from canvaswidget.arguments.of_canvases import (
    by_layer,
    canvas_or_vectors,
    canvases_by_run,
    frame_or_frames,
    inr_or_canvas,
    is_clusters,
    optional_accuracy,
    some_accuracy,
    some_frames,
    some_groups,
    some_sample,
    some_steps,
    vectors_by_run,
)
from canvaswidget.arguments.plain import check_size, checked_size, flag, some_progress, text

__all__ = [
    "as_array",
    "as_integer",
    "by_layer",
    "canvas_or_vectors",
    "canvases_by_run",
    "check_size",
    "checked",
    "checked_index",
    "checked_size",
    "choice",
    "flag",
    "frame_or_frames",
    "inr_or_canvas",
    "instance",
    "integer",
    "is_clusters",
    "is_finite",
    "is_listed",
    "is_number",
    "numbers",
    "optional",
    "optional_accuracy",
    "show",
    "some_accuracy",
    "some_frames",
    "some_groups",
    "some_progress",
    "some_sample",
    "some_steps",
    "text",
    "vectors_by_run",
    "wrong_type",
]
