"""What several messages share: the words of a view, the shape of a selection, what the page knows of a canvas."""

from __future__ import annotations

from typing import Literal, TypedDict

Source = Literal["reconstruction", "truth", "error", "off", "ablated", "difference", "quantisation"]
Scheme = Literal["per-tensor", "per-channel"]  # which weights share a grid of values
Sort = Literal["pixel", "region", "total", "change", "frequency", "difference", "index"]
Maps = Literal["magnitude", "signed"]
Overlay = Literal["selection", "neurons", "intensity", "change", "gradient", "laplacian", "picture"]
Channel = Literal["sum", "red", "green", "blue", "abs"]  # of the output: what a contribution is to
Embedding = Literal["pca", "tsne", "umap"]
# Beside each other, under a divider, or the difference of the pictures or of the maps.
Comparison = Literal["side", "wipe", "picture", "map"]
ColourBy = Literal["cluster", "frequency"]  # what the colours of neurons stand for
PanelTab = Literal["pixel", "region", "spectrum"]  # what is shown in the place beside the frame
RunKey = int | str | None  # which network of several; None where there is one


class LayerInfo(TypedDict):
    """A layer the rule can trace; `neurons` is `[n]` for units and `[n_in, n_out / n_groups]` for kernels.

    A kernel `(i, o)` exists where `i` and `o` are of one of the `n_groups` groups, each of which is a run of units and
    a run of outputs.
    `why_no_colours` says why only the sum of the colours is known of its maps; empty where each is. `each_colour` is
    whether totals add the magnitudes of each colour: a page keeps such totals, but no map of a single colour.
    """

    name: str
    op: str
    neurons: list[int]
    n_groups: int
    grid: list[int]
    why_no_colours: str
    each_colour: bool


class Quantisable(TypedDict):
    """Whether the weights can be quantised.

    `why_not` is empty where they can; `left_out` says of a layer why its weights stay as they are.
    """

    why_not: str
    left_out: dict[str, str]


class CanvasInfo(TypedDict):
    """What the page must know of the canvas before it asks anything (trait `_canvas`).

    `run` and `rule` are those that the layers are of; `notice` says what of the view could not stay when they were
    chosen. `rules` are those that are defined on the model, `why` says how the first one was chosen, `ranked_by` is the
    rule that orders neurons where this one would take too long. Of a run that another is compared with, `counterparts`
    has the layer of this one that stands for each of the other.
    """

    title: str
    run: RunKey
    notice: str
    counterparts: dict[str, str]
    rule: str
    height: int
    width: int
    n_frames: int
    n_channels: int
    layers: list[LayerInfo]
    rules: list[str]
    why: str
    ranked_by: str
    embeddings: list[Embedding]
    has_truth: bool
    quantisation: Quantisable
    device: str


class RunInfo(TypedDict):
    """One of several networks (trait `_runs`); `key` is a step or a name.

    Runs of one `group` have the same layers and rules; it is null until the run was looked at. `error` says why it
    can't be made, once that was tried. `facts` are what is known of it, such as its loss. `version` counts how often
    its weights were replaced: what was computed before is of other weights. `same_neurons` is whether all runs are one
    network with other weights, so that a neuron keeps its number.
    """

    key: RunKey
    group: int | None
    error: str
    facts: dict[str, float | None]
    version: int
    same_neurons: bool


class Region(TypedDict):
    """Pixels inside a polygon of points `(y, x)`, or, without one, of runs `start, length, ...` row by row."""

    points: list[list[float]]
    runs: list[int]


class NamedRegion(TypedDict):
    """One region for every frame, or one for each, null where it is not in the picture."""

    name: str
    frames: list[Region | None]


class Chosen(TypedDict):
    """Neurons of a layer: several, else one (`neuron`), else one cluster (`cluster >= 0`), else all.

    Where `neurons` has any, `neuron` is null. Of a second run there may be one, where the others have no counterpart:
    its magnitudes are summed up as those of several are.
    """

    layer: str
    neuron: list[int] | None
    neurons: list[list[int]]
    cluster: int
    n_clusters: int


class Selection(Chosen, total=False):
    """With `overlay`, a finding about the whole layer is asked for in place of their map.

    `channel` is the colour that is contributed to, the sum of them by default; findings are about the sum. With `band`
    the map, or the picture, has these frequencies alone: above the first up to and with the second, in cycles a pixel.
    """

    overlay: Overlay
    channel: Channel
    band: list[float]


class Sampled(TypedDict):
    """What a map is estimated from: exact numbers at `pixels` of its pixels, interpolated between.

    `error` is how far interpolated numbers were off at the pixels that were added last, the mean as a part of the map's
    mean. `has_more` is whether a further look would have more pixels.
    """

    pixels: int
    passes: int
    error: float
    has_more: bool


class Removed(TypedDict):
    """Neurons of one layer that are taken out of the model."""

    layer: str
    neurons: list[list[int]]


class Edit(TypedDict):
    """A neuron, and the factor that its contributions are multiplied by."""

    layer: str
    neuron: list[int]
    factor: float


class Quantiser(TypedDict):
    """What weights are quantised to: bits for each, and which of them share a grid of values."""

    bits: int
    scheme: Scheme


class ViewState(TypedDict):
    """What a view is set to, as the page has it: the traits of the widget by name."""

    run: RunKey
    compare: RunKey
    comparison: Comparison
    rule: str
    layer: str
    time: int
    neuron: list[int] | None
    neurons: list[list[int]]
    pixel: list[int] | None
    region: Region | None
    regions: list[NamedRegion]
    n_clusters: int
    cluster: int
    cluster_names: dict[str, list[str]]
    loop: list[int] | None
    ablated: dict[str, list[list[int]]]
    edits: list[Edit]
    source: Source
    bits: int
    scheme: Scheme
    maps: Maps
    overlay: Overlay
    channel: Channel
    palette: str
    opacity: float
    contrast: float
    limit: float | None
    contours: bool
    sort: Sort
    colour_by: ColourBy
    panel: PanelTab
    band: list[float] | None
    fps: float
    playing: bool
    faithfulness: bool


class RankedNeuron(TypedDict):
    """`value` is signed, the colours added; `magnitude` adds them by magnitude where the rule knows colours.

    `share` is the magnitude as a part of those of all neurons of its layer; None where the neurons are
    chosen by another rule than the canvas's, under which all of the layer would take long.
    """

    layer: str
    neuron: list[int]
    value: float
    magnitude: float
    share: float | None


class LayerShare(TypedDict):
    """How many neurons of a layer make 50 % and 90 % of a pixel or a region, by the rule that ranks.

    The strongest `counts[k]` of them make `shares[k]`: the share curve, at counts that grow evenly on a logarithmic
    axis.
    """

    layer: str
    n_neurons: int
    total: float
    n50: int
    n90: int
    counts: list[int]
    shares: list[float]
