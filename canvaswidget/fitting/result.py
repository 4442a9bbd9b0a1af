"""A fitted INR, and how its training went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from canvaswidget import tables
from canvaswidget.inr import INR
from canvaswidget.runs import Runs
from canvaswidget.runs.checkpoints import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """A fitted INR and how it came about.

    Attributes
    ----------
    inr : INR
        With the best weights that were seen and the signal as its truth.
    step, psnr, seconds : ndarray
        The curve: PSNR over the whole signal (the mean over frames, in dB) after so many steps and seconds.
    frame_psnr : ndarray
        ``(n_frames,)``: PSNR of each frame with the best weights.
    cpu_seconds : float
        Processor time of all threads, where `seconds` is what the clock on the wall says.
    epochs : float
        Passes over the signal.
    cancelled : bool
        Whether it was stopped before its time; the INR is the best until then.
    """

    inr: INR
    step: npt.NDArray[np.int64]
    psnr: npt.NDArray[np.float64]
    seconds: npt.NDArray[np.float64]
    frame_psnr: npt.NDArray[np.float64]
    cpu_seconds: float
    epochs: float
    cancelled: bool = False
    _snapshots: Mapping[int, Checkpoint] = field(default_factory=dict)

    @property
    def runs(self) -> Runs:
        """The network at its snapshots, by step.

        The last is of the last step, where `inr` has the best weights that were seen.

        Raises
        ------
        ValueError
            None were kept.
        """
        if not self._snapshots:
            raise ValueError("runs: no weights were kept on the way; say fit(..., snapshots=20)")
        return Runs.from_variants(self.inr, self._snapshots)

    @property
    def model(self) -> nn.Module:
        """The fitted module: a copy of the one that was given."""
        return self.inr.module

    @property
    def best(self) -> float:
        """PSNR of the INR, in dB."""
        return float(self.psnr.max())

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw PSNR against time."""
        ax = Figure(figsize=(4, 2.6), layout="constrained").subplots() if ax is None else ax
        ax.plot(self.seconds, self.psnr)
        ax.set(xlabel="seconds", ylabel="PSNR (dB)", title=self.inr.name)
        ax.grid(alpha=0.3)
        return ax

    def _table(self) -> tuple[list[str], list[list[str]]]:
        worst = int(self.frame_psnr.argmin())
        rows = [
            ["PSNR", f"{self.best:.2f} dB"],
            ["worst frame", f"{self.frame_psnr[worst]:.2f} dB (frame {worst})"],
            [
                "trained",
                f"{self.step[-1]:,} steps, {self.epochs:,.4g} epochs{', cancelled' * self.cancelled}",
            ],
            ["time", f"{self.seconds[-1]:.1f} s ({self.cpu_seconds:.1f} s of processor time)"],
        ]
        return ["fit", repr(self.inr)], rows

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        return tables.markup(*self._table())
