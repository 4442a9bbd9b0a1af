"""Neurons as points of a plane, near each other where their maps look alike."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float32]

MOST = 3000  # points that t-SNE arranges itself; the others are placed among their nearest of those
NEIGHBOURS = 3
MARGIN = 0.03


def methods() -> list[str]:
    """What can be asked for here: UMAP needs the package `umap-learn`."""
    return ["pca", "tsne", *(["umap"] if importlib.util.find_spec("umap") else [])]


def embed(points: Points, method: str, seed: int = 0) -> Points:
    """``(n, 2)`` in [0, 1], from ``(n, features)``; the same seed gives the same picture."""
    if len(points) < 4:
        return np.stack([np.linspace(0, 1, len(points) + 2)[1:-1], np.full(len(points), 0.5)], 1).astype(
            np.float32
        )
    function = {"pca": _pca, "tsne": _tsne, "umap": _umap}[method]
    return _fitted(np.asarray(function(points, seed), np.float32))


def _pca(points: Points, seed: int) -> Points:
    centred = points - points.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, np.argsort(-values)[:2]]
    axes = axes * np.sign(
        axes[np.abs(axes).argmax(0), [0, 1][: axes.shape[1]]]
    )  # or the sign would be chance
    found = centred @ axes
    return found if found.shape[1] == 2 else np.pad(found, ((0, 0), (0, 1)))


def _tsne(points: Points, seed: int) -> Points:
    from sklearn.manifold import TSNE
    from sklearn.neighbors import NearestNeighbors

    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:MOST])
    sample = points[chosen]
    start: Any = _pca(sample, seed)
    start = start / max(float(start[:, 0].std()), 1e-12) * 1e-4  # as small as t-SNE wants it
    perplexity = min(30.0, (len(sample) - 1) / 3)
    placed = TSNE(2, perplexity=perplexity, init=start, random_state=seed).fit_transform(sample)
    if len(sample) == len(points):
        return placed
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(sample)
    distances, indices = near.kneighbors(points)
    weights = 1 / np.maximum(distances, 1e-9)
    found = (placed[indices] * (weights / weights.sum(1, keepdims=True))[..., None]).sum(1)
    found[chosen] = placed
    return found


def _umap(points: Points, seed: int) -> Points:
    umap: Any = importlib.import_module("umap")
    return umap.UMAP(n_neighbors=min(15, len(points) - 1), random_state=seed).fit_transform(points)


def _fitted(found: Points) -> Points:
    """Into the unit square, in proportion, with a margin."""
    low, high = found.min(0), found.max(0)
    span = max(float((high - low).max()), 1e-12)
    return (0.5 + (found - (low + high) / 2) / span * (1 - 2 * MARGIN)).astype(np.float32)
