"""`Canvas` and `SavedCanvas` answer the same calls."""

import inspect

import pytest

import canvaswidget as cw
from canvaswidget.tracing import Canvas, CanvasLike, SavedCanvas

METHODS = [name for name, _ in inspect.getmembers(CanvasLike, inspect.isfunction) if not name.startswith("_")]
OF_ALL = {"save"}  # a saved canvas takes any keywords there, and refuses


def called_with(kind, name):
    parameters = inspect.signature(getattr(kind, name)).parameters.values()
    return {one.name: (one.kind, one.default) for one in parameters if one.name != "as_torch"}


@pytest.mark.parametrize("name", METHODS)
def test_both_kinds_take_the_same_arguments(name):
    expected = called_with(CanvasLike, name)
    assert called_with(Canvas, name) == expected
    assert name in OF_ALL or called_with(SavedCanvas, name) == expected


def test_a_saved_canvas_says_what_takes_the_model(tmp_path):
    canvas = cw.trace(cw.demo.image(), "xinc", progress=False)
    canvas.save(tmp_path / "x.zarr", layers=[-1], maps=1, progress=False)
    saved = cw.open(tmp_path / "x.zarr")
    assert isinstance(canvas, CanvasLike)
    assert isinstance(saved, CanvasLike)
    assert (canvas.has_model, canvas.path, list(canvas.frames)) == (True, None, [0])
    assert (saved.has_model, saved.path, list(saved.frames)) == (False, tmp_path / "x.zarr", [0])
    assert len(canvas.kept(-1)) == canvas.layers[-1].n_units
    for ask in (
        lambda: saved.ablation(),
        lambda: saved.check(),
        lambda: saved.coverage(),
        lambda: saved.estimate(),
        lambda: saved.remainder(-1),
        lambda: saved.save(tmp_path / "y.zarr", overwrite=True),
        lambda: saved.sums(),
        lambda: saved.ablate({-1: [0]}),
    ):
        with pytest.raises(cw.NotKeptError, match=r"this saved canvas \(x.zarr\) .*; trace the model"):
            ask()
