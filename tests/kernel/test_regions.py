"""Regions with names: what they may be set to, and what part of a contribution lies in each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.kernel.region import Region, checked_region
from canvaswidget.kernel.region_list import Moving, checked_regions, on_wire, part_of
from tests.canvases import video
from tests.kernel.page import Page, cluster_labels, selection

SIZE, FRAMES = (16, 32), 6


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    return cw.trace(video(), rule="xinc")


@pytest.fixture
def page(canvas: cw.Canvas) -> Iterator[Page]:
    page = Page(canvas)
    yield page
    page.session.close()


@pytest.fixture
def w(canvas: cw.Canvas) -> Iterator[cw.CanvasWidget]:
    w = cw.CanvasWidget(canvas)
    yield w
    w.close()


def labels() -> np.ndarray:
    """Object 1 moves to the right, object 4 is in the first two frames only."""
    found = np.zeros((FRAMES, *SIZE), np.int32)
    for frame in range(FRAMES):
        found[frame, 2:6, 2 + frame : 8 + frame] = 1
    found[:2, 10:14, 20:30] = 4
    return found


def test_regions_are_named_in_order_and_take_every_form(w: cw.CanvasWidget) -> None:
    mask = np.zeros(SIZE, bool)
    mask[3, 4:9] = True
    w.regions = {"b": ((0, 0), (4, 4)), "a": mask, "moves": labels() == 1}
    assert list(w.regions) == ["b", "a", "moves"]
    assert isinstance(w.regions["b"], Region)
    assert (w.regions["a"].mask == mask).all()  # type: ignore[union-attr]
    assert isinstance(w.regions["moves"], Moving)
    w.regions = [((0, 0), (4, 4)), mask]
    assert list(w.regions) == ["region 1", "region 2"]
    w.regions = None
    assert w.regions == {}


def test_the_region_of_an_object_goes_with_it(w: cw.CanvasWidget) -> None:
    w.regions = labels()
    moves, leaves = (w.regions[name].frames for name in ("object 1", "object 4"))  # type: ignore[union-attr]
    w.time, w.region = 0, moves[0]
    w.time = 1
    assert w.region == moves[1]
    w.region = leaves[1]
    w.time = FRAMES - 1
    assert w.region == leaves[1]  # it has left: the last that was known
    w.time = 0
    assert w.region == leaves[0]
    with w.hold_trait_notifications():  # as the page tells it
        w.time, w.region = 2, moves[2]
    assert w.region == moves[2]
    w.region = ((0, 0), (4, 4))
    drawn = w.region
    w.time = 0
    assert w.region == drawn


def test_masks_of_a_painter_are_objects_that_move(w: cw.CanvasWidget) -> None:
    w.regions = labels()
    assert list(w.regions) == ["object 1", "object 4"]
    for name, label in (("object 1", 1), ("object 4", 4)):
        moving = w.regions[name]
        assert isinstance(moving, Moving)
        for frame, region in enumerate(moving.frames):
            expected = labels()[frame] == label
            assert (region is None) == (not expected.any())
            assert region is None or (region.mask == expected).all()
    w.regions = labels()[0]
    assert isinstance(w.regions["object 4"], Region)


def test_what_the_page_sends_back_is_the_same(w: cw.CanvasWidget) -> None:
    w.regions = {"box": ((0, 0), (4, 4)), **checked_regions(labels(), SIZE, FRAMES)}
    wire = on_wire(w.regions)
    assert checked_regions(wire, SIZE, FRAMES) == w.regions
    w.set_state({"regions": wire[:1]})
    assert list(w.regions) == ["box"]


def test_a_recipe_has_them(canvas: cw.Canvas, w: cw.CanvasWidget) -> None:
    w.regions = {"box": ((0, 0), (4, 4)), **checked_regions(labels(), SIZE, FRAMES)}
    scope: dict[str, Any] = {"model": canvas.inr}
    exec(w.recipe().replace("import canvaswidget as cw", "import canvaswidget as cw"), scope)
    assert scope["w"].regions == w.regions
    scope["w"].close()


@pytest.mark.parametrize(
    ("regions", "words"),
    [
        ({"": ((0, 0), (4, 4))}, "a text of 1 to 40 characters"),
        ({"a": ((0, 0), (4, 4)), " a": ((0, 0), (4, 4))}, "'a' is there twice"),
        ({"a": 3}, r"regions\['a'\]: region.*expected a mask"),
        ({"a": None}, "None is no region"),
        ({"a": np.zeros((2, *SIZE), bool)}, "has 2 frames; expected 6"),
        ({"a": np.zeros((6, *SIZE), bool)}, "is in no frame"),
        (np.zeros((3, 3), int), "labels are integers of shape"),
        ("box", "expected {name: region}"),
        ({str(i): ((0, 0), (4, 4)) for i in range(65)}, "at most 64"),
    ],
)
def test_what_are_no_regions(w: cw.CanvasWidget, regions: Any, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        w.regions = regions
    assert w.regions == {}


def test_regions_that_take_too_much_are_refused(w: cw.CanvasWidget, monkeypatch) -> None:
    monkeypatch.setattr("canvaswidget.kernel.region_list.MOST_NUMBERS", 10)
    with pytest.raises(ValueError, match="take 48 numbers to describe"):
        w.regions = {"moves": labels() == 1}


def test_a_part_of_the_magnitude() -> None:
    magnitude = np.array([[1.0, 3.0], [0.0, 4.0]])
    part = part_of(magnitude, np.array([[False, True], [False, False]]))
    assert part == (3 / 8, 1 / 4, pytest.approx(0.5))
    assert part_of(0 * magnitude, np.ones((2, 2), bool)) == (0.0, 1.0, 0.0)


def test_parts_of_a_neuron_a_cluster_and_a_layer(page: Page, canvas: cw.Canvas) -> None:
    layer = canvas.traced_layers[-2]
    boxes = [((0, 0), (8, 8)), ((4, 10), (16, 30))]
    regions = [found for box in boxes if (found := checked_region(box, SIZE))]
    maps = np.abs(np.concatenate([maps for _, maps in canvas.iter(layer, 2)]))
    clusters = cluster_labels(page, layer, time=2)
    place = int(np.ravel_multi_index((2, 3), layer.neurons))
    for chosen, magnitude in (
        (selection(layer.name, [2, 3]), maps[place]),
        (selection(layer.name, cluster=1), maps[clusters == 1].sum(0)),
        (selection(layer.name), maps.sum(0)),
        ({**selection(layer.name), "neurons": [[0, 0], [2, 3]]}, maps[[0, place]].sum(0)),
    ):
        body, _ = page.ask(
            kind="regions", time=2, selection=chosen, regions=[region.on_wire() for region in regions]
        )
        for i, region in enumerate(regions):
            share = magnitude[region.mask].sum() / magnitude.sum()
            area = region.mask.mean()
            assert body["shares"][i] == pytest.approx(share, rel=1e-4)
            assert body["areas"][i] == pytest.approx(area)
            # How much more than what the region would have if it were spread evenly.
            fair = magnitude.sum() * area
            assert body["deltas"][i] == pytest.approx((magnitude[region.mask].sum() - fair) / fair, rel=1e-3)


def test_the_map_of_a_layer_is_not_summed_twice(canvas: cw.Canvas, monkeypatch) -> None:
    page = Page(canvas)
    layer = canvas.traced_layers[-2]
    page.ask(kind="map", time=3, selection=selection(layer.name))
    monkeypatch.setattr(canvas, "summary", lambda *a, **k: pytest.fail("a second pass over the layer"))
    region = checked_region(((0, 0), (8, 8)), SIZE)
    assert region is not None
    body, _ = page.ask(kind="regions", time=3, selection=selection(layer.name), regions=[region.on_wire()])
    assert 0 < body["shares"][0] < 1
    page.session.close()


def sums_over(canvas: cw.Canvas, layer: Any, mask: np.ndarray, time: int, channel: str) -> np.ndarray:
    """``(n, colours)``: every neuron's map, added over a mask; one column where the rule does not know colours."""
    neurons = [layer.neuron_at(at) for at in range(int(np.prod(layer.neurons)))]
    if channel == "sum" and not canvas.why_no_colours(layer):
        return np.asarray(canvas.maps(layer, neurons, time, rgb="each"))[:, mask].sum(1)
    return np.asarray(canvas.maps(layer, neurons, time, rgb=channel))[:, mask].sum(1, keepdims=True)


