"""k-means of maps."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

import canvaswidget as cw
from canvaswidget.analysis.clustering import cluster, exemplars, group
from canvaswidget.analysis.kmeans import kmeans
from canvaswidget.analysis.matching import match
from canvaswidget.analysis.stability import stability
from canvaswidget.analysis.vectors import POOLED, block_means, pooled_maps, vectors
from tests.canvases import MapsCanvas, image, video


class Blobs(MapsCanvas):
    """Neurons that write into one of three corners, with random strengths; every tenth one is dead."""

    def __init__(self, n: int = 60, size: tuple[int, int] = (37, 50)) -> None:
        rng = np.random.default_rng(0)
        self.corner = np.where(np.arange(n) % 10 == 9, -1, rng.choice(3, n, p=[0.2, 0.5, 0.3]))
        y, x = np.mgrid[: size[0], : size[1]]
        corners = [(0, 0), (0, size[1]), (size[0], 0)]
        blobs = np.stack([np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 200) for cy, cx in corners])
        strength = rng.normal(size=(n, 1, 1)) * 10.0 ** rng.integers(-4, 4, (n, 1, 1))
        maps = (strength * blobs[self.corner]).astype(np.float32)
        maps[self.corner < 0] = 0.25
        # Each corner in a colour of its own, so that regions of colour tell them apart too.
        picture = blobs.transpose(1, 2, 0) > 0.2
        super().__init__({"net.0": maps}, chunk=15, pictures=picture[None].astype(np.float32))

    @property
    def maps_given(self) -> np.ndarray:
        return self.given[0]["net.0"]


def test_neurons_that_write_alike_meet_whatever_their_strength_and_sign() -> None:
    canvas = Blobs()
    found = cluster(canvas, "net.0", 3)
    sizes = [(canvas.corner == corner).sum() for corner in (1, 2, 0)]
    assert found.counts.tolist() == sorted(sizes, reverse=True)
    for number in range(3):
        assert len(set(canvas.corner[found.labels == number])) == 1
    assert ((found.labels == -1) == (canvas.corner == -1)).all()
    assert found.centres.shape == (3, POOLED, POOLED)
    assert [found.labels[neuron] for neuron in found.exemplars] == [0, 1, 2]
    assert "6 with a constant map in none" in repr(found)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_map_that_is_no_number_is_not_a_dead_one(broken: float) -> None:
    canvas = Blobs()
    canvas.maps_given[3, 5, 6] = broken
    for kind in ("pooled", "colours"):
        with pytest.raises(ValueError, match="the maps of 1 neurons hold NaN or infinity"):
            vectors(canvas, "net.0", kind)
    with pytest.raises(ValueError, match="the maps of 1 neurons hold NaN or infinity"):
        cluster(canvas, "net.0", 3)
    with pytest.raises(ValueError, match="the maps of 1 neurons hold NaN or infinity"):
        pooled_maps(canvas, canvas.layers[0], (60,), 0, False)


def test_more_clusters_than_different_maps_and_none_at_all() -> None:
    canvas = Blobs()
    canvas.maps_given[canvas.corner >= 0] = np.sign(canvas.maps_given[canvas.corner >= 0]) * (
        canvas.maps_given[0] != 0
    )
    canvas.maps_given[0] = np.arange(37 * 50).reshape(37, 50)
    canvas.maps_given[1:] = 0
    found = cluster(canvas, 0, 4)
    assert found.counts.tolist() == [1, 0, 0, 0]
    assert found.exemplars == (0,)
    canvas.maps_given[:] = 3
    found = cluster(canvas, 0, 4)
    assert found.counts.tolist() == [0, 0, 0, 0]
    assert (found.labels == -1).all()


def test_kernels_of_a_real_canvas() -> None:
    canvas = cw.trace(video(), device="cpu")
    layer = canvas.traced_layers[0]
    found = cluster(canvas, layer.name, 4, frame=2, seed=1)
    assert found.labels.shape == layer.neurons
    assert found.counts.sum() + (found.labels < 0).sum() == layer.n_kernels
    assert (np.diff(found.counts) <= 0).all()
    assert all(found.labels[neuron] == number for number, neuron in enumerate(found.exemplars))
    again = cluster(canvas, layer.name, 4, frame=2, seed=1)
    assert (again.labels == found.labels).all()
    axes = found.plot()
    assert isinstance(axes.figure, Figure)
    assert len(axes.get_xticks()) == 4


def test_progress_may_stop_it_in_any_phase() -> None:
    told: list[tuple[int, int]] = []
    cluster(Blobs(), 0, 3, progress=lambda done, total: told.append((done, total)))
    assert told[:4] == [(0, 60), (15, 60), (30, 60), (45, 60)]
    assert len(told) > 5
    for when in range(len(told)):
        left = iter(range(when))

        def stop(done: int, total: int, left=left) -> None:
            if next(left, None) is None:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            cluster(Blobs(), 0, 3, progress=stop)


def testblock_means_of_any_size() -> None:
    maps = np.random.default_rng(0).random((2, 7, 5), np.float32)
    assert np.allclose(block_means(maps, (7, 5)), maps)
    found = block_means(maps, (2, 2))
    assert np.allclose(found[:, 0, 1], maps[:, :3, 2:].mean((1, 2)))
    assert np.allclose(found[:, 1, 0], maps[:, 3:, :2].mean((1, 2)))


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "3"])
def test_k_is_a_number_of_clusters(k) -> None:
    with pytest.raises(ValueError, match="k="):
        cluster(Blobs(), 0, k)


@pytest.mark.parametrize("kind", ["pooled", "colours", "gabor"])
@pytest.mark.parametrize("make", [video, pytest.param(image, marks=pytest.mark.repeats)])
@pytest.mark.parametrize("rule", ["xinc", "gated"])
def test_vectors_against_each_map_on_its_own(kind: str, make, rule: str) -> None:
    canvas = cw.trace(make(), rule=rule, device="cpu")
    for granularity in (None, "unit"):
        found = vectors(canvas, -1, kind, k=4, granularity=granularity)
        each = canvas.iter(-1, granularity=granularity, rgb="each")
        maps = np.abs(np.concatenate([maps for _, maps in each])).sum(-1)
        assert found.alive.all()
        assert np.allclose(found.strength, maps.sum((1, 2)), rtol=1e-4)
        scaled = maps - maps.min((1, 2), keepdims=True)
        scaled /= scaled.max((1, 2), keepdims=True)
        if kind == "pooled":
            expected = block_means(scaled, found.cells.shape)
        else:
            expected = np.stack(
                [scaled[:, found.cells == region].mean(1) for region in range(found.cells.max() + 1)], -1
            )
        assert np.allclose(found.values, expected.reshape(len(maps), -1), atol=1e-4)
    assert "neurons whose map varies" in repr(found)


@pytest.mark.parametrize("kind", ["pooled", "colours", "gabor"])
@pytest.mark.parametrize("within", ["vectors", "pca", "tsne"])
def test_every_kind_and_place_finds_the_corners(kind: str, within: str) -> None:
    canvas = Blobs()
    found = cluster(canvas, "net.0", 3, kind=kind, within=within)
    if kind == "gabor":  # edges alone do not tell corners apart; that it runs is all
        assert found.counts.sum() == 54
        return
    for number in range(3):
        assert len(set(canvas.corner[found.labels == number])) == 1
    assert np.isnan(found.distances[canvas.corner < 0]).all()
    found.plot()


def test_several_layers_share_clusters() -> None:
    one, other = Blobs(), Blobs()
    order = np.random.default_rng(1).permutation(60)
    other.given[0]["net.0"] = other.maps_given[order] * 3
    first, second = group([vectors(canvas, 0) for canvas in (one, other)], 3)
    assert (first.labels[order] == second.labels).all()
    assert (first.counts == second.counts).all()
    assert np.array_equal(first.centres, second.centres)
    with pytest.raises(ValueError, match="sources"):
        group([vectors(one, 0), vectors(one, 0, "colours")], 3)
    masks = np.arange(24).reshape(1, 4, 6) % 2 == np.arange(2)[:, None, None]
    looks = [
        vectors(MapsCanvas({"net": np.random.default_rng(0).random((5, 4, 6))}), 0, "colours", masks=some)
        for some in (masks, masks[::-1])
    ]
    with pytest.raises(ValueError, match="regions differ"):
        group(looks, 2)
    assert len(group(looks[:1] * 2, 2)) == 2


def test_exemplars_are_the_nearest() -> None:
    canvas = cw.trace(video(), device="cpu")
    found = cluster(canvas, "decoder.1", 3, frame=1)
    sheet = exemplars(canvas, found, 4)
    for number, (neurons, maps) in enumerate(zip(sheet.neurons, sheet.maps, strict=True)):
        assert neurons[0] == found.exemplars[number]
        distances = [found.distances[neuron] for neuron in neurons]
        assert distances == sorted(distances)
        members = found.distances[found.labels == number]
        assert distances[-1] <= np.sort(members)[: len(neurons)].max()
        assert np.allclose(maps[0], np.abs(canvas.map("decoder.1", neurons[0], 1)))
    assert "maps of 3 clusters" in repr(sheet)
    sheet.plot()
    found.plot()
    dead = MapsCanvas({"net": np.zeros((3, 4, 6))})
    none = exemplars(dead, cluster(dead, 0, 2))
    assert none.neurons == ()
    none.plot()


def test_stability_of_clear_and_of_arbitrary_groups() -> None:
    clear = stability(vectors(Blobs(), 0), 3)
    assert clear.pairs.tolist() == [1] * 10
    noise = np.random.default_rng(0).random((80, 16, 16))
    arbitrary = stability(vectors(MapsCanvas({"net": noise}), 0), 3, seeds=(0, 1, 2))
    assert arbitrary.pairs.max() < 0.5
    assert "over 3 seeds" in repr(arbitrary)
    arbitrary.plot()
    with pytest.raises(ValueError, match="seeds="):
        stability(vectors(Blobs(), 0), 3, seeds=[1])


def test_stability_of_estimated_vectors_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("canvaswidget.analysis.sampled.EXACT_SECONDS", 0)
    monkeypatch.setattr("canvaswidget.analysis.sampled.MOST_PASSES", 60)
    canvas = cw.trace(video(), "gated", device="cpu")
    found = stability(canvas, "decoder.1", 3, 2, (0, 1, 2))
    assert not found.is_exact
    assert "vectors estimated ±" in repr(found)
    exact = stability(canvas, "decoder.1", 3, 2, (0, 1, 2), accuracy=None)
    assert exact.is_exact
    assert "estimated" not in repr(exact)
    assert not exemplars(canvas, cluster(canvas, "decoder.1", 3, frame=2)).clusters.is_exact


def test_stability_takes_a_canvas_and_a_layer() -> None:
    canvas = cw.trace(video(), device="cpu")
    found = stability(canvas, "decoder.1", 4, 2, (0, 1, 2), kind="colours")
    again = stability(vectors(canvas, "decoder.1", "colours", 2), k=4, seeds=(0, 1, 2))
    assert (found.scores == again.scores).all()
    assert (found.frame, found.k, found.kind) == (2, 4, "colours")
    assert "of 3 pairs over 3 seeds" in repr(found)
    assert stability(canvas, "decoder.1").k == 6
    with pytest.raises(ValueError, match="layer=None"):
        stability(canvas)
    dead = stability(MapsCanvas({"net": np.zeros((3, 4, 6))}), "net", 2)
    assert np.isnan(dead.pairs).all()
    assert "not defined" in repr(dead)
    dead.plot()


def test_k_means_has_converged() -> None:
    """A further run from where it ended changes nothing."""
    from sklearn.cluster import KMeans

    points = np.random.default_rng(0).random((5000, 40)).astype(np.float32) ** 2
    for seed in range(3):
        labels, centres = kmeans(points, 6, seed)
        more = KMeans(6, init=centres, n_init=1, tol=0, max_iter=500).fit(points)
        assert (more.labels_ == labels).all()
        assert (kmeans(points, 6, seed)[0] == labels).all()


def test_the_same_clusters_on_chunks_of_any_size() -> None:
    noise = np.random.default_rng(0).random((90, 32, 32)) ** 2
    every = [cluster(MapsCanvas({"net": noise}, chunk=chunk), 0, 5).labels for chunk in (1, 13, 90)]
    assert all((labels == every[0]).all() for labels in every)


@pytest.mark.parametrize("size", [(20, 60), (60, 20), (8, 8)])
def test_the_plot_of_clusters_keeps_the_aspect_of_the_frame(size: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).random((12, *size))
    for kind in ("pooled", "colours"):
        ax = cluster(MapsCanvas({"net": maps}), 0, 3, kind=kind).plot()
        ax.figure.draw_without_rendering()
        rows = ax.images[0].get_array().shape[0]
        columns = (ax.images[0].get_array().shape[1] - 2 * (ax.get_xticks()[1] - ax.get_xticks()[0])) + 0
        box = ax.get_window_extent()
        height = box.height / np.ptp(ax.get_ylim()) * rows
        width = box.width / np.ptp(ax.get_xlim()) * columns
        assert height / width == pytest.approx(size[0] / size[1], rel=0.02)


def test_matching_finds_a_permutation() -> None:
    rng = np.random.default_rng(0)
    maps = rng.random((30, 18, 20))
    maps[7] = 0.5  # dead
    order = rng.permutation(30)
    one = vectors(MapsCanvas({"net": maps}), 0)
    other = vectors(MapsCanvas({"net": -4 * maps[order]}), 0)
    found = match(one, other)
    assert len(found.pairs) == 29
    assert all(order[second] == first for first, second in found.pairs)
    assert np.allclose(found.likeness, 1, atol=1e-4)
    assert np.median(found.by_chance) < 0.9
    assert "29" in repr(found)
    found.plot()
    # The strongest only, of either side.
    table = found.to_frame()
    assert list(zip(table.one, table.other, strict=True)) == [(str(a), str(b)) for a, b in found.pairs]
    np.testing.assert_array_equal(table.correlation, found.likeness)
    assert found.numbers() == {
        "pairs": len(found.pairs),
        "correlation": float(np.median(found.likeness)),
        "correlation_by_chance": float(np.median(found.by_chance)),
    }
    few = match(one, other, most=5)
    strongest = {int(place) for place in np.argsort(-np.where(one.alive, one.strength, 0))[:5]}
    assert {first for first, _ in few.pairs} <= strongest
    assert match(one, other, seed=3).pairs == found.pairs


def test_a_constant_vector_has_no_correlation_to_match_by() -> None:
    whole = vectors(MapsCanvas({"net": np.random.default_rng(0).random((6, 16, 16))}), 0)
    values = whole.values.copy()
    values[:4] = 0.25
    flat = replace(whole, values=values)
    assert flat.alive.all()
    for one, other, counts in ((whole, flat, "0 and 4"), (flat, whole, "4 and 0"), (flat, flat, "4 and 4")):
        found = match(one, other)
        assert len(found.pairs) == len(found.likeness) == len(found.by_chance) == 2
        assert set(found.pairs) == {(4, 4), (5, 5)}
        rows = dict(found.rows())
        assert rows["correlation of a pair: median"] == "1.000"
        assert rows["constant vectors, correlation not defined"] == f"{counts} (left out)"
    none = match(whole, replace(whole, values=np.full_like(values, 0.25)))
    assert none.pairs == ()
    assert "median" not in repr(none)
    assert "not defined" not in repr(match(whole, whole))


def test_matching_is_the_best_there_is() -> None:
    rng = np.random.default_rng(0)
    one = vectors(MapsCanvas({"net": rng.random((4, 16, 16))}), 0)
    other = vectors(MapsCanvas({"conv": rng.random((2, 2, 16, 16))}), 0)
    found = match(one, other)
    likeness = np.corrcoef(one.values, other.values)[:4, 4:]
    best = max(sum(likeness[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(4)))
    assert found.likeness.sum() == pytest.approx(best, abs=1e-4)
    assert isinstance(found.pairs[0][1], tuple)


def test_only_like_is_matched_with_like() -> None:
    canvas = Blobs()
    pooled, coloured = vectors(canvas, 0), vectors(canvas, 0, "colours")
    with pytest.raises(ValueError, match="features of kind"):
        match(pooled, coloured)
    moved = vectors(canvas, 0, "colours", masks=np.roll(coloured.cells, 5, 1) == np.arange(4)[:, None, None])
    if moved.values.shape == coloured.values.shape:
        with pytest.raises(ValueError, match="same masks"):
            match(coloured, moved)
    assert match(coloured, coloured).likeness.min() > 0.999
    dead = vectors(MapsCanvas({"net": np.zeros((3, 37, 50))}), 0)
    assert match(pooled, dead).pairs == ()
    with pytest.raises(ValueError, match="kind='shape'"):
        vectors(canvas, 0, "shape")
    with pytest.raises(ValueError, match="within='plane'"):
        cluster(canvas, 0, 2, within="plane")
