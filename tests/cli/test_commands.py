"""What the commands write, where, and what they print."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import canvaswidget as cw
from tests.canvases import image, video
from tests.cli.conftest import Run

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unbuilt")]


def test_trace_tells_of_the_model(run: Run) -> None:
    code, out, err = run("trace", "clip.safetensors")
    assert (code, err) == (0, "")
    for word in ("rule xinc", "decoder.1.conv.upconv.0", "head_layer", "ops:"):
        assert word in out


def test_trace_of_a_pixel_is_that_of_python(run: Run) -> None:
    code, out, err = run("trace", "clip.safetensors", "--pixel", "4,5", "--frame", "3", "--top", "4")
    assert (code, err) == (0, "")
    assert out == repr(cw.trace(video()).top(4, 5, 4, 3)) + "\n"


def test_check(run: Run) -> None:
    code, out, _ = run("trace", "photo.safetensors", "--rule", "gated", "--check")
    assert code == 0
    assert "ok" in out or "pass" in out or "holds" in out


def test_a_canvas_is_kept_and_looked_at(run: Run) -> None:
    save = (
        "trace",
        "clip.safetensors",
        "--truth",
        "clip",
        "--save",
        "x.zarr",
        "--frames",
        "1:5:2",
        "--maps",
        "2",
    )
    code, out, _ = run(*save, "--estimate")
    assert code == 0
    assert "before compression" in out
    assert not Path("x.zarr").exists()
    code, out, err = run(*save)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "x.zarr"
    assert cw.open("x.zarr").frames == (1, 3)
    code, _, err = run(*save)
    assert code == 1
    assert "overwrite" in err
    assert run(*save, "--overwrite", "--layers", "1", "head")[0] == 0
    assert len(cw.open("x.zarr").traced_layers) == 2
    code, out, _ = run("trace", "x.zarr")
    assert (code, "1, 3" in out) == (0, True)
    code, out, _ = run("trace", "x.zarr", "--pixel", "8,16")
    assert (code, "pixel (y=8, x=16), frame 1" in out) == (0, True)
    code, _, err = run("trace", "x.zarr", "--pixel", "0,0")
    assert (code, err.count("\n")) == (1, 1)
    assert "does not know what makes pixel (0, 0)" in err
    assert run("figure", "x.zarr", "view.png", "--dpi", "50")[:2] == (0, "view.png\n")


@pytest.mark.parametrize(
    "kind", ["png", *(pytest.param(kind, marks=pytest.mark.repeats) for kind in ("pdf", "svg"))]
)
def test_figure(run: Run, kind: str) -> None:
    given = (
        "--layer",
        "1",
        "--time",
        "2",
        "--pixel",
        "4,5",
        "--neuron",
        "0,2",
        "--maps",
        "signed",
        "--width",
        "3.3",
    )
    code, out, err = run("figure", "clip.safetensors", f"view.{kind}", *given)
    assert (code, out, err) == (0, f"view.{kind}\n", "")
    starts = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}
    assert Path(f"view.{kind}").read_bytes().startswith(starts[kind])


def test_fit_an_image_then_a_clip(run: Run) -> None:
    code, out, err = run("fit", "photo.png", "-o", "a.safetensors", "--steps", "3")
    assert (code, err) == (0, "")
    assert "PSNR" in out
    assert out.splitlines()[-1] == "a.safetensors"
    assert cw.load("a.safetensors").size == (12, 20)
    assert run("fit", "photo.png", "-o", "b.safetensors", "--model", "siren", "--steps", "2")[0] == 0
    assert run("fit", "photo.png", "-o", "c.safetensors", "--model", "mine:small", "--steps", "2")[0] == 0
    assert cw.models.load_model("c.safetensors").config["hidden"] == 6
    assert run("fit", "clip", "-o", "d.safetensors", "--frames", "0:3", "--steps", "2")[0] == 0
    inr = cw.load("d.safetensors")
    assert (inr.n_frames, inr.size) == (3, (16, 32))


def test_report(run: Run, undrawn: None) -> None:
    code, out, err = run("report", "photo.safetensors", "out", "--layers", "net.1")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == str(Path("out") / "index.html")
    assert all(Path(line).is_file() for line in out.splitlines())


@pytest.mark.parametrize("name", ["ready", "Inner.make", "small"])
def test_a_model_of_the_users(run: Run, name: str) -> None:
    code, out, _ = run("trace", f"mine:{name}")
    assert (code, "Canvas(" in out) == (0, True)


def test_a_figure_of_chosen_panels_and_a_page_of_chosen_frames(run: Run) -> None:
    view = ("figure", "clip.safetensors")
    assert run(*view, "view.svg", "--panels", "pixel", "frame", "--pixel", "4,5")[0] == 0
    words = Path("view.svg").read_text(encoding="utf-8")
    assert "neurons of pixel y=4, x=5" in words
    assert "Maps of" not in words
    code, out, _ = run(*view, "view.html", "--frames", "1:3")
    assert (code, out) == (0, "view.html\n")
    assert Path("view.html").stat().st_size > 0
    assert run(*view, "view.svg", "--panels", "else")[0] == 2
    code, _, err = run(*view, "view.html", "--panels", "frame")
    assert code == 1
    assert "panels would be of a figure" in err


def test_a_animation(run: Run) -> None:
    code, out, err = run(
        "animation", "clip.safetensors", "a.gif", "--layer", "head", "--frames", "1:3", "--fps", "5"
    )
    assert (code, out, err) == (0, "a.gif\n", "")
    with Image.open("a.gif") as animated:
        assert animated.n_frames == 2  # type: ignore[attr-defined]
    code, _, err = run("animation", "clip.safetensors", "a.gif", "--frames", "0:4:2")
    assert code == 2
    assert "without gaps" in err
    assert run("animation", "clip.safetensors", "a.gif", "--frames", "9:9")[0] == 2


def test_faithfulness_is_that_of_python(run: Run) -> None:
    code, out, err = run("faithfulness", "photo.safetensors", "--layers", "net.1", "--at-most", "5")
    assert (code, err) == (0, "")
    assert out == f"{cw.analysis.faithfulness(cw.trace(image()), 'net.1', at_most=5)!r}\n"
    assert run("faithfulness", "photo.safetensors", "--layers", "else")[0] == 1


def test_prune_writes_the_model_of_python(run: Run) -> None:
    pruning = ("prune", "photo.safetensors", "small.safetensors", "--share", "0.5", "--layers", "net.1")
    code, out, err = run(*pruning)
    assert (code, err) == (0, "")
    assert out.endswith("small.safetensors\n")
    canvas = cw.trace(image())
    expected = cw.prune(image(), canvas, share=0.5, layers="net.1").render(0)
    np.testing.assert_array_equal(cw.load("small.safetensors").render(0), expected)
    assert not np.array_equal(expected, canvas.inr.render(0))
    pictures = [np.clip(one.frame(0), 0, 1) for one in (cw.load("small.safetensors"), canvas.inr)]
    assert "50% of the neurons of net.1 removed" in out
    assert f"PSNR against the model before: {cw.media.psnr(*pictures):.2f} dB, mean over frames 0\n" in out
    assert run(*pruning)[0] == 1
    assert run(*pruning, "--overwrite")[0] == 0
