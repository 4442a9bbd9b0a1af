"""Call a module without changing it: its mode, its buffers, its Python attributes, the random state."""

from __future__ import annotations

import collections
import contextlib
import copy
import functools
import random
import threading
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter
from torch.utils import _pytree as pytree

# Recording swaps a module's weights for stand-ins, and torch keeps much of a recording in globals: who calls a module
# of the user, or records one, holds this lock.
CALLS = threading.RLock()

_CONTAINERS = (dict, list, set, collections.deque)
_PLAIN = (int, float, complex, str, bytes, tuple, type(None))


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode for as long as it lasts, each submodule's own mode afterwards."""
    training = [part for part in module.modules() if part.training]
    try:
        for part in training:
            part.training = False
        yield
    finally:
        for part in training:
            part.training = True


# --- state that a forward may change ----------------------------------------------------------------------------


class ModuleState:
    """The buffers, tensor attributes and plain Python attributes of a module at one moment.

    Parameters are not part of it: only an optimiser changes them.
    """

    def __init__(self, module: nn.Module) -> None:
        self._tensors: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._containers: list[tuple[Any, Any]] = []
        self._generators: list[tuple[Any, Any]] = []
        self._classes: list[tuple[type, dict[str, Any]]] = []
        seen: set[int] = set()
        for part in module.modules():
            self._visit(part.__dict__, seen)
        for owner in {owner for part in module.modules() for owner in type(part).__mro__}:
            if not owner.__module__.startswith(("torch.", "builtins")):
                plain = {name: value for name, value in vars(owner).items() if isinstance(value, _PLAIN)}
                self._classes.append((owner, {name: plain[name] for name in plain if name[:2] != "__"}))
                for value in vars(owner).values():
                    if isinstance(value, _CONTAINERS):
                        self._visit(value, seen)

    def restore(self) -> None:
        """Put everything back that has changed since."""
        for container, saved in self._containers:
            if isinstance(container, dict):
                _restore_items(container, saved)
            elif not _same(container, saved):
                container.clear()
                container.update(saved) if isinstance(container, set) else container.extend(saved)
        for owner, saved in self._classes:
            for name, value in saved.items():
                if vars(owner).get(name) is not value:
                    setattr(owner, name, value)
        for tensor, saved in self._tensors:
            if not torch.equal(tensor, saved):
                tensor.data.copy_(saved)
        for generator, saved in self._generators:
            if isinstance(generator, torch.Generator):
                generator.set_state(saved)
            elif isinstance(generator, random.Random):
                generator.setstate(saved)
            elif isinstance(generator, np.random.Generator):
                generator.bit_generator.state = saved
            else:
                generator[...] = saved

    def _visit(self, value: Any, seen: set[int]) -> None:
        if id(value) in seen or isinstance(value, nn.Parameter | nn.Module):
            return
        seen.add(id(value))
        if isinstance(value, torch.Tensor):
            if value.layout is torch.strided and not value.is_meta:
                self._tensors.append((value, value.detach().clone()))
        elif isinstance(value, _CONTAINERS):
            self._containers.append((value, copy.copy(value)))
            for inner in list(value.values() if isinstance(value, dict) else value):
                self._visit(inner, seen)
        elif isinstance(value, tuple):
            for inner in value:
                self._visit(inner, seen)
        elif isinstance(value, torch.Generator):
            self._generators.append((value, value.get_state()))
        elif isinstance(value, random.Random):
            self._generators.append((value, value.getstate()))
        elif isinstance(value, np.random.Generator):
            self._generators.append((value, copy.deepcopy(value.bit_generator.state)))
        elif isinstance(value, np.ndarray):
            self._generators.append((value, value.copy()))
        elif _is_plain_object(value):
            self._visit(value.__dict__, seen)


def _restore_items(container: dict[Any, Any], saved: dict[Any, Any]) -> None:
    for name in [name for name in container if name not in saved]:
        del container[name]
    for name, value in saved.items():
        if name not in container or container[name] is not value:
            container[name] = value


def _same(container: Any, saved: Any) -> bool:
    if isinstance(container, set):
        return container == saved
    return len(container) == len(saved) and all(
        one is other for one, other in zip(container, saved, strict=True)
    )


class RandomState:
    """The state of the generators that torch, NumPy and Python share between all who draw."""

    def __init__(self) -> None:
        self._torch = torch.get_rng_state()
        self._cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
        self._numpy: Any = np.random.get_state()  # noqa: NPY002 - the generator that a forward may draw from
        self._python = random.getstate()

    def differs(self) -> bool:
        """Whether somebody has drawn or seeded since."""
        return bool(self.differences(RandomState()))

    def differences(self, other: RandomState) -> set[str]:
        """Whose generators differ from those at another moment: of torch, NumPy or Python."""
        same = {
            "torch": torch.equal(self._torch, other._torch)
            and len(self._cuda) == len(other._cuda)
            and all(torch.equal(one, after) for one, after in zip(self._cuda, other._cuda, strict=True)),
            "NumPy": self._numpy[2] == other._numpy[2] and np.array_equal(self._numpy[1], other._numpy[1]),
            "Python": self._python == other._python,
        }
        return {name for name, is_same in same.items() if not is_same}

    def restore(self) -> None:
        """Put the state back."""
        torch.set_rng_state(self._torch)
        if self._cuda:
            torch.cuda.set_rng_state_all(self._cuda)
        np.random.set_state(self._numpy)  # noqa: NPY002
        random.setstate(self._python)


