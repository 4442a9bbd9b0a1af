"""The error of bands of frequencies along a training: planted errors come out."""

from __future__ import annotations

import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget.analysis.spectral_bias import spectral_bias
from canvaswidget.analysis.spectrum import spectrum
from tests.analysis.test_spectrum import hann
from tests.canvases import MapsCanvas

SIZE = (32, 32)
X = np.arange(32)[None, :, None] * np.ones((32, 1, 3))
COARSE, FINE = np.sin(2 * np.pi * 3 * X / 32), np.sin(2 * np.pi * 12 * X / 32)
TRUTH = 0.5 + 0.25 * COARSE + 0.125 * FINE


def step(picture: np.ndarray, truth: np.ndarray | None = TRUTH) -> MapsCanvas:
    maps = np.stack([picture[..., 0], 0 * picture[..., 0]])
    canvas = MapsCanvas({"layer": maps}, pictures=picture[None].astype(np.float32))
    canvas.inr.truth = None if truth is None else truth[None].astype(np.float32)
    return canvas


RUNS = {
    0: step(0 * TRUTH),
    10: step(0.5 + 0.125 * COARSE),
    20: step(0.5 + 0.25 * COARSE - 0.125 * FINE),
    30: step(TRUTH),
}
EDGES = (6 / 32,)


def test_planted_errors() -> None:
    found = spectral_bias(RUNS, edges=EDGES)
    assert found.steps == (0, 10, 20, 30)
    assert found.bands == ("mean", "up to 0.188", "above 0.188")
    np.testing.assert_allclose(found.error[0], [1, 1, 1], rtol=1e-4)
    np.testing.assert_allclose(found.error[1], [0, 0.25, 1], atol=1e-4)
    np.testing.assert_allclose(found.error[2], [0, 0, 4], atol=1e-4)
    np.testing.assert_allclose(found.error[3], 0, atol=1e-6)
    assert found.first_step() == [10, 10, 30]
    assert found.first_step(0.2) == [10, 20, 30]
    assert found.first_step(0.0) == [None, None, None]
    # A wave of amplitude a has mean square a^2 / 2, the same under the squared window, for whole cycles.
    assert found.psnr[0, 1] == pytest.approx(-10 * np.log10(0.25**2 / 2), abs=0.02)
    assert found.psnr[1, 1] == pytest.approx(-10 * np.log10(0.125**2 / 2), abs=0.02)
    assert found.psnr[2, 2] == pytest.approx(-10 * np.log10(0.25**2 / 2), abs=0.02)
    # Parts of the mean square error add up.
    window = (hann(32)[:, None] * hann(32)[None])[..., None]
    for place, canvas in enumerate(RUNS.values()):
        square = (window**2 * (canvas.frame() - TRUTH) ** 2).sum() / (3 * (window**2).sum())
        assert (10 ** (-found.psnr[place] / 10)).sum() == pytest.approx(square, rel=1e-4, abs=1e-12)
    assert "from step 30 on below 0.5" in repr(found)
    assert found.to_frame().loc[(20, "above 0.188"), "error"] == pytest.approx(4, rel=1e-3)
    found.plot().draw_without_rendering()


def test_neurons_along_the_training() -> None:
    found = spectral_bias(RUNS, "layer", edges=EDGES)
    assert found.centroid.shape == (4, 2)
    assert np.isnan(found.centroid[0]).all()
    assert np.isnan(found.centroid[:, 1]).all()
    for place, canvas in enumerate(RUNS.values()):
        np.testing.assert_array_equal(found.centroid[place], spectrum(canvas, "layer", edges=EDGES).centroid)
    assert found.centroid[1, 0] < found.centroid[3, 0]
    found.plot().draw_without_rendering()
    assert "centroid frequency of layer" in repr(found)


def test_a_sample_is_the_same_at_every_step() -> None:
    maps = np.random.default_rng(0).normal(size=(40, *SIZE))
    canvas = MapsCanvas({"layer": maps}, pictures=TRUTH[None].astype(np.float32))
    canvas.inr.truth = TRUTH[None]
    found = spectral_bias({0: canvas, 1: canvas}, 0, sample=12)
    assert np.isfinite(found.centroid).sum(1).tolist() == [12, 12]
    np.testing.assert_array_equal(found.centroid[0], found.centroid[1])


def test_a_real_training_learns_low_frequencies_first() -> None:
    runs = cw.demo.training(rule="gated")
    keys = [runs.steps[place] for place in (0, len(runs) // 2, -1)]
    found = spectral_bias({key: runs[key] for key in keys})
    assert (found.error[-1] < 0.5).all()
    assert found.error[1, 1] < found.error[1, -1]


def test_runs_that_fail_and_mistakes() -> None:
    class Some(dict):
        def each(self, function):
            for key, canvas in self.items():
                yield key, RuntimeError("its file is damaged") if key == 10 else function(canvas)

    found = spectral_bias(Some(RUNS), edges=EDGES)
    assert found.steps == (0, 20, 30)
    assert found.errors == {10: "RuntimeError: its file is damaged"}
    assert "step 10, left out" in repr(found)
    with pytest.raises(ValueError, match="runs: there are 1"):
        spectral_bias({0: RUNS[0]})
    with pytest.raises(ValueError, match="runs: the INR of run 1 has no truth"):
        spectral_bias({0: RUNS[0], 1: step(TRUTH, None)})
    with pytest.raises(ValueError, match="edges"):
        spectral_bias(RUNS, edges=(0.3, 0.1))
    with pytest.raises(KeyError):
        spectral_bias(RUNS, "nowhere")
    for other in (0.5 * TRUTH, TRUTH[:-1]):
        with pytest.raises(ValueError, match="runs: run 1 has another signal than 0"):
            spectral_bias({1: step(other, other), 0: RUNS[0]})
    with pytest.raises(TypeError, match="level='half': expected a number"):
        found.first_step("half")
    told: list[tuple[int, int]] = []
    spectral_bias(RUNS, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (4, 4)


def test_runs_of_other_networks_are_refused() -> None:
    runs = {}
    for count in (3, 4):
        maps = np.random.default_rng(0).normal(size=(count, *SIZE))
        runs[count] = MapsCanvas({"layer": maps}, pictures=TRUTH[None].astype(np.float32))
        runs[count].inr.truth = TRUTH[None]
    with pytest.raises(ValueError, match="layer 'layer' has 3 neurons in run 3 and 4 in 4"):
        spectral_bias(runs, "layer")
