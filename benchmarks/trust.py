"""What faithfulness costs: ablation beside re-running the model for each unit, the score beside measuring all.

Ablation starts again at the unit's own layer; the baseline sets the unit's weights to 0 in a copy of the module and
renders from the start. The two are measured in turn; the ratio is of their medians. Nothing here asserts anything.

    python benchmarks/trust.py                 nerv_bunny and an HNeRV decoder of 640x1280
    python benchmarks/trust.py --device cuda   on a GPU
"""

from __future__ import annotations

import argparse
import copy
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.rules import models, ratio, row, timed  # noqa: E402
from benchmarks.run import describe_machine, show_time  # noqa: E402
from canvaswidget.kernel.requests.faithfulness import QUIET  # noqa: E402
from canvaswidget.kernel.session import Session  # noqa: E402
from canvaswidget.tracing.layer_weight import weight_without  # noqa: E402

FRAME = 1
CLICKS = 24
LARGE = 2**18  # pixels of a frame: beyond, the baselines would take too long


def ablation_of_units(canvas: cw.Canvas, layer: cw.Layer) -> None:
    """All units of a layer, each with its own picture."""
    inr, units = canvas.inr, list(range(layer.n_units))
    module = copy.deepcopy(inr.module)
    cut = cw.INR(module, inr.inputs, inr.size, inr.n_frames, inr.output)
    name, _ = weight_without(canvas.matrix.capture, layer, [0])
    weight = module.get_parameter(name)

    @torch.no_grad()
    def again() -> None:
        for unit in units:
            kept = weight[:, unit].clone()
            weight[:, unit] = 0
            cut.render(FRAME)
            weight[:, unit] = kept

    canvas.frame(FRAME)
    taken, times = ratio(lambda: list(canvas.reduce(layer, len, FRAME, granularity="unit")), again)
    row(
        f"ablation: all {len(units)} units of {layer.name}",
        taken,
        f"{times:.2f} of re-running the model for each",
    )


def ablate(canvas: cw.Canvas, layer: cw.Layer) -> None:
    """The picture without one unit, as the model shows it."""
    taken, times = ratio(lambda: canvas.ablate({layer: [0]}, FRAME), lambda: canvas.inr.render(FRAME))
    row(f"without one unit of {layer.name}", taken, f"{times:.2f} forwards")


def trust_score(canvas: cw.Canvas, layer: cw.Layer) -> None:
    """The score at its usual precision, and from every neuron of the layer."""
    score = cw.analysis.faithfulness(canvas, layer, FRAME)
    taken = timed(lambda: cw.analysis.faithfulness(canvas, layer, FRAME))
    whole = timed(lambda: cw.analysis.faithfulness(canvas, layer, FRAME, half_width=1e-9))
    row(
        f"faithfulness score of {canvas.rule}, {layer.name}",
        taken,
        f"{len(score.neurons):,} of {score.n_neurons:,} neurons: {score.totals}; "
        f"{taken / whole:.2f} of measuring all ({whole:.1f} s)",
    )


def behind_the_score(canvas: cw.Canvas, layer: cw.Layer) -> None:
    """How long a map takes that is asked for while the widget measures a score, and while it does not."""
    neurons = iter(np.ndindex(*layer.neurons))

    def waits(measuring: bool) -> list[float]:
        session, answered = Session(canvas), threading.Event()

        def ask(key: int, **body: Any) -> float:
            answered.clear()
            stated = {"run": None, "rule": canvas.rule, **body}
            request = {"type": "request", "id": key, "view": str(body["kind"]), "body": stated}
            return timed(lambda: (session.handle(cast(Any, request), hear), key and answered.wait()))

        def hear(message: Any, buffers: list[bytes]) -> None:
            if message["type"] == "reply" and message["id"]:
                answered.set()

        if measuring:
            ask(0, kind="faithfulness", time=FRAME, layer=layer.name)
        found = []
        for key in range(1, CLICKS + 1):
            chosen = {
                "layer": layer.name,
                "neuron": next(neurons),
                "neurons": [],
                "cluster": -1,
                "n_clusters": 6,
            }
            found.append(ask(key, kind="map", time=FRAME, selection=chosen))
            time.sleep(QUIET + 0.1 * key / CLICKS)  # the score goes on, and is met at any place
        session.close()
        return sorted(found[1:])  # the first one runs the model

    alone, behind = waits(False), waits(True)
    row(
        f"a map while the score of {layer.name} is measured",
        behind[len(behind) // 2],
        f"{show_time(alone[len(alone) // 2])} while it is not; at most {show_time(behind[-1])} and "
        f"{show_time(alone[-1])}; one every {QUIET} s",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    print(f"{describe_machine(arguments.device)}, torch {torch.__version__}")
    for title, inr in models(arguments.device):
        print(f"\n{title}")
        canvas = cw.trace(inr, "ablation", device=arguments.device)
        for layer in canvas.traced_layers[1:]:
            ablate(canvas, layer)
        behind_the_score(canvas.under("gated"), canvas.traced_layers[-2])
        if inr.size[0] * inr.size[1] >= LARGE:
            continue
        for layer in canvas.traced_layers[1:]:
            ablation_of_units(canvas, layer)
        for rule in ("xinc", "gated"):
            for layer in canvas.traced_layers[-2:]:
                trust_score(canvas.under(rule), layer)


if __name__ == "__main__":
    main()
