"""Fit an INR to an image or a video."""

from __future__ import annotations

import math
import operator
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn
from tqdm.auto import tqdm

from canvaswidget import media, tables
from canvaswidget.arguments import checked
from canvaswidget.fitting.snapshots import Snapshots
from canvaswidget.fitting.tasks import FrameTask, make_task
from canvaswidget.inr import INR
from canvaswidget.runs import Runs
from canvaswidget.runs.checkpoints import Checkpoint

EPOCHS = 300
WARM_UP = 0.05  # of the run; the learning rate rises linearly, then falls by a cosine
EVALUATIONS = 40
BETAS = (0.9, 0.95)  # a short memory of squared gradients: those of the first steps are far larger


class Progress(NamedTuple):
    """What a callback is told after every step."""

    step: int
    done: float
    seconds: float
    psnr: float


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


@checked
def fit(
    model: nn.Module | INR,
    signal: str | os.PathLike[str] | npt.ArrayLike | media.Clip,
    *,
    epochs: float | None = None,
    steps: int | None = None,
    seconds: float | None = None,
    lr: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    snapshots: int | None = None,
    hold_zeros: bool = False,
    device: torch.device | str = "auto",
    progress: bool = True,
    callback: Callable[[Progress], Any] | None = None,
) -> Fit:
    """Train a copy of a model to be an image or a video.

    Adam on the squared error; the learning rate warms up, then follows a cosine to 0.

    Parameters
    ----------
    model : NeRV, HNeRVDecoder, FFN, SIREN or INR
        Training starts from its weights; it is not changed. For an HNeRV decoder, one embedding a frame is
        learned too, on a grid of the size that makes the frames. Any other module comes wrapped in an INR.
    signal : path, array or Clip
        An image, a video, a folder of images or an array; see `canvaswidget.media.read`.
    epochs, steps, seconds : optional
        How long, in passes over the signal, optimiser steps or seconds; whichever ends first. 300 epochs
        where none is given. The learning rate follows the clock where `seconds` is what ends it, so that only
        the other two can be repeated to the bit.
    lr : float, optional
        Highest learning rate. By default what suits the model.
    batch_size : int, optional
        Frames a step, or pixels for a network of pixel coordinates. By default what suits the model.
    seed : int
        Of the order of batches and of embeddings. The same seed on the same processor with the same number of
        threads gives the same weights. Torch's global random state is left as it is.
    snapshots : int, optional
        Keep the weights at so many steps, the first and the last among them, evenly spaced in the logarithm of the
        step: most changes early. `Fit.runs` has them. On a short training they are fewer.
    hold_zeros : bool
        Keep the weights that are 0 as they are, so that a pruned model stays pruned. Biases, and whatever else has one
        axis, are trained all the same.
    device : device or "auto"
        Where to train; ``"auto"`` takes a GPU if there is one. The result is where the model was.
    progress : bool
        Show a progress bar.
    callback : callable, optional
        Called after every step with ``Progress(step, done, seconds, psnr)``, the PSNR being the last one
        measured. Returning False or raising StopIteration ends the training; so does an interrupt from the
        keyboard.

    Returns
    -------
    Fit

    Raises
    ------
    TypeError
        `model` is a module of which it is not known what it is called with.
    ValueError
        The model can't make a signal of this size or length.
    FloatingPointError
        The error became NaN or infinite.

    Examples
    --------
    >>> from canvaswidget.models import FFN
    >>> result = fit(FFN(hidden=16), np.zeros((8, 8, 3)), epochs=2, progress=False)
    >>> result.inr
    INR(FFN, image of 8x8, 851 weights, with truth)
    """
    limits = _limits(epochs, steps, seconds, batch_size)
    seed = _index("seed", seed)
    clip = media.read(signal)
    home = _device_of(model.module if isinstance(model, INR) else model)
    device = _resolve(device)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        task = make_task(model, clip, device)
        return _train(
            task,
            limits,
            _positive("lr", lr, task.lr),
            min(task.batch_size if batch_size is None else _index("batch_size", batch_size), task.n_items),
            torch.Generator().manual_seed(seed),
            home,
            progress,
            callback,
            snapshots,
            hold_zeros,
        )


# --- the loop ---------------------------------------------------------------------------------------------


class _Clock:
    """How much of a run is done."""

    def __init__(self, limits: tuple[float | None, int | None, float | None], steps_per_epoch: int) -> None:
        epochs, steps, self.seconds = limits
        counts = [] if steps is None else [steps]
        if epochs is not None:
            counts.append(max(1, math.ceil(epochs * steps_per_epoch)))
        self.total = min(counts, default=None)
        self.start, self.cpu_start = time.perf_counter(), time.process_time()
        self.step = 0

    @property
    def elapsed(self) -> float:
        return time.perf_counter() - self.start

    @property
    def cpu(self) -> float:
        return time.process_time() - self.cpu_start

    @property
    def done(self) -> float:
        by_steps = 0.0 if self.total is None else self.step / self.total
        by_clock = 0.0 if self.seconds is None else self.elapsed / self.seconds
        return min(1.0, max(by_steps, by_clock))


