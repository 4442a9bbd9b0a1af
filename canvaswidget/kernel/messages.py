"""The wire: every message and every shared shape, once, for both sides.

The page's half, ``js/src/messages.ts``, is printed by ``python -m canvaswidget.kernel.messages``; a test keeps
the two equal. A request goes ``page -> kernel`` as ``{"type": "request", "id", "view", "body"}`` and is answered by
exactly one `Reply`, `Cancelled` or `Failed` with the same id. Image data is the reply's first binary buffer; a later
buffer is padding (see ``session.py``) and carries nothing.

A request's body states everything that its answer depends on, the rule first: the kernel computes the answer from the
body and the model alone, whatever the traits of the widget are by then. The reply repeats the body that it answers, and
the page shows it only where it wants exactly that.
"""

from __future__ import annotations

from typing import Literal, TypedDict, Union

from canvaswidget.kernel import typescript

Source = Literal["reconstruction", "truth", "error", "off", "without", "difference"]
Sort = Literal["pixel", "region", "total", "change", "index"]
Maps = Literal["magnitude", "signed"]
Overlay = Literal["selection", "neurons", "intensity", "change"]
Channel = Literal["sum", "red", "green", "blue", "abs"]  # of the output: what a contribution is to
Embedding = Literal["pca", "tsne", "umap"]
Form = Literal["png", "pdf", "svg", "npz", "csv", "mp4", "gif"]
Act = Literal["pixel", "overlay", "step"]  # to the pixel's bars; another selection's map; another frame


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


class CanvasInfo(TypedDict):
    """What the page must know of the canvas before it asks anything (trait `_canvas`).

    `rule` is the one that the layers are those of, `rules` are those that are defined on the model, `why` says how the
    first one was chosen, `ranked_by` is the rule that orders neurons where this one would take too long.
    """

    title: str
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
    device: str


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

    Where `neurons` has any, they are at least two, and `neuron` is null.
    """

    layer: str
    neuron: list[int] | None
    neurons: list[list[int]]
    cluster: int
    n_clusters: int


class Selection(Chosen, total=False):
    """With `overlay`, a finding about the whole layer is asked for in place of their map.

    `channel` is the colour that is contributed to, the sum of them by default; findings are about the sum.
    """

    overlay: Overlay
    channel: Channel


# --- requests -------------------------------------------------------------------------------------------------


class PalettesRequest(TypedDict):
    kind: Literal["palettes"]


class ViewState(TypedDict):
    """What a view is set to, as the page has it: the traits of the widget by name."""

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
    knocked_out: dict[str, list[list[int]]]
    source: Source
    maps: Maps
    overlay: Overlay
    channel: Channel
    palette: str
    opacity: float
    contrast: float
    sort: Sort
    fps: float
    playing: bool
    trust: bool


class RecipeRequest(TypedDict):
    kind: Literal["recipe"]
    state: ViewState


class ExportRequest(TypedDict):
    """A file of the view: `form` is how its name ends.

    `panels` are those of a figure, all when empty; `table` is that of a CSV; `first` and `last` are frames of a film.
    """

    kind: Literal["export"]
    state: ViewState
    form: Form
    panels: list[str]
    table: str
    first: int
    last: int


class Removed(TypedDict):
    """Neurons of one layer that are taken out of the model."""

    layer: str
    neurons: list[list[int]]


class PlainFrameRequest(TypedDict):
    kind: Literal["frame"]
    time: int
    source: Source


class FrameRequest(PlainFrameRequest, total=False):
    """The sources `without` and `difference` are of the picture without the neurons that are `knocked_out`."""

    knocked_out: list[Removed]


class MapRequest(TypedDict):
    kind: Literal["map"]
    rule: str
    time: int
    selection: Selection


class PlainGridRequest(TypedDict):
    """Thumbnails `first .. first + count` of the layer's neurons in the order `sort`, within the cluster if any."""

    kind: Literal["grid"]
    rule: str
    time: int
    layer: str
    cluster: int
    n_clusters: int
    sort: Sort
    channel: Channel
    pixel: list[int] | None
    region: Region | None
    first: int
    count: int
    side: int


class GridRequest(PlainGridRequest, total=False):
    """`find` asks for the place of a neuron in that order, too."""

    find: list[int]


class PixelRequest(TypedDict):
    kind: Literal["pixel"]
    rule: str
    time: int
    pixel: list[int]
    k: int
    selection: Selection


class RegionsRequest(TypedDict):
    """What part of the selection's contribution lies in each of some regions."""

    kind: Literal["regions"]
    rule: str
    time: int
    selection: Selection
    regions: list[Region]


class CurveRequest(TypedDict):
    """The selection's total and change on some frames; the page asks for a few at a time."""

    kind: Literal["curve"]
    rule: str
    frames: list[int]
    selection: Selection


class StripRequest(TypedDict):
    """Small pictures of some frames, of the reconstruction."""

    kind: Literal["strip"]
    frames: list[int]
    side: int


