"""Load and save weights without ever running code from the file."""

from __future__ import annotations

import inspect
import itertools
import json
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from canvaswidget.arguments import checked
from canvaswidget.files import write_whole
from canvaswidget.models.ffn import FFN
from canvaswidget.models.nerv import HNeRVDecoder, NeRV
from canvaswidget.models.pickles import Unreadable, read_pickle
from canvaswidget.models.siren import SIREN

FAMILIES: dict[str, type[nn.Module]] = {"ffn": FFN, "siren": SIREN, "nerv": NeRV, "hnerv": HNeRVDecoder}

_QUANTISED = {"quant", "min", "scale"}  # the parts of a quantised tensor, as HNeRV stores it
_STEPS = {"scale", "scales", "step", "zero_point", "zero"}  # of a quantised tensor in other forms


@checked
def load_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """Read the tensors of a checkpoint, on the CPU.

    Parameters
    ----------
    path : str or Path
        A safetensors file, a ``torch.save`` file of a state dict, or a training checkpoint (Lightning or the
        like) that holds one under ``state_dict``, ``model_state_dict`` or ``model``. Tensors that are stored as
        ``{"quant", "min", "scale"}``, as HNeRV quantises them, become ``min + scale * quant``.

    Returns
    -------
    dict of str to torch.Tensor
        The state dict. A prefix that all names share (``model.``, ``module.``) is removed.

    Raises
    ------
    FileNotFoundError
        Nothing is at `path`.
    UnsafeCheckpointError
        The file's pickle names something that runs code, such as ``os.system``. Nothing of it is run.
    ValueError
        The file holds no state dict, or one with tensors that can't be read, which it names.

    Notes
    -----
    Classes that the file names are never imported: each is replaced by an empty stand-in, and only the tensors
    are taken out.
    """
    path = _existing(path)
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:9] == b"{":
        return _read_safetensors(path)[0]
    return _without_prefix(_find_state_dict(read_pickle(path), path))


@checked
def load_model(path: str | Path, **config: Any) -> nn.Module:
    """Build the reference INR a file holds, with its weights.

    Parameters
    ----------
    path : str or Path
        See `load_weights`.
    **config
        Arguments of the model's class. They override the configuration stored in the file and are needed where
        the file has none and the shapes do not tell it (NeRV, HNeRV).

    Returns
    -------
    FFN, SIREN, NeRV or HNeRVDecoder
        In evaluation mode, on the CPU.

    Raises
    ------
    ValueError
        The weights belong to none of these, or do not fit the configuration.
    """
    path = _existing(path)
    weights = load_weights(path)
    stored = _read_safetensors(path)[1] if path.suffix == ".safetensors" else {}
    family = stored.pop("family", None) or _recognise(weights, {**stored, **config}, path)
    if family not in FAMILIES:
        raise ValueError(
            f"path={str(path)!r}: unknown family {family!r}; expected one of {', '.join(FAMILIES)}"
        )
    arguments = {**_from_shapes(family, weights), **_known(family, stored), **config}
    _check_fit(FAMILIES[family], arguments, weights, path)
    model = FAMILIES[family](**arguments)
    model.load_state_dict(weights)
    return model.eval()


def _check_fit(
    kind: type[nn.Module], arguments: Mapping[str, Any], weights: Mapping[str, torch.Tensor], path: Path
) -> None:
    """Raise ValueError where the arguments make a model of other weights; no memory is taken for any.

    A model on the device meta has shapes and no numbers, so that a file of a few bytes can't ask for gigabytes.
    """
    where = f"path={str(path)!r}: {kind.__name__}({_show(arguments)})"
    counts = [len(value) if isinstance(value, list | tuple) else value for value in arguments.values()]
    named = dict(zip(arguments, counts, strict=True))
    for name in ("layers", "dec_strds"):
        if isinstance(named.get(name), int) and named[name] > len(weights):
            raise ValueError(f"{where}: has more layers than the file has weights, {len(weights)}")
    try:
        with torch.device("meta"):
            expected = {name: _form(value) for name, value in kind(**arguments).state_dict().items()}
    except Exception as error:  # whatever a wrong configuration leads to
        raise ValueError(
            f"{where}: is no configuration of a model ({type(error).__name__}: {error})"
        ) from error
    given = {name: _form(value) for name, value in weights.items()}
    if expected == given:
        return
    missing, surplus = sorted(expected.keys() - given.keys()), sorted(given.keys() - expected.keys())
    differences = [
        *([f"the file has no {', '.join(missing[:3])}"] if missing else []),
        *([f"the model has no {', '.join(surplus[:3])}"] if surplus else []),
        *[
            f"{name} is {given[name]} in the file and {expected[name]} in the model"
            for name in expected.keys() & given.keys()
            if expected[name] != given[name]
        ][:3],
    ]
    raise ValueError(
        f"path={str(path)!r}: the weights do not fit {kind.__name__}({_show(arguments)}): "
        f"{'; '.join(differences)}. Give the arguments it was trained with, as load_model(path, name=value, ...)"
    )


