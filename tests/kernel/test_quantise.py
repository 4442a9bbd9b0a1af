"""Levels, thumbnails and the cache."""

from __future__ import annotations

import numpy as np
import pytest

from canvaswidget.kernel.cache import ByteCache
from canvaswidget.kernel.quantise import (
    check_finite,
    colours,
    fitted,
    quantise,
    shrink,
)


def test_levels_are_within_half_a_step() -> None:
    values = np.random.default_rng(0).normal(size=(20, 30)).astype(np.float32) * 1e-3
    levels, low, high = quantise(values)
    assert (levels.min(), levels.max()) == (0, 255)
    assert abs(low + levels / 255 * (high - low) - values).max() <= 0.501 * (high - low) / 255


@pytest.mark.parametrize("scale", [1e-38, 1e38])
def test_levels_of_extreme_values(scale: float) -> None:
    levels, low, high = quantise(np.array([-3 * scale, 0, 3 * scale], np.float32))
    assert levels.tolist() == [0, 128, 255]
    assert low == -high


def test_a_constant_is_level_zero() -> None:
    for value in (0, -4.5):
        levels, low, high = quantise(np.full((3, 3), value, np.float32))
        assert (levels.any(), low, high) == (False, value, value)
    assert quantise(np.full(3, 2.0), low=0)[0].tolist() == [255] * 3


def test_colours_are_clipped() -> None:
    assert colours(np.array([-1, 0, 0.5, 1, 7])).tolist() == [0, 0, 128, 255, 255]


def test_what_is_not_finite_is_counted() -> None:
    with pytest.raises(ValueError, match="the map has 2 values of 3 that are NaN or infinite"):
        check_finite("the map", np.array([np.nan, 1, -np.inf]))


def test_thumbnails_average_by_area() -> None:
    assert fitted((128, 256), 64) == (32, 64)
    assert fitted((3, 2), 64) == (3, 2)
    assert fitted((1, 1000), 10) == (1, 10)
    maps = np.random.default_rng(0).normal(size=(2, 9, 14)).astype(np.float32)
    assert shrink(maps, (9, 14)) is maps
    assert np.allclose(shrink(maps, (3, 7)), maps.reshape(2, 3, 3, 7, 2).mean((2, 4)), atol=1e-6)
    small = shrink(maps, (4, 5))  # pixels are shared between neighbours
    assert np.allclose(small.mean((1, 2)), maps.mean((1, 2)), atol=1e-6)
    assert np.allclose(small[:, 0, 0] * 2.25 * 2.8, _corner(maps, 2.25, 2.8), atol=1e-5)


def _corner(maps: np.ndarray, height: float, width: float) -> np.ndarray:
    rows = np.clip(height - np.arange(maps.shape[1]), 0, 1)
    columns = np.clip(width - np.arange(maps.shape[2]), 0, 1)
    return np.einsum("kyx,y,x->k", maps, rows, columns)


def test_the_least_recently_used_goes_first() -> None:
    cache = ByteCache(3 * 1200)
    for name in "abc":
        cache.put(name, np.zeros(1000, np.uint8))
    cache.get("a")
    cache.put("d", np.zeros(1000, np.uint8))
    assert [cache.get(name) is not None for name in "abcd"] == [True, False, True, True]
    assert cache.n_bytes == 3600
    cache.put("a", bytes(10**6))  # larger than all
    assert cache.get("a") is None
    assert len(cache) == 2
    cache.drop(lambda key: key == "c")
    assert len(cache) == 1
    cache.clear()
    assert (len(cache), cache.n_bytes) == (0, 0)


def test_kept_arrays_cannot_be_changed() -> None:
    cache = ByteCache(10**6)
    kept = cache.remember("a", lambda: np.zeros(3))
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 1
    assert cache.remember("a", lambda: 1 / 0) is kept
