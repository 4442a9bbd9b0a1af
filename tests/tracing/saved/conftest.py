"""Saved canvases: one with every map, one of a part, and a copy to be spoiled."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import canvaswidget as cw
from tests.canvases import video


@pytest.fixture(scope="package")
def canvas() -> cw.Canvas:
    return cw.trace(video(), device="cpu")


@pytest.fixture(scope="package")
def mask() -> np.ndarray:
    found = np.zeros((16, 32), bool)
    found[2:9, 4:20] = True
    return found


@pytest.fixture(scope="package")
def whole_file(canvas: cw.Canvas, mask: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "whole.zarr"
    clusters = [cw.analysis.cluster(canvas, 1, 3, frame=2)]
    canvas.save(path, maps="all", regions={"box": mask}, clusters=clusters, progress=False)
    return path


@pytest.fixture(scope="package")
def part_file(canvas: cw.Canvas, mask: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("part") / "part.zarr"
    clusters = [cw.analysis.cluster(canvas, 2, 3, frame=2)]
    canvas.save(
        path,
        frames=[2, -1],
        maps=3,
        pixels=[(4, 5)],
        regions={"box": mask},
        clusters=clusters,
        progress=False,
    )
    return path


@pytest.fixture
def file(part_file: Path, tmp_path: Path) -> Path:
    """A copy to be spoiled."""
    return Path(shutil.copytree(part_file, tmp_path / "x.zarr"))
