"""Write what the page's tests run on, `js/test/fixture.json`: `python -m tools.page_fixture`.

It is what a saved page of a tiny network keeps, with a kernel's answers to some requests that no saved page answers.
The network's weights are formulas, so that every machine gets the same numbers but for their last digits.
"""

from __future__ import annotations

import json
import math
from contextlib import closing
from typing import Any

import numpy as np
import torch

import canvaswidget as cw
from canvaswidget.exports.packing import Packed, pack
from canvaswidget.exports.page import page_data
from canvaswidget.exports.page_budget import PageEstimate, Plan
from canvaswidget.exports.precomputed import Kept, Quality
from canvaswidget.exports.view import ExportedView
from canvaswidget.kernel import requests
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.session import Session
from canvaswidget.models import NeRV
from tools.demo import ROOT

PATH = ROOT / "js" / "test" / "fixture.json"
FRAMES, HEIGHT, WIDTH = 8, 16, 32
BIG, LAYER, NEXT = (f"decoder.{at}.conv.upconv.0" for at in (1, 2, 3))
HEAD = "head_layer"
SCORED = (BIG, LAYER, NEXT)  # for faithfulness
GROUPED = (BIG, LAYER)  # into clusters
EVERY = (LAYER, HEAD)  # layers of which every neuron is kept
FEW = 2  # neurons of the others
FLOATS = ("scatter", "values")  # requests that are answered by floats, not by levels
NOW, NEURON, N_CLUSTERS = 2, [1, 11], 6
PIXELS = ((4, 8), (4, 24), (12, 8), (12, 24))
DIGITS = 4  # of a number: what maps are quantised to is coarser
STATE = {
    "run": None,
    "compare": None,
    "rule": "xinc",
    "layer": LAYER,
    "time": NOW,
    "neuron": NEURON,
    "neurons": [NEURON],
    "source": "reconstruction",
    "sort": "total",
    "loop": None,
    "cluster_names": {},
}
GAINS = {"decoder.2": 16.0, "head_layer": 2.0}  # of layers' weights; of the others 4
QUALITY = Quality(frames=1, maps=4, groups=4, levels=16)


def network() -> cw.INR:
    """A NeRV of 16x32, eight frames."""
    model = NeRV(
        embed="pe_1.1_4",
        ks="0_1_3",
        fc_dim=36,
        fc_hw="1_2",
        dec_strds=(2, 2, 2, 2),
        reduce=6.0,
        lower_width=4,
        act="gelu",
        out_bias="sigmoid",
        n_frames=FRAMES,
    )
    with torch.no_grad():
        for at, (name, weights) in enumerate(model.named_parameters()):
            weights.copy_(torch.as_tensor(_weights(at, name, tuple(weights.shape)), dtype=torch.float32))
    return cw.as_inr(model, truth=_truth())


def _weights(at: int, name: str, shape: tuple[int, ...]) -> Any:
    if len(shape) == 1:
        return np.round(0.2 * np.cos(1.3 * np.arange(shape[0]) + at), 3)
    outputs, inputs, rows, columns = np.indices(shape)
    waves = np.cos(2.3 * outputs + 1.7 * inputs + 0.9 * rows + 1.9 * columns + at)
    if name.startswith("decoder.2"):
        # Some inputs are strong and some are weak, so that there are strong and weak neurons.
        waves = waves * 2.0 ** -(1.0 * inputs)
    gain = next((gain for layer, gain in GAINS.items() if name.startswith(layer)), 4.0)
    return np.round(gain / math.sqrt(np.prod(shape[1:])) * waves, 3)


def _truth() -> Any:
    frames, ys, xs, colours = np.indices((FRAMES, HEIGHT, WIDTH, 3))
    return (0.5 + 0.3 * np.cos(0.3 * xs + 0.4 * ys + 0.5 * frames + colours)).round(3).astype(np.float32)


def _kept(cached: CachedCanvas) -> Kept:
    layers, counts = list(cached.layers), {layer.name: math.prod(layer.neurons) for layer in cached.layers}
    neurons = {name: np.arange(n if name in EVERY else FEW) for name, n in counts.items()}
    return Kept(layers, range(FRAMES), neurons, N_CLUSTERS, PIXELS, ("reconstruction", "truth"), NOW)


