"""`CanvasWidget`: the canvas of an INR, live in a notebook."""

from __future__ import annotations

import asyncio
import contextvars
import difflib
import logging
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from typing import Any, ClassVar, cast

import anywidget
import traitlets
from IPython.display import display

from canvaswidget.arguments import checked, show
from canvaswidget.bundle import bundled
from canvaswidget.exports.picture import SavedPicture, Then
from canvaswidget.exports.snapshot import PICTURE, snapshot
from canvaswidget.inr import INR, as_inr
from canvaswidget.kernel import view
from canvaswidget.kernel.arrays import Arrays
from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.kernel.messages import FromKernel
from canvaswidget.kernel.region_list import followed
from canvaswidget.kernel.requests.recipe import RecipeReply, RecipeRequest
from canvaswidget.kernel.session import Buffers, Session
from canvaswidget.tracing import CanvasLike, Layers, trace
from canvaswidget.tracing.protocol import Signal
from canvaswidget.tracing.results import Ranked
from canvaswidget.widget import opening, traits
from canvaswidget.widget.leaving import Leaving, made
from canvaswidget.widget.recipe import recipe

log = logging.getLogger(__name__)


class CanvasWidget(Leaving, anywidget.AnyWidget):
    """Which neurons make which pixels of an INR: look, hover, scrub, click.

    Parameters
    ----------
    model : INR, Canvas, SavedCanvas or reference model
        See `canvaswidget.as_inr` for what a model alone must be.
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
        ``(y, x)``; read its `mask`.
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
    knocked_out : dict
        Neurons that are taken out of the model, ``{layer: (neuron, ...)}`` of any layers, whatever the rule. Set it to
        that, or to pairs ``(layer, neuron)``; ``{}`` puts all back. `Canvas.without` takes it too.
    source : {"reconstruction", "truth", "error", "off", "without", "difference"}
        What is under the map; the last two are the picture without what is knocked out, and what it lost.
    maps : {"magnitude", "signed"}
    overlay : {"selection", "neurons", "intensity", "change"}
        What is over the frame: the selection's contribution, or a finding about the whole layer: how many neurons
        make nine tenths of it, by pixel; its contribution less the brightness, each scaled to 0 to 1; how much its
        neurons' magnitudes differ from the previous frame's (the next one's at frame 0).
    channel : {"sum", "red", "green", "blue", "abs"}
        What contributions are to: the sum of the output's colours, one of them, or all by magnitude. Map, neurons,
        pixel and curve follow it; clusters, the scatter and findings are of the sum. Rule `xinc` knows colours in the
        last layer only: for another it is ``"sum"``.
    palette : str
        Of magnitudes; see `canvaswidget.plotting.figures.palettes`.
    opacity, contrast : float
    sort : {"pixel", "region", "total", "change", "index"}
        Order of the neurons: by contribution to the pixel, to the region, by total, by how much their magnitudes
        differ from the previous frame's, or as they are. In the scatter, how large their points are.
    playing : bool
    fps : float
    loop : (first, last) or None
        The frames that play; all with None.
    trust : bool
        Whether to measure, while nothing else is asked for, how far the maps that are shown can be believed: see
        `analysis.faithfulness`. `stats` has the score.

    Examples
    --------
    >>> w = cw.CanvasWidget(cw.demo.video())
    >>> w
    >>> w.time, w.pixel = 3, (40, 100)
    >>> w.observe(lambda change: print(change.new), "neuron")
    """

    VIEW: ClassVar[tuple[str, ...]] = (
        *(
            "rule",
            "layer",
            "time",
            "neuron",
            "neurons",
            "pixel",
            "region",
            "regions",
            "n_clusters",
            "cluster",
            "cluster_names",
            "loop",
            "knocked_out",
            "source",
            "maps",
            "overlay",
            "channel",
        ),
        *("palette", "opacity", "contrast", "sort", "fps", "playing", "trust"),
    )  # in the order they are checked: a neuron is one of a layer, a layer one of a rule

    # A report of the page loses against what Python has set meanwhile of these, too: it was meant for that.
    MEANT_FOR: ClassVar[dict[str, tuple[str, ...]]] = {
        "layer": ("rule",),
        "neuron": ("rule", "layer", "neurons"),
        "neurons": ("rule", "layer", "neuron"),
        "cluster": ("rule", "layer", "n_clusters"),
        "channel": ("rule", "layer"),
        "cluster_names": ("rule",),
        "source": ("knocked_out",),
    }

    _canvas = traitlets.Dict().tag(sync=True)
    _changes = traitlets.Dict().tag(
        sync=True
    )  # by trait, the number of the last change that the page did not make
    _seen = traitlets.Dict().tag(
        sync=True
    )  # by trait, the last number that the page knew when it set the trait
    _picture = traitlets.Unicode().tag(sync=True)  # the class of what the live view hides
    rule = traits.RuleTrait()
    layer = traits.LayerTrait()
    time = traits.time_trait()
    neuron = traits.NeuronTrait()
    neurons = traits.NeuronsTrait()
    pixel = traits.pixel_trait()
    region = traits.region_trait()
    regions = traits.regions_trait()
    n_clusters = traits.CountTrait()
    cluster = traits.cluster_trait()
    cluster_names = traits.names_trait()
    loop = traits.loop_trait()
    knocked_out = traits.KnockedOutTrait()
    source = traits.source_trait()
    maps = traits.choice_trait("maps", "magnitude")
    overlay = traits.overlay_trait()
    channel = traits.channel_trait()
    palette = traits.palette_trait()
    opacity = traits.number_trait("opacity", 0.8)
    contrast = traits.number_trait("contrast", 1.0)
    sort = traits.choice_trait("sort", "pixel")
    playing = traits.flag_trait("playing", False)
    fps = traits.number_trait("fps", 8.0)
    trust = traits.flag_trait("trust", True)

    def __init__(
        self,
        model: Any,
        *,
        rule: str | None = None,
        device: str = "auto",
        memory: str | float = "1 GiB",
        truth: Any = None,
        **state: Any,
    ) -> None:
        self._session: Session | None = None
        self._sending = threading.RLock()
        self._reporting: int | None = None  # the thread on which a report of the page is taken
        self._set_by_page, self._followed = "", set[str]()
        _check_names(state)
        # Text, not paths: a path makes anywidget keep every widget alive for ever.
        self._esm, self._css = (bundled(name) for name in ("widget.js", "widget.css"))
        canvas = _canvas_of(model, rule, device, memory, truth)
        self._truth_given = truth is not None
        self.facts = traits.Facts.of(canvas)
        self._saved = SavedPicture(self._redraw)
        this = weakref.ref(self)
        self._session = Session(
            canvas,
            answered_by={
                "recipe": lambda arrays, body, report: cast(CanvasWidget, this())._recipe_of(arrays, body),
                "export": lambda arrays, body, report: cast(CanvasWidget, this())._export(
                    arrays, body, report
                ),
            },
        )
        try:
            first = self._opening(state)
            super().__init__(
                rule=canvas.rule, _canvas=self.facts.on_wire(), _picture=self._saved.name, **first
            )
            self.observe(self._saved.changed, list(self.VIEW))
            self.observe(self._follow, "time")
        except BaseException:
            self._session.close()
            raise

    def _opening(self, given: dict[str, Any]) -> dict[str, Any]:
        """What is shown first where it isn't given: something in every panel. In the order of `VIEW`."""
        facts = self.facts
        layer = facts.layers.find(given.get("layer", _usual_layer(facts.layers)))
        centre = (facts.size[0] // 2, facts.size[1] // 2)
        state = {"layer": layer.name, "time": facts.n_frames // 2, "pixel": centre}
        canvas = self._live.canvas
        state |= {**({} if canvas.has_model else opening.of_saved(canvas)), **given}
        if not {"neuron", "neurons"} & given.keys() and given.get("cluster", -1) == -1:
            time = view.checked_time(state["time"], facts.n_frames)
            pixel = centre if state["pixel"] is None else view.checked_pixel(state["pixel"], facts.size)

            def kept(checkpoint: Any) -> Any:
                at = None if state["pixel"] is None else pixel
                return opening.strongest_kept(self._live.arrays, layer, at, time, checkpoint)

            def strongest(checkpoint: Any) -> Ranked:
                arrays = self._live.arrays
                best = arrays.top(arrays.columns([layer], pixel, time, checkpoint), 1)[0]
                if best.magnitude or "layer" in given:
                    return best
                return arrays.top(arrays.columns(facts.layers, pixel, time, checkpoint), 1)[0]

            if not canvas.has_model:
                state["neuron"] = self._live.call(kept)
            else:
                best = self._live.call(strongest)
                state["layer"], state["neuron"] = best.layer, best.neuron
        return {name: state[name] for name in self.VIEW if name in state}

    def _follow(self, change: Any) -> None:
        region = followed(self.region, self.regions, change.new)
        if region is not self.region:  # setting it checks it anew, which costs a mask
            self.region = region

    # --- for the user ---------------------------------------------------------------------------------------

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
        return self._recipe(self.canvas, self._state())

    def _recipe(self, canvas: CanvasLike, state: dict[str, Any]) -> str:
        usual = {name: trait.default_value for name, trait in self.traits().items()}
        return recipe(canvas, state, usual, self._truth_given)

    def _recipe_of(self, arrays: Arrays, body: RecipeRequest) -> tuple[RecipeReply, bytes]:
        text = self._recipe(arrays.canvas, self._stated(arrays, body["state"]))
        return {"kind": "recipe", "text": text}, b""

    @checked
    def name_cluster(self, cluster: int, name: str) -> None:
        """Call a cluster of the current layer by a name, in every view; "" takes it away."""
        view.checked_count("cluster", cluster, 0, self.n_clusters - 1)
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
            first: ``pixel_ms``, ``overlay_ms`` and ``step_ms``, from a click on a pixel to its bars, on a neuron to
            its map, from one frame to another, each ``{"n", "p50", "p95"}`` of the last 200 that had to be asked for;
            ``playing_fps``, pictures a second on screen. ``trust`` is None or the last score, ``{"rule", "layer",
            "frame", "measured", "n_neurons", "totals", "pixels"}``: the rank correlations of ``measured`` neurons with
            ablation, each ``{"value", "low", "high"}`` or None where it is not defined.
        """
        return self._live.stats()

    def close(self) -> None:
        """Free the model, the caches and the views. The traits can still be read."""
        if self._session is not None:
            self._saved.stop()
            self._session.close()
            self._session = None
        super().close()

    def __repr__(self) -> str:
        if not hasattr(self, "facts"):
            return object.__repr__(self)
        height, width = self.facts.size
        kind = "image" if self.facts.n_frames == 1 else f"{self.facts.n_frames} frames"
        shown = ", ".join(
            f"{name}={getattr(self, name)!r}" for name in ("layer", "time", "neuron", "pixel", "rule")
        )
        closed = ", closed" if self._session is None else ""
        return f"CanvasWidget({self.facts.title}, {kind} of {height}x{width}, {shown}{closed})"

    def _ipython_display_(self, **keywords: Any) -> None:
        """The live view; below it a picture, for where no kernel runs. See `picture`."""
        bundle = self._repr_mimebundle_()
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, None)
        display(data or {"text/plain": repr(self)}, metadata=metadata, raw=True)
        if self._session is None:
            return
        session, state = self._session, self._state()
        try:
            drawn = session.call(
                lambda checkpoint: snapshot(session.under(state["rule"]), state, PICTURE, checkpoint)
            )
            self._saved.show(drawn, repr(self))
        except Exception:
            log.exception("the picture for reading without a kernel could not be drawn")

    def _redraw(self, then: Then) -> None:
        """Compute what the picture shows, when nothing else is to be done."""
        session, state, text = self._session, self._state(), repr(self)
        if session is not None:
            session.later(
                "picture",
                lambda checkpoint: snapshot(session.under(state["rule"]), state, PICTURE, checkpoint),
                lambda drawn: then(drawn, text),
            )

    def _state(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.VIEW}

    def _stated(self, arrays: Arrays, state: ViewState) -> dict[str, Any]:
        """The view that a request states, checked; `arrays` are those of its rule."""
        facts = traits.Facts.of(arrays.canvas, self.facts)
        known = self.traits()
        return traits.checked_state(state, facts, {name: known[name] for name in self.VIEW})

    @property
    def _live(self) -> Session:
        if self._session is None:
            raise RuntimeError("this CanvasWidget is closed; make a new one")
        return self._session

    # --- the rule -------------------------------------------------------------------------------------------

    def _traced_rule(self, rule: Any) -> str:
        """A rule that the model can be traced under, which is not used yet; it raises where it can't."""
        if not isinstance(rule, str):
            raise TypeError(f"rule={show(rule)}: expected a name of a rule")
        session = self._live
        return session.call(lambda checkpoint: session.under(rule).canvas.rule)

    def _use_rule(self, rule: str) -> None:
        session = self._live
        if rule == session.canvas.rule:
            return
        session.use(rule)
        self.facts = traits.Facts.of(session.canvas, self.facts)
        names = [layer.name for layer in self.facts.layers]
        self._canvas = self.facts.on_wire()
        self.cluster_names = {}  # other maps, other clusters
        if self.layer not in names:
            self.layer = _usual_layer(self.facts.layers)
            return
        if self.facts.why_no_colours[self.layer]:
            self.channel = "sum"
        if self.neuron is not None and not view.fits(self.facts.layers.find(self.layer), self.neuron):
            self.neuron = None

    # --- the page -------------------------------------------------------------------------------------------

    # Python and the page may set a trait at the same time, and each hears of the other later. Every change that the
    # page did not make has a number, which the page gets with it (`_changes`). The page tells with each trait that it
    # sets the last number that it knew (`_seen`). A report that Python's change has crossed is older than the change,
    # and is dropped.

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page sets; what can't be is logged, and the page told what is the case instead."""
        refused = []
        order = {name: place for place, name in enumerate(self.VIEW)}
        known, orphaned = self._overtaken(sync_data)
        with self.hold_sync():
            self._reporting = threading.get_ident()
            try:
                for name in sorted(sync_data.keys() - known - orphaned, key=lambda name: order.get(name, -1)):
                    value = sync_data[name]
                    try:
                        if name in order:
                            self.traits()[name]._validate(self, value)
                        elif name.startswith(("_canvas", "_changes")):
                            raise traitlets.TraitError(f"{name} is the kernel's")
                    except Exception as error:  # whatever it is, it must not end the comm
                        log.warning("the page set %s=%.200r, which was refused: %s", name, value, error)
                        refused.append(name)
                    else:
                        self._set_by_page = name
                        super().set_state({name: value})
            finally:
                followed, self._followed = self._followed, set()
                self._reporting, self._set_by_page = None, ""
            # One trait may have set another that the page sets too: what the page knows is not sent back to it.
            # One by one: a cell that runs on another thread may set traits meanwhile.
            shown = {name for name, value in sync_data.items() if self._shown(name) == value}
            for name in shown - orphaned:
                self._states_to_send.discard(name)
            self._number((followed - shown | orphaned | set(refused)) & set(self.VIEW))
        if not set(refused) <= set(self.VIEW):
            self.send_state(refused)

    def _overtaken(self, report: dict[str, Any]) -> tuple[set[str], set[str]]:
        """What of a report is older than a change from Python: of the trait itself, or of one that it was meant for.

        The page hears of the first without being told again.
        """
        seen, changes = report.get("_seen"), self._changes
        if not isinstance(seen, dict):
            return set(), set()  # not from the page's own program: another widget that is linked to a trait

        def crossed(name: str, by: str) -> bool:
            return isinstance(number := seen.get(name), int) and number < changes.get(by, 0)

        names = report.keys() & set(self.VIEW)
        known = {name for name in names if crossed(name, name)}
        if "time" in known:  # a region moves with it
            known |= {"region"} & names
        meant = {name for name in names if any(crossed(name, by) for by in self.MEANT_FOR.get(name, ()))}
        return known - meant, meant

    def _assigned(self, name: str) -> None:
        """A trait was set, by the page or by Python."""
        if self.comm is None:  # the page knows nothing yet
            return
        if threading.get_ident() != self._reporting:
            self._number({name})
        elif name != self._set_by_page:
            self._followed.add(name)

    def _number(self, names: set[str]) -> None:
        """Number changes that the page did not make, and send them; within `hold_sync`."""
        if names:
            with self._sending:
                number = 1 + max(self._changes.values(), default=0)
                self._changes = {**self._changes, **dict.fromkeys(names, number)}
                self._states_to_send.update(names)

    # A cell and the page may set traits on two threads. What is read to be sent is sent before anyone reads again, so
    # that the page's last value is the kernel's. Nobody's callback runs under this lock.

    def send_state(self, key: Any = None) -> None:
        """Send some traits, as they are now, to the page."""
        with self._sending:
            super().send_state(key)

    def _should_send_property(self, key: str, value: Any) -> bool:
        with self._sending:
            return super()._should_send_property(key, value)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send what is set inside at the end, in one message."""
        with ExitStack() as end, super().hold_sync():
            try:
                yield
            finally:
                end.enter_context(self._sending)

    def _shown(self, name: str) -> Any:
        """A trait's value as the page has it."""
        return self.get_state([name]).get(name) if name in self.VIEW else None

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        if self._session is not None:
            self._session.handle(content, _Post(self))
        super()._handle_custom_msg(content, buffers)


class _Post:
    """Takes answers from the worker's thread to the page, on the loop that the request came on."""

    def __init__(self, widget: CanvasWidget) -> None:
        self._widget = weakref.ref(widget)
        self._context = contextvars.copy_context()  # says which message is answered
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None

    def __call__(self, message: FromKernel, buffers: Buffers) -> None:
        if self._loop is None:
            self._send(message, buffers)
            return
        try:
            self._loop.call_soon_threadsafe(self._send, message, buffers, context=self._context)
        except RuntimeError:
            log.debug("an answer came after the event loop had ended")

    def _send(self, message: FromKernel, buffers: Buffers) -> None:
        widget = self._widget()
        if widget is not None and widget.comm is not None:
            widget.send(*made(message, buffers))


def _usual_layer(layers: Layers) -> str:
    """Name the layer before the last: its maps are cheap, and of more than colours."""
    return layers[max(0, len(layers) - 2)].name


def _check_names(state: dict[str, Any]) -> None:
    known = ("device", "memory", "truth", *CanvasWidget.VIEW)
    for name in state:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TypeError(f"CanvasWidget has no option {name!r}{hint} It takes {', '.join(sorted(known))}")


def _canvas_of(model: Any, rule: str | None, device: str, memory: str | float, truth: Any) -> CanvasLike:
    if isinstance(model, CanvasLike):
        if (device, memory, truth) != ("auto", "1 GiB", None):
            raise ValueError("device, memory and truth are of the canvas that was given; leave them out here")
        if rule is None or rule == model.rule:
            return model
        return model.under(rule)
    return trace(with_truth(model, truth), rule, device, memory)


def with_truth(model: Any, truth: Any) -> INR:
    """The INR of a model, with the signal itself where it is given."""
    if truth is None:
        return as_inr(model)
    if not isinstance(model, INR):
        return as_inr(model, truth=truth)
    checked = INR(model.module, model.inputs, model.size, model.n_frames, truth=truth)
    inr = copy(model)
    inr.truth = checked.truth
    return inr
