"""Fit an INR to an image or a video."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from canvaswidget import media
from canvaswidget.arguments import checked
from canvaswidget.fitting.result import Fit
from canvaswidget.fitting.tasks import make_task
from canvaswidget.fitting.training import Progress, train
from canvaswidget.inr import INR

EPOCHS = 300


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
        return train(
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
