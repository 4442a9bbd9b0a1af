"""A view that is alive: a session computes what it shows, a page asks for it, and a picture stands in for the page."""

from __future__ import annotations

import difflib
import logging
import weakref
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import traitlets
from IPython.display import display

from canvaswidget.arguments import show
from canvaswidget.bundle import bundled
from canvaswidget.error_text import one_line
from canvaswidget.exports.export_file import export_file
from canvaswidget.exports.fallback_image import FallbackImage
from canvaswidget.exports.figure_data import PICTURE, figure_data
from canvaswidget.exports.view import ExportedView
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.message_parts import RunKey, ViewState
from canvaswidget.kernel.requests.export import ExportRequest
from canvaswidget.kernel.requests.recipe import RecipeReply, RecipeRequest
from canvaswidget.kernel.session import Session
from canvaswidget.progress import Report
from canvaswidget.runs import RunError, Runs
from canvaswidget.widget import traits
from canvaswidget.widget.carried_over import carried_over
from canvaswidget.widget.initial_state import initial_state, strongest_neuron
from canvaswidget.widget.known_runs import KnownRuns
from canvaswidget.widget.model import canvas_of, check_given
from canvaswidget.widget.page_comm import AnswersPage
from canvaswidget.widget.view_traits import ViewTraits

log = logging.getLogger(__name__)