@pytest.mark.parametrize(
    ("rule", "channel"), [("xinc", "sum"), ("xinc", "red"), ("gated", "sum"), ("gated", "red")]
)
def test_the_neurons_of_a_region_are_ranked_over_all_layers(
    canvas: cw.Canvas, rule: str, channel: str
) -> None:
    ours = canvas.under(rule)
    page, region = Page(ours), checked_region(((2, 3), (6, 9)), SIZE)
    assert region is not None
    body, _ = page.ask(kind="region_neurons", time=3, region=region.on_wire(), k=5, channel=channel)
    # xinc knows the colours of the last layer alone: then all layers are of the sum.
    assert (body["n_pixels"], body["channel"]) == (24, channel if rule == "gated" else "sum")
    columns = {
        layer.name: sums_over(ours, layer, region.mask, 3, body["channel"]) for layer in ours.traced_layers
    }
    sizes = {name: np.abs(sums).sum(1) for name, sums in columns.items()}
    ranked = [(name, at) for name, all_ in sizes.items() for at in range(len(all_))]
    strongest = sorted(ranked, key=lambda one: -sizes[one[0]][one[1]])[:5]
    for one, (name, at) in zip(body["neurons"], strongest, strict=True):
        assert (one["layer"], one["neuron"]) == (name, list(ours.layers.find(name).neuron_at(at)))
        assert one["value"] == pytest.approx(columns[name][at].sum() / 24, rel=1e-3, abs=1e-6)
        assert one["magnitude"] == pytest.approx(sizes[name][at] / 24, rel=1e-3)
        assert one["share"] == pytest.approx(sizes[name][at] / sizes[name].sum(), rel=1e-3)
    for line in body["layers"]:
        running = np.cumsum(np.sort(sizes[line["layer"]])[::-1]) / sizes[line["layer"]].sum()
        assert line["n50"] == int((running < 0.5 - 1e-6).sum()) + 1
    page.session.close()


