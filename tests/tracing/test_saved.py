"""Saved canvases: what is kept is equal, what is not is said, and no accident harms a file or goes unnoticed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.tracing.saved import store
from tests.canvases import image, video
from tests.conftest import ROOT
from tests.kernel.page import Page

pytestmark = [
    pytest.mark.skipif(sys.version_info < (3, 11), reason="zarr 3 needs Python 3.11"),
    pytest.mark.usefixtures("unbuilt"),
]


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture(scope="module")
def mask() -> np.ndarray:
    found = np.zeros((16, 32), bool)
    found[2:9, 4:20] = True
    return found


@pytest.fixture(scope="module")
def whole_file(canvas: cw.Canvas, mask: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "whole.zarr"
    clusters = [cw.analysis.cluster(canvas, 1, 3, frame=2)]
    canvas.save(path, maps="all", regions={"box": mask}, clusters=clusters, progress=False)
    return path


@pytest.fixture(scope="module")
def part_file(canvas: cw.Canvas, mask: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("part") / "part.zarr"
    clusters = [cw.analysis.cluster(canvas, 2, 3, frame=2)]
    canvas.save(
        path,
        frames=[2, -1],
        maps=3,
        pixels=[(4, 5)],
        regions={"box": mask},
        clusters=clusters,
        progress=False,
    )
    return path


@pytest.fixture
def file(part_file: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copytree(part_file, tmp_path / "x.zarr"))


def same(a: Path, b: Path) -> bool:
    files = [{f.relative_to(p): f.read_bytes() for f in p.rglob("*") if f.is_file()} for p in (a, b)]
    return files[0] == files[1]


# --- what is kept -------------------------------------------------------------------------------------------


def test_a_whole_canvas_answers_everything_as_it_did(canvas: cw.Canvas, whole_file: Path, mask) -> None:
    saved = cw.open(whole_file)
    assert list(saved.traced_layers) == list(canvas.traced_layers)
    assert (saved.rule, saved.why, saved.options) == (canvas.rule, canvas.why, canvas.options)
    assert saved.inr.size == canvas.inr.size
    np.testing.assert_array_equal(saved.inr.truth, canvas.inr.truth)
    for frame in (0, 3, -1):
        np.testing.assert_array_equal(saved.frame(frame), canvas.frame(frame))
        for layer in canvas.traced_layers:
            for (a, x), (b, y) in zip(_all(canvas, layer, frame), _all(saved, layer, frame), strict=True):
                assert a == b
                np.testing.assert_array_equal(x, y)
            one, other = canvas.summary(layer, frame), saved.summary(layer, frame)
            for key in ("neuron_abs", "neuron_sum", "pixel_abs", "pixel_sum"):
                np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
        for name, column in canvas.pixel(3, 4, frame).items():
            np.testing.assert_allclose(saved.pixel(3, 4, frame)[name], column, atol=1e-6)
        for given in (mask, ~mask):
            for name, column in canvas.region(given, frame).items():
                np.testing.assert_allclose(saved.region(given, frame)[name], column, atol=1e-4)
    assert [each[:2] for each in saved.top(8, 16, 5, 3)] == [each[:2] for each in canvas.top(8, 16, 5, 3)]


def _all(canvas: Any, layer: Any, frame: int) -> list[tuple[Any, np.ndarray]]:
    return [
        (np.asarray(neuron).tolist(), one)
        for neurons, maps in canvas.iter(layer, frame)
        for neuron, one in zip(neurons, maps, strict=True)
    ]


def test_findings_of_a_whole_canvas(canvas: cw.Canvas, whole_file: Path) -> None:
    saved = cw.open(whole_file)
    one, other = (cw.analysis.distribution(c, 1, frame=1) for c in (canvas, saved))
    np.testing.assert_array_equal(one.pixels_per_neuron, other.pixels_per_neuron)
    one, other = (cw.analysis.cluster(c, 1, 3, frame=1) for c in (canvas, saved))
    np.testing.assert_array_equal(one.labels, other.labels)
    labels = np.zeros(canvas.inr.size, int)
    labels[1:5, 2:9] = 1
    one, other = (cw.analysis.intensity(c, 1, 1) for c in (canvas, saved))
    np.testing.assert_allclose(one.difference, other.difference, atol=1e-6)
    one, other = (cw.analysis.objects_over_time(c, 1, labels, [0, 1]) for c in (canvas, saved))
    np.testing.assert_allclose(one.shares, other.shares, atol=1e-6)
    one, other = (cw.analysis.motion(c, 1, [0, 1]) for c in (canvas, saved))
    np.testing.assert_allclose(one.change, other.change, rtol=1e-5, atol=1e-6)
    for as_released in (False, True):
        found = [cw.analysis.distribution(c, 1, 1, as_released=as_released) for c in (canvas, saved)]
        np.testing.assert_array_equal(found[0].neurons_per_pixel, found[1].neurons_per_pixel)
        found = [cw.analysis.regions(c, 1, 1, k=3, as_released=as_released) for c in (canvas, saved)]
        for kind, deltas in found[0].deltas.items():
            np.testing.assert_allclose(deltas, found[1].deltas[kind], rtol=1e-4, atol=1e-5)
    with pytest.raises(cw.NotKeptError, match="granularity='unit'"):
        cw.analysis.intensity(saved, 1, granularity="unit")


def test_regions_clusters_and_where_it_came_from(canvas: cw.Canvas, part_file: Path, mask) -> None:
    saved = cw.open(part_file)
    np.testing.assert_array_equal(saved.regions["box"], mask)
    expected = cw.analysis.cluster(canvas, 2, 3, frame=2)
    (found,) = saved.clusters
    assert (found.layer, found.frame, found.exemplars) == (expected.layer, 2, expected.exemplars)
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert saved.is_of(canvas.inr.module)
    assert not saved.is_of(image().module)
    assert saved.provenance["canvaswidget"] == cw.__version__
    for word in ("part.zarr", "sha256:", "xinc", "2, 5", "(4, 5)", "box"):
        assert word in repr(saved)
        assert word in saved._repr_html_()


def test_the_strongest_and_the_exemplars_have_maps(canvas: cw.Canvas, part_file: Path) -> None:
    saved = cw.open(part_file)
    totals = canvas.summary(2, 5).neuron_abs.ravel()
    assert set(np.argsort(-totals)[:3]) <= set(saved.kept(2))
    column = canvas.pixel(4, 5, 5, [2])[canvas.layers[2].name].ravel()
    assert set(np.argsort(-np.abs(column))[:3]) <= set(saved.kept(2))
    for neuron in saved.clusters[0].exemplars:
        np.testing.assert_array_equal(saved.map(2, neuron, 2), canvas.map(2, neuron, 2))


def test_named_neurons_of_an_mlp(tmp_path: Path) -> None:
    canvas = cw.trace(image(), "xinc", border="valid")
    canvas.save(tmp_path / "x.zarr", layers="net.1", maps={"net.1": [3, -1]}, progress=False)
    saved = cw.open(tmp_path / "x.zarr")
    (layer,) = saved.traced_layers
    assert layer == canvas.layers["net.1"]
    assert list(saved.layers) == list(canvas.layers)
    for neuron in (3, 9):
        np.testing.assert_array_equal(saved.map("net.1", neuron), canvas.map("net.1", neuron))
    with pytest.raises(cw.NotKeptError, match=r"has nothing of net\.0.*: it keeps net\.1"):
        saved.map("net.0", 3)
    assert saved.options == {"border": "valid"}
    assert saved.inr.truth is None


def test_a_truth_of_bytes_is_kept_exactly(tmp_path: Path) -> None:
    truth = np.random.default_rng(0).integers(0, 256, (6, 16, 32, 3), np.uint8)
    canvas = cw.trace(cw.as_inr(video().module, truth=truth))
    canvas.save(tmp_path / "x.zarr", frames=[1, 3], maps=0, progress=False)
    saved = cw.open(tmp_path / "x.zarr")
    np.testing.assert_array_equal(saved.inr.truth[[1, 3]], canvas.inr.truth[[1, 3]])
    canvas.save(tmp_path / "y.zarr", frames=0, maps=0, truth=False, progress=False)
    assert cw.open(tmp_path / "y.zarr").inr.truth is None


# --- what is not --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda c: c.map(1, _unkept(c), 2), r"has no map of neuron .* it keeps \d+ of .* maps=\{"),
        (lambda c: c.frame(3), r"has no frame 3: it keeps 2, 5\. .*frames="),
        (
            lambda c: c.pixel(0, 0, 2),
            r"pixel \(0, 0\): it keeps \(4, 5\)\. .*pixels=\[\(0, 0\)\].*maps='all'",
        ),
        (lambda c: c.region(np.ones((16, 32)), 2), r"no such region: it keeps box\. .*maps='all'"),
        (lambda c: list(c.iter(1, 2)), r"not every map, which this takes: keep all maps of .*maps='all'"),
        (lambda c: c.ablate({0: [(0, 0)]}, 2), "trace the model"),
        (lambda c: c.map(1, (0, 0), 2, rgb="red"), "has only the sum of the colours"),
        (lambda c: list(c.reduce(1, len, 2, granularity="unit")), "XINC's neurons; trace the model"),
    ],
)
def test_what_is_not_kept_is_said(part_file: Path, ask: Any, words: str) -> None:
    with pytest.raises(cw.NotKeptError, match=words) as raised:
        ask(cw.open(part_file))
    assert "part.zarr" in str(raised.value)


def _unkept(saved: cw.SavedCanvas) -> tuple[int, int]:
    layer = saved.layers[1]
    place = next(p for p in range(layer.n_kernels) if p not in saved.kept(1))
    return place // layer.n_outputs, place % layer.n_outputs


def test_what_never_was(part_file: Path) -> None:
    saved = cw.open(part_file)
    with pytest.raises(cw.UntraceableError, match="made under rule 'xinc'"):
        saved.under("gated")
    with pytest.raises(KeyError, match="no such layer"):
        saved.map("nothing", 0)
    with pytest.raises(IndexError, match="frame=6"):
        saved.frame(6)
    with pytest.raises(IndexError, match="y=16"):
        saved.pixel(16, 0, 2)


# --- before writing -----------------------------------------------------------------------------------------


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
        ({"pixels": [3]}, ValueError, "no pixel"),
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


def test_without_zarr(canvas: cw.Canvas, part_file: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match="pip install 'zarr>=3'"):
        canvas.save(tmp_path / "x.zarr")
    with pytest.raises(ImportError, match="pip install 'zarr>=3'"):
        cw.open(part_file)


# --- writing is atomic --------------------------------------------------------------------------------------


def test_nothing_is_overwritten_unasked(canvas: cw.Canvas, file: Path, part_file: Path) -> None:
    with pytest.raises(FileExistsError, match="overwrite=True"):
        canvas.save(file, progress=False)
    assert same(file, part_file)
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
    assert same(file, part_file)
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


KILLED = """
    import os, signal, sys
    import canvaswidget as cw
    from tests.canvases import video

    left = int(sys.argv[2])

    def progress(done, total):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    cw.trace(video(), device="cpu").save(sys.argv[1], overwrite=True, progress=progress)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there are no signals there")