class LiveView(ViewTraits):
    """The traits of a view, with the session behind them; `CanvasWidget` adds what its user calls."""

    _canvas = traitlets.Dict().tag(sync=True)
    _compared = traitlets.Dict().tag(sync=True)
    _runs = traitlets.List().tag(sync=True)
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
        run, runs = state.pop("run", None), model if isinstance(model, Runs) else None
        self._known_runs = KnownRuns(runs)
        if runs is None:
            run = self._known_runs.checked(run)
            canvas = canvas_of(model, rule, device, memory, truth)
        else:
            check_given(device, memory, truth)
            run, canvas = self._known_runs.first(run, rule)
        self._truth_given = truth is not None
        self.facts = self._known_runs.facts(run, canvas)
        self._fallback = FallbackImage(self._redraw)
        this = weakref.ref(self)
        self._session = Session(
            canvas,
            runs=runs,
            run=run,
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
                run=run,
                rule=canvas.rule,
                _canvas=self.facts.on_wire(),
                _runs=self._known_runs.on_wire(),
                _picture=self._fallback.name,
                **first,
            )
            if runs is not None:
                runs.watch(self._refreshed)
            self.observe(self._fallback.changed, list(self.VIEW))
            self.observe(self._follow, "time")
            self.observe(self._turn, ["pixel", "region"])
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
                lambda checkpoint: figure_data(
                    session.of(state["run"], state["rule"]), state, PICTURE, checkpoint
                )
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
                lambda checkpoint: figure_data(
                    session.of(state["run"], state["rule"]), state, PICTURE, checkpoint
                ),
                lambda drawn: fallback.replace(drawn, text),
            )

    # --- run and rule ---------------------------------------------------------------------------------------

    def _checked_rule(self, rule: Any) -> str:
        """A rule that the model can be traced under, which is not used yet; it raises where it can't."""
        if not isinstance(rule, str):
            raise TypeError(f"rule={show(rule)}: expected a name of a rule")
        session = self._live
        if self.compare is not None:
            session.call(lambda checkpoint: session.of(self.compare, rule))
        return session.call(lambda checkpoint: session.of(self.facts.run, rule).canvas.rule)

    def _use_rule(self, rule: str) -> None:
        if rule != self.facts.rule:
            self._show(self.facts.run, rule)

    def _checked_run(self, run: Any, name: str = "run") -> RunKey:
        """The key of a run that can be shown; it raises where it can't."""
        known, session = self._known_runs, self._live
        key = known.checked(run, name)
        # The page follows to a run that is like the last without waiting, and its requests say what is wrong with it.
        if key != self.facts.run and not (self._is_report and known.alike(key, self.facts)):
            rule = self.facts.rule
            try:
                session.call(lambda checkpoint: session.of(key, rule))
            except RunError:
                self._runs = known.on_wire()
                raise
        return key

    def _use_run(self, run: RunKey) -> None:
        if run != self.facts.run:
            self._show(run, self.facts.rule)
            self._runs = self._known_runs.on_wire()

    def _compare_with(self, run: RunKey) -> None:
        """Tell the page what the second run is."""
        self._compared = (
            {} if run is None else self._facts_of(run, self.facts.rule).on_wire(beside=self.facts.layers)
        )
        self._runs = self._known_runs.on_wire()

    def _compare_again(self) -> str:
        """Compare the second run with another first one; where it can't be made any more, say so and let it go."""
        if self.compare is None:
            return ""
        try:
            self._compare_with(self.compare)
        except (KeyError, RunError) as error:
            self.compare = None
            return f"nothing is compared: {one_line(error)}"
        return ""

    def _facts_of(self, run: RunKey, rule: str) -> Facts:
        session, known = self._live, self._known_runs
        return session.call(lambda checkpoint: known.facts(run, session.of(run, rule).canvas))

    def _show(self, run: RunKey, rule: str) -> None:
        """Make a run and a rule the ones that are shown; what of the view can't stay is changed."""
        session, known = self._live, self._known_runs
        alike = known.alike(run, self.facts) if rule == self.facts.rule else None
        facts = alike or self._facts_of(run, rule)
        changes, notice = carried_over(self._state(), self.facts, facts)
        session.use(rule, run)
        self.facts = facts
        notices = [notice, self._compare_again()]
        self._canvas = facts.on_wire("; ".join(filter(None, notices)))
        self.cluster_names = {}  # other maps, other clusters
        for name, value in changes.items():
            setattr(self, name, value)
        if changes.get("neurons") == () and run is not None:
            self._select_strongest(session)

    def _select_strongest(self, session: Session) -> None:
        """Select the neuron that contributes most to the pixel, in place of one that the run has not."""
        layer, pixel, time = self.facts.layers.find(self.layer), self.pixel, self.time
        neuron = session.call(
            lambda checkpoint: strongest_neuron(session.cached, layer, pixel, time, checkpoint)
        )
        if neuron is not None:
            self.set_trait("neuron", neuron)

    def _refreshed(self, changed: list[Any]) -> None:
        """The runs were looked for again: those whose weights changed are computed anew."""
        session, known = self._session, self._known_runs
        if session is None:
            return
        known.changed(changed)

        def forget(checkpoint: Any) -> None:
            for run in changed:
                session.forget(run)

        session.call(forget)
        with self._setting, self.hold_sync():
            self._runs = known.on_wire()
            if self.compare is not None and not known.has(self.compare):
                self.compare = None
            if self.facts.run in changed:
                self._show(self.facts.run, self.facts.rule)
            elif not known.has(self.facts.run):
                self._leave_run()

    def _leave_run(self) -> None:
        """The run that is shown is not there any more: show the one that a new widget would begin with."""
        with suppress(RunError):  # if none can be made, requests say why
            self.run, _ = self._known_runs.first(None, None)

    # --- the page -------------------------------------------------------------------------------------------

    def _handle_custom_msg(self, content: Any, buffers: Any) -> None:
        if self._session is not None:
            self._session.handle(content, AnswersPage(self))
        super()._handle_custom_msg(content, buffers)

    # --- exports ---------------------------------------------------------------------------------------------

    def _exported(self) -> ExportedView:
        """The view as it is now."""
        state, defaults = self._state(), {name: trait.default_value for name, trait in self.traits().items()}
        wire, known = traits.on_wire(self, state), self._known_runs
        return ExportedView(
            self._live, self.facts, state, wire, defaults, self._truth_given, known.runs, known.on_wire()
        )

    def _answer_recipe(self, cached: CachedCanvas, body: RecipeRequest) -> tuple[RecipeReply, bytes]:
        return {"kind": "recipe", "text": self._as_stated(cached, body["state"]).recipe(cached.canvas)}, b""

    def _answer_export(self, cached: CachedCanvas, body: ExportRequest, report: Report) -> Any:
        return export_file(self._as_stated(cached, body["state"]), cached, body, report)

    def _as_stated(self, cached: CachedCanvas, given: ViewState) -> ExportedView:
        """The view that a request states, whatever the widget's own is by now."""
        state = self._stated(cached.canvas, given)
        facts = self._known_runs.facts(state["run"], cached.canvas)
        return replace(self._exported(), state=state, wire=traits.on_wire(self, state), facts=facts)


def _check_names(state: dict[str, Any], view: tuple[str, ...]) -> None:
    known = ("device", "memory", "truth", *view)
    for name in state:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
            raise TypeError(f"CanvasWidget has no option {name!r}{hint} It takes {', '.join(sorted(known))}")
