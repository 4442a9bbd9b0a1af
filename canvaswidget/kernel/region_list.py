"""Several regions with names, that may move from frame to frame, and what part of a contribution lies in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from canvaswidget.arguments import is_listed, show
from canvaswidget.kernel import message_parts
from canvaswidget.kernel.quantise import Floats, absolute_sum
from canvaswidget.kernel.region import Mask, Region, checked_region
from canvaswidget.kernel.view_checks import LONGEST_NAME

MAX_REGIONS = 64
MOST_NUMBERS = 500_000  # of runs and corners: they are in a trait, and so in the saved notebook
_FORMS = (
    "{name: region}, a sequence of regions, or labels of objects (height, width) or (n_frames, height, width), "
    "such as MaskPainter's masks"
)


@dataclass(frozen=True)
class Moving:
    """A region of each frame, None where it is not in the picture.

    Attributes
    ----------
    frames : tuple of Region or None
    """

    frames: tuple[Region | None, ...]

    def __repr__(self) -> str:
        return f"Moving(in {sum(frame is not None for frame in self.frames)} of {len(self.frames)} frames)"


Regions = dict[str, Region | Moving]


class Part(NamedTuple):
    """What part of the magnitude a region has, what part of the frame it is, and how far the first exceeds it."""

    share: float
    area: float
    delta: float


def part_of(magnitude: Floats, mask: Mask) -> Part:
    """The part of a map's magnitude that lies in a mask; `delta` is 0 where it is as large as the area's."""
    total = absolute_sum(magnitude)
    area = float(mask.mean())
    share = absolute_sum(magnitude[mask]) / total if total else 0.0
    return Part(share, area, share / area - 1 if total else 0.0)


def followed(region: Region | None, regions: Regions, time: int) -> Region | None:
    """The region at another frame: that of an object in the list goes with it, but stays where the object leaves."""
    for known in regions.values():
        if region is not None and isinstance(known, Moving) and region in known.frames:
            return known.frames[time] or region
    return region


def checked_regions(regions: Any, size: tuple[int, int], n_frames: int) -> Regions:
    """Regions by name, from any of their forms; where a sequence gives no names, they are numbered."""
    if regions is None:
        return {}
    if isinstance(regions, np.ndarray):
        regions = _objects(regions, size, n_frames)
    found: Regions = {}
    for given, value in _items(regions):
        name = _checked_name(given)
        if name in found:
            raise ValueError(f"regions: {name!r} is there twice")
        try:
            found[name] = _checked(value, size, n_frames)
        except (TypeError, ValueError) as error:
            raise type(error)(f"regions[{name!r}]: {error}") from None
    if len(found) > MAX_REGIONS:
        raise ValueError(f"regions: {len(found)} of them; at most {MAX_REGIONS} are taken")
    numbers = sum(
        len(part.runs) + 2 * len(part.points) for region in found.values() for part in _frames(region) if part
    )
    if numbers > MOST_NUMBERS:
        raise ValueError(
            f"regions: take {numbers:,} numbers to describe; at most {MOST_NUMBERS:,} are taken: smooth the masks, or "
            "give fewer"
        )
    return found


def on_wire(regions: Regions) -> list[message_parts.NamedRegion]:
    """As messages have them: a list, which keeps the order."""
    return [
        {"name": name, "frames": [part and part.on_wire() for part in _frames(region)]}
        for name, region in regions.items()
    ]


def _frames(region: Region | Moving) -> tuple[Region | None, ...]:
    return region.frames if isinstance(region, Moving) else (region,)


def _items(regions: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(regions, Mapping):
        return regions.items()
    if not isinstance(regions, Sequence) or not is_listed(regions):
        raise TypeError(f"regions={show(regions)}: expected {_FORMS}")
    if regions and all(isinstance(each, Mapping) and set(each) == {"name", "frames"} for each in regions):
        return [(each["name"], {"frames": each["frames"]}) for each in regions]
    return [(f"region {number}", each) for number, each in enumerate(regions, 1)]


def _objects(labels: Any, size: tuple[int, int], n_frames: int) -> dict[str, Any]:
    """The objects of a picture of labels, 0 being none."""
    whole = labels.dtype.kind in "iub" and labels.shape in (size, (n_frames, *size))
    if not whole:
        raise ValueError(
            f"regions: an array of {labels.dtype} of shape {labels.shape}; labels are integers of shape {size} or "
            f"{(n_frames, *size)}"
        )
    return {f"object {label}": labels == label for label in np.unique(labels) if label}


def _checked(value: Any, size: tuple[int, int], n_frames: int) -> Region | Moving:
    if isinstance(value, Moving):
        frames: Any = value.frames
    elif isinstance(value, np.ndarray) and value.ndim == 3:
        frames = [mask if np.any(mask) else None for mask in value]
    elif isinstance(value, Mapping) and set(value) == {"frames"}:
        frames = value["frames"]
        if not isinstance(frames, Sequence):
            raise TypeError(f"frames={show(frames)}: expected a region, or None, of each frame")
        if len(frames) == 1:
            value, frames = frames[0], None
    else:
        frames = None
    if frames is None:
        region = checked_region(value, size)
        if region is None:
            raise ValueError("None is no region")
        return region
    if len(frames) != n_frames:
        raise ValueError(f"has {len(frames)} frames; expected {n_frames}")
    found = tuple(checked_region(frame, size) for frame in frames)
    if not any(found):
        raise ValueError("is in no frame")
    return Moving(found)


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or not 0 < len(name.strip()) <= LONGEST_NAME:
        raise ValueError(
            f"regions: {show(name)} as a name; expected a text of 1 to {LONGEST_NAME} characters"
        )
    return name.strip()