def test_a_killed_save_harms_nothing(canvas: cw.Canvas, file: Path, part_file: Path, tmp_path: Path) -> None:
    program = [sys.executable, "-c", textwrap.dedent(KILLED)]
    for path in (file, tmp_path / "new.zarr"):
        ended = subprocess.run([*program, str(path), "12"], cwd=ROOT, timeout=240)
        assert ended.returncode == -signal.SIGKILL
    assert same(file, part_file)
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


REPLACED = """
    import sys
    import canvaswidget as cw
    from tests.canvases import video

    canvas = cw.trace(video(), device="cpu")
    for number in range(int(sys.argv[2])):
        canvas.save(sys.argv[1], frames=[number % 6], maps=1, layers=[1], overwrite=True, progress=False)
"""


@pytest.mark.slow
def test_a_reader_beside_two_writers_sees_a_whole_file(canvas: cw.Canvas, file: Path) -> None:
    program = [sys.executable, "-c", textwrap.dedent(REPLACED), str(file), "5"]
    writers = [subprocess.Popen(program, cwd=ROOT) for _ in range(2)]
    opened = 0
    while any(writer.poll() is None for writer in writers):
        try:
            saved = cw.open(file)
            frame = saved.frames[0]
            np.testing.assert_array_equal(saved.frame(frame), canvas.frame(frame))
            opened += 1
        except cw.SavedCanvasError as error:
            assert "was replaced by another save" in str(error), error  # noqa: PT017
    assert [writer.returncode for writer in writers] == [0, 0]
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


