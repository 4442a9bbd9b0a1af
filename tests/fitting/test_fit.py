"""Fitting: it learns, it repeats, it stops when told, and it leaves the user's model alone."""

import copy

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from canvaswidget import media
from canvaswidget.fitting.fit import fit
from canvaswidget.fitting.result import Fit
from canvaswidget.fitting.tasks import make_task
from canvaswidget.fitting.training import EVALUATIONS, Progress
from canvaswidget.inr import INR, as_inr
from canvaswidget.models import FFN, SIREN, HNeRVDecoder, NeRV, load_model, save_model

N_FRAMES, SIZE = 3, (8, 16)


def signal(n_frames=N_FRAMES, size=SIZE):
    """Smooth colours that move."""
    t, y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in (n_frames, *size)), indexing="ij")
    return np.stack([0.5 + 0.4 * np.sin(3 * x + t), y, (x + y) / 2], axis=-1).astype(np.float32)


def nerv(**config):
    return NeRV(**{"embed": "pe_1.25_8", "fc_dim": 6, "fc_hw": "2_4", "dec_strds": (2, 2), **config})


def make(family):
    torch.manual_seed(0)
    if family == "nerv":
        return nerv(), signal()
    if family == "hnerv":
        return HNeRVDecoder(in_channels=4, fc_dim=6, dec_strds=(2, 2), out_bias="sigmoid"), signal()
    if family == "inr":
        module = nn.Sequential(nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 3))
        return INR.from_coords(module, SIZE, N_FRAMES), signal()
    return {"ffn": FFN, "siren": SIREN}[family](hidden=16, layers=3), signal(1)


FAMILIES = ["ffn", "siren", "nerv", "hnerv", "inr"]


def quick(model, frames, **options):
    return fit(model, frames, **{"epochs": 30, "progress": False, "device": "cpu", **options})


