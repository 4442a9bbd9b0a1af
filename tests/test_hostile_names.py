"""Names come from models and files of other people: none becomes code, a formula, a path or nothing at all."""

from __future__ import annotations

import ast
import csv
import io
import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import canvaswidget as cw
from canvaswidget.exports import data_files
from canvaswidget.reporting.figures import file_name

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unbuilt")]

NAMES = [
    "evil\nimport os; os._exit(3)",
    "evil\r\nx = 1",
    "evil\u2028x = 1",
    "cost $x^{ of $5",
    "=HYPERLINK(1)",
    "<script>alert(1)</script>",
    "../../up",
    "a/b",
    '"""',
    "\\",
    "_hidden",
]


def named(name: str, layer: str = "first") -> cw.INR:
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add_module(layer, nn.Linear(2, 5))
            self.last = nn.Linear(5, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.relu(self.get_submodule(layer)(x)))

    return cw.INR.from_coords(Net(), (6, 7), name=name)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_is_the_calls_and_nothing_else(name: str, tmp_path: Path) -> None:
    w = cw.CanvasWidget(named(name))
    tree = ast.parse(w.recipe())
    assert [type(line).__name__ for line in tree.body] == ["Import", "Assign", "Expr"]
    w.close()


def test_random_names_become_neither_code_nor_paths() -> None:
    chance, w, files = random.Random(0), cw.CanvasWidget(named("net")), {}
    letters = "ab=+-@#$'\"\\{}<>./ \t\r\n\0\x0b\x0c\x1c\x85\u2028\u2029;()é"
    for _ in range(150):
        name = "".join(chance.choices(letters, k=chance.randint(1, 12)))
        w.canvas.inr.name = name
        tree = ast.parse(w.recipe())
        assert [type(line).__name__ for line in tree.body] == ["Import", "Assign", "Expr"], name
        assert not {"/", "\\", " ", "\0", "\n", "\r"} & set(file_name(name))
        assert files.setdefault(file_name(name), name) == name
        formula = name.startswith(tuple("=+-@\t\r\n"))
        assert data_files._cell(name) == (f"'{name}" if formula else name)
    w.close()


@pytest.mark.parametrize("name", NAMES[:6])
def test_views_files_and_pages_bear_any_name(name: str, tmp_path: Path) -> None:
    layer = name.replace(".", "") if name.isprintable() else "first"
    w = cw.CanvasWidget(named(name, layer), layer=layer, pixel=(2, 3))
    w.save(tmp_path / "view.png", dpi=40)
    w.save(tmp_path / "view.svg")
    w.save(tmp_path / "view.html", progress=False)
    assert "<script>alert" not in (tmp_path / "view.html").read_text(encoding="utf-8")
    w.save_data(tmp_path / "pixel.csv", table="pixel")
    rows = list(csv.reader(io.StringIO((tmp_path / "pixel.csv").read_text(encoding="utf-8"))))
    assert len(rows) == 1 + 2 + 5
    for row in rows[1:]:
        assert row[0].lstrip("'") in (layer, "last")
        assert row[0][:1] not in ("=", "+", "-", "@", "\t", "\r", "\n")
        float(row[2])
    w.close()


def test_a_dollar_is_a_dollar_and_powers_of_ten_are_powers(tmp_path: Path) -> None:
    from matplotlib.text import Text

    canvas = cw.trace(named("a $x$ b", "a$x$b"), rule="gated")
    ax = cw.analysis.distribution(canvas, 0).plot()
    ax.set_yscale("log")
    ax.figure.savefig(tmp_path / "x.svg")
    texts = [text for text in ax.figure.findobj(Text) if text.get_text()]
    assert not any(text.get_parse_math() for text in texts if "x$b" in text.get_text())
    assert all(text.get_parse_math() for text in ax.get_yticklabels() if "$" in text.get_text())


def test_a_name_with_an_underscore_is_in_the_legend() -> None:
    canvas = cw.trace(named("net", "_body"), rule="gated")
    ax = cw.analysis.distribution(canvas, 0).plot()
    assert "_body" in ax.get_legend().get_texts()[0].get_text()


def test_names_of_files_are_unique() -> None:
    names = [
        "a/b",
        "a_b",
        "a b",
        "a.b",
        "net.0",
        "4#2",
        "4_2",
        "x" * 300,
        "x" * 299 + "y",
        "..",
        "a\\b",
        "CON",
    ]
    files = [file_name(name) for name in names]
    assert len({file.lower() for file in files}) == len(names)
    assert file_name("net.0") == "net.0"
    assert all(len(file) < 120 and not {"/", "\\", " ", "\0"} & set(file) for file in files)


def test_layers_of_alike_names_have_files_of_their_own(tmp_path: Path, undrawn: None) -> None:
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, widths in (("a/b", (2, 4)), ("a_b", (4, 5)), ("a b", (5, 3))):
                self.add_module(name, nn.Linear(*widths))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for name in ("a/b", "a_b"):
                x = torch.relu(self.get_submodule(name)(x))
            return self.get_submodule("a b")(x)

    canvas = cw.trace(cw.INR.from_coords(Net(), (8, 9)), rule="gated")
    report = cw.report(canvas, tmp_path / "out", progress=False, clusters=2)
    assert len({path.name for path in report.arrays}) == len(report.arrays) == 7
    shapes = []
    for path in report.arrays[:3]:
        with np.load(path) as arrays:
            shapes.append(arrays["distribution/pixels_per_neuron"].shape)
    assert shapes == [(2,), (4,), (5,)]
    assert len({path.name for path in report.figures}) == len(report.figures)


def test_a_report_that_fails_leaves_the_earlier_one_whole_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, undrawn: None
) -> None:
    canvas = cw.trace(named("net"), rule="gated")
    found = cw.report(canvas, tmp_path, layers=-1, progress=False, clusters=2)
    assert sorted(os.listdir(tmp_path)) == [found.figures[0].parent.parent.name, "index.html"]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    replaced = []

    def stop(*arguments: object) -> None:
        replaced.append(arguments)
        raise KeyboardInterrupt

    module = sys.modules["canvaswidget.reporting.report"]
    for owner, name in ((module, "write_page"), (os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, stop)
            with pytest.raises(KeyboardInterrupt):
                cw.report(canvas, tmp_path, layers=-1, progress=False, clusters=2)
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert len(replaced) == 2
