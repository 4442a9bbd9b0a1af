"""Findings of several runs: each run's is what its canvas alone gives, and one that fails is a row."""

from __future__ import annotations

import inspect
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from scipy import stats

import canvaswidget as cw
from canvaswidget import analysis
from canvaswidget.analysis import Mean, OverRuns
from canvaswidget.models import FFN, SIREN
from tests.canvases import video

SIZE = (5, 6)
MASKS = np.repeat([[0, 1, 2]], SIZE[0], 0).repeat(2, 1)
FLOW = np.random.default_rng(0).random((2, 16, 32, 2), np.float32)


def network(seed: int, kind: Any = FFN, hidden: int = 6) -> cw.INR:
    torch.manual_seed(seed)
    return cw.as_inr(kind(hidden=hidden, size=SIZE))


def seeds(count: int = 3, **more: Any) -> cw.Runs:
    return cw.Runs({f"seed {seed}": network(seed) for seed in range(count)} | more, rule="gated")


def training(memory: str = "1 GiB", steps: tuple[int, ...] = (0, 1, 30, 500)) -> cw.Runs:
    weights = {step: dict(network(step).module.state_dict()) for step in steps}
    return cw.Runs.from_checkpoints(network(0), weights, rule="gated", memory=memory)


def clips() -> cw.Runs:
    other = video()
    with torch.no_grad():
        for parameter in other.module.parameters():
            parameter.mul_(1.1)
    return cw.Runs({"one": video(), "other": other}, rule="gated")


FINDINGS: list[tuple[Callable[..., Any], Callable[[], cw.Runs], dict[str, Any]]] = [
    (analysis.distribution, seeds, {"layer": -1, "levels": (0.1, 0.001)}),
    (analysis.intensity, seeds, {"layer": -1}),
    (analysis.regions, seeds, {"layer": -1, "by": {"thirds": MASKS}}),
    (analysis.objects, seeds, {"layer": -1, "masks": MASKS}),
    (analysis.objects_over_time, clips, {"layer": -1, "masks": np.eye(16, 32, dtype=int), "frames": [0, 2]}),
    (analysis.motion, clips, {"layer": -1, "frames": [0, 1, 2], "flow": FLOW}),
    (analysis.faithfulness, seeds, {"layer": -1, "subsets": 2}),
    (analysis.deletion, seeds, {"layer": -1, "points": 3, "seeds": [0]}),
    (analysis.pruning, seeds, {"shares": (0.2, 0.5), "seeds": (0, 1)}),
    (analysis.quantisation, seeds, {"bits": (4, 2), "channels": 2}),
    (analysis.quantisation_loss, seeds, {"bits": 3}),
    (analysis.rate_distortion, seeds, {"bits": (4, 2), "shares": (0.2,), "rules": ["gated"], "seeds": (0,)}),
    (analysis.cluster, seeds, {"layer": -1, "k": 2}),
    (analysis.stability, seeds, {"layer": -1, "k": 2, "seeds": [0, 1]}),
    (analysis.vectors, seeds, {"layer": -1}),
]


@pytest.mark.parametrize(
    ("finding", "make", "arguments"), FINDINGS, ids=lambda one: getattr(one, "__name__", "")
)
def test_each_run_has_the_numbers_of_its_canvas_alone(
    finding: Callable[..., Any], make: Callable[[], cw.Runs], arguments: dict[str, Any]
) -> None:
    runs = make()
    found = finding(runs, **arguments)
    assert isinstance(found, OverRuns)
    assert list(found) == list(found.runs) == list(runs)
    table = found.to_frame()
    assert table.index.name == "run"
    for run, canvas in runs.items():
        alone = finding(canvas, **arguments)
        assert type(found[run]) is type(alone)
        numbers = alone.numbers()
        assert list(numbers) == found.names
        assert all(type(value) is float for value in numbers.values())
        np.testing.assert_array_equal(table.loc[run, found.names].to_numpy(float), list(numbers.values()))
    assert f"{finding.__name__.replace('_', ' ')}" in repr(found).splitlines()[0]
    assert "95% interval" in repr(found)
    assert "<table>" in found._repr_html_()
    assert len(found.plot_all().axes) == len(found.names)