def weights(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


# --- it learns --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_learns_and_leaves_the_model_alone(family):
    model, frames = make(family)
    module = model.module if isinstance(model, INR) else model
    before, config, flags = weights(module), copy.deepcopy(getattr(module, "config", None)), module.training
    result = quick(model, frames, epochs=150 if family == "siren" else 30)
    assert same(before, module.state_dict())
    assert (getattr(module, "config", None), module.training) == (config, flags)
    assert all(parameter.grad is None for parameter in module.parameters())
    assert result.model is not module
    assert not result.model.training

    assert isinstance(result, Fit)
    assert not result.cancelled
    assert result.best > result.psnr[0] + 3
    assert result.inr.n_frames == len(frames)
    np.testing.assert_array_equal(result.inr.truth, frames)
    measured = [media.psnr(result.inr.frame(t), frames[t]) for t in range(len(frames))]
    np.testing.assert_allclose(result.frame_psnr, measured, atol=1e-3)
    assert result.best == pytest.approx(np.mean(measured), abs=1e-3)


def test_curve_and_epochs():
    result = quick(nerv(), signal(), epochs=40, batch_size=2)
    assert result.step[0] == 0
    assert result.step[-1] == 80
    assert result.epochs == pytest.approx(40)
    assert EVALUATIONS <= len(result.psnr) <= EVALUATIONS + 2
    assert (np.diff(result.step) > 0).all()
    assert (np.diff(result.seconds) >= 0).all()
    assert result.cpu_seconds > 0
    assert quick(nerv(), signal(), epochs=None, steps=7).step[-1] == 7
    assert quick(nerv(), signal(), epochs=1, steps=7).step[-1] == 3
    assert quick(nerv(), signal(), batch_size=99).step[-1] == 30


def test_seconds_end_it():
    result = quick(nerv(), signal(), epochs=None, seconds=0.3)
    assert 0.25 < result.seconds[-1] < 10
    assert not result.cancelled
    assert quick(nerv(), signal(), epochs=1, seconds=60).step[-1] == 3


def test_takes_files_and_clips(reference):
    clip = media.read(reference / "bunny.mp4", size=SIZE, frames=(0, 2))
    assert quick(nerv(), clip, steps=1).inr.truth.shape == (2, *SIZE, 3)


def test_extent_is_stored(tmp_path):
    for model, frames in (make("nerv"), make("ffn")):
        path = save_model(quick(model, frames, steps=1).model, tmp_path / "model.safetensors")
        inr = as_inr(load_model(path))
        assert (inr.n_frames, inr.size) == (len(frames), SIZE)


def test_best_weights_are_kept():
    model, frames = make("nerv")
    good = quick(model, frames, epochs=60)
    shaken = quick(good.model, frames, lr=0.3, epochs=3)
    assert shaken.psnr[-1] < shaken.best
    assert shaken.best >= good.best - 1e-4
    measured = [media.psnr(shaken.inr.frame(t), frames[t]) for t in range(N_FRAMES)]
    assert np.mean(measured) == pytest.approx(shaken.best, abs=1e-3)


# --- it repeats -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_same_seed_same_weights(family):
    model, frames = make(family)
    torch.manual_seed(5)
    expected = torch.rand(4)
    torch.manual_seed(5)
    batch_size = 2 if len(frames) > 1 else 50
    runs = [quick(model, frames, epochs=5, batch_size=batch_size, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(4), expected), "the global random state was changed"
    first, again, other = (weights(run.model) for run in runs)
    assert same(first, again)
    assert not same(first, other)
    np.testing.assert_array_equal(runs[0].psnr, runs[1].psnr)


# --- it stops ---------------------------------------------------------------------------------------------


def stop(error):
    def callback(told):
        assert isinstance(told, Progress)
        assert 0 < told.done <= 1
        if told.step == 4:
            if error is None:
                return False
            raise error
        return None

    return callback


@pytest.mark.parametrize("error", [None, StopIteration(), KeyboardInterrupt()])
def test_cancelling_leaves_the_best_so_far(error):
    model, frames = make("nerv")
    result = quick(model, frames, steps=100, callback=stop(error))
    assert result.cancelled
    assert result.step[-1] == 4
    assert "cancelled" in repr(result)
    assert media.psnr(result.inr.frame(0), frames[0]) == pytest.approx(result.frame_psnr[0], abs=1e-3)


def test_an_error_in_a_callback_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        quick(*make("nerv"), callback=lambda told: 1 / 0)


# --- it can be looked at ----------------------------------------------------------------------------------


def test_repr_and_plot():
    result = quick(*make("ffn"), steps=2)
    assert "PSNR" in repr(result)
    assert "INR(FFN, image of 8x16" in repr(result)
    assert "<table>" in result._repr_html_()
    assert result.plot().get_ylabel() == "PSNR (dB)"
    ax = Figure().subplots()
    assert result.plot(ax) is ax


def test_progress_bar(capsys):
    quick(*make("ffn"), steps=3, progress=True)
    assert "dB" in capsys.readouterr().err
    quick(*make("ffn"), steps=3)
    assert capsys.readouterr().err == ""


# --- what can't be fitted ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "frames", "match"),
    [
        (nerv(), signal(size=(8, 8)), r"signal: frames of 8x8, but this model makes 8x16.*size=\(8, 16\)"),
        (nerv(n_frames=5), signal(), r"signal: has 3 frames.*n_frames=5.*frames=\(0, 5\)"),
        (
            HNeRVDecoder(dec_strds=(3, 2)),
            signal(),
            r"signal: frames of 8x16.*multiples of 6.*size=\(12, 18\)",
        ),
        (FFN(), signal(), "signal: has 3 frames, but FFN encodes an image"),
        (SIREN(channels=1), signal(1), "model: this SIREN has channels=1"),
        (FFN(size=(4, 4)), signal(1), r"signal: an image of 8x16, but this FFN is made for size=\(4, 4\)"),
        (
            INR.from_frames(nerv(), 4),
            signal(),
            r"signal: \(frames, height, width\) = \(3, 8, 16\), but the INR",
        ),
    ],
)
def test_signal_that_does_not_fit(model, frames, match):
    with pytest.raises(ValueError, match=match):
        quick(model, frames)


@pytest.mark.parametrize(
    ("options", "error"),
    [({"lr": 0}, ValueError), ({"lr": "x"}, TypeError), ({"epochs": -1}, ValueError),
     ({"steps": 0}, ValueError), ({"steps": 1.5}, TypeError), ({"seconds": float("nan")}, ValueError),
     ({"batch_size": 0}, ValueError),
     ({"batch_size": True}, TypeError), ({"batch_size": 1.5}, TypeError), ({"seed": "a"}, TypeError),
     ({"device": "quantum"}, ValueError)],
)  # fmt: skip
def test_bad_options(options, error):
    (name,) = options
    with pytest.raises(error, match=f"{name}="):
        quick(*make("ffn"), **options)


def test_bad_models():
    with pytest.raises(TypeError, match="model=Linear: what it is called with can't be guessed"):
        quick(nn.Linear(2, 3), signal(1))
    with pytest.raises(TypeError, match="model=str: expected a torch"):
        quick("nerv", signal())
    with pytest.raises(TypeError, match="epoch"):
        fit(nerv(), signal(), epoch=3)


def test_divergence_is_named():
    with pytest.raises(FloatingPointError, match=r"lr=1e\+30: the error became (NaN|infinite).*lower"):
        quick(*make("nerv"), lr=1e30)


def test_task_is_found_for_subclasses():
    class Mine(NeRV):
        pass

    model = Mine(embed="pe_1.25_8", fc_dim=6, fc_hw="2_4", dec_strds=(2, 2))
    assert make_task(model, media.read(signal()), torch.device("cpu")).n_items == N_FRAMES


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("family", FAMILIES)
def test_on_a_gpu(family):
    model, frames = make(family)
    result = quick(model, frames, device="auto")
    assert result.best > result.psnr[0] + 1  # in 30 steps
    assert next(result.model.parameters()).device.type == "cpu"
    assert media.psnr(result.inr.frame(0), frames[0]) == pytest.approx(result.frame_psnr[0], abs=0.1)


# --- snapshots --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_snapshots_are_the_network_on_its_way(family):
    model, frames = make(family)
    seen = {}

    def watch(progress):
        seen[progress.step] = progress.psnr

    result = quick(model, frames, snapshots=6, epochs=None, steps=60, callback=watch)
    plain = quick(model, frames, epochs=None, steps=60)
    assert same(weights(result.model), weights(plain.model))  # taking them changes nothing
    runs = result.runs
    steps = runs.steps
    assert steps[0] == 0
    assert steps[-1] == 60
    assert 4 <= len(steps) <= 6
    assert steps[1] == 1  # closest together at the start
    for step in steps:
        canvas = runs[step]
        shown = [media.psnr(canvas.frame(frame), frames[frame]) for frame in range(len(frames))]
        assert np.mean(shown) == pytest.approx(runs.facts(step)["psnr"], abs=0.05)
    assert runs.facts(60)["psnr"] > runs.facts(0)["psnr"] + 1


def test_without_snapshots_there_are_no_runs():
    with pytest.raises(ValueError, match="snapshots=20"):
        _ = quick(*make("ffn"), epochs=1).runs


def test_weights_that_are_zero_can_be_held():
    torch.manual_seed(0)
    model = FFN(hidden=6)
    with torch.no_grad():
        model.net[1].linear.weight[:, 2:4] = 0
    signal = np.random.default_rng(0).random((6, 7, 3))
    held = fit(model, signal, steps=5, hold_zeros=True, progress=False).model.net[1].linear
    assert (held.weight[:, 2:4] == 0).all()
    assert (held.weight[:, :2] != model.net[1].linear.weight[:, :2]).any()
    free = fit(model, signal, steps=5, progress=False).model.net[1].linear
    assert (free.weight[:, 2:4] != 0).any()
