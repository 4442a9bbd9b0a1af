"""What tests need from outside the repository, and what happens where it is absent.

Tests that need a browser or the reference data skip where there is none, and the end of the run says so. What
`CANVASWIDGET_REQUIRE` names (comma-separated: `browser`, `reference`, `hosts`) must be there: its absence fails.
"""

from __future__ import annotations

import gc
import io
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # several processes: threads of torch in each would fight for the cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from matplotlib.figure import Figure

import canvaswidget as cw

# How many random models the tests of the tracer draw.
settings.register_profile("few", max_examples=3, deadline=None)
settings.register_profile("many", max_examples=15, deadline=None)
settings.load_profile("few")

ROOT = Path(__file__).resolve().parent.parent
HELP = {
    "browser": "install Chromium or Chrome, or set CANVASWIDGET_BROWSER to the program",
    "hosts": "make test-hosts installs them",
    "reference": "set CANVASWIDGET_REFERENCE to the folder",
}


# Whole files go to the processes, in this order: what takes longest first, so that all end at about the same time.
LONGEST = ("browser", "test_notebooks", "test_every_kind", "test_packaging", "reporting", "tracing", "cli")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is imported and collected lasts: looking for garbage in it is an eighth of what all tests cost."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        parts = item.path.with_suffix("").relative_to(ROOT).parts
        return min((place for place, name in enumerate(LONGEST) if name in parts), default=len(LONGEST))

    items.sort(key=place)


def required(what: str) -> bool:
    """Whether `CANVASWIDGET_REQUIRE` names it."""
    return what in os.environ.get("CANVASWIDGET_REQUIRE", "").replace(" ", "").split(",")


def absent(what: str, why: str) -> NoReturn:
    """Skip the test for want of something, or fail it where that is required."""
    if required(what):
        pytest.fail(f"{why}, and CANVASWIDGET_REQUIRE asks for it ({HELP[what]})", pytrace=False)
    pytest.skip(f"{why} ({HELP[what]})")


def find_reference() -> Path | None:
    """The folder with the reference data."""
    named = os.environ.get("CANVASWIDGET_REFERENCE")
    folder = Path(named) if named else ROOT.parent / "shared" / "reference"
    return folder if (folder / "README.md").is_file() else None


@pytest.fixture
def reference() -> Path:
    """The folder with models and maps computed with the released research code."""
    folder = find_reference()
    if folder is None:
        absent("reference", "no reference data")
    return folder


@pytest.fixture
def unbuilt(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's side alone: the page need not be built."""
    monkeypatch.setattr("canvaswidget.widget.live_view.bundled", lambda name: f"/* {name} */")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made but not drawn, for tests of the files around them: drawing is most of what a report costs."""

    def save(self: Figure, path: Path | io.BytesIO, **_: Any) -> None:
        path.write(b"") if isinstance(path, io.BytesIO) else path.write_bytes(b"%PDF")

    monkeypatch.setattr(Figure, "draw_without_rendering", lambda self: None)
    monkeypatch.setattr(Figure, "savefig", save)


@pytest.fixture
def widgets() -> Iterator[Callable[..., cw.CanvasWidget]]:
    """Makes widgets, and closes them in the end."""
    made: list[cw.CanvasWidget] = []

    def make(model: Any, **keywords: Any) -> cw.CanvasWidget:
        made.append(cw.CanvasWidget(model, **keywords))
        return made[-1]

    yield make
    for one in made:
        one.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # From the reports, which come from every process; what a process knows is its own.
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    for what in sorted(HELP):
        count = sum(HELP[what] in reason for reason in skipped)
        if not count:
            continue
        tests = "test was" if count == 1 else "tests were"
        terminalreporter.write_line(f"{count} {what} {tests} skipped: {HELP[what]}", yellow=True, bold=True)
