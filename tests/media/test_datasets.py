"""Panoptic pictures and the data sets of videos that have them, on small folders of the published layouts."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

import canvaswidget as cw
from canvaswidget import media
from canvaswidget.media.datasets import resize_labels

RNG = np.random.default_rng(0)
SIZE = (6, 8)
CATEGORIES = [
    {"id": 7, "name": "road", "isthing": 0, "color": [1, 2, 3]},
    {"id": 26, "name": "car", "isthing": 1, "color": [4, 5, 6]},
]
# Labels whose colours use one, two and three bytes.
ROAD, FIRST, SECOND = 5, 26 + 256 * 3, 7 + 256 * 2 + 65536 * 9
SEGMENTS = [
    {"id": ROAD, "category_id": 7, "iscrowd": 0},
    {"id": SECOND, "category_id": 26, "iscrowd": 0},
    {"id": FIRST, "category_id": 26, "iscrowd": 0},
]


def a_frame(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture, its labels, and the colours of these, by hand."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, ROAD, FIRST, SECOND], SIZE).astype(np.int32)
    labels[0, :4] = 0, ROAD, FIRST, SECOND
    colours = {0: (0, 0, 0), ROAD: (5, 0, 0), FIRST: (26, 3, 0), SECOND: (7, 2, 9)}
    coloured = np.array([[colours[int(label)] for label in row] for row in labels], np.uint8)
    return rng.integers(0, 255, (*SIZE, 3), dtype=np.uint8), labels, coloured


def write(file: Path, pixels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    iio.imwrite(file, pixels)


def cityscapes(
    folder: Path, images: str = "img", suffix: str = "_newImg8bit.png", named: bool = True
) -> None:
    content: dict[str, list[Any]] = {"categories": CATEGORIES, "images": [], "annotations": []}
    for video in (3, 12):
        for frame in (4, 9):
            name = f"{video:04}_{frame:04}_ulm_{video:06}_{frame:06}"
            picture, _, coloured = a_frame(10 * video + frame)
            own = name if suffix.startswith("_new") else name.split("_", 2)[2]
            write(folder / "val" / images / f"{own}{suffix}", picture)
            write(folder / "val" / "panoptic_video" / f"{name}_final_mask.png", coloured)
            content["images"].append({"id": name, "file_name": f"{own}{suffix}" if named else "gone.png"})
            content["annotations"].append(
                {"image_id": name, "file_name": f"{name}_final_mask.png", "segments_info": SEGMENTS}
            )
    (folder / "panoptic_gt_val_city_vps.json").write_text(json.dumps(content))


def vipseg(folder: Path, split: str = "_val") -> None:
    content: dict[str, list[Any]] = {"categories": CATEGORIES, "videos": [], "annotations": []}
    for number, video in ((3, "3_street"), (12, "12_yard")):
        images, annotations = [], []
        for frame in (4, 9):
            name = f"{frame:08}"
            picture, _, coloured = a_frame(10 * number + frame)
            write(folder / "images" / video / f"{name}.png", picture)
            write(folder / "panomasksRGB" / video / f"{name}.png", coloured)
            images.append({"id": name, "file_name": f"{name}.png"})
            annotations.append({"image_id": name, "file_name": f"{name}.png", "segments_info": SEGMENTS})
        content["videos"].append({"video_id": video, "images": images})
        content["annotations"].append({"video_id": video, "annotations": annotations})
    (folder / f"panoptic_gt_VIPSeg{split}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("make", "kind", "videos"),
    [
        (cityscapes, "Cityscapes-VPS", ("0003", "0012")),
        (lambda folder: cityscapes(folder, "img_all"), "Cityscapes-VPS", ("0003", "0012")),
        (
            lambda folder: cityscapes(folder, "img_all", "_leftImg8bit.png", named=False),
            "Cityscapes-VPS",
            ("0003", "0012"),
        ),
        (vipseg, "VIPSeg", ("12_yard", "3_street")),
    ],
)
def test_a_folder_is_read(
    tmp_path: Path, make: Callable[[Path], None], kind: str, videos: tuple[str, ...]
) -> None:
    make(tmp_path)
    dataset = media.read_dataset(tmp_path)
    assert (dataset.kind, dataset.split, dataset.videos) == (kind, "val", videos)
    assert list(dataset) == list(videos)
    for video in dataset:
        clip = dataset.read(video)
        number = int(video.split("_")[0])
        frames = [a_frame(10 * number + frame) for frame in (4, 9)]
        np.testing.assert_array_equal(clip.frames, np.stack([frame[0] for frame in frames]) / np.float32(255))
        np.testing.assert_array_equal(clip.masks, np.stack([frame[1] for frame in frames]))
        assert clip.names == ("road", "car 1", "car 2")
        assert (clip.n_frames, clip.size, clip.source) == (2, SIZE, video)
    one = dataset.read(videos[0], frames=(1, 2))
    assert (one.frames == dataset.read(videos[0]).frames[1:]).all()


def test_masks_and_names_are_what_objects_takes(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    clip = media.read_dataset(tmp_path).read("0012")
    inr = cw.as_inr(cw.models.SIREN(hidden=4, layers=2), size=SIZE)
    found = cw.analysis.objects(cw.trace(inr), 0, clip.masks[0], names=clip.names)
    assert found.names == ("road", "car 1", "car 2", "the rest")
    assert found.areas.tolist() == [(clip.masks[0] == label).sum() for label in (ROAD, FIRST, SECOND, 0)]


def test_names_of_some_frames_are_those_that_are_there(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    file = tmp_path / "val" / "panoptic_video" / "0003_0004_ulm_000003_000004_final_mask.png"
    pixels = iio.imread(file)
    pixels[(pixels == (26, 3, 0)).all(-1)] = 0
    iio.imwrite(file, pixels)
    dataset = media.read_dataset(tmp_path)
    assert dataset.read("0003", frames=(0, 1)).names == ("road", "car 1")
    assert dataset.read("0003").names == ("road", "car 1", "car 2")


def test_a_smaller_size_keeps_labels(tmp_path: Path) -> None:
    vipseg(tmp_path)
    clip, small = (media.read_dataset(tmp_path).read("3_street", size) for size in (None, (2, 4)))
    np.testing.assert_array_equal(small.frames, media.resize(clip.frames, (2, 4)))
    # Rows 1 and 4 have the centres of two rows of three; columns 1, 3, 5, 7 those of four columns of two.
    np.testing.assert_array_equal(small.masks, clip.masks[:, [1, 4]][:, :, [1, 3, 5, 7]])


@pytest.mark.parametrize(
    ("old", "new"), [((6, 8), (3, 4)), ((5, 7), (10, 14)), ((4, 4), (4, 4)), ((9, 5), (4, 3))]
)
def test_each_pixel_has_the_label_at_its_centre(old: tuple[int, int], new: tuple[int, int]) -> None:
    labels = RNG.integers(0, 1000, old).astype(np.int32)
    found = resize_labels(labels, new)
    for y in range(new[0]):
        for x in range(new[1]):
            place = int((y + 0.5) * old[0] / new[0]), int((x + 0.5) * old[1] / new[1])
            assert found[y, x] == labels[place]


@pytest.mark.parametrize("make", [cityscapes, vipseg])
def test_masks_alone_are_read_with_their_annotations(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path)
    is_vipseg = make is vipseg
    folder = tmp_path / "panomasksRGB" / "3_street" if is_vipseg else tmp_path / "val" / "panoptic_video"
    annotations = next(tmp_path.glob("*.json"))
    with pytest.raises(ValueError, match=r"true colour.*annotations="):
        media.read_masks(folder)
    masks = media.read_masks(folder, annotations)
    expected = [a_frame(seed)[1] for seed in ((34, 39) if is_vipseg else (34, 39, 124, 129))]
    np.testing.assert_array_equal(masks, np.stack(expected))
    assert masks.dtype == np.int32
    file = sorted(folder.iterdir())[1]
    np.testing.assert_array_equal(media.read_masks(file, annotations), expected[1][None])


def test_what_the_annotations_do_not_know_is_refused(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    folder, annotations = tmp_path / "val" / "panoptic_video", tmp_path / "panoptic_gt_val_city_vps.json"
    strange = a_frame(0)[2]
    strange[0, 0] = 9, 9, 9
    iio.imwrite(folder / "0003_0004_ulm_000003_000004_final_mask.png", strange)
    for read in (
        lambda: media.read_masks(folder, annotations),
        lambda: media.read_dataset(tmp_path).read("0003"),
    ):
        with pytest.raises(ValueError, match=r"1 segments that its annotations don't list: 592137"):
            read()
    iio.imwrite(folder / "0003_0004_ulm_000003_000004_final_mask.png", strange[..., 0])
    with pytest.raises(ValueError, match="panoptic pictures are in true colour"):
        media.read_masks(folder, annotations)
    iio.imwrite(folder / "other.png", strange)
    with pytest.raises(ValueError, match=r"other\.png.*have no picture of this name"):
        media.read_masks(folder / "other.png", annotations)


@pytest.mark.parametrize(
    "content",
    [
        "no JSON",
        "[]",
        "{}",
        '{"categories": [], "annotations": [{}]}',
        '{"categories": [{"id": 1}], "annotations": []}',
        '{"categories": [], "annotations": [{"image_id": 1, "file_name": "a", "segments_info": [{"id": 1}]}]}',
    ],
)
def test_annotations_that_are_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.json").write_text(content)
    iio.imwrite(tmp_path / "a.png", a_frame(0)[2])
    with pytest.raises(ValueError, match=r"annotations=.*a\.json.*expected a JSON file"):
        media.read_masks(tmp_path / "a.png", tmp_path / "a.json")


def test_a_category_that_is_not_listed(tmp_path: Path) -> None:
    cityscapes(tmp_path)
    file = tmp_path / "panoptic_gt_val_city_vps.json"
    content = json.loads(file.read_text())
    content["annotations"][0]["segments_info"] = [{"id": 3, "category_id": 99}]
    file.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"categories that it doesn't list: \[99\]"):
        media.read_dataset(tmp_path)


def test_folders_videos_and_frames_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no annotations"):
        media.read_dataset(tmp_path)
    vipseg(tmp_path)
    vipseg(tmp_path, "_train")
    vipseg(tmp_path, "")
    with pytest.raises(ValueError, match=r"several splits.*'', 'train', 'val'"):
        media.read_dataset(tmp_path)
    with pytest.raises(ValueError, match=r"split='test': is none of its splits"):
        media.read_dataset(tmp_path, "test")
    assert media.read_dataset(tmp_path, "").split == ""
    dataset = media.read_dataset(tmp_path, "train")
    with pytest.raises(KeyError, match=r"no such video; there are 2: '12_yard', '3_street'"):
        dataset.read("4_street")
    with pytest.raises(IndexError, match="there are 2 frames"):
        dataset.read("3_street", frames=(0, 3))
    (tmp_path / "panomasksRGB" / "3_street" / "00000009.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"00000009.*has no file; looked for"):
        dataset.read("3_street")
    iio.imwrite(tmp_path / "panomasksRGB" / "3_street" / "00000009.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match=r"'00000009' is 6x8, its panoptic picture 2x2"):
        dataset.read("3_street")
