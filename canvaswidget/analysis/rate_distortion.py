"""How good a picture stays at how many bits: quantised and pruned copies of a network."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from canvaswidget import tables
from canvaswidget.analysis.deletion import ALIKE, check_seeds, target_picture
from canvaswidget.analysis.least_contributing import check_shares, chosen_frames, least, require_model
from canvaswidget.analysis.measured_copies import MeasuredCopies
from canvaswidget.analysis.over_runs import over_runs
from canvaswidget.analysis.quantise import quantisable
from canvaswidget.analysis.quantiser import PER_TENSOR, check_scheme, one_width, some_widths
from canvaswidget.analysis.removal_orders import removal_orders
from canvaswidget.analysis.sampled import Accuracy, Estimated, Sampling
from canvaswidget.arguments import as_array, checked, choice, optional, some_accuracy, some_frames, wrong_type
from canvaswidget.arguments.kinds import is_sequence
from canvaswidget.inr import INR
from canvaswidget.media.quality import n_scales
from canvaswidget.plotting.style import CYCLE, QUIET, heading, legend_below, new_axes, new_panels, style
from canvaswidget.progress import Progress, steps
from canvaswidget.tracing.canvas import Canvas
from canvaswidget.tracing.layers import Layer, LayerKey

if TYPE_CHECKING:
    import pandas

DoubleArray = npt.NDArray[np.float64]

BITS = (8, 6, 5, 4, 3, 2)
SHARES = (0.05, 0.1, 0.2, 0.4)
PRUNED_BITS = 8
REFITTED = ", refitted"
MEASURES = {"psnr": "PSNR (dB)", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}


def _numbers(name: str, value: Any) -> None:
    array = as_array(value) if is_sequence(value) else None
    if array is None or array.dtype.kind not in "iuf":
        raise wrong_type(
            name, value, "a sequence of numbers" if name == "settings" else "five numbers for each point"
        )


@dataclass(frozen=True, eq=False)
class Curve:
    """Copies of a network, made in one way.

    Attributes
    ----------
    settings : (p,)
        Bits of a weight, or the share of neurons that was removed.
    bits_per_pixel, entropy_bits_per_pixel : (p,)
        Counted plainly, and with an entropy code.
    psnr, ssim, ms_ssim : (p,)
        Means over frames.
    """

    settings: DoubleArray
    bits_per_pixel: DoubleArray
    entropy_bits_per_pixel: DoubleArray
    psnr: DoubleArray
    ssim: DoubleArray
    ms_ssim: DoubleArray

    @classmethod
    @checked(settings=_numbers, points=_numbers)
    def of(cls, settings: Sequence[float], points: Sequence[Sequence[float]]) -> Curve:
        """From the five numbers of each point."""
        found = np.array(points, np.float64)
        if found.ndim != 2 or found.shape != (len(settings), 5):
            raise ValueError(f"points: has shape {found.shape}; expected five numbers for each of settings")
        return cls(np.array(settings, np.float64), *found.T)


@dataclass(frozen=True, eq=False, repr=False)
class RateDistortion(Estimated):
    """What pictures of quantised and pruned copies of a network are worth, over bits per pixel.

    Attributes
    ----------
    curves : dict of str to Curve
        ``"quantised"``; by rule, ``"magnitude"`` and ``"random"`` (mean of the seeds), pruned; the same with
        ``", refitted"``.
    model : Curve
        Of one point: the network itself, in its own type.
    layers, pruned_layers : tuple of Layer
        Whose weights were quantised; from which neurons were removed.
    where : dict of str to tuple of Layer
        By rule, those of `pruned_layers` on which it is defined, and from which neurons were removed.
    frames : (t,)
        What the pictures are of. Bits are divided by the pixels of all frames of the INR.
    scheme : str
    pruned_bits : int or None
        Of the weights that pruned copies keep; None for their own type.
    granularity : str
    against : str
    n_scales : int
        Of MS-SSIM; only values of five scales compare with published ones.
    sampling : Sampling or None
        How contributions were estimated, of the rule where they are known least; None where all are exact.
    """

    curves: dict[str, Curve]
    model: Curve
    layers: tuple[Layer, ...]
    pruned_layers: tuple[Layer, ...]
    where: dict[str, tuple[Layer, ...]]
    frames: npt.NDArray[np.int64]
    scheme: str
    pruned_bits: int | None
    granularity: str
    against: str
    n_scales: int
    sampling: Sampling | None = None

    @checked(measure=choice(*MEASURES))
    def plot(self, ax: Axes | None = None, measure: str = "psnr", entropy: bool = False) -> Axes:
        """One measure over bits per pixel.

        Parameters
        ----------
        measure : {"psnr", "ssim", "ms_ssim"}
        entropy : bool
            Whether bits are those of an entropy code.
        """
        ax = ax or new_axes(height=2.4)
        rate = "entropy_bits_per_pixel" if entropy else "bits_per_pixel"
        with style():
            plain = [name for name in self.curves if "refitted" not in name and name != "random"]
            for name, curve in self.curves.items():
                base = name.removesuffix(REFITTED)
                dash = "-" if name == "quantised" else "--" if base == name else ":"
                colour = QUIET if base == "random" else CYCLE[plain.index(base) % len(CYCLE)]
                across, up = getattr(curve, rate), np.minimum(getattr(curve, measure), ALIKE)
                order = np.argsort(across)
                ax.plot(
                    across[order], up[order], dash, color=colour, lw=1.2, marker="o", ms=2, label=_said(name)
                )
            value = float(getattr(self.model, measure)[0])
            if self.against == "truth" and math.isfinite(value):
                ax.axhline(value, color="black", lw=0.6, label="not quantised")
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
            ax.xaxis.set_minor_locator(NullLocator())
            label = MEASURES[measure]
            if measure == "ms_ssim" and self.n_scales != 5:
                label += f", {self.n_scales} scales"
            ax.set(xlabel="bits per pixel" + (", entropy code" if entropy else ""), ylabel=label)
            heading(ax, f"against the {self.against}", *self.estimated())
            legend_below(ax)
        return ax

    @checked
    def plot_all(self, entropy: bool = False) -> Figure:
        """All measures that are defined, a panel each."""
        known = [name for name in MEASURES if not np.isnan(getattr(self.curves["quantised"], name)).all()]
        axes = new_panels(len(known), columns=3, height=2.6, width=9.9)
        for ax, name in zip(axes, known, strict=True):
            self.plot(ax, name, entropy)
        return cast(Figure, axes[0].figure)

    def numbers(self) -> dict[str, float]:
        """Sum it up in the numbers of `OverRuns`.

        Of each quantised copy bits per pixel and PSNR; of each way to prune the mean PSNR over the shares; in dB, at
        most 60 dB a point.
        """
        found: dict[str, float] = {}
        for name, curve in self.curves.items():
            capped = np.minimum(curve.psnr, ALIKE)
            if name != "quantised":
                found[f"psnr_{name.replace(', ', '_')}"] = float(capped.mean())
                continue
            for width, bits, value in zip(curve.settings, curve.bits_per_pixel, capped, strict=True):
                found[f"psnr_{width:.0f}_bits"] = float(value)
                found[f"bits_per_pixel_{width:.0f}_bits"] = float(bits)
        return found

    def to_frame(self) -> pandas.DataFrame:
        """One row a copy; pandas is imported here."""
        import pandas

        names = list(Curve.__dataclass_fields__)
        rows = [
            {"copy": name, **dict(zip(names, point, strict=True))}
            for name, curve in {"model": self.model, **self.curves}.items()
            for point in zip(*(getattr(curve, one) for one in names), strict=True)
        ]
        return pandas.DataFrame(rows)

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        head = ["copy", "", "bits per pixel", "entropy code", "PSNR", "SSIM", "MS-SSIM"]
        rows = []
        for name, curve in {"model": self.model, **self.curves}.items():
            for point in zip(*(getattr(curve, one) for one in Curve.__dataclass_fields__), strict=True):
                setting, bits, fewer, decibels, one, several = point
                said = f"{setting:.0f} bits" if name == "quantised" else f"{setting:.0%} removed"
                row = [_said(name), "" if curve is self.model else said, f"{bits:.4g}", f"{fewer:.4g}"]
                rows.append([*row, f"{decibels:.2f}", *(_shown(value) for value in (one, several))])
        return head, rows, (2, 3, 4, 5, 6)

    @property
    def note(self) -> str:
        """What was done, and what the numbers are, in one line."""
        count = len(self.frames)
        kept = "in their own type" if self.pruned_bits is None else f"quantised to {self.pruned_bits} bits"
        scales = "" if self.n_scales in (0, 5) else f"; MS-SSIM has {self.n_scales} of 5 scales"
        partial = "".join(
            f"; {rule} is defined on {len(own)} of {len(self.pruned_layers)} pruned layers"
            for rule, own in self.where.items()
            if len(own) < len(self.pruned_layers)
        )
        return (
            f"Against the {self.against}, mean of n = {count} frame{'s' if count > 1 else ''}; bits of the network by "
            f"the pixels of all frames; {self.scheme}; pruned copies lose {self.granularity}s, and the weights they "
            f"keep are {kept}"
            + scales
            + partial
            + "".join(f"; {what}: {how}" for what, how in self.sampling_rows())
        )

    def __repr__(self) -> str:
        return f"{tables.text(*self._table())}\n{self.note}"

    def _repr_html_(self) -> str:
        return tables.markup(*self._table(), note=self.note)


def _said(name: str) -> str:
    """What a curve is of, in words."""
    base = name.removesuffix(REFITTED)
    if base in ("model", "quantised"):
        return {"model": "not quantised"}.get(base, base)
    how = "at random" if base == "random" else f"by {base}"
    return f"pruned {how}{name[len(base) :]}"


def _shown(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4f}"


@over_runs
@checked(
    bits=some_widths,
    scheme=check_scheme,
    pruned_bits=optional(one_width),
    frames=some_frames,
    accuracy=some_accuracy,
)
def rate_distortion(
    canvas: Canvas,
    bits: Sequence[int] = BITS,
    shares: Sequence[float] = SHARES,
    scheme: str = PER_TENSOR,
    *,
    layers: LayerKey | Sequence[LayerKey] | None = None,
    rules: Sequence[str] | None = None,
    frames: Sequence[int] | None = None,
    against: str | None = None,
    pruned_bits: int | None = PRUNED_BITS,
    refit: Callable[[INR], Any] | None = None,
    granularity: str = "unit",
    accuracy: Accuracy = "auto",
    seeds: Sequence[int] = (0, 1, 2),
    seed: int = 0,
    progress: Progress = False,
) -> RateDistortion:
    """Measure the pictures of quantised and of pruned copies over their bits per pixel.

    Bits are counted as `canvaswidget.analysis.coded_size` says: the symbols of the weights, a minimum and a step for
    each grid, one bit a neuron where neurons are removed, and all other parameters in their own type; beside that with
    the Shannon entropy of the symbols in the place of their bits.

    Parameters
    ----------
    canvas : Canvas or Runs
        Its model; its rule does not matter.
    bits : sequence of int
        Of quantised copies.
    shares : sequence of float
        Of the neurons of each layer that are removed in pruned copies.
    scheme : {"per-tensor", "per-channel"}
    layers : optional
        Those that are quantised and pruned: by default all whose weights are plain parameters; from the model's first,
        whose units are its inputs, no neurons are removed then.
    rules : sequence of str, optional
        Which neurons go first, beside those with the smallest weights and random ones: under those of ``xinc``,
        ``gated`` and ``ablation`` that are defined on the model, by default.
    frames : sequence of int, optional
        Up to four, evenly spread, by default.
    against : {"model", "truth"}, optional
        The signal where the INR has it, by default.
    pruned_bits : int or None
        Of the weights that pruned copies keep; None for their own type.
    refit : callable, optional
        Of a pruned INR, before it is quantised: trains it on, with the weights that are 0 held, and returns an INR or
        what has one as `inr`: ``lambda inr: canvaswidget.fit(inr, clip, steps=200, hold_zeros=True)``. Its pictures are
        beside those without.
    granularity : {"unit", "kernel"}
    accuracy : float, "auto" or None
        Of the contributions, as in `prune`.
    seeds : sequence of int
        Of the random orders.
    seed : int
        Of the sample of pixels.
    progress : bool or callable
        As in `faithfulness`.

    Raises
    ------
    UntraceableError
        The weight of one of `layers` is no plain parameter of the module, but made in the forward, or used in several
        places.
    ValueError
        `refit` returned a network with weights that had been removed.
    """
    check_shares(shares)
    require_model(canvas)
    check_seeds(seeds)
    several = chosen_frames(canvas, frames)
    chosen, _ = quantisable(canvas, layers)
    first = canvas.layers.first_of_weights
    prunable = [layer for layer in chosen if layers is not None or layer != first] or chosen
    against = against or ("model" if canvas.inr.truth is None else "truth")
    targets = {frame: target_picture(canvas, frame, against) for frame in several}
    with steps("rate-distortion", "pass", progress) as counted:
        work = MeasuredCopies(canvas, chosen, scheme, targets, counted)
        counted.plan(len(several) * (1 + len(bits)))
        model = Curve.of([math.nan], [work.measure(canvas, {}, {})])
        widths = [int(width) for width in bits]
        points = [work.quantised(width) for width in widths]
        curves = {"quantised": Curve.of(widths, points)}
        orders, where, sampling = removal_orders(
            canvas, prunable, rules, several, granularity, accuracy, seeds, seed, counted
        )
        counted.plan(len(orders) * len(shares) * len(several) * (1 if refit is None else 2))
        for suffix, train in (("", None), *([] if refit is None else [(REFITTED, refit)])):
            found: dict[str, list[list[tuple[float, ...]]]] = {}
            for name, totals in orders:
                removed = [least(totals, share, granularity) for share in shares]
                points = [work.pruned(one, granularity, pruned_bits, train) for one in removed]
                found.setdefault(name, []).append(points)
            for name, each in found.items():
                curves[name + suffix] = Curve.of(list(shares), np.mean(each, 0).tolist())
    return RateDistortion(
        curves,
        model,
        tuple(chosen),
        tuple(prunable),
        {rule: tuple(own) for rule, own in where.items()},
        np.array(several),
        scheme,
        pruned_bits,
        granularity,
        against,
        n_scales(canvas.inr.size),
        sampling,
    )