def test_numbers_are_what_they_are_said_to_be() -> None:
    canvas = cw.trace(network(0), "gated")
    spread = analysis.distribution(canvas, -1)
    assert spread.numbers() == {
        "total": pytest.approx(float(spread.neuron_abs.sum())),
        "dead_share": 0.0,
        "pixels_per_neuron": float(np.median(spread.pixels_per_neuron)),
        "share_of_neurons_90%": float(np.median(spread.share_of_neurons[0])),
        "share_of_neurons_50%": float(np.median(spread.share_of_neurons[1])),
    }
    faith = analysis.faithfulness(canvas, -1, subsets=2)
    assert faith.numbers()["totals"] == faith.totals.value
    cared = analysis.regions(canvas, -1, by={"thirds": MASKS})
    assert cared.numbers() == {"variance_thirds": float(np.median(cared.variances["thirds"]))}
    of = analysis.objects(canvas, -1, MASKS, names=["left", "right"])
    assert of.numbers()["most_to_left"] == (of.preferred == 0).mean()
    assert sum(of.numbers().values()) == pytest.approx(1)
    pruned = analysis.pruning(canvas, (0.2, 0.5), seeds=(0,), rules=["gated"])
    assert pruned.numbers()["psnr_gated"] == pytest.approx(np.minimum(pruned.curves["gated"], 60).mean())
    clusters = analysis.cluster(canvas, -1, 2)
    assert clusters.numbers()["largest_share"] == clusters.counts[0] / clusters.counts.sum()
    assert clusters.numbers()["distance"] == pytest.approx(float(np.nanmean(clusters.distances)))


numbers = st.floats(-1e6, 1e6) | st.just(math.nan) | st.just(math.inf)


@given(st.lists(numbers, max_size=8))
def test_the_mean_has_the_interval_of_students_t(values: list[float]) -> None:
    mean = Mean.of(np.array(values))
    known = [value for value in values if math.isfinite(value)]
    assert mean.n == len(known)
    if not known:
        assert math.isnan(mean.value)
    else:
        assert mean.value == pytest.approx(np.mean(known))
    if len(known) < 2:
        assert mean.low is None
        assert mean.high is None
    elif np.ptp(known) > 1e-3:
        expected = stats.t.interval(0.95, len(known) - 1, np.mean(known), stats.sem(known))
        assert (mean.low, mean.high) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_the_mean_is_over_the_runs() -> None:
    found = analysis.distribution(seeds(4), -1)
    totals = found.number("total")
    mean = found.mean()["total"]
    assert mean.value == pytest.approx(totals.mean())
    low, high = stats.t.interval(0.95, 3, totals.mean(), stats.sem(totals))
    assert (mean.low, mean.high) == pytest.approx((low, high))
    assert mean.n == 4
    assert str(mean) == f"{mean.value:.3g} ({low:.3g} to {high:.3g}), n = 4"
    with pytest.raises(ValueError, match="name='totals': expected one of 'total', 'dead_share'"):
        found.number("totals")
    with pytest.raises(ValueError, match="expected one of"):
        found.plot("totals")


def test_one_run_has_a_mean_without_an_interval() -> None:
    found = analysis.intensity(seeds(1), -1)
    assert found.mean()["with_edges"] == (found["seed 0"].with_edges, None, None, 1)
    assert len(found.to_frame()) == 1
    assert str(found.mean()["with_edges"]) == f"{found['seed 0'].with_edges:.3g}, n = 1"
    assert str(Mean.of(np.array([math.nan]))) == "not defined"
    assert "n = " not in found.plot().get_title(loc="left")


def test_a_run_that_fails_is_a_row(tmp_path: Path) -> None:
    lacking = cw.as_inr(SIREN(hidden=6, layers=2, size=SIZE))
    runs = seeds(2, gone=tmp_path / "gone.zarr", siren=lacking)
    name = runs["seed 0"].traced_layers[-1].name
    assert name not in [layer.name for layer in runs["siren"].traced_layers]
    found = analysis.distribution(runs, name)
    assert list(found) == list(found.results) == ["seed 0", "seed 1"]
    assert found.runs == ("seed 0", "seed 1", "gone", "siren")
    assert list(found.errors) == ["gone", "siren"]
    table = found.to_frame()
    assert list(table.index) == list(found.runs)
    assert table.error["gone"].startswith("RunError: run 'gone'")
    assert table.error["siren"].startswith(f"layer={name!r}: no such layer")
    assert list(table.error[:2]) == ["", ""]
    assert np.isnan(table.total["gone"])
    assert found.mean()["total"].n == 2
    assert "nan" not in repr(found)
    assert "failed: gone, siren" in found.plot().get_title(loc="left")
    with pytest.raises(KeyError, match=r"siren.*no such layer"):
        found["siren"]
    with pytest.raises(KeyError):
        found["other"]


