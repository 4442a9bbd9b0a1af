"""Tables and labelled arrays hold the numbers of the results they are made of, under the right names."""

from __future__ import annotations

import builtins

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget import analysis
from tests.small_models import Cnn


@pytest.fixture(scope="module")
def canvas() -> cw.Canvas:
    torch.manual_seed(0)
    inr = cw.INR.from_frames(Cnn([2, 4, 3], [3, 3, 3], [2, 1], (6, 8), nn.GELU, True), 3)
    return cw.trace(inr, "gated", progress=False)


def test_maps_with_names_and_coordinates(canvas, tmp_path) -> None:
    found = canvas.to_xarray("convs.1", [(1, 2), (3, 0)], [0, -1], rgb="each")
    assert found.dims == ("frame", "neuron", "y", "x", "channel")
    assert found.frame.values.tolist() == [0, 2]
    assert found.attrs["rule"] == "gated"
    assert found.attrs["layer"] == "convs.1"
    one = found.sel(frame=2, neuron="3 -> 0", channel="green")
    assert (int(one.unit), int(one.output)) == (3, 0)
    np.testing.assert_allclose(
        one.values, canvas.map("convs.1", (3, 0), 2, rgb="green"), rtol=1e-4, atol=1e-6
    )
    every = canvas.to_xarray("convs.0", granularity="unit")
    np.testing.assert_allclose(
        every.sel(frame=0, neuron="1").values, canvas.map("convs.0", 1), rtol=1e-4, atol=1e-6
    )
    assert "output" not in every.coords
    canvas.save(tmp_path / "a.zarr", layers=["head"], frames=[1], maps=2, progress=False)
    saved = cw.open(tmp_path / "a.zarr")
    kept = saved.to_xarray("head", frames=1)
    assert kept.sizes["neuron"] == len(saved.kept("head"))
    neuron = tuple(saved.layers.find("head").neurons_at(saved.kept("head"))[0].tolist())
    np.testing.assert_array_equal(kept.values[0, 0], saved.map("head", neuron, 1))


def test_what_labelled_maps_refuse(canvas, monkeypatch) -> None:
    with pytest.raises(ValueError, match=r"neurons: 32 maps on 100,000 frames take .* GiB; name fewer"):
        canvas.to_xarray("convs.0", frames=[0] * 100_000)
    with pytest.raises(IndexError, match="frame=7"):
        canvas.to_xarray("head", frames=7)
    import_ = builtins.__import__

    def without(name, *rest):
        if name == "xarray":
            raise ImportError
        return import_(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'canvaswidget\[xarray\]'"):
        canvas.to_xarray("head")


def test_one_row_a_neuron(canvas) -> None:
    summary = canvas.summary("convs.1")
    frame = summary.to_frame()
    assert frame.loc["3 -> 2", "total"] == summary.neuron_abs[3, 2]
    assert (frame.loc["3 -> 2", ["unit", "output"]] == [3, 2]).all()
    sampled = canvas.summary("head", accuracy=0.3)
    if not sampled.is_exact:
        assert (sampled.to_frame().low <= sampled.to_frame().total).all()
    spread = analysis.distribution(canvas, "convs.1")
    assert spread.to_frame().loc["1 -> 0", "pixels"] == spread.pixels_per_neuron[1, 0]
    faithful = analysis.faithfulness(canvas, "convs.1", half_width=1e-9, subsets=0)
    table = faithful.to_frame()
    unit, output = faithful.neurons[2]
    assert table.loc[f"{unit} -> {output}", "ablation_total"] == faithful.ablation_totals[2]
    clusters = analysis.cluster(canvas, "convs.1", k=2)
    assert (clusters.to_frame().cluster == clusters.labels.ravel()).all()
    masks = np.zeros(canvas.inr.size, np.int64)
    masks[:, :3] = 1
    objects = analysis.objects(canvas, "convs.1", masks)
    assert (objects.to_frame()[objects.names[0]] == objects.means[..., 0].ravel()).all()
    regions = analysis.regions(canvas, "convs.1", by={"sides": np.stack([masks == 0, masks == 1])})
    assert (regions.to_frame().sides == regions.variances["sides"].ravel()).all()


def test_neurons_of_groups_bear_their_own_names() -> None:
    torch.manual_seed(0)
    grouped = nn.Sequential(nn.Conv2d(4, 6, 1, groups=2), nn.ReLU(), nn.Conv2d(6, 3, 1))
    canvas = cw.trace(
        cw.INR(grouped, lambda frame: torch.randn(1, 4, 3, 3), (3, 3)), "ablation", progress=False
    )
    frame = canvas.summary("0").to_frame()
    total = np.abs(canvas.map("0", (3, 4), rgb="each")).sum()
    assert frame.loc["3 -> 4", "total"] == pytest.approx(total, rel=1e-5)
    assert "3 -> 0" not in frame.index


def test_rankings_and_curves(canvas) -> None:
    ranking = canvas.top(2, 3, k=4)
    table = ranking.to_frame()
    assert table.loc[1, "contribution"] == ranking[0].value
    assert list(table.columns) == ["layer", "neuron", "contribution", "magnitude", "share"]
    assert len(canvas.top(0, 0, k=4)[:0]) == 0
    deleted = analysis.deletion(canvas, "head", points=3, seeds=[0])
    curve = deleted.to_frame().query("order == 'most first'")
    assert (curve.psnr == deleted.most_first).all()
    pruned = analysis.pruning(canvas, [0.5], rules=["gated"], seeds=[0])
    table = pruned.to_frame().set_index("order").psnr
    assert table["gated"] == pruned.curves["gated"][0]
    assert table["random, seed 0"] == pruned.random[0, 0]


def test_pairs_of_frames_directions_seeds_and_ops(canvas) -> None:
    moved = analysis.motion(canvas, "convs.1", [0, 1], np.zeros((1, *canvas.inr.size, 2)))
    (pair,) = moved.to_frame().itertuples()
    assert (pair.frame, pair.next) == (0, 1)
    assert pair.change == pytest.approx(moved.change.sum(dtype=np.float64), rel=1e-5)
    masks = np.zeros((canvas.inr.n_frames, *canvas.inr.size), np.int64)
    masks[:, :, :3] = 1
    over = analysis.objects_over_time(canvas, "convs.1", masks, [1, 0])
    table = over.to_frame()
    for place, frame in enumerate(over.frames):
        for number, name in enumerate(over.names):
            assert table.loc[(frame, "3 -> 2"), name] == over.means[place, 3, 2, number]
    found = analysis.directions(canvas, "convs.1", k=2)
    table = found.to_frame()
    assert table.loc[1, "unit 3"] == found.basis[1, 3]
    assert (table.explained == found.explained).all()
    alike = analysis.stability(canvas, "convs.1", k=2, seeds=(4, 1, 7))
    table = alike.to_frame().set_index(["seed", "other"]).rand_index
    np.testing.assert_equal(table[1, 7], alike.scores[1, 2])
    np.testing.assert_equal(table[4, 7], alike.scores[0, 2])
    described = analysis.vectors(canvas, "convs.1")
    table = described.to_frame()
    assert table.loc["1 -> 0", "strength"] == described.strength[described.shape[1]]
    assert table.loc["1 -> 0", "feature 2"] == described.values[described.shape[1], 2]
    followed = canvas.coverage()
    assert followed.to_frame().status.tolist() == [op.status for op in followed]
    assert followed.to_frame().path[0] == followed[0].path