class ClustersRequest(TypedDict):
    kind: Literal["clusters"]
    rule: str
    time: int
    layer: str
    n_clusters: int


class ScatterRequest(TypedDict):
    """The layer's neurons as points, near each other where their maps of this frame look alike."""

    kind: Literal["scatter"]
    rule: str
    time: int
    layer: str
    method: Embedding


class ValuesRequest(TypedDict):
    """The sort key of each neuron of the layer: its contribution to this pixel or this region, its total or change."""

    kind: Literal["values"]
    rule: str
    time: int
    layer: str
    sort: Sort
    channel: Channel
    pixel: list[int] | None
    region: Region | None


class RulesRequest(TypedDict):
    """The selection's map under every rule; a cluster is one of the clusters of `rule`."""

    kind: Literal["rules"]
    rule: str
    time: int
    selection: Chosen


class TrustRequest(TypedDict):
    """How far the layer's maps can be believed; asked for in the background."""

    kind: Literal["trust"]
    rule: str
    time: int
    layer: str


Body = Union[
    PalettesRequest,
    RecipeRequest,
    ExportRequest,
    FrameRequest,
    MapRequest,
    GridRequest,
    PixelRequest,
    RegionsRequest,
    CurveRequest,
    StripRequest,
    ClustersRequest,
    ScatterRequest,
    ValuesRequest,
    RulesRequest,
    TrustRequest,
]


class Request(TypedDict):
    """`view` names the asking part of the page: a newer request of a view replaces its older one."""

    type: Literal["request"]
    id: int
    view: str
    body: Body


class Cancel(TypedDict):
    type: Literal["cancel"]
    id: int


class Timing(TypedDict):
    act: Act
    milliseconds: float


class Painted(TypedDict):
    """What the page measured since it last said so; `rate` is of playing, in pictures a second. Not answered."""

    type: Literal["painted"]
    id: int
    times: list[Timing]
    rate: float | None


# --- replies --------------------------------------------------------------------------------------------------


class PalettesReply(TypedDict):
    """Buffer: `len(names) * 256 * 3` bytes of RGB. `diverging` names those centred on zero."""

    kind: Literal["palettes"]
    names: list[str]
    diverging: list[str]


class ExportReply(TypedDict):
    """Buffer: the file."""

    kind: Literal["export"]
    name: str


class RecipeReply(TypedDict):
    """Python that makes the view again."""

    kind: Literal["recipe"]
    text: str


class FrameReply(TypedDict):
    """Buffer: `height * width * channels` bytes. With one channel they are levels of `low .. high`.

    `psnr` is against the truth. Of a picture without some neurons it is against the original reconstruction where there
    is no truth; `psnr_before` is that of the picture with them, against the truth alone.
    """

    kind: Literal["frame"]
    time: int
    source: Source
    height: int
    width: int
    channels: int
    low: float
    high: float
    psnr: float | None
    psnr_before: float | None


class MapReply(TypedDict):
    """Buffer: `height * width` levels; value = low + level / 255 * (high - low). `total` sums absolute values.

    The map of more than one neuron sums magnitudes; after it in the buffer comes the sum with signs, whose range is
    `signed_range`. For one neuron, whose map has its sign already, that is empty.
    """

    kind: Literal["map"]
    time: int
    selection: Selection
    height: int
    width: int
    low: float
    high: float
    total: float
    signed_range: list[float]


class GridReply(TypedDict):
    """Buffer: one `height * width` thumbnail of levels after the other, each with its own `low` and `high`.

    `values` is the sort key; `totals` the sum of each absolute map. `scale` and `top_total` are the largest magnitude
    and the largest total of the thumbnails of the layer's strongest neurons, whichever are asked for and in whatever
    order. `place` is that of the neuron to find, None where it is not among these. `warning` says what failed when a
    few of the layer's neurons were checked; empty where all held.
    """

    kind: Literal["grid"]
    time: int
    layer: str
    first: int
    n_neurons: int
    neurons: list[list[int]]
    values: list[float]
    height: int
    width: int
    low: list[float]
    high: list[float]
    totals: list[float]
    scale: float
    top_total: float
    place: int | None
    warning: str


class RankedNeuron(TypedDict):
    """`value` is signed, the colours added; `magnitude` adds them by magnitude where the rule knows colours.

    `share` is the magnitude as a part of those of all neurons of its layer at this pixel.
    """

    layer: str
    neuron: list[int]
    value: float
    magnitude: float
    share: float


