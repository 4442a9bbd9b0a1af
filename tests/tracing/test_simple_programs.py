"""A program that is not decomposed, since its ops stay, is the one that torch's decomposition gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import fx, nn

import canvaswidget as cw
from canvaswidget.tracing.capture import composite_ops, recording
from canvaswidget.tracing.capture.simple_programs import simplified
from tests.zoo import KINDS, build

# Each with something that another has not: dead ops, slices, reshapes that copy, ops of other names, numbers asked for.
SOME = {
    "dict_in_dict_out",
    "list_out",
    "nerv",
    "bicubic",
    "einsum_of_heads",
    "between_normalised",
    "eventful",
}


def ops(graph: fx.Graph) -> list[Any]:
    """Each op and what it takes, whatever the ops are called."""
    place = {node: number for number, node in enumerate(graph.nodes)}
    return [
        (
            node.op,
            str(node.target),
            fx.map_arg(node.args, place.__getitem__),
            fx.map_arg(node.kwargs, place.__getitem__),
        )
        for node in graph.nodes
    ]


def recorded(kind: str) -> fx.Graph:
    return cw.trace(build(kind, 0), "gated").matrix.capture.graph


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in SOME else pytest.mark.repeats) for kind in KINDS]
)
def test_it_is_the_decomposed_one(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = recorded(kind)
    monkeypatch.setattr(recording, "simplified", lambda *_: False)
    assert ops(found) == ops(recorded(kind))


def exported(function: Any, *given: torch.Tensor) -> torch.export.ExportedProgram:
    class Module(nn.Module):
        def forward(self, *given: torch.Tensor) -> Any:
            return function(*given)

    return torch.export.export(Module(), given, strict=False)


X = torch.ones(4, 6)


@pytest.mark.parametrize(
    ("function", "simple"),
    [
        (lambda x: torch.sin(x @ x.mT.contiguous()).reshape(2, 8), False),  # `mT` is a transposition
        (lambda x: torch.sin(x).reshape(2, 12), True),
        (lambda x: torch.sin(x).transpose(0, 1).reshape(24), False),  # copies
        (lambda x: torch.sin(x)[:, 1:4], True),
        (lambda x: x.clone().mul_(2), False),
        (lambda x: torch.split(x, 2)[1] + 1, True),
        (lambda x: torch.addcmul(x, x, x), False),  # to be decomposed
        (lambda x: torch.flatten(x), False),
    ],
)
def test_which_are_simple(function: Any, simple: bool) -> None:
    program = exported(function, X)
    before = str(program.graph)
    assert simplified(program, recording._simpler()) == simple
    if simple:
        torch.testing.assert_close(program.module()(X), function(X))
    else:
        assert str(program.graph) == before


def test_without_torchs_word_only_plain_ops_are(monkeypatch: pytest.MonkeyPatch) -> None:
    program = exported(lambda x: torch.nn.functional.linear(x, x), X)
    with monkeypatch.context() as patch:
        patch.setattr(composite_ops, "_COLLECT", "a name that torch has not")
        assert not simplified(program, ())
    assert simplified(program, ())
