"""Means over videos and seeds, with intervals that say what to expect of other videos.

Runs of one video are alike, so they are not so many independent observations. The hierarchical bootstrap draws videos
with replacement, then runs of each with replacement (Davison and Hinkley 1997, section 3.8). Its percentiles are taken
further out, as Hesterberg 2015 (The American Statistician 69) expands them, since few videos vary less than all would.
Of samples from a normal distribution the intervals then contain the mean in 91 % of tries with 5 videos and in at least
93 % with 12. With fewer videos Student's t over their means takes its place, and over the runs where there is one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from canvaswidget import tables
from canvaswidget.analysis.over_runs import Mean, interval_text, place_names, short_name
from canvaswidget.arguments import checked
from canvaswidget.plotting.style import CYCLE, QUIET, heading, new_axes, plain_numbers, style
from canvaswidget.tracing.accuracy import LEVEL

if TYPE_CHECKING:
    import pandas

DRAWS = 4000
FEW = 5  # videos, below which a bootstrap is unreliable

DoubleArray = npt.NDArray[np.float64]
ByVideo = Mapping[Any, DoubleArray]


@dataclass(frozen=True, repr=False)
class GroupMean:
    """The mean of a number over videos, each the mean over its runs.

    Attributes
    ----------
    group : str
    value : float
    low, high : float or None
        The 95% interval; None for a single run.
    n_videos, n_runs : int
    """

    group: str
    value: float
    low: float | None
    high: float | None
    n_videos: int
    n_runs: int

    def __repr__(self) -> str:
        videos, runs = (
            f"{count} {word}{'s' * (count != 1)}"
            for count, word in ((self.n_videos, "video"), (self.n_runs, "run"))
        )
        return f"{self.group}: {self.value:.3g}{interval_text(self.low, self.high)}, {videos}, {runs}"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """The means of a number in several groups of runs, such as architectures.

    Attributes
    ----------
    number : str
    groups : tuple of GroupMean
    values : dict of dict
        By group and video, the value of each run.
    seed : int
        Of the bootstrap.
    """

    number: str
    groups: tuple[GroupMean, ...]
    values: Mapping[str, ByVideo]
    seed: int = 0

    def difference(self, first: str, second: str) -> GroupMean:
        """The mean of one group minus that of another, over the videos that both have.

        Videos are drawn for both at once, so what makes a video hard for both cancels out.

        Raises
        ------
        ValueError
            There is no such group, or the two have no video in common.
        """
        for argument, name in (("first", first), ("second", second)):
            if name not in self.values:
                raise ValueError(f"{argument}={name!r}: expected one of {', '.join(map(repr, self.values))}")
        one, other = self.values[first], self.values[second]
        videos = [video for video in one if video in other]
        if not videos:
            raise ValueError(f"groups {first!r} and {second!r} have no video in common")
        pairs = [[one[video] for video in videos], [other[video] for video in videos]]
        return _mean_of(f"{first} - {second}", pairs, self.seed)

    def to_frame(self) -> pandas.DataFrame:
        """One row a group; pandas is imported here."""
        import pandas

        return pandas.DataFrame([vars(group) for group in self.groups]).set_index("group")

    @checked
    def plot(self, ax: Axes | None = None) -> Axes:
        """Each group's mean with its interval, and beside it the mean of each of its videos."""
        ax = ax or new_axes()
        with style():
            for place, group in enumerate(self.groups):
                means = [float(values.mean()) for values in self.values[group.group].values()]
                spread = np.linspace(-0.18, 0.18, len(means)) if len(means) > 1 else [0.0]
                ax.plot(
                    place + np.asarray(spread),
                    sorted(means),
                    color=QUIET,
                    ls="",
                    marker="o",
                    ms=2.5,
                    zorder=1,
                )
                if group.low is not None and group.high is not None:
                    ax.plot(
                        [place, place],
                        [group.low, group.high],
                        color=CYCLE[place % len(CYCLE)],
                        lw=2,
                        zorder=2,
                    )
                ax.plot(
                    place, group.value, color=CYCLE[place % len(CYCLE)], ls="", marker="o", ms=6, zorder=3
                )
            place_names(ax, [short_name(group.group) for group in self.groups])
            ax.set_xlim(-0.6, len(self.groups) - 0.4)
            ax.set_ylabel(self.number.replace("_", " "))
            ax.yaxis.set_major_formatter(plain_numbers())
            counts = sorted({group.n_videos for group in self.groups})
            heading(ax, self.number.replace("_", " "), f"{'-'.join(map(str, counts))} videos, 95% intervals")
        return ax

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        rows = [
            [
                group.group,
                f"{group.value:.4g}",
                *("" if bound is None else f"{bound:.4g}" for bound in (group.low, group.high)),
                str(group.n_videos),
                str(group.n_runs),
            ]
            for group in self.groups
        ]
        return [self.number, "mean", "95% low", "high", "videos", "runs"], rows, (1, 2, 3, 4, 5)

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        return tables.markup(*self._table())


