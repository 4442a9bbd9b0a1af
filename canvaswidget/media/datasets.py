"""Read data sets of videos with panoptic annotations: Cityscapes-VPS and VIPSeg."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from canvaswidget.arguments import check_size, checked, checked_size, optional
from canvaswidget.media.label_maps import (
    Annotations,
    Labels,
    panoptic_labels,
    read_annotations,
    stacked,
)
from canvaswidget.media.reading import Clip, FrameRange, chosen, existing, read_image
from canvaswidget.media.resizing import resize

CITYSCAPES, VIPSEG = "Cityscapes-VPS", "VIPSeg"
LAYOUTS = (
    f"{CITYSCAPES} (panoptic_gt_SPLIT_city_vps.json beside SPLIT/img or SPLIT/img_all and SPLIT/panoptic_video) "
    f"or {VIPSEG} (panoptic_gt_VIPSeg*.json beside images and panomasksRGB)"
)
MOST_NAMED = 5  # videos that an error lists


@dataclass(frozen=True, eq=False, repr=False)
class LabelledClip(Clip):
    """Frames with the object that each pixel shows, for the findings about objects.

    Attributes
    ----------
    frames, source, fps
        As of every `Clip`.
    masks : (n_frames, height, width)
        int32, the number of each pixel's segment, the same in all frames; 0 for none.
    names : tuple of str
        Of the segments in `masks`, in the order of their numbers: give both to `canvaswidget.analysis.objects`. Things
        are counted (``"car 1"``); an area such as ``"road"`` is one segment of that name.
    """

    masks: Labels = field(kw_only=True)
    names: tuple[str, ...] = field(kw_only=True)


@dataclass(frozen=True, eq=False, repr=False)
class VideoDataset:
    """A folder of annotated videos; they are read one at a time.

    Attributes
    ----------
    folder : Path
    kind : {"Cityscapes-VPS", "VIPSeg"}
    split : str
        Such as ``"val"``; empty where the annotations are of all videos.
    videos : tuple of str
        Their names, sorted.
    """

    folder: Path
    kind: str
    split: str
    videos: tuple[str, ...]
    _annotations: Annotations

    def __len__(self) -> int:
        return len(self.videos)

    def __iter__(self) -> Iterator[str]:
        return iter(self.videos)

    def __repr__(self) -> str:
        split = f", {self.split}" if self.split else ""
        return f"{type(self).__name__}({str(self.folder)!r}, {self.kind}{split}, {len(self)} videos)"

    @checked(size=optional(check_size), frames=None)
    def read(
        self, video: str, size: Sequence[int] | None = None, frames: FrameRange | None = None
    ) -> LabelledClip:
        """Read the annotated frames of one video.

        Parameters
        ----------
        video : str
            One of `videos`.
        size : (height, width), optional
            Frames are resized as in `canvaswidget.media.read`; a pixel of the masks is that of the pixel at its centre.
        frames : slice, range or (start, stop[, step]), optional
            Which of the annotated frames; in Cityscapes-VPS these are each fifth frame of the video.

        Raises
        ------
        KeyError
            There is no such video.
        FileNotFoundError
            A frame or its panoptic picture is missing.
        IndexError
            `frames` reaches past the end.
        ValueError
            A picture can't be read, or has segments that the annotations don't list.
        """
        if video not in self.videos:
            some = ", ".join(map(repr, self.videos[:MOST_NAMED]))
            more = ", ..." if len(self) > MOST_NAMED else ""
            raise KeyError(f"video={video!r}: no such video; there are {len(self)}: {some}{more}")
        known = self._annotations
        places = chosen(
            [frame for frame in sorted(known.segments) if _video_of(self.kind, frame) == video], frames
        )
        pictures, masks = [], []
        for place in places:
            picture = read_image(self._picture(place))
            labels = panoptic_labels(self._mask(place), known.segments[place])
            if labels.shape != picture.shape[:2]:
                raise ValueError(
                    f"video={video!r}: frame {place[1]!r} is {_said(picture.shape)}, its panoptic picture "
                    f"{_said(labels.shape)}"
                )
            pictures.append(resize(picture, size))
            masks.append(labels if size is None else resize_labels(labels, size))
        if len({picture.shape for picture in pictures}) != 1:
            raise ValueError(f"video={video!r}: its frames differ in size; give size=(height, width)")
        whole = stacked(masks, self.folder)
        present = [int(label) for label in np.unique(whole) if label]
        return LabelledClip(np.stack(pictures), video, masks=whole, names=known.names(present, places))

    def _picture(self, frame: tuple[str, str]) -> Path:
        named = self._annotations.files.get(frame)
        video, name = frame
        if self.kind == VIPSEG:
            folder = self.folder / "images" / video
            return _first([folder / Path(named or "").name, folder / f"{name}.jpg"], frame)
        # The first two parts of a name are the data set's own; the others are those of Cityscapes, which XINC's
        # published scripts read the frames by.
        original = "_".join(name.split("_")[2:])
        names = [
            named or "",
            f"{name}_newImg8bit.png",
            f"{name}_leftImg8bit.png",
            f"{original}_leftImg8bit.png",
        ]
        folders = [self.folder / self.split / folder for folder in ("img", "img_all")]
        return _first([folder / Path(one).name for folder in folders for one in names], frame)

    def _mask(self, frame: tuple[str, str]) -> Path:
        name = Path(self._annotations.masks[frame]).name
        if self.kind == VIPSEG:
            return _first([self.folder / "panomasksRGB" / frame[0] / name], frame)
        folder = self.folder / self.split / "panoptic_video"
        return _first([folder / name, folder / f"{frame[1]}_final_mask.png"], frame)


@checked
def read_dataset(folder: str | os.PathLike[str], split: str | None = None) -> VideoDataset:
    """Find the annotated videos of a Cityscapes-VPS or VIPSeg folder.

    Parameters
    ----------
    folder : path
        As their authors' scripts leave it: `Cityscapes-VPS <https://github.com/mcahny/vps>`_ with
        ``panoptic_gt_val_city_vps.json``, ``val/img`` or ``val/img_all``, and ``val/panoptic_video``; `VIPSeg
        <https://github.com/VIPSeg-Dataset/VIPSeg-Dataset>`_ with ``panoptic_gt_VIPSeg_val.json``, ``images`` and
        ``panomasksRGB``.
    split : str, optional
        Such as ``"val"``. Where the folder has annotations of one split only it is that.

    Raises
    ------
    FileNotFoundError
        Nothing is there, or no annotations.
    ValueError
        There are several splits and `split` says none of them, or the annotations can't be read.

    Examples
    --------
    >>> dataset = media.read_dataset("cityscapes_vps", "val")  # doctest: +SKIP
    >>> clip = dataset.read(dataset.videos[0], size=(128, 256))  # doctest: +SKIP
    >>> canvas = cw.trace(cw.fit(clip).inr)  # doctest: +SKIP
    >>> cw.analysis.objects(canvas, "decoder.1", clip.masks, names=clip.names)  # doctest: +SKIP
    """
    folder = existing(folder)
    if not folder.is_dir():
        raise NotADirectoryError(f"folder={str(folder)!r}: is a file; expected the folder of {LAYOUTS}")
    found = {
        (kind, file.stem[len(start) : len(file.stem) - len(end)].strip("_")): file
        for kind, start, end in (
            (CITYSCAPES, "panoptic_gt_", "_city_vps"),
            (VIPSEG, "panoptic_gt_VIPSeg", ""),
        )
        for file in sorted(folder.glob(f"{start}*{end}.json"))
    }
    if not found:
        raise FileNotFoundError(f"folder={str(folder)!r}: has no annotations; expected {LAYOUTS}")
    asked = {key: file for key, file in found.items() if split is None or key[1] == split}
    if len(asked) != 1:
        known = ", ".join(repr(name) for _, name in found)
        given = "has several splits" if split is None else f"split={split!r}: is none of its splits"
        raise ValueError(f"folder={str(folder)!r}: {given}; expected split to be one of {known}")
    ((kind, name), file) = next(iter(asked.items()))
    annotations = read_annotations(file)
    videos = tuple(sorted({_video_of(kind, frame) for frame in annotations.segments}))
    return VideoDataset(folder, kind, name, videos, annotations)


def resize_labels(labels: Labels, size: Sequence[int]) -> Labels:
    """Labels ``(height, width)`` at another size: each pixel has the label of the pixel at its centre."""
    rows, columns = (
        (np.arange(new) * 2 + 1) * old // (2 * new)
        for old, new in zip(labels.shape, checked_size(size), strict=True)
    )
    return labels[rows[:, None], columns]


def _video_of(kind: str, frame: tuple[str, str]) -> str:
    # Frames of Cityscapes-VPS are named VIDEO_FRAME_CITY_SEQUENCE_FRAME.
    return frame[0] if kind == VIPSEG else frame[1].split("_")[0]


def _first(files: Sequence[Path], frame: tuple[str, str]) -> Path:
    for file in files:
        if file.is_file():
            return file
    raise FileNotFoundError(f"frame {frame[1]!r} has no file; looked for {', '.join(map(str, files))}")


def _said(shape: tuple[int, ...]) -> str:
    return f"{shape[0]}x{shape[1]}"
