"""What is fitted: how each kind of INR is asked for a batch of its signal."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget import media
from canvaswidget.inr import INR, as_inr
from canvaswidget.models import FFN, SIREN, HNeRVDecoder, NeRV, coordinate_grid

PIXELS_AT_ONCE = 1 << 16


class FrameTask:
    """NeRV: an item is a frame."""

    lr: ClassVar[float] = 5e-3
    batch_size: ClassVar[int] = 1

    def __init__(self, model: Any, clip: media.Clip, device: torch.device) -> None:
        self.clip = clip
        self.module: Any = copy.deepcopy(model).to(device).train()
        self.device = device
        frames = torch.tensor(clip.frames).permute(0, 3, 1, 2).to(device)
        self.target = frames.contiguous(memory_format=torch.channels_last)
        self.n_items = clip.n_frames
        self.extra: dict[str, torch.Tensor] = {}
        self.prepare()

    def prepare(self) -> None:
        count = self.module.n_frames
        if count is not None and count != self.clip.n_frames:
            raise ValueError(
                f"signal: has {self.clip.n_frames} frames, but this NeRV is made for n_frames={count}. Read "
                f"it with canvaswidget.media.read(path, frames=(0, {count})), or give the model no n_frames"
            )
        self.module.n_frames = self.module.config["n_frames"] = self.clip.n_frames
        self.times = torch.arange(self.n_items, device=self.device) / self.n_items
        self.module.to(memory_format=torch.channels_last)
        self.check_size()

    @torch.no_grad()
    def check_size(self) -> None:
        made = tuple(self.predict(torch.zeros(1, dtype=torch.long, device=self.device)).shape[-2:])
        if made != self.clip.size:
            height, width = self.clip.size
            raise ValueError(
                f"signal: frames of {height}x{width}, but this model makes {made[0]}x{made[1]}. Read it "
                f"with canvaswidget.media.read(path, size={made}), or change the model"
            )

    def predict(self, items: torch.Tensor) -> torch.Tensor:
        return self.module(self.times[items])

    def error(self, items: torch.Tensor) -> torch.Tensor:
        return (self.predict(items) - self.target[items]).square().mean()

    def parameters(self) -> list[torch.Tensor]:
        return [*self.module.parameters(), *self.extra.values()]

    @torch.no_grad()
    def frame_psnr(self) -> npt.NDArray[np.float64]:
        items = torch.arange(self.clip.n_frames, device=self.device)
        return _decibels([self.error(items[i : i + 1]) for i in range(self.clip.n_frames)])

    def inr_of(
        self, weights: Mapping[str, torch.Tensor], extra: Mapping[str, torch.Tensor]
    ) -> Callable[[INR], INR]:
        """How the INR with weights of another step is made from the fitted one."""
        return lambda fitted: fitted.with_weights(weights)

    def inr(self) -> INR:
        return INR.from_frames(self.module, self.clip.n_frames, self.clip.size, truth=self.clip.frames)


class EmbeddingTask(FrameTask):
    """HNeRV's decoder: an item is a frame, and its embedding is learned."""

    lr: ClassVar[float] = 2e-3

    def prepare(self) -> None:
        factor = math.prod(self.module.config["dec_strds"])
        height, width = self.clip.size
        if height % factor or width % factor:
            near = (-(-height // factor) * factor, -(-width // factor) * factor)
            raise ValueError(
                f"signal: frames of {height}x{width}, but this HNeRV decoder makes multiples of {factor}. "
                f"Read it with canvaswidget.media.read(path, size={near}), or change dec_strds"
            )
        shape = (self.n_items, self.module.config["in_channels"], height // factor, width // factor)
        self.extra["embeddings"] = torch.randn(shape).to(self.device).requires_grad_()
        self.module.to(memory_format=torch.channels_last)
        self.check_size()

    def predict(self, items: torch.Tensor) -> torch.Tensor:
        return self.module(self.extra["embeddings"][items])

    def inr_of(
        self, weights: Mapping[str, torch.Tensor], extra: Mapping[str, torch.Tensor]
    ) -> Callable[[INR], INR]:
        def make(fitted: INR) -> INR:
            module = fitted.with_weights(weights).module
            return INR.from_embeddings(
                module, extra["embeddings"], fitted.size, truth=fitted.truth, name=fitted.name
            )

        return make

    def inr(self) -> INR:
        embeddings = self.extra["embeddings"].detach()
        return INR.from_embeddings(self.module, embeddings, self.clip.size, truth=self.clip.frames)


class PixelTask(FrameTask):
    """FFN and SIREN: an item is a pixel."""

    lr: ClassVar[float] = 5e-3
    batch_size: ClassVar[int] = 1 << 11

    def prepare(self) -> None:
        kind, size = type(self.module).__name__, self.clip.size
        if self.clip.n_frames != 1:
            raise ValueError(
                f"signal: has {self.clip.n_frames} frames, but {kind} encodes an image. Take one frame with "
                "canvaswidget.media.read(path, frames=(0, 1)), or fit a NeRV"
            )
        if self.module.config["channels"] != 3:
            raise ValueError(f"model: this {kind} has channels={self.module.config['channels']}; expected 3")
        if self.module.size is not None and tuple(self.module.size) != size:
            made = tuple(self.module.size)
            raise ValueError(
                f"signal: an image of {size[0]}x{size[1]}, but this {kind} is made for size={made}. Read "
                f"it with canvaswidget.media.read(path, size={made}), or leave size out of the model"
            )
        self.module.size, self.module.config["size"] = size, list(size)
        self.grid = coordinate_grid(size, str(self.module.coordinates), device=self.device)
        self.target = torch.tensor(self.clip.frames).reshape(-1, 3).to(self.device)
        self.n_items = len(self.target)

    def predict(self, items: torch.Tensor) -> torch.Tensor:
        return self.module(self.grid[items])

    @torch.no_grad()
    def frame_psnr(self) -> npt.NDArray[np.float64]:
        parts = torch.arange(self.n_items, device=self.device).split(PIXELS_AT_ONCE)
        return _decibels([torch.stack([self.error(part) * len(part) for part in parts]).sum() / self.n_items])

    def inr(self) -> INR:
        return INR.from_coords(self.module, self.clip.size, truth=self.clip.frames)


class SirenTask(PixelTask):
    """Fits a SIREN, pixel by pixel, with its own default learning rate."""

    lr: ClassVar[float] = 1e-3


class WrappedTask(FrameTask):
    """Any INR: an item is a frame."""

    lr: ClassVar[float] = 1e-3

    def __init__(self, model: INR, clip: media.Clip, device: torch.device) -> None:
        self.source = copy.copy(model)
        super().__init__(model.module, clip, device)

    def prepare(self) -> None:
        self.source.module = self.module
        given, expected = (self.clip.n_frames, *self.clip.size), (self.source.n_frames, *self.source.size)
        if given != expected:
            raise ValueError(
                f"signal: (frames, height, width) = {given}, but the INR is of {expected}. See frames= and "
                "size= of canvaswidget.media.read"
            )

    def predict(self, items: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.image(int(item)) for item in items])

    def image(self, frame: int) -> torch.Tensor:
        positional, keywords = self.source.arguments(frame)
        moved = [self.move(value) for value in positional]
        return self.source.image(
            self.module(*moved, **{name: self.move(keywords[name]) for name in keywords})
        )

    def move(self, value: Any) -> Any:
        return value.to(self.device) if isinstance(value, torch.Tensor) else value

    def inr(self) -> INR:
        self.source.truth = self.clip.frames
        self.source.origin = ""  # other weights
        return self.source


TASKS: dict[type, type[FrameTask]] = {
    INR: WrappedTask,
    NeRV: FrameTask,
    HNeRVDecoder: EmbeddingTask,
    FFN: PixelTask,
    SIREN: SirenTask,
}


def make_task(model: Any, clip: media.Clip, device: torch.device) -> FrameTask:
    """How to fit this model to this clip.

    Raises
    ------
    TypeError
        The model is not one that this package can fit.
    """
    for kind, task in TASKS.items():
        if isinstance(model, kind):
            return task(model, clip, device)
    as_inr(model)  # raises, and says how to wrap it
    raise TypeError(f"model={type(model).__name__}: expected {', '.join(kind.__name__ for kind in TASKS)}")


def _decibels(errors: Sequence[torch.Tensor]) -> npt.NDArray[np.float64]:
    return -10 * np.log10(torch.stack(list(errors)).double().cpu().numpy())
