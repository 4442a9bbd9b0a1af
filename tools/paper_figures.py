"""The figures of XINC, drawn by the package, and their numbers: what `tools/paper.py` puts into `docs/paper.md`.

Each function makes a figure and its numbers of one network of `tools/paper_networks.py`; `FIGURES` says what the paper
has in its place. The paper's own are known by the plotting scripts that were released with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from matplotlib.figure import Figure

import canvaswidget as cw
from canvaswidget.analysis.intensity import rank_correlation
from canvaswidget.plotting.style import colour_bar, heading, new_panels, new_pictures, pixels, style
from tools.paper_networks import (
    BUNNY,
    CLIPS,
    FRAMES,
    IMAGE,
    MODELS,
    NERV,
    PUBLISHED,
    SIZE,
    SMALL,
    VIDEO,
    canvas,
    frame_of,
    layers_of,
    spread,
    trained,
)

a = cw.analysis

HOW = ("as defined", "as released")

Row = tuple[str, ...]


@dataclass(frozen=True)
class Made:
    """Rows of the table, without the network's name, and the figure."""

    rows: list[Row]
    figure: Figure


@dataclass(frozen=True)
class PaperFigure:
    """A figure of the paper, and how it is made here.

    Attributes
    ----------
    name : str
        Of its block on the page and of its pictures.
    script : str
        The file of the released code that draws the paper's figure.
    shows, reports : str
        What is drawn there, and what the paper's abstract or its project page says about it.
    caption : str
        Of our pictures.
    columns : tuple of str
        Of the table, after the network.
    make : function of a network's name
    networks : tuple of str
    shown : tuple of str
        The networks whose pictures stand on the page.
    """

    name: str
    script: str
    shows: str
    reports: str
    caption: str
    columns: tuple[str, ...]
    make: Callable[[str], Made]
    networks: tuple[str, ...]
    shown: tuple[str, ...]


# --- the figures ----------------------------------------------------------------------------------------------


def page_of(axes: Sequence[Any]) -> Figure:
    return cast(Figure, axes[0].figure)


def intensity(name: str) -> Made:
    """Where a layer contributes, above; less the brightness, below."""
    layers = layers_of(name)
    found = [a.intensity(canvas(name), layer, frame_of(name), accuracy=None) for layer in layers]
    axes = new_pictures(2 * len(layers), canvas(name).inr.size, len(layers), 3.3 * len(layers))
    for one, above, below in zip(found, axes, axes[len(layers) :], strict=False):
        with style():
            shown = above.imshow(one.contribution, cmap="viridis", interpolation="nearest")
            heading(above, f"|contribution| of {one.layer.name}")
            pixels(above)
            colour_bar(above, shown, "scaled to 0..1")
        one.plot(below)
    rows = []
    for layer, one in zip(layers, found, strict=True):
        bright, edges = one.with_brightness, one.with_edges
        both = rank_correlation(one.brightness, one.edges)
        held = (edges - bright * both) / math.sqrt((1 - bright**2) * (1 - both**2))
        rows.append((layer, *signed(bright, edges, both, held)))
    return Made(rows, page_of(axes))


def pixels_per_neuron(name: str) -> Made:
    """Of how many pixels each neuron has more than an even share."""
    found = [spread(name, layer) for layer in layers_of(name)]
    axes = new_panels(1)
    for one in found:
        one.plot(axes[0])
    heading(axes[0], name)
    rows = []
    for layer, one in zip(layers_of(name), found, strict=True):
        shares = one.pixels_per_neuron / one.pixel_abs.size
        dead = (one.neuron_abs == 0).mean()
        rows.append((layer, f"{one.n_neurons}", *percents(np.median(shares), shares.max(), dead)))
    return Made(rows, page_of(axes))


def neurons_per_pixel(name: str) -> Made:
    """How many neurons make nine tenths of a layer's total, above, and half of it, below."""
    layers, rows = layers_of(name), []
    axes = new_pictures(2 * len(layers), canvas(name).inr.size, len(layers), 3.3 * len(layers))
    for place, layer in enumerate(layers):
        own, released = spread(name, layer), spread(name, layer, as_released=True)
        for row, level in enumerate(own.levels):
            own.plot_pixels(axes[row * len(layers) + place], level)
        means = (one.share_of_neurons.mean((1, 2)) for one in (own, released))
        (nine_tenths, half), (released_nine, released_half) = means
        rows.append((layer, *percents(nine_tenths, half, released_nine, released_half)))
    return Made(rows, page_of(axes))


