"""`CanvasWidget`: the canvas of an INR, or of several, live in a notebook.

Long because more than half of it is what `help(CanvasWidget)` shows; the work is done in `live_view`, `exports` and
`kernel`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from canvaswidget.arguments import checked
from canvaswidget.exports.animation import save_animation, save_runs_animation
from canvaswidget.exports.data_files import save_data
from canvaswidget.exports.figure import draw_figure, save_figure
from canvaswidget.exports.page import estimate_page, save_page
from canvaswidget.exports.page_budget import BUDGET, PageEstimate
from canvaswidget.kernel import view_checks
from canvaswidget.tracing import CanvasLike
from canvaswidget.tracing.protocol import Signal
from canvaswidget.widget.live_view import LiveView

PAGE = ".html"


class CanvasWidget(LiveView):
    """Which neurons make which pixels of an INR: look, hover, scrub, click.

    Parameters
    ----------
    model : INR, Canvas, SavedCanvas, reference model or Runs
        See `canvaswidget.as_inr` for what a model alone must be. Of `Runs` one is shown at a time, and another can be
        compared with it.
    rule : str, optional
        How a contribution is defined; the first of the rules that is defined on the model by default.
    device : str
        Where to compute; ``"auto"`` takes a GPU where there is one.
    memory : str or number of bytes
        Working memory that a pass over a layer may use.
    truth : array, optional
        The signal itself, ``(n_frames, height, width, 3)`` or ``(height, width, 3)`` in [0, 1].
    **state
        Any of the attributes below.

    Attributes
    ----------
    run : int, str or None
        Of `Runs`, the key of the one that is shown: a step or a name; at first the last step of a training, else the
        first run. Layer, neurons, pixel and what else is chosen stay where that run has them.
    compare : int, str or None
        The key of a second run in the same views. In checkpoints of one network a neuron keeps its number; in any other
        two runs neurons are matched by `analysis.match`.
    comparison : {"side", "wipe", "picture", "map"}
        How the frame shows a second run: beside the first, right of a line that is dragged, or as a difference, of the
        pictures (its mean magnitude over the colours) or of the maps (the first less the second).
    layer : str
        Set by name, by a unique part of it, or by index.
    time : int
        The frame.
    neuron : int, (i, o) or None
        A unit of a linear layer or a kernel of a convolution. With None the cluster, or the whole layer, is
        shown.
    neurons : tuple
        All selected neurons of the layer; the last is `neuron`. Setting either sets the other.
    pixel : (y, x) or None
    region : Region or None
        Some pixels: set it to a mask ``(height, width)``, a box ``((y0, x0), (y1, x1))`` or a polygon of points
        ``(y, x)``. Its `mask` is ``(height, width)``, true inside, also of what was drawn or painted in the page:
        findings such as `canvaswidget.analysis.objects` take it.
    regions : dict of str to Region or Moving
        Regions with names, listed below the frame with the part of the selection's contribution that lies in each. Set
        it to a dict of any of a region's forms (or of masks ``(n_frames, height, width)``), to a sequence, or to labels
        of objects such as the `masks` of a `MaskPainter`. While `region` is that of one that moves, it goes with
        `time`.
    cluster : int
        -1 for all.
    n_clusters : int
    cluster_names : dict
        By ``"layer/n_clusters"``, a list of the names that were given; see `name_cluster`.
    rule : str
        Setting it traces the model anew.
    ablated : dict
        Neurons that are taken out of the model, ``{layer: (neuron, ...)}`` of any layers, whatever the rule. Set it to
        that, or to pairs ``(layer, neuron)``; ``{}`` puts all back. `Canvas.ablate` takes it too.
    edits : dict
        Neurons whose contributions are scaled, ``{layer: {neuron: factor}}``: by 2 a neuron writes twice as much, by 0
        it is ablated. ``{}`` takes all back. `Canvas.edit` and `cw.edited` take it too.
    source : {"reconstruction", "truth", "error", "off", "ablated", "difference", "quantisation"}
        What is under the map; ``"ablated"`` and ``"difference"`` are the picture without what is ablated and with
        `edits`, and what it lost; ``"quantisation"`` is how far the picture of `canvaswidget.quantise` is from it.
    bits : int
    scheme : {"per-tensor", "per-channel"}
        Of the source ``"quantisation"``, as `canvaswidget.quantise` takes them.
    maps : {"magnitude", "signed"}
    overlay : {"selection", "neurons", "intensity", "change", "gradient", "laplacian", "picture"}
        What is over the frame: the selection's contribution, or a finding about the whole layer: how many neurons
        make nine tenths of it, by pixel; its contribution less the brightness, each scaled to 0 to 1; how much its
        neurons' magnitudes differ from the previous frame's (the next one's at frame 0); or the picture itself, the sum
        of its colours: its gradient, its Laplacian, or what it has in `band`.
    channel : {"sum", "red", "green", "blue", "abs"}
        What contributions are to: the sum of the output's colours, one of them, or all by magnitude. Map, neurons,
        pixel and curve follow it; clusters, the scatter and findings are of the sum. Rule `xinc` knows colours in the
        last layer only: for another it is ``"sum"``.
    palette : str
        Of magnitudes; see `canvaswidget.plotting.figures.palettes`.
    opacity, contrast : float
    limit : float or None
        The contribution at which the colours of the frame's map end, whichever neuron and frame is shown, so that equal
        colours are equal numbers; `contrast` has no part in it. With None each map has its own largest.
    contours : bool
        Whether lines on the frame's map tell where it reaches a quarter, a half and three quarters of its colours' end.
    sort : {"pixel", "region", "total", "change", "frequency", "difference", "index"}
        Order of the neurons: by contribution to the pixel, to the region, by total, by how much their magnitudes
        differ from the previous frame's, by the mean spatial frequency of their maps (the lowest first; see
        `analysis.spectrum`), by how little their maps are like those of the compared run, or as they are.
        In the scatter, how large their points are.
    colour_by : {"cluster", "frequency"}
        What the colours of thumbnails and of points of the scatter stand for: the cluster of the neuron, or the mean
        spatial frequency of its map, as `sort` has it.
    panel : {"pixel", "region", "spectrum"}
        What stands beside the frame: the neurons that make the pixel, or those of the region where there is one, or the
        power spectra of the frame and of the selection's map, as `analysis.spectrum` has them. Setting a region or a
        pixel turns to it, but for the spectrum.
    band : (low, high) or None
        Of the selection's map over the frame, or of the picture with ``overlay="picture"``, the frequencies that are
        shown: above `low` up to and with `high`, in cycles a pixel, at most 0.708. From 0 on the mean is one of them.
    playing : bool
    fps : float
    loop : (first, last) or None
        The frames that play; all with None.
    faithfulness : bool
        Whether to measure, while nothing else is asked for, how far the maps that are shown can be believed: see
        `analysis.faithfulness`. `stats` has the score.

    Examples
    --------
    >>> w = cw.CanvasWidget(cw.demo.video())
    >>> w
    >>> w.time, w.pixel = 3, (40, 100)
    >>> w.observe(lambda change: print(change.new), "neuron")
    """

    @property
    def canvas(self) -> CanvasLike:
        """The canvas of the current rule."""
        return self._live.canvas

    @property
    def inr(self) -> Signal:
        """The model and the signal it encodes."""
        return self.canvas.inr

    def recipe(self) -> str:
        """Python that makes the current view again; the page's export menu copies it.

        Demo models and those of `canvaswidget.load` are named, as is what the rule was told; for any other the
        recipe has a variable ``model``.

        Examples
        --------
        >>> print(cw.CanvasWidget(cw.demo.image(), maps="signed").recipe())  # doctest: +SKIP
        import canvaswidget as cw
        <BLANKLINE>
        w = cw.CanvasWidget(
            cw.demo.image(),
            rule='xinc',
            layer='net.1',
            neuron=40,
            pixel=(64, 64),
            maps='signed',
        )
        w
        """
        return self._exported().recipe(self.canvas)

    @checked
    def name_cluster(self, cluster: int, name: str) -> None:
        """Call a cluster of the current layer by a name, in every view; "" takes it away."""
        view_checks.checked_count("cluster", cluster, 0, self.n_clusters - 1)
        key = f"{self.layer}/{self.n_clusters}"
        names = [*self.cluster_names.get(key, ()), *[""] * self.n_clusters][: self.n_clusters]
        names[cluster] = name
        self.cluster_names = {**self.cluster_names, key: names}

    def stats(self) -> dict[str, Any]:
        """How the widget does.

        Returns
        -------
        dict
            ``requests`` of the page and how many were ``answered``, ``cancelled`` (superseded) or ``failed``;
            ``last_seconds`` of an answer; ``cache_bytes`` of what is kept. As the pages measure it, None at
            first: ``pixel_ms``, ``overlay_ms``, ``step_ms``, ``run_ms`` and ``compare_ms``, from a click on a pixel to
            its bars, on a neuron to its map, from one frame or one run to another, to a second run beside it, each
            ``{"n", "p50", "p95"}`` of the last 200 that had to be asked for; ``playing_fps``, pictures a second on
            screen. ``faithfulness`` is None or the last score, ``{"rule", "layer", "frame", "measured", "n_neurons",
            "totals", "pixels"}``: the rank correlations of ``measured`` neurons with ablation, each ``{"value", "low",
            "high"}`` or None where it is not defined; of `Runs` also the ``run``.
        """
        return self._live.stats()

    def __repr__(self) -> str:
        if not hasattr(self, "facts"):
            return object.__repr__(self)
        height, width = self.facts.size
        kind = "image" if self.facts.n_frames == 1 else f"{self.facts.n_frames} frames"
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}"
            for name in ("run", "compare", "layer", "time", "neuron", "pixel", "rule")
            if name not in ("run", "compare") or getattr(self, name) is not None
        )
        closed = ", closed" if self._session is None else ""
        return f"CanvasWidget({self.facts.title}, {kind} of {height}x{width}, {shown}{closed})"

    # --- what leaves the notebook -----------------------------------------------------------------------------

    @checked
    def figure(
        self,
        panels: str | Sequence[str] | None = None,
        width: float = 6.6,
        columns: int | None = None,
        limits: str = "shared",
        frames: Any = None,
        *,
        runs: Any = None,
        progress: bool | Callable[[int, int], None] = True,
    ) -> Figure:
        """The current view for a paper, drawn from the arrays, not from the screen.

        Parameters
        ----------
        panels : sequence of str, optional
            Some of ``"frame"``; ``"pixel"``, ``"maps"`` and ``"shares"``, the pinned pixel's neurons, their maps, and
            how many make it; ``"region"``, the region's neurons; ``"spectrum"``; ``"neurons"``, the first of the layer
            as they are sorted; ``"time"``; ``"scatter"``. By default what the widget shows: the frame, what `panel` has
            beside it, the layer's neurons and time, where they have anything to show; time is then followed for one
            neuron only.
        width : float
            In inches; text keeps its size.
        columns : {1, 2}, optional
            Two from 5 inches on by default.
        limits : {"shared", "own"}
            Whether maps of neurons have one scale and a colour bar, those of the layer the scale that the widget has
            for it, or each its own.
        frames : range, sequence of int or "all", optional
            Where ``"time"`` is computed, and on the current frame; at most 32, evenly, by default. The panel says how
            many.
        runs : sequence of keys or "all", optional
            A frame for each of these runs side by side, on one scale, under its run and PSNR; a run that has no such
            layer or neuron says so. Other panels, if they are asked for, are of the run that is shown.
        progress : bool or callable
            A bar where it takes longer than 2 s, or ``progress(done, total)``, which may raise to stop.

        Examples
        --------
        >>> w.figure(["frame", "pixel"], width=3.3).savefig("view.pdf")  # doctest: +SKIP
        """
        return draw_figure(self._exported(), panels, width, columns, limits, frames, runs, progress)

    @checked(neurons=None)
    def save(
        self,
        path: str | Path,
        width: float | None = None,
        dpi: float | None = None,
        *,
        panels: str | Sequence[str] | None = None,
        columns: int | None = None,
        limits: str | None = None,
        layers: Any = None,
        frames: Any = None,
        runs: Any = None,
        neurons: Any = None,
        budget: str | float | None = None,
        progress: bool | Callable[[int, int], None] = True,
    ) -> PageEstimate | None:
        """Write the current view: a figure as PNG, PDF or SVG, or the live view as one HTML page, as the name ends.

        The page works without a kernel and without a network. It keeps what it is told to, and says so where a kernel
        would be needed.

        Parameters
        ----------
        path : str or Path
        width, dpi, panels, columns, limits
            Of a figure; see `figure`. The file says in words what is on it.
        layers, neurons, budget
            Of a page; see `estimate_page`.
        frames
            Of a page, those it keeps; of a figure, those of its curve of time.
        runs
            Of a page, those it keeps; of a figure, those whose frames stand side by side.
        progress : bool or callable
            A progress bar, or ``progress(done, total)``, which may raise to stop.

        Returns
        -------
        PageEstimate or None
            Of a page, what it takes.
        """
        both = {"frames": frames, "runs": runs}
        page = {"layers": layers, "neurons": neurons, "budget": budget}
        drawing = {"panels": panels, "width": width, "columns": columns, "limits": limits}
        if Path(path).suffix.lower() == PAGE:
            _check_unused(path, "a figure", {**drawing, "dpi": dpi})
            return save_page(self._exported(), path, {**page, **both}, progress)
        _check_unused(path, "a page", page)
        return save_figure(self._exported(), path, dpi, {**drawing, **both}, progress)

    @checked
    def save_data(
        self,
        path: str | Path,
        table: str = "pixel",
        *,
        progress: bool | Callable[[int, int], None] = True,
    ) -> None:
        """Write the numbers behind the current view.

        Parameters
        ----------
        path : str or Path
            A name that ends in ``.npz``: frame, map, the contributions to the pinned pixel by layer, totals, the curve
            of one neuron and known clusters, for `numpy.load`. Or in ``.csv``: one table.
        table : {"pixel", "neurons", "time"}
            Of a CSV: every neuron's contribution to the pinned pixel, every neuron of the layer with its total, or the
            selection's total and change on every frame.
        """
        save_data(self._exported(), path, table, progress)

    @checked
    def animation(
        self,
        path: str | Path,
        first: int = 0,
        last: int = -1,
        fps: float | None = None,
        *,
        runs: Any = None,
        progress: bool | Callable[[int, int], None] = True,
    ) -> None:
        """Write the frame view as an animation, MP4 or GIF as the name ends: the selection's contribution on one scale.

        Parameters
        ----------
        path : str or Path
        first, last : int
            Frames, both included.
        fps : float, optional
            Pictures a second; what the widget plays at by default.
        runs : sequence of keys or "all", optional
            These runs at the current frame, in place of frames; under each picture stand its run and PSNR.
        """
        if runs is not None:
            if (first, last) != (0, -1):
                raise TypeError(
                    "first and last would be of an animation through frames; this one is through runs"
                )
            save_runs_animation(self._exported(), path, runs, fps, progress)
            return
        save_animation(self._exported(), path, first, last, fps, progress)

    @checked(neurons=None)
    def estimate_page(
        self,
        layers: Any = None,
        frames: Any = None,
        neurons: Any = None,
        budget: str | float = BUDGET,
        progress: bool | Callable[[int, int], None] = True,
        *,
        runs: Any = None,
    ) -> PageEstimate:
        """What ``save("view.html", ...)`` would write, measured on a sample; nothing is written.

        Parameters
        ----------
        layers : str, int or sequence, optional
            All that the rule is defined on by default.
        frames : range or sequence of int, optional
            All by default. The page counts those it keeps from 0.
        neurons : int or dict, optional
            How many of each layer, the strongest of each cluster in turn, by their totals at the current frame; or
            ``{layer: [neuron, ...]}``. The selected ones are always kept. Without it as many as fit into the budget, at
            most 8.
        budget : str or number of bytes
            Of the file. Frames and maps are kept as finely as it allows.
        runs : sequence of keys or "all", optional
            The run that is shown is always kept, and the one that it is compared with. Without it, as many as fit of a
            training, evenly, at most 24, the last among them; of other runs the one that is shown.

        Raises
        ------
        ValueError
            Even the coarsest page would be larger than the budget; it says what to leave out.
        """
        page = {"layers": layers, "frames": frames, "neurons": neurons, "budget": budget, "runs": runs}
        return estimate_page(self._exported(), page, progress)


def _check_unused(path: str | Path, what: str, options: dict[str, Any]) -> None:
    """Raise TypeError for options that would be passed over."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise TypeError(f"path={str(path)!r}: {', '.join(given)} would be of {what}, which this is not")
