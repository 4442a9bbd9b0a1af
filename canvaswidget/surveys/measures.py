"""What a survey measures of every network: pictures, totals, findings by name, a saved canvas, weights."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from canvaswidget import analysis, media
from canvaswidget.arguments.kinds import is_sequence, show, wrong_type
from canvaswidget.error_text import one_line
from canvaswidget.inr import INR
from canvaswidget.inr.factories import is_factory, named
from canvaswidget.models.weights import FAMILIES, save_model, write_tensors
from canvaswidget.surveys.job import Job, plain
from canvaswidget.surveys.store import WEIGHTS, pack_canvas
from canvaswidget.tracing import Canvas, Layer
from canvaswidget.tracing.accuracy import ACCURACY

FINDINGS = (
    "cluster",
    "deletion",
    "distribution",
    "faithfulness",
    "intensity",
    "motion",
    "pruning",
    "quantisation",
    "rate_distortion",
    "regions",
    "stability",
    "vectors",
)
OTHERS = ("psnr", "ssim", "totals", "canvas", "weights")
DEFAULT: Mapping[str, Mapping[str, Any]] = {
    "psnr": {},
    "ssim": {},
    "totals": {"accuracy": ACCURACY},
    "faithfulness": {"half_width": 0.1, "at_most": 256},
    "canvas": {},
}
# Contributions of a layer, over all neurons and pixels of a frame, that a saved canvas computes for its exact totals by
# default: up to about half a minute. A number of seconds would keep other layers on a machine that is busy.
MOST_VALUES = {"xinc": 10**10}
MOST_VALUES_ELSE = 10**8

What = dict[str, dict[str, Any]]


@dataclass
class Measured:
    """The measurements of one network.

    Attributes
    ----------
    numbers : dict of dict
        By what was measured, such as ``psnr`` and ``faithfulness.net.1``, and name; of several frames their mean.
    arrays : dict of dict
        By finding, layer and frame.
    estimated : dict
        By finding and layer, the accuracy where it was sampled.
    trouble : dict
        By finding and layer, why it could not be measured.
    has_canvas, has_weights : bool
    """

    numbers: dict[str, dict[str, float]] = field(default_factory=dict)
    arrays: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    estimated: dict[str, str] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)
    has_canvas: bool = False
    has_weights: bool = False


def checked_what(what: Any) -> What:
    """The measurements by name, with options as plain values.

    Raises
    ------
    TypeError, ValueError
        There is no such measurement or option.
    """
    if what is None:
        what = DEFAULT
    if isinstance(what, str):
        what = [what]
    if not isinstance(what, Mapping):
        if not is_sequence(what):
            raise wrong_type("what", what, "names, or {name: options}")
        if not all(isinstance(name, str) for name in what):
            raise wrong_type("what", what, "names, or {name: options}")
        what = {name: {} for name in what}
    found: What = {}
    for name, options in what.items():
        own = isinstance(name, str) and is_factory(name)
        if not own and name not in (*OTHERS, *FINDINGS):
            accepted = ", ".join((*OTHERS, *FINDINGS))
            raise ValueError(f"what={show(name)}: expected one of {accepted}, or 'module:function'")
        given = plain(f"what[{name!r}]", {} if options is None else options)
        unknown = [] if own else sorted(set(given) - _options_of(name))
        if unknown:
            accepted = ", ".join(sorted(_options_of(name))) or "none"
            raise ValueError(f"what[{name!r}]: has no option {unknown[0]!r}; it has {accepted}")
        found[name] = given
    if not found:
        raise ValueError("what: is empty; expected at least one measurement")
    labels = [*OTHERS, *FINDINGS]
    for name in filter(is_factory, found):
        if label_of(name) in labels:
            raise ValueError(
                f"what={name!r}: its numbers are called {label_of(name)!r}, as another measurement is; rename it"
            )
        labels.append(label_of(name))
    return found


def label_of(name: str) -> str:
    """What the numbers of a measurement are called in the table: a function of the user's without its module."""
    return name.partition(":")[2] or name


def _options_of(name: str) -> set[str]:
    if name in FINDINGS:
        parameters = set(inspect.signature(getattr(analysis, name)).parameters)
        left_out = {"canvas", "layer", "frame", "progress", "masks", "flow", "names", "refit"}
        return parameters - left_out | {"layers", "arrays"}
    return {
        "totals": {"layers", "accuracy", "granularity", "arrays"},
        "canvas": {"layers", "maps", "pixels", "frames", "truth", "at_most"},
    }.get(name, set())


