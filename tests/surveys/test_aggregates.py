"""Aggregates of a survey against pandas over its table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import canvaswidget as cw
from canvaswidget.surveys import Job, Survey
from tests.surveys.test_survey import Here

VIDEOS, SEEDS = ["cat", "dog", "owl", "fox", "bat"], [0, 1]
WIDTHS = {"small": 4, "large": 7}
SPREAD = {"layers": {"last": -1, "hidden": -2}, "arrays": False}


def jobs() -> list[Job]:
    """Of one video there is a run less; one job fails."""
    found = [
        Job(
            f"{video}, {model}, {seed}",
            inr="tests.surveys.networks:ffn",
            options={"seed": 10 * place + seed, "hidden": hidden},
            seed=seed,
            parameters={"video": video, "model": model},
        )
        for place, video in enumerate(VIDEOS)
        for model, hidden in WIDTHS.items()
        for seed in SEEDS
        if (video, model, seed) != ("dog", "large", 1)
    ]
    return [
        *found,
        Job("none", inr="tests.surveys.networks:nothing", parameters={"video": "cat", "model": "small"}),
    ]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Survey:
    store = tmp_path_factory.mktemp("survey") / "s.zarr"
    what = {"psnr": {}, "distribution": SPREAD, "tests.surveys.networks:counted": {"more": 2}}
    return cw.survey(jobs(), store, Here(), what, progress=False)


def test_a_mean_is_that_of_videos_means(runs: Survey) -> None:
    done = runs.table[runs.table.status == "done"]
    assert len(done) == 19
    for number in ("psnr", "distribution.last.total", "distribution.hidden.share_of_neurons_50%"):
        found = runs.compare(number, by="model")
        by_video = done.groupby(["model", "video"])[number].mean()
        assert [group.group for group in found.groups] == ["small", "large"]
        for group in found.groups:
            assert group.value == pytest.approx(by_video[group.group].mean())
            assert group.n_videos == 5
            assert group.n_runs == (done.model == group.group).sum()
            assert group.low is not None
            assert group.high is not None
            assert group.low < group.value < group.high
        apart = found.difference("large", "small")
        assert apart.value == pytest.approx((by_video["large"] - by_video["small"]).mean())
        assert found.to_frame().loc["large", "value"] == found.groups[1].value


def test_without_groups_and_by_another_column(runs: Survey) -> None:
    done = runs.table[runs.table.status == "done"]
    (every,) = runs.compare("psnr").groups
    assert every.value == pytest.approx(done.groupby("video").psnr.mean().mean())
    by_seed = runs.compare("psnr", by="video", video="seed")
    assert [group.group for group in by_seed.groups] == VIDEOS
    for group in by_seed.groups:
        assert group.value == pytest.approx(
            done[done.video == group.group].groupby("seed").psnr.mean().mean()
        )


def test_a_number_may_be_made_of_columns(runs: Survey) -> None:
    table = runs.table
    ratio = table["distribution.last.total"].div(table["distribution.hidden.total"])
    found = runs.compare(ratio.rename("ratio"), by="model")
    assert found.number == "ratio"
    by_video = ratio.groupby([table.model, table.video]).mean()
    for group in found.groups:
        assert group.value == pytest.approx(by_video[group.group].mean())
    assert runs.compare(runs.table.psnr, by="model").groups == runs.compare("psnr", by="model").groups
    # Of some runs only: the others count as not measured.
    some = runs.compare(runs.table.psnr[runs.table.video != "owl"], by="model")
    assert [group.n_videos for group in some.groups] == [4, 4]


def test_chosen_runs_are_compared_alone(runs: Survey) -> None:
    few = runs.where(video=["cat", "dog"], model="large")
    (group,) = few.compare("psnr", by="model").groups
    table = few.table
    assert group.value == pytest.approx(table.groupby("video").psnr.mean().mean())
    assert (group.n_videos, group.n_runs) == (2, 3)


def test_a_finding_has_the_numbers_of_the_table(runs: Survey) -> None:
    table = runs.table
    found = runs.finding("distribution.last")
    assert list(found.runs) == list(table.index)
    for name in found.names:
        np.testing.assert_array_equal(found.number(name), table[f"distribution.last.{name}"])
        known = table[f"distribution.last.{name}"].dropna()
        mean = found.mean()[name]
        assert mean.value == pytest.approx(known.mean())
        assert mean.n == len(known) == 19
        reach = stats.t.ppf(0.975, 18) * stats.sem(known)
        assert (mean.low, mean.high) == pytest.approx((known.mean() - reach, known.mean() + reach))
    assert "there is no such network" in found.errors["none"]
    frame = found.to_frame()
    assert frame["total"].equals(table["distribution.last.total"].rename("total"))


def test_layers_have_the_names_that_they_are_given(runs: Survey) -> None:
    for name, job in (("cat, small, 0", jobs()[0]), ("cat, large, 1", jobs()[3])):
        canvas = cw.trace(job.make(), progress=False)
        for said, layer in SPREAD["layers"].items():
            expected = cw.analysis.distribution(canvas, layer, seed=job.seed).numbers()
            measured = {key: runs.table.loc[name, f"distribution.{said}.{key}"] for key in expected}
            assert measured == pytest.approx(expected)


def test_arrays_are_left_out_where_that_is_asked_for(runs: Survey) -> None:
    store = Path(str(runs._place.address))
    assert not list(store.rglob("findings"))
    with pytest.raises(KeyError, match="keeps no arrays"):
        runs.arrays("cat, small, 0", "distribution.last.0")


def test_a_function_of_the_users_measures_too(runs: Survey) -> None:
    table = runs.table
    assert table.loc["cat, small, 0", "counted.units"] == 4 + 2
    assert table.loc["dog, large, 0", "counted.units"] == 7 + 2
    assert table.loc["cat, large, 1", "counted.seed"] == 1
    assert runs.finding("counted").names == ["units", "seed"]


def test_what_is_no_number_is_refused(runs: Survey) -> None:
    with pytest.raises(ValueError, match="number='psrn': is no column"):
        runs.compare("psrn")
    with pytest.raises(ValueError, match="by='kind': is no column"):
        runs.compare("psnr", by="kind")
    with pytest.raises(ValueError, match="video='clip': is no column"):
        runs.compare("psnr", video="clip")
    with pytest.raises(ValueError, match="number='rule': holds texts"):
        runs.compare("rule")
