"""Saving: the estimate, the mistakes found beforehand, and what an accident leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.tracing.saved import store
from tests.processes import context, exit_code, started
from tests.tracing.saved.files import same_files
from tests.tracing.saved.saving_processes import killed_save, replacing_saves


def test_an_estimate_writes_nothing(canvas: cw.Canvas, tmp_path: Path) -> None:
    estimate = canvas.save(tmp_path / "x.zarr", frames=[0, 1], maps=2, estimate=True)
    assert list(tmp_path.iterdir()) == []
    assert estimate.written is None
    assert estimate.seconds is not None
    saving = canvas.save(tmp_path / "x.zarr", frames=[0, 1], maps=2, progress=False)
    assert saving.parts == estimate.parts
    assert saving.written == sum(f.stat().st_size for f in saving.path.rglob("*") if f.is_file())
    raw = sum(np.prod(a.shape) * a.dtype.itemsize for a in _arrays(saving.path))
    assert raw <= estimate.nbytes + 8 * sum(len(cw.open(saving.path).kept(i)) for i in (1, 2, 3))
    assert "before compression" in repr(saving)
    assert "on disk" in saving._repr_html_()


def _arrays(path: Path) -> list[Any]:
    import zarr

    files = [f for f in path.rglob("zarr.json") if json.loads(f.read_text())["node_type"] == "array"]
    return [zarr.open_array(f.parent, mode="r") for f in files]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"maps": "some"}, TypeError, "maps='some'"),
        ({"maps": -1}, TypeError, "maps=-1"),
        ({"maps": {"head": [(99, 0)]}}, IndexError, "out of range"),
        ({"maps": {"head": [3]}}, ValueError, "keeps its kernels"),
        ({"layers": []}, ValueError, "layers=.*at least one"),
        ({"layers": "nothing"}, KeyError, "no such layer"),
        ({"frames": []}, ValueError, "at least one frame"),
        ({"frames": [6]}, IndexError, "frame=6"),
        ({"pixels": [3]}, TypeError, "a pixel"),
        ({"pixels": [(16, 0)]}, IndexError, "y=16"),
        ({"regions": {"a": np.ones((2, 2))}}, ValueError, r"regions\['a'\]"),
        ({"clusters": [3]}, TypeError, "clusters: int"),
    ],
)
def test_a_mistake_is_found_before_anything_is_written(
    canvas: cw.Canvas, tmp_path: Path, given: Any, error: Any, words: str
) -> None:
    with pytest.raises(error, match=words):
        canvas.save(tmp_path / "x.zarr", progress=False, **given)
    assert list(tmp_path.iterdir()) == []


def test_clusters_of_what_is_not_kept(canvas: cw.Canvas, tmp_path: Path) -> None:
    clusters = [cw.analysis.cluster(canvas, 1, 3, frame=2)]
    with pytest.raises(ValueError, match="not kept"):
        canvas.save(tmp_path / "x.zarr", frames=[1], clusters=clusters)


def test_a_full_disk_is_seen_beforehand(canvas: cw.Canvas, tmp_path: Path, monkeypatch) -> None:
    free = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free)
    with pytest.raises(OSError, match=r"needs up to .* and 1000 B are free"):
        canvas.save(tmp_path / "x.zarr", progress=False)


# --- writing is atomic --------------------------------------------------------------------------------------


def test_nothing_is_overwritten_unasked(canvas: cw.Canvas, file: Path, part_file: Path) -> None:
    with pytest.raises(FileExistsError, match="overwrite=True"):
        canvas.save(file, progress=False)
    assert same_files(file, part_file)
    canvas.save(file, frames=[0], maps=1, overwrite=True, progress=False)
    assert cw.open(file).frames == (0,)
    assert [p.name for p in file.parent.iterdir()] == ["x.zarr"]
    assert len(list(file.iterdir())) == 2


@pytest.mark.parametrize("what", ["folder", "file", "damaged"])
def test_what_is_no_saved_canvas_is_never_replaced(
    canvas: cw.Canvas, file: Path, tmp_path: Path, what: str
) -> None:
    if what == "damaged":
        (file / "zarr.json").write_text("{")
        path = file
    else:
        path = tmp_path / "mine"
        path.write_text("dear diary") if what == "file" else path.mkdir()
    with pytest.raises(FileExistsError, match="Remove it yourself"):
        canvas.save(path, overwrite=True, progress=False)
    assert path.exists()


def test_no_folder(canvas: cw.Canvas, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no folder"):
        canvas.save(tmp_path / "no" / "x.zarr")


@pytest.mark.slow
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("calls", [1, pytest.param(5, marks=pytest.mark.repeats), 20])
def test_an_interrupted_save_harms_nothing(
    canvas: cw.Canvas, file: Path, part_file: Path, tmp_path: Path, error: Any, calls: int
) -> None:
    left = calls

    def progress(done: int, total: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise error("stop")

    for path in (file, tmp_path / "new.zarr"):
        left = calls
        with pytest.raises(error, match="stop"):
            cw.trace(canvas.inr, "xinc").save(path, overwrite=True, progress=progress)
    assert same_files(file, part_file)
    assert [p.name for p in tmp_path.iterdir()] == ["x.zarr"]


@pytest.mark.parametrize("step", ["sync", "replace", "rename"])
def test_a_failure_while_it_is_put_in_place_harms_nothing(
    canvas: cw.Canvas, file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("the disk is gone")

    if step == "sync":
        monkeypatch.setattr(store, "_sync", fail)
    else:
        monkeypatch.setattr(os, "replace", fail) if step == "replace" else monkeypatch.setattr(
            Path, "rename", fail
        )
    with pytest.raises(OSError, match="the disk is gone"):
        canvas.save(file, frames=[0], maps=1, overwrite=True, progress=False)
    monkeypatch.undo()
    saved = cw.open(file)
    assert saved.frames == (2, 5)
    np.testing.assert_array_equal(saved.frame(5), canvas.frame(5))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no signals there")
def test_a_killed_save_harms_nothing(canvas: cw.Canvas, file: Path, part_file: Path, tmp_path: Path) -> None:
    for path in (file, tmp_path / "new.zarr"):
        assert exit_code(killed_save, path, 12) == -signal.SIGKILL
    assert same_files(file, part_file)
    assert not (tmp_path / "new.zarr").exists()
    assert len([p for p in tmp_path.iterdir() if ".partial-" in p.name]) == 2  # it says what it is
    canvas.save(tmp_path / "new.zarr", frames=[0], maps=1, progress=False)
    canvas.save(file, frames=[0], maps=1, overwrite=True, progress=False)
    assert cw.open(tmp_path / "new.zarr").frames == (0,)
    assert {p.name for p in tmp_path.iterdir()} == {"new.zarr", "x.zarr"}  # what no process holds is removed


@pytest.mark.parametrize("step", ["before the root", "after the root"])
def test_what_a_killed_overwrite_left_is_removed(
    canvas: cw.Canvas, file: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The process ends between two renames: nothing of its clean-up runs."""
    replace = os.replace

    def killed(source: Any, target: Any) -> None:
        if Path(target) != file / "zarr.json" or step == "after the root":
            replace(source, target)
        if Path(target) == file / "zarr.json":
            raise SystemExit

    monkeypatch.setattr(os, "replace", killed)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(SystemExit):
        canvas.save(file, frames=[0], maps=1, overwrite=True, progress=False)
    monkeypatch.undo()
    assert len(list(file.glob("content-*"))) == 2
    assert cw.open(file).frames == ((2, 5) if step == "before the root" else (0,))
    canvas.save(file, frames=[1], maps=1, overwrite=True, progress=False)
    assert cw.open(file).frames == (1,)
    assert sorted(p.name.split("-")[0] for p in file.iterdir()) == ["content", "zarr.json"]
    assert [p.name for p in file.parent.iterdir()] == ["x.zarr"]


