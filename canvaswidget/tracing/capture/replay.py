"""Compare a recording with the module it was made of, frame by frame, before it answers for a frame.

A recording holds the ops of one call at frame 0. It is wrong for other calls where the forward branches on data, keeps
state from call to call, or draws random numbers: that is found here and raised, with the likely cause.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch

from canvaswidget.inr.module_state import ModuleState, RandomState
from canvaswidget.tracing.capture.asked_values import asking
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.precision import rounding
from canvaswidget.tracing.errors import CaptureError, check_finite

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
        with self._lock, self._random_state_restored():
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
        if not difference < float("inf") or any(map(_draws, self._capture.graph.nodes)):
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
        random = sorted({_name(node) for node in self._capture.graph.nodes if _draws(node)})
        if random:
            return (
                f"Likely cause: randomness in the forward ({', '.join(random)}), which draws at each call. Turn it "
                "off, or pass the random numbers in with inputs="
            )
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

    @contextlib.contextmanager
    def _random_state_restored(self) -> Iterator[None]:
        # Only where the forward draws or seeds: other threads may draw meanwhile.
        state = RandomState() if self._capture.draws else None
        try:
            yield
        finally:
            if state is not None:
                state.restore()


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference of two images; infinite where one is not finite and the other is."""
    one, other = (image.detach().to("cpu", torch.float64) for image in (one, other))
    if one.shape != other.shape:
        return float("inf")
    off = torch.where((one == other) | (one.isnan() & other.isnan()), 0.0, (one - other).abs())
    return float(off.nan_to_num(float("inf")).max())


def _draws(node: Any) -> bool:
    """Whether an op draws random numbers."""
    tags = getattr(node.target, "tags", ())
    if torch.Tag.nondeterministic_seeded not in tags:
        return False
    return "dropout" not in _name(node) or (len(node.args) > 2 and node.args[2] is True)


def _name(node: Any) -> str:
    return str(node.target).split(".")[1]


def _shown(answers: list[Any], at: int) -> str:
    return repr(answers[at]) if at < len(answers) else "not asked for"