def _form(tensor: torch.Tensor) -> str:
    """Shape and kind of number: copying whole or complex numbers into floats would change what they mean."""
    kind = "complex" if tensor.is_complex() else "floating" if tensor.is_floating_point() else "whole"
    return f"{tuple(tensor.shape)} of {kind} numbers"


@checked
def save_model(model: nn.Module, path: str | Path) -> Path:
    """Write a reference INR with its configuration as safetensors, readable by `load_model`."""
    family = next((name for name, kind in FAMILIES.items() if isinstance(model, kind)), None)
    if family is None:
        raise TypeError(
            f"model={type(model).__name__}: expected one of {', '.join(k.__name__ for k in FAMILIES.values())}; "
            "save other modules with safetensors.torch.save_file(model.state_dict(), path)"
        )
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
    if path.is_dir():
        raise IsADirectoryError(f"path={str(path)!r}: is a folder; expected a file")
    write_tensors(path, model.state_dict(), {"family": family, "config": json.dumps(model.config)})
    return path


def write_tensors(
    path: Path, tensors: Mapping[str, torch.Tensor], metadata: dict[str, str] | None = None
) -> None:
    """Write a state dict as safetensors, whole or not at all."""
    # Tensors that share memory, as tied weights do, are written twice: safetensors takes no shared ones.
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    write_whole(path, save(copies, metadata=metadata))


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path={str(path)!r}: no such file; expected a checkpoint")
    return path


