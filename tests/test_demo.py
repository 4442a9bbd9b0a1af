"""The embedded demo: good enough to explain, and its motion and masks are what the pictures show."""

import socket
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation, map_coordinates, maximum_filter
from skimage.registration import optical_flow_tvl1

from canvaswidget import demo, media
from canvaswidget.demo import photographs, scene, train
from canvaswidget.inr import as_inr
from canvaswidget.models import FFN, NeRV, load_model

LOADERS = {"video": demo.video, "image": demo.image}


@lru_cache
def loaded(name):
    return LOADERS[name]()


@lru_cache
def clip():
    return demo.clip()


def grid():
    return np.stack(np.indices(clip().size), axis=-1).astype(np.float64)


# --- the networks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOADERS)
def test_every_frame_reaches_30_db(name):
    inr = loaded(name)
    assert min(media.psnr(inr.frame(t), inr.truth[t]) for t in range(inr.n_frames)) >= 30


def test_needs_no_network(monkeypatch):
    def refuse(*arguments, **keywords):
        raise AssertionError("the demo went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    scene.pictures.cache_clear()
    scene._scene.cache_clear()
    for load in LOADERS.values():
        assert load().truth is not None


def test_weights_are_small_and_say_what_they_are():
    files = {name: demo.FOLDER / f"{name}.safetensors" for name in LOADERS}
    assert sum(file.stat().st_size for file in files.values()) <= 4 << 20
    for name, kind in (("video", NeRV), ("image", FFN)):
        model = load_model(files[name])
        assert isinstance(model, kind)
        inr = as_inr(model)
        assert (inr.n_frames, inr.size) == (loaded(name).n_frames, loaded(name).size)


def test_every_photograph_is_credited():
    text = (demo.FOLDER / "README.md").read_text(encoding="utf-8")
    for _, file in photographs.FILES.values():
        assert file.rsplit("/", 1)[-1] in text


def test_missing_photograph_is_named(monkeypatch):
    for package in ("skimage", "no_such_package"):
        monkeypatch.setitem(photographs.FILES, "chelsea", (package, "data/nothing.png"))
        with pytest.raises(FileNotFoundError, match=f"nothing.png: the installed {package} does not ship it"):
            photographs.portrait()


@pytest.mark.parametrize("name", LOADERS)
def test_training_script(tmp_path, capsys, name):
    train.main([name, "--folder", str(tmp_path), "--scale", "0.0005"])
    assert "dB" in capsys.readouterr().out
    assert as_inr(load_model(tmp_path / f"{name}.safetensors")).size == loaded(name).size


# --- the clip ---------------------------------------------------------------------------------------------


def test_shapes_and_types():
    shown, (height, width), n = clip(), scene.SIZE, scene.N_FRAMES
    assert (shown.n_frames, shown.size, len(shown)) == (n, (height, width), n)
    assert shown.frames.shape == (n, height, width, 3)
    assert shown.flow.shape == (n - 1, height, width, 2)
    assert shown.masks.shape == (n, height, width)
    assert shown.hidden.shape == (n - 1, height, width)
    kinds = [array.dtype for array in (shown.frames, shown.flow, shown.masks, shown.hidden)]
    assert kinds == [np.float32, np.float32, np.uint8, bool]
    assert shown.frames.min() >= 0
    assert shown.frames.max() <= 1
    assert repr(shown) == "DemoClip('canvaswidget demo', 24 frames of 128x256, 12 fps)"


def test_made_once_and_can_not_be_spoilt():
    assert demo.clip() is demo.clip()
    with pytest.raises(ValueError, match="read-only"):
        clip().frames[0] = 0


def test_every_object_is_in_every_frame():
    for mask in clip().masks:
        areas = np.bincount(mask.ravel(), minlength=len(clip().labels)) / mask.size
        assert len(areas) == len(clip().labels) == 4
        assert (areas > 0.02).all()


def test_masks_are_where_the_dahlias_are():
    """Dahlias are orange throughout; sky and lake are not."""
    warm = clip().frames[..., 0] - clip().frames[..., 2] > 0.12
    for label in (2, 3):
        inside = clip().masks == label
        assert warm[inside].mean() > 0.9
    edge = np.stack([binary_dilation(mask == 2, iterations=3) & (mask == 0) for mask in clip().masks])
    ring = edge & ~np.stack([binary_dilation(mask == 2) for mask in clip().masks])
    assert warm[ring].mean() < 0.1


@pytest.mark.parametrize("t", [0, 5, 11, 16, 22])
def test_flow_carries_each_frame_back_to_the_one_before(t):
    shown = clip()
    there = (grid() + shown.flow[t]).transpose(2, 0, 1)
    seen = ~shown.hidden[t]
    carried = np.stack(
        [map_coordinates(shown.frames[t + 1, ..., c], there, order=3, mode="nearest") for c in range(3)]
    )
    before = shown.frames[t][seen]
    error = media.psnr(carried.transpose(1, 2, 0)[seen], before)
    assert error > 31
    assert error > media.psnr(shown.frames[t + 1][seen], before) + 5


@pytest.mark.parametrize("t", [3, 12, 20])
def test_flow_agrees_with_flow_estimated_from_the_pictures(t):
    first, second = (clip().frames[i].mean(axis=-1) for i in (t, t + 1))
    estimated = np.stack(optical_flow_tvl1(first, second), axis=-1)
    for label in (1, 2, 3):  # sky and lake have no texture to follow
        inside = (clip().masks[t] == label) & ~clip().hidden[t]
        error = np.linalg.norm(estimated - clip().flow[t], axis=-1)[inside]
        assert np.median(error) < 0.35


@pytest.mark.parametrize("t", [0, 9, 22])
def test_flow_agrees_with_following_photograph_positions(t):
    """Paint each plate with its own coordinates: a point keeps its colour, and Newton finds where it went."""
    painted = []
    for layer in scene._scene():
        y, x = np.indices(layer.plate.shape[1:]).astype(np.float32)
        plate = layer.plate.clone()
        plate[0], plate[1] = scene.torch.from_numpy(y), scene.torch.from_numpy(x)
        painted.append(scene.Layer(plate, layer.poses))
    depth = np.array([0, 0, 2, 1])[clip().masks[t]]
    for number, layer in enumerate(painted):
        own = depth == number
        position = layer.sample(grid(), t)[:2].numpy().transpose(1, 2, 0)
        there = grid()
        for _ in range(2):
            now, down, right = (
                layer.sample(there + step, t + 1)[:2].numpy().transpose(1, 2, 0)
                for step in ([0, 0], [1, 0], [0, 1])
            )
            jacobian = np.stack([down - now, right - now], axis=-1).astype(np.float64)
            jacobian[np.abs(np.linalg.det(jacobian)) < 1e-3] = np.eye(2)  # outside the photograph
            there = there + np.linalg.solve(jacobian, (position - now)[..., None])[..., 0]
        inner = own & (np.abs(there - grid() - clip().flow[t]) < 50).all(-1)
        assert inner[own].mean() > 0.99
        np.testing.assert_allclose((there - grid())[inner], clip().flow[t][inner], atol=2e-3)


def test_what_is_not_hidden_keeps_its_label():
    for t in range(scene.N_FRAMES - 1):
        there = np.rint(grid() + clip().flow[t]).astype(int)
        seen = ~clip().hidden[t] & (there >= 0).all(-1) & (there < clip().size).all(-1)
        y, x = there[seen].T
        assert (clip().masks[t + 1][y, x] == clip().masks[t][seen]).mean() > 0.97


def test_what_is_hidden_left_or_is_covered_by_something_nearer():
    near = np.array([0, 0, 2, 1])
    for t in range(scene.N_FRAMES - 1):
        there = grid() + clip().flow[t]
        inside = ((there > -0.5) & (there < np.array(clip().size) - 0.5)).all(-1)
        assert clip().hidden[t][~inside].all()
        gone = clip().hidden[t] & inside
        y, x = np.clip(np.rint(there[gone]).astype(int), 0, np.array(clip().size) - 1).T
        around = maximum_filter(near[clip().masks[t + 1]], 3)  # the nearest centre may be off it
        assert (around[y, x] > near[clip().masks[t][gone]]).all()


# --- its geometry -----------------------------------------------------------------------------------------

numbers = st.floats(-50, 50)


@settings(max_examples=50, deadline=None)
@given(
    scale=st.floats(0.1, 4),
    angle=st.floats(-4, 4),
    centre=st.tuples(numbers, numbers),
    there=st.tuples(numbers, numbers),
)
def test_poses(scale, angle, centre, there):
    affine = scene.pose(scale, angle, centre, there)
    np.testing.assert_allclose(scene.transform(affine, np.array(centre)), there, atol=1e-9)
    points = np.array([[0.0, 0.0], [3.0, 4.0]])
    moved = scene.transform(affine, points)
    assert np.linalg.norm(moved[1] - moved[0]) == pytest.approx(5 * scale)
    np.testing.assert_allclose(scene.transform(scene.inverse(affine), moved), points, atol=1e-9)


def test_polygon():
    square = scene.inside(((1, 2), (1, 5), (4, 5), (4, 2)), (6, 7))
    expected = np.zeros((6, 7))
    expected[1:4, 2:5] = 1
    np.testing.assert_array_equal(square, expected)


def test_the_training_ends_as_the_image() -> None:
    runs = demo.training()
    assert runs.steps is not None
    assert runs.steps[0] == 0
    last = runs[runs.steps[-1]]
    truth = demo.image().truth[0]
    assert media.psnr(last.frame(), truth) == pytest.approx(runs.facts(runs.steps[-1])["psnr"], abs=0.05)
    assert runs.facts(runs.steps[-1])["psnr"] > 40
    assert runs.facts(0)["psnr"] < 10
    folder = demo.FOLDER / "training"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2_000_000
