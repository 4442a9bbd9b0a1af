"""The selection's total, the PSNR and the faithfulness, run by run."""

from __future__ import annotations

from typing import Literal, TypedDict

from canvaswidget.kernel import pictures, selection_maps
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.message_parts import RunKey, Selection
from canvaswidget.kernel.requests.checked_fields import checked_frame, checked_selection, in_channel
from canvaswidget.kernel.requests.faithfulness import known_score
from canvaswidget.kernel.requests.registry import answers
from canvaswidget.kernel.selection_maps import Totals
from canvaswidget.progress import Report
from canvaswidget.runs import RunError
from canvaswidget.tracing import NotKeptError


class RunCurveRequest(TypedDict):
    """The selection on some runs; the page asks for a few at a time. `run` is the one that the selection was made in.

    Without a selection, as of runs in which the same number is not the same neuron, there are no totals.
    """

    kind: Literal["run_curve"]
    run: RunKey
    rule: str
    time: int
    runs: list[RunKey]
    selection: Selection | None


class RunCurveReply(TypedDict):
    """`totals` are null for runs that have no such neuron, `psnr` for those without a truth, all for a broken run.

    `half_widths` are half of the 95 % intervals of totals, as a part of them: 0 where they are exact.
    `faithfulness` is the rank correlation of totals with ablation, where it was measured already.
    """

    kind: Literal["run_curve"]
    time: int
    runs: list[RunKey]
    totals: list[float | None]
    half_widths: list[float]
    psnr: list[float | None]
    faithfulness: list[float | None]


@answers(priority=8)
def run_curve(cached: CachedCanvas, body: RunCurveRequest, checkpoint: Report) -> tuple[RunCurveReply, bytes]:
    time = checked_frame(cached, body["time"])
    selection = body["selection"]
    if selection is not None:
        checked_selection(cached, selection)
    reply: RunCurveReply = {
        "kind": "run_curve",
        "time": time,
        "runs": body["runs"],
        "totals": [],
        "half_widths": [],
        "psnr": [],
        "faithfulness": [],
    }
    for done, run in enumerate(body["runs"]):
        checkpoint(done, len(body["runs"]))
        total = psnr = score = None
        try:
            other = cached.of_run(run)
            psnr = pictures.psnr_alone(other, time)
            if selection is not None:
                total = _total(other, selection, time, checkpoint)
                score = known_score(other, selection["layer"])
        except (RunError, NotKeptError):
            pass  # the reply has null for this run
        reply["totals"].append(None if total is None else total.total)
        reply["half_widths"].append(0.0 if total is None else total.half_width)
        reply["psnr"].append(psnr)
        reply["faithfulness"].append(score)
    return reply, b""


def _total(cached: CachedCanvas, selection: Selection, time: int, checkpoint: Report) -> Totals | None:
    try:
        chosen = checked_selection(cached, selection)
        coloured = in_channel(cached, selection, chosen.layer)
    except (KeyError, IndexError, ValueError):
        return None  # another architecture
    return selection_maps.total(coloured, chosen, time, checkpoint)