# --- damage is noticed --------------------------------------------------------------------------------------


def content(file: Path) -> Path:
    (found,) = file.glob("content-*")
    return found


def edit(path: Path, change: Any) -> None:
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(bytes(data))


def facts(file: Path, **changes: Any) -> None:
    """Change the description as somebody would who knows the checksum."""
    described = json.loads((file / "zarr.json").read_text())["attributes"]["canvaswidget"]
    (file / "zarr.json").write_text(store.root_text({**described, **changes}))


def link(path: Path) -> None:
    """Put a link to it where a file or a folder was."""
    path.rename(path.with_name("moved"))
    path.symlink_to(path.with_name("moved"))


def exchange(file: Path, one: str, other: str) -> None:
    """Each of two chunks in the place of the other, with its size in the list of files."""
    described = json.loads((file / "zarr.json").read_text())["attributes"]["canvaswidget"]
    data = [(content(file) / name).read_bytes() for name in (one, other)]
    for name, values in zip((other, one), data, strict=True):
        (content(file) / name).write_bytes(values)
        described["files"][name] = len(values)
    facts(file, files=described["files"])


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
        _kept_maps(cw.open(file))
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


def test_a_chunk_that_goes_after_opening_is_no_zeros(file: Path) -> None:
    saved = cw.open(file)
    (content(file) / CHUNK).unlink()
    with pytest.raises(cw.SavedCanvasError, match="layers/0/maps can't be read .*is missing"):
        _kept_maps(saved)
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


