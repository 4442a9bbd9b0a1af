"""The view that is exported: what the widget shows at one moment, whatever is chosen while the file is being made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from canvaswidget.exports.recipe import recipe
from canvaswidget.files import write_whole
from canvaswidget.kernel.cached_canvas import CachedCanvas
from canvaswidget.kernel.facts import Facts
from canvaswidget.kernel.message_parts import RunInfo
from canvaswidget.kernel.session import Session
from canvaswidget.progress import Progress, Report, steps
from canvaswidget.runs import Runs
from canvaswidget.tracing import CanvasLike

T = TypeVar("T")


@dataclass(frozen=True)
class ExportedView:
    """What every export is made of.

    Attributes
    ----------
    session : Session
        Computes it.
    facts : Facts
        Of the canvas under the widget's rule.
    state, wire : dict
        The widget's traits by name; and the same as messages have them.
    defaults : dict
        Of the traits.
    truth_given : bool
        Whether the truth came to the widget and not with the model.
    runs : Runs, optional
        The networks that the widget shows one at a time.
    known_runs : sequence of RunInfo
        The same as the page has them.
    """

    session: Session
    facts: Facts
    state: dict[str, Any]
    wire: dict[str, Any]
    defaults: dict[str, Any]
    truth_given: bool
    runs: Runs | None = None
    known_runs: Sequence[RunInfo] = ()

    def compute(self, work: Callable[[CachedCanvas, Report], T], report: Report | None = None) -> T:
        """What ``work(cached, report)`` returns, on the worker's thread; `cached` are those of its run and rule."""

        def job(checkpoint: Any) -> T:
            def reported(done: int = 0, total: int = 0) -> None:
                checkpoint(done, total)
                if report is not None and total:
                    report(done, total)

            return work(self.session.of(self.state["run"], self.state["rule"]), reported)

        return self.session.call(job)

    def write(self, path: Path, work: Callable[[CachedCanvas, Report], bytes], progress: Progress) -> None:
        """Write what `work` returns, at once or not at all."""
        with steps(path.name, "it", progress) as counted:
            write_whole(path, self.compute(work, counted.report))

    def cached(self) -> CachedCanvas:
        """Those of the view's run and rule."""
        return self.compute(lambda cached, report: cached)

    def recipe(self, canvas: CanvasLike) -> str:
        """Python that makes the view again."""
        return recipe(canvas, self.state, self.defaults, self.truth_given, self.runs)


def checked_file(path: str | Path, forms: tuple[str, ...]) -> tuple[Path, str]:
    """The path, and how its name ends."""
    path = Path(path)
    form = path.suffix.lower().lstrip(".")
    if form not in forms:
        raise ValueError(
            f"path={str(path)!r}: expected a name that ends in {', '.join(f'.{f}' for f in forms)}"
        )
    if not path.parent.is_dir():
        raise ValueError(f"path={str(path)!r}: there is no folder {str(path.parent)!r}")
    return path, form
