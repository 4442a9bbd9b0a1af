"""Wrong arguments of public functions: an error of ours that names the argument, or an answer. Nothing else."""

from __future__ import annotations

import functools
import inspect
import re
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
from canvaswidget import analysis, arguments, media, models

pytestmark = pytest.mark.usefixtures("unbuilt", "elsewhere")


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Junk may be a path that is written to."""
    monkeypatch.chdir(tmp_path)


SIZE = (6, 7)
MASKS = np.zeros(SIZE, int)
MASKS[:3] = 1


class Thing:
    """Nothing that any function takes."""


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
    set(),
    (1, 2, 3),
    (10**9, 10**9),
    object(),
    Thing,
    len,
    1 + 2j,
    np.zeros((2, 3)),
    np.full(SIZE, np.nan),
    np.array(["a", "b"]),
    torch.zeros(3),
    nn.Linear(2, 3),
    Path("nowhere/else"),
    range(3),
    range(10**12),
    np.array(1.5),
    torch.tensor(True),
    iter(()),
]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))


def small(frames: int = 1) -> cw.INR:
    truth = np.random.default_rng(0).random((frames, *SIZE, 3), np.float32)
    if frames == 1:
        return cw.INR.from_coords(net(), SIZE, truth=truth)
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 3))
    return cw.INR.from_coords(module, SIZE, n_frames=frames, truth=truth)


def listed(function: Callable[..., Any]) -> Callable[..., Any]:
    """A generator's items: its arguments are looked at when the first is asked for."""

    @functools.wraps(function)
    def items(**given: Any) -> list[Any]:
        return list(function(**given))

    return items


CANVAS = cw.trace(small(), rule="gated", device="cpu")
CLIP = cw.trace(small(3), rule="gated", device="cpu")
EMBEDDINGS = torch.zeros(2, 4, 1, 1)
FOUND = analysis.cluster(CANVAS, 0, 2)

