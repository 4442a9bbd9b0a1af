"""Every public function, class and method that takes an argument, with arguments that it accepts."""

from __future__ import annotations

import functools
import inspect
import tempfile
import types
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget import analysis, models

SIZE = (6, 7)
MASKS = np.zeros(SIZE, int)
MASKS[:3] = 1


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


class Accepted(Exception):
    """Raised where the work begins: the arguments were accepted."""


def stop(done: int, total: int) -> None:
    raise Accepted


class Watcher:
    def changed(self, keys: list[Any]) -> None: ...


class Here(Executor):
    """Does a task when it is submitted."""

    def submit(self, function: Any, task: Any, /, *_: Any, **__: Any) -> Any:
        future: Future[Any] = Future()
        future.set_result(function(task))
        return future


CANVAS = cw.trace(small(), rule="gated", device="cpu")
CLIP = cw.trace(small(3), rule="gated", device="cpu")
EMBEDDINGS = torch.zeros(2, 4, 1, 1)
FOUND = analysis.cluster(CANVAS, 0, 2)
JOB = cw.Job("seed 0", inr="tests.surveys.networks:ffn", options={"hidden": 3})
FOLDER = tempfile.TemporaryDirectory()


@functools.cache
def widget() -> cw.CanvasWidget:
    return cw.CanvasWidget(CLIP)


@functools.cache
def saved() -> cw.SavedCanvas:
    path = Path(FOLDER.name) / "canvas.zarr"
    CANVAS.save(path, progress=False)
    return cast(cw.SavedCanvas, cw.open(path))


@functools.cache
def surveyed() -> cw.Survey:
    what = {"psnr": {}, "distribution": {"layers": ["net.1"]}}
    return cw.survey([JOB], Path(FOLDER.name) / "survey.zarr", Here(), what, progress=False)


@functools.cache
def result(name: str) -> Any:
    """What a function gives for the arguments in `CALLS`."""
    return public()[name]()(**CALLS[name]())


# An object of each public class, whose methods are tried.
OBJECTS: dict[str, Callable[[], Any]] = {
    "INR": lambda: CANVAS.inr,
    "Canvas": lambda: CANVAS,
    "CanvasWidget": widget,
    "Job": lambda: cw.Job("a", fit={"model": "ffn", "steps": 1}, truth="nowhere.png"),
    "Layer": lambda: CANVAS.layers[1],
    "MaskPainter": functools.cache(lambda: cw.MaskPainter(np.zeros((2, *SIZE, 3)))),
    "Recorder": functools.cache(lambda: cw.Recorder(Path(FOLDER.name) / "training", every=1)),
    "Runs": functools.cache(lambda: cw.Runs.from_checkpoints(CANVAS.inr, {0: net().state_dict()})),
    "SavedCanvas": saved,
    "Survey": surveyed,
    "Curve": lambda: next(iter(result("analysis.rate_distortion").curves.values())),
    "Mean": lambda: analysis.Mean(0, None, None, 1),
    "OverRuns": functools.cache(lambda: analysis.distribution({0: CANVAS, 1: CANVAS}, 0)),
    "Quantisation": lambda: result("analysis.quantisation"),
}
# Of the other classes: the function of `CALLS` that returns one.
MADE_BY = {
    "Clusters": "analysis.cluster",
    "Deletion": "analysis.deletion",
    "Derivatives": "analysis.derivatives",
    "Directions": "analysis.directions",
    "Distribution": "analysis.distribution",
    "Embedding": "analysis.embed",
    "Exemplars": "analysis.exemplars",
    "Faithfulness": "analysis.faithfulness",
    "FrequencyShares": "analysis.frequency_shares",
    "Intensity": "analysis.intensity",
    "Matching": "analysis.match",
    "Motion": "analysis.motion",
    "Objects": "analysis.objects",
    "ObjectsOverTime": "analysis.objects_over_time",
    "Profile": "analysis.profile",
    "Pruning": "analysis.pruning",
    "QuantisationLoss": "analysis.quantisation_loss",
    "RateDistortion": "analysis.rate_distortion",
    "Regions": "analysis.regions",
    "SpectralBias": "analysis.spectral_bias",
    "Spectrum": "analysis.spectrum",
    "Stability": "analysis.stability",
    "Training": "analysis.training",
    "Vectors": "analysis.vectors",
}


