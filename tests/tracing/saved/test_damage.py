"""Damage of a saved canvas is noticed, and named."""

from __future__ import annotations

import copy
import functools
import json
import os
import random
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.tracing.saved import store
from tests.canvases import video
from tests.junk import DEEP, FOREIGN, JUNK
from tests.tracing.saved.files import content, edit, exchange, facts, flip, kept_maps, link


def paths(value: Any) -> list[list[Any]]:
    """Every place in a description."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [[], *([key, *path] for key, part in parts for path in paths(part))]


def outcome(file: Path) -> str:
    """The error of a file that can't be read; empty where it can."""
    try:
        kept_maps(cw.open(file))
    except (cw.SavedCanvasError, cw.NotKeptError, LookupError) as error:
        return str(error)
    return ""


def described(file: Path) -> dict[str, Any]:
    return json.loads((file / "zarr.json").read_text())["attributes"]["canvaswidget"]


def is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode("utf-8")
    except ValueError:
        return False
    return True


CHUNK = "layers/0/maps/c/0/0/0/0"
DAMAGE: dict[str, tuple[Any, str]] = {
    "a missing chunk": (lambda f: (content(f) / CHUNK).unlink(), f"{CHUNK} is missing"),
    "a truncated chunk": (lambda f: os.truncate(content(f) / CHUNK, 9), f"{CHUNK} has 9 of .* bytes"),
    "a changed chunk": (lambda f: flip(content(f) / CHUNK), "layers/0/maps can't be read"),
    "missing content": (lambda f: shutil.rmtree(content(f)), "is missing"),
    "no root": (lambda f: (f / "zarr.json").unlink(), "is no saved canvas"),
    "a truncated root": (lambda f: os.truncate(f / "zarr.json", 200), "damaged one: its zarr.json"),
    "an empty root": (lambda f: (f / "zarr.json").write_text("{}"), "is no saved canvas"),
    "another's root": (lambda f: facts(f, content="../.."), "not what canvas.save"),
    "no format": (lambda f: facts(f, format="one"), "not what canvas.save"),
    "no list of files": (lambda f: facts(f, files=None), "does not list its files"),
    "no size": (lambda f: facts(f, size=None), "description can't be read"),
    "another size": (lambda f: facts(f, size=[8, 8]), "can't be read .*and not"),
    "a changed root": (lambda f: flip(f / "zarr.json"), "its zarr.json"),
    "a changed description of an array": (
        lambda f: edit(content(f) / "frames/zarr.json", lambda d: d.update(fill_value=1.0)),
        "frames/zarr.json (has|was changed)",
    ),
    "a file outside": (lambda f: facts(f, files={"../../secret": 3}), "is no name of a file in it"),
    "an absolute file": (lambda f: facts(f, files={"/etc/hostname": 3}), "is no name of a file in it"),
    "a link": (lambda f: link(content(f) / CHUNK), f"{CHUNK} is a link"),
    "a linked folder": (lambda f: link(content(f) / "layers"), "layers is a link"),
    "a linked content": (lambda f: link(content(f)), "is a link"),
    "frames without end": (
        lambda f: facts(f, n_frames=10**12, frames=[2, 10**11]),
        "description can't be read",
    ),
    "a size in words": (lambda f: facts(f, files={CHUNK: "3"}, checksums={CHUNK: ""}), "without its size"),
    "no groups": (
        lambda f: facts(f, layers=[{**described(f)["layers"][0], "n_groups": 0}]),
        "description can't be read",
    ),
    "neurons that are not there": (
        lambda f: facts(f, clusters=[], layers=[{**one, "n_units": 1} for one in described(f)["layers"]]),
        "description can't be read .*holds neurons that layer",
    ),
    "counts that are none": (
        lambda f: facts(f, clusters=[{**described(f)["clusters"][0], "counts": 2**63}]),
        "description can't be read",
    ),
    "a frame of any size": (lambda f: facts(f, size=[10**9, 10**9]), "description can't be read"),
    "two chunks that were exchanged": (
        lambda f: exchange(f, CHUNK, CHUNK.replace("c/0", "c/1", 1)),
        f"{CHUNK} was changed after it was written",
    ),
    "a linked root": (lambda f: link(f / "zarr.json"), "is no saved canvas"),
    "no checksum of a file": (lambda f: facts(f, checksums={}), "does not have a checksum for each"),
    "a later version": (
        lambda f: facts(f, format=9, version="9.9"),
        r"in format 9, by a later version of canvaswidget \(9\.9\).*pip install --upgrade",
    ),
    "an earlier version": (
        lambda f: facts(f, format=store.FORMAT - 1, version="0.1"),
        r"in format \d, by an earlier version of canvaswidget \(0\.1\).*Trace the model and save it again",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_is_noticed(file: Path, what: str) -> None:
    spoil, words = DAMAGE[what]
    spoil(file)
    with pytest.raises(cw.SavedCanvasError, match=words) as raised:
        kept_maps(cw.open(file))
    assert str(file) in str(raised.value)
    assert re.search("again|expected|pip install", str(raised.value), re.IGNORECASE)


def test_an_earlier_version_is_replaced_but_never_read(canvas: cw.Canvas, file: Path) -> None:
    facts(file, format=1)
    with pytest.raises(cw.SavedCanvasError, match="in format 1"):
        cw.open(file)
    canvas.save(file, frames=[0], maps=1, overwrite=True, progress=False)
    assert cw.open(file).frames == (0,)
    assert len(list(file.iterdir())) == 2


def test_what_failed_when_maps_were_checked_is_kept(canvas: cw.Canvas, tmp_path: Path) -> None:
    fresh, layer = cw.trace(canvas.inr, device="cpu"), canvas.traced_layers[1].name
    fresh.trouble[layer] = "row and column do not agree"
    fresh.save(tmp_path / "x.zarr", frames=[0], maps=1, progress=False)
    saved = cw.open(tmp_path / "x.zarr")
    assert saved.trouble == fresh.trouble
    for said in (saved, saved.top(8, 16), saved.summary(layer)):
        assert "row and column do not agree" in repr(said)


def test_every_changed_bit_of_the_descriptions_is_noticed(file: Path) -> None:
    """Seeded: a bit of the root, or of an array's description, flipped in 300 copies of the file."""
    rng = np.random.default_rng(0)
    described = [file / "zarr.json", *content(file).rglob("zarr.json")]
    for trial in range(300):
        path = described[0] if trial % 2 else described[int(rng.integers(len(described)))]
        whole = path.read_bytes()
        data = bytearray(whole)
        data[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))
        with pytest.raises(cw.SavedCanvasError, match=re.escape(str(file))):
            cw.open(file)
        path.write_bytes(whole)
    cw.open(file)


def test_any_junk_in_the_description_is_noticed_or_harmless(file: Path) -> None:
    """Seeded, in every place: by somebody who knows the checksum, and need not be noticed where nothing goes wrong."""
    chance = random.Random(0)
    whole = (file / "zarr.json").read_text()
    facts_of_it = described(file)
    known = [path for path in paths(facts_of_it) if path[:1] not in ([], ["content"])]
    listed = [path for path in known if path[0] in ("files", "checksums")]
    junk = [one for one in JUNK if one is not DEEP and is_json(one)]
    for *above, last in [*(path for path in known if path not in listed), *chance.sample(listed, 10)]:
        for one in chance.sample(junk, 1):
            spoiled = copy.deepcopy(facts_of_it)
            functools.reduce(lambda part, key: part[key], above, spoiled)[last] = one
            (file / "zarr.json").write_text(store.root_text(spoiled))
            said = outcome(file)
            assert not said or str(file) in said or not FOREIGN.search(said), said
    (file / "zarr.json").write_text(whole)
    assert outcome(file) == ""


def test_a_chunk_that_goes_after_opening_is_no_zeros(file: Path) -> None:
    saved = cw.open(file)
    (content(file) / CHUNK).unlink()
    with pytest.raises(cw.SavedCanvasError, match="layers/0/maps can't be read .*is missing"):
        kept_maps(saved)
    canvas = cw.trace(video(), device="cpu")
    saved = cw.open(canvas.save(file.with_name("y.zarr"), frames=[0], maps=1, progress=False).path)
    canvas.save(file.with_name("y.zarr"), frames=[1], maps=1, overwrite=True, progress=False)
    with pytest.raises(cw.SavedCanvasError, match="was replaced by another save after it was opened"):
        saved.frame(0)


def test_a_clip_of_many_frames_takes_the_memory_of_those_kept(file: Path) -> None:
    facts(file, n_frames=2**19)
    saved = cw.open(file)
    assert saved.inr.truth[5].shape == (16, 32, 3)
    with pytest.raises(cw.NotKeptError, match="not kept on frame 3, only on 2, 5"):
        saved.inr.truth[3]


def test_nothing_but_plain_numbers_is_read(file: Path) -> None:
    array = content(file) / "frames" / "zarr.json"
    for change in (
        lambda d: d["codecs"].append({"name": "numcodecs.pickle", "configuration": {}}),
        lambda d: d.update(data_type="string"),
    ):
        text = array.read_text()
        edit(array, change)
        facts(file, files={}, checksums={})
        with pytest.raises(cw.SavedCanvasError, match="frames can't be read"):
            cw.open(file).frame(2)
        array.write_text(text)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"canvas\.save\(\)"):
        cw.open(tmp_path / "x.zarr")
    (tmp_path / "x.zarr").write_text("no")
    with pytest.raises(cw.SavedCanvasError, match="is no saved canvas"):
        cw.open(tmp_path / "x.zarr")
