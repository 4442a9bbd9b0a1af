"""The whole report: the same numbers as the findings one by one, and files that need nothing else."""

from __future__ import annotations

import io
import os
import re
import signal
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from matplotlib.figure import Figure

import canvaswidget as cw
from canvaswidget import analysis
from tests.canvases import image, video
from tests.processes import exit_code
from tests.reporting.killed import killed_report

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), rule="xinc", device="cpu")


@pytest.fixture(scope="module")
def masks() -> np.ndarray:
    labels = np.zeros((6, 16, 32), int)
    for frame in range(6):
        labels[frame, 3:8, 2 + frame : 9 + frame] = 1
        labels[frame, 9:14, 20:28] = 2
    return labels


@pytest.fixture(scope="module")
def written(canvas: cw.Canvas, masks: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Any:
    told: list[tuple[int, int]] = []
    flow = np.random.default_rng(0).normal(size=(5, 16, 32, 2))
    save = Figure.savefig

    def savefig(self: Figure, path: Path | io.BytesIO, **keywords: Any) -> None:
        """Into the page, and not once more into its file."""
        path.write_bytes(b"%PDF") if isinstance(path, Path) else save(self, path, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        found = cw.report(
            canvas,
            tmp_path_factory.mktemp("report") / "new" / "folder",
            2,
            masks=masks,
            names=["left", "right"],
            flow=flow,
            progress=lambda done, total: told.append((done, total)),
        )
    return found, told


def test_the_same_numbers_as_one_by_one(written, canvas: cw.Canvas, masks: np.ndarray) -> None:
    found, _ = written
    assert [one.layer.name for one in found.layers] == [layer.name for layer in canvas.traced_layers]
    for path, one in zip(found.arrays[:-4], found.layers, strict=True):
        layer = one.layer
        spread = analysis.distribution(canvas, layer, 2)
        look = analysis.intensity(canvas, layer, 2)
        care = analysis.regions(canvas, layer, 2, masks=masks)
        owned = analysis.objects(canvas, layer, masks, 2)
        alike = analysis.cluster(canvas, layer, 6, 2)
        over = analysis.objects_over_time(canvas, layer, masks, [2, 3, 4, 5])
        moved = analysis.motion(canvas, layer, [2, 3, 4, 5], one.motion.flow)
        with np.load(path) as arrays:
            assert (arrays["distribution/pixels_per_neuron"] == spread.pixels_per_neuron).all()
            assert (arrays["distribution/neurons_per_pixel"] == spread.neurons_per_pixel).all()
            assert np.allclose(arrays["intensity/contribution"], look.contribution, atol=1e-5)
            assert np.allclose(arrays["intensity/correlations"][0], look.with_brightness, atol=1e-3)
            for kind, deltas in care.deltas.items():
                assert np.allclose(arrays[f"regions/{kind}/deltas"], deltas, atol=1e-4, equal_nan=True)
            assert np.allclose(arrays["objects/means"], owned.means, rtol=1e-4)
            assert (arrays["clusters/labels"] == alike.labels).all()
            assert np.allclose(arrays["objects_over_time/means"], over.means, rtol=1e-4)
            assert np.allclose(arrays["motion/change"], moved.change, rtol=1e-4)
        assert one.motion.source == "given"
        assert one.objects.names == ("left", "right", "the rest")


def test_one_bar_that_ends_where_it_said(written) -> None:
    _, told = written
    assert len({total for _, total in told}) == 1
    done = [done for done, _ in told]
    assert done == sorted(done)
    assert done[-1] == told[-1][1]


def test_the_page_needs_nothing_else(written, canvas: cw.Canvas) -> None:
    found, _ = written
    text = found.page.read_text()
    assert set(re.findall(r'src="(.{10})', text)) == {"data:image"}
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)
    for title in (
        "Pixels per neuron",
        "Objects over time",
        "Motion",
        "The same neuron in the next layer",
        "Faithfulness",
        "Deletion",
        "Pruning",
        "Quantisation",
        "Rate and distortion",
        "Frequencies",
        "Directions",
        "From layer to layer",
    ):
        assert f">{title}</h2>" in text
    links = re.findall(r'href="([^"]+/figures/[^"]+)"', text)
    assert links == [path.relative_to(found.page.parent).as_posix() for path in found.figures]
    assert all((found.page.parent / link).read_bytes().startswith(b"%PDF") for link in links)
    for folder in re.findall(r'href="([^#][^"]+/)"', text):
        assert (found.page.parent / folder).is_dir()
    assert all(layer.name in text for layer in canvas.traced_layers)
    assert "mean of 3 pairs" in text
    for path, one in zip(found.arrays[:-4], found.layers, strict=True):
        with np.load(path) as arrays:
            assert arrays["faithfulness/totals"][0] == one.faithfulness.totals.value
            spectrum = analysis.spectrum(canvas, one.layer, 2, sample=64)
            assert np.array_equal(arrays["spectrum/centroid"], spectrum.centroid, equal_nan=True)
            assert np.allclose(arrays["spectrum/error"], spectrum.error, equal_nan=True)
            found_again = analysis.directions(canvas, one.layer, k=len(one.directions), frames=[2])
            assert (arrays["directions/explained"] == found_again.explained).all()
            assert "frequency_shares/neurons" not in arrays  # only gated divides the frame
            assert (arrays["deletion/most_first"] == one.deletion.most_first).all()
    assert set(found.pruning.curves) == {"xinc", "magnitude"}
    with np.load(found.arrays[-1]) as arrays:
        assert arrays["layers"].tolist() == [layer.name for layer in found.pruning.layers]
        for name, curve in found.pruning.curves.items():
            assert (arrays[f"curves/{name}"] == curve).all()
        assert (arrays["random"] == found.pruning.random).all()
    assert found.quantisation is not None
    assert found.quantisation.frames.tolist() == [one.distribution.frame]
    alone = cw.analysis.quantisation(canvas, frames=found.quantisation.frames, channels=0, predict=False)
    assert {layer.name for layer in found.quantisation.layers} <= {layer.name for layer in alone.layers}
    with np.load(found.arrays[-2]) as arrays:
        assert arrays["layers"].tolist() == [layer.name for layer in canvas.traced_layers]
        assert arrays["centroid"].tolist() == [row.centroid.value for row in found.profile.layers]
    with np.load(found.arrays[-3]) as arrays:
        assert (arrays["joint_error"] == found.quantisation.joint_error).all()
        assert (arrays["errors"] == found.quantisation.errors).all()
    assert found.rate_distortion is not None
    rated = analysis.rate_distortion(canvas, (8, 6, 4, 3), (0.1, 0.3), rules=["xinc"], frames=[2], seeds=[0])
    assert repr(found.rate_distortion) == repr(rated)
    with np.load(found.arrays[-4]) as arrays:
        for name, curve in rated.curves.items():
            assert np.array_equal(arrays[f"{name}/bits_per_pixel"], curve.bits_per_pixel)
            assert np.array_equal(arrays[f"{name}/psnr"], curve.psnr)
    shown = re.search(r"<pre>(.*?)</pre>", text[text.index(">Rate and distortion</h2>") :], re.DOTALL)
    rows = [re.split(r"\s{2,}", line) for line in cast(re.Match[str], shown)[1].splitlines()]
    model = next(row for row in rows if row[0] == "not quantised")
    widths = {row[1]: row for row in rows if row[0] == "quantised"}
    assert list(widths) == ["8 bits", "6 bits", "4 bits", "3 bits"]
    most, least = widths["8 bits"], widths["3 bits"]
    sentence = (
        f"Not quantised, the network has {model[1]} bits per pixel and the frame {model[3]} dB; "
        f"at 8 bits {most[2]} and {most[4]} dB, at 3 bits {least[2]} and {least[4]} dB."
    )
    assert sentence in text
    assert str(found.page) in repr(found)
    assert "<table" in found._repr_html_()


@pytest.mark.parametrize("rule", ["xinc", pytest.param("gated", marks=pytest.mark.repeats)])
def test_an_image_has_neither_motion_nor_objects(
    rule: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if rule == "xinc":  # the same figures are drawn of the video
        request.getfixturevalue("undrawn")
    found = cw.report(
        cw.trace(image(), rule=rule, device="cpu"), tmp_path, layers=-1, clusters=2, progress=False
    )
    (one,) = found.layers
    assert one.motion is None
    assert one.objects is None
    assert found.matchings == []
    text = found.page.read_text()
    assert "Motion" not in text
    assert f"rule {rule}" in text
    assert ("Shares of frequencies" in text) == (rule == "gated")
    with np.load(found.arrays[0]) as arrays:
        if rule == "gated":
            shares = analysis.frequency_shares(cw.trace(image(), rule=rule, device="cpu"), -1)
            assert np.allclose(arrays["frequency_shares/neurons"], shares.neurons[one.layer.name], atol=1e-5)
    request.getfixturevalue("undrawn")
    again = cw.report(cw.trace(image(), rule=rule, device="cpu"), tmp_path, layers=[-1], progress=False)
    assert again.page == found.page
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", again.figures[0].parts[-3]}
    assert not found.figures[0].exists()


def of_folder(folder: Path) -> dict[str, bytes]:
    """The page and the files that it names, by their names."""
    page = folder / "index.html"
    (files,) = set(re.findall(r'href="([^"/]+)/', page.read_text()))
    inside = [path for path in (folder / files).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in (page, *inside)}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_a_report_that_is_killed_leaves_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    def run(event: str, number: int) -> int | None:
        return exit_code(killed_report, str(tmp_path), event, number)

    assert run("none", 0) == 0
    whole = of_folder(tmp_path)
    (tmp_path / "notes.txt").write_text("of the user")
    # While it is written, before its files are moved in, before the page is, and before and while what it replaces is
    # removed; each run begins with the removal of what the last one left.
    for event, number, is_new in (
        ("progress", 1, False),
        ("os.rename", 2, False),
        ("os.rename", 3, False),
        ("shutil.rmtree", 4, True),
        ("shutil.rmtree", 2, True),
    ):
        before = of_folder(tmp_path)
        assert run(event, number) == -signal.SIGKILL, event
        found = of_folder(tmp_path)
        assert (found != before) == is_new
        assert len(found) == len(whole)
    assert run("none", 0) == 0
    (files,) = {name.split("/")[0] for name in of_folder(tmp_path)} - {"index.html"}
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "notes.txt", files}


def test_flow_is_computed_once_and_says_so(canvas: cw.Canvas, tmp_path: Path, undrawn: None) -> None:
    found = cw.report(canvas, tmp_path, layers=["decoder.2", "head_layer"], frames=[4, 5], progress=False)
    assert [one.motion.source for one in found.layers] == ["TV-L1", "TV-L1"]
    assert np.array_equal(found.layers[0].motion.flow, found.layers[1].motion.flow)
    assert found.layers[0].objects_over_time is None


def test_it_can_be_stopped_and_says_what_is_wrong(canvas: cw.Canvas, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done > total // 3:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        cw.report(canvas, tmp_path, progress=stop)
    with pytest.raises(ValueError, match="layers"):
        cw.report(canvas, tmp_path, layers=[])
    with pytest.raises(IndexError):
        cw.report(canvas, tmp_path, 6)


def test_the_page_says_what_is_estimated(tmp_path: Path) -> None:
    gated = cw.trace(video(), rule="gated", device="cpu")
    labels = np.zeros((16, 32), int)
    labels[2:6, 3:9] = 1
    found = cw.report(
        gated, tmp_path, 1, [1], frames=[1, 2], masks=labels, flow=np.ones((1, 16, 32, 2)), accuracy=0.3
    )
    page = found.page.read_text()
    assert found.figures
    assert all(path.read_bytes().startswith(b"%PDF-") for path in found.figures)
    assert "some numbers are estimated, to ± 30%; accuracy=None computes the exact ones" in page
    one = found.layers[0]
    for result in (one.distribution, one.intensity, one.motion, one.deletion):
        assert not result.is_exact
        assert f"± {result.sampling.said[2:]}" in page
    with np.load(found.arrays[0]) as arrays:
        assert np.isnan(arrays["intensity/contribution"]).any()
        assert (arrays["distribution/low"] <= arrays["distribution/pixels_per_neuron"]).all()
