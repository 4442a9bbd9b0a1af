"""Prepare torch's composite ops once for all recordings.

`run_decompositions` looks up and overrides each of torch's several hundred composite ops before it decomposes a
program, and undoes that afterwards. For a small model this takes longer than all the rest of recording, and the result
is the same every time. This needs names of torch that are not public: where they are absent, torch works as usual.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch._subclasses import fake_impls
from torch.export import exported_program

_OVERRIDE, _COLLECT = "_override_composite_implicit_decomp", "_collect_all_valid_cia_ops"
_FAKE_RULES, _REGISTRATIONS = "op_implementations_dict", "_dispatch_get_registrations_for_dispatch_key"

# By op: its kernels before and while it is overridden, and its rule for fake tensors meanwhile.
_Overridden = dict[Any, tuple[dict[Any, Any], dict[Any, Any], Any]]
_overridden: dict[frozenset[Any], _Overridden] = {}
_collected: dict[Any, set[Any]] = {}


@contextlib.contextmanager
def prepared_once() -> Iterator[None]:
    """Meanwhile `torch.export` keeps its preparations, and uses those that it kept; the caller holds a lock."""
    if not _has_names():
        yield
        return
    override, collect = getattr(exported_program, _OVERRIDE), getattr(exported_program, _COLLECT)
    setattr(exported_program, _OVERRIDE, lambda *given, **named: _override(override, *given, **named))
    setattr(exported_program, _COLLECT, lambda: _collect(collect))
    try:
        yield
    finally:
        setattr(exported_program, _OVERRIDE, override)
        setattr(exported_program, _COLLECT, collect)


def preserved() -> set[Any]:
    """The composite ops that `run_decompositions` keeps unless told otherwise; none where torch does not tell."""
    return _collect(getattr(exported_program, _COLLECT)) if _has_names() else set()


def _has_names() -> bool:
    return (
        hasattr(exported_program, _OVERRIDE)
        and hasattr(exported_program, _COLLECT)
        and hasattr(fake_impls, _FAKE_RULES)
        and hasattr(torch._C, _REGISTRATIONS)
    )


@contextlib.contextmanager
def _override(
    override: Callable[..., Any], decompositions: dict[Any, Any], *more: Any, **named: Any
) -> Iterator[None]:
    """As torch's `override` does it, from the second time on by exchanging the ops' kernels."""
    if more or named:  # arguments of another version of torch
        with override(decompositions, *more, **named):
            yield
        return
    rules: dict[Any, Any] = getattr(fake_impls, _FAKE_RULES)
    key = frozenset(decompositions.items())
    kept = _overridden.get(key)
    if kept is None or any(op.py_kernels != kept[op][0] for op in decompositions):
        before = {op: dict(op.py_kernels) for op in decompositions}
        with override(decompositions):
            _overridden.clear()
            _overridden[key] = {
                op: (kernels, dict(op.py_kernels), rules.get(op)) for op, kernels in before.items()
            }
            yield
        return
    try:
        for op, (_, kernels, rule) in kept.items():
            _exchange(op, kernels)
            if rule is not None:
                rules.setdefault(op, rule)
        yield
    finally:
        for op, (kernels, _, _) in kept.items():
            _exchange(op, kernels)
            rules.pop(op, None)


def _exchange(op: Any, kernels: dict[Any, Any]) -> None:
    op.py_kernels.clear()
    op.py_kernels.update(kernels)
    op._dispatch_cache.clear()


def _collect(collect: Callable[[], set[Any]]) -> set[Any]:
    """The composite ops that may be preserved, collected anew when ops were registered since."""
    composite = getattr(torch._C, _REGISTRATIONS)("CompositeImplicitAutograd")
    key = tuple(composite), tuple(torch.ops._dir)
    if key not in _collected:
        found = collect()
        _collected.clear()
        _collected[key] = found
    return set(_collected[key])
