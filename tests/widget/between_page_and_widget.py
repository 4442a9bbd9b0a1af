"""What a page asks, what is sent to it and displayed, and values that neither it nor Python may set."""

from __future__ import annotations

from typing import Any

from canvaswidget.exports import fallback_image
from canvaswidget.widget import live_view
from canvaswidget.widget.widget import CanvasWidget


def sent(w: CanvasWidget) -> list[dict[str, Any]]:
    """From now on, every message to the page."""
    found: list[dict[str, Any]] = []
    w._send = lambda msg, buffers=None: found.append(msg)  # type: ignore[method-assign]
    return found


def without_numbers(state: dict[str, Any]) -> dict[str, Any]:
    """A state without the numbers of changes."""
    return {name: value for name, value in state.items() if name != "_changes"}


def request(key: int, **body: Any) -> dict[str, Any]:
    stated = body if body["kind"] == "palettes" else {"run": None, **body}
    return {"type": "request", "id": key, "view": "v", "body": stated}


def displayed(w: CanvasWidget, monkeypatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def show(data: dict[str, Any], **keywords: Any) -> None:
        assert keywords["raw"]
        found.append({**data, "id": keywords.get("display_id")})

    for module in (live_view, fallback_image):
        monkeypatch.setattr(module, "display", show)
    monkeypatch.setattr(fallback_image, "update_display", show)
    w._ipython_display_()
    return found


WRONG = [
    ("layer", "nix", KeyError, "no such layer"),
    ("layer", 7, IndexError, "layer=7: out of range"),
    ("layer", None, TypeError, "layer=None"),
    ("time", 6, IndexError, "time=6: out of range, expected -6 to 5"),
    ("time", 1.5, TypeError, "time=1.5: expected an int"),
    ("neuron", 3, ValueError, r"neuron=3: layer 'decoder.*' takes a kernel \(i, o\)"),
    ("neuron", (0, 10**6), IndexError, r"neuron\[1\]=1000000: out of range"),
    ("neuron", "a", ValueError, "neuron='a'"),
    ("pixel", (16, 0), IndexError, r"pixel\[0\]=16: out of range, expected -16 to 15"),
    ("pixel", 5, ValueError, r"pixel=5: expected \(y, x\)"),
    ("cluster", 6, ValueError, "cluster=6: expected -1 to 5"),
    ("n_clusters", 1, ValueError, "n_clusters=1: expected 2 to 12"),
    ("loop", (3, 3), ValueError, "expected the first frame to be before the last"),
    ("loop", 4, ValueError, r"loop=4: expected \(first, last\), frames from 0 to 5"),
    ("loop", (0, 6), IndexError, r"loop\[1\]=6: out of range"),
    ("cluster_names", ["sky"], TypeError, "expected {'layer/n_clusters'"),
    ("cluster_names", {"a/6": ["x" * 41]}, ValueError, "names of at most 40 characters"),
    ("source", "video", ValueError, "source='video': expected one of 'reconstruction'"),
    ("bits", 0, ValueError, "bits=0: expected 1 to 16"),
    ("bits", 4.5, TypeError, "bits=4.5: expected an int from 1 to 16"),
    ("scheme", "per-layer", ValueError, "scheme='per-layer': expected one of 'per-tensor'"),
    ("palette", "jet", ValueError, "palette='jet': expected one of 'viridis'"),
    ("maps", 1, ValueError, "maps=1"),
    ("overlay", "edges", ValueError, "overlay='edges': expected one of 'selection'"),
    ("sort", "size", ValueError, "sort='size'"),
    ("band", 0.1, TypeError, r"band=0.1: expected \(low, high\) in cycles a pixel"),
    ("band", (0.2, 0.1), ValueError, "expected 0 <= low < high <= 0.708"),
    ("band", (0.1, float("nan")), ValueError, "expected 0 <= low < high"),
    ("colour_by", "total", ValueError, "colour_by='total': expected one of 'cluster', 'frequency'"),
    ("panel", "map", ValueError, "panel='map': expected one of 'pixel', 'region', 'spectrum'"),
    ("opacity", -0.1, ValueError, "opacity=-0.1: expected 0 to 1"),
    ("contrast", float("nan"), ValueError, "contrast=nan"),
    ("limit", 0, ValueError, "limit=0: expected a number above 0, or None"),
    ("limit", float("inf"), ValueError, "limit=inf"),
    ("limit", "1", TypeError, "limit='1': expected a number above 0"),
    ("contours", 1, TypeError, "contours=1: expected True or False"),
    ("fps", "8", TypeError, "fps='8': expected a number"),
    ("rule", "xink", ValueError, "rule='xink'"),
]
