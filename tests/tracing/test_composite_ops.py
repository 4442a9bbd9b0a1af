"""What is prepared once for all recordings changes neither what is recorded nor torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import canvaswidget as cw
from canvaswidget.tracing.capture import composite_ops, recording
from tests.zoo import build

KINDS = ("mlp_relu", "nerv", "layer_norm", "list_out")


@pytest.fixture(autouse=True)
def decomposed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every program is, even one that needs it not."""
    monkeypatch.setattr(recording, "simplified", lambda *_: False)


def kernels() -> dict[Any, dict[Any, Any]]:
    (ops,) = composite_ops._overridden.values()
    return {op: dict(op.py_kernels) for op in ops}


def recorded(kind: str) -> str:
    return str(cw.trace(build(kind, 0), "gated").matrix.capture.graph)


@pytest.mark.parametrize("kind", KINDS)
def test_the_recording_is_that_of_torch_alone(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [recorded(kind), recorded(kind)]
    monkeypatch.setattr(composite_ops, "_FAKE_RULES", "a name that torch has not")
    assert twice == [recorded(kind)] * 2


def test_torch_is_left_as_it_was() -> None:
    recorded("mlp_relu")
    before = kernels()
    recorded("nerv")
    assert len(before) > 100
    assert kernels() == before
    x, weight = torch.ones(2, 3, requires_grad=True), torch.ones(4, 3)
    torch.nn.functional.linear(x, weight).sum().backward()
    assert x.grad is not None


def test_after_an_error_too() -> None:
    recorded("mlp_relu")
    before = kernels()
    (key,) = composite_ops._overridden

    def stop() -> None:
        with composite_ops._override(lambda: None, dict(key)):
            assert kernels() != before
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stop()
    assert kernels() == before


def test_an_op_that_was_registered_since_is_found() -> None:
    recorded("mlp_relu")
    known = composite_ops._collect(set)
    library = torch.library.Library("canvaswidget_tests", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x + x, "CompositeImplicitAutograd")
    assert composite_ops._collect(lambda: {*known, "anew"}) == {*known, "anew"}
    composite_ops._collected.clear()


def test_kernels_that_changed_since_are_prepared_anew() -> None:
    recorded("mlp_relu")
    (key,) = composite_ops._overridden
    # An op that no model of this test calls: it gets a kernel that can't run.
    op = torch.ops.aten.kron.default
    assert op in dict(key)
    key_of_kernel = torch._C.DispatchKey.AutogradCPU
    assert key_of_kernel not in op.py_kernels
    op.py_kernels[key_of_kernel] = len
    try:
        recorded("nerv")
        assert composite_ops._overridden[key][op][0][key_of_kernel] is len
    finally:
        del op.py_kernels[key_of_kernel]
        op._dispatch_cache.clear()
    recorded("nerv")


@pytest.mark.parametrize("more", [((True,), {}), ((), {"safe": False})])
def test_arguments_of_another_version_of_torch_are_passed_on(
    more: tuple[tuple[Any, ...], dict[str, Any]],
) -> None:
    """torch 2.6 calls it with `safe=`, by name."""
    given: list[Any] = []

    @contextlib.contextmanager
    def override(*arguments: Any, **named: Any) -> Iterator[None]:
        given.append((arguments, named))
        yield

    before = dict(composite_ops._overridden)
    with composite_ops._override(override, {}, *more[0], **more[1]):
        pass
    assert given == [(({}, *more[0]), more[1])]
    assert composite_ops._overridden == before