def measure(job: Job, inr: INR, canvas: Canvas, what: What, folder: Path) -> Measured:
    """Measure everything in `what`, and write files into the folder; a failed measurement is noted, others go on."""
    found = Measured()
    # -1 is the last frame, and each frame counts once in a mean.
    job = dataclasses.replace(job, frames=tuple(dict.fromkeys(frame % inr.n_frames for frame in job.frames)))
    for name, options in what.items():
        if name in FINDINGS:
            _finding(job, canvas, name, options, found)
            continue
        if is_factory(name):
            _own(job, canvas, name, options, found)
            continue
        with _told(name, found):
            if name == "totals":
                _totals(job, canvas, options, found)
            elif name == "canvas":
                _save(job, canvas, options, folder, found)
            elif name == "weights":
                _save_weights(inr.module, folder / WEIGHTS)
                found.has_weights = True
            else:
                found.numbers[name] = {name: _quality(name, inr, canvas)}
    return found


# --- within ---------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _told(label: str, found: Measured) -> Iterator[None]:
    """Note an error of a measurement, and go on; except where memory or room on the disk is missing."""
    try:
        yield
    except (MemoryError, OSError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        if "allocate" in str(error):
            raise
        found.trouble[label] = one_line(error, whole=True)


def _quality(name: str, inr: INR, canvas: Canvas) -> float:
    """PSNR or SSIM against the truth, the mean over all frames; nan without a truth."""
    if inr.truth is None:
        return math.nan
    function = media.psnr if name == "psnr" else media.ssim
    pictures = (np.clip(canvas.frame(frame), 0, 1) for frame in range(inr.n_frames))
    # A picture or a truth of one channel is compared with each channel of the other.
    each = [
        function(*np.broadcast_arrays(picture, inr.truth[frame])) for frame, picture in enumerate(pictures)
    ]
    return media.mean_psnr(each) if name == "psnr" else float(np.mean(each))


def _layers(canvas: Canvas, options: Mapping[str, Any]) -> dict[str, Layer]:
    """Those that are asked for, or all that the rule is defined on; by the names that they have in the table."""
    wanted = options.get("layers")
    if isinstance(wanted, Mapping):
        return {name: canvas.layers.find(key) for name, key in wanted.items()}
    if wanted is None:
        layers = list(canvas.traced_layers)
    else:
        layers = [canvas.layers.find(key) for key in (wanted if isinstance(wanted, list) else [wanted])]
    return {layer.name: layer for layer in layers}


def _totals(job: Job, canvas: Canvas, options: Mapping[str, Any], found: Measured) -> None:
    layers = _layers(canvas, options)
    names: dict[str, list[str]] = {}
    for name, layer in layers.items():
        names.setdefault(layer.name, []).append(name)
    keywords = {key: value for key, value in options.items() if key not in ("layers", "arrays")}
    keywords.setdefault("accuracy", ACCURACY)
    totals: dict[str, list[float]] = {}
    dead: dict[str, list[float]] = {}
    for frame in job.frames:
        for layer, summary in canvas.summaries(list(names), frame, **keywords, seed=job.seed).items():
            for name in names[layer]:
                label = f"totals.{name}"
                totals.setdefault(name, []).append(summary.total_abs)
                dead.setdefault(name, []).append(float(summary.n_dead))
                arrays = {"neuron_abs": summary.neuron_abs, "neuron_sum": summary.neuron_sum}
                if summary.low is not None and summary.high is not None:
                    arrays |= {"low": summary.low, "high": summary.high}
                    found.estimated[label] = f"± {summary.half_width:.1%} a neuron (median of 95% intervals)"
                if options.get("arrays", True):
                    found.arrays[f"{label}.{frame}"] = arrays
    for name, each in totals.items():
        found.numbers[f"totals.{name}"] = {"total": float(np.mean(each)), "dead": float(np.mean(dead[name]))}


def _finding(job: Job, canvas: Canvas, name: str, options: Mapping[str, Any], found: Measured) -> None:
    function = getattr(analysis, name)
    parameters = inspect.signature(function).parameters
    keywords = {key: value for key, value in options.items() if key in parameters}
    arrays = options.get("arrays", True)
    if "seed" in parameters:
        keywords.setdefault("seed", job.seed)
    if "layer" not in parameters:
        if "layers" in options:
            layers = options["layers"]
            keywords["layers"] = list(layers.values()) if isinstance(layers, Mapping) else layers
        with _told(name, found):
            _keep(found, name, [(name, function(canvas, **keywords))], arrays)
        return
    try:
        layers = _layers(canvas, options)
    except LookupError as error:
        found.trouble[name] = one_line(error, whole=True)
        return
    for said, layer in layers.items():
        label = f"{name}.{said}"
        with _told(label, found):
            _keep(found, label, list(_each_frame(job, canvas, function, layer, label, keywords)), arrays)


def _own(job: Job, canvas: Canvas, name: str, options: Mapping[str, Any], found: Measured) -> None:
    """The numbers that a function of the user's gives, under the function's name."""
    label = label_of(name)
    with _told(label, found):
        numbers = named(name)(canvas, job, **options)
        if not isinstance(numbers, Mapping):
            raise wrong_type(f"{name}()", numbers, "numbers by name, such as {'share': 0.5}")
        found.numbers[label] = {str(number): float(value) for number, value in numbers.items()}


def _each_frame(
    job: Job,
    canvas: Canvas,
    function: Callable[..., Any],
    layer: Layer,
    label: str,
    keywords: Mapping[str, Any],
) -> Iterator[tuple[str, Any]]:
    if "frame" not in inspect.signature(function).parameters:
        yield label, function(canvas, layer, **keywords)
        return
    for frame in job.frames:
        yield f"{label}.{frame}", function(canvas, layer, frame=frame, **keywords)


def _keep(found: Measured, label: str, results: list[tuple[str, Any]], arrays: bool) -> None:
    """The numbers of a finding, mean over frames where they are defined, and perhaps the arrays of each frame."""
    each = [result.numbers() for _, result in results]
    found.numbers[label] = {}
    for name in dict.fromkeys(name for numbers in each for name in numbers):
        values = np.array([numbers.get(name, math.nan) for numbers in each])
        known = values[~np.isnan(values)]
        found.numbers[label][name] = float(known.mean()) if len(known) else math.nan
    for place, result in results:
        if arrays:
            found.arrays[place] = dict(_arrays(result))
        if hasattr(result, "estimated") and (
            words := ", ".join(result.estimated()).removeprefix("estimated, ")
        ):
            found.estimated[label] = words


def _arrays(result: Any) -> Iterator[tuple[str, np.ndarray]]:
    for one in dataclasses.fields(result):
        value = getattr(result, one.name)
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            yield one.name, value
        elif isinstance(value, Mapping):
            for key, part in value.items():
                if isinstance(part, np.ndarray) and part.dtype.kind in "biuf":
                    yield f"{one.name}.{key}", part


def _save(job: Job, canvas: Canvas, options: Mapping[str, Any], folder: Path, found: Measured) -> None:
    """Save the canvas; layers whose exact totals would take too long are left out, and noted as trouble."""
    given = dict(options)
    limit = given.pop("at_most", MOST_VALUES.get(canvas.rule, MOST_VALUES_ELSE))
    frames = given.pop("frames", list(job.frames))
    layers = list(_layers(canvas, given).values())
    given.pop("layers", None)
    n_pixels, kept = math.prod(canvas.inr.size), []
    for layer in layers:
        values = math.prod(layer.neurons) * n_pixels
        if values > limit:
            found.trouble[f"canvas.{layer.name}"] = (
                f"is not in the saved canvas: its {math.prod(layer.neurons):,} neurons at {n_pixels:,} pixels are "
                f"more values than at_most={limit:,}"
            )
        else:
            kept.append(layer)
    if not kept:
        return
    maps = given.pop("maps", 8)
    if isinstance(maps, Mapping):
        maps = {
            name: [tuple(one) if isinstance(one, list) else one for one in some]
            if isinstance(some, list)
            else some
            for name, some in maps.items()
        }
    with tempfile.TemporaryDirectory() as aside:
        saved = Path(aside) / "canvas.zarr"
        canvas.save(saved, layers=kept, frames=frames, maps=maps, **given, progress=False)
        pack_canvas(saved, folder)
    found.has_canvas = True


def _save_weights(module: nn.Module, path: Path) -> None:
    """As `canvaswidget.load` reads them where it is a reference model; else the state dict alone."""
    if isinstance(module, tuple(FAMILIES.values())):
        save_model(module, path)
    else:
        write_tensors(path, module.state_dict())
