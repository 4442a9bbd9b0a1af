"""The random numbers of a forward: which ops draw them, how they are recorded, and what other ones would do.

A forward may draw random numbers that its picture does not depend on, noise of strength 0 say. They are recorded as
constants: nothing is drawn when the recording runs, from the generators that torch shares between all threads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import fx
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

# What of its arguments says whether an op draws: their position and name, and whether it does by default.
_SWITCHES = {
    "dropout": (2, "train", False),
    "native_dropout": (2, "train", False),
    "feature_dropout": (2, "train", False),
    "alpha_dropout": (2, "train", False),
    "feature_alpha_dropout": (2, "train", False),
    "rrelu": (3, "training", False),
    "rrelu_with_noise": (4, "training", False),
    "rrelu_with_noise_functional": (4, "training", False),
}
# Ops whose random numbers depend on shapes alone: their values can be recorded as constants.
_OF_SHAPES = {
    *("rand", "rand_like", "randn", "randn_like", "randint", "randint_like", "randperm"),
    *("normal_functional", "normal.float_float", "uniform", "exponential", "cauchy", "log_normal"),
    *("geometric", "random", "bernoulli.p"),
}
# The parts of a distribution that are tried: its ends first, which a comparison with a rare value depends on.
QUANTILES = (0.0, 1.0, 0.5, 0.25, 0.75)
_MANY = 6.0  # standard deviations, in place of infinity
_TRIES = 32  # of a distribution that is not known here


def draws(op: Any, arguments: tuple[Any, ...], keywords: Any) -> bool:
    """Whether a call of an ATen op draws random numbers."""
    if torch.Tag.nondeterministic_seeded not in getattr(op, "tags", ()):
        return False
    name = op_name(op)
    if name not in _SWITCHES:
        return True
    position, keyword, default = _SWITCHES[name]
    given = arguments[position] if len(arguments) > position else keywords.get(keyword, default)
    return given is not False


def draws_as_recorded(node: fx.Node) -> bool:
    """Whether a recorded op draws random numbers whenever it runs."""
    return node.op == "call_function" and draws(node.target, node.args, node.kwargs)


def op_name(op: Any) -> str:
    """The name of an ATen op: ``randn`` of ``aten.randn.default``."""
    return str(op).split(".")[1]


def record_draws(graph: fx.Graph, constants: dict[str, torch.Tensor]) -> tuple[str, ...]:
    """Replace random numbers of a recorded graph by constants, in place; the names of all ops that draw.

    Those that depend on values of the forward, such as a dropout's, are still drawn at each run. The caller restores
    the random state.
    """
    names = set()
    for node in [node for node in graph.nodes if draws_as_recorded(node)]:
        names.add(op_name(node.target))
        of_shapes = not _OF_SHAPES.isdisjoint((op_name(node.target), str(node.target).removeprefix("aten.")))
        others = pytree.tree_leaves((node.args[1:], node.kwargs))
        if not of_shapes or any(isinstance(one, fx.Node) for one in others):
            continue
        target: Any = node.target
        arguments = [_empty(one) if isinstance(one, fx.Node) else one for one in node.args]
        # The first numbers are those that the module's next call draws, and it is compared with what is recorded.
        _, drawn = (target(*arguments, **node.kwargs) for _ in range(2))
        with graph.inserting_before(next(iter(graph.nodes))):
            constant = graph.placeholder(f"drawn_{len(constants)}")
        constant.meta = dict(node.meta)
        constants[constant.name] = drawn
        node.replace_all_uses_with(constant)
        graph.erase_node(node)
    return tuple(sorted(names))


def _empty(node: fx.Node) -> torch.Tensor:
    value = cast(torch.Tensor, node.meta["val"])
    return torch.zeros(value.shape, dtype=value.dtype, device=value.device)


# --- other random numbers ---------------------------------------------------------------------------------------------


class Drawing(TorchDispatchMode):
    """As long as it lasts, every random number is the same quantile of its distribution.

    Attributes
    ----------
    names : set of str
        The ops that drew.
    """

    def __init__(self, quantile: float) -> None:
        super().__init__()
        self.names: set[str] = set()
        self._quantile = quantile

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        keywords = kwargs or {}
        if not draws(func, args, keywords):
            return func(*args, **keywords)
        name = op_name(func)
        self.names.add(name)
        kind = name.removesuffix("_").removesuffix("_functional").removesuffix("_like")
        given = _named(func, args, keywords)
        before = given["self"].clone() if name.endswith("_") else None

        def again() -> torch.Tensor:
            if before is not None:
                given["self"].copy_(before)
            return _first(func(*args, **keywords)).clone()

        result = func(*args, **keywords)
        out = _first(result)
        quantile = _QUANTILE_OF.get(kind)
        if quantile is not None:
            out.copy_(quantile(out, given, self._quantile))
        else:
            tries = torch.stack([again() for _ in range(_TRIES)]).sort(0).values
            out.copy_(tries[round(self._quantile * (_TRIES - 1))])
        return result


def _named(op: Any, arguments: tuple[Any, ...], keywords: Any) -> dict[str, Any]:
    """The arguments of an op by name."""
    schema = op._schema.arguments
    defaults = {one.name: one.default_value for one in schema if one.has_default_value()}
    return {
        **defaults,
        **{one.name: given for one, given in zip(schema, arguments, strict=False)},
        **keywords,
    }


def _first(result: Any) -> torch.Tensor:
    return result[0] if isinstance(result, tuple | list) else result


def _uniform(out: torch.Tensor, given: dict[str, Any], quantile: float) -> torch.Tensor:
    low, high = given.get("from", 0.0), given.get("to", 1.0)  # rand has none
    below = 1 - torch.finfo(out.dtype).eps / 2  # the end itself is never drawn
    return torch.full_like(out, low + (high - low) * min(quantile, below))


def _normal(out: torch.Tensor, given: dict[str, Any], quantile: float) -> torch.Tensor:
    deviations = float(torch.special.ndtri(torch.tensor(quantile, dtype=torch.float64)))
    offset = given.get("std", 1.0) * min(max(deviations, -_MANY), _MANY)
    return torch.zeros_like(out) + given.get("mean", 0.0) + offset


def _integers(out: torch.Tensor, given: dict[str, Any], quantile: float) -> torch.Tensor:
    low, high = given.get("low", 0), given["high"]
    return torch.full_like(out, low + round(quantile * (high - 1 - low)))


def _permutation(out: torch.Tensor, given: dict[str, Any], quantile: float) -> torch.Tensor:
    order = torch.arange(len(out), dtype=out.dtype, device=out.device)
    return order.flip(0) if quantile == 1 else order.roll(int(quantile * len(out)))


def _chosen(out: torch.Tensor, given: dict[str, Any], quantile: float) -> torch.Tensor:
    p = torch.as_tensor(given.get("p", given["self"]), device=out.device)
    return torch.zeros_like(out) + ((p >= 1) | (p > 1 - quantile)).to(out.dtype)


_QUANTILE_OF: dict[str, Callable[[torch.Tensor, dict[str, Any], float], torch.Tensor]] = {
    "rand": _uniform,
    "uniform": _uniform,
    "randn": _normal,
    "normal": _normal,
    "randint": _integers,
    "randperm": _permutation,
    "bernoulli": _chosen,
}