# Arguments that each public function, class and method takes. A method that takes all its defaults may be left out.
CALLS: dict[str, Callable[[], dict[str, Any]]] = {
    "INR": lambda: {"module": net(), "inputs": lambda frame: torch.zeros(42, 2), "size": SIZE},
    "INR.from_coords": lambda: {"module": net(), "size": SIZE},
    "INR.from_frames": lambda: {"module": nn.Linear(1, 126), "n_frames": 2, "size": SIZE},
    "INR.from_embeddings": lambda: {
        "decoder": nn.ConvTranspose2d(4, 3, SIZE),
        "embeddings": EMBEDDINGS,
        "size": SIZE,
    },
    "INR.frame": lambda: {},
    "INR.render": lambda: {},
    "INR.arguments": lambda: {"frame": 0},
    "INR.frame_index": lambda: {"frame": 0},
    "as_inr": lambda: {"model": models.FFN(hidden=3), "size": SIZE},
    "trace": lambda: {"model": CANVAS.inr},
    "load": lambda: {"path": "nowhere.safetensors"},
    "open": lambda: {"path": "nowhere.zarr"},
    "prune": lambda: {"inr": CANVAS.inr, "canvas": CANVAS, "share": 0.5},
    "quantise": lambda: {"inr": CANVAS.inr, "canvas": CANVAS},
    "fit": lambda: {
        "model": models.FFN(hidden=3),
        "signal": np.zeros((*SIZE, 3)),
        "steps": 1,
        "progress": False,
    },
    "Canvas.under": lambda: {"rule": "gated"},
    "Canvas.frame": lambda: {},
    "Canvas.map": lambda: {"layer": 0, "neuron": 0},
    "Canvas.maps": lambda: {"layer": 0, "neurons": [0, 1]},
    "Canvas.iter": lambda: {"layer": 0},
    "Canvas.reduce": lambda: {"layer": 0, "function": torch.sum},
    "Canvas.pixel": lambda: {"y": 1, "x": 2},
    "Canvas.region": lambda: {"mask": MASKS},
    "Canvas.top": lambda: {"y": 1, "x": 2},
    "Canvas.summary": lambda: {"layer": 0},
    "Canvas.estimate": lambda: {},
    "Canvas.remainder": lambda: {"layer": 0},
    "Canvas.ablate": lambda: {"neurons": {0: [0]}},
    "Canvas.check": lambda: {},
    "Canvas.ablation": lambda: {},
    "Canvas.why_no_colours": lambda: {"layer": 0},
    "analysis.carry": lambda: {"labels": MASKS, "pictures": [np.zeros((*SIZE, 3)), np.ones((*SIZE, 3))]},
    "analysis.cluster": lambda: {"canvas": CANVAS, "layer": 0, "k": 2},
    "analysis.vectors": lambda: {"canvas": CANVAS, "layer": 0},
    "analysis.embed": lambda: {"sources": [analysis.vectors(CANVAS, 0)], "method": "pca"},
    "analysis.exemplars": lambda: {"canvas": CANVAS, "clusters": FOUND},
    "analysis.stability": lambda: {"canvas": CANVAS, "layer": 0, "k": 2, "seeds": [0, 1]},
    "analysis.completeness": lambda: {"canvas": CANVAS, "layer": 0},
    "analysis.deletion": lambda: {"canvas": CANVAS, "layer": 0, "points": 3, "seeds": [0]},
    "analysis.distribution": lambda: {"canvas": CANVAS, "layer": 0},
    "analysis.faithfulness": lambda: {"canvas": CANVAS, "layer": 0, "subsets": 2},
    "analysis.derivatives": lambda: {"canvas": CANVAS},
    "analysis.spectral_bias": lambda: {"runs": {0: CANVAS, 1: CANVAS}},
    "analysis.frequency_shares": lambda: {"canvas": CANVAS, "layers": 0},
    "analysis.spectrum": lambda: {"canvas": CANVAS, "layer": 0},
    "analysis.intensity": lambda: {"canvas": CANVAS, "layer": 0},
    "analysis.match": lambda: {"one": analysis.vectors(CANVAS, 0), "other": analysis.vectors(CANVAS, 1)},
    "analysis.motion": lambda: {"canvas": CLIP, "layer": 0},
    "analysis.objects": lambda: {"canvas": CANVAS, "layer": 0, "masks": MASKS},
    "analysis.objects_over_time": lambda: {"canvas": CLIP, "layer": 0, "masks": np.stack([MASKS] * 3)},
    "analysis.pruning": lambda: {"canvas": CANVAS, "shares": [0.5], "seeds": [0]},
    "analysis.quantisation": lambda: {"canvas": CANVAS, "bits": [3], "channels": 1},
    "analysis.quantisation_loss": lambda: {"canvas": CANVAS},
    "analysis.rate_distortion": lambda: {
        "canvas": CANVAS,
        "bits": [3],
        "shares": [0.5],
        "seeds": [0],
        "rules": ["gated"],
    },
    "analysis.regions": lambda: {"canvas": CANVAS, "layer": 0, "k": 2},
    "analysis.optical_flow": lambda: {"pictures": list(np.zeros((2, *SIZE, 3)))},
    "Clusters.plot": lambda: {},
    "Distribution.plot_pixels": lambda: {},
    "media.read": lambda: {"source": np.zeros((*SIZE, 3))},
    "media.read_image": lambda: {"path": "nowhere.png"},
    "media.read_video": lambda: {"path": "nowhere.mp4"},
    "media.read_folder": lambda: {"path": "nowhere"},
    "media.read_masks": lambda: {"path": "nowhere"},
    "media.read_dataset": lambda: {"folder": "nowhere"},
    "media.read_flow": lambda: {"path": "nowhere.flo"},
    "media.resize": lambda: {"image": np.zeros((*SIZE, 3)), "size": (3, 4)},
    "media.ms_ssim": lambda: {"a": np.zeros((12, 12)), "b": np.ones((12, 12))},
    "media.n_scales": lambda: {"size": SIZE},
    "media.psnr": lambda: {"a": np.zeros(3), "b": np.ones(3)},
    "models.FFN": lambda: {"hidden": 3},
    "models.SIREN": lambda: {"hidden": 3},
    "models.NeRV": lambda: {"fc_dim": 3, "fc_hw": "2_2", "dec_strds": [2]},
    "models.HNeRVDecoder": lambda: {"in_channels": 2, "fc_dim": 3, "dec_strds": [2]},
    "models.coordinate_grid": lambda: {"size": SIZE},
    "models.load_model": lambda: {"path": "nowhere.pt"},
    "models.load_weights": lambda: {"path": "nowhere.pt"},
    "models.save_model": lambda: {"model": models.FFN(hidden=3), "path": "/nowhere/x.safetensors"},
    "INR.image": lambda: {"result": torch.zeros(3, *SIZE)},
    "INR.with_weights": lambda: {"weights": net().state_dict()},
    "Canvas.activations": lambda: {"layer": 0},
    "Canvas.columns": lambda: {"layer": 0},
    "Canvas.directions": lambda: {"layer": 0, "basis": np.eye(2)},
    "Canvas.edit": lambda: {"edits": {0: {0: 0.5}}},
    "Canvas.hold": lambda: {"frame": 0},
    "Canvas.improving_summaries": lambda: {},
    "Canvas.kept": lambda: {"layer": 0},
    "Canvas.save": lambda: {"path": "saved.zarr", "estimate": True, "progress": False},
    "Canvas.summaries": lambda: {},
    "Canvas.sums": lambda: {},
    "Canvas.to_xarray": lambda: {"layer": 0},
    "Canvas.weight": lambda: {"layer": 0},
    "CanvasWidget.animation": lambda: {"path": "/nowhere/x.gif"},
    "CanvasWidget.estimate_page": lambda: {},
    "CanvasWidget.figure": lambda: {"panels": ["frame"]},
    "CanvasWidget.name_cluster": lambda: {"cluster": 0, "name": "sky"},
    "CanvasWidget.save": lambda: {"path": "/nowhere/x.png"},
    "CanvasWidget.save_data": lambda: {"path": "/nowhere/x.npz"},
    "Job": lambda: {"name": "a", "weights": "nowhere.safetensors"},
    "Job.digest": lambda: {"what": {}},
    "Job.from_dict": lambda: {"values": {"name": "a", "weights": "nowhere.safetensors"}},
    "Job.train": lambda: {},
    "Layer.flat_index": lambda: {"neurons": [0, 1]},
    "Layer.has": lambda: {"neuron": (0,)},
    "Layer.neuron_at": lambda: {"flat": 0},
    "Layer.neurons_at": lambda: {"flat": [0, 1]},
    "Layer.outputs_of": lambda: {"unit": 0},
    "Layer.shape_of": lambda: {"granularity": None},
    "MaskPainter": lambda: {"frame": np.zeros((*SIZE, 3))},
    "MaskPainter.add": lambda: {},
    "MaskPainter.link": lambda: {"widget": widget()},
    "MaskPainter.load": lambda: {"path": "nowhere.png"},
    "MaskPainter.mask": lambda: {},
    "MaskPainter.save": lambda: {"path": "/nowhere/x.png"},
    "Recorder": lambda: {"folder": "training", "every": 1},
    "Recorder.__call__": lambda: {"step": 1, "model": net()},
    "Runs": lambda: {"runs": {"a": CANVAS}},
    "Runs.each": lambda: {"function": lambda canvas: None},
    "Runs.facts": lambda: {"key": 0},
    "Runs.from_checkpoints": lambda: {"inr": CANVAS.inr, "weights": {0: net().state_dict()}},
    "Runs.from_variants": lambda: {"network": CANVAS.inr, "variants": {}},
    "Runs.watch": lambda: {"changed": Watcher().changed},
    "Survey": lambda: {"store": "nowhere.zarr"},
    "Survey.arrays": lambda: {"run": "seed 0", "finding": "distribution.net.1.0"},
    "Survey.compare": lambda: {"number": "psnr"},
    "Survey.finding": lambda: {"name": "psnr"},
    "Survey.job": lambda: {"run": "seed 0"},
    "Survey.weights": lambda: {"run": "seed 0"},
    "edited": lambda: {"inr": CANVAS.inr, "edits": {0: {0: 0.5}}, "canvas": CANVAS},
    "report": lambda: {"canvas": CANVAS, "folder": "report", "progress": stop},
    "survey": lambda: {
        "jobs": [JOB],
        "store": "survey.zarr",
        "engine": Here(),
        "what": ["psnr"],
        "progress": stop,
    },
    "surveys.estimate_survey": lambda: {"jobs": [JOB], "store": "survey.zarr", "what": ["psnr"]},
    "surveys.training_jobs": lambda: {"signals": {"a": "a.png"}, "models": ["ffn"], "steps": 1},
    "analysis.directions": lambda: {"canvas": CANVAS, "layer": 1, "k": 2},
    "analysis.group": lambda: {"sources": [analysis.vectors(CANVAS, 0)], "k": 2},
    "analysis.profile": lambda: {"canvas": CANVAS},
    "analysis.training": lambda: {"runs": {0: CANVAS, 1: CANVAS}, "layer": 0},
    "analysis.partitions.grid": lambda: {"size": SIZE, "cells": (2, 2)},
    "analysis.partitions.colours": lambda: {"picture": np.zeros((*SIZE, 3)), "k": 2},
    "analysis.partitions.gabor": lambda: {"picture": np.zeros((*SIZE, 3)), "k": 2},
    "analysis.partitions.instances": lambda: {"masks": MASKS, "size": SIZE},
    "media.mean_psnr": lambda: {"each": [30.0]},
    "media.ssim": lambda: {"a": np.zeros((12, 12)), "b": np.ones((12, 12))},
    "Clusters.nearest": lambda: {"number": 0},
    "Curve.of": lambda: {"settings": [8.0], "points": [[1.0] * 5]},
    "Directions.plot": lambda: {},
    "Mean.of": lambda: {"values": np.ones(3)},
    "OverRuns.number": lambda: {"name": "total"},
    "Regions.plot_regions": lambda: {"kind": "cells"},
    "FrequencyShares.missing": lambda: {"layer": 0},
    "FrequencyShares.of_layer": lambda: {"layer": 0},
    "Vectors.neuron": lambda: {"place": 0},
}