def test_what_fails_everywhere_is_raised(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="no such layer"):
        analysis.distribution(seeds(2), "no such layer")
    with pytest.raises(cw.RunError, match="gone"):
        analysis.distribution(cw.Runs([tmp_path / "gone.zarr"]), 0)
    with pytest.raises(ValueError, match="canvas: there are no runs"):
        analysis.distribution({}, 0)


def test_a_wrong_argument_is_raised_at_once() -> None:
    asked: list[Any] = []

    class Watched(dict[Any, Any]):
        def __getitem__(self, key: Any) -> Any:
            asked.append(key)
            return super().__getitem__(key)

    runs = Watched(dict(seeds(3)))
    with pytest.raises(TypeError, match="layer="):
        analysis.distribution(runs, layer=1.5)  # type: ignore[arg-type]
    assert asked == ["seed 0"]
    with pytest.raises(TypeError, match="progress=3"):
        analysis.distribution(runs, -1, progress=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="canvas=1: expected a canvas"):
        analysis.distribution({"a": 1}, -1)  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="layer"):
        analysis.distribution(runs)  # type: ignore[call-arg]


def test_progress_counts_runs_and_may_stop() -> None:
    told: list[tuple[int, int]] = []
    analysis.cluster(seeds(3), -1, 2, 0, 0, lambda done, planned: told.append((done, planned)))
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)
    assert sorted(told) == told
    assert len(told) > 4

    class Stop(LookupError):
        pass

    def stop(done: int, planned: int) -> None:
        if done == 1:
            raise Stop

    with pytest.raises(Stop):
        analysis.distribution(seeds(3), -1, progress=stop)

    within: list[int] = []

    def stop_within(done: int, planned: int) -> None:
        within.append(done)
        if within == [0, 0]:  # inside the first run, where an error is otherwise that run's
            raise Stop

    with pytest.raises(Stop):
        analysis.distribution(seeds(3), -1, progress=stop_within)


def test_checkpoints_that_are_let_go_give_the_same() -> None:
    small, large = training(memory="1 MiB"), training()
    small.memory = 1  # two are held
    one, other = (analysis.distribution(runs, -1).to_frame() for runs in (small, large))
    assert list(one.index) == [0, 1, 30, 500]
    assert one.equals(other)
    assert len(small._kept) == 2
    anew = analysis.distribution(
        {step: cw.trace(network(step), "gated") for step in other.index}, -1
    ).to_frame()
    np.testing.assert_allclose(other, anew, rtol=1e-6)


def test_checkpoints_have_no_mean_and_a_line() -> None:
    found = analysis.distribution(training(), -1)
    assert found.is_one_network
    assert "mean" not in repr(found)
    ax = found.plot("pixels_per_neuron")
    (line,) = ax.get_lines()
    np.testing.assert_array_equal(line.get_xdata(), [0, 1, 30, 500])
    np.testing.assert_array_equal(line.get_ydata(), found.number("pixels_per_neuron"))
    assert line.get_linestyle() == "-"
    assert ax.get_xscale() == "symlog"
    assert ax.get_ylabel() == "pixels per neuron"


@pytest.mark.parametrize(
    ("steps", "scale"),
    [((1, 10, 100), "log"), ((0, 5, 10), "linear"), ((-3, 1, 100), "linear"), ((0,), "linear")],
)
def test_steps_stand_at_their_places(steps: tuple[int, ...], scale: str) -> None:
    canvases = {step: cw.trace(network(step + 3), "gated") for step in steps}
    ax = analysis.intensity(canvases, -1).plot()
    assert ax.get_xscale() == scale
    np.testing.assert_array_equal(ax.get_lines()[-1].get_xdata(), steps)


def test_names_stand_side_by_side_with_the_mean() -> None:
    found = analysis.intensity(seeds(3), -1)
    ax = found.plot(ax=None)
    assert isinstance(ax, Axes)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["seed 0", "seed 1", "seed 2"]
    mean, points = ax.get_lines()
    assert mean.get_ydata()[0] == pytest.approx(found.mean()["with_brightness"].value)  # type: ignore[index]
    assert points.get_linestyle() == "None"
    assert "n = 3" in ax.get_title(loc="left")


@dataclass
class Numbers:
    """A finding that is nothing but its numbers."""

    given: dict[str, float]

    def numbers(self) -> dict[str, float]:
        return self.given


keys = st.integers(-(10**12), 10**12) | st.text(
    st.characters(min_codepoint=32, max_codepoint=126), max_size=8
)
results = st.dictionaries(st.sampled_from(["a", "b_c", "_d 90%"]), numbers, min_size=1)


