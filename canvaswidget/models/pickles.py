"""Take the tensors out of a ``torch.save`` file without running anything in it.

``torch.load(weights_only=True)`` refuses training checkpoints whose configuration is made of classes that are not
installed (OmegaConf, Lightning's ``AttributeDict``, ...). This reader replaces every class it does not know by an
empty stand-in, imports nothing, and refuses names of the standard library that no checkpoint needs.
"""

from __future__ import annotations

import _compat_pickle
import collections
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import torch

_STANDARD_LIBRARY = {*sys.stdlib_module_names, "posix", "nt"}
_BUILTINS = {
    kind.__name__: kind
    for kind in (dict, list, set, frozenset, tuple, int, float, bool, str, complex, slice, object)
}
# Inert names of the standard library that configurations are pickled with; they become stand-ins.
_INERT = {
    "typing",
    "pathlib",
    "argparse",
    "datetime",
    "enum",
    "types.SimpleNamespace",
    "uuid",
    "decimal",
    "functools",
}


class UnsafeCheckpointError(ValueError):
    """The file names something that runs code and that no checkpoint needs."""


class StandIn:
    """An object of a class we never import: takes anything, keeps nothing."""

    def __new__(cls, *arguments: Any, **keywords: Any) -> StandIn:
        return super().__new__(cls)

    def __init__(self, *arguments: Any, **keywords: Any) -> None: ...

    def __call__(self, *arguments: Any, **keywords: Any) -> StandIn:
        return StandIn()

    def __setstate__(self, state: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None: ...

    def append(self, value: Any) -> None: ...

    def extend(self, values: Any) -> None: ...

    def add(self, value: Any) -> None: ...


def read_pickle(path: Path) -> Any:
    """The content of a ``torch.save`` file (zip format, torch 1.6 or later), on the CPU.

    Raises
    ------
    UnsafeCheckpointError
        Its pickle names something that runs code. Nothing was run.
    ValueError
        It is not such a file, or a damaged one.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entry = next((name for name in archive.namelist() if name.endswith("/data.pkl")), None)
            if entry is None:
                raise ValueError("it has no data.pkl")
            with archive.open(entry) as stream:
                return _TensorUnpickler(stream, archive, entry.removesuffix("data.pkl")).load()
    except UnsafeCheckpointError as error:
        raise UnsafeCheckpointError(f"path={str(path)!r}: {error}") from None
    except Exception as error:
        # A damaged or hostile pickle can make the unpickler raise anything.
        raise ValueError(
            f"path={str(path)!r}: neither safetensors nor a readable file of torch.save (1.6 or later): {error}"
        ) from error


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: Any, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(stream, encoding="latin1")
        self._archive = archive
        self._prefix = prefix
        self._storages: dict[str, torch.Tensor] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        module_name, global_name = _current_name(module_name, global_name)
        name = f"{module_name}.{global_name}"
        if name == "collections.OrderedDict":
            return collections.OrderedDict
        if name == "collections.defaultdict":
            return _default_dict
        if module_name == "builtins" and global_name in _BUILTINS:
            return _BUILTINS[global_name]
        if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
            return _rebuild_tensor
        if name == "torch._utils._rebuild_parameter":
            return _rebuild_parameter
        if name in ("torch.Size", "torch.device"):
            return tuple if name == "torch.Size" else str
        if module_name in ("torch", "torch.storage"):
            return _dtype_of(global_name) or StandIn
        if module_name.split(".")[0] in _STANDARD_LIBRARY and not {module_name, name} & _INERT:
            raise UnsafeCheckpointError(
                f"its pickle names {name}, which runs code and which no checkpoint needs. Nothing was run. "
                "Do not open this file with pickle"
            )
        return StandIn

    def persistent_load(self, pid: Any, /) -> torch.Tensor:
        """A storage ``("storage", type, key, location, size)`` as a flat tensor."""
        _, dtype, key, _, _ = pid
        if not isinstance(dtype, torch.dtype):
            dtype = torch.uint8
        if key not in self._storages:
            data = bytearray(self._archive.read(f"{self._prefix}data/{key}"))
            self._storages[key] = torch.frombuffer(data, dtype=dtype) if data else torch.empty(0, dtype=dtype)
        return self._storages[key]


def _current_name(module_name: str, global_name: str) -> tuple[str, str]:
    """The name of today for one of Python 2, which ``torch.save`` writes: ``commands`` is ``subprocess``."""
    found = _compat_pickle.NAME_MAPPING.get((module_name, global_name))
    return found or (_compat_pickle.IMPORT_MAPPING.get(module_name, module_name), global_name)


def _default_dict(*_: Any) -> dict[Any, Any]:
    return {}


def _rebuild_tensor(
    storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> torch.Tensor:
    # as_strided checks the bounds: a forged size cannot read beyond the storage.
    return torch.as_strided(storage, tuple(size), tuple(stride), offset).clone()


def _rebuild_parameter(data: torch.Tensor, *_: Any) -> torch.Tensor:
    return data


def _dtype_of(name: str) -> torch.dtype | None:
    """The element type of ``FloatStorage`` and the like, or the type that ``torch.float32`` names."""
    if name.endswith("Storage"):
        words = {"Long": "int64", "Int": "int32", "Short": "int16", "Char": "int8", "Byte": "uint8"}
        words |= {
            "Double": "float64",
            "Float": "float32",
            "Half": "float16",
            "BFloat16": "bfloat16",
            "Bool": "bool",
        }
        name = words.get(name.removesuffix("Storage"), "uint8")
    value = getattr(torch, name, None)
    return value if isinstance(value, torch.dtype) else None
