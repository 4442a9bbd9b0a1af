"""What leaves the notebook: figures, pages, data and films of the current view."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from matplotlib.figure import Figure

from canvaswidget.arguments import checked, checked_index
from canvaswidget.exports import animation, data
from canvaswidget.exports.page import write_page
from canvaswidget.exports.plan import (
    PageEstimate,
    Plan,
    checked_frames,
    checked_wishes,
    plan_page,
)
from canvaswidget.exports.snapshot import PICTURE, snapshot
from canvaswidget.files import write_whole
from canvaswidget.kernel import view
from canvaswidget.kernel.arrays import Arrays
from canvaswidget.kernel.message_parts import ViewState
from canvaswidget.kernel.messages import FromKernel
from canvaswidget.kernel.requests.export import Drawing, ExportRequest
from canvaswidget.kernel.session import Buffers, Session, one_line
from canvaswidget.plotting import figures
from canvaswidget.progress import steps
from canvaswidget.tracing import CanvasLike
from canvaswidget.widget.traits import Facts, on_wire

log = logging.getLogger(__name__)

PAGE = ".html"
LIMITS = ("shared", "own")
DATA_FORMS = ("npz", "csv")


class Leaving:
    """The methods of `CanvasWidget` that write."""

    VIEW: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        facts: Facts

        @property
        def _live(self) -> Session: ...
        def _state(self) -> dict[str, Any]: ...
        def _stated(self, arrays: Arrays, state: ViewState) -> dict[str, Any]: ...
        def _recipe(self, canvas: CanvasLike, state: dict[str, Any]) -> str: ...
        def traits(self, **metadata: Any) -> dict[str, Any]: ...

        fps: Any

    @checked
    def figure(
        self,
        panels: str | Sequence[str] | None = None,
        width: float = 6.6,
        columns: int | None = None,
        limits: str = "shared",
        frames: Any = None,
        *,
        progress: bool | Callable[[int, int], None] = True,
    ) -> Figure:
        """The current view for a paper, drawn from the arrays, not from the screen.

        Parameters
        ----------
        panels : sequence of str, optional
            Some of ``"frame"``; ``"pixel"``, ``"maps"`` and ``"shares"``, the pinned pixel's neurons, their maps, and
            how many make it; ``"neurons"``, the first of the layer as they are sorted; ``"time"``; ``"scatter"``. All
            but the last by default, where they have anything to show; time is then followed for one neuron only.
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
        progress : bool or callable
            A bar where it takes longer than 2 s, or ``progress(done, total)``, which may raise to stop.

        Examples
        --------
        >>> w.figure(["frame", "pixel"], width=3.3).savefig("view.pdf")  # doctest: +SKIP
        """
        view.checked_choice("limits", limits, LIMITS)
        chosen = figures.checked_panels(panels) or None
        figures.checked_columns(columns, width)
        followed = _followed(self._live.arrays, frames)
        with steps("figure", "it", progress) as counted:
            drawn = self._drawn(chosen, limits == "shared", followed, counted.report)
        return figures.view_figure(drawn, width, chosen, columns)

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
        progress : bool or callable
            A progress bar, or ``progress(done, total)``, which may raise to stop.

        Returns
        -------
        PageEstimate or None
            Of a page, what it takes.
        """
        page = {"layers": layers, "frames": frames, "neurons": neurons, "budget": budget}
        drawing: dict[str, Any] = {"panels": panels, "width": width, "columns": columns, "limits": limits}
        if Path(path).suffix.lower() == PAGE:
            _check_unused(path, "a figure", {**drawing, "dpi": dpi})
            return self._save_page(Path(path), page, progress)
        _check_unused(path, "a page", {name: value for name, value in page.items() if name != "frames"})
        figures.check_path(path)
        drawing["frames"] = frames
        given = {name: value for name, value in drawing.items() if value is not None}
        figure = self.figure(**given, progress=progress)
        figures.save(figure, path, 300 if dpi is None else dpi)
        return None

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
        path, form = _checked_file(path, DATA_FORMS)
        view.checked_choice("table", table, data.TABLES)
        session, state = self._live, self._state()
        self._write(
            path, lambda report: _data(session.under(state["rule"]), state, form, table, report), progress
        )

    @checked
    def film(
        self,
        path: str | Path,
        first: int = 0,
        last: int = -1,
        fps: float | None = None,
        *,
        progress: bool | Callable[[int, int], None] = True,
    ) -> None:
        """Write the frame view as a film, MP4 or GIF as the name ends: the selection's contribution on one scale.

        Parameters
        ----------
        path : str or Path
        first, last : int
            Frames, both included.
        fps : float, optional
            Frames a second; what the widget plays at by default.
        """
        path, form = _checked_file(path, animation.FORMS)
        span = self._span(first, last, self.fps if fps is None else view.checked_number("fps", fps))
        session, state = self._live, self._state()
        self._write(
            path,
            lambda report: animation.film(session.under(state["rule"]), state, span, form, report),
            progress,
        )

    def _write(self, path: Path, make: Callable[[Any], bytes], progress: Any) -> None:
        with steps(path.name, "it", progress) as counted:

            def work(checkpoint: Any) -> bytes:
                def told(done: int = 0, total: int = 0) -> None:
                    checkpoint(done, total)
                    if total:
                        counted.report(done, total)

                return make(told)

            write_whole(path, self._live.call(work))

    def _span(self, first: Any, last: Any, fps: float) -> animation.Range:
        count = self.facts.n_frames
        span = animation.Range(checked_index("first", first, count), checked_index("last", last, count), fps)
        if span.first > span.last:
            raise ValueError(f"first={first}, last={last}: expected the first frame not to be after the last")
        return span

    def _export(self, arrays: Arrays, body: ExportRequest, report: Any) -> Any:
        """What the page's menu asks for."""
        form, state = body["form"], self._stated(arrays, body["state"])
        span = self._span(body["first"], body["last"], state["fps"])
        answer = {"kind": "export", "name": f"{_file_name(self.facts.title, state)}.{form}"}
        if form in animation.FORMS:
            return answer, animation.film(arrays, state, span, form, report)
        if form in DATA_FORMS:
            table = view.checked_choice("table", body["table"], data.TABLES)
            return answer, _data(arrays, state, form, table, report)
        panels = figures.checked_panels(body["panels"] or None) or None
        shown = snapshot(arrays, state, panels, report, one_scale=True)
        return answer, Drawing(shown, panels, form)

    @checked(neurons=None)
    def estimate_page(
        self,
        layers: Any = None,
        frames: Any = None,
        neurons: Any = None,
        budget: str | float = "10 MB",
        progress: bool | Callable[[int, int], None] = True,
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

        Raises
        ------
        ValueError
            Even the coarsest page would be larger than the budget; it says what to leave out.
        """
        page = {"layers": layers, "frames": frames, "neurons": neurons, "budget": budget}
        state = self._state()
        return self._plan(self._arrays_of(state), state, page, progress).estimate

    def _arrays_of(self, state: dict[str, Any]) -> Arrays:
        session = self._live
        return session.call(lambda checkpoint: session.under(state["rule"]))

    def _plan(self, arrays: Arrays, state: dict[str, Any], page: dict[str, Any], progress: Any) -> Plan:
        wishes = checked_wishes(arrays, **{**page, "budget": page["budget"] or "10 MB"})
        return plan_page(self._live, arrays, state, wishes, progress)

    def _save_page(self, path: Path, page: dict[str, Any], progress: Any) -> PageEstimate:
        _checked_file(path, ("html",))
        # All of the page is of one state and its rule, whatever is chosen while it is being made.
        state = self._state()
        arrays = self._arrays_of(state)
        shown = self._drawn(PICTURE, False, state=state)
        info = Facts.of(arrays.canvas, self.facts).on_wire()
        text = self._recipe(arrays.canvas, state)
        plan = self._plan(arrays, state, page, progress)
        wire = on_wire(self, state)
        return write_page(path, self._live, arrays, plan, wire, info, text, shown, progress)

    def _drawn(
        self,
        panels: Sequence[str] | None,
        one_scale: bool,
        frames: Sequence[int] | None = None,
        told: Callable[[int, int], None] | None = None,
        state: dict[str, Any] | None = None,
    ) -> figures.View:
        session, state = self._live, self._state() if state is None else state

        def work(checkpoint: Any) -> figures.View:
            def report(done: int = 0, total: int = 0) -> None:
                checkpoint(done, total)
                if told is not None and total:
                    told(done, total)

            return snapshot(session.under(state["rule"]), state, panels, report, one_scale, frames)

        return session.call(work)


def _followed(arrays: Arrays, frames: Any) -> list[int] | None:
    """The frames of a curve of time; None for a sample."""
    if frames is None:
        return None
    if isinstance(frames, str):
        if frames != "all":
            raise ValueError(f"frames={frames!r}: expected a range or a list of frames, 'all', or None")
        return list(arrays.kept_frames())
    return list(checked_frames(arrays.n_frames, frames))


def made(message: FromKernel, buffers: Buffers) -> tuple[FromKernel, list[bytes]]:
    """A reply whose figure is still to be drawn; what goes wrong is the reply then."""
    try:
        return message, [part.file() if isinstance(part, Drawing) else part for part in buffers]
    except Exception as error:
        log.exception("a file of the view could not be made")
        return {"type": "error", "id": message["id"], "message": one_line(error)}, []


def _data(arrays: Arrays, state: dict[str, Any], form: str, table: str, report: Any) -> bytes:
    if form == "npz":
        return data.npz(data.arrays_of(arrays, state, report))
    return data.table(arrays, state, table, report)


def _checked_file(path: str | Path, forms: Sequence[str]) -> tuple[Path, str]:
    path = Path(path)
    form = path.suffix.lower().lstrip(".")
    if form not in forms:
        raise ValueError(
            f"path={str(path)!r}: expected a name that ends in {', '.join(f'.{f}' for f in forms)}"
        )
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
    return path, form


def _file_name(title: str, state: dict[str, Any]) -> str:
    name = re.sub(r"[^\w.-]+", "_", f"{title} {state['layer']} frame {state['time']}").strip("_")
    return name[:80] or "canvas"


def _check_unused(path: str | Path, what: str, options: dict[str, Any]) -> None:
    """Raise TypeError for options that would be passed over."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise TypeError(f"path={str(path)!r}: {', '.join(given)} would be of {what}, which this is not")
