"""The neurons of several runs in one plane."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import canvaswidget as cw
from canvaswidget import analysis
from canvaswidget.analysis import Vectors
from canvaswidget.analysis.embedding import NEAREST, arrange, methods
from canvaswidget.models import FFN, SIREN

SIZE = (20, 18)


def network(seed: int, kind: Any = FFN, hidden: int = 9) -> cw.INR:
    torch.manual_seed(seed)
    return cw.as_inr(kind(hidden=hidden, size=SIZE))


@pytest.fixture(scope="module")
def vectors() -> analysis.OverRuns[Vectors]:
    runs = cw.Runs({"one": network(0), "two": network(1, hidden=7), "siren": network(0, SIREN)}, rule="gated")
    return analysis.vectors(runs, -1)


def same_run(points: np.ndarray, run: np.ndarray) -> float:
    """Neuron by neuron: how many of its nearest are of its run."""
    shares = []
    for place, point in enumerate(points):
        distances = np.linalg.norm(points - point, axis=1)
        distances[place] = np.inf
        near = np.argsort(distances, kind="stable")[: min(NEAREST, len(points) - 1)]
        shares.append((run[near] == run[place]).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("method", methods())
def test_all_neurons_lie_in_one_plane(method: str, vectors: analysis.OverRuns[Vectors]) -> None:
    found = analysis.embed(vectors, method)
    assert found.runs == ("one", "two", "siren")
    counts = [int(one.alive.sum()) for one in vectors.values()]
    np.testing.assert_array_equal(np.bincount(found.run), counts)
    np.testing.assert_array_equal(found.n_constant, [(~one.alive).sum() for one in vectors.values()])
    points = np.concatenate([one.values[one.alive] for one in vectors.values()])
    np.testing.assert_array_equal(found.places, arrange(points, method))
    np.testing.assert_array_equal(found.places, analysis.embed(dict(vectors), method, seed=0).places)
    assert found.places.min() >= 0
    assert found.places.max() <= 1
    assert found.same_run == pytest.approx(same_run(points, found.run))
    pairs = found.run[:, None] == found.run
    n = len(points)
    assert found.same_run_by_chance == pytest.approx((pairs.sum() - n) / (n * (n - 1)))


def test_a_row_is_a_neuron_of_a_run(vectors: analysis.OverRuns[Vectors]) -> None:
    found = analysis.embed(vectors, "pca")
    table = found.to_frame()
    assert list(table.columns) == ["run", "layer", "neuron", "x", "y"]
    for run, one in vectors.items():
        rows = table[table.run == run]
        assert list(rows.neuron) == [str(place) for place in np.flatnonzero(one.alive)]
        assert set(rows.layer) == {one.layer.name}
    assert "neurons of siren" in repr(found)
    ax = found.plot()
    labels = [label.split(" (")[0] for label in ax.get_legend_handles_labels()[1]]
    assert labels == ["one", "two", "siren"]
    for place, drawn in enumerate(ax.collections):
        np.testing.assert_array_equal(np.asarray(drawn.get_offsets()), found.places[found.run == place])


def test_constant_maps_are_left_out(vectors: analysis.OverRuns[Vectors]) -> None:
    one = vectors["one"]
    alive = one.alive.copy()
    alive[[0, 3]] = False
    found = analysis.embed({"a": replace(one, alive=alive), "b": one}, "pca")
    assert found.n_constant[0] == (~alive).sum()
    assert [found.neurons[place] for place in np.flatnonzero(found.run == 0)] == np.flatnonzero(
        alive
    ).tolist()
    assert "with a constant map left out" in repr(found)


def test_runs_that_lie_apart_are_not_mixed(vectors: analysis.OverRuns[Vectors]) -> None:
    apart = replace(vectors["one"], values=vectors["one"].values + 9)
    far = analysis.embed({"one": vectors["one"], "moved": apart}, "pca")
    assert far.same_run == 1
    assert far.same_run_by_chance < 0.6


def test_those_of_a_sequence_are_called_by_their_layers(vectors: analysis.OverRuns[Vectors]) -> None:
    one, two, siren = vectors.values()
    assert analysis.embed([one, siren], "pca").runs == (one.layer.name, siren.layer.name)
    assert analysis.embed([one, two], "pca").runs == (f"0: {one.layer.name}", f"1: {two.layer.name}")
    alone = analysis.embed([one], "pca")
    assert alone.same_run == alone.same_run_by_chance == 1


def test_many_runs_have_their_own_colours(vectors: analysis.OverRuns[Vectors]) -> None:
    one = vectors["one"]
    ax = analysis.embed({step: one for step in range(9)}, "pca").plot()
    assert len({tuple(np.asarray(drawn.get_facecolor())[0]) for drawn in ax.collections}) == 9


def test_what_does_not_compare_is_refused(vectors: analysis.OverRuns[Vectors]) -> None:
    one = vectors["one"]
    with pytest.raises(ValueError, match="sources: expected one or more vectors"):
        analysis.embed({})
    with pytest.raises(ValueError, match="all of the same kind and length"):
        analysis.embed([one, replace(one, kind="colours")])
    with pytest.raises(ValueError, match=r"method='mds': expected one of 'pca', 'tsne'"):
        analysis.embed([one], "mds")
    with pytest.raises(TypeError, match=r"sources\['a'\]=1: expected what"):
        analysis.embed({"a": 1})  # type: ignore[dict-item]


@functools.cache
def some_vectors() -> Vectors:
    return analysis.vectors(cw.trace(network(0), "gated"), -1)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 2**16))
def test_any_few_neurons_are_arranged(counts: list[int], seed: int) -> None:
    base = some_vectors()
    rng = np.random.default_rng(seed)
    parts = []
    for count in counts:
        alive = np.zeros(len(base.alive), bool)
        alive[rng.permutation(len(alive))[:count]] = True
        parts.append(replace(base, values=rng.random(base.values.shape, np.float32), alive=alive))
    found = analysis.embed(parts, "pca")
    assert found.places.shape == (sum(counts), 2)
    assert np.isfinite(found.places).all()
    points = np.concatenate([part.values[part.alive] for part in parts])
    if sum(counts) > 1:
        assert found.same_run == pytest.approx(same_run(points, found.run))
    else:
        assert np.isnan(found.same_run)
    assert len(found.to_frame()) == sum(counts)


def test_neurons_of_two_architectures_are_matched(vectors: analysis.OverRuns[Vectors]) -> None:
    found = analysis.match(vectors["two"], vectors["siren"])
    assert len(found.pairs) == vectors["two"].alive.sum()
    one, other = vectors["two"], vectors["siren"]
    for (row, column), likeness in zip(found.pairs, found.likeness, strict=True):
        assert likeness == pytest.approx(np.corrcoef(one.values[row], other.values[column])[0, 1], abs=1e-5)
