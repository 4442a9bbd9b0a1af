"""Weights of strangers: nothing is run, and sizes are checked before memory is taken."""

from __future__ import annotations

import collections
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from canvaswidget.models import (
    FFN,
    UnsafeCheckpointError,
    load_model,
    load_weights,
)
from tests.models.small_models import small_models


class Exploit:
    """Pickles as a call of `function`."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def malicious() -> list[Any]:
    import os
    import subprocess

    return [
        pytest.param(os.system, ("touch {}",), id="os.system"),
        pytest.param(eval, ("open({!r}, 'w')",), id="eval"),
        pytest.param(exec, ("open({!r}, 'w')",), id="exec"),
        pytest.param(subprocess.check_call, (["touch", "{}"],), id="subprocess"),
        pytest.param(getattr, ("text", "upper"), id="getattr"),
        pytest.param(__import__, ("webbrowser",), id="import"),
    ]


@pytest.mark.parametrize(("function", "arguments"), malicious())
def test_a_malicious_pickle_is_refused_and_not_run(
    function: Any, arguments: tuple[Any, ...], tmp_path: Path
) -> None:
    mark = tmp_path / "executed"
    filled = [
        [part.format(mark) for part in one] if isinstance(one, list) else one.format(str(mark))
        for one in arguments
    ]
    torch.save({"state_dict": FFN(hidden=7).state_dict(), "x": Exploit(function, *filled)}, tmp_path / "m.pt")
    with pytest.raises(UnsafeCheckpointError, match="Nothing was run"):
        load_weights(tmp_path / "m.pt")
    assert not mark.exists()


def launch(*arguments: Any) -> None:
    raise AssertionError("it was run")


def test_a_call_of_anything_else_is_not_made(tmp_path: Path) -> None:
    """Names outside the standard library become stand-ins, which do nothing when called."""
    torch.save({"state_dict": FFN(hidden=7).state_dict(), "x": Exploit(launch, 1)}, tmp_path / "m.pt")
    assert "net.0.linear.bias" in load_weights(tmp_path / "m.pt")


def test_a_forged_tensor_cannot_read_beyond_its_storage(tmp_path: Path) -> None:
    class Forged:
        def __reduce__(self) -> Any:
            tensor = torch.ones(2)
            return torch._utils._rebuild_tensor_v2, (
                torch.storage.TypedStorage(
                    wrap_storage=tensor.untyped_storage(), dtype=tensor.dtype, _internal=True
                ),
                0,
                (10**6,),
                (1,),
                False,
                collections.OrderedDict(),
            )

    torch.save({"w": Forged()}, tmp_path / "m.pt")
    with pytest.raises(ValueError, match="storage"):
        load_weights(tmp_path / "m.pt")


@pytest.mark.parametrize(
    "content", [b"", b"not a checkpoint", b"\x80\x02}q\x00.", b"PK\x03\x04 broken zip", b"\x00" * 100]
)
def test_what_is_no_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file.pt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"path='.*file\.pt'"):
        load_weights(path)


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    torch.save({"w": torch.zeros(10**6)}, tmp_path / "m.pt")
    with zipfile.ZipFile(tmp_path / "m.pt") as source, zipfile.ZipFile(tmp_path / "z.pt", "w") as packed:
        for entry in source.namelist():
            packed.writestr(entry, source.read(entry), zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="does not compress"):
        load_weights(tmp_path / "z.pt")


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("ffn", {"hidden": 10**6, "layers": 10}),
        ("ffn", {"n_frequencies": 10**9}),
        ("ffn", {"layers": 10**9}),
        ("siren", {"hidden": 10**6, "layers": 10}),
        ("nerv", {"fc_dim": 10**6}),
        ("nerv", {"embed": "pe_1.25_10000000000"}),
        ("nerv", {"dec_strds": [2] * 10**5}),
        ("nerv", {"fc_hw": "100000_100000"}),
        ("hnerv", {"fc_dim": 10**6}),
        ("ffn", {"hidden": "wide"}),
        ("ffn", {"layers": -3}),
        ("ffn", {"hidden": [1, 2]}),
        ("nerv", {"embed": 3}),
        ("nerv", {"dec_strds": 2}),
    ],
)
def test_a_configuration_that_does_not_fit_takes_no_memory(
    family: str, config: dict[str, Any], tmp_path: Path
) -> None:
    model = next(m for m in small_models() if type(m).__name__.lower().startswith(family))
    path = tmp_path / "m.safetensors"
    metadata = {"family": family, "config": json.dumps({**model.config, **config})}
    save_file(dict(model.state_dict()), path, metadata=metadata)
    with pytest.raises(ValueError, match=r"path=.*m\.safetensors"):
        load_model(path)


def test_a_safetensors_file_with_a_type_that_is_unknown(tmp_path: Path) -> None:
    header = json.dumps({"w": {"dtype": "F9", "shape": [2], "data_offsets": [0, 2]}}).encode()
    (tmp_path / "m.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(ValueError, match="not a valid safetensors file"):
        load_weights(tmp_path / "m.safetensors")


def packed(tmp_path: Path, program: bytes, **entries: bytes) -> Path:
    """A file of torch.save with this pickle in it."""
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x/data.pkl", program)
        for name, data in entries.items():
            archive.writestr(f"x/data/{name}", data)
    return path


NESTED = 100_000
PROGRAMS = {
    "a number of an object, in bytes": (
        b"\x80\x02Nr" + (2**31 - 1).to_bytes(4, "little") + b".",
        "the number 2,147",
    ),
    "a number of an object, in text": (b"\x80\x02Np134217728\n.", "the number 134,217,728"),
    "a tuple in a tuple as a key": (b"\x80\x02}N" + b"\x85" * NESTED + b"Ns.", "nests objects"),
    "a set in a set": (
        b"\x80\x02}cbuiltins\nfrozenset\nq\x00" + b"h\x00" * 999 + b"N" + b"\x85\x85R" * 1000 + b"Ns.",
        "nests objects",
    ),
    "by way of a list that was numbered before": (
        b"\x80\x02}" + b"]q\x00N" + b"\x85" * NESTED + b"a0h\x00\x85Ns.",
        "nests objects",
    ),
    "as an element of a set": (b"\x80\x04\x8f(N" + b"\x85" * NESTED + b"\x90.", "nests objects"),
    "bytes of any number": (
        b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b".",
        "expected 1099511627776 bytes",
    ),
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_pickle_takes_no_memory_or_stack_out_of_proportion(what: str, tmp_path: Path) -> None:
    program, words = PROGRAMS[what]
    with pytest.raises(ValueError, match=words):
        load_weights(packed(tmp_path, program))


def outcome(path: Path) -> str:
    """The error of a file that can't be read; empty where it can."""
    try:
        load_weights(path)
    except (ValueError, UnsafeCheckpointError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("seed", range(3))
def test_pickles_changed_at_random_run_nothing(seed: int, tmp_path: Path) -> None:
    """A program that calls `os.system`, with some bytes changed, left out, doubled or exchanged."""
    import os

    chance, mark = random.Random(seed), tmp_path / "executed"
    torch.save({"w": torch.ones(3), "x": Exploit(os.system, f"touch {mark}")}, tmp_path / "whole.pt")
    with zipfile.ZipFile(tmp_path / "whole.pt") as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
        program = archive.read(name)
    assert "Nothing was run" in outcome(tmp_path / "whole.pt")
    for _ in range(80):
        changed = bytearray(program)
        for _ in range(chance.randint(1, 4)):
            start = chance.randrange(len(changed))
            end = start + chance.randint(1, 6)
            changed[start:end] = chance.choice(
                [b"", changed[start:end] * 2, chance.randbytes(end - start), changed[:3], b"R", b"\x81"]
            )
        path = packed(tmp_path, bytes(changed))
        words = outcome(path)
        assert not words or f"path={str(path)!r}" in words, (bytes(changed), words)
        assert not mark.exists(), bytes(changed)


def test_safetensors_changed_at_random_are_read_or_named(tmp_path: Path) -> None:
    chance, path = random.Random(0), tmp_path / "m.safetensors"
    save_file({"w": torch.ones(3, 2), "b": torch.ones(3)}, path, metadata={"family": "ffn"})
    whole = path.read_bytes()
    for _ in range(200):
        changed = bytearray(whole[: chance.choice([len(whole), chance.randrange(len(whole))])])
        for _ in range(chance.randint(0, 3)):
            if changed:
                changed[chance.randrange(len(changed))] = chance.randrange(256)
        path.write_bytes(bytes(changed))
        words = outcome(path)
        assert not words or f"path={str(path)!r}" in words, words
