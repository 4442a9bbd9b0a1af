"""What each op makes of the terms that arrive, with its gate frozen at the values of one frame.

Values between two ops may be infinite or NaN, as where a mask of -inf is added before an exponential, or where a
quotient is computed everywhere and `torch.where` takes it at some places only. The image is finite, so no op makes a
multiple of such a value: its place is 0 here, and what a pointwise function makes of it is a constant.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture import ops
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.interpreter import Lookup
from canvaswidget.tracing.capture.naming import module_path, op_name
from canvaswidget.tracing.errors import FOREIGN, UntraceableError, failed_at
from canvaswidget.tracing.rules.gated.gates import gate
from canvaswidget.tracing.rules.gated.linearise import (
    Step,
    added_to,
    added_with,
    factors_of,
    linear_arguments,
)
from canvaswidget.tracing.rules.gated.reach import carried, whole


class FrozenOps:
    """The ops of a network at one frame.

    Parameters
    ----------
    capture
    values : dict
        The values of `canvaswidget.tracing.rules.gated.frozen.needed` at the frame.
    """

    def __init__(self, capture: Capture, values: dict[fx.Node, Any]) -> None:
        self._capture = capture
        self._values = values
        self._layers = {found.node: found for found in capture.weighted.values()}
        self._gates: dict[fx.Node, tuple[torch.Tensor, torch.Tensor]] = {}
        self._all_usable: dict[tuple[fx.Node, int], bool] = {}
        self._lock = threading.RLock()

    def value(self, node: fx.Node) -> Any:
        """A value of this frame."""
        fixed = self._capture.parameter(node)
        return self._values[node] if fixed is None else fixed

    def carry(self, step: Step, term: Lookup, constants: bool, both: bool = False) -> Any:
        """What an op makes of the terms that arrive; with `constants` also what it adds of its own."""
        try:
            found = None if constants else self._sliced(step, term)
            return self._carried(step, term, constants, both) if found is None else found
        except (UntraceableError, torch.OutOfMemoryError):
            raise
        except FOREIGN as error:
            raise failed_at("gated", op_name(step.node), module_path(step.node), error) from error

    def _sliced(self, step: Step, term: Lookup) -> Any:
        """What an op makes of a term that reaches some channels only; None where it is to be taken as a whole."""

        def factor(node: Any) -> Any:
            return self._factor(step.node, node)

        return carried(step, term, self._layers.get(step.node), lambda one: self.gate(one)[0], factor)

    def _carried(self, step: Step, arrived: Lookup, constants: bool, both: bool) -> Any:
        def term(node: fx.Node) -> Any:
            return whole(arrived(node))

        if step.kind == "layer":
            layer = self._layers[step.node]
            bias = layer.bias if constants and layer.node is layer.output else None
            return layer.apply(term(layer.data), layer.weight, bias)
        if step.kind == "gate":
            gate, start = self.gate(step)
            source = cast(fx.Node, step.source)
            given = term(source)
            if constants:
                given = self.finite_as(source, given)  # 0 times infinity is NaN
            found = gate * given + start if constants else gate * given
            # A real function of complex values: its gate turns each term, and the imaginary parts add up to 0.
            return found if step.node.meta["val"].is_complex() or not found.is_complex() else found.real
        if step.kind == "add":
            return self._add(step.node, term, constants)
        if step.kind == "choice":
            return self._choice(step.node, term, constants)
        if step.kind == "product":
            return self._product(step, term, constants, both)
        return self._linear(step.node, term, constants)

    def _call(self, node: fx.Node, given: dict[fx.Node, Any], **changed: Any) -> Any:
        """The op with some of its arguments replaced."""

        def resolve(source: fx.Node) -> Any:
            return given[source] if source in given else self.value(source)

        arguments = list(fx.map_arg(node.args, resolve))
        for position, value in changed.items():
            arguments[int(position[1:])] = value
        return cast(Any, node.target)(*arguments, **fx.map_arg(node.kwargs, resolve))

    def _linear(self, node: fx.Node, term: Lookup, constants: bool) -> Any:
        target: Any = node.target
        data = linear_arguments(node) if target in ops.LINEAR else node.all_input_nodes
        given: dict[fx.Node, Any] = {}
        for source in data:
            arrived = term(source)
            if arrived is None and not constants:
                arrived = torch.zeros_like(self.value(source))
            if arrived is not None:
                given[source] = arrived
        if target in ops.DETACH:
            return given[cast(fx.Node, node.args[0])]
        number = ops.NUMBER.get(target)
        if not constants and number is not None and len(node.args) > number and node.args[number] is not None:
            return self._call(node, given, **{f"_{number}": 0})
        return self._call(node, given)

    def _add(self, node: fx.Node, term: Lookup, constants: bool) -> Any:
        total: Any = None
        absent: list[torch.Tensor] = []
        for argument, factor in zip(node.args[:2], added_with(node), strict=True):
            arrived = term(argument) if isinstance(argument, fx.Node) else None
            if arrived is None:
                arrived = self.value(argument) if isinstance(argument, fx.Node) else argument
                if not constants:
                    absent += [arrived] if isinstance(arrived, torch.Tensor) else []
                    continue
            part = arrived if factor == 1 else factor * cast(Any, arrived)
            total = part if total is None else total + part
        return torch.broadcast_tensors(total, *absent)[0]

    def _choice(self, node: fx.Node, term: Lookup, constants: bool) -> Any:
        first, second = (cast(fx.Node, argument) for argument in node.args[:2])
        both = [self.value(first), self.value(second)]
        chosen = cast(Any, node.target)(*both) == both[0]
        arrived = [term(first), term(second)]
        for place, value in enumerate(both):
            if arrived[place] is None:
                arrived[place] = value if constants else torch.zeros_like(value)
        return torch.where(chosen, *arrived)

    def _product(self, step: Step, term: Lookup, constants: bool, both: bool) -> Any:
        node: Any = step.node
        factors = factors_of(node)
        arrived = [term(factor) if isinstance(factor, fx.Node) else None for factor in factors]
        if arrived[0] is not None and arrived[1] is not None and step.kept is not None and not both:
            arrived[1 - step.kept] = None
        full = [
            self._factor(node, factor) if one is None else one
            for factor, one in zip(factors, arrived, strict=True)
        ]
        if node.target in ops.EINSUM:
            return torch.einsum(node.args[0], *full)
        first, second, added = ops.PRODUCTS[node.target]
        arguments = list(fx.map_arg(node.args, self._or_none))
        arguments[first], arguments[second] = full
        for extra in added_to(node):
            one = term(extra)
            arguments[cast(int, added)] = one if one is not None else self.value(extra) if constants else None
        return node.target(*arguments, **node.kwargs)

    def _factor(self, node: fx.Node, factor: Any) -> Any:
        """A frozen factor of a product, or what a quotient divides by, so that it makes no term infinite."""
        divides = node.target in ops.DIVIDE and factor is node.args[1]
        if not isinstance(factor, fx.Node):
            return 1 if divides and factor == 0 else factor
        # A quotient by infinity is 0; by 0 or NaN it is not finite itself.
        return self._where(factor, _divides, 1) if divides else self.finite(factor)

    def finite(self, node: fx.Node) -> Any:
        """A value of this frame, 0 where it is infinite or NaN: the image is finite, so it takes nothing from there."""
        return self._where(node, torch.isfinite, 0)

    def finite_as(self, node: fx.Node, arrived: torch.Tensor) -> torch.Tensor:
        """What arrives at an op, 0 where it is infinite or NaN as the value that it is a part of."""
        if self.finite(node) is self.value(node):
            return arrived
        return torch.where(torch.isfinite(arrived), arrived, 0)

    def _where(self, node: fx.Node, is_usable: Callable[[torch.Tensor], torch.Tensor], other: int) -> Any:
        """A value of this frame where it is usable, and `other` elsewhere."""
        value = self.value(node)
        if self._all_usable.get((node, other)) or not isinstance(value, torch.Tensor):
            return value
        usable = is_usable(value)
        self._all_usable[node, other] = bool(usable.all())
        return value if self._all_usable[node, other] else torch.where(usable, value, other)

    def _or_none(self, node: fx.Node) -> Any:
        fixed = self._capture.parameter(node)
        return self._values.get(node) if fixed is None else fixed

    # --- gates ---------------------------------------------------------------------------------------------------

    def gate(self, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        """``g`` and ``act(0)`` of a pointwise function at this frame."""
        found = self._gates.get(step.node)
        if found is None:
            with self._lock:
                found = self._gates.get(step.node) or self._made_or_named(step)
                self._gates[step.node] = found
        return found

    def _made_or_named(self, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        try:
            return self._made(step)
        except (UntraceableError, torch.OutOfMemoryError):
            raise
        except FOREIGN as error:
            raise failed_at("gated", op_name(step.node), module_path(step.node), error) from error

    def _made(self, step: Step) -> tuple[torch.Tensor, torch.Tensor]:
        function = step.function
        z = self.value(function.source)
        if function.source.meta["val"].shape != step.node.meta["val"].shape:
            z = z.expand(step.node.meta["val"].shape)
        found, start = gate(function, z, function.constants(self.value, z.ndim))
        return found, torch.where(torch.isfinite(start), start, 0)


def _divides(value: torch.Tensor) -> torch.Tensor:
    return (value != 0) & ~torch.isnan(value)
