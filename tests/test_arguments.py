"""Wrong arguments of public functions: an error of ours that names the argument, or an answer. Nothing else.

Every public function, class and method is tried. `test_every_public_name_is_tried` fails on one that is neither in
`CALLS` nor in `NOT_TRIED` of `public_calls.py`.
"""

from __future__ import annotations

import inspect
import itertools
import re
import time
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import traitlets
from torch import nn

import canvaswidget as cw
from canvaswidget import arguments
from tests.public_calls import (
    CALLS,
    CANVAS,
    MADE_BY,
    NOT_TRIED,
    OBJECTS,
    SIZE,
    Accepted,
    parameters,
    public,
    small,
    widget,
)

pytestmark = pytest.mark.usefixtures("unbuilt", "elsewhere")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Junk may be a path that is written to."""
    monkeypatch.chdir(tmp_path)


class Thing:
    """Nothing that any function takes."""


class Broken:
    """Looks like a sequence, and raises."""

    def __len__(self) -> int:
        raise RuntimeError("len")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("iter")


JUNK: list[Any] = [
    None,
    True,
    -1,
    0,
    1.5,
    float("nan"),
    float("inf"),
    10**9,
    10**30,
    10**400,
    "junk",
    "",
    b"bytes",
    [],
    [[]],
    {},
    {"a": 1},
    {"0": object()},
    {"0": [10**6]},
    {"0": {0: float("nan")}},
    set(),
    [0] * 1000,
    (1, 2, 3),
    (10**9, 10**9),
    (float("nan"), 3),
    [None],
    ["0", None],
    [[1], [2, 3]],
    object(),
    Thing,
    Broken(),
    len,
    1 + 2j,
    slice(1),
    ...,
    np.zeros((2, 3)),
    np.zeros((0, 3)),
    np.full(SIZE, np.nan),
    np.array(["a", "b"]),
    np.array(None),
    np.datetime64("2020"),
    np.ma.masked_array([1, 2], [False, True]),
    torch.zeros(3),
    torch.ones(2, 2),
    torch.ones(1, device="meta"),
    torch.ones(2).to_sparse(),
    nn.Linear(2, 3),
    Path("nowhere/else"),
    range(3),
    range(10**12),
    np.array(1.5),
    torch.tensor(True),
    iter(()),
    memoryview(b"abc"),
    "1e9 GiB",
]


def test_every_public_name_is_tried() -> None:
    """What is neither in `CALLS` nor in `NOT_TRIED`, and names that are not there any more."""

    def needs_nothing(name: str) -> bool:
        kind = name.split(".")[0]
        if kind not in OBJECTS and kind not in MADE_BY:
            return False
        required = [
            p for p in inspect.signature(public()[name]()).parameters.values() if p.default is p.empty
        ]
        return not [p for p in required if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]

    missing = [
        name for name in public() if name not in CALLS and name not in NOT_TRIED and not needs_nothing(name)
    ]
    assert not missing, f"not tried: {', '.join(missing)}"
    gone = sorted((CALLS.keys() | NOT_TRIED.keys()) - public().keys())
    assert not gone, f"no public function that takes an argument: {', '.join(gone)}"
    assert not CALLS.keys() & NOT_TRIED.keys()


LONG = ("steps", "epochs", "seconds", "lr")
FUNCTIONS = (
    "progress",
    "function",
    "callback",
    "inputs",
    "output",
    "module",
    "model",
    "decoder",
    "encoder",
    "refit",
)


OURS = (
    cw.UntraceableError,
    cw.CaptureError,
    cw.SavedCanvasError,
    cw.NotKeptError,
    cw.RunError,
    cw.surveys.SurveyError,
)


def names_of(function: Callable[..., Any]) -> str:
    """Names that an error may begin with: of the parameters, and of their parts."""
    return "|".join(
        [
            *inspect.signature(function).parameters,
            "model",
            "source",
            "rule",
            "layer",
            "frame",
            "neuron",
            "i",
            "o",
            "path",
            "size",
            "run",
            "module",
            "output",
            r"job '[^']*'",
        ]
    )


SLOWEST = 60  # seconds of processor time of a call; a range that is gone through takes longer on any machine
LONGEST = 600  # letters of an error


def problem(function: Callable[..., Any], given: dict[str, Any], name: str, value: Any) -> str:
    """What is wrong with the answer to a junk argument; an empty text where nothing is."""
    start, said = time.process_time(), ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = function(**{**given, name: value})
            if isinstance(answer, types.GeneratorType):
                list(itertools.islice(answer, 3))
    except (Accepted, *OURS):
        pass
    except (TypeError, ValueError, LookupError, OSError) as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        if not re.match(rf"({names_of(function)})(\[[^\]]*\])*[=:]", text):
            said = f"{type(error).__name__}: {text[:120]}"
        elif len(text) > LONGEST:
            said = f"an error of {len(text)} letters"
    except Exception as error:
        said = f"{type(error).__name__}: {str(error)[:120]}"
    if not said and time.process_time() - start > SLOWEST:
        said = "takes too long"
    return f"{name}={arguments.show(value)}: {said}" if said else ""


def is_answered(name: str, parameter: str, value: Any) -> bool:
    """Whether to leave a value out: what it does is the caller's, or takes as long as was asked for."""
    if callable(value) and parameter in FUNCTIONS:
        return True  # what a function of the caller raises is the caller's
    if name in ("report", "survey") and parameter == "progress" and isinstance(value, bool):
        return True  # all of the work
    if name == "surveys.estimate_survey" and parameter == "what" and value is None:
        return True  # all measurements
    # a training that may be asked for, also one that diverges and says so
    return name == "fit" and parameter in LONG and isinstance(value, int | float) and value > 1


