"""Resizing: means over areas where a picture shrinks, linear where it grows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from canvaswidget import media
from tests.media.pictures import RNG

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
images = sizes.flatmap(lambda size: hnp.arrays(np.float32, (*size, 3), elements=st.floats(0, 1, width=32)))


@settings(max_examples=40, deadline=None)
@given(image=images, size=sizes)
def test_resize_stays_in_range(image, size):
    small = media.resize(image, size)
    assert small.shape == (*size, 3)
    assert small.dtype == np.float32
    assert small.min() >= image.min() - 1e-6
    assert small.max() <= image.max() + 1e-6
    if size[0] <= image.shape[0] and size[1] <= image.shape[1]:  # an average keeps the mean
        np.testing.assert_allclose(small.mean(), image.mean(), atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(size=sizes, factor=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_shrinking_by_a_whole_factor_is_the_block_mean(size, factor):
    (h, w), (a, b) = size, factor
    image = RNG.random((h * a, w * b, 3)).astype(np.float32)
    np.testing.assert_allclose(
        media.resize(image, size), image.reshape(h, a, w, b, 3).mean((1, 3)), atol=1e-6
    )


def test_growing_is_linear():
    image = np.repeat(np.array([[[0.0], [1.0]]], np.float32), 3, axis=2)
    np.testing.assert_allclose(media.resize(image, (1, 4))[0, :, 0], [0, 0.25, 0.75, 1])
