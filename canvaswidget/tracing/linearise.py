"""What becomes of each op when every gate is frozen: which layers reach it, through what, and what stands in the way.

This is worked out once for a model; the numbers of a frame are in `frozen.py`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import fx

from canvaswidget.tracing import ops
from canvaswidget.tracing.capture import Capture
from canvaswidget.tracing.gates import Pointwise

Layers = frozenset[str]
NONE: Layers = frozenset()


@dataclass(frozen=True)
class Step:
    """An op that some layers reach.

    Attributes
    ----------
    kind : str
        ``layer``, ``linear``, ``add``, ``product``, ``gate`` or ``norm``.
    reached_by : frozenset of str
        The layers whose terms arrive here.
    source : fx.Node
        Of a gate: the value that it is a pointwise function of.
    kept : int
        Of a product of two things that one layer reaches: which factor carries it. The other is a frozen gate.
    """

    node: fx.Node
    kind: str
    reached_by: Layers
    source: fx.Node | None = None
    kept: int | None = None

    @property
    def reads(self) -> list[fx.Node]:
        """The values whose terms it takes."""
        return self.node.all_input_nodes if self.source is None else [self.source]


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

    @functools.cached_property
    def within_gates(self) -> set[fx.Node]:
        """The ops that are only parts of a gate, between its source and its value."""
        found, waiting = set(), [(step.node, step.source) for step in self.passed if step.kind == "gate"]
        while waiting:
            node, source = waiting.pop()
            parts = [one for one in node.all_input_nodes if one in self.steps and one is not source]
            waiting.extend((part, source) for part in parts if part not in found)
            found.update(parts)
        return found - {step.node for step in self.passed}

    def reached_by(self, node: Any) -> Layers:
        """The layers whose terms arrive at a value."""
        step = self.steps.get(node)
        return NONE if step is None else step.reached_by

    def downstream(self, start: fx.Node, layer: str) -> Iterator[Step]:
        """The steps that a term of a layer, put in at `start`, passes after it."""
        for step in self.passed:
            if step.node is not start and layer in step.reached_by:
                yield step

    def lost(self, start: fx.Node, layer: str) -> list[fx.Node]:
        """What a layer makes by way of an opaque op: in neither its neurons' maps nor the rest of the image."""
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
        found = (_undefined_at_zero(capture, plan, step) for step in plan.passed)
        infinite = {node for node in found if node is not None}
        if not infinite:
            return plan
        refused |= infinite


def _undefined_at_zero(capture: Capture, plan: Plan, step: Step) -> fx.Node | None:
    """The op for which a pointwise function has no gate, as a logarithm or a reciprocal; None where it has one."""

    def value(constant: fx.Node) -> Any:
        fixed = capture.parameter(constant)
        # What depends on the frame is not known yet, and stands here as 1.
        return torch.ones((), dtype=constant.meta["val"].dtype) if fixed is None else fixed.cpu()

    if step.source is None:
        return None
    return Pointwise.between(step.source, step.node, plan.steps).undefined_at_zero(value)


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
            plan.steps[node] = Step(node, "layer", plan.reached_by(data) | {layers[node]})
            depth[node] = (depth.get(data, (0, 0))[0] + 1, 0)
            continue
        if not sources:
            if plan.tainted.intersection(node.all_input_nodes):
                plan.tainted.add(node)
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
    together = frozenset().union(*(plan.reached_by(source) for source in sources))
    if getattr(target, "__name__", "") == "getitem":
        return Step(node, "linear", together)
    if target in ops.POINTWISE:
        gate = _gate(plan, node, sources, roots)
        if gate is not None:
            return Step(node, "gate", together, gate)
        if target in ops.ADD:
            return Step(node, "add", together)
    if target in ops.SCALE and target not in ops.PRODUCTS:  # negation
        return Step(node, "linear", together)
    if target in ops.EINSUM:
        factors = list(node.args[1]) if len(node.args[1]) == 2 else None  # type: ignore[arg-type]
        return _product(plan, node, factors, depth)
    if target in ops.PRODUCTS:
        first, second, _ = ops.PRODUCTS[target]
        return _product(plan, node, [node.args[first], node.args[second]], depth)
    if target in ops.LINEAR or target in ops.CONSTANT_PAD or target in ops.MASKED_FILL:
        data = [source for position in ops.LINEAR.get(target, (0,)) for source in nodes_in(node, position)]
        reached = frozenset().union(*(plan.reached_by(source) for source in data))
        return Step(node, "linear", reached) if reached and _is_real(node) else None
    if target in ops.NORMS:
        reached = plan.reached_by(node.args[0])
        return Step(node, "norm", reached) if reached else None
    return None


