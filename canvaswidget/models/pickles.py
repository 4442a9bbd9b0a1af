"""Take the tensors out of a ``torch.save`` file without running anything in it.

``torch.load(weights_only=True)`` refuses training checkpoints whose configuration is made of classes that are not
installed (OmegaConf, Lightning's ``AttributeDict``, ...). This reader replaces every class it does not know by an
empty stand-in, imports nothing, and refuses names of the standard library that no checkpoint needs.
"""

from __future__ import annotations

import _compat_pickle
import collections
import io
import math
import pickle
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from canvaswidget.models.pickle_programs import check_program

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
    "zoneinfo",
    "enum",
    "types.SimpleNamespace",
    "uuid",
    "decimal",
    "fractions",
    "functools",
    "collections",
    "ipaddress",
    "builtins.range",
    "builtins.Ellipsis",
    "builtins.NotImplemented",
    "copyreg._reconstructor",
    "random.Random",
    "string.Template",
    "logging.Logger",
    "logging.getLogger",
    "array.array",
    "array._array_reconstructor",
}
_STORAGES = {
    "Double": torch.float64,
    "Float": torch.float32,
    "Half": torch.float16,
    "BFloat16": torch.bfloat16,
    "Long": torch.int64,
    "Int": torch.int32,
    "Short": torch.int16,
    "Char": torch.int8,
    "Byte": torch.uint8,
    "Bool": torch.bool,
    "ComplexDouble": torch.complex128,
    "ComplexFloat": torch.complex64,
    "Untyped": torch.uint8,
}
# Functions of torch that rebuild tensors with another layout than rows of numbers, and what to call it.
_OTHER_LAYOUTS = {
    "_rebuild_sparse_tensor": "sparse",
    "_rebuild_sparse_csr_tensor": "sparse",
    "_rebuild_qtensor": "quantised by torch",
    "_rebuild_nested_tensor": "nested",
    "_rebuild_meta_tensor_no_storage": "without data (device meta)",
    "_rebuild_device_tensor_from_numpy": "of another device",
    "_rebuild_device_tensor_from_cpu_tensor": "of another device",
    "_rebuild_wrapper_subclass": "a tensor subclass",
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


@dataclass(frozen=True)
class Unreadable:
    """A tensor of the file that this reader does not rebuild, and the reason."""

    reason: str


def read_pickle(path: Path) -> Any:
    """The content of a ``torch.save`` file (zip format, torch 1.6 or later), on the CPU.

    Tensors that can't be rebuilt are instances of `Unreadable`.

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
            _check_sizes(archive, path)
            program = archive.read(entry)
            check_program(program)
            return _TensorUnpickler(io.BytesIO(program), archive, entry.removesuffix("data.pkl")).load()
    except UnsafeCheckpointError as error:
        raise UnsafeCheckpointError(f"path={str(path)!r}: {error}") from None
    except Exception as error:
        # A damaged or hostile pickle can make the unpickler raise anything.
        raise ValueError(
            f"path={str(path)!r}: neither safetensors nor a readable file of torch.save (1.6 or later): {error}"
        ) from error


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Raise where the entries hold more bytes than the file: torch.save neither compresses nor shares data."""
    stored, size = sum(entry.file_size for entry in archive.infolist()), path.stat().st_size
    if stored > size:
        raise ValueError(
            f"its entries hold {stored:,} bytes in a file of {size:,}; torch.save does not compress. Unpack it with "
            "torch.load where it was made, and save it again"
        )


class _TensorUnpickler(pickle.Unpickler):
    def __init__(self, stream: Any, archive: zipfile.ZipFile, prefix: str) -> None:
        super().__init__(stream, encoding="latin1")
        self._archive = archive
        self._prefix = prefix
        self._storages: dict[str, torch.Tensor] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        module_name, global_name = _current_name(module_name, global_name)
        name = f"{module_name}.{global_name}"
        if name in _KNOWN:
            return _KNOWN[name]
        if module_name == "builtins" and global_name in _BUILTINS:
            return _BUILTINS[global_name]
        if module_name == "torch._utils" and global_name in _OTHER_LAYOUTS:
            return _unreadable(f"is {_OTHER_LAYOUTS[global_name]}")
        if module_name in ("torch", "torch.storage"):
            return _dtype_of(global_name) or StandIn
        if module_name.split(".")[0] in _STANDARD_LIBRARY and not {module_name, name} & _INERT:
            raise UnsafeCheckpointError(
                f"its pickle names {name}, which runs code and which no checkpoint needs. Nothing was run. "
                "Do not open this file with pickle"
            )
        return StandIn

    def persistent_load(self, pid: Any, /) -> torch.Tensor | Unreadable:
        """A storage ``("storage", type, key, location, size)`` as a flat tensor."""
        _, dtype, key, _, _ = pid
        if not isinstance(dtype, torch.dtype):
            return Unreadable("has numbers of a type that is not read; save it as float32")
        if key not in self._storages:
            data = bytearray(self._archive.read(f"{self._prefix}data/{key}"))
            self._storages[key] = torch.frombuffer(data, dtype=torch.uint8) if data else torch.empty(0).byte()
        storage = self._storages[key]
        return storage[: len(storage) // dtype.itemsize * dtype.itemsize].view(dtype)


def _current_name(module_name: str, global_name: str) -> tuple[str, str]:
    """The name of today for one of Python 2, which ``torch.save`` writes: ``commands`` is ``subprocess``."""
    found = _compat_pickle.NAME_MAPPING.get((module_name, global_name))
    return found or (_compat_pickle.IMPORT_MAPPING.get(module_name, module_name), global_name)


def _plain_dict(*_: Any) -> dict[Any, Any]:
    return {}


def _plain_list(items: Any = (), *_: Any) -> list[Any]:
    return list(items) if isinstance(items, list | tuple) else []


def _bytes(value: Any = b"", encoding: Any = "latin1", *_: Any) -> bytes:
    """Bytes as the older protocols write them: text and the name of an encoding. A length makes none."""
    if isinstance(value, str) and encoding in ("latin1", "latin-1", "ascii", "utf-8", "utf8"):
        return value.encode(encoding)
    return bytes(value) if isinstance(value, bytes | bytearray | list | tuple) else b""


def _rebuild_tensor(
    storage: torch.Tensor | Unreadable, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> torch.Tensor | Unreadable:
    if isinstance(storage, Unreadable):
        return storage
    if math.prod(size) > storage.numel():
        # A few bytes can claim to be a tensor of any size; none of that is copied.
        return Unreadable(
            f"is a view {tuple(size)} of a storage of {storage.numel():,} numbers; save tensor.contiguous()"
        )
    # as_strided checks the bounds: a forged size cannot read beyond the storage. Tensors of one storage share it, so
    # that many of them take no more memory than the file.
    return torch.as_strided(storage, tuple(size), tuple(stride), offset)


def _rebuild_tensor_of_type(
    storage: torch.Tensor | Unreadable,
    offset: int,
    size: tuple[int, ...],
    stride: tuple[int, ...],
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    *_: Any,
) -> torch.Tensor | Unreadable:
    """A tensor of a type that has no storage class of that name, such as float8 and uint16."""
    if isinstance(storage, Unreadable) or not isinstance(dtype, torch.dtype):
        return Unreadable("has numbers of a type that this torch does not know")
    return _rebuild_tensor(storage.view(dtype), offset, size, stride)


def _rebuild_parameter(data: Any, *_: Any) -> Any:
    return data


def _rebuild_subclass(function: Any, kind: Any, arguments: Any, *_: Any) -> Any:
    """The plain tensor inside of an instance of a subclass; `function` is one of ours, or a stand-in."""
    rebuilt = function(*arguments) if function in _REBUILDERS else None
    return rebuilt if isinstance(rebuilt, torch.Tensor) else Unreadable("is a tensor subclass")


def _unreadable(reason: str) -> Callable[..., Unreadable]:
    return lambda *_: Unreadable(f"{reason}; save it as a dense tensor of numbers")


_REBUILDERS = (_rebuild_tensor, _rebuild_tensor_of_type, _rebuild_parameter)
_KNOWN: dict[str, Any] = {
    "collections.OrderedDict": collections.OrderedDict,
    "collections.defaultdict": _plain_dict,
    "collections.Counter": collections.Counter,
    "collections.deque": _plain_list,
    "_codecs.encode": _bytes,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "torch._utils._rebuild_tensor": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": _rebuild_tensor,
    "torch._utils._rebuild_tensor_v3": _rebuild_tensor_of_type,
    "torch._utils._rebuild_parameter": _rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": _rebuild_parameter,
    "torch._tensor._rebuild_from_type_v2": _rebuild_subclass,
    "torch.Size": tuple,
    "torch.device": str,
}


def _dtype_of(name: str) -> torch.dtype | None:
    """The element type of ``FloatStorage`` and the like, or the type that ``torch.float32`` names."""
    if name.endswith("Storage"):
        return _STORAGES.get(name.removesuffix("Storage"))
    value = getattr(torch, name, None)
    return value if isinstance(value, torch.dtype) else None