CALLS |= {
    name.replace("Canvas.", "SavedCanvas."): given
    for name, given in CALLS.items()
    if name.startswith("Canvas.")
}
CALLS["SavedCanvas.is_of"] = lambda: {"model": net()}
CALLS["SavedCanvas.save"] = lambda: {"path": "nowhere.zarr"}

MADE_HERE = "its objects are made by functions of the package"
NOT_TRIED = {
    "Canvas": MADE_HERE,
    "CanvasWidget": "`test_a_widget_of_junk_is_refused` tries it, with fewer arguments: each widget takes a while",
    "CanvasWidget.send_state": "ipywidgets' protocol",
    "CanvasWidget.set_state": "ipywidgets' protocol",
    "Layer": MADE_HERE,
    "Report": MADE_HERE,
    "SavedCanvas": "`open` makes it, and is tried",
    "media.Clip": MADE_HERE,
    "media.LabelledClip": MADE_HERE,
    "media.VideoDataset": MADE_HERE,
    "VideoDataset.read": "tests/media/test_datasets.py tries it: it needs a folder",
    "demo.DemoClip": MADE_HERE,
    "surveys.SurveyEstimate": MADE_HERE,
    **{f"{name}.forward": "called by torch" for name in ("FFN", "SIREN", "NeRV", "HNeRVDecoder")},
    "HNeRVDecoder.decode": "called by `forward`",
    **{
        f"analysis.{name}": MADE_HERE
        for name in analysis.__all__
        if isinstance(getattr(analysis, name), type)
    },
}