# A part has a third of the junk for each parameter, all of it for three that follow each other.
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.repeats) for part in (1, 2))])
@pytest.mark.parametrize("name", [name for name in public() if name not in NOT_TRIED])
def test_junk_is_answered_by_an_error_of_ours(name: str, part: int) -> None:
    function = public()[name]()
    given = CALLS[name]() if name in CALLS else {}
    found = []
    for place, parameter in enumerate(parameters(function)):
        for value in JUNK[(place + part) % 3 :: 3]:
            if not is_answered(name, parameter, value):
                found += [problem(function, given, parameter, value)]
    wrong = [one for one in found if one]
    assert not wrong, "\n".join([f"{len(wrong)} of {name}:", *wrong])


# --- the widget ---------------------------------------------------------------------------------------------------


TRAITS = ("rule", *cw.CanvasWidget.VIEW)


@pytest.mark.parametrize("trait", TRAITS)
def test_a_trait_refuses_junk_or_holds_it(trait: str) -> None:
    shown = widget()
    before = getattr(shown, trait)
    found = []
    for value in JUNK:
        try:
            setattr(shown, trait, value)
            shown.get_state()
        except (TypeError, ValueError, LookupError, traitlets.TraitError, cw.UntraceableError) as error:
            text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            if not re.match(rf"({trait}|layer|neuron|{'|'.join(TRAITS)}|i|o|y|x)(\[[^\]]*\])*[=:]", text):
                found.append(f"{arguments.show(value)}: {type(error).__name__}: {text[:120]}")
            if len(text) > LONGEST:
                found.append(f"{arguments.show(value)}: an error of {len(text)} letters")
        except Exception as error:
            found.append(f"{arguments.show(value)}: {type(error).__name__}: {str(error)[:120]}")
        setattr(shown, trait, before)
    assert not found, "\n".join([f"{len(found)} of {trait}:", *found])


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameter", ["model", "rule", "truth", "device", "memory", "layer", "time", "pixel"]
)
def test_a_widget_of_junk_is_refused(parameter: str) -> None:
    given = {"model": CANVAS if parameter in ("layer", "time", "pixel") else small()}  # recorded once
    found = []
    for value in JUNK:
        try:
            cw.CanvasWidget(**{**given, parameter: value}).close()
        except (TypeError, ValueError, LookupError, traitlets.TraitError) as error:
            text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            if not re.match(rf"({parameter}|module|frame|i|o|y|x)(\[[^\]]*\])*[=:]", text):
                found.append(f"{arguments.show(value)}: {type(error).__name__}: {text[:120]}")
        except (cw.UntraceableError, cw.CaptureError):
            continue
        except Exception as error:
            found.append(f"{arguments.show(value)}: {type(error).__name__}: {str(error)[:120]}")
    assert not found, "\n".join([f"{len(found)} of {parameter}:", *found])
