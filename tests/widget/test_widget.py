"""The widget: what Python and the page may set, what they see, and what is left after it is closed."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import canvaswidget as cw
from canvaswidget import bundle
from canvaswidget.exports import fallback_image
from canvaswidget.exports.figure_data import figure_data
from canvaswidget.kernel import facts, message_parts, messages
from canvaswidget.plotting import figures
from canvaswidget.widget import live_view
from canvaswidget.widget.widget import CanvasWidget
from tests.canvases import StepCanvas, image, video
from tests.kernel.test_messages import problems

PNG = b"\x89PNG\r\n"


pytestmark = pytest.mark.usefixtures("unbuilt")


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture
def w(widgets, canvas) -> CanvasWidget:
    return widgets(canvas)


@pytest.fixture
def stepped(widgets, monkeypatch: pytest.MonkeyPatch) -> CanvasWidget:
    """On a `StepCanvas`; it can be traced anew under "other", where it has one layer, and not under "undefined"."""

    def under(self: StepCanvas, rule: str) -> StepCanvas:
        if rule != "other":
            raise cw.UntraceableError(f"rule={rule!r}: not defined on this model")
        traced = StepCanvas(rule)
        traced.traced_layers = cw.tracing.Layers([traced.layers[1]])
        return traced

    monkeypatch.setattr(live_view, "canvas_of", lambda *_: StepCanvas())
    monkeypatch.setattr(StepCanvas, "memory", 2**20, raising=False)
    monkeypatch.setattr(StepCanvas, "under", under, raising=False)
    monkeypatch.setattr(facts, "RULES", {"xinc": None, "other": None, "undefined": None})
    return widgets(None)


def sent(w: CanvasWidget) -> list[dict[str, Any]]:
    """From now on, every message to the page."""
    found: list[dict[str, Any]] = []
    w._send = lambda msg, buffers=None: found.append(msg)  # type: ignore[method-assign]
    return found


def without_numbers(state: dict[str, Any]) -> dict[str, Any]:
    """A state without the numbers of changes."""
    return {name: value for name, value in state.items() if name != "_changes"}


# --- the beginning ------------------------------------------------------------------------------------------


def test_every_panel_has_something_to_show_at_once(w: CanvasWidget, canvas: cw.Canvas) -> None:
    assert w.layer == canvas.traced_layers[-2].name
    assert (w.time, w.pixel, w.rule) == (3, (8, 16), "xinc")
    assert w.neuron == canvas.top(8, 16, 1, 3, [w.layer])[0].neuron
    assert w.canvas is canvas
    assert w.inr is canvas.inr


def test_a_layer_that_adds_nothing_to_the_pixel_is_not_shown_first(stepped, widgets, monkeypatch) -> None:
    assert (stepped.layer, stepped.neuron) == ("net.conv", (2, 3))
    silent = StepCanvas()
    silent.silent = "net.conv"
    monkeypatch.setattr(live_view, "canvas_of", lambda *_: silent)
    w = widgets(None)
    assert (w.layer, w.neuron) == ("net.linear", 6)
    w = widgets(None, layer="conv")
    assert (w.layer, w.neuron) == ("net.conv", (0, 0))


def test_the_state_is_small_and_as_the_page_expects_it(w: CanvasWidget) -> None:
    state = w.get_state()
    assert problems(state["_canvas"], message_parts.CanvasInfo) == []
    assert (state["pixel"], state["neuron"]) == ([8, 16], list(w.neuron))
    assert state["_esm"] == "/* widget.js */"
    assert state["_css"] == "/* widget.css */"
    assert len(json.dumps(state)) < 10_000


def test_what_is_given_is_shown(widgets, canvas: cw.Canvas) -> None:
    w = widgets(canvas, layer=0, neuron=(-1, 2), time=-1, pixel=(-16, 0), sort="total", maps="signed", fps=3)
    assert (w.layer, w.time, w.pixel) == (canvas.traced_layers[0].name, 5, (0, 0))
    assert w.neuron == (canvas.traced_layers[0].neurons[0] - 1, 2)
    assert (w.sort, w.maps, w.fps) == ("total", "signed", 3.0)
    w = widgets(canvas, cluster=2, pixel=None)
    assert (w.neuron, w.pixel, w.cluster) == (None, None, 2)


def test_models_of_any_kind(widgets) -> None:
    linear = image()
    w = widgets(linear.module)
    assert isinstance(w.neuron, int)
    assert w.get_state()["neuron"] == [w.neuron]
    assert (w.time, w.facts.n_frames) == (0, 1)
    assert not w.facts.has_truth
    with_truth = widgets(linear, truth=np.zeros((12, 20, 3), np.float32), source="error")
    assert with_truth.inr.truth.shape == (1, 12, 20, 3)
    assert linear.truth is None
    with pytest.raises(TypeError, match=r"INR\.from_coords"):
        CanvasWidget(torch.nn.Linear(2, 3))
    with pytest.raises(TypeError, match="expected an INR"):
        CanvasWidget("model")
    with pytest.raises(ValueError, match="rule='xink'"):
        CanvasWidget(linear, rule="xink")


def test_a_canvas_has_its_own_device(canvas: cw.Canvas) -> None:
    with pytest.raises(ValueError, match="of the canvas"):
        CanvasWidget(canvas, device="cpu")


def test_a_mistyped_option_is_named(canvas: cw.Canvas) -> None:
    with pytest.raises(TypeError, match="no option 'pallete'; did you mean 'palette'"):
        CanvasWidget(canvas, pallete="magma")
    with pytest.raises(TypeError, match="no option 'q'"):
        CanvasWidget(canvas, q=1)


def test_a_wrong_beginning_leaves_nothing(canvas: cw.Canvas) -> None:
    canvas.map(canvas.traced_layers[0], (0, 0))  # threads that compute maps are started once and stay
    threads = threading.active_count()
    for wrong in ({"time": 9}, {"layer": "x"}, {"opacity": 2}, {"neuron": (99, 0)}):
        with pytest.raises((IndexError, KeyError, ValueError)):
            CanvasWidget(canvas, **wrong)
    assert threading.active_count() == threads


def test_a_missing_bundle_is_named(monkeypatch: pytest.MonkeyPatch, canvas: cw.Canvas) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "BUNDLE", "no/such/folder")
    with pytest.raises(FileNotFoundError, match=r"widget\.js is missing.*npm run build"):
        CanvasWidget(canvas)


# --- set by Python ------------------------------------------------------------------------------------------

WRONG = [
    ("layer", "nix", KeyError, "no such layer"),
    ("layer", 7, IndexError, "layer=7: out of range"),
    ("layer", None, TypeError, "layer=None"),
    ("time", 6, IndexError, "time=6: out of range, expected -6 to 5"),
    ("time", 1.5, TypeError, "time=1.5: expected an int"),
    ("neuron", 3, ValueError, r"neuron=3: layer 'decoder.*' takes a kernel \(i, o\)"),
    ("neuron", (0, 10**6), IndexError, r"neuron\[1\]=1000000: out of range"),
    ("neuron", "a", ValueError, "neuron='a'"),
    ("pixel", (16, 0), IndexError, r"pixel\[0\]=16: out of range, expected -16 to 15"),
    ("pixel", 5, ValueError, r"pixel=5: expected \(y, x\)"),
    ("cluster", 6, ValueError, "cluster=6: expected -1 to 5"),
    ("n_clusters", 1, ValueError, "n_clusters=1: expected 2 to 12"),
    ("loop", (3, 3), ValueError, "expected the first frame to be before the last"),
    ("loop", 4, ValueError, r"loop=4: expected \(first, last\), frames from 0 to 5"),
    ("loop", (0, 6), IndexError, r"loop\[1\]=6: out of range"),
    ("cluster_names", ["sky"], TypeError, "expected {'layer/n_clusters'"),
    ("cluster_names", {"a/6": ["x" * 41]}, ValueError, "names of at most 40 characters"),
    ("source", "video", ValueError, "source='video': expected one of 'reconstruction'"),
    ("palette", "jet", ValueError, "palette='jet': expected one of 'viridis'"),
    ("maps", 1, ValueError, "maps=1"),
    ("overlay", "edges", ValueError, "overlay='edges': expected one of 'selection'"),
    ("sort", "size", ValueError, "sort='size'"),
    ("opacity", -0.1, ValueError, "opacity=-0.1: expected 0 to 1"),
    ("contrast", float("nan"), ValueError, "contrast=nan"),
    ("fps", "8", TypeError, "fps='8': expected a number"),
    ("rule", "xink", ValueError, "rule='xink'"),
]


@pytest.mark.parametrize(("name", "value", "error", "words"), WRONG)
def test_a_wrong_value_is_refused_and_nothing_changes(
    w, name: str, value: Any, error: Any, words: str
) -> None:
    before = w.get_state()
    with pytest.raises(error, match=words):
        setattr(w, name, value)
    assert w.get_state() == before


def test_values_are_taken_as_numpy_takes_them(w: CanvasWidget, canvas: cw.Canvas) -> None:
    w.time = np.int64(-2)
    assert w.time == 4
    w.pixel = np.array([-1, 3])
    assert w.pixel == (15, 3)
    w.layer = "decoder.1"
    assert w.layer == canvas.layers["decoder.1"].name
    w.neuron = [np.int64(-6), -1]
    assert w.neuron == (0, canvas.layers["decoder.1"].neurons[1] - 1)
    w.neuron = None
    w.opacity = np.float32(0.5)
    assert (w.neuron, w.opacity) == (None, 0.5)


def test_a_layer_without_the_neuron_lets_it_go_first(w: CanvasWidget) -> None:
    w.layer, w.neuron = -1, (0, 1)
    w.layer = 0
    assert w.neuron == (0, 1)
    w.neuron = (0, 19)
    found = sent(w)
    w.layer = -1
    assert w.neuron is None
    (message,) = found
    assert without_numbers(message["state"]) == {"neurons": [], "neuron": None, "layer": "head_layer"}


def test_several_neurons_and_the_one_that_stands_for_them(w: CanvasWidget) -> None:
    w.layer = 0
    w.neurons = [(0, 1), [2, 3], (0, 1), (-6, 2)]
    assert w.neurons == ((0, 1), (2, 3), (0, 2))
    assert w.neuron == (0, 2)
    heard: list[Any] = []
    w.observe(lambda change: heard.append((change["name"], w.neuron, w.neurons)), ["neuron", "neurons"])
    w.neuron = (1, 1)
    assert {each[1:] for each in heard} == {((1, 1), ((1, 1),))}
    w.neurons = ()
    assert w.neuron is None
    w.neurons = [(0, 1), (0, 19)]
    w.layer = -1  # it has no output 19
    assert (w.neuron, w.neurons) == ((0, 1), ((0, 1),))
    found = sent(w)
    w.set_state({"neuron": [1, 2], "neurons": [[0, 1], [1, 2]]})
    assert w.neurons == ((0, 1), (1, 2))
    assert [message for message in found if message["method"] == "update"] == []


def test_a_region_is_a_mask_a_box_or_a_polygon(w: CanvasWidget) -> None:
    mask = np.zeros((16, 32), bool)
    mask[2:5, 3:9] = True
    heard: list[Any] = []
    w.observe(lambda change: heard.append(change["new"]), "region")
    for form in (mask, ((2, 3), (5, 9)), [(2, 3), (2, 9), (5, 9), (5, 3)]):
        w.region = form
        assert (w.region.mask == mask).all()
        page = w.get_state(["region"])["region"]
        assert problems(page, message_parts.Region) == []
        w.region = None
        w.set_state({"region": json.loads(json.dumps(page))})
        assert (w.region.mask == mask).all()
    assert len(heard) == 9 - 1
    w.region = [(0, 0), (0, 7.6), (7.6, 0)]
    inside = np.add.outer(np.arange(16), np.arange(32)) < 7
    assert (w.region.mask == inside).all()
    assert "28 of 16x32 pixels" in repr(w.region)


@pytest.mark.parametrize(
    ("region", "words"),
    [
        (np.zeros((16, 32), bool), "no pixel"),
        (np.ones((3, 4), bool), "the frame is 16x32"),
        ([(1, 2)], "expected a mask"),
        ("box", "expected a mask"),
        ([(0, 0), (0, float("nan")), (4, 4)], "NaN"),
        ({"points": [], "runs": [1]}, "pairs"),
    ],
)
def test_what_is_no_region(w: CanvasWidget, region: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        w.region = region


def test_fewer_clusters_let_the_cluster_go(w: CanvasWidget) -> None:
    w.cluster = 5
    w.n_clusters = 5
    assert w.cluster == -1


def test_truth_must_be_there(widgets) -> None:
    w = widgets(video(truth=False))
    with pytest.raises(ValueError, match="no truth"):
        w.source = "error"


def test_observers_hear(w: CanvasWidget) -> None:
    heard: list[Any] = []
    w.observe(lambda change: heard.append(change["new"]), ["pixel", "neuron"])
    w.pixel = [1, 2]
    w.set_state({"pixel": [3, 4], "neuron": None})
    assert heard == [(1, 2), (3, 4), None] or heard == [(1, 2), None, (3, 4)]


# --- set by the page ----------------------------------------------------------------------------------------


def test_the_page_sets_a_layer_with_its_neuron(w: CanvasWidget) -> None:
    w.layer, w.neuron = 0, (0, 19)
    found = sent(w)
    w.set_state({"neuron": [1, 2], "neurons": [[1, 2]], "layer": "head_layer", "time": 1})
    assert (w.layer, w.neuron, w.time) == ("head_layer", (1, 2), 1)
    assert [message for message in found if message["method"] == "update"] == []


def test_the_last_value_sent_is_the_value_though_two_threads_send(w: CanvasWidget) -> None:
    """One thread is at the door with a value when another sets a newer one: the newer must go last."""
    at_the_door, overtaken = threading.Event(), threading.Event()
    opacities: list[float] = []

    def send(message: dict[str, Any], buffers: Any = None) -> None:
        opacity = message["state"]["opacity"]
        if opacity == 0.5:
            at_the_door.set()
            overtaken.wait(0.2)
        else:
            overtaken.set()
        opacities.append(opacity)

    def set_held() -> None:
        with w.hold_sync():
            w.opacity = 0.5

    w._send = send  # type: ignore[method-assign]
    other = threading.Thread(target=set_held)
    other.start()
    assert at_the_door.wait(60)
    w.opacity = 0.75
    other.join(60)
    assert not other.is_alive()
    assert opacities == [0.5, 0.75]


@pytest.mark.parametrize(("name", "value", "error", "words"), WRONG)
def test_the_page_can_break_nothing(
    w: CanvasWidget, caplog, name: str, value: Any, error: Any, words: str
) -> None:
    before = w.get_state()
    found = sent(w)
    w._handle_msg({"content": {"data": {"method": "update", "state": {name: value, "playing": True}}}})
    assert without_numbers(w.get_state()) == {**without_numbers(before), "playing": True}
    updates = [message["state"] for message in found if message["method"] == "update"]
    assert {name: before[name]} in [without_numbers(update) for update in updates]
    assert f"the page set {name}=" in caplog.text


def test_what_is_the_kernels_stays(w: CanvasWidget) -> None:
    before = w.get_state()["_canvas"]
    w.set_state({"_canvas": {}, "unheard_of": 3})
    assert w.get_state()["_canvas"] == before


def request(key: int, **body: Any) -> dict[str, Any]:
    return {"type": "request", "id": key, "view": "v", "body": body}


def test_requests_are_answered_on_the_loop(w: CanvasWidget) -> None:
    async def talk() -> tuple[dict[str, Any], list[bytes], int]:
        answered = asyncio.get_running_loop().create_future()
        w.send = lambda content, buffers=None: answered.set_result(  # type: ignore[method-assign]
            (content, buffers, threading.get_ident())
        )
        w._handle_custom_msg(request(7, kind="frame", time=2, source="reconstruction"), [])
        return await asyncio.wait_for(answered, 60)

    content, buffers, thread = asyncio.run(talk())
    assert problems(content, messages.FromKernel) == []
    assert (content["id"], content["body"]["time"], len(buffers[0])) == (7, 2, 16 * 32 * 3)
    assert thread == threading.get_ident()
    assert w.stats()["answered"] == 1


def test_requests_are_answered_without_a_loop(w: CanvasWidget) -> None:
    answered = threading.Event()
    w.send = lambda content, buffers=None: answered.set()  # type: ignore[method-assign]
    w._handle_custom_msg(request(7, kind="palettes"), [])
    assert answered.wait(60)
    w._handle_custom_msg("what", [])


def test_an_answer_after_the_loops_end_is_dropped(w: CanvasWidget, caplog) -> None:
    async def ask() -> None:
        w._handle_custom_msg(request(1, kind="palettes"), [])

    gate = threading.Event()
    blocked = threading.Thread(target=lambda: w._live.call(lambda checkpoint: gate.wait(60)))
    blocked.start()
    asyncio.run(ask())
    gate.set()
    blocked.join(60)
    w._live.call(lambda checkpoint: None)
    assert "Traceback" not in caplog.text


def test_clusters_are_named(w: CanvasWidget) -> None:
    w.n_clusters = 3
    w.name_cluster(1, "sky")
    w.name_cluster(0, "sea")
    assert w.cluster_names == {f"{w.layer}/3": ["sea", "sky", ""]}
    with pytest.raises(ValueError, match="cluster=3: expected 0 to 2"):
        w.name_cluster(3, "x")


# --- the rule -----------------------------------------------------------------------------------------------


def test_another_rule_is_another_canvas(stepped: CanvasWidget) -> None:
    w = stepped
    w.layer, w.neuron = "conv", (1, 1)
    before, found = w.canvas, sent(w)
    w.rule = "other"
    assert (w.rule, w.canvas.rule, w.layer, w.neuron) == ("other", "other", "net.linear", None)
    assert w.canvas is not before
    (update,) = [message["state"] for message in found if message["method"] == "update"]
    assert {"rule", "_canvas", "layer", "neuron", "neurons", "cluster_names", "_changes"} == set(update)
    assert update["_canvas"]["rule"] == "other"
    assert [layer["name"] for layer in update["_canvas"]["layers"]] == ["net.linear"]


def test_the_page_is_offered_the_rules_that_are_defined(stepped: CanvasWidget) -> None:
    assert stepped._canvas["rules"] == ["xinc", "other"]
    stepped.rule = "other"
    assert stepped._canvas["rules"] == ["xinc", "other"]


def test_another_rule_keeps_the_selection(canvas, widgets) -> None:
    real = widgets(canvas.inr)
    assert real._canvas["rules"] == ["xinc", "gated", "ablation"]
    assert "xinc" in real._canvas["why"]
    real.layer, real.neuron = real.facts.layers[-1].name, (1, 2)
    for rule in ("gated", "ablation"):
        real.rule = rule
        assert (real.neuron, real.canvas.rule) == ((1, 2), rule)
        assert real._canvas["ranked_by"] == "gated"
        assert "xinc" in real._canvas["why"]


def test_a_rule_that_is_not_defined_changes_nothing(stepped: CanvasWidget, caplog) -> None:
    w, before = stepped, stepped.canvas
    with pytest.raises(cw.UntraceableError):
        w.rule = "undefined"
    found = sent(w)
    w.set_state({"rule": "undefined"})
    assert (w.rule, w.canvas) == ("xinc", before)
    assert {"rule": "xinc"} in [without_numbers(message["state"]) for message in found]
    w.set_state({"rule": "other"})
    assert (w.rule, w.canvas.rule) == ("other", "other")


# --- pictures -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "view",
    [
        {},
        {"maps": "signed"},
        {"neuron": None},
        {"cluster": 1},
        {"source": "error"},
        {"source": "off"},
        {"overlay": "neurons"},
        {"overlay": "intensity", "maps": "signed"},
        {"overlay": "change", "neuron": None},
        {"pixel": None},
    ],
)
def test_figure_of_any_view(widgets, canvas: cw.Canvas, view: dict[str, Any]) -> None:
    figure = widgets(canvas, n_clusters=2, **view).figure(width=3.3)
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() == 3.3


def test_save(w: CanvasWidget, tmp_path) -> None:
    for name, start in (("a.png", PNG), ("b.pdf", b"%PDF"), ("c.SVG", b"<?xml")):
        w.save(tmp_path / name, dpi=60)
        assert (tmp_path / name).read_bytes().startswith(start)
    with pytest.raises(ValueError, match=r"ends in \.png, \.pdf, \.svg"):
        w.save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="there is no folder"):
        w.save(tmp_path / "none" / "a.png")
    with pytest.raises(ValueError, match="width=0"):
        w.save(tmp_path / "a.png", width=0)


def test_figures_of_chosen_panels(w: CanvasWidget, tmp_path) -> None:
    assert len(w.figure().subfigs) == 4  # frame and pixel, maps, neurons, shares and time
    figure = w.figure(["frame", "scatter", "time"], width=6.6, columns=2, limits="own")
    assert [len(part.axes) for part in figure.subfigs] == [2, 1]
    assert f"{w.layer.split('.')[0]}" in figure.words  # type: ignore[attr-defined]
    w.cluster, w.neuron = 1, None
    w.sort = "total"
    assert len(w.figure().subfigs) == 4  # a cluster is not followed through time unasked
    assert "in cluster 1, largest totals" in w.figure(["neurons"]).words  # type: ignore[attr-defined]
    assert "Total through time" in w.figure("time").words  # type: ignore[attr-defined]
    w.pixel = None
    with pytest.raises(ValueError, match="nothing to draw as 'pixel', since no pixel is pinned"):
        w.figure("pixel")
    for wrong in ({"limits": "none"}, {"panels": "picture"}, {"columns": 2, "width": 3}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            w.figure(**wrong)
    w.save(tmp_path / "a.svg", panels=["frame"], limits="own")
    assert "<desc>" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def displayed(w: CanvasWidget, monkeypatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def show(data: dict[str, Any], **keywords: Any) -> None:
        assert keywords["raw"]
        found.append({**data, "id": keywords.get("display_id")})

    for module in (live_view, fallback_image):
        monkeypatch.setattr(module, "display", show)
    monkeypatch.setattr(fallback_image, "update_display", show)
    w._ipython_display_()
    return found


def test_below_the_live_view_is_a_picture_for_where_no_kernel_runs(
    w: CanvasWidget, monkeypatch, caplog
) -> None:
    live, saved = displayed(w, monkeypatch)
    assert live["application/vnd.jupyter.widget-view+json"]["model_id"] == w.model_id
    assert live["text/plain"] == repr(w)
    assert saved["id"] == w._picture
    assert f'<div class="{w._picture}"><img src="data:image/png;base64,' in saved["text/html"]
    assert 'alt="CanvasWidget(NeRV, 6 frames' in saved["text/html"]
    assert base64.b64decode(saved["image/png"]).startswith(PNG)
    monkeypatch.setattr(live_view, "figure_data", lambda *_: 1 / 0)
    assert len(displayed(w, monkeypatch)) == 1
    assert "could not be drawn" in caplog.text


def test_the_picture_keeps_every_colour_of_a_colour_bar() -> None:
    """A palette of 256 colours, chosen for a photograph, left the bar in seven bands."""
    rng = np.random.default_rng(0)
    photograph = np.clip(rng.normal(0.5, 0.2, (40, 60, 3)), 0, 1)
    view = figures.View("a photograph", photograph, overlay=rng.random((40, 60)), opacity=1.0)
    shown = figures.view_figure(view, fallback_image.WIDTH)
    drawn = np.array(Image.open(io.BytesIO(fallback_image.png(shown))))
    shown.canvas.draw()
    bar = next(ax for ax in shown.axes[0].child_axes if ax.get_ylabel() == figures.View.overlay_unit)
    box = bar.get_window_extent().extents * drawn.shape[0] / shown.bbox.height
    column = drawn[::-1][int(box[1]) + 2 : int(box[3]) - 2, int(box[[0, 2]].mean())]
    assert len(np.unique(column, axis=0)) > 128


@pytest.mark.parametrize("maps", ["magnitude", "signed"])
def test_the_picture_draws_a_difference_around_zero(w: CanvasWidget, maps: str) -> None:
    state = {name: getattr(w, name) for name in w.trait_names() if not name.startswith("_")}
    drawn = {
        overlay: figure_data(
            w._live.cached, {**state, "maps": maps, "overlay": overlay}, ["frame"], lambda *_: None
        )
        for overlay in ("intensity", "neurons", "change")
    }
    assert {name: view.overlay_signed for name, view in drawn.items()} == {
        "intensity": True,
        "neurons": False,
        "change": False,
    }


def test_the_picture_follows_the_view_once_it_rests(w: CanvasWidget, monkeypatch) -> None:
    monkeypatch.setattr(fallback_image, "QUIET", 0.05)

    async def look() -> None:
        found = displayed(w, monkeypatch)
        first = found.pop()
        found.clear()
        w.time = 1
        other = threading.Thread(target=lambda: setattr(w, "time", 2))
        other.start()
        other.join()
        while not found:
            await asyncio.sleep(0.01)
        assert [part["id"] for part in found] == [first["id"]]
        assert "time=2" in found[0]["text/plain"]
        assert found[0]["image/png"] != first["image/png"]
        w.time = 1
        w.close()
        await asyncio.sleep(0.1)
        assert len(found) == 1

    asyncio.run(look())


def test_a_change_after_the_loops_end_is_nothing(w: CanvasWidget, monkeypatch) -> None:
    async def look() -> None:
        displayed(w, monkeypatch)

    asyncio.run(look())
    w.time = 1


def test_repr(w: CanvasWidget) -> None:
    assert repr(w).startswith(
        "CanvasWidget(NeRV, 6 frames of 16x32, layer='decoder.2.conv.upconv.0', time=3, "
    )


# --- the end ------------------------------------------------------------------------------------------------


def test_close_frees_the_model_and_the_widget(monkeypatch) -> None:
    inr = video()
    w = CanvasWidget(inr, device="cpu")
    w.figure()
    displayed(w, monkeypatch)
    w._handle_custom_msg(request(1, kind="frame", time=0, source="reconstruction"), [])
    freed = [weakref.ref(w), weakref.ref(w.canvas), weakref.ref(inr), weakref.ref(inr.module)]
    assert w.stats()["cache_bytes"] > 3 * 16 * 32
    cache = w._session._cache
    w.close()
    assert (cache.n_bytes, len(cache)) == (0, 0)
    del inr
    gc.collect()
    assert [ref() for ref in freed[1:]] == [None, None, None]
    del w
    gc.collect()
    assert freed[0]() is None


def test_a_closed_widget_can_be_read_and_says_that_it_is_closed(w: CanvasWidget) -> None:
    w.close()
    w.close()
    assert (w.time, w.pixel) == (3, (8, 16))
    w.time = 1
    w.layer = 0
    assert "closed" in repr(w)
    w._handle_custom_msg(request(1, kind="palettes"), [])
    for use in (lambda: w.canvas, lambda: w.inr, w.figure, w.stats, lambda: setattr(w, "rule", "gated")):
        with pytest.raises(RuntimeError, match="closed"):
            use()
