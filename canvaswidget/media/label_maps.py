"""Read label maps: which object each pixel of each frame shows, as numbers or as panoptic colours."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from canvaswidget.arguments import checked
from canvaswidget.media.images import read_labels
from canvaswidget.media.reading import UNREADABLE, existing, images_in

Labels = npt.NDArray[np.int32]

MOST_NAMED = 5  # labels that an error lists


@dataclass(frozen=True)
class Category:
    """What a segment shows, such as ``"car"``; `is_thing` where its instances are counted."""

    name: str
    is_thing: bool


@dataclass(frozen=True)
class Annotations:
    """The JSON file of panoptic pictures, in COCO's format with or without videos.

    Attributes
    ----------
    path : Path
    categories : dict
        By their number in the file.
    segments : dict
        By video (``""`` where the file has none) and frame, the category number of each label.
    files : dict
        By video and frame, the name of the frame's own picture, where the file says it.
    masks : dict
        By video and frame, the name of the panoptic picture.
    """

    path: Path
    categories: Mapping[int, Category]
    segments: Mapping[tuple[str, str], Mapping[int, int]]
    files: Mapping[tuple[str, str], str]
    masks: Mapping[tuple[str, str], str]

    def names(self, labels: Iterable[int], frames: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """What labels of some frames show, in their order: ``"road"``, and of things ``"car 1"``, ``"car 2"``."""
        known: dict[int, int] = {}
        for frame in frames:
            known.update(self.segments[frame])
        categories = [self.categories[known[label]] for label in labels]
        counts = Counter(categories)
        seen: Counter[Category] = Counter()
        names = []
        for category in categories:
            seen[category] += 1
            is_counted = category.is_thing or counts[category] > 1
            names.append(f"{category.name} {seen[category]}" if is_counted else category.name)
        return tuple(names)


@checked
def read_masks(path: str | os.PathLike[str], annotations: str | os.PathLike[str] | None = None) -> Labels:
    """Read object masks: which object each pixel of each frame shows, ``(n_frames, height, width)``.

    Parameters
    ----------
    path : path
        One image, or a folder of them in natural order, whose pixels are numbers of objects: indexed colours (as in
        DAVIS) or one channel of 8 or 16 bits (as in Cityscapes). The pages of a TIFF and the frames of an animated PNG
        are one frame each; in a folder, each file is one frame.
    annotations : path, optional
        The JSON file of panoptic pictures in COCO's format, as Cityscapes-VPS and VIPSeg have them. The pictures are
        then in true colour, and a pixel's number is ``r + 256 g + 65536 b``. The file must know each number of each
        picture. A picture of a video is found by the name of its folder. `read_dataset` reads whole data sets.

    Returns
    -------
    ndarray
        int32; 0 for no object.

    Raises
    ------
    FileNotFoundError
        Nothing is at a path.
    ValueError
        A picture can't be read, is in true colour without `annotations`, has numbers that these don't know, or the
        pictures differ in size.
    """
    path = existing(path)
    if annotations is not None:
        return _panoptic_masks(path, read_annotations(annotations))
    files = images_in(path) if path.is_dir() else [path]
    stack = []
    for file in files:
        try:
            pages = read_labels(file)
        except UNREADABLE as error:
            raise ValueError(f"path={str(file)!r}: can't be read as an image ({error})") from None
        if any(page.ndim != 2 for page in pages):
            raise ValueError(
                f"path={str(file)!r}: is in true colour; expected indexed colours or one channel"
                + (
                    ", in each of its frames. A TIFF or an animated PNG can store them"
                    if len(pages) > 1
                    else ". If it is a panoptic picture, give its JSON file: annotations='....json'"
                )
            )
        if path.is_dir() and len(pages) > 1:
            raise ValueError(
                f"path={str(file)!r}: holds {len(pages)} frames; expected one in each file of a folder"
            )
        stack += pages
    return stacked(stack, path)


def stacked(labels: Sequence[Labels], path: Path) -> Labels:
    """Label maps of several frames as one array."""
    if len({one.shape for one in labels}) != 1:
        raise ValueError(f"path={str(path)!r}: expected one or more images of one size")
    return np.stack(labels)


def panoptic_labels(file: Path, known: Mapping[int, int]) -> Labels:
    """One panoptic picture as the labels ``r + 256 g + 65536 b``, of which each but 0 must be known."""
    try:
        with Image.open(file) as image:
            if image.mode != "RGB":
                raise ValueError(f"its colours are {image.mode}; panoptic pictures are in true colour, RGB")
            pixels = np.asarray(image).astype(np.int32)
    except UNREADABLE as error:
        raise ValueError(f"path={str(file)!r}: can't be read as a panoptic picture ({error})") from None
    labels = pixels[..., 0] + 256 * pixels[..., 1] + 65536 * pixels[..., 2]
    strange = [int(label) for label in np.unique(labels) if label != 0 and label not in known]
    if strange:
        shown = ", ".join(map(str, strange[:MOST_NAMED])) + (", ..." if len(strange) > MOST_NAMED else "")
        raise ValueError(
            f"path={str(file)!r}: has pixels of {len(strange):,} segments that its annotations don't list: {shown}"
        )
    return labels


def read_annotations(path: str | os.PathLike[str]) -> Annotations:
    """Read the JSON file of panoptic pictures.

    Raises
    ------
    FileNotFoundError
        Nothing is there.
    ValueError
        It is no JSON, or lacks what COCO's panoptic format has.
    """
    path = existing(path)
    try:
        content = json.loads(path.read_bytes())
        categories = {
            int(one["id"]): Category(str(one["name"]), bool(one["isthing"])) for one in content["categories"]
        }
        segments: dict[tuple[str, str], dict[int, int]] = {}
        masks = {}
        for video, annotation in _annotations(content):
            frame = (video, str(annotation["image_id"]))
            masks[frame] = str(annotation["file_name"])
            segments[frame] = {int(one["id"]): int(one["category_id"]) for one in annotation["segments_info"]}
        files = {(video, str(image["id"])): str(image["file_name"]) for video, image in _images(content)}
    except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error!r} is missing" if isinstance(error, KeyError) else str(error)
        raise ValueError(
            f"annotations={str(path)!r}: can't be read as panoptic annotations ({reason}); expected a JSON file with "
            "'categories' and 'annotations', as COCO's panoptic format has them"
        ) from None
    unknown = {one for known in segments.values() for one in known.values()} - set(categories)
    if unknown:
        raise ValueError(
            f"annotations={str(path)!r}: names categories that it doesn't list: {sorted(unknown)[:MOST_NAMED]}"
        )
    return Annotations(path, categories, segments, files, masks)


def _annotations(content: Any) -> Iterable[tuple[str, Any]]:
    """Each picture's annotation and its video; a file of a data set of videos has a list in each video's."""
    for one in content["annotations"]:
        if "annotations" in one:
            for annotation in one["annotations"]:
                yield str(one["video_id"]), annotation
        else:
            yield "", one


def _images(content: Any) -> Iterable[tuple[str, Any]]:
    for video in content.get("videos", []):
        for image in video.get("images", []):
            yield str(video["video_id"]), image
    for image in content.get("images", []):
        yield "", image


def _panoptic_masks(path: Path, annotations: Annotations) -> Labels:
    files = images_in(path) if path.is_dir() else [path]
    by_file = {
        (video, Path(name).name): annotations.segments[video, frame]
        for (video, frame), name in annotations.masks.items()
    }
    stack = []
    for file in files:
        known = by_file.get((file.parent.name, file.name), by_file.get(("", file.name)))
        if known is None:
            raise ValueError(
                f"path={str(file)!r}: annotations={str(annotations.path)!r} have no picture of this name"
            )
        stack.append(panoptic_labels(file, known))
    return stacked(stack, path)
