"""An implicit neural representation: a torch module plus the signal it encodes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from canvaswidget.arguments import as_array, checked, checked_index, checked_size, wrong_type
from canvaswidget.inr.calling import (
    call_of_points,
    device_of,
    dtype_of,
    modulated_inputs,
    n_required,
    size_of_output,
)
from canvaswidget.inr.exchange import load_checked
from canvaswidget.inr.module_state import (
    CALLS,
    about_copies,
    copied,
    evaluating,
    replica,
    unchanged,
)
from canvaswidget.inr.outputs import (
    CHANNELS,
    Candidate,
    as_image,
    candidates,
    chosen,
    describe,
    no_image,
)
from canvaswidget.models import FFN, SIREN, HNeRVDecoder, NeRV, coordinate_grid

Inputs = Callable[[int], Any]
FloatImage = npt.NDArray[np.float32]


class INR:
    """A module, how to ask it for frame ``t``, and how its output becomes an image.

    Parameters
    ----------
    module : torch.nn.Module
        Used as it is, never changed: not its mode, device, gradients or weights.
    inputs : callable
        ``inputs(frame)`` gives what the module is called with: a tensor, a tuple of arguments or a dict of
        keyword arguments. Tensors are moved to the module's device.
    size : (height, width)
        Of a frame, in pixels.
    n_frames : int
        Number of frames; 1 for an image.
    output : callable, optional
        Picks the image out of what the module returns, for example ``lambda result: result["rgb"]``. By default it
        is the tensor of ``height * width`` pixels and 1 or 3 channels; of several, the one that most of the module's
        parameters reach, with a warning. The layouts ``(c, h, w)``, ``(h, w, c)``, ``(h * w, c)`` and ``(c, h * w)``
        are recognised, with axes of length 1 anywhere.
    truth : array, optional
        The signal itself, ``(n_frames, height, width, channels)`` or ``(height, width, channels)``, in [0, 1], with
        1 or 3 channels; one channel may go without its axis.
    name : str, optional
        For titles. The module's class by default.

    Attributes
    ----------
    origin : str
        Python that makes this INR again, given ``import canvaswidget as cw``; "" where that is not known.
    """

    @checked
    def __init__(
        self,
        module: nn.Module,
        inputs: Inputs,
        size: Sequence[int],
        n_frames: int = 1,
        output: Callable[[Any], torch.Tensor] | None = None,
        truth: npt.ArrayLike | torch.Tensor | None = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(module, nn.Module):
            raise TypeError(f"module={type(module).__name__}: expected a torch.nn.Module")
        if not callable(inputs):
            raise TypeError(f"inputs={type(inputs).__name__}: expected a function of the frame number")
        self.module = module
        self.inputs = inputs
        self.size = checked_size(size)
        self.n_frames = int(n_frames)
        self.output = output
        self.truth = None if truth is None else _checked_truth(truth, self.n_frames, self.size)
        self.name = name or type(module).__name__
        self.origin = ""
        self._draws = True  # whether a call changes the random state, as far as is known
        self._chosen: str | None = None  # of several outputs the one that is the image

    # --- ways to make one -------------------------------------------------------------------------------------

    @classmethod
    @checked
    def from_frames(
        cls, module: nn.Module, n_frames: int, size: Sequence[int] | None = None, **keywords: Any
    ) -> INR:
        """A module of the frame time, such as NeRV: ``module(tensor([frame / n_frames]))``.

        Without `size` the module is run once to see the size of a frame.
        """
        n_frames = int(n_frames)

        def inputs(frame: int) -> torch.Tensor:
            return torch.tensor([frame / n_frames], dtype=dtype_of(module), device=device_of(module))

        return cls(module, inputs, size or size_of_output(module, inputs), n_frames, **keywords)

    @classmethod
    @checked
    def from_coords(
        cls,
        module: nn.Module,
        size: Sequence[int],
        n_frames: int = 1,
        coordinates: str | None = None,
        **keywords: Any,
    ) -> INR:
        """A module of pixel coordinates ``(n, 2)``, or ``(n, 3)`` for a video: ``(y, x[, t])`` in [-1, 1].

        One that fails on these is called with ``(1, n, 2)`` or ``(1, n, 3)`` instead.

        Parameters
        ----------
        coordinates : {"each", "longest"}, optional
            See `canvaswidget.models.coordinate_grid`. By default the module's attribute of that name
            (the reference FFN and SIREN have one), else ``"each"``.
        """
        size, n_frames = checked_size(size), int(n_frames)
        convention = coordinates or getattr(module, "coordinates", "each")

        convention_of_call: list[str] = []

        def inputs(frame: int) -> torch.Tensor:
            grid = coordinate_grid(size, convention, device=device_of(module), dtype=dtype_of(module))
            if n_frames > 1:
                time = grid.new_full((len(grid), 1), frame / (n_frames - 1) * 2 - 1)
                grid = torch.cat([grid, time], dim=1)
            if not convention_of_call:
                convention_of_call.append(call_of_points(module, grid))
            return grid[None] if convention_of_call[0] == "batch" else grid

        return cls(module, inputs, size, n_frames, **keywords)

    @classmethod
    @checked
    def from_embeddings(
        cls, decoder: nn.Module, embeddings: torch.Tensor, size: Sequence[int] | None = None, **keywords: Any
    ) -> INR:
        """A decoder of stored embeddings ``(n_frames, ...)``, one a frame, such as HNeRV's.

        A decoder whose forward requires two arguments is a modulated network: it is called with the coordinates of
        the pixels ``(n, 2)`` and one embedding ``(1, ...)``, in the order in which it takes them, and needs `size`.
        """
        if not isinstance(embeddings, torch.Tensor) or embeddings.ndim < 2:
            raise TypeError(f"embeddings={describe(embeddings)}: expected a tensor (n_frames, channels, ...)")
        embeddings = embeddings.detach()

        def inputs(frame: int) -> torch.Tensor:
            return embeddings[frame : frame + 1].to(device_of(decoder), dtype_of(decoder))

        if n_required(decoder) == 2:
            if size is None:
                raise ValueError(
                    "size: this decoder takes coordinates beside an embedding; give size=(height, width)"
                )
            return cls(
                decoder,
                modulated_inputs(decoder, inputs, checked_size(size)),
                size,
                len(embeddings),
                **keywords,
            )

        return cls(decoder, inputs, size or size_of_output(decoder, inputs), len(embeddings), **keywords)

    @checked
    def with_weights(self, weights: Mapping[str, torch.Tensor], name: str | None = None) -> INR:
        """A copy with other weights.

        Parameters
        ----------
        weights : {name: tensor}
            A state dict of the module, such as `canvaswidget.models.load_weights` reads.
        name : str, optional
            For titles; this one's by default.

        Raises
        ------
        ValueError
            Weights that the module has not, that are missing, or that have another shape; the message names them.
        """
        copies: dict[int, Any] = {}
        module = replica(self.module, copies)
        load_checked(module, weights)
        made = copy.copy(self)
        made.module, made.name, made.origin = module, name or self.name, ""
        made.inputs, made.output = (about_copies(given, copies) for given in (self.inputs, self.output))
        return made

    # --- what it shows ----------------------------------------------------------------------------------------

    @checked
    def arguments(self, frame: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments the module is called with for a frame."""
        given = self.inputs(self.frame_index(frame))
        if isinstance(given, Mapping):
            return (), dict(given)
        return (tuple(given) if isinstance(given, tuple | list) else (given,)), {}

    def image(self, result: Any) -> torch.Tensor:
        """What the module returned, as ``(channels, height, width)`` with 1 or 3 channels."""
        if self.output is not None:
            given = self.output(result)
            image = as_image(given, self.size) if isinstance(given, torch.Tensor) else None
            if image is None:
                raise no_image("output", given, self.size)
            return image
        found = candidates(result, self.size)
        if not found:
            raise no_image("module", result, self.size)
        if len(found) == 1:
            return found[0].image
        if self._chosen is None:

            def images(again: Any) -> list[Candidate]:
                return candidates(again, self.size)

            self._chosen = chosen(self.module, self.arguments(0), images, self.name).path
        for path, image in found:
            if path == self._chosen:
                return image
        raise ValueError(
            f"output: result{self._chosen} is the image at frame 0, which the module does not return now"
        )

    @torch.no_grad()
    @checked
    def render(self, frame: int = 0) -> torch.Tensor:
        """The raw output ``(channels, height, width)`` for a frame, before clipping, on the module's device.

        In evaluation mode, whatever the module's own: without dropout, and without new statistics for its norms.
        What the forward changes of the module, of its inputs or of the random state is put back. Waits while the
        module is recorded on another thread.
        """
        with CALLS, unchanged(self.module, self._draws) as before:
            with evaluating(self.module):
                positional, keywords = copied(self.arguments(frame))
                # Cloned: the module may return one of its buffers, whose values are restored after the call.
                image = self.image(self.module(*positional, **keywords)).clone()
            self._draws = before is not None and before.differs()
            return image

    @checked
    def frame(self, frame: int = 0) -> FloatImage:
        """The raw output as a NumPy image ``(height, width, channels)``, before clipping."""
        return self.render(frame).permute(1, 2, 0).float().cpu().numpy()

    @checked
    def frame_index(self, frame: int) -> int:
        """A frame number in ``0 .. n_frames - 1``; negative ones count from the end."""
        return checked_index("frame", frame, self.n_frames)

    def __repr__(self) -> str:
        height, width = self.size
        kind = "image" if self.n_frames == 1 else f"{self.n_frames} frames"
        weights = sum(parameter.numel() for parameter in self.module.parameters())
        truth = ", with truth" if self.truth is not None else ""
        return f"INR({self.name}, {kind} of {height}x{width}, {weights:,} weights{truth})"


