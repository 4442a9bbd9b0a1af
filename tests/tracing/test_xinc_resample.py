"""Enlarging and blurring on a window against torch's own enlarging and pooling of the whole grid."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from canvaswidget.tracing.rules.xinc.resample import enlarged_and_blurred
from canvaswidget.tracing.window import Window


@given(st.data(), st.integers(1, 5), st.sampled_from([1, 3, 5, 7]), st.sampled_from([1, 3, 5]), st.booleans())
def test_any_window_is_that_part_of_the_whole(
    data: st.DataObject, upscale: int, rows: int, columns: int, valid: bool
) -> None:
    height, width = (data.draw(st.integers(1, 9)) for _ in range(2))
    size = height * upscale, width * upscale
    spans = []
    for n in size:
        first = data.draw(st.integers(0, n - 1))
        spans.append((first, data.draw(st.integers(first + 1, n))))
    after = Window(spans[0], spans[1], size)
    held = after.grown((rows // 2, columns // 2)).reduced(upscale)
    values = torch.randn(2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    large = F.interpolate(values[:, None], scale_factor=upscale)
    blurred = F.avg_pool2d(large, (rows, columns), 1, (rows // 2, columns // 2), count_include_pad=not valid)
    whole = Window.whole((height, width))
    found = enlarged_and_blurred(held.crop(values, whole), held, upscale, (rows, columns), after, valid)
    torch.testing.assert_close(found, after.crop(blurred[:, 0], Window.whole(size)))


@pytest.mark.parametrize("blur", [1, 3, 5])
def test_an_even_picture_stays_but_for_its_border(blur: int) -> None:
    whole, large = Window.whole((4, 5)), Window.whole((8, 10))
    found = enlarged_and_blurred(torch.ones(1, 4, 5), whole, 2, (blur, blur), large)
    reach = blur // 2
    torch.testing.assert_close(
        found[:, reach : 8 - reach, reach : 10 - reach], torch.ones(1, 8 - 2 * reach, 10 - 2 * reach)
    )
    assert reach == 0 or bool((found[:, 0] < 1).all())