def _show(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={reprlib.repr(value)}" for name, value in arguments.items())


def _read_safetensors(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            metadata = file.metadata() or {}
    except SafetensorError as error:
        raise ValueError(f"path={str(path)!r}: not a valid safetensors file: {error}") from None
    try:
        config = json.loads(metadata.get("config", "{}"))
    except json.JSONDecodeError as error:
        raise ValueError(f"path={str(path)!r}: its 'config' metadata is not JSON: {error}") from None
    if not isinstance(config, dict):
        raise ValueError(f"path={str(path)!r}: its 'config' metadata is not a JSON object")
    if "family" in metadata:
        config["family"] = metadata["family"]
    return tensors, config


def _find_state_dict(content: Any, path: Path) -> dict[str, torch.Tensor]:
    candidates = [content]
    if isinstance(content, Mapping):
        candidates = [content.get(key) for key in ("state_dict", "model_state_dict", "model")] + [content]
    for candidate in candidates:
        if not isinstance(candidate, Mapping):
            continue
        unreadable = {str(n): value for n, value in candidate.items() if isinstance(value, Unreadable)}
        if unreadable:
            name, value = next(iter(unreadable.items()))
            raise ValueError(
                f"path={str(path)!r}: {len(unreadable)} of its tensors can't be read; {name!r} {value.reason}"
            )
        _check_quantised(candidate, path)
        _check_parts(candidate, path)
        tensors = {
            str(name): tensor
            for name, value in candidate.items()
            if (tensor := _tensor(str(name), value, path)) is not None
        }
        if tensors:
            return tensors
    raise ValueError(f"path={str(path)!r}: holds no state dict (a mapping of names to tensors)")


def _check_quantised(candidate: Mapping[Any, Any], path: Path) -> None:
    """Raise where quantised tensors have more numbers than the file has bytes: they share them, and become floats."""
    quants = [value.get("quant") for value in candidate.values() if isinstance(value, Mapping)]
    count = sum(quant.numel() for quant in quants if isinstance(quant, torch.Tensor))
    if count > path.stat().st_size:
        raise ValueError(
            f"path={str(path)!r}: its quantised tensors have {count:,} numbers, more than the file has bytes, "
            f"{path.stat().st_size:,}"
        )


def _check_parts(candidate: Mapping[Any, Any], path: Path) -> None:
    """Raise where tensors are quantised in another form than the one that is read; they would be left out."""
    for name, value in candidate.items():
        if not isinstance(value, Mapping) or value.keys() >= _QUANTISED or not _STEPS & value.keys():
            continue
        tensors = [part for part in value.values() if isinstance(part, torch.Tensor)]
        if any(part.numel() > 1 and not part.is_floating_point() for part in tensors):
            raise ValueError(
                f"path={str(path)!r}: {str(name)!r} is stored as {', '.join(map(str, value))}, which looks like a "
                "quantised tensor. Of these, those with quant, min and scale are read, as min + scale * quant; save "
                "the others as the tensors that they stand for"
            )


def _tensor(name: str, value: Any, path: Path) -> torch.Tensor | None:
    """A tensor, or one that is stored as whole numbers with a minimum and a scale: ``min + scale * quant``."""
    if isinstance(value, torch.Tensor):
        return value
    if not isinstance(value, Mapping) or not value.keys() >= _QUANTISED:
        return None
    parts = [value[key] for key in ("quant", "min", "scale")]
    if not all(isinstance(part, torch.Tensor | int | float) for part in parts):
        raise ValueError(f"path={str(path)!r}: {name!r} has a quant, min or scale that is no tensor")
    quant, low, scale = (torch.as_tensor(part) for part in parts)
    try:
        if torch.broadcast_shapes(quant.shape, low.shape, scale.shape) != quant.shape:
            raise RuntimeError("they are larger than quant")
    except RuntimeError as error:
        raise ValueError(
            f"path={str(path)!r}: {name!r} is quantised with a min {tuple(low.shape)} and a scale "
            f"{tuple(scale.shape)} that do not fit quant {tuple(quant.shape)} ({error})"
        ) from None
    return low.float() + scale.float() * quant.float()


def _without_prefix(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    found = [re.match(r"(?:(?:model|module|_orig_mod)\.)*", name) for name in weights]
    prefixes = sorted(match[0].split(".") for match in found if match)
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(prefixes[0], prefixes[-1], strict=False))
    shared = "".join(f"{part}." for part, _ in alike if part)
    return {name.removeprefix(shared): tensor for name, tensor in weights.items()}


def _recognise(weights: Mapping[str, torch.Tensor], config: Mapping[str, Any], path: Path) -> str:
    if "positional_encoding.B" in weights:
        return "ffn"
    if "net.0.linear.weight" in weights:
        return "siren"
    if "head_layer.weight" in weights and "decoder.0.conv.downconv.weight" in weights:
        return "nerv" if str(config.get("embed", "")).startswith("pe") or "fc_hw" in config else "hnerv"
    some = ", ".join(list(weights)[:4])
    raise ValueError(
        f"path={str(path)!r}: its parameters ({some}, ...) are of none of {', '.join(FAMILIES)}. Build your own "
        "module, load_state_dict(canvaswidget.models.load_weights(path)), and wrap it in canvaswidget.INR."
    )


def _known(family: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """The stored configuration, less what the class does not take and the 'coords' remark of old files."""
    accepted = inspect.signature(FAMILIES[family]).parameters
    return {name: value for name, value in stored.items() if name in accepted}


def _from_shapes(family: str, weights: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    linear = [
        tensor for name, tensor in weights.items() if name.startswith("net.") and name.endswith(".weight")
    ]
    if family == "ffn" and linear:
        return {
            "hidden": linear[0].shape[0],
            "layers": len(linear),
            "channels": linear[-1].shape[0],
            "n_frequencies": weights["positional_encoding.B"].shape[0],
        }
    if family == "siren" and linear:
        return {"hidden": linear[0].shape[0], "layers": len(linear), "channels": linear[-1].shape[0]}
    return {}