@settings(deadline=None, max_examples=3 * settings().max_examples)
@given(st.dictionaries(keys, results | st.text(), min_size=1, max_size=8), st.booleans())
def test_any_numbers_are_shown(rows: dict[Any, Any], is_one_network: bool) -> None:
    measured = {run: Numbers(row) for run, row in rows.items() if not isinstance(row, str)}
    errors = {run: row or "?" for run, row in rows.items() if isinstance(row, str)}
    if not measured:
        return  # its first error is raised
    found = OverRuns("any", tuple(rows), measured, errors, is_one_network)
    table = found.to_frame()
    assert list(table.index) == list(rows)
    for run, row in rows.items():
        for name in found.names:
            expected = math.nan if isinstance(row, str) else row.get(name, math.nan)
            np.testing.assert_equal(found.number(name)[list(rows).index(run)], expected)
    assert "any" in repr(found)
    assert "<table>" in found._repr_html_()
    page = found.plot_all()
    assert len(page.axes) == len(found.names)
    page.savefig(io.BytesIO(), dpi=30)


def test_long_and_many_names_fit() -> None:
    canvas = cw.trace(network(0), "gated")
    runs = {f"{number}: {'a long name ' * 20}": canvas for number in range(60)}
    ax = analysis.intensity(runs, -1).plot()
    labels = [label.get_text() for label in ax.get_xticklabels()]
    assert labels[:2] == ["0: a long name a long n…", "3: a long name a long n…"]
    assert len(labels) == 20
    ax.figure.savefig(io.BytesIO())


def test_vectors_of_several_runs_are_grouped_each() -> None:
    looks = analysis.vectors(seeds(3), -1)
    found = analysis.stability(looks, k=2, seeds=[0, 1])
    assert list(found) == list(looks)
    alone = analysis.stability(looks["seed 1"], k=2, seeds=[0, 1])
    np.testing.assert_array_equal(found["seed 1"].scores, alone.scores)


def test_a_saved_canvas_without_its_model_is_a_row_where_the_model_is_needed(tmp_path: Path) -> None:
    canvas = cw.trace(network(0), "gated")
    canvas.save(tmp_path / "saved.zarr", maps="all", progress=False)
    runs = cw.Runs({"live": canvas, "saved": tmp_path / "saved.zarr"}, rule="gated")
    spread = analysis.distribution(runs, -1)
    assert list(spread) == ["live", "saved"]
    np.testing.assert_allclose(spread["saved"].neuron_abs, spread["live"].neuron_abs, rtol=1e-2)
    deleted = analysis.deletion(runs, -1, points=2, seeds=[0])
    assert list(deleted) == ["live"]
    assert deleted.errors["saved"]
    pruned = analysis.pruning(runs, (0.5,), seeds=(0,))
    assert list(pruned) == ["live"]
    assert "trace the model" in pruned.errors["saved"]


def test_many_runs_print_their_first_and_last() -> None:
    found = analysis.intensity(training(steps=tuple(range(40))), -1)
    lines = repr(found).splitlines()
    assert lines[0] == f"intensity of {found[0].layer.name}, 40 runs"
    assert [line.split()[0] for line in lines[2:]] == [*"012345", "...", *map(str, range(34, 40))]


def test_estimates_are_marked() -> None:
    exact = analysis.distribution(seeds(2), -1)
    assert "estimated" not in exact.to_frame()
    canvases = {"sampled": cw.trace(video(), "gated"), "not": cw.trace(video(), "xinc")}
    found = analysis.distribution(canvases, "decoder.2", accuracy=0.9)
    assert not found["sampled"].is_exact
    assert list(found.to_frame().estimated) == [f"± {found['sampled'].half_width:.1%}", ""]
    assert "1 of 2 estimated" in found.plot().get_title(loc="left")
    faith = analysis.faithfulness({"some": canvases["sampled"]}, 0, at_most=4, subsets=0)
    assert not faith["some"].is_whole
    assert faith.to_frame().estimated["some"] == f"± {faith['some'].totals.half_width:.3f}"


def test_the_signature_says_both() -> None:
    signature = inspect.signature(analysis.distribution)
    assert signature.parameters["canvas"].annotation == "CanvasLike | Mapping[Any, CanvasLike]"
    assert signature.return_annotation == "Distribution | OverRuns[Distribution]"
    assert signature.parameters["layer"].annotation == "LayerKey"
