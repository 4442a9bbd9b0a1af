"""Masks of objects and optical flow: what comes in is what the file holds, or is refused."""

from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from canvaswidget import media
from tests.media.pictures import RNG, picture


def test_masks_keep_their_numbers(tmp_path):
    labels = RNG.integers(0, 5, (2, 4, 6), dtype=np.uint8)
    for number, frame in enumerate(labels):
        image = Image.fromarray(frame).convert("P")
        image.putdata(frame.ravel().tolist())
        image.putpalette([200, 100, 0] * 256)
        image.save(tmp_path / f"{number}.png")
    np.testing.assert_array_equal(media.read_masks(tmp_path), labels)
    np.testing.assert_array_equal(media.read_masks(tmp_path / "1.png"), labels[1:])
    iio.imwrite(tmp_path / "deep.png", np.full((3, 3), 26_001, np.uint16))
    assert (media.read_masks(tmp_path / "deep.png") == 26_001).all()
    with pytest.raises(ValueError, match="expected one or more images of one size"):
        media.read_masks(tmp_path)


@pytest.mark.parametrize("form", ["tiff", "png", "gif", "webp"])
@pytest.mark.parametrize("kind", ["L", "P", "I;16"])
def test_masks_of_several_pages_are_read_whole_or_refused(tmp_path: Path, form: str, kind: str) -> None:
    labels = RNG.integers(0, 5, (3, 10, 12), dtype=np.uint16 if kind == "I;16" else np.uint8)
    pages = [Image.fromarray(frame) for frame in labels]
    for page in pages if kind == "P" else ():
        page.putpalette([200, 100, 0, 0, 100, 200] * 128)
    path = tmp_path / f"a.{form}"
    if kind == "I;16" and form in ("gif", "webp"):
        pytest.skip("the format has no 16 bits")
    pages[0].save(path, save_all=True, append_images=pages[1:], lossless=True)
    if form in ("gif", "webp"):  # later frames are true colours
        with pytest.raises(ValueError, match=r"true colour.*each of its frames"):
            media.read_masks(path)
        return
    np.testing.assert_array_equal(media.read_masks(path), labels)
    with pytest.raises(ValueError, match=rf"a\.{form}.*holds 3 frames"):
        media.read_masks(tmp_path)


def test_masks_that_are_none(tmp_path):
    iio.imwrite(tmp_path / "colour.png", picture())
    (tmp_path / "text.png").write_text("words")
    (tmp_path / "empty").mkdir()
    for name, match in (
        ("colour.png", "true colour"),
        ("text.png", "can't be read"),
        ("empty", "one or more"),
    ):
        with pytest.raises(ValueError, match=match):
            media.read_masks(tmp_path / name)


def test_flow_is_turned_to_rows_first(tmp_path):
    flow = RNG.random((3, 5, 2)).astype("<f4")
    content = b"PIEH" + np.array([5, 3], "<i4").tobytes() + flow[..., ::-1].tobytes()
    (tmp_path / "a.flo").write_bytes(content)
    np.testing.assert_array_equal(media.read_flow(tmp_path / "a.flo"), flow)
    for broken in (content[:-1], b"PIEF" + content[4:], b"PIEH"):
        (tmp_path / "a.flo").write_bytes(broken)
        with pytest.raises(ValueError, match="no whole .flo file"):
            media.read_flow(tmp_path / "a.flo")