@checked
def as_inr(
    model: Any, n_frames: int | None = None, size: Sequence[int] | None = None, **keywords: Any
) -> INR:
    """An INR from what it can be told from: an INR, or one of the reference models.

    Parameters
    ----------
    model : INR, NeRV, FFN or SIREN
    n_frames, size
        The signal's extent, where the model does not store it.

    Raises
    ------
    TypeError
        For any other module: only you know what it is called with; the message says how to wrap it.
    """
    if isinstance(model, INR):
        return model
    if isinstance(model, NeRV):
        count = n_frames or model.n_frames
        if count is None:
            raise ValueError(
                "n_frames: this NeRV does not store how many frames it encodes; give n_frames, such as n_frames=32 "
                "for a clip of 32 frames, here or to load; or say canvaswidget.INR.from_frames(model, 32)"
            )
        return INR.from_frames(model, count, size, **keywords)
    if isinstance(model, FFN | SIREN):
        shape = size or model.size
        if shape is None:
            raise ValueError(
                f"size: this {type(model).__name__} does not store the size of its image; give size=(height, width), "
                "here or to load; or say canvaswidget.INR.from_coords(model, (height, width))"
            )
        return INR.from_coords(model, shape, n_frames or 1, **keywords)
    if isinstance(model, HNeRVDecoder):
        raise TypeError(
            "model=HNeRVDecoder: it needs its embeddings. Say "
            "canvaswidget.INR.from_embeddings(model, embeddings)"
        )
    if isinstance(model, nn.Module):
        raise TypeError(
            f"model={type(model).__name__}: what it is called with can't be guessed. Say "
            "canvaswidget.INR.from_coords(model, (height, width)) for a network of pixel coordinates, "
            "INR.from_frames(model, n_frames) for one of frame times, INR.from_embeddings(model, embeddings) for "
            "a decoder, or INR(model, inputs, size) for any other"
        )
    raise TypeError(f"model={type(model).__name__}: expected an INR or a torch.nn.Module")


def _checked_truth(truth: Any, n_frames: int, size: tuple[int, int]) -> FloatImage:
    array = as_array(truth)
    if array is None:
        raise wrong_type("truth", truth, f"an array (n_frames, height, width, 3) = {(n_frames, *size, 3)}")
    given = array.shape
    if array.shape == (n_frames, *size) or (array.shape == size and n_frames == 1):
        array = array[..., None]
    if array.ndim == 3 and n_frames == 1:
        array = array[None]
    if array.shape[:-1] != (n_frames, *size) or array.shape[-1] not in CHANNELS:
        raise ValueError(
            f"truth: has shape {given}; expected (n_frames, height, width, 3) = {(n_frames, *size, 3)}, or one channel"
        )
    if array.dtype == np.uint8:
        return np.divide(array, 255, dtype=np.float32)
    if not np.issubdtype(array.dtype, np.floating):
        raise TypeError(f"truth: has type {array.dtype}; expected float in [0, 1] or uint8")
    return array.astype(np.float32, copy=False)
