"""Findings under `gated`: estimated to 5 % from columns at some pixels, and exact, in turn on one canvas.

Quantised and pruned copies, directions, latents and edits are beside what a frame or a unit's map takes.

Spectra are of a sample of neurons, and of all; shares of frequencies are exact for all neurons of all layers.

Nothing here asserts anything.

    python benchmarks/findings.py                     decoder.3 of nerv_bunny
    python benchmarks/findings.py decoder.1 --no-exact  a layer whose exact findings take minutes
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import canvaswidget as cw  # noqa: E402
from benchmarks.rules import models  # noqa: E402
from benchmarks.run import describe_machine  # noqa: E402
from benchmarks.totals import Watch  # noqa: E402

ACCURACY, FRAME, FRAMES = 0.05, 8, (8, 9)

Finding = Callable[[cw.Canvas, str, Any], Any]
# The finding, and its main number with the interval, each a row of neurons for every region or pair of frames.
FINDINGS: dict[str, tuple[Finding, Callable[[Any], npt.NDArray[Any]]]] = {
    "distribution": (
        lambda canvas, layer, accuracy: cw.analysis.distribution(canvas, layer, FRAME, accuracy=accuracy),
        lambda found: _bounds(found.pixels_per_neuron, found.low, found.high),
    ),
    "regions": (
        lambda canvas, layer, accuracy: cw.analysis.regions(canvas, layer, FRAME, accuracy=accuracy),
        lambda found: np.concatenate(
            [
                _bounds(deltas, found.low and found.low[kind], found.high and found.high[kind])
                for kind, deltas in found.deltas.items()
            ],
            1,
        ),
    ),
    "motion": (
        lambda canvas, layer, accuracy: cw.analysis.motion(canvas, layer, FRAMES, accuracy=accuracy),
        lambda found: _bounds(found.neuron_change, found.low, found.high),
    ),
}


def _bounds(value: Any, low: Any, high: Any) -> npt.NDArray[Any]:
    """``(3, n)``: the number, and its interval, which is the number itself where it is exact."""
    parts = [value, value if low is None else low, value if high is None else high]
    return np.stack([np.asarray(part, np.float64).ravel() for part in parts])


def compared(name: str, found: Any, exact: Any) -> str:
    """The errors of an estimate: as parts of the number, or of a region's even share."""
    bounds = FINDINGS[name][1]
    value, low, high = bounds(found)
    truth = bounds(exact)[0]
    error = np.abs(value - truth)
    if name != "regions":
        error = np.divide(error, truth, out=np.full(truth.shape, np.nan), where=truth > 0)
    room = 1e-5 * (np.abs(truth) + (name == "regions"))
    held = (low - room <= truth) & (truth <= high + room)
    known = np.isfinite(error)
    return f"median true error {np.median(error[known]):.2%}, {held[known].mean():.1%} of intervals hold it"


def measure(canvas: cw.Canvas, layer: str, with_exact: bool) -> None:
    for name, (finding, _) in FINDINGS.items():
        watch = Watch()
        found = finding(canvas, layer, ACCURACY)
        estimate = watch.taken()
        line = f"{name:13}{estimate!s:>10}  {found.passes} passes, {found.sampling.said}"
        print(f"{line}, load {os.getloadavg()[0]:.0f}", flush=True)
        if with_exact:
            watch = Watch()
            exact = finding(canvas, layer, None)
            taken = watch.taken()
            print(
                f"{'  exact':13}{taken!s:>10}  {taken.times(estimate)} times; {compared(name, found, exact)}"
            )


def measure_quantisation(canvas: cw.Canvas) -> None:
    """All layers of one frame at four widths, with and without predictions, then single channels."""
    for title, options in (
        ("alone", {"channels": 0, "predict": False}),
        ("and predicted", {"channels": 0}),
        ("and channels", {}),
    ):
        watch = Watch()
        found = cw.analysis.quantisation(canvas, frames=[FRAME], **options)
        taken = watch.taken()
        ranks = ", ".join(f"{value:+.2f}" for value in found.correlation)
        ratios = ", ".join(f"{value:.2f}" for value in found.joint_loss / found.summed_loss)
        print(f"{'quantisation':13}{taken!s:>10}  {title}; rank correlations {ranks}; joint / sum {ratios}")


def measure_profile(canvas: cw.Canvas) -> None:
    watch = Watch()
    found = cw.analysis.profile(canvas, frame=FRAME)
    print(f"{'profile':13}{watch.taken()!s:>10}  {len(found)} layers, up to 64 neurons each")