def compare_groups(
    number: str,
    values: npt.ArrayLike,
    videos: Sequence[Any],
    groups: Sequence[Any] | None = None,
    *,
    seed: int = 0,
) -> Comparison:
    """Means of a number in each group of runs; runs where it is not defined are left out.

    Parameters
    ----------
    number : str
        What it is called.
    values : (n,) array
        Of each run.
    videos, groups : sequence of n
        The video and the group of each run; one group by default.
    seed : int

    Raises
    ------
    ValueError
        The lengths differ, or the number is defined nowhere.
    """
    each = np.asarray(values, np.float64)
    named = ["all"] * len(each) if groups is None else [str(group) for group in groups]
    if not len(each) == len(videos) == len(named):
        raise ValueError(f"values, videos, groups: have {len(each)}, {len(videos)} and {len(named)} values")
    found: dict[str, dict[Any, list[float]]] = {}
    for value, video, group in zip(each, videos, named, strict=True):
        if math.isfinite(value):
            found.setdefault(group, {}).setdefault(video, []).append(float(value))
    if not found:
        raise ValueError(f"number={number!r}: is defined for no run")
    # In an order of their own, so that the interval depends on no order of the runs.
    by_group = {
        group: {video: np.sort(several[video]) for video in sorted(several, key=str)}
        for group, several in found.items()
    }
    means = tuple(_mean_of(group, [list(several.values())], seed) for group, several in by_group.items())
    return Comparison(number, means, by_group, seed)


def _mean_of(group: str, samples: list[list[DoubleArray]], seed: int) -> GroupMean:
    """The mean over videos; of two samples of the same videos, the difference."""
    signs = (1, -1)[: len(samples)]
    means = sum(
        sign * np.array([some.mean() for some in videos]) for sign, videos in zip(signs, samples, strict=True)
    )
    means = np.asarray(means, np.float64)
    n_videos, n_runs = len(means), sum(len(some) for videos in samples for some in videos)
    low: float | None
    high: float | None
    if n_videos >= FEW:
        low, high = _bootstrap(samples, signs, n_videos, seed)
    elif n_videos == 1 and len(samples) == 1:
        mean = Mean.of(samples[0][0])  # over runs of one video: what to expect of other seeds
        low, high = mean.low, mean.high
    else:
        mean = Mean.of(means)
        low, high = mean.low, mean.high
    return GroupMean(group, float(means.mean()), low, high, n_videos, n_runs)


def _bootstrap(
    samples: list[list[DoubleArray]], signs: Sequence[int], n_videos: int, seed: int
) -> tuple[float, float]:
    from scipy.stats import norm, t

    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, n_videos, (DRAWS, n_videos))
    means = np.zeros(DRAWS)
    for sign, videos in zip(signs, samples, strict=True):
        counts = np.array([len(some) for some in videos])
        padded = np.zeros((n_videos, counts.max()))
        for place, some in enumerate(videos):
            padded[place, : len(some)] = some
        total = np.zeros((DRAWS, n_videos))
        for run in range(counts.max()):  # of a video with fewer runs, only so many are drawn
            which = (rng.random((DRAWS, n_videos)) * counts[drawn]).astype(np.int64)
            total += np.where(run < counts[drawn], padded[drawn, which], 0)
        means += sign * (total / counts[drawn]).mean(1)
    tail = float(norm.cdf(-math.sqrt(n_videos / (n_videos - 1)) * t.ppf((1 + LEVEL) / 2, n_videos - 1)))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