def regions(name: str) -> Made:
    """How unevenly neurons contribute to regions: as defined, above; as released, below."""
    layers, rows = layers_of(name), []
    masks = cw.demo.clip().masks if name == VIDEO else None
    axes = new_panels(2 * len(layers), len(layers), 2.4, 3.3 * len(layers))
    for place, layer in enumerate(layers):
        for row, as_released in enumerate((False, True)):
            found = a.regions(
                canvas(name),
                layer,
                frame_of(name),
                masks=masks,
                as_released=as_released,
                accuracy=None,
            )
            ax = found.plot(axes[row * len(layers) + place])
            heading(ax, layer, HOW[as_released], f"n = {len(next(iter(found.variances.values())).ravel()):,}")
            medians = [f"{np.nanmedian(values):.2g}" for values in found.variances.values()]
            rows.append((layer, HOW[as_released], *medians, *[""] * (4 - len(medians))))
    return Made(rows, page_of(axes))


def objects(name: str) -> Made:
    """How much of each neuron's contributions is in each object, from frame to frame."""
    clip, rows = cw.demo.clip(), []
    axes = new_panels(len(NERV))
    for ax, layer in zip(axes, NERV, strict=True):
        for as_released in (False, True):
            found = a.objects_over_time(
                canvas(name),
                layer,
                clip.masks,
                range(0, 24, 3),
                clip.labels[1:],
                as_released=as_released,
                accuracy=None,
            )
            if not as_released:
                found.plot(ax)
            rows.append((layer, HOW[as_released], *percents(*found.quartiles[1].mean(0))))
    return Made(rows, page_of(axes))


def motion(name: str) -> Made:
    """Where contributions change from a frame to the next, beside the speed of the picture."""
    flow = cw.demo.clip().flow if name == VIDEO else None
    axes, rows, source = new_pictures(len(NERV) + 1, canvas(name).inr.size, 3, 9.9), [], ""
    for ax, layer in zip(axes, NERV, strict=False):
        moved = a.motion(canvas(name), layer, FRAMES, flow, accuracy=None)
        source, flow = source or moved.source, moved.flow
        when = f"frame {FRAMES[0]} to {FRAMES[1]}"
        picture(ax, moved.change[0], f"change of {layer}", when, "sum of |change|")
        picture(axes[-1], moved.speed[0], "optical flow", source, "speed (pixels a frame)")
        numbers = signed(moved.whole_frame.mean(), moved.mean, moved.mean_by_chance[1])
        rows.append((layer, *numbers, f"{moved.mean_p:.3f}"))
    return Made(rows, page_of(axes))


def clusters(name: str) -> Made:
    """Neurons in six groups by where they write; maps of four neurons of each."""
    rows, found = [], None
    for layer in layers_of(name):
        look = a.vectors(canvas(name), layer, "gabor", frame_of(name), accuracy=None)
        scores = a.stability(look, k=6, seeds=range(5)).pairs
        rows.append((layer, f"{int(look.alive.sum())}", f"{scores.mean():.2f}", f"{scores.min():.2f}"))
        found = a.group([look], 6)[0]
    assert found is not None
    return Made(rows, page_of([a.exemplars(canvas(name), found, 4).plot()]))


def alike(name: str) -> Made:
    """All neurons of a network in one plane, by where they write."""
    rows, plane = [], None
    for as_released in (True, False):
        looks = {
            layer: a.vectors(
                canvas(name), layer, "gabor", frame_of(name), as_released=as_released, accuracy=None
            )
            for layer in layers_of(name)
        }
        plane = a.embed(looks, "pca" if as_released else "tsne")
        rows.append((HOW[as_released], *of_plane(plane)))
    assert plane is not None
    return Made(rows[::-1], page_of([plane.plot()]))


def seeds(name: str) -> Made:
    """The neurons of three seeds of two networks in one plane."""
    canvases = trained()
    regions = a.partitions.gabor(cw.media.resize(cw.demo.clip().frames[0], SIZE))
    axes, rows = new_panels(2, height=3.3), []
    for ax, layer, words in zip(axes, (-2, -1), ("layer before the last", "last layer"), strict=True):
        looks = {key: a.vectors(one, layer, "gabor", masks=regions) for key, one in canvases.items()}
        for what, keys in (
            ("seeds of the FFN", [key for key in looks if key.startswith("FFN")]),
            ("seeds of the NeRV", [key for key in looks if key.startswith("NeRV")]),
            ("an FFN and a NeRV", ["FFN, seed 0", "NeRV, seed 0"]),
        ):
            plane = a.embed({key: looks[key] for key in keys}, "pca")
            rows.append((words, what, *of_plane(plane)))
        a.embed(looks, "tsne").plot(ax)
    return Made(rows, page_of(axes))


def of_plane(plane: cw.analysis.Embedding) -> list[str]:
    return [f"{len(plane.run)}", *percents(plane.same_run, plane.same_run_by_chance)]


def picture(ax: Any, values: Any, first: str, second: str, label: str) -> None:
    with style():
        shown = ax.imshow(values, cmap="viridis", vmin=0, interpolation="nearest")
        heading(ax, first, second)
        pixels(ax)
        colour_bar(ax, shown, label)