def measure_lenses(canvas: cw.Canvas, layer: str) -> None:
    """Copies as a report measures them; directions, latents and an edit beside a unit and the frame."""
    watch = Watch()
    canvas.frame(FRAME + 1)
    canvas.forget()
    canvas.frame(FRAME)
    frame = watch.taken()
    canvas.ablate({layer: [1]}, FRAME)  # the first one prepares the rule
    watch = Watch()
    canvas.ablate({layer: [0]}, FRAME)
    ablated = watch.taken()
    watch = Watch()
    canvas.edit({layer: {0: 0.5}}, FRAME)
    edited = watch.taken()
    print(f"{'edit':13}{edited!s:>10}  {edited.times(ablated)} times an ablation; two frames {frame!s}")
    watch = Watch()
    found = cw.analysis.rate_distortion(
        canvas, (8, 6, 4, 3), (0.1, 0.3), rules=["gated"], frames=[FRAME], seeds=[0]
    )
    copies = 1 + sum(len(curve.settings) for curve in found.curves.values())
    print(f"{'rates':13}{watch.taken()!s:>10}  {copies} copies, with the totals that order their neurons")
    watch = Watch()
    basis = cw.analysis.directions(canvas, layer, k=8, frames=[FRAME])
    print(f"{'directions':13}{watch.taken()!s:>10}  8 of {basis.basis.shape[1]} units by PCA")
    latents = np.random.default_rng(0).normal(size=(4 * basis.basis.shape[1], basis.basis.shape[1]))
    decoder = torch.from_numpy(latents.astype(np.float32))
    unit = _map_of(canvas, layer)
    for title, turned in (
        ("  direction", canvas.directions(layer, basis)),
        (
            "  latent",
            canvas.directions(layer, decoder, encoder=lambda rows: torch.relu(rows @ decoder.T)),
        ),
    ):
        taken = _map_of(turned, layer)
        print(f"{title:13}{taken!s:>10}  maps of 8, {taken.times(unit)} times those of units")


def _map_of(canvas: cw.Canvas, layer: str) -> Any:
    canvas.maps(layer, [0], FRAME)
    watch = Watch()
    for unit in range(8):
        canvas.maps(layer, [unit], FRAME)
    return watch.taken()


# Of neurons that are drawn, and of a pass for each band and colour: their errors are those of the sample, or none.
SAMPLED = 256


def measure_frequencies(canvas: cw.Canvas, layer: str, with_exact: bool) -> None:
    watch = Watch()
    some = cw.analysis.spectrum(canvas, layer, FRAME, sample=SAMPLED)
    print(
        f"{'spectrum':13}{watch.taken()!s:>10}  {len(some.neurons)} neurons, mean centroid {some.mean_centroid}"
    )
    if with_exact:
        watch = Watch()
        every = cw.analysis.spectrum(canvas, layer, FRAME, sample=None)
        print(f"{'  exact':13}{watch.taken()!s:>10}  mean centroid {every.mean_centroid}")
    watch = Watch()
    shares = cw.analysis.frequency_shares(canvas, frame=FRAME)
    lacks = max(float(np.nanmax(np.abs(shares.missing(one)))) for one in shares.layers)
    count = sum(shares.neurons[one.name].size // len(shares.bands) for one in shares.layers)
    print(
        f"{'shares':13}{watch.taken()!s:>10}  all {count:,} neurons, {len(shares.bands)} bands, exact to {lacks:.0e}"
    )
    watch = Watch()
    slopes = cw.analysis.derivatives(canvas, FRAME)
    print(f"{'derivatives':13}{watch.taken()!s:>10}  {slopes.method}")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("layer", nargs="?", default="decoder.3", help="of nerv_bunny")
    parser.add_argument("--no-exact", action="store_true", help="measure the estimates only")
    parser.add_argument(
        "--only-frequencies", action="store_true", help="spectra, shares and derivatives only"
    )
    parser.add_argument(
        "--only-lenses", action="store_true", help="copies, directions, latents and edits only"
    )
    given = parser.parse_args(arguments)
    title, inr = next(iter(models("cpu")))
    print(f"{describe_machine()}, {title}, {given.layer}, accuracy {ACCURACY:.0%}, rule gated")
    canvas = cw.trace(inr, "gated", progress=False)
    for frame in FRAMES:
        canvas.frame(frame)
    if not (given.only_frequencies or given.only_lenses):
        measure(canvas, given.layer, not given.no_exact)
        measure_quantisation(canvas)
        measure_profile(canvas)
    if not given.only_lenses:
        measure_frequencies(canvas, given.layer, not given.no_exact)
    if not given.only_frequencies:
        measure_lenses(canvas, given.layer)


if __name__ == "__main__":
    main()
