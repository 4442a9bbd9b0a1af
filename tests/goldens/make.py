"""Write `released.npz`: what the released notebooks compute on a small made-up canvas, by `tests.oracle` alone.

Run ``python -m tests.goldens.make`` after a change of the oracle. The inputs are kept beside the answers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests import oracle

PATH = Path(__file__).parent / "released.npz"
SIZE, FRAMES = (35, 50), 2  # no multiple of cells or windows
CELLS = (4, 8)
AREAS = (0.1, 0.5)


def inputs() -> dict[str, oracle.Array]:
    """Maps of three layers on two frames, in steps of 1/16 so that many are equal; a picture; objects; regions."""
    rng = np.random.default_rng(20240617)
    y, x = np.indices(SIZE) / np.array(SIZE)[:, None, None]
    found: dict[str, oracle.Array] = {}
    for layer, (count, strength) in enumerate(((7, 1), (5, 4), (6, 2))):
        waves = np.stack(
            [np.sin((1 + n) * (6 * x + 2 * n * y) + layer) * strength * (n + 1) for n in range(count)]
        )
        maps = waves + rng.normal(0, 0.3, (FRAMES, *waves.shape))
        maps[:, -1] = 0  # dead
        maps[:, -2] = 0.75  # the same everywhere
        found[f"maps_{layer}"] = (np.round(maps * 16) / 16).astype(np.float32)
    texture = 0.5 + 0.3 * np.sin(40 * x) * (y < 0.5) + 0.3 * np.sin(60 * y) * (x > 0.4)
    picture = texture[..., None] * np.array([1, 0.8, 0.5]) + rng.normal(0, 0.05, (*SIZE, 3))
    found["picture"] = picture.astype(np.float32)
    objects = np.zeros((FRAMES, *SIZE), np.int64)
    objects[:, 3:15, 5:20], objects[0, 20:30, 30:45] = 1, 2
    found["objects"] = objects
    found["regions"] = (np.floor(x * 5) + 5 * (picture[..., 0] > 0.5)).astype(np.int64)
    return found


def answers(given: dict[str, oracle.Array]) -> dict[str, oracle.Array]:
    found: dict[str, oracle.Array] = {}
    layers = [np.abs(given[f"maps_{layer}"]) for layer in range(3)]
    objects = np.stack([given["objects"] == 1, given["objects"] == 2], 1)
    for layer, magnitudes in enumerate(layers):
        for area in AREAS:
            level, shares = oracle.released_neurons_per_pixel([one[0] for one in layers], layer, area)
            found[f"threshold_{layer}_{area}"], found[f"neurons_per_pixel_{layer}_{area}"] = level, shares
        found[f"pixels_per_neuron_{layer}"] = oracle.pixels_per_neuron(magnitudes[0])
        combs = oracle.released_combs(SIZE, *CELLS)
        masks = given["regions"] == np.unique(given["regions"])[:, None, None]
        first = magnitudes[0]
        found[f"variance_combs_{layer}"] = oracle.released_variance_of_departures(first, combs, is_grid=True)
        found[f"variance_regions_{layer}"] = oracle.released_variance_of_departures(
            first, masks, is_grid=False
        )
        found[f"windows_{layer}"] = oracle.released_windows(first)
        means = np.stack(
            [oracle.means_of_objects(magnitudes[t], objects[t], as_released=True) for t in range(FRAMES)]
        )
        found[f"means_of_objects_{layer}"] = means
        with np.errstate(invalid="ignore"):
            found[f"shares_over_time_{layer}"] = oracle.shares_over_time(means)
    found["gabor_features"] = oracle.released_gabor_features(given["picture"])
    return {name: np.asarray(values) for name, values in found.items()}


if __name__ == "__main__":
    made = inputs()
    with np.errstate(invalid="ignore"):
        np.savez_compressed(PATH, allow_pickle=False, **made, **answers(made))
