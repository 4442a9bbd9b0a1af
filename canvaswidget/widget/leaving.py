"""What leaves the notebook: figures and pages of the current view."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from matplotlib.figure import Figure

from canvaswidget import export, figures
from canvaswidget.export_plan import PageEstimate, Plan, checked_wishes, plan_page
from canvaswidget.widget import view
from canvaswidget.widget.session import Session
from canvaswidget.widget.snapshot import PICTURE, snapshot
from canvaswidget.widget.traits import Facts

PAGE = ".html"
LIMITS = ("shared", "own")


class Leaving:
    """The methods of `CanvasWidget` that write."""

    VIEW: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        facts: Facts

        @property
        def _live(self) -> Session: ...
        def _state(self) -> dict[str, Any]: ...
        def recipe(self) -> str: ...
        def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]: ...

    def figure(
        self,
        panels: str | Sequence[str] | None = None,
        width: float = 6.6,
        columns: int | None = None,
        limits: str = "shared",
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
            Whether all maps of neurons have one scale and a colour bar, or each its own.

        Examples
        --------
        >>> w.figure(["frame", "pixel"], width=3.3).savefig("view.pdf")  # doctest: +SKIP
        """
        view.checked_choice("limits", limits, LIMITS)
        chosen = figures.checked_panels(panels) or None
        figures.checked_columns(columns, width)
        return figures.view_figure(self._drawn(chosen, limits == "shared"), width, chosen, columns)

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
        layers, frames, neurons, budget
            Of a page; see `estimate_page`.
        progress : bool or callable
            Of a page: a progress bar, or ``progress(done, total)``, which may raise to stop.

        Returns
        -------
        PageEstimate or None
            Of a page, what it takes.
        """
        page = {"layers": layers, "frames": frames, "neurons": neurons, "budget": budget}
        drawing = {"panels": panels, "width": width, "columns": columns, "limits": limits}
        if Path(path).suffix.lower() == PAGE:
            _check_unused(path, "a figure", {**drawing, "dpi": dpi})
            return self._save_page(Path(path), page, progress)
        _check_unused(path, "a page", page)
        figures.check_path(path)
        figure = self.figure(**{name: value for name, value in drawing.items() if value is not None})
        figures.save(figure, path, 300 if dpi is None else dpi)
        return None

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
        return self._plan(
            {"layers": layers, "frames": frames, "neurons": neurons, "budget": budget}, progress
        ).estimate

    def _plan(self, page: dict[str, Any], progress: Any) -> Plan:
        wishes = checked_wishes(self._live, **{**page, "budget": page["budget"] or "10 MB"})
        return plan_page(self._live, self._state(), wishes, progress)

    def _save_page(self, path: Path, page: dict[str, Any], progress: Any) -> PageEstimate:
        if not path.parent.is_dir():
            raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
        state, shown, info = (
            self.get_state(list(self.VIEW)),
            self._drawn(PICTURE, False),
            self.facts.on_wire(),
        )
        plan = self._plan(page, progress)
        return export.write_page(path, self._live, plan, state, info, self.recipe(), shown, progress)

    def _drawn(self, panels: Sequence[str] | None, one_scale: bool) -> figures.View:
        session, state = self._live, self._state()
        return session.call(lambda report: snapshot(session.arrays, state, panels, report, one_scale))


def _check_unused(path: str | Path, what: str, options: dict[str, Any]) -> None:
    """Raise TypeError for options that would be passed over."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise TypeError(f"path={str(path)!r}: {', '.join(given)} would be of {what}, which this is not")
