"""The gates of pointwise functions: ``act(z) = act(0) + g(z) z``, with ``g(z) = (act(z) - act(0)) / z``.

Near 0 the difference loses its digits. There ``g`` is the mean slope between 0 and ``z``, by Gauss-Legendre quadrature
of the derivative in double precision, wherever that lies within the rounding error of the quotient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture import ops
from canvaswidget.tracing.capture.interpreter import Lookup, Program, call
from canvaswidget.tracing.errors import FOREIGN

# Where the derivative is taken between 0 and 1, and with which weight: exact for polynomials of degree 7.
_PLACES = tuple(
    (0.5 + sign * place / 2, weight / 2)
    for place, weight in ((0.8611363115940526, 0.3478548451374538), (0.3399810435848563, 0.6521451548625461))
    for sign in (-1, 1)
)
_NEAR = 1 / 16  # of the largest value in the function: a smaller difference has lost four bits or more
_ROUNDINGS = 8  # how many units in the last place a difference may be off
_AT_A_TIME = 2**20


@dataclass(frozen=True)
class Pointwise:
    """A pointwise function of one value, as a sequence of ops.

    Attributes
    ----------
    source : fx.Node
        The value that it is a function of.
    parts : tuple of fx.Node
        Its ops in order of execution; the last one gives its value.
    """

    source: fx.Node
    parts: tuple[fx.Node, ...]

    def __call__(self, z: torch.Tensor, constants: dict[fx.Node, Any]) -> list[torch.Tensor]:
        """The values of all parts at `z`; the last one is the function's."""
        given = {self.source: z, **constants}
        return list(Program(self.parts).run(given.__getitem__, self.parts, _call).values())

    def constants(self, value: Callable[[fx.Node], Any], ndim: int) -> dict[fx.Node, Any]:
        """What the function is made with, in shapes that broadcast to a value of `ndim` axes."""
        found: dict[fx.Node, Any] = {}
        for node in self.parts:
            for one in node.all_input_nodes:
                if one is self.source or one in self.parts or one in found:
                    continue
                found[one] = value(one)
                if node.target in ops.PRELU and ndim > 2:
                    found[one] = found[one].reshape(-1, *(1,) * (ndim - 2))
        return found

    def at_zero(self, z: torch.Tensor, constants: dict[fx.Node, Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """``act(0)``, and the largest magnitude of any part there; both broadcast to `z`."""
        zero = self._zero(z)
        values = self(zero, constants)
        largest = zero.abs()
        for value in values:
            largest = torch.maximum(largest, value.abs().nan_to_num(0, 0, 0))
        return values[-1], largest

    @torch.inference_mode(False)
    def without_gate(self, value: Callable[[fx.Node], Any]) -> fx.Node | None:
        """The op for which it has no gate, as it has no finite value at 0 or no derivative; None where it has one."""
        example = cast(torch.Tensor, self.source.meta["val"])
        # Sizes that values decide are not known yet.
        z = torch.zeros((), dtype=example.dtype).expand(
            [n if isinstance(n, int) else 1 for n in example.shape]
        )
        zero, constants = self._zero(z), self.constants(value, z.ndim)
        values = self(zero, constants)
        if not bool(
            torch.isfinite(4 * values[-1]).all()
        ):  # nor has the largest number, in the place of infinity
            infinite = (not bool(torch.isfinite(one).all()) for one in values)
            return next(node for node, found in zip(self.parts, infinite, strict=True) if found)
        if self._has_derivative(zero, constants):
            return None
        begun = (Pointwise(self.source, self.parts[: place + 1]) for place in range(len(self.parts)))
        return next(one.parts[-1] for one in begun if not one._has_derivative(zero, constants))

    def _has_derivative(self, z: torch.Tensor, constants: dict[fx.Node, Any]) -> bool:
        """Whether torch can differentiate it: not every op has a derivative."""
        try:
            _slope(self, z.abs().to(torch.float64), torch.ones_like(z), constants)
        except FOREIGN:
            return False
        return True

    @staticmethod
    def _zero(z: torch.Tensor) -> torch.Tensor:
        """Zeros that broadcast to `z`: one for each channel, by which a function may differ."""
        return z.new_zeros([n if axis == 1 else 1 for axis, n in enumerate(z.shape)])


def _call(node: fx.Node, value: Lookup) -> Any:
    """What an op makes of its arguments; a PReLU's weights are in a shape that broadcasts, which torch's refuses."""
    if node.target not in ops.PRELU:
        return call(node, value)
    x, weight = (value(one) for one in cast("tuple[fx.Node, fx.Node]", node.args))
    return torch.where(x > 0, x, weight * x)


@torch.inference_mode(False)
@torch.no_grad()
def gate(
    function: Pointwise, z: torch.Tensor, constants: dict[fx.Node, Any]
) -> tuple[torch.Tensor, torch.Tensor]:
    """``g`` and ``act(0)`` at `z`, such that ``g z + act(0)`` is ``act(z)`` up to rounding.

    Where `z` is infinite, as under a mask of -inf, ``g`` is 0 and ``act(z)`` is given in the place of ``act(0)``.
    """
    start, largest = function.at_zero(z, constants)
    values = function(z, constants)[-1]
    difference = values - start
    found = difference / z
    near = z == 0
    if bool((largest > 0).any()):
        near |= difference.abs() < _NEAR * largest
    for some in near.flatten().nonzero()[:, 0].split(_AT_A_TIME):
        places = torch.unravel_index(some, z.shape)
        there = {node: _at(value, z.shape, places) for node, value in constants.items()}
        slope = _mean_slope(function, z[places], there)
        noise = _ROUNDINGS * torch.finfo(z.dtype).eps * largest.expand(z.shape)[places] / z[places].abs()
        # The quotient is right within its noise. A slope farther from it than that has missed a kink or an oscillation.
        close = ((slope - found[places]).abs() <= noise) | (z[places] == 0)
        found[places] = torch.where(close, slope.to(found.dtype), found[places])
    infinite = ~(torch.isfinite(found) & torch.isfinite(z))
    if bool(infinite.any()):
        # A step at 0, a slope that is infinite there, or an infinite z: no multiple of z, so it counts as a constant.
        found = torch.where(infinite, 0, found)
        start = torch.where(infinite, values, start)
    return found, start


def _mean_slope(function: Pointwise, z: torch.Tensor, constants: dict[fx.Node, Any]) -> torch.Tensor:
    """The mean of the derivative on the way from 0 to each `z`, in double precision."""
    # Backward and along a real path: forward-mode differentiation has state that all threads share, and not every
    # function of a complex value has a complex derivative.
    wide = z.to(torch.complex128 if z.is_complex() else torch.float64)
    direction = torch.where(wide == 0, 1, wide / wide.abs())
    total = torch.zeros_like(wide)
    for place, weight in _PLACES:
        total = total + weight * _slope(function, place * wide.abs(), direction, constants)
    return total / direction


def _slope(
    function: Pointwise, far: torch.Tensor, direction: torch.Tensor, constants: dict[fx.Node, Any]
) -> torch.Tensor:
    """The derivative along a direction from 0, so far from it."""
    along = far.clone().requires_grad_()
    with torch.enable_grad():
        return _derivative(function(along * direction, constants)[-1], along)


def _derivative(value: torch.Tensor, along: torch.Tensor) -> torch.Tensor:
    parts = [value.real, value.imag] if value.is_complex() else [value]
    slopes = [
        torch.autograd.grad(part.sum(), along, retain_graph=True, materialize_grads=True)[0]
        if part.requires_grad
        else torch.zeros_like(along)
        for part in parts
    ]
    return torch.complex(*slopes) if len(slopes) == 2 else slopes[0]


def _at(value: Any, shape: torch.Size, places: tuple[torch.Tensor, ...]) -> Any:
    """A constant of a pointwise function at some places of the value that it is a function of."""
    if not isinstance(value, torch.Tensor) or value.numel() == 1:
        return value.reshape(()) if isinstance(value, torch.Tensor) else value
    return value.expand(shape)[places]
