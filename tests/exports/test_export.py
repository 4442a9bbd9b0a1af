"""The page: what it keeps is what the kernel answers, it fits its budget, and it can't be broken out of."""

from __future__ import annotations

import base64
import html
import re
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget import files
from canvaswidget.exports import page, page_budget, precomputed
from canvaswidget.exports.packing import ColourSeries, MapSeries, pack
from canvaswidget.exports.precomputed import Quality, spread_pixels, strongest
from canvaswidget.kernel import requests
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import image, video
from tests.exports.saved_page import Saved, unpacked

FINE = Quality(1, 1, 1, 256)


@pytest.fixture(scope="module")
def w():
    widget = CanvasWidget(
        cw.trace(video(), device="cpu"), time=2, pixel=(3, 5), cluster_names={"a/6": ["</script>"]}
    )
    yield widget
    widget.close()


@pytest.fixture(scope="module")
def saved(w: CanvasWidget, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    path = tmp_path_factory.mktemp("page") / "view.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_budget, "QUALITIES", (FINE, *precomputed.QUALITIES[1:]))
        w.save(path, neurons=3, progress=False)
    return Saved(path)


def test_series_come_back() -> None:
    rng = np.random.default_rng(0)
    maps, pictures = rng.normal(size=(4, 6, 9)), rng.integers(0, 256, (3, 5, 7, 3)).astype(np.uint8)
    for levels in (256, 64):
        series = MapSeries((6, 9), levels)
        for values in maps:
            series.add(values)
        packed = series.pack()
        found = unpacked(packed.describe(), zlib.decompress(packed.data, -15))
        ranges = np.array(series.high) - np.array(series.low)
        back = np.array(series.low)[:, None, None] + found / 255 * ranges[:, None, None]
        assert (np.abs(back - maps).max((1, 2)) <= ranges * (0.5 / (levels - 1) + 1 / 255)).all()
    colours = ColourSeries((5, 7))
    for picture in pictures:
        colours.add(picture)
    packed = colours.pack()
    np.testing.assert_array_equal(unpacked(packed.describe(), zlib.decompress(packed.data, -15)), pictures)
    numbers = rng.integers(0, 2**32, (3, 4), dtype=np.uint32)
    packed = pack(numbers, "u4")
    np.testing.assert_array_equal(
        unpacked(packed.describe(), zlib.decompress(base64.b64decode(packed.text), -15)), numbers
    )


def test_frames_and_maps_are_the_kernels_own_answers(w: CanvasWidget, saved: Saved) -> None:

    def ask(**body: Any) -> tuple[Any, np.ndarray]:
        answer, data = w._live.call(lambda report: requests.answer(w._live.cached, body, report))
        return answer, np.frombuffer(data, np.uint8)

    assert set(saved.page["pictures"]) == {"reconstruction", "truth"}
    for source, index in saved.page["pictures"].items():
        for time, picture in enumerate(saved.array(index)):
            answer, data = ask(kind="frame", time=time, source=source)
            np.testing.assert_array_equal(picture.ravel(), data)
            assert saved.page["psnr"][time] == answer["psnr"]
    neurons = {(one["layer"], *one["neuron"]) for one in saved.page["selections"] if one["neuron"]}
    assert (w.layer, *w.neuron) in neurons
    for one in saved.page["selections"]:
        selection = {
            "layer": one["layer"],
            "neuron": one["neuron"],
            "neurons": [],
            "cluster": one["cluster"],
            "n_clusters": 6,
        }
        planes = [saved.array(index) for index in one["planes"]]
        curve, _ = ask(kind="curve", frames=list(range(6)), selection=selection)
        np.testing.assert_allclose(one["totals"], curve["totals"], rtol=1e-5)
        assert one["changes"][0] is None
        np.testing.assert_allclose(one["changes"][1:], curve["changes"][1:], rtol=1e-4)
        for time in range(6):
            answer, data = ask(kind="map", time=time, selection=selection)
            assert len(planes) == 1 + len(answer["signed_range"]) // 2
            assert one["low"][0][time] == pytest.approx(answer["low"], rel=1e-5, abs=1e-7)
            assert one["high"][0][time] == pytest.approx(answer["high"], rel=1e-5)
            kept = np.concatenate([plane[time].ravel() for plane in planes]).astype(int)
            assert np.abs(kept - data).max() <= (0 if one["neuron"] else 1)


def test_neurons_of_pixels_are_the_kernels_own_answers(w: CanvasWidget, saved: Saved) -> None:
    ranked = saved.page["ranked"]
    names = [layer["name"] for layer in saved.page["info"]["layers"]]
    arrays = {
        name: saved.array(ranked[name])
        for name in ("layers", "places", "values", "totals", "counts", "shares")
    }
    assert [3, 5] in ranked["pixels"]
    selection = {"layer": w.layer, "neuron": None, "neurons": [], "cluster": -1, "n_clusters": 6}
    for at in (0, len(ranked["pixels"]) // 2, ranked["pixels"].index([3, 5])):
        body = {
            "kind": "pixel",
            "time": 4,
            "pixel": ranked["pixels"][at],
            "k": precomputed.RANKED,
            "selection": selection,
        }
        answer, _ = w._live.call(lambda report, body=body: requests.answer(w._live.cached, body, report))
        for rank, neuron in enumerate(answer["neurons"]):
            assert names[arrays["layers"][4, at, rank]] == neuron["layer"]
            assert arrays["values"][4, at, rank] == pytest.approx(neuron["value"], rel=1e-4, abs=1e-7)
        shares = iter(arrays["shares"][4, at])
        for number, (layer, points) in enumerate(zip(answer["layers"], ranked["points"], strict=True)):
            assert points == layer["counts"]
            assert arrays["counts"][4, at, number].tolist() == [layer["n50"], layer["n90"]]
            assert arrays["totals"][4, at, number] == pytest.approx(layer["total"], rel=1e-4)
            assert [next(shares) / 255 for _ in points] == pytest.approx(layer["shares"], abs=3e-3)


def test_clusters_say_the_frame_that_they_are_of_by_its_number(w: CanvasWidget, tmp_path: Path) -> None:
    w.save(tmp_path / "a.html", neurons=1, frames=[1, 2, 5], progress=False)
    assert {one["answer"]["frame"] for one in Saved(tmp_path / "a.html").page["clusters"]} == {2}


def test_the_page_is_sealed(saved: Saved, tmp_path: Path) -> None:
    assert saved.policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in saved.policy
    assert "script-src 'unsafe" not in saved.policy
    scripts = [attributes for tag, attributes in saved.tags if tag == "script"]
    assert [one.get("type") for one in scripts if one.get("type") != "text/plain"] == [
        "application/json",
        None,
    ]
    for tag, attributes in saved.tags:
        assert tag != "link"
        assert not {"href", "srcset", "onload", "onerror"} & set(attributes)
        assert str(attributes.get("src", "data:")).startswith("data:")
    assert saved.page["state"]["cluster_names"] == {"a/6": ["</script>"]}


def test_names_are_text(tmp_path: Path) -> None:
    inr = image()
    inr.name = 'an <img src=x onerror="alert(1)"> & </script><!-- ü'
    widget = CanvasWidget(cw.trace(inr, device="cpu"))
    widget.save(tmp_path / "a.html", neurons=1, progress=False)
    page = Saved(tmp_path / "a.html")
    assert page.page["info"]["title"] == inr.name
    assert [tag for tag, _ in page.tags].count("img") <= 1  # the one for where no script runs
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert html.escape(inr.name) in text
    assert "<img src=x" not in text
    widget.close()


def test_some_frames_and_layers(w: CanvasWidget, tmp_path: Path) -> None:
    w.save(tmp_path / "a.html", layers=["decoder.2"], frames=range(1, 6, 2), neurons=1, progress=False)
    saved = Saved(tmp_path / "a.html")
    info, state = saved.page["info"], saved.page["state"]
    # Frames keep their numbers.
    assert (info["n_frames"], info["saved"]["frames"]) == (6, [1, 3, 5])
    kept = info["saved"]["neurons"]
    assert list(kept) == [info["layers"][0]["name"]]
    assert all(
        one["neuron"] in kept[one["layer"]] for one in saved.page["selections"] if one["neuron"] is not None
    )
    assert [layer["name"] for layer in info["layers"]] == [w.canvas.layers.find("decoder.2").name]
    assert info["rules"] == info["embeddings"] == []
    assert state["time"] == 1  # the nearest to 2
    assert state["layer"] == info["layers"][0]["name"]
    assert saved.array(saved.page["pictures"]["reconstruction"]).shape == (3, *w.inr.size, 3)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "frames 1, 3, 5 of 6, 1 of 3 layers" in text


def test_chosen_neurons(w: CanvasWidget, tmp_path: Path) -> None:
    w.save(tmp_path / "a.html", neurons={"decoder.2": [(0, 1), (2, 2)]}, frames=[2], progress=False)
    saved = Saved(tmp_path / "a.html")
    layer = w.canvas.layers.find("decoder.2").name
    kept = [one["neuron"] for one in saved.page["selections"] if one["layer"] == layer and one["neuron"]]
    assert [0, 1] in kept
    assert [2, 2] in kept
    assert "the neurons that were chosen for it" in saved.page["needs"]["selection"]


def test_the_strongest_of_each_cluster_in_turn() -> None:
    totals, labels = np.array([9.0, 8, 7, 1, 0, 2]), np.array([0, 0, 0, 1, -1, 1])
    assert strongest(totals, labels, 6).tolist() == [0, 5, 1, 3, 2, 4]
    assert strongest(totals, labels, 2).tolist() == [0, 5]


@pytest.mark.parametrize("size", [(1, 1), (12, 20), (128, 256), (2000, 3)])
def test_pixels_are_spread(size: tuple[int, int]) -> None:
    pixels = spread_pixels(size, 1000, (0, 0))
    assert (0, 0) in pixels
    assert len(set(pixels)) == len(pixels) <= 3 * precomputed.RANKED_PIXELS
    assert all(0 <= y < size[0] and 0 <= x < size[1] for y, x in pixels)


def test_the_estimate_is_near_and_the_budget_is_kept(w: CanvasWidget, tmp_path: Path) -> None:
    estimate = w.estimate_page(progress=False)
    assert estimate.fits
    assert estimate.neurons == page_budget.USUAL
    told: list[tuple[int, int]] = []
    written = w.save(tmp_path / "a.html", progress=lambda *done: told.append(done))
    assert written is not None
    assert written.bytes == (tmp_path / "a.html").stat().st_size
    assert written.bytes == pytest.approx(estimate.bytes, rel=0.3)
    assert told[-1][0] == told[-1][1]
    for words in ("about", "frames", "maps of neurons", "time"):
        assert words in repr(estimate)


def test_a_budget_that_is_too_small_says_what_to_leave_out(w: CanvasWidget, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page_budget, "overhead", lambda: 2**21)
        with pytest.raises(
            ValueError, match=r"budget=1.05 MB: the page would have .* Give a larger budget, or keep"
        ):
            w.save(tmp_path / "a.html", neurons=500, budget="1 MiB", progress=False)
    assert list(tmp_path.iterdir()) == []
    for wrong, what in (
        ({"budget": "much"}, "budget='much'"),
        ({"layers": "nothing"}, "nothing"),
        ({"layers": []}, "layers=[]"),
        ({"layers": 1.5}, "layers="),
        ({"frames": []}, "frames: at least one"),
        ({"frames": [99]}, "frames=99"),
        ({"frames": "all"}, "frames='all'"),
        ({"neurons": 0}, "neurons=0"),
        ({"neurons": "many"}, "neurons='many'"),
        ({"neurons": {"decoder.2": [(99, 0)]}}, "99"),
        ({"width": 3.3}, "width would be of a figure"),
    ):
        with pytest.raises((ValueError, TypeError, IndexError, KeyError), match=re.escape(what)):
            w.save(tmp_path / "a.html", progress=False, **wrong)
    with pytest.raises(TypeError, match="neurons would be of a page"):
        w.save(tmp_path / "a.png", neurons=3)
    with pytest.raises(ValueError, match="there is no folder"):
        w.save(tmp_path / "no" / "a.html")


def test_a_page_is_of_the_rule_that_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    widget = CanvasWidget(cw.trace(video(), "gated", device="cpu"), layer=-2, neuron=(1, 2), time=2)
    layer, real = widget.layer, page.write_page

    def switched(*arguments: Any) -> Any:  # in the menu, while the page is being made
        other = threading.Thread(target=setattr, args=(widget, "rule", "xinc"))
        other.start()
        other.join()
        return real(*arguments)

    monkeypatch.setattr(page, "write_page", switched)
    widget.save(tmp_path / "a.html", layers=layer, neurons=1, progress=False)
    assert widget.rule == "xinc"
    saved = Saved(tmp_path / "a.html").page
    assert saved["state"]["rule"] == saved["info"]["rule"] == "gated"
    assert [one["each_colour"] for one in saved["info"]["layers"]] == [True]
    (one,) = [one for one in saved["selections"] if one["neuron"] == [1, 2]]
    canvas = widget._live.call(lambda report: widget._live.of(None, "gated").canvas)
    totals = [np.abs(canvas.map(layer, (1, 2), frame, rgb="abs")).sum() for frame in range(6)]
    np.testing.assert_allclose(one["totals"], totals, rtol=1e-4)
    widget.close()


def test_an_interrupted_save_harms_nothing(w: CanvasWidget, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text("before")

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        w.save(path, progress=stop)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no room")))
        with pytest.raises(OSError, match="no room"):
            files.write_whole(path, b"after")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.repeats  # of the budget that is kept
def test_the_reference_video_fits_into_ten_megabytes(reference: Path) -> None:
    """From a sample of its frames; `benchmarks/page.py` writes the whole page, which takes minutes."""
    model = cw.models.load_model(reference / "nerv_bunny.safetensors")
    widget = CanvasWidget(cw.INR.from_frames(model, 32), time=8)
    layers = [layer.name for layer in widget.canvas.traced_layers]
    estimate = widget.estimate_page(progress=False)
    widget.close()
    assert len(layers) == 4
    assert estimate.bytes < 10e6
    assert estimate.neurons >= 3