# Every public function with arguments that it takes; what is not listed here is a failure of the first test.
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "INR": (cw.INR, {"module": net(), "inputs": lambda frame: torch.zeros(42, 2), "size": SIZE}),
    "INR.from_coords": (cw.INR.from_coords, {"module": net(), "size": SIZE}),
    "INR.from_frames": (cw.INR.from_frames, {"module": nn.Linear(1, 126), "n_frames": 2, "size": SIZE}),
    "INR.from_embeddings": (
        cw.INR.from_embeddings,
        {"decoder": nn.ConvTranspose2d(4, 3, SIZE), "embeddings": EMBEDDINGS, "size": SIZE},
    ),
    "INR.frame": (CANVAS.inr.frame, {}),
    "INR.render": (CANVAS.inr.render, {}),
    "INR.arguments": (CANVAS.inr.arguments, {"frame": 0}),
    "INR.frame_index": (CANVAS.inr.frame_index, {"frame": 0}),
    "as_inr": (cw.as_inr, {"model": models.FFN(hidden=3), "size": SIZE}),
    "trace": (cw.trace, {"model": CANVAS.inr}),
    "load": (cw.load, {"path": "nowhere.safetensors"}),
    "open": (cw.open, {"path": "nowhere.zarr"}),
    "prune": (cw.prune, {"inr": CANVAS.inr, "canvas": CANVAS, "share": 0.5}),
    "quantise": (cw.quantise, {"inr": CANVAS.inr, "canvas": CANVAS}),
    "fit": (
        cw.fit,
        {"model": models.FFN(hidden=3), "signal": np.zeros((*SIZE, 3)), "steps": 1, "progress": False},
    ),
    "Canvas.under": (CANVAS.under, {"rule": "gated"}),
    "Canvas.frame": (CANVAS.frame, {}),
    "Canvas.map": (CANVAS.map, {"layer": 0, "neuron": 0}),
    "Canvas.maps": (CANVAS.maps, {"layer": 0, "neurons": [0, 1]}),
    "Canvas.iter": (listed(CANVAS.iter), {"layer": 0}),
    "Canvas.reduce": (listed(CANVAS.reduce), {"layer": 0, "function": torch.sum}),
    "Canvas.pixel": (CANVAS.pixel, {"y": 1, "x": 2}),
    "Canvas.region": (CANVAS.region, {"mask": MASKS}),
    "Canvas.top": (CANVAS.top, {"y": 1, "x": 2}),
    "Canvas.summary": (CANVAS.summary, {"layer": 0}),
    "Canvas.estimate": (CANVAS.estimate, {}),
    "Canvas.remainder": (CANVAS.remainder, {"layer": 0}),
    "Canvas.ablate": (CANVAS.ablate, {"neurons": {0: [0]}}),
    "Canvas.check": (CANVAS.check, {}),
    "Canvas.ablation": (CANVAS.ablation, {}),
    "Canvas.why_no_colours": (CANVAS.why_no_colours, {"layer": 0}),
    "analysis.cluster": (analysis.cluster, {"canvas": CANVAS, "layer": 0, "k": 2}),
    "analysis.vectors": (analysis.vectors, {"canvas": CANVAS, "layer": 0}),
    "analysis.embed": (analysis.embed, {"sources": [analysis.vectors(CANVAS, 0)], "method": "pca"}),
    "analysis.exemplars": (analysis.exemplars, {"canvas": CANVAS, "clusters": FOUND}),
    "analysis.stability": (analysis.stability, {"canvas": CANVAS, "layer": 0, "k": 2, "seeds": [0, 1]}),
    "analysis.completeness": (analysis.completeness, {"canvas": CANVAS, "layer": 0}),
    "analysis.deletion": (analysis.deletion, {"canvas": CANVAS, "layer": 0, "points": 3, "seeds": [0]}),
    "analysis.distribution": (analysis.distribution, {"canvas": CANVAS, "layer": 0}),
    "analysis.faithfulness": (analysis.faithfulness, {"canvas": CANVAS, "layer": 0, "subsets": 2}),
    "analysis.derivatives": (analysis.derivatives, {"canvas": CANVAS}),
    "analysis.spectral_bias": (analysis.spectral_bias, {"runs": {0: CANVAS, 1: CANVAS}}),
    "analysis.frequency_shares": (analysis.frequency_shares, {"canvas": CANVAS, "layers": 0}),
    "analysis.spectrum": (analysis.spectrum, {"canvas": CANVAS, "layer": 0}),
    "analysis.intensity": (analysis.intensity, {"canvas": CANVAS, "layer": 0}),
    "analysis.match": (
        analysis.match,
        {"one": analysis.vectors(CANVAS, 0), "other": analysis.vectors(CANVAS, 1)},
    ),
    "analysis.motion": (analysis.motion, {"canvas": CLIP, "layer": 0}),
    "analysis.objects": (analysis.objects, {"canvas": CANVAS, "layer": 0, "masks": MASKS}),
    "analysis.objects_over_time": (
        analysis.objects_over_time,
        {"canvas": CLIP, "layer": 0, "masks": np.stack([MASKS] * 3)},
    ),
    "analysis.pruning": (
        analysis.pruning,
        {"canvas": CANVAS, "shares": [0.5], "seeds": [0]},
    ),
    "analysis.quantisation": (analysis.quantisation, {"canvas": CANVAS, "bits": [3], "channels": 1}),
    "analysis.quantisation_loss": (analysis.quantisation_loss, {"canvas": CANVAS}),
    "analysis.rate_distortion": (
        analysis.rate_distortion,
        {"canvas": CANVAS, "bits": [3], "shares": [0.5], "seeds": [0], "rules": ["gated"]},
    ),
    "analysis.regions": (analysis.regions, {"canvas": CANVAS, "layer": 0, "k": 2}),
    "analysis.optical_flow": (analysis.optical_flow, {"pictures": list(np.zeros((2, *SIZE, 3)))}),
    "Clusters.plot": (FOUND.plot, {}),
    "Distribution.plot_pixels": (analysis.distribution(CANVAS, 0).plot_pixels, {}),
    "media.read": (media.read, {"source": np.zeros((*SIZE, 3))}),
    "media.read_image": (media.read_image, {"path": "nowhere.png"}),
    "media.read_video": (media.read_video, {"path": "nowhere.mp4"}),
    "media.read_folder": (media.read_folder, {"path": "nowhere"}),
    "media.read_masks": (media.read_masks, {"path": "nowhere"}),
    "media.read_flow": (media.read_flow, {"path": "nowhere.flo"}),
    "media.resize": (media.resize, {"image": np.zeros((*SIZE, 3)), "size": (3, 4)}),
    "media.ms_ssim": (media.ms_ssim, {"a": np.zeros((12, 12)), "b": np.ones((12, 12))}),
    "media.n_scales": (media.n_scales, {"size": SIZE}),
    "media.psnr": (media.psnr, {"a": np.zeros(3), "b": np.ones(3)}),
    "models.FFN": (models.FFN, {"hidden": 3}),
    "models.SIREN": (models.SIREN, {"hidden": 3}),
    "models.NeRV": (models.NeRV, {"fc_dim": 3, "fc_hw": "2_2", "dec_strds": [2]}),
    "models.HNeRVDecoder": (models.HNeRVDecoder, {"in_channels": 2, "fc_dim": 3, "dec_strds": [2]}),
    "models.coordinate_grid": (models.coordinate_grid, {"size": SIZE}),
    "models.load_model": (models.load_model, {"path": "nowhere.pt"}),
    "models.load_weights": (models.load_weights, {"path": "nowhere.pt"}),
    "models.save_model": (
        models.save_model,
        {"model": models.FFN(hidden=3), "path": "/nowhere/x.safetensors"},
    ),
}


