"""Multi-scale structural similarity, against a computation window by window."""

from __future__ import annotations

import math

import numpy as np
import pytest

from canvaswidget import media

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
Y = np.arange(11) - 5
WINDOW = np.exp(-(Y[:, None] ** 2 + Y[None] ** 2) / (2 * 1.5**2))
WINDOW /= WINDOW.sum()


def terms(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Means over all windows of contrast times structure, and of that times luminance."""
    products, wholes = [], []
    for y in range(a.shape[0] - 10):
        for x in range(a.shape[1] - 10):
            p, q = a[y : y + 11, x : x + 11], b[y : y + 11, x : x + 11]
            m, n = (WINDOW * p).sum(), (WINDOW * q).sum()
            s, t = (WINDOW * (p - m) ** 2).sum(), (WINDOW * (q - n) ** 2).sum()
            both = (WINDOW * (p - m) * (q - n)).sum()
            products.append((2 * both + 0.03**2) / (s + t + 0.03**2))
            wholes.append(products[-1] * (2 * m * n + 0.01**2) / (m**2 + n**2 + 0.01**2))
    return float(np.mean(products)), float(np.mean(wholes))


def halved(a: np.ndarray) -> np.ndarray:
    rows, columns = -(-a.shape[0] // 2), -(-a.shape[1] // 2)
    made = np.empty((rows, columns))
    for y in range(rows):
        for x in range(columns):
            made[y, x] = np.mean(
                [
                    a[min(2 * y + dy, a.shape[0] - 1), min(2 * x + dx, a.shape[1] - 1)]
                    for dy in (0, 1)
                    for dx in (0, 1)
                ]
            )
    return made


def pair(size: tuple[int, int], noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y, x = np.linspace(0, 1, size[0])[:, None], np.linspace(0, 1, size[1])[None]
    a = 0.5 + 0.3 * np.sin(9 * x + 4 * y)
    return a, np.clip(a + noise * rng.normal(size=size), 0, 1)


def test_two_scales_window_by_window() -> None:
    a, b = pair((23, 26))
    (fine, _), (_, coarse) = terms(a, b), terms(halved(a), halved(b))
    power = WEIGHTS[0] / sum(WEIGHTS[:2])
    assert media.n_scales(a.shape) == 2
    assert media.ms_ssim(a, b) == pytest.approx(fine**power * coarse ** (1 - power), abs=1e-9)


def test_odd_sides_and_one_scale() -> None:
    a, b = pair((21, 33))
    power = WEIGHTS[0] / sum(WEIGHTS[:2])
    expected = terms(a, b)[0] ** power * terms(halved(a), halved(b))[1] ** (1 - power)
    assert media.ms_ssim(a, b) == pytest.approx(expected, abs=1e-9)
    a, b = pair((15, 40))
    assert media.n_scales(a.shape) == 1
    assert media.ms_ssim(a, b) == pytest.approx(media.ssim(a, b), abs=1e-9)


def test_five_scales_by_hand() -> None:
    """Constant pictures have no contrast: only the coarsest luminance counts."""
    a, b = np.full((176, 180), 0.2), np.full((176, 180), 0.6)
    luminance = (2 * 0.2 * 0.6 + 1e-4) / (0.2**2 + 0.6**2 + 1e-4)
    assert media.ms_ssim(a, b) == pytest.approx(luminance**0.1333, abs=1e-9)
    assert sum(WEIGHTS) == pytest.approx(1, abs=2e-4)
    noisy = pair((170, 171))
    assert media.ms_ssim(noisy[0], noisy[0]) == pytest.approx(1)
    assert media.ms_ssim(*noisy) < 1
    worse = media.ms_ssim(*pair((170, 171), 0.3))
    assert worse < media.ms_ssim(*noisy)


def test_colours_are_averaged() -> None:
    a, b = pair((24, 24))
    both = media.ms_ssim(np.stack([a, a], -1), np.stack([a, b], -1))
    assert both == pytest.approx((1 + media.ms_ssim(a, b)) / 2)


def test_opposed_pictures_and_small_ones() -> None:
    a = pair((24, 24))[0]
    assert media.ms_ssim(a, 1 - a) == 0
    assert math.isnan(media.ms_ssim(np.zeros((10, 40)), np.ones((10, 40))))
    sizes = [(10, 99), (11, 99), (20, 99), (21, 99), (81, 99), (160, 999), (161, 999), (4000, 4000)]
    assert [media.n_scales(size) for size in sizes] == [0, 1, 1, 2, 4, 4, 5, 5]
    with pytest.raises(ValueError, match="b: has shape"):
        media.ms_ssim(np.zeros((12, 12)), np.zeros((12, 13)))
    with pytest.raises(ValueError, match="above 2"):
        media.ms_ssim(np.full((12, 12), 255), np.zeros((12, 12)))
