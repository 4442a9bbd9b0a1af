"""Maps of all kernels that write to one channel, from a few forward passes.

What follows a channel is linear: an image for each of its positions, and a kernel's map is the sum of these images
times the kernel's term. The images are small where the network is local, so one pass gives those of many positions
that no pixel depends on together: every second, third, ... position on each axis (as Curtis, Powell and Reid estimate
sparse Jacobians). A kernel's map then costs a few products a pixel.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import fx

from canvaswidget.tracing.budget import Budget
from canvaswidget.tracing.capture import ops
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.interpreter import Program
from canvaswidget.tracing.capture.weighted import WeightedOp
from canvaswidget.tracing.parallel import stop_if_dropped
from canvaswidget.tracing.rules.base import COLOURS, numel
from canvaswidget.tracing.rules.gated.frozen import Frozen
from canvaswidget.tracing.rules.gated.linearise import Plan
from canvaswidget.tracing.rules.gated.reach import Slice, whole
from canvaswidget.tracing.rules.gated.spans import Spans, find_spans


@dataclass(frozen=True)
class Classes:
    """Classes of positions of which no pixel depends on two of the same class.

    Attributes
    ----------
    members : torch.Tensor
        ``(classes, positions)``: which positions each class holds.
    owners : list of torch.Tensor
        By class, the one position of it that each pixel may depend on, ``(height * width,)``.
    """

    members: torch.Tensor
    owners: list[torch.Tensor]

    def __len__(self) -> int:
        return len(self.members)


@dataclass(frozen=True)
class Suffix:
    """What follows the last value before a layer's channels are mixed, shared by all its kernels.

    Attributes
    ----------
    start, node, output : fx.Node
        The layer, that value (all of the layer's terms pass through it), and the image.
    before, after : Program
        The ops from the layer to it, and from it to the image.
    spans : Spans
        Which positions of it each pixel depends on.
    channel_axis : int
        Of it, counted from the end.
    """

    start: fx.Node
    node: fx.Node
    output: fx.Node
    before: Program
    after: Program
    spans: Spans
    channel_axis: int

    def images(
        self, state: Frozen, terms: Slice | torch.Tensor, budget: Budget, rgb: str
    ) -> Iterator[tuple[slice, torch.Tensor]] | None:
        """The images ``(k, channels, height, width)`` of terms, a part of them at a time.

        None where that takes as many passes as there are terms, or more than the memory. Colours that `rgb` adds up
        are one channel.
        """
        carried = state.carry(self.before, self.start, self.node, terms)
        if not isinstance(carried, Slice) or carried.length > 1 or carried.axis != self.channel_axis:
            return None
        by_position = carried.values.flatten(1)
        most = min(len(by_position), budget.holds(numel(self.output)))
        classes = classes_of((by_position != 0).any(0), self.spans, most)
        return None if classes is None else self._images(state, carried, classes, budget, rgb)

    def _images(
        self,
        state: Frozen,
        carried: Slice,
        classes: Classes,
        budget: Budget,
        rgb: str,
    ) -> Iterator[tuple[slice, torch.Tensor]]:
        """From the images of 1 at every position of a class, made in as many passes as there are classes."""
        by_position = carried.values.flatten(1)
        ones = classes.members.to(by_position.dtype).reshape(-1, *carried.values.shape[1:])
        responses = torch.cat(
            [
                _colours(state.carry(self.after, self.node, self.output, carried.holding(some)), rgb)
                for some in ones.split(budget.at_a_time(self.largest))
            ]
        ).contiguous()  # each is read once for every kernel
        count = budget.at_a_time(responses[0].numel())
        for first in range(0, len(by_position), count):
            stop_if_dropped()
            some = slice(first, first + count)
            yield some, images_of(by_position[some], classes, responses)

    @property
    def largest(self) -> int:
        """The size of the largest value after it."""
        return max(numel(node) for node in self.after.nodes)


class Shared:
    """The suffixes of a model's layers, found when they are first asked for."""

    def __init__(self, capture: Capture, plan: Plan) -> None:
        self._capture, self._plan = capture, plan
        self._found: dict[str, Suffix | None] = {}
        self._lock = threading.Lock()

    def of(self, layer: WeightedOp) -> Suffix | None:
        """The suffix of a layer; None where its kernels share nothing, or an op is not known to `spans`."""
        name = layer.layer.name
        with self._lock:
            if name not in self._found:
                self._found[name] = self._find(layer)
            return self._found[name]

    def _find(self, layer: WeightedOp) -> Suffix | None:
        name, output = layer.layer.name, self._capture.output
        steps = list(self._plan.downstream(layer.node, name))
        node, before = layer.node, []
        while numel(node) > layer.layer.n_outputs:  # on a grid of one position there is nothing to move
            users = [step for step in steps if node in step.carries]
            if len(users) != 1 or users[0].kind not in ("gate", "linear", "product", "add"):
                break
            if not isinstance(users[0].node.meta["val"], torch.Tensor) or _mixes(users[0].node):
                break
            node = users[0].node
            before.append(node)
        after = [step.node for step in steps if step.node not in before]
        if not after:
            return None
        program = self._plan.program_of(after)
        spans = self._spans(program, node, layer.channel_axis)
        if spans is None:
            return None
        return Suffix(
            layer.node, node, output, self._plan.program_of(before), program, spans, layer.channel_axis
        )

    def spans(self, layer: WeightedOp) -> Spans | None:
        """Which positions of a layer's output each pixel depends on; None where an op is not known to `spans`."""
        return self._spans(self._plan.program(layer.node, layer.layer.name), layer.node, layer.channel_axis)

    def _spans(self, program: Program, start: fx.Node, channel_axis: int) -> Spans | None:
        layers = {found.node: found for found in self._capture.weighted.values()}
        output, device = self._capture.output, self._capture.device
        return find_spans(program, self._plan.steps, layers, start, output, channel_axis, device)


def _mixes(node: fx.Node) -> bool:
    """Whether an op adds up channels or positions."""
    return node.target in ops.PRODUCTS and node.target not in ops.MULTIPLY | ops.DIVIDE


def _colours(images: Slice | torch.Tensor, rgb: str) -> torch.Tensor:
    """The channels of images that maps of `rgb` are made from."""
    full = whole(images)
    if rgb == "sum":
        return full.sum(1, keepdim=True)
    return full[:, COLOURS.index(rgb)][:, None] if rgb in COLOURS else full


def classes_of(present: torch.Tensor, spans: Spans, fewer_than: int) -> Classes | None:
    """The fewest classes of a grid that hold all positions where `present`, a boolean each, is true.

    None where there are none, or not `fewer_than` so many.
    """
    grid = present.reshape(spans.sizes)
    periods, remainders = [], []
    for axis, widest in enumerate(spans.widest):
        others = [other for other in range(grid.ndim) if other != axis]
        places = torch.nonzero(grid.any(others) if others else grid)[:, 0]
        if widest > fewer_than:
            return None
        # A pixel shuffle leaves every second position empty: then an even period takes half as many classes.
        period = min(range(widest, 2 * widest + 1), key=lambda n: len(torch.unique(places % n)))
        periods.append(period)
        remainders.append(torch.unique(places % period).tolist())
    if not 0 < math.prod(map(len, remainders)) < fewer_than:
        return None
    members, owners = [], []
    for chosen in itertools.product(*remainders):
        held = torch.ones(spans.sizes, dtype=torch.bool, device=present.device)
        owner = spans.low.new_zeros(spans.low.shape[1:])
        for axis, (size, low) in enumerate(zip(spans.sizes, spans.low, strict=True)):
            along = torch.arange(size, device=present.device) % periods[axis] == chosen[axis]
            held &= along.reshape(-1, *(1,) * (grid.ndim - axis - 1))
            owner = owner * size + (low + (chosen[axis] - low) % periods[axis]).clamp(0, size - 1)
        members.append(held.flatten())
        owners.append(owner.flatten())
    return Classes(torch.stack(members), owners)


def images_of(terms: torch.Tensor, classes: Classes, responses: torch.Tensor) -> torch.Tensor:
    """The images ``(k, channels, height, width)`` of terms by position ``(k, positions)``.

    Parameters
    ----------
    responses : (classes, channels, height, width)
        The image of 1 at every position of a class.
    """
    images = responses.new_zeros(len(terms), *responses.shape[1:])
    for owner, response in zip(classes.owners, responses, strict=True):
        own = terms.index_select(1, owner).reshape(len(terms), 1, *response.shape[1:])
        images.addcmul_(own, response)
    return images
