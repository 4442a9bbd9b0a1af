"""The loop of a training: steps, the learning rate, the curve, and the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm.auto import tqdm

from canvaswidget import media
from canvaswidget.fitting.result import Fit
from canvaswidget.fitting.snapshots import Snapshots
from canvaswidget.fitting.tasks import FrameTask

WARM_UP = 0.05  # of the run; the learning rate rises linearly, then falls by a cosine
EVALUATIONS = 40
BETAS = (0.9, 0.95)  # a short memory of squared gradients: those of the first steps are far larger


class Progress(NamedTuple):
    """What a callback is told after every step."""

    step: int
    done: float
    seconds: float
    psnr: float


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


def train(
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
    """Train the copy of a model that a task holds until a limit, an interrupt or the callback ends it.

    Parameters
    ----------
    limits : (epochs, steps, seconds)
        Whichever ends first; None for no limit.
    home : torch.device
        Where the fitted module goes.
    """
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
