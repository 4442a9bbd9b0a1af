"""A view with everything on it, to be drawn."""

from __future__ import annotations

import numpy as np

from canvaswidget.plotting.view import Bar, Points, ShareCurve, Spectra, Spectrum, View


def view(**changes) -> View:
    rng = np.random.default_rng(0)
    content = {
        "title": "NeRV, frame 1 of 4",
        "image": rng.random((16, 32, 3)),
        "overlay": rng.normal(size=(16, 32)) / 100,
        "overlay_name": "decoder.3, kernel 3 → 17",
        "pixel": (3, 5),
        "bars": [Bar("decoder.3", f"{i} → 2", (-1) ** i / (i + 1), 0.1, i == 1) for i in range(12)],
        "region_bars": [Bar("decoder.2", f"{i} → 3", (0.5 - i) / 9, 0.2) for i in range(6)],
        "thumbnails": [(f"decoder.3  {i} → 2", rng.normal(size=(16, 32))) for i in range(6)],
        "neurons": [(f"{i} → 7", rng.normal(size=(16, 32))) for i in range(8)],
        "neurons_name": "decoder.2: 8 of 1,360 neurons, largest totals",
        "shares": [
            ShareCurve("decoder.2", [1, 10, 100], [0.1, 0.5, 1.0]),
            ShareCurve("decoder.3", [1, 5, 40], [0.2, 0.7, 1.0], True),
        ],
        "points": Points(rng.random((60, 2)), np.arange(60) % 3 - 1, ["sky", "cluster 1"], [4], "60 neurons"),
        "spectra": Spectra(
            np.linspace(0.05, 0.45, 9),
            [
                Spectrum("truth", 10.0 ** -np.arange(9), 0.06),
                Spectrum("reconstruction", 9.0 ** -np.arange(9), 0.07),
                Spectrum(
                    "decoder.3, kernel 3 → 17", np.r_[np.nan, 5.0 ** -np.arange(2, 10)], 0.21, selected=True
                ),
            ],
        ),
        "frames": [0, 1, 2, 3],
        "totals": [1.0, 5.0, 2.0, 3.0],
        "changes": [None, 4.5, 3.5, 1.5],
        "time": 1,
    }
    return View(**{**content, **changes})