def test_under_ablation_neurons_of_a_region_are_chosen_by_gated(canvas: cw.Canvas) -> None:
    ours, by = canvas.under("ablation"), canvas.under("gated")
    pages, region = [Page(ours), Page(by)], checked_region(((2, 3), (6, 9)), SIZE)
    assert region is not None
    found, chosen = (
        page.ask(kind="region_neurons", time=3, region=region.on_wire(), k=5, channel="sum")[0]["neurons"]
        for page in pages
    )
    named = [{(one["layer"], *one["neuron"]) for one in some} for some in (found, chosen)]
    assert named[0] == named[1]
    for one in found:
        lost = ours.maps(one["layer"], [tuple(one["neuron"])], 3, rgb="each")[0][region.mask].mean(0)
        assert one["value"] == pytest.approx(float(lost.sum()), rel=1e-3, abs=1e-6)
        # A neuron that adds red and takes blue away contributes, whatever the two add up to.
        assert one["magnitude"] == pytest.approx(float(np.abs(lost).sum()), rel=1e-3, abs=1e-6)
        assert one["share"] is None
    sizes = [one["magnitude"] for one in found]
    assert sizes == sorted(sizes, reverse=True)
    assert any(one["magnitude"] > 1.01 * abs(one["value"]) for one in found)
    for page in pages:
        page.session.close()


def test_a_region_of_nan_is_refused(tmp_path) -> None:
    canvas = cw.trace(video(), "xinc")
    mask = np.zeros(canvas.inr.size)
    mask[0, 0] = np.nan
    widget = cw.CanvasWidget(canvas)
    with pytest.raises(Exception, match="NaN or infinity at 1 pixels"):
        widget.region = mask
    widget.close()
    with pytest.raises(ValueError, match=r"regions\['a'\]: holds NaN"):
        canvas.save(tmp_path / "a.zarr", regions={"a": mask}, progress=False)
