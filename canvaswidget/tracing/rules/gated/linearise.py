"""What becomes of each op when every gate is frozen: which layers reach it, through what, and what stands in the way.

This is worked out once for a model; the numbers of a frame are in `frozen.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import fx

from canvaswidget.tracing.capture import ops
from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.interpreter import Program
from canvaswidget.tracing.rules.gated.gates import Pointwise

Layers = frozenset[str]
NONE: Layers = frozenset()


@dataclass(frozen=True)
class Step:
    """An op that some layers reach.

    Attributes
    ----------
    kind : str
        ``layer``, ``linear``, ``add``, ``product``, ``choice`` or ``gate``.
    reached_by : frozenset of str
        The layers whose terms arrive here.
    carries : tuple of fx.Node
        The arguments whose terms it carries on; its other arguments are constants of the frame.
    kept : int
        Of a product of two factors that one layer reaches: which of them carries its terms. The other is a frozen gate.
    inside : tuple of fx.Node
        Of a gate: the ops of its function that come before `node`, in order of execution.
    """

    node: fx.Node
    kind: str
    reached_by: Layers
    carries: tuple[fx.Node, ...]
    kept: int | None = None
    inside: tuple[fx.Node, ...] = ()

    @property
    def source(self) -> fx.Node | None:
        """Of a gate: the value that it is a pointwise function of."""
        return self.carries[0] if self.kind == "gate" else None

    @property
    def function(self) -> Pointwise:
        """Of a gate: the function that it is of its source."""
        return Pointwise(self.carries[0], (*self.inside, self.node))

    @property
    def constants(self) -> list[fx.Node]:
        """The arguments, of a gate those of its whole function, whose values in the frame it uses."""
        if self.kind != "gate":
            # Of two factors that one layer reaches, the frozen one is read.
            everything = self.kind == "choice" or self.kept is not None
            return [one for one in self.node.all_input_nodes if everything or one not in self.carries]
        parts = self.function.parts
        read = [one for node in parts for one in node.all_input_nodes]
        return [self.carries[0], *(one for one in read if one not in parts)]


@dataclass
class Plan:
    """The steps in order of execution, and the ops that stop what reaches them."""

    steps: dict[fx.Node, Step] = field(default_factory=dict)
    # Those on the way to the image; the others only shape gates.
    passed: list[Step] = field(default_factory=list)
    frozen: set[fx.Node] = field(default_factory=set)
    opaque: set[fx.Node] = field(default_factory=set)
    # What is made of opaque ops' values, and of nothing that can be followed.
    tainted: set[fx.Node] = field(default_factory=set)
    _programs: dict[str, Program] = field(default_factory=dict)

    @functools.cached_property
    def within_gates(self) -> set[fx.Node]:
        """The ops that are only parts of a gate, between its source and its value."""
        return {node for step in self.passed for node in step.inside} - {step.node for step in self.passed}

    def reached_by(self, node: Any) -> Layers:
        """The layers whose terms arrive at a value."""
        step = self.steps.get(node)
        return NONE if step is None else step.reached_by

    def downstream(self, start: fx.Node, layer: str) -> Iterator[Step]:
        """The steps that a term of a layer, put in at `start`, passes after it."""
        for step in self.passed:
            if step.node is not start and layer in step.reached_by:
                yield step

    def program(self, start: fx.Node, layer: str) -> Program:
        """The ops that a term of a layer, put in at `start`, passes after it."""
        if layer not in self._programs:
            self._programs[layer] = self.program_of(step.node for step in self.downstream(start, layer))
        return self._programs[layer]

    @functools.cached_property
    def whole(self) -> Program:
        """The ops that the terms of all layers pass, the layers among them."""
        return self.program_of(step.node for step in self.passed)

    def program_of(self, nodes: Iterable[fx.Node]) -> Program:
        """Some ops, to be run in the order given."""
        # A gate reads the value that its whole function is of, which need not be an argument of its last op.
        return Program(nodes, lambda node: {*node.all_input_nodes, *self.steps[node].carries})

    def lost(self, start: fx.Node, layer: str) -> list[fx.Node]:
        """What a layer makes by way of an opaque op: in neither its neurons' maps nor the remainder of the image."""
        reached, tainted = {start}, dict.fromkeys(())
        for node in start.graph.nodes:
            if not reached.intersection(node.all_input_nodes):
                continue
            reached.add(node)
            if layer in self.reached_by(node):
                continue
            if node in self.opaque or any(source in tainted for source in node.all_input_nodes):
                tainted[node] = None
        return list(tainted)


def linearise(capture: Capture) -> Plan:
    """Plan the frozen network of a captured model."""
    refused: set[fx.Node] = set()
    while True:
        plan = _planned(capture, refused)
        found = (_without_gate(capture, step) for step in plan.passed)
        more = {node for node in found if node is not None}
        if not more:
            return plan
        refused |= more


