"""What a report says of copies of the network with quantised and pruned weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.quantisation import Quantisation, quantisation
from canvaswidget.analysis.quantise import quantisable
from canvaswidget.analysis.rate_distortion import PRUNED_BITS, Curve, RateDistortion, rate_distortion
from canvaswidget.analysis.sampled import Accuracy
from canvaswidget.progress import Progress
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.errors import UntraceableError
from canvaswidget.tracing.layers import Layer

# Few enough that a frame of each copy costs a report little; the orders of neurons are those that `pruning` computed.
BITS, SHARES = (8, 6, 4, 3), (0.1, 0.3)

QUANTISATION = (
    "PSNR against the model's own frame when the weights of a layer, or of all of them, take few values: one uniform "
    "grid for each layer. Where errors of layers are independent, the joint loss is the sum of the single ones in "
    "squared error. Below, the error of the frame with all layers quantised."
)
RATES = (
    "What the frame is worth over the bits of the network, divided by the pixels of all frames. Quantised copies have "
    f"weights of {', '.join(map(str, BITS[:-1]))} and {BITS[-1]} bits. Pruned copies lose "
    f"{' and '.join(f'{share:.0%}' for share in SHARES)} of the units of each layer, those that contribute least, with "
    f"the smallest outgoing weights, or random ones; their other weights have {PRUNED_BITS} bits. None is trained on."
)
QUANTISATION_ARRAYS = ("frames", "bits", "model_error", "layer_error", "joint_error", "predicted", "errors")


def quantised(
    canvas: Canvas, layers: Sequence[Layer], frame: int, seed: int, progress: Progress
) -> Quantisation | None:
    """What quantised weights cost, of those layers whose weights can be quantised; None where there are none."""
    known = _known(canvas, layers)
    if not known:
        return None
    # Only under a rule that can be sampled is a prediction cheap.
    predict = canvas.can_sample
    return quantisation(
        canvas, layers=known, frames=[frame], channels=0, predict=predict, seed=seed, progress=progress
    )


def rates(
    canvas: Canvas,
    layers: Sequence[Layer] | None,
    frame: int,
    accuracy: Accuracy,
    seed: int,
    progress: Progress,
) -> RateDistortion | None:
    """Copies over their bits per pixel; None where no weights can be quantised.

    Parameters
    ----------
    layers : sequence of Layer, optional
        Those that are quantised and pruned; all whose weights can be, by default.
    """
    known = _known(canvas, layers)
    if not known:
        return None
    return rate_distortion(
        canvas,
        BITS,
        SHARES,
        layers=None if layers is None else known,
        rules=[canvas.rule],
        frames=[frame],
        accuracy=accuracy,
        seeds=[seed],
        seed=seed,
        progress=progress,
    )


def _known(canvas: Canvas, layers: Sequence[Layer] | None) -> list[Layer]:
    """Those of the layers, or of all, whose weights can be quantised."""
    try:
        known = quantisable(canvas, None)[0]
    except UntraceableError:
        return []
    return known if layers is None else [layer for layer in layers if layer in known]


def rates_said(found: RateDistortion) -> str:
    """The ends of the curve of quantised copies in a sentence, with the numbers of the table."""
    curve, model = found.curves["quantised"], found.model
    most, least = int(np.argmax(curve.settings)), int(np.argmin(curve.settings))
    whole = f"Not quantised, the network has {model.bits_per_pixel[0]:.4g} bits per pixel"
    if found.against == "truth":
        whole += f" and the frame {model.psnr[0]:.2f} dB"
    return f"{whole}; {_point(curve, most)}, {_point(curve, least)}."


def _point(curve: Curve, at: int) -> str:
    return f"at {curve.settings[at]:.0f} bits {curve.bits_per_pixel[at]:.4g} and {curve.psnr[at]:.2f} dB"


def quantised_arrays(rounded: Quantisation) -> dict[str, npt.NDArray[Any]]:
    """What quantised weights cost as named arrays, with the names of the layers."""
    found = {"layers": np.array([layer.name for layer in rounded.layers])}
    return found | {name: np.asarray(getattr(rounded, name)) for name in QUANTISATION_ARRAYS}


def rate_arrays(found: RateDistortion) -> dict[str, npt.NDArray[Any]]:
    """The curves as named arrays, ``copy/what``, with the names of the layers."""
    arrays: dict[str, npt.NDArray[Any]] = {
        "layers": np.array([layer.name for layer in found.layers]),
        "pruned_layers": np.array([layer.name for layer in found.pruned_layers]),
        "frames": found.frames,
    }
    for name, curve in {"model": found.model, **found.curves}.items():
        arrays |= {f"{name}/{field}": values for field, values in vars(curve).items()}
    return arrays
