"""Radial frequencies of pictures: a window, the discrete Fourier transform under it, and bands of its coefficients.

All that is computed here of pictures ``x`` of ``h x w`` pixels follows from one linear map. With the window

    w[y, x] = sin(pi (y + 1/2) / h)^2 sin(pi (x + 1/2) / w)^2

(Hann's, symmetric, nowhere 0, and 1 for an axis of one pixel), the mean of a picture is ``m = sum w^2 x / sum w^2`` and
its coefficients are

    F = DFT(w (x - m)) / sqrt(h w sum w^2)

so that energy is kept (Parseval): ``m^2 + sum |F|^2 = sum w^2 x^2 / sum w^2``, the mean square under the squared
window. The mean is taken out before the window, which would spread it over the lowest frequencies. What is at
frequency 0, DC, is ``m^2 + |F[0, 0]|^2``.

A coefficient's frequency is ``hypot(fy, fx)`` in cycles a pixel, with ``fy = i / h`` and ``fx = j / w`` from -1/2 to
1/2: per pixel on both axes, also where the frame is not square. Nyquist is 1/2 along an axis; diagonal waves reach
0.71.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from canvaswidget.arguments import is_number

DoubleArray = npt.NDArray[np.float64]

NYQUIST = 0.5
HIGHEST = 0.708  # cycles a pixel: above the frequency of a chessboard, sqrt(1/2)
MOST_BINS = 64
COARSEST = 6  # octaves below Nyquist's: a cycle in 64 pixels


def even_edges(size: tuple[int, int]) -> tuple[float, ...]:
    """Divide 0 to Nyquist into bins of one width: as wide as the longer side can tell apart, at most 64 bins."""
    count = min(MOST_BINS, max(1, max(size) // 2))
    return tuple(float(edge) for edge in np.linspace(0, NYQUIST, count + 1)[1:])


def octave_edges(size: tuple[int, int]) -> tuple[float, ...]:
    """Frequencies that divide octaves: 1/64 (or what the longer side can tell apart), 1/32, 1/16, 1/8, 1/4."""
    return tuple(2.0**-power for power in range(COARSEST, 1, -1) if 2**power <= max(size))


def checked_edges(edges: Sequence[float]) -> tuple[float, ...]:
    """Frequencies between bands, or ValueError."""
    wrong = [edge for edge in edges if not is_number(edge) or not 0 < edge <= NYQUIST]
    if wrong or list(edges) != sorted(set(edges)):
        raise ValueError(
            f"edges={tuple(edges)!r}: expected frequencies that ascend, above 0 and at most 0.5 cycles a pixel"
        )
    return tuple(map(float, edges))


@dataclass(frozen=True)
class Bands:
    """Bands of radial frequency for pictures of one size.

    Band ``b`` has the frequencies above ``limits[b]`` up to and with ``limits[b + 1]``; frequency 0 is in none.

    Attributes
    ----------
    size : (height, width)
    edges : tuple of float
        Frequencies between bands. The first band begins at 0, and the last ends at the highest frequency of a diagonal
        wave.
    """

    size: tuple[int, int]
    edges: tuple[float, ...]

    @property
    def limits(self) -> DoubleArray:
        """``(b + 1,)``."""
        return np.array([0.0, *self.edges, HIGHEST])

    @property
    def names(self) -> tuple[str, ...]:
        """``("up to 1/16", "1/16 to 1/8", "above 1/8")``."""
        said = self.edge_names
        if not said:
            return ("all",)
        between = [f"{low} to {high}" for low, high in itertools.pairwise(said)]
        return (f"up to {said[0]}", *between, f"above {said[-1]}")

    @property
    def edge_names(self) -> tuple[str, ...]:
        """``("1/16", "1/8")``."""
        return tuple(_said(edge) for edge in self.edges)

    @functools.cached_property
    def radius(self) -> DoubleArray:
        """``(h, w // 2 + 1)``: frequencies of the coefficients that `torch.fft.rfft2` gives, in cycles a pixel."""
        height, width = self.size
        return np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])

    @functools.cached_property
    def times(self) -> DoubleArray:
        """``(w // 2 + 1,)``: how many of all coefficients each of these stands for, 1 or 2: conjugates are left out."""
        width = self.size[1]
        times = np.full(width // 2 + 1, 2.0)
        times[0] = 1
        if width % 2 == 0:
            times[-1] = 1
        return times

    @functools.cached_property
    def places(self) -> npt.NDArray[np.int64]:
        """``(h, w // 2 + 1)``: the band of each coefficient; -1 for frequency 0."""
        # Rounding may not move a frequency that lies on an edge.
        return np.searchsorted(self.limits, self.radius - 1e-12, side="right") - 1

    @functools.cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """``(b,)``: coefficients of each band."""
        return self._sums(np.ones(self.radius.shape)).astype(np.int64)

    @functools.cached_property
    def frequencies(self) -> DoubleArray:
        """``(b,)``: the mean frequency of each band's coefficients; the middle of a band that has none."""
        middle = (self.limits[:-1] + self.limits[1:]) / 2
        return np.where(self.counts > 0, self._sums(self.radius) / np.maximum(self.counts, 1), middle)

    def _sums(self, values: DoubleArray) -> DoubleArray:
        inside = self.places >= 0
        weights = (values * self.times)[inside]
        found = np.bincount(self.places[inside], weights, minlength=len(self.limits) - 1)
        return found.astype(np.float64)  # whole numbers where there are none


def _said(frequency: float) -> str:
    whole = 1 / frequency
    return f"1/{round(whole)}" if abs(whole - round(whole)) < 1e-9 else f"{frequency:.3g}"


class Transform:
    """The windowed transform of pictures of one size, and energies of bands; on one device, in one precision."""

    def __init__(
        self, bands: Bands, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float64
    ) -> None:
        self.bands = bands
        height, width = bands.size

        def here(values: npt.NDArray[np.floating]) -> torch.Tensor:
            return torch.from_numpy(np.ascontiguousarray(values)).to(device, dtype)

        window = np.outer(_hann(height), _hann(width))
        squares = float((window**2).sum())
        self.window = here(window)
        self.mean = here(window**2 / squares)  # a picture's mean is its sum with these weights
        self.scale = 1 / math.sqrt(height * width * squares)
        self.squares = squares
        self.radius, self.times = here(bands.radius), here(bands.times)
        count = len(bands.limits) - 1
        places = np.where(
            bands.places < 0, count, bands.places
        )  # that of frequency 0 is cut off after adding
        self.places = torch.from_numpy(places.ravel()).to(device)

    def coefficients(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Means ``(...)`` and coefficients ``(..., h, w // 2 + 1)`` of pictures ``(..., h, w)``."""
        means = (pictures * self.mean).sum((-2, -1))
        residual = (pictures - means[..., None, None]) * self.window
        return means, torch.fft.rfft2(residual) * self.scale

    def power(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """DC ``(...)``, and squared magnitudes ``(..., h, w // 2 + 1)``, each times the coefficients it stands for."""
        means, coefficients = self.coefficients(pictures)
        power = (coefficients.real.square() + coefficients.imag.square()) * self.times
        dc = means.square() + power[..., 0, 0]
        power[..., 0, 0] = 0
        return dc, power

    def energies(self, power: torch.Tensor) -> torch.Tensor:
        """Sums ``(k, b)`` of powers ``(k, h, w // 2 + 1)`` over each band."""
        count = len(self.bands.limits) - 1
        sums = power.new_zeros(len(power), count + 1)
        return sums.index_add_(1, self.places, power.flatten(1))[:, :count]

    def parts(self, picture: torch.Tensor) -> Iterator[torch.Tensor]:
        """Weights ``(..., h, w)`` for DC and for each band: the sum of a picture with them is what the two share there.

        That is ``sum Re(conj(F) G)`` over the band, for coefficients ``F`` of this picture and ``G`` of the other: the
        adjoint of the transform, of this picture's coefficients in the band.
        """
        means, coefficients = self.coefficients(picture)
        coefficients = coefficients / self.scale
        for band in range(-1, len(self.bands.limits) - 1):
            chosen = torch.from_numpy(self.bands.places == band).to(picture.device)
            part = torch.fft.irfft2(coefficients * chosen, s=self.bands.size) / self.squares * self.window
            weights = part - part.sum((-2, -1), keepdim=True) * self.mean
            if band < 0:
                weights = weights + means[..., None, None] * self.mean
            yield weights


def band_part(picture: npt.NDArray[np.floating], low: float, high: float) -> DoubleArray:
    """The part of a picture ``(h, w)`` with the frequencies above `low` up to and with `high`, in cycles a pixel.

    With ``low=0`` its mean is part of it. There is no window, which would darken the border: the parts of bands that
    divide the frequencies add up to the picture. The discrete Fourier transform continues a picture periodically, so
    that a step between opposite borders shows as ripples near them.
    """
    height, width = picture.shape
    radius = (
        Bands((height, width), ()).radius - 1e-12
    )  # rounding may not move a frequency that lies on a limit
    inside = (radius < high) & ((radius >= low) if low > 0 else True)
    coefficients = np.fft.rfft2(np.asarray(picture, np.float64))
    return np.asarray(np.fft.irfft2(coefficients * inside, s=picture.shape), np.float64)


def _hann(n: int) -> DoubleArray:
    return np.sin(np.pi * (np.arange(n) + 0.5) / n) ** 2


# --- centroid and bandwidth -------------------------------------------------------------------------------------

FLAT = 16.0  # times the rounding of a number: a picture that varies no more than that is the same everywhere


class Measured:
    """What is known of the spectra of some pictures: one row each, colours added.

    Attributes
    ----------
    dc : (k,)
    energies : (k, b)
        Sums over the coefficients of each band.
    centroids, bandwidths : (k,)
        Mean and standard deviation of the frequency, weighted by power, DC left out, in cycles a pixel; NaN where the
        picture is 0 or the same everywhere.
    """

    def __init__(self, values: npt.NDArray[np.floating]) -> None:
        self.values = values
        self.dc, self.energies = values[:, 0], values[:, 1:-2]
        self.centroids, self.bandwidths = values[:, -2], values[:, -1]


class Measure:
    """Measures maps ``(k, h, w)`` or ``(k, h, w, channels)``: a function for `Canvas.reduce`.

    Parameters
    ----------
    bands : Bands
    device : torch.device
    least : float
        A map whose values are no larger has no frequency: what is rounding in a picture.
    """

    def __init__(self, bands: Bands, device: torch.device | str = "cpu", least: float = 0.0) -> None:
        self.bands, self.device, self.least = bands, device, least
        self._transforms: dict[torch.dtype, Transform] = {}

    def __call__(self, maps: torch.Tensor) -> npt.NDArray[np.floating]:
        """``(k, b + 3)``: DC, the energies of the bands, centroid and bandwidth."""
        maps = maps if maps.dtype == torch.float64 else maps.float()
        transform = self._transforms.get(maps.dtype)
        if transform is None:  # of several threads that find none, each makes the same
            transform = self._transforms[maps.dtype] = Transform(self.bands, self.device, maps.dtype)
        colours = maps.permute(3, 0, 1, 2) if maps.ndim == 4 else maps[None]
        dc, power = transform.power(colours[0])
        for colour in colours[1:]:
            more = transform.power(colour)
            dc, power = dc + more[0], power + more[1]
        total = power.sum((1, 2))
        rounding = FLAT * float(torch.finfo(maps.dtype).eps)
        alive = (total > rounding**2 * dc) & (maps.abs().flatten(1).amax(1) > self.least)
        safe = torch.where(total > 0, total, torch.ones_like(total))
        centroid = (power * transform.radius).sum((1, 2)) / safe
        away = (transform.radius - centroid[:, None, None]).square_()
        bandwidth = ((power * away).sum((1, 2)) / safe).sqrt()
        nan = torch.full_like(total, math.nan)
        columns = [
            dc[:, None],
            transform.energies(power),
            torch.where(alive, centroid, nan)[:, None],
            torch.where(alive, bandwidth, nan)[:, None],
        ]
        return torch.cat(columns, 1).cpu().numpy()


def measure_picture(bands: Bands, picture: npt.NDArray[np.floating]) -> Measured:
    """One picture ``(h, w, channels)``, in double precision."""
    return Measured(Measure(bands)(torch.from_numpy(np.asarray(picture, np.float64))[None]))