def test_what_a_process_holds_is_left_alone(canvas: cw.Canvas, file: Path) -> None:
    with store.writing(file, overwrite=True) as writer:
        canvas.save(file, frames=[0], maps=1, overwrite=True, progress=False)
        assert writer._folder.is_dir()
        writer.facts.update(json.loads((file / "zarr.json").read_text())["attributes"]["canvaswidget"])
        writer.facts = {k: v for k, v in writer.facts.items() if k not in ("content", "files", "checksums")}
    assert len(list(file.glob("content-*"))) == 1


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="processes are not forked there")
def test_a_reader_beside_two_writers_sees_a_whole_file(canvas: cw.Canvas, file: Path) -> None:
    all_ready = context().Barrier(3)
    writers = [started(replacing_saves, file, 3, all_ready) for _ in range(2)]
    all_ready.wait()  # nothing is read while they only start
    opened, writing = 0, True
    while writing:
        writing = any(writer.is_alive() for writer in writers)
        try:
            saved = cw.open(file)
            frame = saved.frames[0]
            np.testing.assert_array_equal(saved.frame(frame), canvas.frame(frame))
            opened += 1
        except cw.SavedCanvasError as error:
            assert "was replaced by another save" in str(error), error  # noqa: PT017
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert opened
    assert sorted(p.name.split("-")[0] for p in file.iterdir())[-1] == "zarr.json"
    canvas.save(file, frames=[1], maps=1, overwrite=True, progress=False)
    assert [p.name for p in file.parent.iterdir()] == ["x.zarr"]
    assert len(list(file.glob("content-*"))) == 1


@pytest.mark.parametrize("times", [1, 100])
def test_a_file_that_is_replaced_while_it_is_opened_is_opened_again(
    canvas: cw.Canvas, file: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    checksum, replaced = store._checksum, []

    def replace_then_sum(data: bytes) -> str:
        if len(replaced) < times:
            replaced.append(data)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(store, "_checksum", checksum)
                canvas.save(file, frames=[4], maps=1, layers=[1], overwrite=True, progress=False)
        return checksum(data)

    monkeypatch.setattr(store, "_checksum", replace_then_sum)
    if times == 1:
        assert cw.open(file).frames == (4,)
    else:
        with pytest.raises(cw.SavedCanvasError, match="was replaced by another save"):
            cw.open(file)
    assert replaced