def _gate(
    plan: Plan, node: fx.Node, sources: list[fx.Node], roots: dict[fx.Node, tuple[fx.Node, bool]]
) -> fx.Node | None:
    """The value that `node` is a nonlinear pointwise function of, if it is of one only."""
    found = {roots.get(source, (source, True))[0] for source in sources}
    if len(found) != 1:
        return None
    root = found.pop()
    if _shape(root) != _shape(node) or not _is_real(node):
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
    return root


def _product(
    plan: Plan, node: fx.Node, factors: list[Any] | None, depth: dict[fx.Node, tuple[int, int]]
) -> Step | None:
    if factors is None:
        return None
    reached = [plan.reached_by(factor) for factor in factors]
    if node.target in ops.DIVIDE:
        return Step(node, "product", reached[0], kept=0) if reached[0] else None
    if not reached[0] and not reached[1]:
        return None
    kept = None
    if reached[0] & reached[1]:
        # The one with more layers behind it carries on; among equals the one that fewer gates have shaped.
        kept = int(depth.get(factors[1], (0, 0)) > depth.get(factors[0], (0, 0)))
    return Step(node, "product", reached[0] | reached[1], kept=kept)


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
            continue
        sources = node.all_input_nodes
        if step.kind == "gate" and step.source is not None:
            sources = [step.source]
        elif step.kind == "product":
            sources = [source for source in sources if plan.reached_by(source)]
            if step.kept is not None:
                kept, other = factors_of(step)[step.kept], factors_of(step)[1 - step.kept]
                # The factor that is frozen to the layers behind both still carries those behind it alone.
                if not plan.reached_by(other) - plan.reached_by(kept):
                    sources.remove(other)
        elif step.kind in ("norm", "layer"):
            sources = sources[:1]
        waiting.extend(sources)
    return wanted


def last_uses(read: Sequence[Iterable[fx.Node]], output: fx.Node) -> list[list[fx.Node]]:
    """For each of some ops in order, by what it reads: the values that none after it reads, and so need not be kept."""
    last: dict[fx.Node, int] = {}
    for place, sources in enumerate(read):
        last.update(dict.fromkeys(sources, place))
    done: list[list[fx.Node]] = [[] for _ in read]
    for node, place in last.items():
        if node is not output:
            done[place].append(node)
    return done


def factors_of(step: Step) -> list[Any]:
    """The two factors of a product."""
    node: Any = step.node
    if node.target in ops.EINSUM:
        return list(node.args[1])
    first, second, _ = ops.PRODUCTS[node.target]
    return [node.args[first], node.args[second]]


def nodes_in(node: fx.Node, position: int) -> list[fx.Node]:
    """The values an argument holds: one, or those of a list."""
    if position >= len(node.args):
        return []
    argument = node.args[position]
    given = argument if isinstance(argument, list | tuple) else [argument]
    return [value for value in given if isinstance(value, fx.Node)]


def _shape(node: fx.Node) -> Any:
    return getattr(node.meta.get("val"), "shape", None)


def _is_real(node: fx.Node) -> bool:
    """Whether the value is of numbers with fractions; counts and conditions carry no contribution."""
    value = node.meta.get("val")
    if isinstance(value, list | tuple):
        value = value[0]
    return value is not None and (value.is_floating_point() or value.is_complex())
