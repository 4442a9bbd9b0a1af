"""What `as_released=True` computes, against golden arrays of the released formulas and on the released FFN."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import canvaswidget as cw
from canvaswidget.analysis import distribution, objects, objects_over_time, partitions, regions, vectors
from canvaswidget.analysis.intervals import spearman
from tests import oracle
from tests.canvases import MapsCanvas, image, video
from tests.goldens import make

pytestmark = pytest.mark.slow

LAYERS = (0, 1, 2)


@cache
def golden() -> dict[str, np.ndarray]:
    with np.load(make.PATH) as file:
        return dict(file)


def canvas() -> MapsCanvas:
    given = golden()
    frames = [{f"net.{n}": given[f"maps_{n}"][frame] for n in LAYERS} for frame in range(make.FRAMES)]
    return MapsCanvas(*frames, pictures=np.stack([given["picture"]] * make.FRAMES), chunk=4)


def test_golden_arrays_are_those_of_the_oracle() -> None:
    given = golden()
    for name, values in make.answers(given).items():
        close = np.isclose(values, given[name], equal_nan=True)
        assert close.mean() > 0.999 if name == "gabor_features" else close.all(), name
    for name, values in make.inputs().items():
        assert np.allclose(values, given[name], atol=0.07), name  # a step of 1/16 where a sine is rounded


@pytest.mark.parametrize("layer", LAYERS)
def test_distribution(layer: int) -> None:
    found = distribution(canvas(), f"net.{layer}", as_released=True)
    assert found.levels == make.AREAS
    for place, area in enumerate(make.AREAS):
        assert found.thresholds[place] == golden()[f"threshold_{layer}_{area}"]
        expected = golden()[f"neurons_per_pixel_{layer}_{area}"]
        assert np.allclose(found.share_of_neurons[place], expected)
    assert found.pixels_per_neuron.tolist() == golden()[f"pixels_per_neuron_{layer}"].tolist()
    assert found.counted.name == ("net.1" if layer == 2 else f"net.{layer}")
    assert "published notebooks" in repr(found)
    assert ("neurons of net.1 per pixel" in repr(found)) == (layer == 2)
    assert found.counted.name in found.plot_pixels().get_title(loc="left")


def test_distribution_of_convolutions_has_no_slip() -> None:
    traced = cw.trace(video(), device="cpu")
    every = [
        np.abs(np.concatenate([maps for _, maps in traced.iter(layer)])).reshape(*layer.neurons, 16, 32)
        for layer in traced.traced_layers
    ]
    assert len(every) == 3
    for place, layer in enumerate(traced.traced_layers):
        found = distribution(traced, layer, as_released=True)
        assert found.counted == layer
        _, expected = oracle.released_neurons_per_pixel(every, place, 0.5)
        assert np.abs(found.share_of_neurons[1] - expected).sum() * layer.n_kernels <= 3


@pytest.mark.parametrize("layer", LAYERS)
def test_regions(layer: int) -> None:
    given = golden()
    found = regions(canvas(), f"net.{layer}", by="grid", cells=make.CELLS, as_released=True)
    assert np.allclose(found.variances["grid"], given[f"variance_combs_{layer}"], 1e-4, 1e-9, equal_nan=True)
    found = regions(canvas(), f"net.{layer}", by={"own": given["regions"]}, as_released=True)
    expected = given[f"variance_regions_{layer}"]
    assert np.allclose(found.variances["own"], expected, 1e-4, 1e-9, equal_nan=True)
    with_masks = regions(
        canvas(), f"net.{layer}", by="instances", masks=given["objects"], as_released=True
    ).variances["instances"]
    objects_here = np.stack([given["objects"][0] == 1, given["objects"][0] == 2])
    masks = np.concatenate([objects_here, objects_here.any(0, keepdims=True)])
    magnitudes = np.abs(given[f"maps_{layer}"][0])
    expected = oracle.released_variance_of_departures(magnitudes, masks, is_grid=False)
    assert np.allclose(with_masks, expected, 1e-4, 1e-9, equal_nan=True)


def test_one_region_has_no_variance() -> None:
    found = regions(canvas(), 0, by={"all": np.ones((1, *make.SIZE), bool)}, as_released=True)
    assert np.isnan(found.variances["all"]).all()
    found.plot()
    assert "nan" in repr(found)


def test_gabor_features_and_regions() -> None:
    given = golden()
    picture = np.clip(given["picture"], 0, 1)
    features = partitions.released_gabor_features(picture)
    assert features.dtype == np.uint8
    assert (
        features == given["gabor_features"]
    ).mean() > 0.999  # a whole number may be rounded to either side
    assert (features > 200).mean() > 0.05  # negative responses wrapped around
    labels = partitions.gabor(given["picture"], k=6, seed=3, as_released=True).argmax(0)
    points = features.reshape(-1, 6)
    expected = KMeans(6, random_state=3, n_init="auto").fit(points).labels_
    assert adjusted_rand_score(labels.ravel(), expected) == 1
    colours = partitions.colours(given["picture"], k=5, seed=2, as_released=True).argmax(0)
    expected = KMeans(5, random_state=2, n_init=1).fit(picture.reshape(-1, 3)).labels_
    assert adjusted_rand_score(colours.ravel(), expected) == 1
    constant = np.full((20, 24, 3), 0.3)
    assert partitions.gabor(constant, k=5, as_released=True).shape == (1, 20, 24)
    assert partitions.colours(constant, k=5, as_released=True).shape == (1, 20, 24)


def test_the_bank_has_the_published_parameters() -> None:
    kernels = partitions.published_kernels()
    assert len(kernels) == 24
    place = 0
    for turn in range(4):
        angle = turn * np.pi / 4
        for sigma in (1, 3):
            for frequency in (0.05, 0.25, 0.5):
                kernel = kernels[place]
                middle = [length // 2 for length in kernel.shape]
                y, x = (axis - half for axis, half in zip(np.indices(kernel.shape), middle, strict=True))
                wave = np.cos(2 * np.pi * frequency * (x * np.cos(angle) + y * np.sin(angle)))
                envelope = np.exp(-(x**2 + y**2) / (2 * sigma**2)) / (2 * np.pi * sigma**2)
                assert np.allclose(kernel.real, wave * envelope, atol=1e-12)
                place += 1


def test_released_regions_are_those_of_the_original_frame() -> None:
    traced = cw.trace(video(), device="cpu")
    released = regions(traced, -1, 2, by=["colours", "gabor"], k=4, as_released=True)
    truth = traced.inr.truth[2]
    assert np.array_equal(released.masks["gabor"], partitions.gabor(truth, 4, as_released=True))
    assert np.array_equal(released.masks["colours"], partitions.colours(truth, 4, as_released=True))
    own = regions(traced, -1, 2, by="colours", k=4)
    assert np.array_equal(own.masks["colours"], partitions.colours(traced.frame(2), 4))
    without = cw.trace(image(), device="cpu")
    released = regions(without, -1, by="gabor", k=4, as_released=True)
    assert np.array_equal(released.masks["gabor"], partitions.gabor(without.frame(0), 4, as_released=True))


@pytest.mark.parametrize("layer", LAYERS)
def test_vectors(layer: int) -> None:
    given = golden()
    magnitudes = np.abs(given[f"maps_{layer}"][0])
    found = vectors(canvas(), f"net.{layer}", as_released=True)
    assert found.values.shape[1] == (make.SIZE[0] // 16) * (make.SIZE[1] // 16)
    assert np.allclose(found.values, given[f"windows_{layer}"], atol=1e-5)
    assert found.alive.tolist() == magnitudes.any((1, 2)).tolist()
    assert found.as_released
    assert "published" in repr(found)
    for kind, divide in (("colours", partitions.colours), ("gabor", partitions.gabor)):
        found = vectors(canvas(), f"net.{layer}", kind, k=5, as_released=True)
        masks = divide(given["picture"], 5, as_released=True)
        assert np.allclose(found.values, oracle.region_vectors(magnitudes, masks), atol=1e-5)
    with pytest.raises(ValueError, match="16x16 pixels"):
        vectors(MapsCanvas({"net": np.ones((2, 12, 40))}), 0, as_released=True)


@pytest.mark.parametrize("layer", LAYERS)
def test_objects(layer: int) -> None:
    given = golden()
    means = given[f"means_of_objects_{layer}"]
    for frame in range(make.FRAMES):
        found = objects(canvas(), f"net.{layer}", given["objects"], frame, as_released=True)
        assert found.names == ("object 1", "object 2", "all objects")
        assert np.allclose(found.means, means[frame], atol=1e-5)
        assert "published notebooks" in repr(found)
    over = objects_over_time(canvas(), f"net.{layer}", given["objects"], as_released=True)
    assert over.names == ("object 1", "object 2", "all objects")
    assert np.allclose(over.means, means, atol=1e-5)
    assert np.allclose(over.shares, given[f"shares_over_time_{layer}"], atol=1e-5, equal_nan=True)
    assert "published notebooks" in repr(over)


# --- the released FFN ---------------------------------------------------------------------------------------


@cache
def released_ffn(reference: Path) -> tuple[cw.Canvas, list[np.ndarray]]:
    traced = cw.trace(cw.as_inr(cw.models.load_model(reference / "ffn_cityscapes.safetensors")), rule="xinc")
    layers = [
        np.abs(np.concatenate([maps for _, maps in traced.iter(layer)])) for layer in traced.traced_layers
    ]
    return traced, layers


def test_neurons_per_pixel_of_the_released_ffn(reference: Path) -> None:
    """Means over pixels that the released functions give on the released contributions."""
    traced, layers = released_ffn(reference)
    expected = ((52.69, 17.05), (12.52, 3.81), (21.81, 17.94))
    for place, means in enumerate(expected):
        found = distribution(traced, traced.traced_layers[place], as_released=True)
        assert found.neurons_per_pixel.mean((1, 2)) == pytest.approx(means, abs=0.005)
    right = distribution(traced, "net.2")
    # The last layer knows colours, which the released code adds with their signs: (27.22, 7.03).
    assert right.neurons_per_pixel.mean((1, 2)) == pytest.approx((27.81, 8.07), abs=0.005)
    released = distribution(traced, "net.2", as_released=True)
    counts = (layers[1] > released.thresholds[0]).sum(0)
    assert (released.neurons_per_pixel[0] == counts).all()


def test_gabor_regions_of_the_released_ffn(reference: Path) -> None:
    traced, _ = released_ffn(reference)
    picture = np.clip(traced.frame(0), 0, 1)
    features = oracle.released_gabor_features(picture)
    assert (partitions.released_gabor_features(picture) == features).mean() > 0.9999
    labels = partitions.gabor(picture, as_released=True).argmax(0).ravel()
    expected = KMeans(32, random_state=0, n_init="auto").fit(features.reshape(-1, 6)).labels_
    assert adjusted_rand_score(labels, expected) > 0.9


def test_on_the_released_ffn_cells_vary_less_than_colours_and_edges(reference: Path) -> None:
    """What `notebooks/space.ipynb` and `README.md` say."""
    traced, _ = released_ffn(reference)
    combs = partitions.grid(traced.inr.size, as_released=True)
    ranges = {
        "grid": ((0.00035, 0.00045), (0.085, 0.095), (0.058, 0.068)),
        "colours": ((0.0065, 0.0125), (0.105, 0.175), (0.068, 0.102)),
        "gabor": ((0.025, 0.075), (0.115, 0.225), (0.0635, 0.112)),
        "combs": ((0, 0.00045),) * 3,
    }
    for place, layer in enumerate(traced.traced_layers):
        found = regions(traced, layer).variances
        found |= regions(traced, layer, by={"combs": combs}).variances
        medians = {kind: float(np.nanmedian(values)) for kind, values in found.items()}
        for kind, bounds in ranges.items():
            assert bounds[place][0] <= medians[kind] <= bounds[place][1], (layer.name, kind)
        assert medians["combs"] < medians["grid"] < min(medians["colours"], medians["gabor"])


def test_agreement_with_ablation_in_the_last_layer_of_the_released_ffn(reference: Path) -> None:
    """What `README.md` says."""
    traced, _ = released_ffn(reference)
    xinc = cw.analysis.faithfulness(traced, "net.2", half_width=0.001, at_most=104)
    assert xinc.totals.value == pytest.approx(0.999, abs=0.001)
    assert xinc.per_pixel.value == pytest.approx(0.982, abs=0.003)
    # By hand, at every pixel, with the colours added with their signs, as in the released maps.
    whole = traced.maps("net.2", range(104)).astype(np.float64)
    bias = traced.inr.module.get_parameter("net.2.linear.bias")
    changes = whole - float(bias.detach().double().sum()) / 104
    assert np.allclose(traced.under("ablation").map("net.2", 5), changes[5], atol=1e-4)
    totals, lost = (np.abs(values).sum((1, 2)) for values in (whole, changes))
    assert spearmanr(totals, lost)[0] == pytest.approx(0.987, abs=0.001)
    each = spearman(*(np.abs(values).reshape(104, -1) for values in (whole, changes)))
    assert np.nanmean(each) == pytest.approx(0.943, abs=0.001)
    before = cw.analysis.faithfulness(traced, "net.1", half_width=0.001, at_most=104)
    assert before.totals.value == pytest.approx(0.02, abs=0.01)
    assert (traced.summary("net.1").neuron_abs == 0).sum() == 47
