"""Weights that are saved are loaded, from files of every kind."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import fractions
import sys
import types
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.models import (
    FFN,
    SIREN,
    HNeRVDecoder,
    NeRV,
    load_model,
    load_weights,
    save_model,
)
from tests.models.small_models import small_models


@pytest.mark.parametrize("model", small_models(), ids=lambda model: type(model).__name__)
def test_what_is_saved_is_loaded(model: nn.Module, tmp_path: Path) -> None:
    loaded = load_model(save_model(model, tmp_path / "model.safetensors"))
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    assert not loaded.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


@pytest.mark.parametrize("wrap", [dict, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}])
@pytest.mark.parametrize("prefix", ["", "model.", "module.", "_orig_mod.model."])
def test_torch_files(wrap: Any, prefix: str, tmp_path: Path) -> None:
    model = FFN(hidden=7)
    torch.save(wrap({prefix + name: value for name, value in model.state_dict().items()}), tmp_path / "m.pt")
    loaded = load_model(tmp_path / "m.pt")
    assert torch.equal(loaded.net[0].linear.weight, model.net[0].linear.weight)


def test_dtypes_views_and_parameters(tmp_path: Path) -> None:
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    tensors = {
        "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(),
        "double": torch.randn(2, 2).double(),
        "long": torch.arange(5),
        "flag": torch.tensor([True, False]),
        "view": base[1:3, ::2],
        "transposed": base.T,
        "scalar": torch.tensor(3.0),
        "empty": torch.empty(0, 4),
        "parameter": nn.Parameter(torch.randn(3)),
    }
    torch.save(tensors, tmp_path / "m.pt")
    loaded = load_weights(tmp_path / "m.pt")
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor.detach()), name


def test_a_lightning_checkpoint_that_names_missing_classes(reference: Path) -> None:
    before = set(sys.modules)
    weights = load_weights(reference / "ffn_cityscapes.ckpt")
    assert not {name.split(".")[0] for name in set(sys.modules) - before} & {
        "omegaconf",
        "lightning",
        "pytorch_lightning",
    }
    safe = load_weights(reference / "ffn_cityscapes.safetensors")
    assert weights.keys() == safe.keys()
    assert all(torch.equal(weights[name], safe[name]) for name in safe)


def test_hyperparameters_of_classes_that_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = types.ModuleType("gone")

    class AttributeDict(dict):
        pass

    class Config:
        def __init__(self) -> None:
            self.width = 7

    for kind in (AttributeDict, Config):
        kind.__module__, kind.__qualname__ = "gone", kind.__name__
        setattr(gone, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, "gone", gone)
    content = {
        "state_dict": FFN(hidden=7).state_dict(),
        "hyper_parameters": AttributeDict(
            lr=1e-3, config=Config(), paths=[Path("x")], n=argparse.Namespace(a=1)
        ),
        "callbacks": collections.defaultdict(dict, a={"b": 1}),
    }
    torch.save(content, tmp_path / "m.ckpt")
    monkeypatch.delitem(sys.modules, "gone")
    assert load_weights(tmp_path / "m.ckpt")["net.0.linear.bias"].shape == (7,)
    assert "gone" not in sys.modules


def test_errors_name_what_was_given(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"path='nowhere\.pt'"):
        load_model("nowhere.pt")
    torch.save({"epoch": 3}, tmp_path / "empty.pt")
    with pytest.raises(ValueError, match="no state dict"):
        load_model(tmp_path / "empty.pt")
    torch.save(nn.Linear(2, 3).state_dict(), tmp_path / "other.pt")
    with pytest.raises(ValueError, match=r"weight, bias.*load_weights"):
        load_model(tmp_path / "other.pt")
    torch.save(NeRV(fc_dim=5, fc_hw="2_2", dec_strds=[2]).state_dict(), tmp_path / "nerv.pt")
    with pytest.raises(ValueError, match=r"do not fit .*load_model\(path, name=value"):
        load_model(tmp_path / "nerv.pt", fc_hw="2_2", dec_strds=[3])
    assert isinstance(load_model(tmp_path / "nerv.pt", fc_dim=5, fc_hw="2_2", dec_strds=[2]), NeRV)
    with pytest.raises(TypeError, match="model=Linear"):
        save_model(nn.Linear(2, 3), tmp_path / "x.safetensors")


def test_parameter_names_of_the_public_repositories() -> None:
    ffn, siren, nerv, hnerv = (set(model.state_dict()) for model in small_models())
    assert {"positional_encoding.B", "net.0.linear.weight", "net.2.linear.bias"} <= ffn
    assert {"net.0.linear.weight", "net.1.linear.bias", "net.2.weight"} <= siren
    for names in (nerv, hnerv):
        assert {
            "decoder.0.conv.downconv.weight",
            "decoder.1.conv.upconv.0.bias",
            "head_layer.weight",
        } <= names
    assert {f"net.{i}.linear.{kind}" for i in range(3) for kind in ("weight", "bias")} | {
        "positional_encoding.B"
    } == ffn


def test_wrong_arguments_of_models() -> None:
    with pytest.raises(ValueError, match="layers=1"):
        FFN(layers=1)
    with pytest.raises(ValueError, match="layers=1"):
        SIREN(layers=1)
    with pytest.raises(ValueError, match="act='rleu'"):
        NeRV(act="rleu")
    with pytest.raises(ValueError, match="embed='grid_3_4'"):
        NeRV(embed="grid_3_4")
    with pytest.raises(ValueError, match="out_bias='relu'"):
        HNeRVDecoder(out_bias="relu")
    with pytest.raises(ValueError, match="convention='all'"):
        cw.models.coordinate_grid((2, 2), "all")


def test_outputs_are_squashed_as_asked() -> None:
    torch.manual_seed(0)
    embedding = torch.randn(1, 4, 2, 3)
    raw = HNeRVDecoder(4, fc_dim=6, dec_strds=[2], out_bias=0.0)
    for name, squash in (("tanh", lambda v: torch.tanh(v) / 2 + 0.5), ("sigmoid", torch.sigmoid)):
        squashed = HNeRVDecoder(4, fc_dim=6, dec_strds=[2], out_bias=name)
        squashed.load_state_dict(raw.state_dict())
        assert torch.allclose(squashed(embedding), squash(raw(embedding)))


# --- what honest files hold ---------------------------------------------------------------------------------------


def test_every_plain_type_of_torch_is_read_as_it_is(tmp_path: Path) -> None:
    tensors = {
        "complex": torch.randn(3, dtype=torch.complex64),
        "complex double": torch.randn(2, 2, dtype=torch.complex128),
        "float8": torch.randn(5).to(torch.float8_e4m3fn),
        "uint16": torch.arange(5).to(torch.uint16),
        "uint32": torch.arange(5).to(torch.uint32),
        "parameter": nn.Parameter(torch.randn(3, dtype=torch.complex64)),
        "view": torch.randn(4, 6, dtype=torch.complex64)[1:3, ::2],
    }
    torch.save(tensors, tmp_path / "m.pt")
    loaded = load_weights(tmp_path / "m.pt")
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        same = loaded[name].contiguous().view(torch.uint8), tensor.detach().contiguous().view(torch.uint8)
        assert torch.equal(*same), name


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (torch.eye(3).to_sparse(), "sparse"),
        (torch.eye(3).to_sparse_csr(), "sparse"),
        (torch.quantize_per_tensor(torch.randn(3), 0.1, 0, torch.qint8), "quantised by torch"),
        (torch.empty(3, device="meta"), "device meta"),
        (torch.zeros(1).expand(1000), r"tensor\.contiguous\(\)"),
    ],
    ids=["sparse", "csr", "quantised", "meta", "expanded"],
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_tensor_that_is_not_rebuilt_is_named(tensor: torch.Tensor, word: str, tmp_path: Path) -> None:
    torch.save({"fine": torch.ones(2), "odd one": tensor}, tmp_path / "m.pt")
    with pytest.raises(ValueError, match=rf"1 of its tensors can't be read; 'odd one' .*{word}"):
        load_weights(tmp_path / "m.pt")


def test_plain_values_beside_the_weights_are_accused_of_nothing(tmp_path: Path) -> None:
    content = {
        "state_dict": FFN(hidden=7).state_dict(),
        "best": np.float64(31.5),
        "step": np.int64(3),
        "array": np.arange(4),
        "bytes": b"abc\xff",
        "bytearray": bytearray(b"xyz"),
        "seen": collections.Counter("aab"),
        "last": collections.deque([1, 2], maxlen=4),
        "chain": collections.ChainMap({}),
        "when": datetime.datetime(2026, 1, 2, 3, 4, tzinfo=datetime.UTC),
        "took": datetime.timedelta(seconds=3),
        "price": decimal.Decimal("1.5"),
        "part": fractions.Fraction(1, 3),
        "range": range(3),
        "set": {1, 2},
        "frozen": frozenset({1}),
        "dots": ...,
        "complex": 1 + 2j,
        "path": Path("x"),
        "id": uuid.UUID(int=3),
        "type": np.dtype("float32"),
        "random": np.random.default_rng(0).bit_generator.state,
    }
    for protocol in (2, 3, 4, 5):
        torch.save(content, tmp_path / "m.pt", pickle_protocol=protocol)
        assert "net.0.linear.bias" in load_weights(tmp_path / "m.pt")


def test_weights_that_are_stored_as_whole_numbers(tmp_path: Path) -> None:
    """``{"quant", "min", "scale"}`` a tensor, as the HNeRV repository quantises a model."""
    weights = FFN(hidden=7).state_dict()
    stored = {}
    for name, tensor in weights.items():
        low = tensor.amin(-1, keepdim=True) if tensor.ndim > 1 else tensor.amin()
        scale = ((tensor.amax(-1, keepdim=True) if tensor.ndim > 1 else tensor.amax()) - low) / 255
        stored[name] = {"quant": ((tensor - low) / scale).round().byte(), "min": low, "scale": scale}
    torch.save({"embed": {}, "model": stored}, tmp_path / "q.pt")
    loaded = load_model(tmp_path / "q.pt")
    for name, tensor in weights.items():
        assert (loaded.state_dict()[name] - tensor).abs().max() <= stored[name]["scale"].max() / 2 * 1.001
    stored["net.0.linear.bias"]["min"] = torch.zeros(5)
    torch.save({"model": stored}, tmp_path / "q.pt")
    with pytest.raises(ValueError, match=r"'net\.0\.linear\.bias' is quantised with a min \(5,\)"):
        load_weights(tmp_path / "q.pt")


@pytest.mark.parametrize("parts", [("quant", "min", "step"), ("q", "zero_point", "scale")])
@pytest.mark.parametrize("every", [True, False])
def test_weights_quantised_in_another_form_are_not_left_out(
    parts: tuple[str, str, str], every: bool, tmp_path: Path
) -> None:
    stored: dict[str, Any] = dict(FFN(hidden=7).state_dict())
    for name in stored if every else ["net.0.linear.weight"]:
        numbers = torch.zeros(stored[name].shape, dtype=torch.uint8)
        stored[name] = dict(zip(parts, (numbers, torch.zeros(1), torch.ones(1)), strict=True))
    for content in (stored, {"state_dict": stored, "epoch": 3}):
        torch.save(content, tmp_path / "q.pt")
        with pytest.raises(
            ValueError, match=f"is stored as {', '.join(parts)}, which looks like.* quant, min and scale"
        ):
            load_weights(tmp_path / "q.pt")


def test_what_a_checkpoint_holds_beside_its_weights_is_left_out(tmp_path: Path) -> None:
    weights = FFN(hidden=7).state_dict()
    beside = {
        "scaler": {"scale": 65536.0, "growth_factor": 2.0},
        "average": {"step": torch.tensor(3), "shadow": torch.ones(5)},
    }
    torch.save({**weights, **beside}, tmp_path / "m.pt")
    assert load_weights(tmp_path / "m.pt").keys() == weights.keys()


def test_whole_numbers_are_not_taken_for_weights(tmp_path: Path) -> None:
    weights = FFN(hidden=7).state_dict()
    for odd, kind in ((torch.int8, "whole"), (torch.complex64, "complex")):
        changed = {**weights, "net.0.linear.bias": weights["net.0.linear.bias"].to(odd)}
        torch.save(changed, tmp_path / "m.pt")
        with pytest.raises(
            ValueError, match=rf"net\.0\.linear\.bias is \(7,\) of {kind} numbers in the file"
        ):
            load_model(tmp_path / "m.pt")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_long_honest_pickles_are_read(protocol: int, tmp_path: Path) -> None:
    settings = {
        "steps": list(range(3000)),
        "names": [f"n{i}" for i in range(3000)],
        "deep": [[[{"a": ((1,),)}]]],
    }
    weights = {f"layer{i}.weight": torch.full((1,), float(i)) for i in range(600)}
    torch.save({"state_dict": weights, "settings": settings}, tmp_path / "m.pt", pickle_protocol=protocol)
    found = load_weights(tmp_path / "m.pt")
    assert all(torch.equal(found[name], tensor) for name, tensor in weights.items())
    assert found.keys() == weights.keys()


def test_many_tensors_of_one_storage_take_the_memory_of_one(tmp_path: Path) -> None:
    weight = torch.arange(4096.0)
    torch.save({f"w{i}": weight for i in range(3000)}, tmp_path / "m.pt")
    found = load_weights(tmp_path / "m.pt")
    assert len({tensor.untyped_storage().data_ptr() for tensor in found.values()}) == 1
    quantised = {"quant": torch.zeros(4096, dtype=torch.uint8), "min": torch.zeros(1), "scale": torch.ones(1)}
    torch.save({f"w{i}": quantised for i in range(3000)}, tmp_path / "q.pt")
    with pytest.raises(ValueError, match="12,288,000 numbers, more than the file has bytes"):
        load_weights(tmp_path / "q.pt")


def test_a_prefix_may_be_long(tmp_path: Path) -> None:
    prefix = "model." * 20_000
    torch.save({f"{prefix}model.a": torch.zeros(1), f"{prefix}module.b": torch.zeros(1)}, tmp_path / "m.pt")
    assert set(load_weights(tmp_path / "m.pt")) == {"model.a", "module.b"}


def test_a_save_that_fails_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_model(FFN(hidden=7), tmp_path / "m.safetensors")
    before = path.read_bytes()

    def fail(*_: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        save_model(FFN(hidden=9), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["m.safetensors"]