def _kept_maps(saved: cw.SavedCanvas) -> list[np.ndarray]:
    layer = saved.traced_layers[0]
    neurons = np.stack(np.unravel_index(saved.kept(layer), layer.neurons), 1)
    return list(saved.maps(layer, neurons, 2))


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


# --- in the widget ------------------------------------------------------------------------------------------


@pytest.fixture
def shown(part_file: Path):
    w = cw.CanvasWidget(cw.open(part_file))
    yield w
    w.close()


def test_the_widget_opens_on_what_is_kept(shown: cw.CanvasWidget, canvas: cw.Canvas) -> None:
    assert (shown.time, shown.pixel, shown.layer) == (5, (4, 5), canvas.traced_layers[-2].name)
    assert shown.neuron == canvas.top(4, 5, 1, 5, [shown.layer])[0].neuron
    assert shown.facts.rules == ("xinc",)
    assert shown.facts.device == "saved canvas"
    assert len(shown.facts.removable) == 0
    names: dict[str, Any] = {}
    exec(shown.recipe(), names)
    assert all(getattr(names["w"], name) == getattr(shown, name) for name in shown.VIEW)
    names["w"].close()


def test_its_page_is_answered(shown: cw.CanvasWidget, canvas: cw.Canvas, mask: np.ndarray) -> None:
    page = Page(shown.canvas)
    layer = canvas.traced_layers[1].name
    chosen = {"layer": layer, "neuron": None, "neurons": [], "cluster": -1, "n_clusters": 3}
    grid = {
        "time": 2,
        "layer": layer,
        "cluster": -1,
        "n_clusters": 3,
        "pixel": [4, 5],
        "first": 0,
        "count": 50,
    }
    grid |= {"side": 16, "region": None, "channel": "sum"}
    assert page.ask(kind="frame", time=5, source="truth")[0]["psnr"] > 0
    body, _ = page.ask(kind="map", time=5, selection=chosen)
    assert body["total"] == pytest.approx(canvas.summary(layer, 5).total_abs, rel=1e-4)
    body, _ = page.ask(kind="pixel", time=2, pixel=[4, 5], k=5, selection=chosen)
    assert [n["neuron"] for n in body["neurons"]] == [list(n.neuron) for n in canvas.top(4, 5, 5, 2)]
    for sort in ("pixel", "total", "index"):
        body, data = page.ask(kind="grid", sort=sort, **grid)
        assert body["n_neurons"] == len(body["neurons"]) == len(shown.canvas.kept(layer))
    run = cw.CanvasWidget(shown.canvas, region=mask)
    on_wire = run.region.on_wire()
    run.close()
    body, _ = page.ask(kind="grid", sort="region", **{**grid, "region": json.loads(json.dumps(on_wire))})
    assert body["n_neurons"] == len(shown.canvas.kept(layer))
    body, _ = page.ask(kind="clusters", time=2, layer=layer, n_clusters=3)
    assert body["counts"] == shown.canvas.clusters[0].counts.tolist()
    body, _ = page.ask(kind="curve", frames=[1, 2, 5], selection=chosen)
    assert body["totals"][0] is None
    assert body["totals"][2] == pytest.approx(canvas.summary(layer, 5).total_abs, rel=1e-4)
    body, data = page.ask(kind="strip", frames=[2, 3], side=8)
    assert (data.reshape(2, -1, 3)[1] == 128).all()
    assert "no frame 3" in page.fail(kind="frame", time=3, source="reconstruction")
    assert "pixel (0, 0)" in page.fail(kind="pixel", time=2, pixel=[0, 0], k=5, selection=chosen)
    missing = list(_unkept(shown.canvas))
    first = canvas.traced_layers[0].name
    words = page.fail(kind="map", time=2, selection={**chosen, "layer": first, "neuron": missing})
    assert words.startswith("this saved canvas (part.zarr) has no map of neuron")
    assert "maps='all'" in page.fail(kind="scatter", time=2, layer=first, method="pca")
    page.session.close()


def test_its_figure(shown: cw.CanvasWidget, tmp_path: Path) -> None:
    shown.save(tmp_path / "x.png", dpi=60)
    assert (tmp_path / "x.png").stat().st_size > 1000
    shown.neuron = None
    shown.figure()


def test_a_saved_canvas_of_no_map(canvas: cw.Canvas, tmp_path: Path) -> None:
    canvas.save(tmp_path / "x.zarr", maps=0, pixels=[], frames=1, progress=False)
    w = cw.CanvasWidget(cw.open(tmp_path / "x.zarr"))
    assert (w.time, w.pixel, w.neuron) == (1, None, None)
    w.figure()
    w.close()