def percents(*shares: Any) -> list[str]:
    return [f"{100 * float(share):.1f} %" for share in shares]


def signed(*values: Any) -> list[str]:
    return [f"{float(value):+.2f}" for value in values]


DISTRIBUTED = 'representations are "highly distributed" (abstract).'
BIASED = '"significant bias for color and edges" (abstract).'
AGNOSTIC = '"almost entirely space-agnostic" (abstract).'
SEMANTICS = "high-level semantics of objects are lacking (abstract)."
MOTION = '"the dominance of motion in object representation" (project page).'
SIMILAR = "clustering shows similar neurons across layers and architectures (abstract)."

FIGURES = (
    PaperFigure(
        "intensity",
        "plot_figures/A-plotting.py",
        "of a frame of two videos the sum of all absolute contributions of the FFN's layers 3, 2 and 1 and of the "
        "NeRV's head and block 3, and each less the brightness of the frame.",
        BIASED,
        "contributions of each layer, and less the brightness",
        ("layer", "with brightness", "with edges", "brightness with edges", "with edges, brightness held"),
        intensity,
        (*MODELS, *CLIPS),
        (BUNNY, IMAGE),
    ),
    PaperFigure(
        "pixels_per_neuron",
        "plot_figures/B-plotting.ipynb",
        "the number of pixels to which each neuron gives more than an even share, sorted.",
        DISTRIBUTED,
        "pixels of each neuron, sorted",
        ("layer", "neurons", "pixels of the median neuron", "of the neuron with the most", "dead neurons"),
        pixels_per_neuron,
        MODELS,
        (PUBLISHED, BUNNY),
    ),
    PaperFigure(
        "neurons_per_pixel",
        "plot_figures/B-plotting.py",
        "the share of a layer's neurons that contribute to each pixel, at thresholds of 10 % and 50 %.",
        DISTRIBUTED,
        "neurons of each pixel that make nine tenths, and half, of the layer's total",
        ("layer", "nine tenths", "half", "nine tenths, as released", "half, as released"),
        neurons_per_pixel,
        MODELS,
        (BUNNY,),
    ),
    PaperFigure(
        "regions",
        "plot_figures/C.2-Plotting.ipynb",
        "for each layer the variances over instances, colours, Gabor clusters and cells, as box plots over neurons.",
        AGNOSTIC,
        "variance over regions of each neuron, above as defined, below as released",
        ("layer", "computed", "cells", "colours", "edges", "objects"),
        regions,
        (*MODELS, *CLIPS),
        (PUBLISHED, BUNNY),
    ),
    PaperFigure(
        "objects",
        "plot_figures/C-plotting.ipynb",
        "what some neurons of the FFN, and over time two kernels of the NeRV's head and two of its block 3, contribute "
        "to each instance.",
        SEMANTICS,
        "shares of objects from frame to frame",
        ("layer", "computed", "pavilion", "large dahlia", "small dahlia", "the last region"),
        objects,
        (VIDEO,),
        (VIDEO,),
    ),
    PaperFigure(
        "motion",
        "plot_figures/C-plotting.ipynb",
        "where the contributions of the head and of block 3 change between two frames, beside the optical flow.",
        MOTION,
        "change of contributions beside the speed of the picture",
        ("layer", "whole frame", "without position", "95 % by chance", "p"),
        motion,
        (BUNNY, VIDEO, *CLIPS),
        (BUNNY,),
    ),
    PaperFigure(
        "clusters",
        "plot_figures/supplementary/plot_umap_with_samples.py",
        "of five videos each layer's neurons by their Gabor vectors in a plane (UMAP), in six clusters, with maps of "
        "four neurons of four of them.",
        SIMILAR,
        "maps of four neurons of each of six clusters",
        ("layer", "neurons", "adjusted Rand index", "least"),
        clusters,
        MODELS,
        (BUNNY,),
    ),
    PaperFigure(
        "alike",
        "cluster_utils/sample_neuron_clustering.py",
        "the neurons of each layer of an FFN and of a NeRV, a plane for each layer.",
        SIMILAR,
        "neurons of all layers of a network in one plane (t-SNE)",
        ("computed", "neurons", "nearest in the same layer", "by chance"),
        alike,
        MODELS,
        (PUBLISHED, BUNNY),
    ),
    PaperFigure(
        "seeds",
        "plot_figures/supplementary/plot_umaps_for_seeds.py",
        "of five videos and each layer the neurons of five seeds in one plane (UMAP), in the colours of their seeds.",
        "nothing of seeds in its abstract.",
        "neurons of three seeds of two small networks in one plane (t-SNE)",
        ("layer", "networks", "neurons", "nearest in the same network", "by chance"),
        seeds,
        (SMALL,),
        (SMALL,),
    ),
)