def asked() -> list[dict[str, Any]]:
    """Requests that a saved page does not answer."""
    chosen = {"layer": LAYER, "neuron": NEURON, "neurons": [], "cluster": -1, "n_clusters": N_CLUSTERS}
    boxes = [_box(0, 0), _box(4, 2)]
    common = {"run": None, "rule": "xinc", "time": NOW}
    ablated = {"run": None, "time": NOW, "ablated": [{"layer": LAYER, "neurons": [NEURON]}]}
    quantised = {"bits": 4, "scheme": "per-tensor"}
    values = {"sort": "total", "channel": "sum", "pixel": None, "region": None}
    return [
        {"kind": "frame", "source": "ablated", **ablated},
        {"kind": "frame", "source": "difference", **ablated},
        {"kind": "frame", "source": "quantisation", "run": None, "time": NOW, "quantised": quantised},
        {"kind": "scatter", **common, "layer": LAYER, "method": "pca"},
        {"kind": "values", **common, "layer": LAYER, **values},
        {"kind": "values", **common, "layer": LAYER, **values, "sort": "frequency"},
        {"kind": "picture_spectra", "run": None, "time": NOW},
        {"kind": "selection_spectrum", **common, "selection": chosen},
        {"kind": "rules", **common, "selection": chosen},
        {"kind": "regions", **common, "selection": chosen, "regions": boxes},
        {"kind": "regions", **common, "time": 5, "selection": chosen, "regions": boxes[:1]},
    ]


def _box(top: int, left: int) -> dict[str, Any]:
    bottom, right = top + 4, left + 4
    return {"points": [[top, left], [top, right], [bottom, right], [bottom, left]], "runs": []}


def fixture() -> dict[str, Any]:
    """What the file contains, with all digits."""
    with closing(Session(cw.trace(network(), device="cpu", progress=False))) as session:
        return session.call(lambda report: _fixture(session))


def _fixture(session: Session) -> dict[str, Any]:
    cached = session.cached
    facts = Facts.of(cached.canvas)
    for name in SCORED:
        score = {"kind": "faithfulness", "run": None, "rule": "xinc", "time": NOW, "layer": name}
        requests.answer(cached, score, _silent)
    view = ExportedView(session, facts, STATE, STATE, {}, truth_given=True)
    plan = Plan({None: _kept(cached)}, QUALITY, PageEstimate(0, 0, 0, FEW, {}, ""), "some neurons")
    page, arrays = page_data(view, plan, "w = cw.CanvasWidget(model)\n", PATH.name, False)
    _drop_clusters(page, arrays)
    recorded = []
    for body in asked():
        answer, data = requests.answer(cached, body, _silent)
        form = "f4" if body["kind"] in FLOATS else "u1"
        arrays.append(pack(np.frombuffer(data, f"<{form}"), form))
        recorded.append({"body": body, "answer": answer, "data": len(arrays) - 1})
    page["arrays"] = [packed.describe() for packed in arrays]
    canvas = {**facts.on_wire(), "embeddings": ["pca", "tsne"]}  # whatever is installed here
    texts = [packed.text for packed in arrays]
    return {"canvas": canvas, "page": page, "recorded": recorded, "texts": texts}


def _drop_clusters(page: dict[str, Any], arrays: list[Packed]) -> None:
    """Those of small layers: which neuron stands for a cluster of two is a matter of rounding."""
    (baked,) = page["baked"]
    for each in [each for each in baked["clusters"] if each["answer"]["layer"] not in GROUPED]:
        baked["clusters"].remove(each)
        arrays[each["data"]] = pack(np.zeros(0, np.uint8), "u1")


def _silent(done: int = 0, total: int = 0) -> None:
    """No progress."""


def rounded(value: Any) -> Any:
    """The same with fewer digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def main() -> None:
    PATH.write_text(json.dumps(rounded(fixture()), separators=(",", ":"), allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
