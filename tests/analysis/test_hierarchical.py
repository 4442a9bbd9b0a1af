"""Means over videos and seeds: against plain loops, and intervals against populations that are known."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from canvaswidget.analysis import hierarchical
from canvaswidget.analysis.hierarchical import Comparison, GroupMean, compare_groups

Runs = list[tuple[str, str, float]]  # group, video, value

# Unequal numbers of runs a video and of videos a group; some values are missing.
RUNS: Runs = [
    *(("a", "cat", value) for value in (1.0, 2.0, 6.0)),
    *(("a", "dog", value) for value in (4.0, math.nan)),
    *(("a", "owl", value) for value in (0.5, 1.5)),
    *(("b", "cat", value) for value in (3.0, 5.0)),
    *(("b", "dog", value) for value in (7.0,)),
    *(("b", "fox", value) for value in (math.inf, math.nan)),
    *(("b", "owl", value) for value in (2.0, 2.0, 2.0, 4.0)),
    *(("c", "cat", value) for value in (math.nan,)),
]


def compared(runs: Runs, seed: int = 0) -> Comparison:
    return compare_groups(
        "psnr", [v for *_, v in runs], [v for _, v, _ in runs], [g for g, *_ in runs], seed=seed
    )


def many(
    n_videos: int, n_runs: int = 3, *, groups: Sequence[str] = ("a",), seed: int = 0, spread: float = 2.0
) -> Runs:
    """Runs whose videos differ by much, and runs of one video by 1."""
    rng = np.random.default_rng(seed)
    found = []
    for video in range(n_videos):
        centre = rng.normal(0, spread)
        for place, group in enumerate(groups):
            found += [(group, f"v{video}", centre + place + rng.normal()) for _ in range(n_runs)]
    return found


def mean_of(runs: Runs, group: str) -> tuple[float, int, int]:
    """The mean over videos of the means over runs, videos, runs: by loops."""
    means, count = [], 0
    for video in {video for one, video, _ in runs if one == group}:
        values = [value for one, of, value in runs if (one, of) == (group, video) and math.isfinite(value)]
        if values:
            means.append(sum(values) / len(values))
            count += len(values)
    return sum(means) / len(means), len(means), count


def test_means_are_those_of_plain_loops() -> None:
    found = compared(RUNS)
    assert [group.group for group in found.groups] == ["a", "b"]  # of c nothing is known
    for group in found.groups:
        value, n_videos, n_runs = mean_of(RUNS, group.group)
        assert group.value == pytest.approx(value)
        assert (group.n_videos, group.n_runs) == (n_videos, n_runs)
    assert found.groups[0].value == pytest.approx((3 + 4 + 1) / 3)  # each video counts once


def test_without_groups_all_runs_are_one() -> None:
    values, videos = [1.0, 3.0, 8.0], ["x", "x", "y"]
    (group,) = compare_groups("psnr", values, videos).groups
    assert (group.group, group.value) == ("all", 5.0)


def test_one_video_has_the_interval_of_its_runs() -> None:
    values = [1.0, 2.0, 4.0, 4.5]
    (group,) = compare_groups("psnr", values, ["x"] * 4).groups
    low, high = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (group.low, group.high) == pytest.approx((low, high))
    (alone,) = compare_groups("psnr", [2.0], ["x"]).groups
    assert alone == GroupMean("all", 2.0, None, None, 1, 1)
    assert repr(alone) == str(alone) == "all: 2, 1 video, 1 run"


@pytest.mark.parametrize("n_videos", [2, 4])
def test_few_videos_have_the_interval_of_their_means(n_videos: int) -> None:
    runs = many(n_videos)
    means = [np.mean([value for _, one, value in runs if one == f"v{video}"]) for video in range(n_videos)]
    (group,) = compared(runs).groups
    low, high = stats.t.interval(0.95, n_videos - 1, np.mean(means), stats.sem(means))
    assert (group.low, group.high) == pytest.approx((low, high))


def test_the_bootstrap_is_that_of_plain_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hierarchical, "LEVEL", 0.5)  # whose bounds few draws give well
    runs = [(g, v, x) for place, (g, v, x) in enumerate(many(6)) if place not in (0, 1, 5)]
    by_video = {video: [x for _, one, x in runs if one == video] for _, video, _ in runs}
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(3000):
        means = []
        for video in rng.choice(list(by_video), len(by_video)):
            values = by_video[video]
            means.append(np.mean([values[rng.integers(len(values))] for _ in values]))
        drawn.append(np.mean(means))
    tail = stats.norm.cdf(-math.sqrt(6 / 5) * stats.t.ppf(0.75, 5))
    (group,) = compared(runs).groups
    expected = np.quantile(drawn, [tail, 1 - tail])
    assert (group.low, group.high) == pytest.approx(tuple(expected), abs=0.1 * np.std(drawn))


@pytest.mark.parametrize("n_videos", [5, 12])
def test_the_interval_holds_the_mean_of_all_videos(n_videos: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hierarchical, "DRAWS", 1000)
    held = held_by_runs = 0
    for seed in range(200):
        runs = many(n_videos, seed=seed)
        (group,) = compared(runs).groups
        assert group.low is not None
        assert group.high is not None
        held += group.low <= 0 <= group.high
        values = [value for *_, value in runs]
        low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
        held_by_runs += low <= 0 <= high
    assert 0.86 <= held / 200 <= 0.99
    assert held_by_runs < held - 20  # runs of one video are no independent observations


def test_a_difference_is_over_the_videos_that_both_have() -> None:
    found = compared(RUNS)
    difference = found.difference("b", "a")
    each = [4 - 3, 7 - 4, 2.5 - 1]  # cat, dog, owl
    assert difference.group == "b - a"
    assert difference.value == pytest.approx(np.mean(each))
    low, high = stats.t.interval(0.95, 2, np.mean(each), stats.sem(each))
    assert (difference.low, difference.high) == pytest.approx((low, high))
    assert (difference.n_videos, difference.n_runs) == (3, 6 + 7)
    assert found.difference("a", "b").value == pytest.approx(-difference.value)
    assert repr(difference) == f"b - a: {difference.value:.3g} ({low:.3g} to {high:.3g}), 3 videos, 13 runs"


def test_a_difference_is_paired_by_video() -> None:
    # Videos differ by 50, the groups by 1 in each of them.
    found = compared(many(12, groups=("a", "b"), spread=50))
    difference = found.difference("b", "a")
    assert difference.low is not None
    assert difference.high is not None
    assert 0 < difference.low < 1 < difference.high < 2.5
    assert all((group.high or 0) - (group.low or 0) > 20 for group in found.groups)


def test_a_difference_of_one_video_has_no_interval() -> None:
    runs = [("a", "cat", 1.0), ("a", "cat", 2.0), ("b", "cat", 5.0), ("b", "dog", 0.0)]
    difference = compared(runs).difference("a", "b")
    assert (difference.value, difference.low, difference.high) == (-3.5, None, None)


NUMBERS = st.lists(
    st.tuples(st.sampled_from("ab"), st.sampled_from("pqrstuv"), st.integers(-50, 50).map(float)),
    min_size=1,
    max_size=40,
)


def bounds(found: Comparison, *, absent: float = 0.0) -> dict[str, list[float]]:
    return {
        group.group: [absent if one is None else one for one in (group.value, group.low, group.high)]
        for group in found.groups
    }


@settings(max_examples=25)
@given(NUMBERS, st.integers(-100, 100), st.sampled_from([0.25, 0.5, 3.0, 100.0]), st.randoms())
def test_constants_shift_factors_scale_and_the_order_of_runs_is_nothing(
    runs, constant, factor, random
) -> None:
    before = compared(runs)
    known = {group.group: group.low is not None for group in before.groups}
    shifted = compared([(g, v, x + constant) for g, v, x in runs])
    scaled = compared([(g, v, x * factor) for g, v, x in runs])
    for name, values in bounds(before).items():
        moved = [values[0] + constant, *(bound + constant * known[name] for bound in values[1:])]
        assert bounds(shifted)[name] == pytest.approx(moved, abs=1e-9)
        assert bounds(scaled)[name] == pytest.approx([value * factor for value in values], abs=1e-9)
    shuffled = runs.copy()
    random.shuffle(shuffled)
    assert bounds(compared(shuffled)) == bounds(before)


@settings(max_examples=25)
@given(NUMBERS)
def test_runs_where_the_number_is_not_defined_are_left_out(runs) -> None:
    more = [*runs, ("a", "z", math.nan), ("c", "p", math.inf)]
    assert bounds(compared(more)) == bounds(compared(runs))


def test_an_interval_holds_its_mean_and_is_that_of_its_seed() -> None:
    runs = many(7)
    found = compared(runs, seed=3)
    (group,) = found.groups
    assert group.low is not None
    assert group.high is not None
    assert group.low < group.value < group.high
    assert compared(runs, seed=3).groups == found.groups
    assert compared(runs, seed=4).groups != found.groups


def test_the_table_has_a_row_for_each_group() -> None:
    found = compared(RUNS)
    frame = found.to_frame()
    assert list(frame.index) == ["a", "b"]
    assert list(frame.columns) == ["value", "low", "high", "n_videos", "n_runs"]
    assert frame.value["b"] == found.groups[1].value
    assert frame.n_runs["a"] == 6
    text = repr(found)
    assert "psnr" in text
    assert f"{found.groups[0].value:.4g}" in text
    assert found._repr_html_().count("<tr") == 3
    one = compared([("a", "cat", 1.0)])
    assert "nan" not in repr(one).lower()
    assert "None" not in repr(one)


def test_the_plot_has_means_intervals_and_videos() -> None:
    found = compared(RUNS)
    ax = found.plot()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["a", "b"]
    assert ax.get_ylabel() == "psnr"
    lines = [
        (np.asarray(line.get_xdata()).tolist(), np.asarray(line.get_ydata()).tolist())
        for line in ax.get_lines()
    ]
    for place, group in enumerate(found.groups):
        assert ([place, place], [group.low, group.high]) in lines
        assert ([place], [group.value]) in lines
        means = sorted(values.mean() for values in found.values[group.group].values())
        assert means in [values for _, values in lines]
    assert found.plot(ax) is ax
    alone = compared([("a", "cat", 1.0)]).plot()
    assert len(alone.get_lines()) == 2  # no interval


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(ValueError, match=r"values, videos, groups: have 2, 1 and 2 values"):
        compare_groups("psnr", [1, 2], ["x"])
    with pytest.raises(ValueError, match=r"number='psnr': is defined for no run"):
        compare_groups("psnr", [math.nan], ["x"])
    found = compared(RUNS)
    with pytest.raises(ValueError, match=r"second='d': expected one of 'a', 'b'"):
        found.difference("a", "d")
    with pytest.raises(ValueError, match=r"first='d'"):
        found.difference("d", "a")
    with pytest.raises(ValueError, match=r"no video in common"):
        compared([("a", "cat", 1.0), ("b", "dog", 1.0)]).difference("a", "b")


def test_long_names_of_groups_leave_room_for_the_plot() -> None:
    names = [f"{letter} with a name that is as long as a line of a page" for letter in "abc"]
    ax = compared([(name, "cat", 1.0) for name in names]).plot()
    ax.figure.draw_without_rendering()
    labels = [label.get_window_extent() for label in ax.get_xticklabels()]
    page = ax.figure.bbox
    assert ax.get_window_extent().height > page.height / 4
    assert all(label.x1 <= page.x1 and label.y0 >= page.y0 - 1 for label in labels)
