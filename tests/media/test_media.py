"""Reading pictures: what comes in is what the file holds, and what can't be read says so."""

import random
from fractions import Fraction

import av
import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

from canvaswidget import media
from canvaswidget.media import reading
from tests.media.pictures import picture


def write_video(path, n_frames=10, size=(16, 32), pix_fmt="yuv444p", codec="libx264", fps=12):
    """Grey frames, each a little brighter than the one before."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        stream.height, stream.width, stream.pix_fmt = *size, pix_fmt
        stream.options = {"crf": "0"} if codec == "libx264" else {}
        for number in range(n_frames):
            pixels = np.full((*size, 3), 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "ramp.mp4")


@pytest.fixture
def folder(tmp_path):
    for number in (1, 2, 10):
        iio.imwrite(tmp_path / f"frame{number}.png", np.full((4, 6, 3), number, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    return tmp_path


# --- images -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm"])
def test_lossless_image_is_exact(tmp_path, suffix):
    pixels = picture()
    iio.imwrite(tmp_path / f"a{suffix}", pixels)
    clip = media.read(tmp_path / f"a{suffix}")
    assert clip.frames.dtype == np.float32
    assert (clip.n_frames, clip.size, len(clip), clip.fps) == (1, (6, 9), 1, None)
    np.testing.assert_array_equal(clip.frames[0], (pixels / 255).astype(np.float32))
    assert repr(clip) == f"Clip('a{suffix}', image of 6x9)"


def test_jpeg_without_chroma_subsampling(tmp_path):
    pixels = np.full((16, 16, 3), (200, 30, 60), np.uint8)
    pixels[:, 8:] = (20, 180, 90)
    iio.imwrite(tmp_path / "a.jpg", pixels, quality=98, subsampling="4:4:4")
    assert np.abs(media.read_image(tmp_path / "a.jpg") - pixels / 255).max() < 0.03


def test_grey_is_repeated_and_alpha_laid_over_white(tmp_path):
    grey = picture(channels=1)
    iio.imwrite(tmp_path / "grey.png", grey)
    np.testing.assert_array_equal(
        media.read_image(tmp_path / "grey.png"),
        np.repeat((grey / 255).astype(np.float32)[..., None], 3, axis=2),
    )
    colours = picture(channels=4)
    colours[0, 0] = (10, 20, 30, 0)
    iio.imwrite(tmp_path / "alpha.png", colours)
    seen = media.read_image(tmp_path / "alpha.png")
    assert seen.shape == (6, 9, 3)
    np.testing.assert_array_equal(seen[0, 0], 1)
    alpha = colours[..., 3:] / 255
    np.testing.assert_allclose(seen, colours[..., :3] / 255 * alpha + 1 - alpha, atol=1e-6)


def test_sixteen_bits_are_kept(tmp_path):
    grey = picture(channels=1, dtype=np.uint16)
    iio.imwrite(tmp_path / "grey.png", grey)
    np.testing.assert_allclose(media.read_image(tmp_path / "grey.png")[..., 1], grey / 65535, atol=1e-7)
    deep = picture(channels=3, dtype=np.uint16)
    iio.imwrite(tmp_path / "deep.tiff", deep)
    np.testing.assert_allclose(media.read_image(tmp_path / "deep.tiff"), deep / 65535, atol=1e-7)


@pytest.mark.parametrize("pix_fmt", ["rgb48be", "rgba64be"])
def test_sixteen_bit_colour_png(tmp_path, pix_fmt):
    deep = picture(channels=4 if "a" in pix_fmt else 3, dtype=np.uint16)
    codec = av.CodecContext.create("png", "w")
    codec.height, codec.width, codec.pix_fmt, codec.time_base = 6, 9, pix_fmt, Fraction(1)
    frame = av.VideoFrame.from_ndarray(deep, pix_fmt)
    (tmp_path / "deep.png").write_bytes(
        b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode()])
    )
    alpha = deep[..., 3:] / 65535 if deep.shape[-1] == 4 else 1
    expected = deep[..., :3] / 65535 * alpha + (1 - alpha)
    np.testing.assert_allclose(media.read_image(tmp_path / "deep.png"), expected, atol=1e-6)


def test_rotation_of_the_camera_is_applied(tmp_path):
    image = Image.fromarray(picture())
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    image.save(tmp_path / "a.png", exif=exif)
    assert media.read_image(tmp_path / "a.png").shape == (9, 6, 3)


# --- folders and videos -----------------------------------------------------------------------------------


def test_folder_in_natural_order(folder):
    clip = media.read(folder)
    np.testing.assert_allclose(clip.frames[:, 0, 0, 0] * 255, [1, 2, 10], rtol=1e-6)
    assert clip.source == folder.name
    np.testing.assert_array_equal(media.read(folder, frames=(1, None)).frames, clip.frames[1:])
    assert media.read(folder, size=(2, 3)).frames.shape == (3, 2, 3, 3)


def test_folder_reads_only_what_is_wanted(folder):
    (folder / "frame99.png").write_text("broken")
    assert media.read(folder, frames=slice(0, 3)).n_frames == 3
    with pytest.raises(ValueError, match="frame99"):
        media.read(folder)


def test_video(video):
    clip = media.read(video)
    assert (clip.n_frames, clip.size, clip.fps) == (10, (16, 32), 12.0)
    np.testing.assert_allclose(clip.frames[:, 8, 16, 0] * 255, 20 * np.arange(10), atol=2)
    assert repr(clip) == "Clip('ramp.mp4', 10 frames of 16x32, 12 fps)"


@pytest.mark.parametrize("frames", [slice(2, 9, 3), range(2, 9, 3), (2, 9, 3), [2, 9, 3]])
def test_frame_range(video, frames):
    whole = media.read(video).frames
    np.testing.assert_array_equal(media.read(video, frames=frames).frames, whole[2:9:3])
    np.testing.assert_array_equal(media.read(whole, frames=frames).frames, whole[2:9:3])


def test_video_is_decoded_no_further_than_wanted(video, monkeypatch):
    seen = []
    whole = reading._decode

    def counted(decoded, *rest):
        return whole((seen.append(frame) or frame for frame in decoded), *rest)

    monkeypatch.setattr(reading, "_decode", counted)
    assert media.read(video, frames=(1, 4)).n_frames == 3
    assert len(seen) == 4


def test_video_of_ten_bits_and_gif(tmp_path):
    clip = media.read(write_video(tmp_path / "deep.mkv", 2, pix_fmt="yuv444p10le"))
    np.testing.assert_allclose(clip.frames[1] * 255, 20, atol=1.5)
    iio.imwrite(tmp_path / "a.gif", np.stack([np.full((8, 8, 3), v, np.uint8) for v in (0, 255)]))
    np.testing.assert_allclose(media.read(tmp_path / "a.gif").frames.mean(axis=(1, 2, 3)), [0, 1], atol=0.02)


def test_reference_clip(reference):
    clip = media.read(reference / "bunny.mp4", frames=(0, 2))
    expected = iio.imread(reference / "bunny.mp4", plugin="pyav")[:2] / 255
    np.testing.assert_allclose(clip.frames, expected, atol=1e-6)


# --- masks and optical flow -------------------------------------------------------------------------------


# --- arrays and sizes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((4, 5), (1, 4, 5, 3)), ((4, 5, 1), (1, 4, 5, 3)), ((4, 5, 3), (1, 4, 5, 3)), ((4, 5, 4), (1, 4, 5, 3)),
     ((2, 4, 5), (2, 4, 5, 3)), ((2, 4, 5, 3), (2, 4, 5, 3)), ((2, 4, 5, 1), (2, 4, 5, 3))],
)  # fmt: skip
def test_array_shapes(shape, expected):
    assert media.read(np.zeros(shape)).frames.shape == expected


def test_array_types():
    for value, dtype in (
        (255, np.uint8),
        (65535, np.uint16),
        (True, bool),
        (1.0, np.float64),
        (255, np.int64),
    ):
        np.testing.assert_array_equal(media.read(np.full((2, 2, 3), value, dtype)).frames, 1)
    clip = media.read(np.zeros((2, 4, 4, 3)))
    assert media.read(clip).source == clip.source == "array"
    assert media.read(clip, size=(2, 2), frames=(1, 2)).frames.shape == (1, 2, 2, 3)


def test_psnr():
    a = np.zeros((4, 4, 3))
    assert media.psnr(a, a) == float("inf")
    assert media.psnr(a, a + 0.1) == pytest.approx(20)
    with pytest.raises(ValueError, match=r"b: has shape \(2,\)"):
        media.psnr(a, [0, 0])


def test_psnr_of_several_frames_is_the_mean_of_theirs() -> None:
    inf = float("inf")
    assert media.mean_psnr([20, 40]) == 30
    assert media.mean_psnr([inf, inf]) == inf
    assert media.mean_psnr([inf, 20]) == 60  # one equal frame does not hide the other
    with pytest.raises(ValueError, match="each"):
        media.mean_psnr([])


# --- what can't be read -----------------------------------------------------------------------------------


def test_missing_and_unreadable_files(tmp_path):
    for reader in (media.read, media.read_image, media.read_video, media.read_folder):
        with pytest.raises(
            FileNotFoundError, match=r"nothing\.png'.*no such file.*expected an image, a video"
        ):
            reader(tmp_path / "nothing.png")
    for name in ("text.txt", "text.png", "text.tif", "text.mp4"):
        (tmp_path / name).write_text("only words " * 20)
        with pytest.raises(
            ValueError, match=rf"{name}'.*can't be read as (an image|a video).*expected an image"
        ):
            media.read(tmp_path / name)


def test_corrupt_video(video, tmp_path):
    whole = video.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 3])
    with pytest.raises(ValueError, match=r"cut\.mp4'.*can't be read as a video"):
        media.read(tmp_path / "cut.mp4")


def test_videos_changed_at_random_are_read_or_named(video, tmp_path):
    """Seeded: cut off, or with some bytes changed; what can be decoded is frames of one size."""
    chance, whole, path = random.Random(0), video.read_bytes(), tmp_path / "changed.mp4"
    for _ in range(40):
        changed = bytearray(whole[: chance.choice([len(whole), chance.randrange(1, len(whole))])])
        for _ in range(chance.randint(1, 8)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        path.write_bytes(bytes(changed))
        words = ""
        try:
            assert media.read(path).frames.shape[-1] == 3
        except ValueError as error:
            words = str(error)
        assert not words or f"path={str(path)!r}" in words, words


def test_sound_is_no_video(tmp_path):
    with av.open(str(tmp_path / "a.wav"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(ValueError, match="has no pictures"):
        media.read(tmp_path / "a.wav")


def test_folders_that_are_no_clip(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"has no image; expected files that end in .*\.png"):
        media.read(tmp_path)
    iio.imwrite(tmp_path / "a.png", picture(4, 4))
    iio.imwrite(tmp_path / "b.png", picture(4, 5))
    with pytest.raises(ValueError, match=r"differ in size: a\.png is 4x4, b\.png is 4x5"):
        media.read(tmp_path)
    with pytest.raises(NotADirectoryError, match="is a file; expected a folder"):
        media.read_folder(tmp_path / "a.png")
    with pytest.raises(IsADirectoryError, match="is a folder; expected an image"):
        media.read_image(tmp_path)


@pytest.mark.parametrize("frames", [(0, 11), (10, None), slice(3, 40, 2)])
def test_frame_range_past_the_end(video, folder, frames):
    with pytest.raises(IndexError, match=r"frames=.*out of range, there are 10 frames"):
        media.read(video, frames=frames)
    with pytest.raises(IndexError, match="there are 3 frames"):
        media.read(folder, frames=frames)
    with pytest.raises(IndexError, match="there are 1 frames"):
        media.read(np.zeros((4, 4, 3)), frames=frames)


@pytest.mark.parametrize(
    ("frames", "error"),
    [((-1, 3), ValueError), ((3, 3), ValueError), ((0, 3, 0), ValueError),
     (slice(-2, None), ValueError), (range(5, 0, -1), ValueError), (3, TypeError), ("ab", TypeError),
     ((0.5, 2), TypeError), ((1,), TypeError)],
)  # fmt: skip
def test_bad_frame_range(video, frames, error):
    with pytest.raises(error, match=r"frames=.*expected a slice, a range or"):
        media.read(video, frames=frames)


def test_rounding_errors_of_floats_are_cut_off():
    array = np.zeros((2, 2, 3))
    array[0], array[1, 1] = 1 + 1e-6, -1e-6
    frames = media.read(array).frames
    assert (frames.min(), frames.max()) == (0, 1)
    with pytest.raises(ValueError, match="expected"):
        media.read(1.001 * array)


@pytest.mark.parametrize(
    ("array", "error", "match"),
    [(np.zeros((2, 2, 2, 2, 3)), TypeError, "source=an array"),
     (np.zeros((0, 4, 3)), TypeError, "source=an array"),
     ({"a": 1}, TypeError, "source=dict"), (None, TypeError, "source=NoneType"),
     (np.zeros((2, 4, 4, 5)), ValueError, "channels"),
     (np.full((2, 2, 3), 1.5), ValueError, r"floats from 1.5 to 1.5; expected \[0, 1\]"),
     (np.full((2, 2, 3), np.nan), ValueError, "floats from nan"),
     (np.full((2, 2, 3), -1), ValueError, "type int64")],
)  # fmt: skip
def test_bad_array(array, error, match):
    with pytest.raises(error, match=match):
        media.read(array)


@pytest.mark.parametrize(
    ("size", "error"),
    [
        ((0, 4), ValueError),
        ((4, -1), ValueError),
        (4, TypeError),
        ((1, 2, 3), TypeError),
        ((1.5, 2), TypeError),
    ],
)
def test_bad_size(video, size, error):
    for source in (video, np.zeros((4, 4, 3))):
        with pytest.raises(error, match="size="):
            media.read(source, size=size)
