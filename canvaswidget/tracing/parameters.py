"""Where a model's parameters are: in layers, beside them in grids, latents and norms, or reaching nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import fx

if TYPE_CHECKING:
    from canvaswidget.tracing.capture import Capture

MOST_NAMES = 6


def parameter_note(capture: Capture) -> str:
    """The share of the parameters in layers, in what else reaches the image, and in what does not, by name."""
    names = {
        id(tensor): name
        for name, tensor in reversed(list(capture.module.named_parameters(remove_duplicate=False)))
    }
    aliases = {
        name: names[id(tensor)] for name, tensor in capture.module.named_parameters(remove_duplicate=False)
    }
    sizes = {name: tensor.numel() for name, tensor in capture.module.named_parameters()}
    sizes = {aliases[name]: size for name, size in sizes.items()}
    total = sum(sizes.values())
    if not total:
        return "the module has no parameters"
    inputs: dict[str, list[fx.Node]] = {}
    for node in capture.graph.nodes:
        name = aliases.get(capture.target(node))
        if node.op == "placeholder" and name is not None:
            inputs.setdefault(name, []).append(node)
    in_layers = {aliases[name] for name in _of_layers(capture) if name in aliases}
    used = _leading_to(capture.output)
    parts: dict[str, dict[str, int]] = {"grids and latents": {}, "norms": {}, "nothing": {}}
    readers: dict[str, None] = {}
    for name, size in sizes.items():
        nodes = [node for node in inputs.get(name, []) if node in used]
        if name in in_layers and nodes:
            continue
        if not nodes:
            parts["nothing"][name] = size
        elif any("norm" in str(user.target) for node in nodes for user in node.users):
            parts["norms"][name] = size
        else:
            parts["grids and latents"][name] = size
            reader = _reader(capture, nodes)
            readers.update({reader: None} if reader else {})
    beside = sum(sum(part.values()) for part in parts.values())
    words = [f"{_percent(total - beside, total)} of {total:,} parameters are in layers"]
    if parts["grids and latents"]:
        ask = (
            f"they have no neurons: ask for the units of {' and '.join(map(repr, readers))}, whose inputs they are"
            if readers
            else "they have no neurons, and no layer reads them: canvas.rest holds what they show"
        )
        words.append(
            f"{_listed(parts['grids and latents'], total)} in grids, latents and other tensors; {ask}"
        )
    if parts["norms"]:
        words.append(f"{_listed(parts['norms'], total)} in norms, which are frozen or passed as gates")
    if parts["nothing"]:
        words.append(
            f"{_listed(parts['nothing'], total)} reach nothing: the image does not depend on them. If it should, "
            "check output= and inputs="
        )
    return "; ".join(words)


def _of_layers(capture: Capture) -> set[str]:
    """The parameters that the layers' weights and biases are made of."""
    found, seen = set(), set()
    for weighted in capture.weighted.values():
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


def _leading_to(node: fx.Node) -> set[fx.Node]:
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(one.all_input_nodes)
    return found


def _reader(capture: Capture, nodes: list[fx.Node]) -> str:
    """The first layer whose input depends on some nodes; empty where none does."""
    reached: set[Any] = set(nodes)
    for node in capture.graph.nodes:
        if not reached.isdisjoint(node.all_input_nodes):
            reached.add(node)
    return next((name for name, one in capture.weighted.items() if one.data in reached), "")


def _listed(part: Mapping[str, int], total: int) -> str:
    """Their share, and the largest by name."""
    largest = sorted(part, key=lambda name: -part[name])
    names = ", ".join(f"{name} ({_percent(part[name], total)})" for name in largest[:MOST_NAMES])
    more = f" and {len(largest) - MOST_NAMES} more" if len(largest) > MOST_NAMES else ""
    return f"{_percent(sum(part.values()), total)} ({names}{more})"


def _percent(part: int, total: int) -> str:
    share = 100 * part / total
    return f"{share:.0f} %" if share in (0, 100) or 1 <= share <= 99 else f"{share:.2g} %"
