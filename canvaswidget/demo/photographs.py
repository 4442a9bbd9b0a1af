"""Photographs that dependencies of this package ship; README.md says whose they are."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from canvaswidget import media

FILES = {
    "chelsea": ("skimage", "data/chelsea.png"),
    "china": ("sklearn", "datasets/images/china.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
}


def photograph(name: str) -> npt.NDArray[np.float32]:
    """Read a photograph, ``(height, width, 3)``, without importing the package that ships it."""
    package, file = FILES[name]
    spec = find_spec(package)
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    path = next((Path(folder, file) for folder in folders if Path(folder, file).is_file()), None)
    if path is None:
        raise FileNotFoundError(
            f"{file}: the installed {package} does not ship it, and the demo is made of it"
        )
    return media.read_image(path)


def portrait() -> media.Clip:
    """Make the demo's image: Chelsea the cat, 128x192."""
    return media.Clip(media.resize(photograph("chelsea")[:, :450], (128, 192))[None], "Chelsea the cat")
