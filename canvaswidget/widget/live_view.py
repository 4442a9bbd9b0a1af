"""A view that is alive: a session computes what it shows, a page asks for it, and a picture stands in for the page."""

from __future__ import annotations

import difflib
import logging
import weakref
from dataclasses import replace
from typing import Any, cast

import traitlets
from IPython.display import display

from canvaswidget.arguments import show
from canvaswidget.bundle import bundled
from canvaswidget.exports.export_file import export_file
from canvaswidget.exports.fallback_image import FallbackImage
from canvaswidget.exports.figure_data import PICTURE, figure_data
from canvaswidget.exports.view import ExportedView
from canvaswidget.kernel import view_checks
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.requests.export import ExportRequest
from canvaswidget.kernel.requests.recipe import RecipeReply, RecipeRequest
from canvaswidget.kernel.session import Session
from canvaswidget.progress import Report
from canvaswidget.widget import traits
from canvaswidget.widget.initial_state import initial_state, usual_layer
from canvaswidget.widget.model import canvas_of
from canvaswidget.widget.page_comm import AnswersPage
from canvaswidget.widget.view_traits import ViewTraits

log = logging.getLogger(__name__)


class LiveView(ViewTraits):
    """The traits of a view, with the session behind them; `CanvasWidget` adds what its user calls."""

    _canvas = traitlets.Dict().tag(sync=True)
    _picture = traitlets.Unicode().tag(sync=True)  # the class of what the live view hides

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
        _check_names(state, self.VIEW)
        # Text, not paths: a path makes anywidget keep every widget alive for ever.
        self._esm, self._css = (bundled(name) for name in ("widget.js", "widget.css"))
        canvas = canvas_of(model, rule, device, memory, truth)
        self._truth_given = truth is not None
        self.facts = Facts.of(canvas)
        self._fallback = FallbackImage(self._redraw)
        this = weakref.ref(self)
        self._session = Session(
            canvas,
            answered_by={
                "recipe": lambda cached, body, report: cast(LiveView, this())._answer_recipe(cached, body),
                "export": lambda cached, body, report: cast(LiveView, this())._answer_export(
                    cached, body, report
                ),
            },
        )
        try:
            first = self._ordered(initial_state(self._session, self.facts, state))
            super().__init__(
                rule=canvas.rule, _canvas=self.facts.on_wire(), _picture=self._fallback.name, **first
            )
            self.observe(self._fallback.changed, list(self.VIEW))
            self.observe(self._follow, "time")
        except BaseException:
            self._session.close()
            raise

    def close(self) -> None:
        """Free the model, the caches and the views. The traits can still be read."""
        if self._session is not None:
            self._fallback.stop()
            self._session.close()
            self._session = None
        super().close()

    @property
    def _live(self) -> Session:
        if self._session is None:
            raise RuntimeError("this CanvasWidget is closed; make a new one")
        return self._session

    # --- the picture -----------------------------------------------------------------------------------------

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
                lambda checkpoint: figure_data(session.under(state["rule"]), state, PICTURE, checkpoint)
            )
            self._fallback.show(drawn, repr(self))
        except Exception:
            log.exception("the picture for reading without a kernel could not be drawn")

    def _redraw(self) -> None:
        """Compute what the picture shows, when nothing else is to be done."""
        session, fallback, state, text = self._session, self._fallback, self._state(), repr(self)
        if session is not None:
            session.later(
                "picture",
                lambda checkpoint: figure_data(session.under(state["rule"]), state, PICTURE, checkpoint),
                lambda drawn: fallback.replace(drawn, text),
            )

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
        self.facts = Facts.of(session.canvas, self.facts)
        names = [layer.name for layer in self.facts.layers]
        self._canvas = self.facts.on_wire()
        self.cluster_names = {}  # other maps, other clusters
        if self.layer not in names:
            self.layer = usual_layer(self.facts.layers)
            return
        if self.facts.why_no_colours[self.layer]:
            self.channel = "sum"
        if self.neuron is not None and not view_checks.fits(self.facts.layers.find(self.layer), self.neuron):
            self.neuron = None

    # --- the page -------------------------------------------------------------------------------------------

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        if self._session is not None:
            self._session.handle(content, AnswersPage(self))
        super()._handle_custom_msg(content, buffers)

    # --- exports ---------------------------------------------------------------------------------------------

    def _exported(self) -> ExportedView:
        """The view as it is now."""
        state, defaults = self._state(), {name: trait.default_value for name, trait in self.traits().items()}
        return ExportedView(
            self._live, self.facts, state, traits.on_wire(self, state), defaults, self._truth_given
        )

    def _answer_recipe(self, cached: CachedCanvas, body: RecipeRequest) -> tuple[RecipeReply, bytes]:
        stated = replace(self._exported(), state=self._stated(cached.canvas, body["state"]))
        return {"kind": "recipe", "text": stated.recipe(cached.canvas)}, b""

    def _answer_export(self, cached: CachedCanvas, body: ExportRequest, report: Report) -> Any:
        return export_file(cached, self._stated(cached.canvas, body["state"]), body, report)


def _check_names(state: dict[str, Any], view: tuple[str, ...]) -> None:
    known = ("device", "memory", "truth", *view)
    for name in state:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TypeError(f"CanvasWidget has no option {name!r}{hint} It takes {', '.join(sorted(known))}")
