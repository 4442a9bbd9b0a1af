"""Ways to divide a frame into regions: grid cells, instances, colours, edges.

Each gives masks ``(r, height, width)``. `as_released` gives what the published notebooks of XINC computed instead, so
that a reader can see what the difference does; it is documented with each function. Released regions come from
scikit-learn's `KMeans` with one random start; the labels depend on its version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from canvaswidget.analysis.kmeans import kmeans
from canvaswidget.arguments import checked, checked_index
from canvaswidget.inr.outputs import CHANNELS, in_colour

__all__ = ["colours", "gabor", "grid", "instances"]

Masks = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

CELLS = (4, 8)
CLUSTERS = 32
ORIENTATIONS = 4
SIGMAS = (1, 3)  # widths of the Gabor filters' envelope, pixels
FREQUENCIES = (0.05, 0.25, 0.5)  # cycles a pixel
GREY = (0.2125, 0.7154, 0.0721)


@checked
def grid(size: tuple[int, int], cells: tuple[int, int] = CELLS, as_released: bool = False) -> Masks:
    """Rows and columns of rectangles that differ by at most a pixel in size.

    Parameters
    ----------
    size : (height, width)
    cells : (rows, columns)
    as_released : bool
        Interleaved combs instead: a region is all pixels that have the same ``(y mod rows, x mod columns)``. Each
        reaches over the whole frame, so that no region is a place. Rows and columns that remain where the frame is no
        multiple of `cells` belong to no region.
    """
    rows, columns = cells
    if not (1 <= rows <= size[0] and 1 <= columns <= size[1]):
        raise ValueError(f"cells={cells!r}: expected (rows, columns) within 1 and the frame's size {size}")
    y, x = np.indices(size)
    if as_released:
        inside = (y < size[0] // rows * rows) & (x < size[1] // columns * columns)
        return _masks(np.where(inside, y % rows * columns + x % columns, -1), rows * columns)
    return _masks(y * rows // size[0] * columns + x * columns // size[1], rows * columns)


@checked
def colours(picture: npt.ArrayLike, k: int = CLUSTERS, seed: int = 0, as_released: bool = False) -> Masks:
    """k-means of a picture's colours ``(height, width, 3)``; fewer regions where there are fewer colours.

    Parameters
    ----------
    picture : (height, width, 3)
    k : int
    seed : int
    as_released : bool
        The regions of scikit-learn's `KMeans` with this seed and one random start.
    """
    cluster = _clustered_as_released if as_released else _clustered
    return cluster(_checked_picture(picture), k, seed)


@checked
def gabor(picture: npt.ArrayLike, k: int = CLUSTERS, seed: int = 0, as_released: bool = False) -> Masks:
    """k-means of the pixels by their edges and texture: the magnitudes of 24 Gabor filters.

    The filters have the parameters that were published: four orientations, envelopes of 1 and 3 pixels, and 0.05, 0.25
    and 0.5 cycles a pixel. Three things differ from the published filters, so that regions follow edges and not
    brightness: features are magnitudes, where a real part changes its sign along a stripe; no filter responds to a
    constant; the picture is mirrored at its borders. Each filter's magnitudes are scaled to the same spread, or the
    coarse ones would decide alone.

    Parameters
    ----------
    picture : (height, width, 3)
    k : int
        Number of regions; there are fewer where there are fewer different pixels.
    seed : int
    as_released : bool
        Only the six filters of the first orientation, since the published loop returns after it; their real parts,
        with their response to a constant; on the bytes of Pillow's grey, continued periodically; in unsigned bytes: a
        response below 0 or above 255 wraps around. The regions are those of scikit-learn's `KMeans` with this seed
        and one random start.
    """
    shown = _checked_picture(picture)
    if as_released:
        return _clustered_as_released(released_gabor_features(shown), k, seed)
    grey = shown @ np.array(GREY, np.float32)
    features = np.stack([np.abs(_filtered(grey, kernel)) for kernel in gabor_kernels()], -1)
    features[features < 1e-6] = 0  # what rounding leaves of a constant
    spread = features.std((0, 1))
    features /= np.where(spread > 0, spread, 1)
    return _clustered(features.astype(np.float32), k, seed)


def gabor_kernels() -> list[npt.NDArray[np.complex128]]:
    """24 complex kernels, none of which responds to a constant; the six of the first orientation come first."""
    kernels = []
    for kernel in published_kernels():
        envelope = np.abs(kernel)
        kernels.append(kernel - envelope * (kernel.sum() / envelope.sum()))
    return kernels


def published_kernels() -> list[npt.NDArray[np.complex128]]:
    """The 24 complex kernels of the published parameters, as they are."""
    from skimage.filters import gabor_kernel

    kernels = []
    for turn in range(ORIENTATIONS):
        angle: Any = np.pi * turn / ORIENTATIONS
        for sigma in SIGMAS:
            for frequency in FREQUENCIES:
                kernels.append(gabor_kernel(frequency, theta=angle, sigma_x=sigma, sigma_y=sigma))
    return kernels


def released_gabor_features(picture: FloatArray) -> npt.NDArray[np.uint8]:
    """``(height, width, 6)``: what the released code clusters; see `gabor`."""
    from scipy.ndimage import convolve

    red, green, blue = np.moveaxis((picture * 255).astype(np.uint8).astype(np.int64), -1, 0)
    grey = (19595 * red + 38470 * green + 7471 * blue + 2**15) >> 16  # Pillow's conversion to "L"
    released = published_kernels()[: len(SIGMAS) * len(FREQUENCIES)]
    responses = [convolve(grey.astype(np.float64), kernel.real, mode="wrap") for kernel in released]
    return np.stack(responses, -1).astype(np.int64).astype(np.uint8)


@checked
def instances(
    masks: npt.ArrayLike, size: tuple[int, int], frame: int = 0, n_frames: int = 1, as_released: bool = False
) -> tuple[Masks, tuple[int, ...]]:
    """Objects and the rest of the frame, from labels or from a mask each.

    Parameters
    ----------
    masks : array
        Integers ``(height, width)``: which instance a pixel belongs to, 0 for none; or booleans
        ``(r, height, width)`` (or one mask alone), which may overlap. For a video either with one more axis in
        front, the frames.
    size, frame, n_frames
        Of the canvas.
    as_released : bool
        The last region marks all objects where it should mark the rest. It is labelled 0 all the same.

    Returns
    -------
    masks : (r, height, width)
        Each instance, in the order of its label, and at last the rest; a region is empty where the instance is not
        on this frame.
    labels : tuple of int
        Of the instances; 0 for the rest.
    """
    given = np.asarray(masks)
    if given.dtype == bool and given.ndim == 2:
        given = given[None]
    axes = 3 if given.dtype == bool else 2
    if given.dtype.kind not in "biu" or given.ndim not in (axes, axes + 1) or given.shape[-2:] != tuple(size):
        raise ValueError(
            f"masks: has shape {given.shape} and type {given.dtype}; expected integers (height, width) = {size}, or "
            f"booleans (r, height, width), or either for each of {n_frames} frames"
        )
    labels = np.unique(given[given > 0]) if axes == 2 else np.arange(1, given.shape[-3] + 1)
    if given.ndim == axes + 1:
        if len(given) != n_frames:
            raise ValueError(f"masks: are for {len(given)} frames; the INR has {n_frames}")
        given = given[checked_index("frame", frame, n_frames)]
    objects = given if axes == 3 else given == labels[:, None, None]
    any_object = np.any(objects, axis=0, keepdims=True)
    rest = any_object if as_released else ~any_object
    return np.concatenate([objects, rest]), (*(int(label) for label in labels), 0)


def _checked_picture(picture: npt.ArrayLike) -> FloatArray:
    values = np.asarray(picture, np.float32)
    if values.ndim != 3 or values.shape[-1] not in CHANNELS:
        raise ValueError(f"picture: has shape {values.shape}; expected (height, width, 3), or one channel")
    return np.clip(in_colour(values), 0, 1)


def _clustered(features: FloatArray, k: int, seed: int) -> Masks:
    labels, centres = kmeans(features.reshape(-1, features.shape[-1]), k, seed)
    return _masks(labels.reshape(features.shape[:2]), len(centres))


def _clustered_as_released(features: npt.NDArray[Any], k: int, seed: int) -> Masks:
    """Regions of the released call of k-means; the release names scikit-learn 1.3, whose default was 10 starts."""
    from sklearn.cluster import KMeans

    points = features.reshape(-1, features.shape[-1])
    count = min(k, len(np.unique(points, axis=0)))
    labels = KMeans(count, random_state=seed, n_init="auto").fit_predict(points)
    return _masks(labels.reshape(features.shape[:2]), count)


def _masks(labels: npt.NDArray[Any], count: int) -> Masks:
    return np.asarray(labels == np.arange(count)[:, None, None], bool)


def _filtered(image: npt.NDArray[Any], kernel: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from scipy.signal import oaconvolve

    edges: Sequence[tuple[int, int]] = [(length // 2, length // 2) for length in kernel.shape]
    return oaconvolve(np.pad(image.astype(np.float64), edges, mode="symmetric"), kernel, mode="valid")
