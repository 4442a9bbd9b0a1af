"""Image files of every kind that people have: what is read is what a viewer shows."""

import shutil
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps, features

from canvaswidget import media

RNG = np.random.default_rng(0)
COLOURS = [(250, 10, 20), (20, 240, 30), (10, 30, 230)]


def blocks(height=8, width=12):
    """An image without symmetry: the position of its colours says how it was turned."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[: height // 2, : width // 2] = COLOURS[0]
    pixels[height // 2 :, : width // 2] = COLOURS[1]
    pixels[: height // 2, width // 2 :] = COLOURS[2]
    return pixels


def frames(count=5):
    return [Image.fromarray(np.full((6, 9, 3), 40 * number, np.uint8)) for number in range(count)]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".webp", {"lossless": True}), (".png", {}), (".tiff", {}), (".gif", {}), (".avif", {"quality": 100})],
    ids=["webp", "apng", "tiff", "gif", "avif"],
)
def test_an_animation_is_a_clip(tmp_path, suffix, options):
    if suffix == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow cannot write AVIF")
    path = tmp_path / f"a{suffix}"
    first, *others = frames()
    first.save(path, save_all=True, append_images=others, duration=100, **options)
    shutil.copy(path, tmp_path / "no_suffix")
    for clip in (media.read(path), media.read_video(path), media.read(tmp_path / "no_suffix")):
        assert (clip.n_frames, clip.size) == (5, (6, 9))
        np.testing.assert_allclose(clip.frames[:, 2, 3, 0], np.arange(5) * 40 / 255, atol=0.01)
        if suffix != ".tiff":
            assert clip.fps == pytest.approx(10)
    assert media.read(path, frames=(1, 5, 2)).n_frames == 2
    if suffix != ".gif":
        with pytest.raises(ValueError, match="holds 5 frames"):
            media.read_image(path)


def test_the_picture_before_an_animation_is_no_frame_of_it(tmp_path):
    still, *others = frames(3)
    still.save(tmp_path / "a.png", save_all=True, append_images=others, default_image=True)
    assert media.read(tmp_path / "a.png").frames[:, 0, 0, 0] == pytest.approx([40 / 255, 80 / 255])


def test_other_views_of_a_telephone_are_no_frames(tmp_path):
    first, *others = frames(3)
    first.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=others)
    assert media.read(tmp_path / "a.jpg").n_frames == 1


def test_pages_of_different_sizes_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((4, 4), np.uint16))
        file.write(np.zeros((5, 4), np.uint16))
    with pytest.raises(ValueError, match=r"a\.tif.*2 pages differ in size"):
        media.read(tmp_path / "a.tif")


def test_a_volume_is_no_page(tmp_path: Path) -> None:
    for kind in (np.uint8, np.uint16):
        volume = np.zeros((4, 16, 16), kind)
        tifffile.imwrite(
            tmp_path / "a.tif", volume, volumetric=True, photometric="minisblack", tile=(4, 16, 16)
        )
        for reader in (media.read, media.read_image, media.read_video, media.read_masks):
            with pytest.raises(ValueError, match="volume of 4 slices"):
                reader(tmp_path / "a.tif")


def test_inks_are_shown_in_colours(tmp_path):
    Image.fromarray(blocks()).convert("CMYK").save(tmp_path / "a.jpg", quality=100, subsampling=0)
    assert np.abs(media.read_image(tmp_path / "a.jpg") - blocks() / 255).max() < 0.05
    Image.fromarray(blocks()).convert("CMYK").save(tmp_path / "a.tif")
    assert np.abs(media.read_image(tmp_path / "a.tif") - blocks() / 255).max() < 0.05


def test_a_palette_keeps_its_transparency(tmp_path):
    image = Image.fromarray(blocks()).quantize(8)
    clear = int(np.asarray(image)[0, 0])
    image.save(tmp_path / "a.png", transparency=clear)
    read = media.read_image(tmp_path / "a.png")
    assert np.abs(read[0, 0] - 1).max() == 0  # over white
    assert np.abs(read[-1, 0] - np.array(COLOURS[1]) / 255).max() < 0.03


def test_a_transparent_colour_and_a_transparent_grey(tmp_path):
    Image.fromarray(blocks()).save(tmp_path / "a.png", transparency=COLOURS[0])
    assert media.read_image(tmp_path / "a.png")[0, 0].min() == 1
    Image.fromarray(np.full((4, 4), 7, np.uint8)).save(tmp_path / "g.png", transparency=7)
    assert media.read_image(tmp_path / "g.png").min() == 1


def test_a_transparent_animation_is_laid_over_white(tmp_path):
    pixels = np.zeros((6, 8, 4), np.uint8)
    pixels[:3] = (200, 0, 0, 255)
    first, second = Image.fromarray(pixels), Image.fromarray(pixels[::-1].copy())
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second], disposal=2)
    clip = media.read(tmp_path / "a.gif")
    assert clip.frames[0, 5].min() == 1
    assert clip.frames[0, 0, 0] == pytest.approx([200 / 255, 0, 0], abs=0.02)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png", ".webp"])
def test_the_orientation_of_the_camera_is_applied(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    options = {"quality": 100, "subsampling": 0} if suffix == ".jpg" else {}
    options = {"lossless": True} if suffix == ".webp" else options
    Image.fromarray(blocks()).save(tmp_path / f"a{suffix}", exif=exif, **options)
    with Image.open(tmp_path / f"a{suffix}") as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB")) / 255
    read = media.read_image(tmp_path / f"a{suffix}")
    assert read.shape == shown.shape
    assert np.abs(read - shown).max() < 0.02


def test_sixteen_bits_of_a_tiff_are_kept_and_turned(tmp_path):
    pixels = RNG.integers(0, 65536, (6, 9, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    read = media.read_image(tmp_path / "a.tif")
    np.testing.assert_allclose(read, np.rot90(pixels, -1) / 65535, rtol=0, atol=1e-6)
    planes = np.moveaxis(pixels, -1, 0)
    tifffile.imwrite(tmp_path / "p.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_allclose(media.read_image(tmp_path / "p.tif"), pixels / 65535, rtol=0, atol=1e-6)
    grey = pixels[..., 0]
    tifffile.imwrite(tmp_path / "w.tif", grey, photometric="miniswhite")
    np.testing.assert_allclose(media.read_image(tmp_path / "w.tif")[..., 0], 1 - grey / 65535, atol=1e-6)


def test_grey_with_alpha_in_sixteen_bits(tmp_path):
    values = np.zeros((4, 5, 4), np.uint16)
    values[..., 3], values[0] = 65535, (1000, 1000, 1000, 65535)
    with av.open(str(tmp_path / "a.png"), "w", format="image2") as container:
        stream = container.add_stream("png")
        stream.height, stream.width, stream.pix_fmt = 4, 5, "ya16be"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(values, "rgba64le").reformat(format="ya16be")))
    read = media.read_image(tmp_path / "a.png")
    assert read[0, 0, 0] == pytest.approx(1000 / 65535, abs=2e-4)


@pytest.mark.parametrize("shape", [(20, 30, 2), (20, 30, 5), (8, 8, 6), (3, 20, 30, 2), (3, 20, 30, 5)])
def test_an_array_of_other_channels_is_refused(shape):
    with pytest.raises(ValueError, match=rf"source: an array .*{shape[-1]} channels"):
        media.read(np.zeros(shape))


@pytest.mark.parametrize("shape", [(5, 20, 30), (2, 4, 5), (40, 20, 30)])
def test_grey_frames_are_a_clip(shape):
    assert media.read(np.zeros(shape)).n_frames == shape[0]


def outcome(path):
    try:
        return "", media.read(path).frames.shape
    except ValueError as error:
        return str(error), ()


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Pillow's, about what is broken
def test_damaged_files_are_named(tmp_path):
    """Every format cut off or scrambled at seeded positions: an image, or our own error."""
    rng = np.random.default_rng(1)
    sources = []
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm"):
        path = tmp_path / f"a{suffix}"
        Image.fromarray(blocks()).save(path)
        sources.append(path)
    for path in sources:
        content = path.read_bytes()
        for _ in range(12):
            broken = bytearray(content[: int(rng.integers(1, len(content)))])
            for position in rng.integers(0, len(broken), 3):
                broken[position] = int(rng.integers(256))
            target = tmp_path / f"broken{path.suffix}"
            target.write_bytes(bytes(broken))
            words, shape = outcome(target)
            assert shape[-1:] == (3,) or f"path={str(target)!r}" in words


GREY = np.array([[0, 40, 255], [200, 7, 90]], np.uint8)


@pytest.mark.parametrize("form", ["png", "tif", "pgm", "bmp", "16 bits", "1 bit", "float", "alpha"])
def test_grey_images_of_any_size_are_read(form: str, tmp_path: Path) -> None:
    expected, path = GREY / np.float32(255), tmp_path / f"a.{form if len(form) == 3 else 'png'}"
    if form == "float":
        path = tmp_path / "a.tif"
        tifffile.imwrite(path, expected)
    elif form == "1 bit":
        Image.fromarray(GREY > 100).save(path)
        expected = (GREY > 100).astype(np.float32)
    elif form == "16 bits":
        Image.fromarray(GREY.astype(np.uint16) * 257).save(path)
    elif form == "alpha":
        Image.fromarray(np.stack([GREY, np.full_like(GREY, 255)], -1), "LA").save(path)
    else:
        Image.fromarray(GREY).save(path)
    for found in (media.read(path).frames[0], media.read_image(path)):
        np.testing.assert_allclose(found, np.repeat(expected[..., None], 3, -1), atol=1e-4)
    assert media.read(tmp_path).size == (2, 3)


def test_tiffs_of_floats_and_of_premultiplied_colours(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colours = rng.random((3, 4, 3), np.float32)
    tifffile.imwrite(tmp_path / "f.tif", colours, photometric="rgb")
    np.testing.assert_allclose(media.read(tmp_path / "f.tif").frames[0], colours, atol=1e-6)
    tifffile.imwrite(tmp_path / "b.tif", 300 * colours, photometric="rgb")
    with pytest.raises(ValueError, match=r"b\.tif.*expected \[0, 1\]"):
        media.read(tmp_path / "b.tif")
    alpha = rng.random((3, 4, 1), np.float32)
    stored = np.concatenate([colours * alpha, alpha], -1)
    for values in (stored, (stored * 65535).round().astype(np.uint16)):
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["assocalpha"])
        over_white = colours * alpha + 1 - alpha
        np.testing.assert_allclose(media.read(tmp_path / "a.tif").frames[0], over_white, atol=1e-3)
    tifffile.imwrite(tmp_path / "c.tif", colours[..., 0].astype(np.complex64))
    with pytest.raises(ValueError, match="complex64"):
        media.read(tmp_path / "c.tif")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_file_that_claims_any_size_is_refused_before_memory_is_taken(bits: int, tmp_path: Path) -> None:
    entries = [(256, 4, 1, 200_000), (257, 4, 1, 200_000), (258, 3, 1, bits), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, 200_000), (279, 4, 1, 10)]
    tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    path = tmp_path / "a.tif"
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(entries)) + tags + bytes(4))
    for read in (media.read, media.read_image, media.read_masks):
        with pytest.raises(ValueError, match=r"a\.tif.*can't be read as an image .*pixels"):
            read(path)


def test_names_that_no_file_can_have(tmp_path: Path) -> None:
    for name in ("x" * 5000 + ".png", "a\0b"):
        with pytest.raises(FileNotFoundError, match="path="):
            media.read(name)
    (tmp_path / "a.flo").write_bytes(b"PIEH" + bytes(8))
    with pytest.raises(ValueError, match=r"no whole \.flo"):
        media.read_flow(tmp_path / "a.flo")