def _without_gate(capture: Capture, step: Step) -> fx.Node | None:
    """The op for which a pointwise function has no gate, as a logarithm or a reciprocal; None where it has one."""

    def value(constant: fx.Node) -> Any:
        fixed = capture.parameter(constant)
        # What depends on the frame is not known yet, and stands here as 1.
        return torch.ones((), dtype=constant.meta["val"].dtype) if fixed is None else fixed.cpu()

    if step.source is None:
        return None
    return step.function.without_gate(value)


def _planned(capture: Capture, refused: set[fx.Node]) -> Plan:
    plan = Plan()
    layers = {found.node: name for name, found in capture.weighted.items()}
    # What carries a pointwise function: a value, and whether only factors stand between the two.
    roots: dict[fx.Node, tuple[fx.Node, bool]] = {}
    depth: dict[fx.Node, tuple[int, int]] = {}
    for node in capture.graph.nodes:
        if node.op != "call_function":
            continue
        sources = [source for source in node.all_input_nodes if plan.reached_by(source)]
        if node in layers:
            data = capture.weighted[layers[node]].data
            plan.steps[node] = Step(node, "layer", plan.reached_by(data) | {layers[node]}, (data,))
            # A look-up is no depth: which factor of a product carries on does not depend on it.
            is_deeper = not capture.weighted[layers[node]].layer.has_features
            depth[node] = (depth.get(data, (0, 0))[0] + is_deeper, 0)
            continue
        if not sources:
            if plan.tainted.intersection(node.all_input_nodes):
                plan.tainted.add(node)
            continue
        if node.name in capture.encoded:  # its values are added and taken away again
            plan.frozen.add(node)
            continue
        step = None if node in refused else _step(plan, node, sources, roots, depth)
        if step is None:
            opaque = node.target not in ops.FROZEN and _is_real(node)
            (plan.opaque if opaque else plan.frozen).add(node)
            if opaque:
                plan.tainted.add(node)
        else:
            plan.steps[node] = step
        deepest = max(depth.get(source, (0, 0)) for source in sources)
        depth[node] = (deepest[0], deepest[1] - (step is None or step.kind == "gate"))
    # What is opaque to a value that only gates use costs nothing: it is a frozen gate like the others.
    wanted = _wanted(plan, capture.output)
    plan.frozen |= plan.opaque - wanted
    plan.opaque &= wanted
    plan.passed = [step for node, step in plan.steps.items() if node in wanted]
    return plan


def _step(
    plan: Plan,
    node: fx.Node,
    sources: list[fx.Node],
    roots: dict[fx.Node, tuple[fx.Node, bool]],
    depth: dict[fx.Node, tuple[int, int]],
) -> Step | None:
    target: Any = node.target
    if getattr(target, "__name__", "") == "getitem":
        return _carrying(plan, node, "linear", sources)
    if target in ops.POINTWISE:
        gate = _gate(plan, node, sources, roots)
        if gate is not None:
            return gate
        if target in ops.ADD:
            return _carrying(plan, node, "add", sources)
        if target in ops.CHOICE and not plan.tainted.intersection(node.all_input_nodes):
            return _carrying(plan, node, "choice", sources)
    if target in ops.NEGATE:
        return _carrying(plan, node, "linear", sources)
    if target in ops.EINSUM and len(cast(Any, node.args[1])) == 1:
        return _carrying(plan, node, "linear", sources)
    if target in ops.PRODUCTS or target in ops.EINSUM:
        return _product(plan, node, depth)
    if ops.is_linear(node) and _is_real(node):
        return _carrying(plan, node, "linear", linear_arguments(node))
    return None


def _carrying(
    plan: Plan, node: fx.Node, kind: str, data: Iterable[Any], kept: int | None = None
) -> Step | None:
    """The step that carries the terms of those of some arguments that layers reach."""
    carries = tuple(source for source in dict.fromkeys(data) if plan.reached_by(source))
    reached = NONE.union(*(plan.reached_by(source) for source in carries))
    return Step(node, kind, reached, carries, kept) if reached else None


def _gate(
    plan: Plan, node: fx.Node, sources: list[fx.Node], roots: dict[fx.Node, tuple[fx.Node, bool]]
) -> Step | None:
    """The step of a nonlinear pointwise function of one value."""
    found = {roots.get(source, (source, True))[0] for source in sources}
    if len(found) != 1:
        return None
    root = found.pop()
    if not _is_real(node):
        return None
    if _shape(root) != _shape(node) and (
        node.target in ops.ADD | ops.SCALE | ops.CHOICE or not _broadcasts(root, node)
    ):
        return None
    if node.target not in ops.SCALE and plan.tainted.intersection(node.all_input_nodes):
        return None  # what an opaque op gives is no constant
    straight = all(roots.get(source, (source, True))[1] for source in sources)
    uses = sum(argument in sources for argument in node.args if isinstance(argument, fx.Node))
    if straight and node.target in ops.ADD:
        return None  # it adds a constant, or two multiples of the same: what follows is a function of the sum
    scaling = node.target in ops.SCALE and uses == 1 and node.args[0] in sources
    scaling |= node.target in ops.MULTIPLY and uses == 1
    if straight and scaling:
        roots[node] = (root, True)
        return None
    roots[node] = (root, False)
    return Step(node, "gate", plan.reached_by(root), (root,), inside=_between(root, node, roots))


