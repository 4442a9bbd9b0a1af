"""The recipe makes an equal view, whatever was set; and `cw.load`, which it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from PIL import Image

import canvaswidget as cw
from canvaswidget.kernel import ablation, view_checks
from canvaswidget.plotting.figures import palettes
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import image, video
from tests.kernel.page import Page

H, W, FRAMES = 16, 32, 6


pytestmark = pytest.mark.usefixtures("unbuilt")


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture
def make() -> Iterator[Any]:
    made: list[CanvasWidget] = []

    def make(*given: Any, **keywords: Any) -> CanvasWidget:
        made.append(CanvasWidget(*given, **keywords))
        return made[-1]

    yield make
    for one in made:
        one.close()


def again(w: CanvasWidget, **known: Any) -> CanvasWidget:
    """The widget that its recipe makes."""
    names: dict[str, Any] = dict(known)
    exec(w.recipe(), names)
    return names["w"]


def shown(w: CanvasWidget) -> dict[str, Any]:
    return {name: getattr(w, name) for name in w.VIEW}


def points(least: int) -> some.SearchStrategy[list[tuple[float, float]]]:
    return some.lists(some.tuples(some.floats(0, H), some.floats(0, W)), min_size=least, max_size=5)


def rectangle(height: int, width: int) -> np.ndarray:
    mask = np.zeros((H, W), bool)
    mask[2 : 2 + height, 3 : 3 + width] = True
    return mask


REGIONS = some.one_of(
    some.just(((1, 2), (9, 20.5))),
    points(0).map(lambda drawn: [(0, 0), (H, 0), (H, W), *drawn]),
    some.builds(rectangle, some.integers(1, 9), some.integers(1, 9)),
)
WORDS = {name: some.sampled_from(choices) for name, choices in view_checks.CHOICES.items()}
NUMBERS = {name: some.floats(low, high) for name, (low, high) in view_checks.RANGES.items()}


def possible(state: dict[str, Any]) -> dict[str, Any]:
    """With all its neurons a picture is not shown without some."""
    whole = not (state.get("ablated") or state.get("edits")) and state.get("source") in ablation.SOURCES
    return {**state, "source": "off"} if whole else state


VIEWS = some.fixed_dictionaries(
    {},
    optional={
        **WORDS,
        **NUMBERS,
        "time": some.integers(0, FRAMES - 1),
        "bits": some.integers(1, 16),
        "pixel": some.none() | some.tuples(some.integers(0, H - 1), some.integers(0, W - 1)),
        "neurons": some.lists(some.tuples(some.integers(0, 3), some.integers(0, 2)), max_size=4),
        "region": REGIONS,
        "n_clusters": some.integers(7, 12),
        "cluster": some.integers(-1, 5),
        "cluster_names": some.dictionaries(
            some.text(max_size=8), some.lists(some.text(max_size=40), max_size=3)
        ),
        "loop": some.just((1, 4)),
        "palette": some.sampled_from(palettes().names),
        "playing": some.booleans(),
        "ablated": some.dictionaries(
            some.integers(1, 2),
            some.lists(some.tuples(some.integers(0, 3), some.integers(0, 2)), min_size=1, max_size=3),
            max_size=2,
        ),
        "edits": some.dictionaries(
            some.integers(1, 2),
            some.dictionaries(
                some.tuples(some.integers(0, 3), some.integers(0, 2)),
                some.sampled_from([0.5, -1.0, 2.0]),
                min_size=1,
                max_size=3,
            ),
            max_size=2,
        ),
    },
).map(possible)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(VIEWS, some.integers(0, 2))
def test_a_recipe_makes_an_equal_view(canvas: cw.Canvas, state: dict[str, Any], layer: int) -> None:
    if canvas.why_no_colours(canvas.traced_layers[layer]):
        state = {**state, "channel": "sum"}
    first = CanvasWidget(canvas, layer=layer, **state)
    second = again(first, model=canvas)
    try:
        assert shown(second) == shown(first)
        assert second.recipe() == first.recipe()
    finally:
        first.close()
        second.close()


def test_an_unselected_layer_stays_so(make, canvas: cw.Canvas) -> None:
    w = make(canvas)
    w.neuron = None
    assert "neuron=None" in w.recipe()
    second = again(w, model=canvas)
    assert shown(second) == shown(w)
    second.close()


def test_it_reads_well(make) -> None:
    w = make(cw.demo.image(), maps="signed", region=((4, 8), (30, 40)))
    layer, neuron = w.layer, w.neuron
    assert w.recipe() == (
        "import canvaswidget as cw\n\n"
        "w = cw.CanvasWidget(\n"
        "    cw.demo.image(),\n"
        "    rule='xinc',\n"
        f"    layer={layer!r},\n"
        f"    neuron={neuron!r},\n"
        f"    pixel={w.pixel!r},\n"
        "    region=((4, 8), (30, 40)),\n"
        "    maps='signed',\n"
        "    panel='region',\n"
        ")\nw\n"
    )


def test_a_large_mask_stays_within_the_lines(make, canvas: cw.Canvas) -> None:
    w = make(canvas, region=np.random.default_rng(0).random((H, W)) > 0.5)
    assert max(map(len, w.recipe().splitlines())) <= 100
    second = again(w, model=canvas)
    assert second.region == w.region
    second.close()


def test_a_model_that_nobody_can_name(make) -> None:
    w = make(video(truth=False), truth=np.zeros((FRAMES, H, W, 3), np.float32))
    text = w.recipe()
    assert "# model: NeRV, 6 frames of 16x32. Make or load it here." in text
    assert "# truth:" in text
    assert "CanvasWidget(\n    model,\n    rule='xinc',\n    truth=truth,\n" in text
    second = again(w, model=video(truth=False), truth=np.zeros((FRAMES, H, W, 3), np.float32))
    assert shown(second) == shown(w)
    second.close()


def test_the_options_of_a_rule_and_the_memory(make) -> None:
    w = make(cw.trace(image(), "xinc", memory="8 MiB", border="valid"))
    assert "canvas = cw.trace(model, rule='xinc', memory=8388608, border='valid')" in w.recipe()
    second = again(w, model=image())
    assert (second.canvas.options, second.canvas.memory) == ({"border": "valid"}, 8 * 2**20)
    assert shown(second) == shown(w)
    second.close()
    assert cw.trace(image(), "ablation", fill="mean").options == {"fill": "mean"}
    assert cw.trace(image(), "gated", bias="separate").options == {}


def test_directions_are_made_again(make) -> None:
    inr = image()
    first, second = (cw.trace(inr, "gated", bias="split").layers[place] for place in (0, -1))
    bases = [np.random.default_rng(0).normal(size=(2, layer.n_units)) for layer in (first, second)]
    canvas = cw.trace(inr, "gated", bias="split").directions(first, bases[0]).directions(second, bases[1])
    w = make(canvas, layer=second.name, neuron=1)
    code = w.recipe()
    assert f"canvas = canvas.directions({first.name!r}, basis_1)" in code
    twin = again(w, model=inr, basis_1=bases[0], basis_2=bases[1])
    np.testing.assert_array_equal(twin.canvas.map(second.name, 1), canvas.map(second.name, 1))
    assert twin.canvas.options == canvas.options
    twin.close()
    with pytest.raises(ValueError, match="truth"):
        cw.CanvasWidget(canvas, truth=np.zeros((1, *inr.size, 3), np.float32))


def test_the_page_gets_it(canvas: cw.Canvas, make) -> None:
    w = make(canvas, palette="magma")
    page = Page(canvas)
    page.session.close()
    page.session = w._session
    state = w.get_state(list(w.VIEW))
    assert page.ask(kind="recipe", state=state)[0] == {"kind": "recipe", "text": w.recipe()}
    # Of what the page shows, whatever Python has set meanwhile.
    text = w.recipe()
    w.rule, w.palette, w.layer = "gated", "gray", 0
    assert page.ask(kind="recipe", state=state)[0]["text"] == text != w.recipe()


# --- load ---------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    cw.models.save_model(video().module, "nerv.safetensors")
    cw.models.save_model(image().module, "ffn.safetensors")
    levels = np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8)
    Image.fromarray(levels).save("photo.png")
    Path("clip").mkdir()
    for frame in range(FRAMES):
        Image.fromarray(levels[:H, :W]).save(f"clip/{frame}.png")
    return tmp_path


@pytest.mark.parametrize(
    ("given", "keywords", "code"),
    [
        (("nerv.safetensors",), {}, "cw.load('nerv.safetensors')"),
        (("nerv.safetensors", "clip"), {}, "cw.load('nerv.safetensors', truth='clip')"),
        (("nerv.safetensors",), {"n_frames": 3}, "cw.load('nerv.safetensors', n_frames=3)"),
        (("ffn.safetensors", Path("photo.png")), {}, "cw.load('ffn.safetensors', truth='photo.png')"),
        (("ffn.safetensors",), {"size": [6, 10]}, "cw.load('ffn.safetensors', size=(6, 10))"),
    ],
)
def test_load(files: Path, make, given: Any, keywords: Any, code: str) -> None:
    inr = cw.load(*given, **keywords)
    assert (inr.origin, inr.name) == (code, Path(given[0]).stem)
    assert (inr.truth is not None) == (len(given) > 1)
    w = make(inr)
    second = again(w)
    assert shown(second) == shown(w)
    np.testing.assert_array_equal(second.canvas.frame(), w.canvas.frame())
    second.close()


def test_a_truth_is_resized_to_the_model(files: Path) -> None:
    assert cw.load("ffn.safetensors", "photo.png").size == (12, 20)
    with pytest.raises(ValueError, match="truth: has shape"):
        cw.load("nerv.safetensors", "photo.png")


def test_weights_that_changed_have_another_origin(files: Path) -> None:
    inr = cw.load("ffn.safetensors", "photo.png")
    assert cw.fit(inr, inr.truth, steps=1, progress=False).inr.origin == ""
    assert cw.load("ffn.safetensors", inr.truth).origin == ""