class LayerShare(TypedDict):
    """How many neurons of a layer make 50 % and 90 % of a pixel.

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


class PixelReply(TypedDict):
    """`rgb` is the raw output; `selected` the selection's exact contribution to this pixel.

    Of more than one neuron it sums magnitudes, and `selected_signed` values with their sign. `channel` is that of
    `neurons` and `layers`: the selection's where every layer has colours, else the sum.
    They are of the pixel `ranked_at`: a saved page knows them of some pixels only, and gives those of the nearest.
    """

    kind: Literal["pixel"]
    time: int
    pixel: list[int]
    channel: Channel
    ranked_at: list[int]
    rgb: list[float]
    truth: list[float] | None
    selected: float | None
    selected_signed: float | None
    neurons: list[RankedNeuron]
    layers: list[LayerShare]


class RegionsReply(TypedDict):
    """Of each region its share of the magnitudes and its part of the frame; `deltas` is how far one exceeds the other.

    It is 0 where they are equal, 1 where the share is twice the area's, -1 where nothing is contributed.
    """

    kind: Literal["regions"]
    time: int
    selection: Selection
    shares: list[float]
    areas: list[float]
    deltas: list[float]


class CurveReply(TypedDict):
    """`changes` sums the differences of magnitude to the frame before; null for the first one.

    Of frames that a saved canvas has not, both are null.
    """

    kind: Literal["curve"]
    frames: list[int]
    totals: list[float | None]
    changes: list[float | None]


class StripReply(TypedDict):
    """Buffer: one picture of `height * width * 3` bytes after the other."""

    kind: Literal["strip"]
    frames: list[int]
    height: int
    width: int


class ClustersReply(TypedDict):
    """Buffer: one byte a neuron of the layer in C order, its cluster; 255 marks a dead neuron.

    `frame` is the one that was clustered: the one that these clusters were first asked for at. `exemplars` has the
    neuron nearest to the middle of each cluster, of the first clusters if some are empty. After the clusters come their
    thumbnails of that frame, each `height * width` levels of its own `low .. high`.
    """

    kind: Literal["clusters"]
    frame: int
    layer: str
    n_clusters: int
    counts: list[int]
    exemplars: list[list[int]]
    height: int
    width: int
    low: list[float]
    high: list[float]


class ScatterReply(TypedDict):
    """Buffer: `x, y` in [0, 1] of each neuron in C order, little-endian float32; NaN for a dead neuron."""

    kind: Literal["scatter"]
    time: int
    layer: str
    method: Embedding


class ValuesReply(TypedDict):
    """Buffer: the value of each neuron in C order, little-endian float32."""

    kind: Literal["values"]
    time: int
    layer: str
    sort: Sort
    pixel: list[int] | None


class Range(TypedDict):
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


class Plane(TypedDict):
    """Levels in a buffer: value = low + level / 255 * (high - low)."""

    low: float
    high: float


class RuleMap(TypedDict):
    """A map under one rule, and what it has more than that under ablation; where there is none, `why` says so.

    `total` is that of one neuron as everywhere, its magnitudes in `each_colour` added where the rule knows colours; of
    several the magnitudes of the map, in which neurons and colours are added. `correlation` is that of the two maps
    over the pixels, null where one of them is the same everywhere.
    """

    rule: str
    why: str
    total: float
    each_colour: bool
    map: Plane | None
    difference: Plane | None
    correlation: float | None


class RulesReply(TypedDict):
    """Buffer: `height * width` levels of each map that there is, and after it those of its difference."""

    kind: Literal["rules"]
    time: int
    selection: Chosen
    height: int
    width: int
    maps: list[RuleMap]


class TrustReply(TypedDict):
    """Rank correlations with ablation, of `measured` neurons at a `frame`: of their totals, and pixel by pixel.

    Null where they are not defined; under `ablation` nothing is measured.
    """

    kind: Literal["trust"]
    rule: str
    layer: str
    frame: int
    measured: int
    n_neurons: int
    totals: Range | None
    pixels: Range | None


Answer = Union[
    PalettesReply,
    RecipeReply,
    ExportReply,
    FrameReply,
    MapReply,
    GridReply,
    PixelReply,
    RegionsReply,
    CurveReply,
    StripReply,
    ClustersReply,
    ScatterReply,
    ValuesReply,
    RulesReply,
    TrustReply,
]


class Reply(TypedDict):
    """`of` is the body of the request that is answered."""

    type: Literal["reply"]
    id: int
    seconds: float
    of: Body
    body: Answer


class Cancelled(TypedDict):
    """A newer request of the view, or the page, made the answer unwanted."""

    type: Literal["cancelled"]
    id: int


class Failed(TypedDict):
    type: Literal["error"]
    id: int
    message: str


class Progress(TypedDict):
    type: Literal["progress"]
    id: int
    done: int
    total: int


FromPage = Union[Request, Cancel, Painted]
FromKernel = Union[Reply, Cancelled, Failed, Progress]


# What the page names too.
ALIASES = {
    "Source": Source,
    "Sort": Sort,
    "Maps": Maps,
    "Overlay": Overlay,
    "Channel": Channel,
    "Embedding": Embedding,
    "Form": Form,
    "Act": Act,
    "Body": Body,
    "Answer": Answer,
    "FromPage": FromPage,
    "FromKernel": FromKernel,
}


def module() -> str:
    """The module ``js/src/messages.ts``."""
    return typescript.module(ALIASES, list(globals().values()))


if __name__ == "__main__":
    print(module(), end="")