@contextlib.contextmanager
def random_state_kept(is_needed: bool = True) -> Iterator[RandomState | None]:
    """Leave the random state as it is now, where that is needed: other threads may draw meanwhile.

    Yields
    ------
    RandomState or None
        The state now, where it is needed.
    """
    state = RandomState() if is_needed else None
    try:
        yield state
    finally:
        if state is not None:
            state.restore()


@contextlib.contextmanager
def unchanged(module: nn.Module, random_state: bool = True) -> Iterator[RandomState | None]:
    """Leave a module's state and the random state as they are now, whatever is called meanwhile.

    A lazy module keeps what its first call makes of it.

    Parameters
    ----------
    random_state : bool
        Whether the random state is put back: not where the calls don't draw, as other threads may draw meanwhile.

    Yields
    ------
    RandomState or None
        The random state now, where it is put back.
    """
    state = None if is_lazy(module) else ModuleState(module)
    with random_state_kept(random_state) as before:
        try:
            yield before
        finally:
            if state is not None:
                state.restore()


def is_lazy(module: nn.Module) -> bool:
    """Whether some weights get their shapes at the first call."""
    tensors = [*module.parameters(), *module.buffers()]
    return any(isinstance(tensor, UninitializedParameter | UninitializedBuffer) for tensor in tensors)


def copied(value: Any) -> Any:
    """Arguments of a call that the forward may write without an effect on the inputs."""
    return pytree.tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, value)


# --- a copy to call ---------------------------------------------------------------------------------------------


def replica(module: nn.Module, memo: dict[int, Any] | None = None) -> nn.Module:
    """A copy of a module that can be called without any effect on the original; nothing of it needs gradients.

    Attributes that can't be copied, an open file say, are shared. `memo` is filled with the copies, by the identity of
    what they are of, for `about_copies`.
    """
    module = getattr(module, "_orig_mod", module)  # of torch.compile
    memo = {} if memo is None else memo
    parts = list(module.modules())
    for part in parts:
        memo[id(part)] = type(part).__new__(type(part))
    for part in parts:
        for tensor in [*part._parameters.values(), *part._buffers.values()]:
            if tensor is not None and id(tensor) not in memo:
                memo[id(tensor)] = _copied_tensor(tensor)
    for part in parts:
        made = memo[id(part)]
        for name, value in part.__dict__.items():
            made.__dict__[name] = _copied(value, memo)
    return memo[id(module)]


def about_copies(function: Any, memo: dict[int, Any]) -> Any:
    """A function about the copies that `replica` made, where it is written in Python and closes over what is copied."""
    return _rebound(function, memo) if isinstance(function, types.FunctionType) else function


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, torch.Tensor):
        made: Any = _copied_tensor(value)
    elif type(value) in (dict, collections.OrderedDict):
        made = memo[id(value)] = type(value)()
        made.update((key, _copied(inner, memo)) for key, inner in value.items())
    elif type(value) is list:
        made = memo[id(value)] = []
        made.extend(_copied(inner, memo) for inner in value)
    elif type(value) in (tuple, set):
        made = type(value)(_copied(inner, memo) for inner in value)
    elif isinstance(value, types.FunctionType) and value.__closure__:
        return _rebound(value, memo)
    elif isinstance(value, functools.partial):
        made = functools.partial(
            _copied(value.func, memo),
            *_copied(value.args, memo),
            **_copied(value.keywords, memo),
        )
    else:
        try:
            made = copy.deepcopy(value, memo)
        except Exception:
            made = value  # an attribute of any class may refuse, each in its own way
    memo[id(value)] = made
    return made


def _rebound(function: types.FunctionType, memo: dict[int, Any]) -> types.FunctionType:
    """The same function, about the copies of what it closes over."""

    def cell(given: types.CellType) -> types.CellType:
        try:
            value = given.cell_contents
        except ValueError:  # not yet filled
            return given
        if isinstance(value, types.FunctionType) and id(value) not in memo:
            _rebound(value, memo)
        return types.CellType(memo[id(value)]) if id(value) in memo else given

    memo[id(function)] = function  # it may close over itself
    cells = tuple(cell(given) for given in function.__closure__ or ())
    if all(made is given for made, given in zip(cells, function.__closure__ or (), strict=True)):
        return function
    made = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    made.__kwdefaults__ = function.__kwdefaults__
    memo[id(function)] = made
    return made


def _copied_tensor(tensor: torch.Tensor) -> torch.Tensor:
    made = tensor.detach().clone()
    return nn.Parameter(made, requires_grad=False) if isinstance(tensor, nn.Parameter) else made


def _is_plain_object(value: Any) -> bool:
    """Whether it keeps its state in attributes that Python wrote: no class, function, module or extension type."""
    if isinstance(value, type | types.ModuleType | types.FunctionType | types.MethodType):
        return False
    return hasattr(value, "__dict__") and not type(value).__module__.startswith(
        ("torch", "numpy", "builtins")
    )
