"""k-means of maps."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

import canvaswidget as cw
from canvaswidget.analysis.clustering import POOLED, _block_means, cluster
from canvaswidget.tracing.layers import Layer, Layers
from tests.canvases import video


class Blobs:
    """Neurons that write into one of three corners, with random strengths; every tenth one is dead."""

    def __init__(self, n: int = 60, size: tuple[int, int] = (37, 50)) -> None:
        rng = np.random.default_rng(0)
        self.layers = Layers([Layer("net.0", "linear", n, 3)])
        self.corner = np.where(np.arange(n) % 10 == 9, -1, rng.choice(3, n, p=[0.2, 0.5, 0.3]))
        y, x = np.mgrid[: size[0], : size[1]]
        corners = [(0, 0), (0, size[1]), (size[0], 0)]
        blobs = np.stack([np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 200) for cy, cx in corners])
        strength = rng.normal(size=(n, 1, 1)) * 10.0 ** rng.integers(-4, 4, (n, 1, 1))
        self.maps = (strength * blobs[self.corner]).astype(np.float32)
        self.maps[self.corner < 0] = 0.25
        self.inr = SimpleNamespace(size=size)

    def iter(self, layer, frame=0, progress=None):
        for step, part in enumerate(np.array_split(np.arange(len(self.maps)), 4)):
            if progress:
                progress(step, 4)
            yield part, self.maps[part]


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
    assert "6 dead" in repr(found)


def test_more_clusters_than_different_maps_and_none_at_all() -> None:
    canvas = Blobs()
    canvas.maps[canvas.corner >= 0] = np.sign(canvas.maps[canvas.corner >= 0]) * (canvas.maps[0] != 0)
    canvas.maps[0] = np.arange(37 * 50).reshape(37, 50)
    canvas.maps[1:] = 0
    found = cluster(canvas, 0, 4)
    assert found.counts.tolist() == [1, 0, 0, 0]
    assert found.exemplars == (0,)
    canvas.maps[:] = 3
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
    assert told[:4] == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert len(told) > 5
    for when in range(len(told)):
        left = iter(range(when))

        def stop(done: int, total: int, left=left) -> None:
            if next(left, None) is None:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            cluster(Blobs(), 0, 3, progress=stop)


def test_block_means_of_any_size() -> None:
    maps = np.random.default_rng(0).random((2, 7, 5), np.float32)
    assert np.allclose(_block_means(maps, (7, 5)), maps)
    found = _block_means(maps, (2, 2))
    assert np.allclose(found[:, 0, 1], maps[:, :3, 2:].mean((1, 2)))
    assert np.allclose(found[:, 1, 0], maps[:, 3:, :2].mean((1, 2)))


@pytest.mark.parametrize("k", [0, -1, 2.5, True, "3"])
def test_k_is_a_number_of_clusters(k) -> None:
    with pytest.raises(ValueError, match="k="):
        cluster(Blobs(), 0, k)