class _Record:
    """The curve and the best weights so far."""

    def __init__(self, task: FrameTask) -> None:
        self.task = task
        self.curve: list[tuple[int, float, float]] = []
        self.best = -math.inf
        self.frame_psnr = np.zeros(0)
        self.kept: list[torch.Tensor] = []

    def measure(self, clock: _Clock, lr: float) -> float:
        frame_psnr = self.task.frame_psnr()
        psnr = media.mean_psnr(frame_psnr)
        if not math.isfinite(psnr) and psnr != math.inf:
            what = "NaN" if math.isnan(psnr) else "infinite"
            raise FloatingPointError(
                f"lr={lr:g}: the error became {what} by step {clock.step}; try a lower learning rate"
            )
        self.curve.append((clock.step, psnr, clock.elapsed))
        if psnr > self.best or not self.kept:
            self.best, self.frame_psnr = psnr, frame_psnr
            self.kept = [tensor.detach().clone() for tensor in self.tensors()]
        return psnr

    def tensors(self) -> list[torch.Tensor]:
        return [*self.task.parameters(), *self.task.module.buffers()]

    @torch.no_grad()
    def restore(self) -> None:
        for tensor, kept in zip(self.tensors(), self.kept, strict=True):
            tensor.copy_(kept)


def _train(
    task: FrameTask,
    limits: tuple[float | None, int | None, float | None],
    lr: float,
    batch_size: int,
    generator: torch.Generator,
    home: torch.device,
    progress: bool,
    callback: Callable[[Progress], Any] | None,
    n_snapshots: int | None,
    hold_zeros: bool,
) -> Fit:
    zeros = [(weight, weight == 0) for weight in task.parameters() if hold_zeros and weight.ndim > 1]
    optimiser = torch.optim.Adam(task.parameters(), lr=lr, betas=BETAS)
    steps_per_epoch = math.ceil(task.n_items / batch_size)
    clock = _Clock(limits, steps_per_epoch)
    record, cancelled = _Record(task), False
    psnr = record.measure(clock, lr)
    snapshots = Snapshots(task, n_snapshots)
    snapshots.take(clock.step, 0.0, psnr)
    batches = _batches(task.n_items, batch_size, generator)
    with tqdm(total=clock.total, disable=not progress, desc="fit", unit="step") as bar:
        try:
            while clock.done < 1:
                _step(task, optimiser, next(batches).to(task.device), lr * _schedule(clock.done))
                for weight, is_zero in zeros:
                    weight.data.masked_fill_(is_zero, 0)
                clock.step += 1
                bar.update()
                if clock.done >= len(record.curve) / EVALUATIONS:
                    psnr = record.measure(clock, lr)
                    bar.set_postfix_str(f"{psnr:.2f} dB")
                snapshots.take(clock.step, clock.done)
                told = Progress(clock.step, clock.done, clock.elapsed, psnr)
                if callback is not None and callback(told) is False:
                    raise StopIteration
        except (KeyboardInterrupt, StopIteration):
            cancelled = clock.done < 1
    if record.curve[-1][0] != clock.step:
        record.measure(clock, lr)
    snapshots.take(clock.step, 1.0, record.curve[-1][1])
    record.restore()
    task.module.to(home, memory_format=torch.contiguous_format).eval()
    task.extra = {name: tensor.to(home) for name, tensor in task.extra.items()}
    step, curve, seconds = (np.array(part) for part in zip(*record.curve, strict=True))
    epochs = clock.step / steps_per_epoch
    return Fit(
        task.inr(), step, curve, seconds, record.frame_psnr, clock.cpu, epochs, cancelled, snapshots.taken
    )


def _step(task: FrameTask, optimiser: torch.optim.Optimizer, items: torch.Tensor, lr: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = lr
    optimiser.zero_grad()
    task.error(items).backward()
    optimiser.step()


def _batches(n_items: int, batch_size: int, generator: torch.Generator) -> Iterator[torch.Tensor]:
    while True:
        yield from torch.randperm(n_items, generator=generator).split(batch_size)


def _schedule(done: float) -> float:
    return min(1.0, (done + 1e-3) / WARM_UP) * (1 + math.cos(math.pi * done)) / 2


# --- arguments --------------------------------------------------------------------------------------------


def _limits(
    epochs: float | None, steps: int | None, seconds: float | None, batch_size: int | None
) -> tuple[float | None, int | None, float | None]:
    for name, value in (
        ("epochs", epochs),
        ("steps", steps),
        ("seconds", seconds),
        ("batch_size", batch_size),
    ):
        _positive(name, value, 1)
    if epochs is None and steps is None and seconds is None:
        epochs = EPOCHS
    return epochs, None if steps is None else _index("steps", steps), seconds


def _index(name: str, value: int) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}={value!r}: expected an int") from None


def _positive(name: str, value: float | None, default: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name}={value!r}: expected a number above 0")
    if not 0 < value < math.inf:
        raise ValueError(f"{name}={value!r}: expected a number above 0")
    return float(value)


def _device_of(module: Any) -> torch.device:
    if not isinstance(module, nn.Module):
        raise TypeError(f"model={type(module).__name__}: expected a torch.nn.Module or an INR")
    weight = next(module.parameters(), None)
    return torch.device("cpu") if weight is None else weight.device


def _resolve(device: torch.device | str) -> torch.device:
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ValueError(
            f"device={device!r}: expected 'auto' or a torch device, such as 'cuda:0' ({error})"
        ) from None
