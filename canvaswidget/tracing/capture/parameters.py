"""Where a model's parameters are: in layers, beside them in grids, latents and norms, or reaching nothing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from torch import fx

from canvaswidget.tracing.capture.capture import Capture
from canvaswidget.tracing.capture.dependence import leading_to, reached
from canvaswidget.tracing.capture.ops import (
    EINSUM,
    LINEAR,
    POINTWISE,
    PRODUCTS,
    overloads,
)
from canvaswidget.tracing.capture.rewrite.norms import is_norm

MOST_NAMES = 6
_OTHER = "grids and latents"


def parameter_note(capture: Capture) -> str:
    """The share of the parameters in layers, in what else reaches the image, and in what does not, by name."""
    aliases, sizes = _parameters(capture)
    total = sum(sizes.values())
    if not total:
        return "the module has no parameters"
    inputs: dict[str, list[fx.Node]] = {}
    for node in capture.graph.nodes:
        name = aliases.get(capture.target(node))
        if node.op == "placeholder" and name is not None:
            inputs.setdefault(name, []).append(node)
    in_layers = {aliases[name] for name in _of_layers(capture, capture.weighted) if name in aliases}
    used = leading_to([capture.output])
    parts: dict[str, dict[str, int]] = {"products": {}, _OTHER: {}, "norms": {}, "nothing": {}}
    readers: dict[str, dict[str, None]] = {"products": {}, _OTHER: {}}
    for name, size in sizes.items():
        nodes = [node for node in inputs.get(name, []) if node in used]
        if name in in_layers and nodes:
            continue
        part = _part(capture, name, nodes)
        parts[part][name] = size
        if part in readers:
            reader = _reader(capture, nodes)
            readers[part].update({reader: None} if reader else {})
    beside = sum(sum(part.values()) for part in parts.values())
    words = [f"{_percent(total - beside, total)} of {total:,} parameters are in layers"]
    if parts["products"]:
        words.append(
            f"{_listed(parts['products'], total)} in products that are no layers, with a matrix for each group or "
            f"pixel or one that the network changes; {_instead(readers['products'])}"
        )
    if parts[_OTHER]:
        words.append(
            f"{_listed(parts[_OTHER], total)} in grids, latents and other tensors; {_instead(readers[_OTHER])}"
        )
    if parts["norms"]:
        words.append(f"{_listed(parts['norms'], total)} in norms, which are frozen or passed as gates")
    if parts["nothing"]:
        words.append(
            f"{_listed(parts['nothing'], total)} reach nothing: the image does not depend on them. If it should, "
            "check output= and inputs="
        )
    return "; ".join(words)


def unfollowed_note(capture: Capture, rule: str, undefined: Collection[str]) -> str:
    """Which share of the parameters is in layers that reach the image and that a rule is not defined on, by name."""
    aliases, sizes = _parameters(capture)
    followed = {
        aliases.get(name, "") for name in _of_layers(capture, set(capture.weighted).difference(undefined))
    }
    used, missed = leading_to([capture.output]), {}
    for layer in undefined:
        names = {aliases[name] for name in _of_layers(capture, [layer]) if name in aliases} - followed
        if names and capture.weighted[layer].node in used:
            missed[layer] = sum(sizes[name] for name in names)
            followed |= names
    if not missed:
        return ""
    others = "rules 'gated' and 'ablation' follow" if rule == "xinc" else "rule 'ablation' is defined on"
    return (
        f"{_listed(missed, sum(sizes.values()))} in layers that rule {rule!r} does not follow to the image; "
        f"{others} {'more of them' if rule == 'xinc' else 'them'}"
    )


def _parameters(capture: Capture) -> tuple[dict[str, str], dict[str, int]]:
    """The first name of each parameter by all its names, and its size by the first."""
    named = list(capture.module.named_parameters(remove_duplicate=False))
    first = {id(tensor): name for name, tensor in reversed(named)}
    return {name: first[id(tensor)] for name, tensor in named}, {
        first[id(tensor)]: tensor.numel() for _, tensor in named
    }


def _part(capture: Capture, name: str, nodes: Sequence[fx.Node]) -> str:
    """Where a parameter is that is in no layer."""
    if not nodes:
        return "nothing"
    owner = type(capture.module.get_submodule(name.rpartition(".")[0])).__name__
    if _NORM.search(owner) or any(is_norm(user) for node in nodes for user in node.users):
        return "norms"
    return "products" if any(_is_multiplied(capture, node) for node in nodes) else _OTHER


_NORM = re.compile(r"Norm(\dd)?$")
_PRODUCTS = EINSUM | set(PRODUCTS) - overloads("mul div")


def _is_multiplied(capture: Capture, node: fx.Node) -> bool:
    """Whether a parameter comes to a product of matrices or a convolution before it comes to a layer."""
    layers = {weighted.node for weighted in capture.weighted.values()}
    waiting, seen = [node], {node, *layers}
    while waiting:
        for user in waiting.pop().users:
            if user.target in _PRODUCTS and user not in layers:
                return True
            if user not in seen and user.target in set(LINEAR) | set(POINTWISE):
                seen.add(user)
                waiting.append(user)
    return False


def _instead(readers: Collection[str]) -> str:
    """What to ask instead of the neurons of parameters that have none."""
    if not readers:
        return "they have no neurons, and no layer reads them: canvas.remainder holds what they show"
    return f"they have no neurons: ask for the units of {' and '.join(map(repr, readers))}, whose inputs they are"


def _of_layers(capture: Capture, layers: Iterable[str]) -> set[str]:
    """The parameters that the weights and biases of some layers are made of."""
    found, seen = set(), set()
    for weighted in (capture.weighted[layer] for layer in layers):
        found.add(weighted.table)
        waiting = [
            source
            for node in {weighted.node, weighted.output}
            for source in node.all_input_nodes
            if source is not weighted.data and capture.parameter(source) is not None
        ]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                found.add(capture.target(node))
                waiting.extend(node.all_input_nodes)
    return found


def _reader(capture: Capture, nodes: list[fx.Node]) -> str:
    """The first layer whose input depends on some nodes; empty where none does."""
    after = reached(capture.graph, nodes)
    read = (
        name for name, one in capture.weighted.items() if one.data in after and not one.layer.has_features
    )
    return next(read, "")


def _listed(part: Mapping[str, int], total: int) -> str:
    """Their share, and the largest by name."""
    largest = sorted(part, key=lambda name: -part[name])
    names = ", ".join(f"{name} ({_percent(part[name], total)})" for name in largest[:MOST_NAMES])
    more = f" and {len(largest) - MOST_NAMES} more" if len(largest) > MOST_NAMES else ""
    return f"{_percent(sum(part.values()), total)} ({names}{more})"


def _percent(part: int, total: int) -> str:
    share = 100 * part / total
    return f"{share:.0f} %" if share in (0, 100) or 1 <= share <= 99 else f"{share:.2g} %"