def parameters(function: Callable[..., Any]) -> list[str]:
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [n for n, p in inspect.signature(function).parameters.items() if p.kind not in kinds]


@functools.cache
def public() -> dict[str, Callable[[], Callable[..., Any]]]:
    """Every public function, class and method that takes an argument: how to get it, by name."""
    found: dict[str, Callable[[], Callable[..., Any]]] = {}
    seen: set[Any] = set()

    def walk(module: types.ModuleType, prefix: str) -> None:
        members = {name: getattr(module, name) for name in module.__all__}
        for name, one in sorted(members.items(), key=lambda item: isinstance(item[1], types.ModuleType)):
            if isinstance(one, types.ModuleType):
                walk(one, f"{prefix}{name}.")
            elif callable(one) and one not in seen and not _is_error(one):
                seen.add(one)
                if parameters(one):
                    found[f"{prefix}{name}"] = functools.partial(lambda one: one, one)
                if isinstance(one, type):
                    methods(one)

    def methods(kind: type) -> None:
        for name in dir(kind):
            owner = next((base for base in kind.__mro__ if name in vars(base)), object)
            static = vars(owner).get(name)
            function: Any = getattr(static, "__func__", static)
            is_ours = owner.__module__.startswith("canvaswidget") and inspect.isfunction(function)
            if not is_ours or (name.startswith("_") and name != "__call__") or function in seen:
                continue
            seen.add(function)
            bound = parameters(function)
            if len(bound) > (not isinstance(static, staticmethod)):
                found[f"{kind.__name__}.{name}"] = functools.partial(_method, kind, name, static)

    walk(cw, "")
    return found


def _is_error(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, BaseException)


def _method(kind: type, name: str, static: Any) -> Callable[..., Any]:
    return getattr(kind if isinstance(static, classmethod | staticmethod) else an_object(kind.__name__), name)


def an_object(kind: str) -> Any:
    return OBJECTS[kind]() if kind in OBJECTS else result(MADE_BY[kind])
