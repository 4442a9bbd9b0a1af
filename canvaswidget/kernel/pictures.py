"""Pictures of a frame: the output, the signal, their difference, and small ones."""

from __future__ import annotations

import numpy as np

from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.quantise import Bytes, Floats, check_finite, colours, fitted, psnr_of, shrink

NO_PICTURE = 128  # the grey of a frame that a saved canvas does not contain


def frame(cached: CachedCanvas, time: int) -> Floats:
    """The raw output ``(h, w, channels)``."""
    return cached.cache.remember((None, "frame", time), lambda: _computed(cached, time))


def truth(cached: CachedCanvas, time: int) -> Floats:
    """The signal itself ``(h, w, channels)``."""
    truth = cached.canvas.inr.truth
    if truth is None:
        raise ValueError("source: this INR has no truth; give it with truth=, an array of frames in [0, 1]")
    return truth[time]


def psnr(cached: CachedCanvas, time: int) -> float | None:
    """Of the clipped output, in dB, at most 100; None without truth."""
    if cached.canvas.inr.truth is None:
        return None
    return psnr_of(frame(cached, time), truth(cached, time))


def psnr_of_changed(cached: CachedCanvas, image: Floats, time: int) -> float:
    """Of what a changed network shows: against the truth, or the output of the network as it is where there is none."""
    as_it_is = cached.canvas.inr.truth is None
    return psnr_of(image, np.clip(frame(cached, time), 0, 1) if as_it_is else truth(cached, time))


def psnr_alone(cached: CachedCanvas, time: int) -> float | None:
    """The same where the frame is not looked at: the frames of many runs would push out everything else."""
    if cached.canvas.inr.truth is None:
        return None

    def compute() -> float:
        image = cached.cache.get((None, "frame", time))
        return psnr_of(_computed(cached, time) if image is None else image, truth(cached, time))

    return cached.cache.remember((None, "psnr", time), compute)


def error(cached: CachedCanvas, time: int) -> Floats:
    """Absolute difference of the clipped output and the signal, the mean over channels, ``(h, w)``."""
    return np.abs(np.clip(frame(cached, time), 0, 1) - truth(cached, time)).mean(2)


def small_frame(cached: CachedCanvas, time: int, side: int) -> Bytes:
    """The clipped output, its longest side `side`, ``(h, w, 3)``."""
    size = fitted(cached.size, side)

    def compute() -> Bytes:
        if time not in cached.canvas.frames:
            return np.full((*size, 3), NO_PICTURE, np.uint8)
        image = cached.cache.get((None, "frame", time))
        if image is None:  # not put there: a strip of large frames would push out everything else
            image = _computed(cached, time)
        return colours(np.moveaxis(shrink(np.moveaxis(image, 2, 0), size), 0, 2))

    return cached.cache.remember((None, "small frame", time, size), compute)


def _computed(cached: CachedCanvas, time: int) -> Floats:
    image = np.asarray(cached.canvas.frame(time), np.float32)
    check_finite(f"frame {time} of the model", image)
    return image