def _between(root: fx.Node, node: fx.Node, roots: dict[fx.Node, tuple[fx.Node, bool]]) -> tuple[fx.Node, ...]:
    """The ops between a value and a pointwise function of it."""
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        inner = [one for one in waiting.pop().all_input_nodes if one not in found and one is not root]
        inner = [one for one in inner if one in roots and roots[one][0] is root]
        found.update(inner)
        waiting.extend(inner)
    return tuple(one for one in roots if one in found)


def _product(plan: Plan, node: fx.Node, depth: dict[fx.Node, tuple[int, int]]) -> Step | None:
    factors = factors_of(node)
    if len(factors) != 2:
        return None
    first, second = (plan.reached_by(factor) for factor in factors)
    kept, carried = None, list(factors)
    if node.target in ops.DIVIDE:
        kept, carried = 0, factors[:1]  # the denominator is a frozen gate
    elif first & second:
        # The one with more layers behind it carries on; among equals the one that fewer gates have shaped.
        kept = int(depth.get(factors[1], (0, 0)) > depth.get(factors[0], (0, 0)))
        # The factor that is frozen to the layers behind both still carries those behind it alone.
        if not plan.reached_by(factors[1 - kept]) - plan.reached_by(factors[kept]):
            carried = [factors[kept]]
    return _carrying(plan, node, "product", [*carried, *added_to(node)], kept)


def _wanted(plan: Plan, output: fx.Node) -> set[fx.Node]:
    """The ops whose value would carry a contribution to the image, were they not opaque."""
    wanted, waiting = set(), [output]
    while waiting:
        node = waiting.pop()
        if node in wanted:
            continue
        wanted.add(node)
        step = plan.steps.get(node)
        if step is None:
            waiting.extend(plan.tainted.intersection(node.all_input_nodes))
        else:
            frozen = node.all_input_nodes if step.kind in ("add", "linear", "choice") else []
            waiting.extend([*step.carries, *plan.tainted.intersection(frozen)])
    return wanted


def factors_of(node: fx.Node) -> list[Any]:
    """The factors of a product."""
    arguments: Any = node.args
    if node.target in ops.EINSUM:
        return list(arguments[1])
    first, second, _ = ops.PRODUCTS[node.target]
    return [arguments[first], arguments[second]]


def added_with(node: fx.Node) -> tuple[Any, Any]:
    """The factors with which a sum or a difference adds its two arguments."""
    # An overload with a number takes it by position, one with two tensors by name.
    alpha: Any = node.args[2] if len(node.args) > 2 else node.kwargs.get("alpha", 1)
    if node.target in ops.SUBTRACT_FROM:
        return -alpha, 1
    return 1, -alpha if node.target in ops.SUBTRACT else alpha


def added_to(node: fx.Node) -> list[fx.Node]:
    """What is added to a product in the same op: a bias that the network computes."""
    if node.target in ops.EINSUM:
        return []
    position = ops.PRODUCTS[node.target][2]
    return [] if position is None else nodes_in(node, position)


def linear_arguments(node: fx.Node) -> list[fx.Node]:
    """The arguments that an op is linear in."""
    return [one for position in ops.LINEAR[node.target] for one in nodes_in(node, position)]


def nodes_in(node: fx.Node, position: int) -> list[fx.Node]:
    """The values an argument holds: one, or those of a list."""
    if position >= len(node.args):
        return []
    argument = node.args[position]
    given = argument if isinstance(argument, list | tuple) else [argument]
    return [value for value in given if isinstance(value, fx.Node)]


def _shape(node: fx.Node) -> Any:
    return getattr(node.meta.get("val"), "shape", None)


def _broadcasts(source: fx.Node, node: fx.Node) -> bool:
    """Whether the first value spreads over the shape of the second."""
    small, large = _shape(source), _shape(node)
    if small is None or large is None or not all(isinstance(n, int) for n in (*small, *large)):
        return False
    return len(small) <= len(large) and all(
        n in (1, m) for n, m in zip(reversed(small), reversed(large), strict=False)
    )


def _is_real(node: fx.Node) -> bool:
    """Whether the value is of numbers with fractions; counts and conditions carry no contribution."""
    value = node.meta.get("val")
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return isinstance(value, torch.Tensor) and (value.is_floating_point() or value.is_complex())
