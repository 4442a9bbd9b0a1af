"""The test of agreement in place: right as often as it says on unrelated maps, and able to see what is shared."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from canvaswidget.analysis.spatial import agree, margin

pytestmark = pytest.mark.slow

TRIALS = 400
SIZE = (48, 80)
# 99.9% of tests with a level of 5% reject at most this share of 400 unrelated pairs.
MOST = 0.085

y, x = np.indices(SIZE)
CENTRE = np.exp(-8 * (((y + 0.5) / SIZE[0] - 0.5) ** 2 + ((x + 0.5) / SIZE[1] - 0.5) ** 2))


def smooth(rng: np.random.Generator, width: float, periodic: bool = False) -> np.ndarray:
    if periodic:
        field = gaussian_filter(rng.normal(size=SIZE), width, mode="wrap")
    else:
        edge = int(4 * width)
        field = gaussian_filter(rng.normal(size=(SIZE[0] + 2 * edge, SIZE[1] + 2 * edge)), width)
        field = field[edge:-edge, edge:-edge]
    return field / field.std()


@cache
def unrelated(width: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    one, other = (np.stack([smooth(rng, width) for _ in range(TRIALS)]) for _ in range(2))
    return one, other


def around(fields: np.ndarray, side: int) -> np.ndarray:
    """Mean filters as `xinc` applies them: zeros around the frame are counted."""
    return np.stack([uniform_filter(field, side, mode="constant") for field in fields])


FIELDS = {
    "smooth": lambda fields: fields,
    "magnitudes": np.abs,
    "common centre": lambda fields: fields + 2 * CENTRE,
    "only in the centre": lambda fields: np.abs(fields) * CENTRE,
    "in a narrow centre": lambda fields: np.abs(fields) * CENTRE**2,
    "dark borders": lambda fields: around(around(1 + np.abs(fields), 5), 3),
    "dark borders and centre": lambda fields: around((2 + fields) * (1 + CENTRE), 7),
}


def check_level(one: np.ndarray, other: np.ndarray) -> None:
    found = agree(one, other)
    assert (found.p < 0.05).mean() <= MOST
    assert (found.p > 0.95).mean() <= MOST
    assert ((found.p < 0.05) == (found.values > found.by_chance[:, 1])).mean() > 0.99


@pytest.mark.parametrize("width", [2.0, pytest.param(5.0, marks=pytest.mark.repeats)])
@pytest.mark.parametrize("kind", FIELDS)
def test_5_percent_of_unrelated_maps(kind: str, width: float) -> None:
    one, other = (FIELDS[kind](fields) for fields in unrelated(width))
    check_level(one, other)


def test_5_percent_of_periodic_maps() -> None:
    rng = np.random.default_rng(0)
    one, other = (np.stack([smooth(rng, 4, True) for _ in range(TRIALS)]) for _ in range(2))
    check_level(one, other)


def test_maps_as_smooth_as_the_frame() -> None:
    """Half of the frame wide: what is left of them without trends is what does not fit at the borders."""
    rng = np.random.default_rng(0)
    size = (24, 32)
    slope = np.linspace(-1, 1, size[0])[:, None]
    one, other = (
        np.stack([smooth(rng, 12)[: size[0], : size[1]] + slope for _ in range(TRIALS)]) for _ in range(2)
    )
    assert (agree(one, other).p < 0.05).mean() <= MOST


@pytest.mark.parametrize("kind", ["smooth", pytest.param("dark borders", marks=pytest.mark.repeats)])
def test_pairs_that_depend_on_each_other_are_not_counted_as_independent(kind: str) -> None:
    """Twelve frames whose maps hardly change from one to the next: one piece of evidence, not twelve."""
    rng = np.random.default_rng(0)
    rejected = 0
    for _ in range(200):
        one, other = (
            np.stack([base + 0.1 * smooth(rng, 2) for _ in range(12)])
            for base in FIELDS[kind](np.stack([smooth(rng, 3), smooth(rng, 3)]))
        )
        rejected += agree(one, other).mean_p < 0.05
    assert rejected / 200 <= 0.1


def test_a_shared_pattern_is_seen() -> None:
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(40):
        row, column = rng.uniform(0.3, 0.7, 2) * SIZE
        ring = np.abs(np.hypot(y - row, x - column) - 9) < 3  # what a disc that grows changes
        one, other = (np.abs(smooth(rng, 1.5)) + 2 * ring for _ in range(2))
        seen.append(agree(one[None], other[None]).mean_p < 0.05)
    assert np.mean(seen) > 0.9
    # Weak in each pair, plain in all together.
    shared = [smooth(rng, 2) for _ in range(30)]
    one, other = (np.stack([smooth(rng, 2) + 0.3 * part for part in shared]) for _ in range(2))
    found = agree(one, other)
    assert found.mean_p < 0.01
    assert found.mean == pytest.approx(found.values.mean(), abs=1e-6)


def test_what_can_not_be_tested() -> None:
    rng = np.random.default_rng(0)
    varied, constant = rng.random((2, *SIZE)), np.ones((2, *SIZE))
    nothing = agree(varied, constant)
    assert np.isnan(nothing.values).all()
    assert np.isnan(nothing.p).all()
    assert np.isnan([nothing.mean, nothing.mean_p, *nothing.mean_by_chance]).all()
    half = agree(varied, np.stack([constant[0], varied[1]]))
    assert np.isnan(half.values).tolist() == [True, False]
    assert half.mean == pytest.approx(1)
    for size in ((1, 1), (1, 5), (2, 2), (3, 4)):
        found = agree(rng.random((1, *size)), rng.random((1, *size)))
        assert np.isnan(found.p[0]) or 0 < found.p[0] <= 1


def test_how_much_is_cropped() -> None:
    assert margin((128, 256)) == (16, 32)
    assert margin((128, 256), (20.5, 3)) == (21, 32)
    assert margin((128, 256), (900, 900)) == (32, 64)
    assert margin((1, 3)) == (0, 0)
