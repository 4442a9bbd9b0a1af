"""Stores in a folder and at an address do the same; neither is ever seen half written."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.surveys import InUseError, SurveyError, places
from canvaswidget.surveys.places import Folder, Place, Remote, place_of
from canvaswidget.surveys.store import CANVAS, STARTS, count_start, forget_starts
from tests.surveys.networks import ffn
from tests.surveys.test_survey import WHAT, Here, done, jobs


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path) -> str:
    return str(tmp_path / "s.zarr") if request.param == "folder" else f"memory://{uuid.uuid4().hex}/s.zarr"


def test_an_address_is_a_folder_or_what_fsspec_knows(tmp_path) -> None:
    assert isinstance(place_of(tmp_path), Folder)
    assert isinstance(place_of(f"file://{tmp_path}"), Folder)
    assert isinstance(place_of("memory://x/s.zarr"), Remote)
    with pytest.raises(ValueError, match="nothing"):
        place_of("nothing://x")


def test_files_are_written_read_listed_and_removed(store) -> None:
    place = place_of(store)
    assert place.names() == []
    assert place.read("a") is None
    assert place.listed(".starts") == []
    place.write(".starts/a", b"1")
    place.write(".starts/a", b"2")
    place.write("b", b"3")
    assert place.listed(".starts") == ["a"]
    assert place.read(".starts/a") == b"2"
    assert place.read_all(["b", "c", ".starts/a"]) == {"b": b"3", ".starts/a": b"2"}
    assert place.read_all([]) == {}
    assert place.read_all(["b"]) == {"b": b"3"}
    assert place.read_all(["c"]) == {}
    place.remove("b")
    place.remove("b")
    assert place.read("b") is None


def staged(place: Place, name: str, content: bytes) -> None:
    with place.staging() as folder:
        (folder / "part").mkdir()
        (folder / "part" / "x").write_bytes(content)
        (folder / places.ROOT).write_bytes(content)
        place.put(folder, name)


def test_a_group_is_put_whole_and_replaced(store) -> None:
    place = place_of(store)
    for content in (b"1", b"22"):
        staged(place, "g", content)
        assert place.names() == ["g"]
        with place.fetched("g/part/x") as found:
            assert found is not None
            assert found.read_bytes() == content
        kept = place.kept("g/part/x")
        assert kept is not None
        assert kept.read_bytes() == content
    with place.fetched("g/none") as found:
        assert found is None
    assert place.kept("g/none") is None
    place.remove("g")
    assert place.names() == []


def test_what_fails_while_it_is_staged_leaves_nothing(store) -> None:
    place = place_of(store)
    staged(place, "g", b"1")

    def fail() -> None:
        with place.staging() as folder:
            (folder / "x").write_bytes(b"1")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert place.names() == ["g"]


def test_the_file_that_makes_a_group_comes_last_to_an_address(monkeypatch) -> None:
    place = place_of(f"memory://{uuid.uuid4().hex}")
    assert isinstance(place, Remote)
    written: list[str] = []
    pipe = place._files.pipe_file
    monkeypatch.setattr(
        place._files, "pipe_file", lambda path, data: (written.append(path), pipe(path, data))
    )
    staged(place, "g", b"1")
    assert written[-1].endswith(f"g/{places.ROOT}")
    assert len(written) == 2


def test_a_store_is_held_by_one(store, monkeypatch) -> None:
    first, second = place_of(store), place_of(store)
    first.write("x", b"")
    with first.held(), pytest.raises(InUseError, match="another survey"), second.held():
        pass
    with second.held():
        pass


def test_a_holder_at_an_address_that_gave_no_sign_is_dead(monkeypatch) -> None:
    address = f"memory://{uuid.uuid4().hex}"
    place = place_of(address)
    place.write(".lock", b'{"token": "x", "time": 0}')
    with place.held():
        pass


def test_a_survey_is_the_same_at_an_address(tmp_path) -> None:
    address = f"memory://{uuid.uuid4().hex}/s.zarr"
    there, tasks = done(jobs(0, 1), address, what=WHAT)
    here, _ = done(jobs(0, 1), tmp_path / "s.zarr", what=WHAT)
    varying = ["seconds", "time"]
    assert there.table.drop(columns=varying).equals(here.table.drop(columns=varying))
    opened = cw.open(address)
    layer = next(iter(here["seed 1"].traced_layers))
    np.testing.assert_array_equal(
        opened["seed 1"].summary(layer).neuron_abs, here["seed 1"].summary(layer).neuron_abs
    )
    found, expected = (runs.arrays("seed 0", f"totals.{layer.name}.0") for runs in (opened, here))
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    _, again = done(jobs(0, 1, 2), address, what=WHAT)
    assert (tasks, again) == (["seed 0", "seed 1"], ["seed 2"])
    assert place_of(address).listed(".starts") == []


def test_a_saved_canvas_that_is_damaged_is_named(tmp_path) -> None:
    store = tmp_path / "s.zarr"
    done(jobs(0, 1), store, what=["canvas"])
    first, second = (store / job.place / CANVAS for job in jobs(0, 1))
    first.write_bytes(first.read_bytes()[:1000])
    second.unlink()
    runs = cw.open(store)
    with pytest.raises(cw.RunError, match="can't be read"):
        runs["seed 0"]
    with pytest.raises(cw.RunError, match="is missing"):
        runs["seed 1"]
    assert issubclass(SurveyError, ValueError)


def test_weights_are_kept_where_that_is_asked_for(store) -> None:
    runs = cw.survey(jobs(3), store, Here(), ["weights"], progress=False)
    loaded = cw.load(runs.weights("seed 3"))
    np.testing.assert_array_equal(loaded.render(0), ffn(3).render(0))
    assert runs.job("seed 3").options == {"seed": 3}
    with pytest.raises(SurveyError, match="were not kept"):
        cw.survey(jobs(3), f"{store}2", Here(), ["psnr"], progress=False).weights("seed 3")


def test_a_note_that_was_not_finished_goes_with_its_job(tmp_path: Path) -> None:
    place = place_of(tmp_path)
    for name in ("c-1", "c-2"):
        count_start(place, name)
        (tmp_path / STARTS / f".{name}.18068707-pcnh0fs1.part").touch()
    forget_starts(place, ["c-1"])
    assert all("c-2." in one for one in os.listdir(tmp_path / STARTS))
    forget_starts(place, ["c-2"])
    assert os.listdir(tmp_path / STARTS) == []
