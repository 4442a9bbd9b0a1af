"""Compare a recording with the module it was made of, frame by frame, before it answers for a frame.

A recording holds the ops of one call at frame 0. It is wrong for other calls where the forward branches on data, keeps
state from call to call, or draws random numbers: that is found here and raised, with the likely cause.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterable
from typing import Any

import torch

from canvaswidget.inr.module_state import ModuleState, RandomState, random_state_kept
from canvaswidget.tracing.capture.asked_values import asking
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.precision import rounding
from canvaswidget.tracing.capture.randomness import QUANTILES, Drawing
from canvaswidget.tracing.errors import FOREIGN, CaptureError, check_finite

ROUNDING = 8  # units in the last place that two ways to compute one image may differ in without more ado
AMPLIFIED = 30  # times what an image changes when every weight changes by its last place


class Replay:
    """The frames at which a recording has been compared with its module.

    Before the first answer these are the first, the middle and the last, in an order that shows state that passes from
    call to call; afterwards each frame once, when it is first used.

    Parameters
    ----------
    capture : Capture
    is_known : bool
        Whether its ops were compared before, with other weights: then each frame is when it is first used.
    """

    def __init__(self, capture: Capture, is_known: bool = False) -> None:
        self._capture = capture
        self._state = ModuleState(capture.module)  # as it was when it was recorded
        self._lock = threading.RLock()
        self._compared: set[int] | None = set() if is_known else None

    def check(self, frame: int, image: torch.Tensor) -> None:
        """Raise where the recording's image is not the module's at this frame.

        Raises
        ------
        CaptureError
            They differ.
        ValueError
            The image holds NaN or infinity.
        """
        check_finite(image, frame)
        with self._lock, random_state_kept(self._capture.draws or self._capture.inputs_draw):
            if self._compared is None:
                self._compared = set()
                try:
                    self._compare_first({frame: image})
                except Exception:
                    self._compared = None
                    raise
            if frame not in self._compared:
                self._compare(frame, image)

    def _compare_first(self, images: dict[int, torch.Tensor]) -> None:
        last = self._capture.inr.n_frames - 1
        middle = last // 2 or last
        # Each run of two calls starts from the state that was recorded: a forward that counts its calls differs in the
        # second, one that keeps what it saw first differs between the runs.
        for run in [(0, last), (middle, 0)] if last else [(0, 0)]:
            self._state.restore()
            for frame in run:
                if frame not in images:
                    images[frame] = self._recorded(frame)
                self._compare(frame, images[frame])
        if self._capture.draws:
            self._try_other_draws(images[0])

    def _try_other_draws(self, recorded: torch.Tensor) -> None:
        """Raise where other random numbers, rare ones above all, give another picture; warn where none can be tried."""
        images: list[torch.Tensor] = []
        names: set[str] = set()
        states: list[RandomState] = []
        given = self._capture.inr.arguments(0)
        for quantile in QUANTILES:
            self._state.restore()
            with Drawing(quantile) as drawn, contextlib.suppress(*FOREIGN):  # it may not expect such numbers
                images.append(self._capture.render_copy(*given))
            names |= drawn.names
            states.append(RandomState())
            if len(states) == 2 and not names:
                break
        # The state after a call that seeds is the same each time: it draws the same numbers.
        draws = states[0].differences(states[1])
        kind = type(self._capture.inr.module).__name__
        if names and "torch" in draws:
            draws.remove("torch")
            off = [_difference(recorded, image) for image in images if not self._agree(0, recorded, image)]
            off = [one for one in off if one < float("inf")]
            if off:
                raise CaptureError(
                    f"module={kind}: other random numbers give another picture: frame 0 differs by up to "
                    f"{max(off):.3g}. {_random(names)}"
                )
        if draws:
            warnings.warn(
                f"module={kind}: its forward draws random numbers of {' and '.join(sorted(draws))}. The pictures "
                "compared are the same, but rare numbers may give others, and these are not what is traced. Turn "
                "it off to be sure",
                stacklevel=2,
            )

    def _recorded(self, frame: int) -> torch.Tensor:
        return self._capture.run(frame, [self._capture.output])[self._capture.output]

    def _rendered(self, frame: int) -> torch.Tensor:
        return self._capture.render_copy(*self._capture.inr.arguments(frame))

    def _compare(self, frame: int, recorded: torch.Tensor) -> None:
        rendered = self._rendered(frame)
        if not self._agree(frame, recorded, rendered):
            spread = float(rendered.max() - rendered.min())
            raise CaptureError(
                f"module={type(self._capture.inr.module).__name__}: what was recorded is not what the module does: at "
                f"frame {frame} the two images differ by {_difference(recorded, rendered):.3g} (the module's image "
                f"spans {spread:.3g}). {self._cause(frame, recorded)}"
            )
        if self._compared is not None:
            self._compared.add(frame)

    def _agree(self, frame: int, recorded: torch.Tensor, rendered: torch.Tensor) -> bool:
        """Whether two images are the same but for rounding, in the precision that the module computes in."""
        difference = _difference(recorded, rendered)
        types = (rendered.dtype, recorded.dtype, self._capture.coarsest)
        eps = max(rounding(dtype, recorded.device) for dtype in types)
        if difference <= ROUNDING * eps * float(rendered.abs().max()):
            return True
        if not difference < float("inf") or self._capture.drawn:
            return False
        # A deep or steep network amplifies rounding: see by how much.
        generator = torch.Generator().manual_seed(0)

        def change(tensor: torch.Tensor) -> torch.Tensor:
            if not (tensor.is_floating_point() or tensor.is_complex()):
                return tensor
            signs = torch.randint(0, 2, tensor.shape, generator=generator).to(tensor) * 2 - 1
            return tensor * (1 + eps * signs)  # in the tensor's own type: in single precision 1 + 2e-16 is 1

        output = self._capture.output
        changed = [self._capture.run(frame, [output], change)[output] for _ in range(2)]
        return difference <= AMPLIFIED * max(_difference(other, recorded) for other in changed)

    def _cause(self, frame: int, recorded: torch.Tensor) -> str:
        if self._capture.drawn:
            return _random(self._capture.drawn)
        self._state.restore()
        first = self._rendered(frame)
        self._state.restore()
        second = self._rendered(frame)
        if not torch.equal(first, second):
            cause = (
                "randomness in the forward"
                if self._capture.draws
                else "hidden state outside the module (a global, a closure), a clock, or randomness of its own"
            )
            return (
                f"Likely cause: {cause}: two calls differ. Turn it off, or pass what changes in with inputs="
            )
        if self._agree(frame, recorded, first):
            return (
                "Likely cause: hidden state, a buffer or an attribute that the forward changes from call to call. "
                "Pass it in with inputs=, or turn its updates off"
            )
        self._state.restore()
        with asking() as answers:
            self._rendered(frame)
        if answers != self._capture.answers:
            at = next(
                (
                    at
                    for at, pair in enumerate(zip(answers, self._capture.answers, strict=False))
                    if pair[0] != pair[1]
                ),
                min(len(answers), len(self._capture.answers)),
            )
            return (
                "Likely cause: control flow on the frame's data: the forward asks tensors for their values (int(t), "
                f"t.item(), if t > 0), and value {at} is {_shown(self._capture.answers, at)} at frame 0, which was "
                f"recorded, and {_shown(answers, at)} at frame {frame}. Write it with tensors (torch.where), or make "
                "an INR of each branch"
            )
        return (
            "Likely cause: control flow on the frame's data, or something outside the module that changed since frame "
            "0 was recorded. Write it with tensors (torch.where), or pass it in with inputs="
        )


def _random(names: Iterable[str]) -> str:
    return (
        f"Likely cause: randomness in the forward ({', '.join(sorted(names))}), which draws at each call. Turn it "
        "off, or pass the random numbers in with inputs="
    )


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference of two images; infinite where one is not finite and the other is."""
    one, other = (image.detach().to("cpu", torch.float64) for image in (one, other))
    if one.shape != other.shape:
        return float("inf")
    off = torch.where((one == other) | (one.isnan() & other.isnan()), 0.0, (one - other).abs())
    return float(off.nan_to_num(float("inf")).max())


def _shown(answers: list[Any], at: int) -> str:
    return repr(answers[at]) if at < len(answers) else "not asked for"