def parameters(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [n for n, p in inspect.signature(function).parameters.items() if p.kind not in kinds]


LONG = ("steps", "epochs", "seconds", "lr")
FUNCTIONS = ("progress", "function", "callback", "inputs", "output", "module", "model", "decoder", "refit")


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
        ]
    )


def problem(function: Callable[..., Any], given: dict[str, Any], name: str, value: Any) -> str:
    """What is wrong with the answer to a junk argument; an empty text where nothing is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**{**given, name: value})
    except (cw.UntraceableError, cw.CaptureError, cw.SavedCanvasError):
        return ""
    except (TypeError, ValueError, LookupError, OSError) as error:
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        if not re.match(rf"({names_of(function)})(\[[^\]]*\])*[=:]", text):
            return f"{name}={arguments.show(value)}: {type(error).__name__}: {text[:120]}"
    except Exception as error:
        return f"{name}={arguments.show(value)}: {type(error).__name__}: {str(error)[:120]}"
    return ""


@pytest.mark.parametrize("name", CALLS)
def test_junk_is_answered_by_an_error_of_ours(name: str) -> None:
    function, given = CALLS[name]
    found = []
    for parameter in parameters(function):
        for value in JUNK:
            if callable(value) and parameter in FUNCTIONS:
                continue  # what a function of the caller raises is the caller's
            if name == "fit" and parameter in LONG and isinstance(value, int | float) and value > 1:
                continue  # a training that may be asked for, also one that diverges and says so
            wrong = problem(function, given, parameter, value)
            if wrong:
                found.append(wrong)
    assert not found, "\n".join([f"{len(found)} of {name}:", *found])


# --- the widget ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def widget() -> Iterator[cw.CanvasWidget]:
    w = cw.CanvasWidget(small(3), rule="gated")
    yield w
    w.close()


TRAITS = ("rule", *cw.CanvasWidget.VIEW)


@pytest.mark.parametrize("trait", TRAITS)
def test_a_trait_refuses_junk_or_holds_it(trait: str, widget: cw.CanvasWidget) -> None:
    before = getattr(widget, trait)
    found = []
    for value in JUNK:
        try:
            setattr(widget, trait, value)
            widget.get_state()
        except (TypeError, ValueError, LookupError, traitlets.TraitError, cw.UntraceableError) as error:
            text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
            if not re.match(rf"({trait}|layer|neuron|{'|'.join(TRAITS)}|i|o|y|x)(\[[^\]]*\])*[=:]", text):
                found.append(f"{arguments.show(value)}: {type(error).__name__}: {text[:120]}")
        except Exception as error:
            found.append(f"{arguments.show(value)}: {type(error).__name__}: {str(error)[:120]}")
        setattr(widget, trait, before)
    assert not found, "\n".join([f"{len(found)} of {trait}:", *found])


METHODS: dict[str, dict[str, Any]] = {
    "figure": {"panels": ["frame"]},
    "save": {"path": "/nowhere/x.png"},
    "save_data": {"path": "/nowhere/x.npz"},
    "animation": {"path": "/nowhere/x.gif"},
    "estimate_page": {},
    "name_cluster": {"cluster": 0, "name": "sky"},
}


@pytest.mark.parametrize("method", METHODS)
def test_a_method_of_the_widget_answers_junk(method: str, widget: cw.CanvasWidget) -> None:
    function = getattr(widget, method)
    found = []
    for parameter in parameters(function):
        for value in JUNK[::3]:
            if callable(value) and parameter in FUNCTIONS:
                continue
            wrong = problem(function, METHODS[method], parameter, value)
            if wrong:
                found.append(wrong)
    assert not found, "\n".join([f"{len(found)} of {method}:", *found])


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
