"""Servers, a browser and notebooks for the tests that see what a user sees."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path

import nbformat
import pytest
from filelock import FileLock
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect

import canvaswidget as cw
from tests.browser.page import CLOSE_WIDGETS, FIND_WIDGET, TIMEOUT, NotebookPage, Traffic
from tests.browser.saved_page import LAYER
from tests.conftest import ROOT, absent
from tools.browser import opened_browser
from tools.server import App, JupyterServer

expect.set_options(timeout=TIMEOUT)  # nothing here is wrong because it is slow

RESULTS = ROOT / "test-results"
Opener = Callable[..., NotebookPage]
FAILED = pytest.StashKey[bool]()
VIEWPORT = ViewportSize(width=1400, height=1000)


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="package")  # no longer: while Playwright is open, this thread has a running event loop
def _browser() -> Iterator[Browser | None]:
    with opened_browser() as browser:
        yield browser


@pytest.fixture
def browser(_browser: Browser | None) -> Browser:
    if _browser is None:
        absent("browser", "no browser")
    return _browser


def _server(app: App, factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    home = factory.mktemp(app)
    (home / "files").mkdir()
    with JupyterServer(home / "files", home / "jupyter", app) as server:
        yield server


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    yield from _server("lab", tmp_path_factory)


@pytest.fixture(scope="session")
def notebook_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    yield from _server("notebook", tmp_path_factory)


@pytest.fixture(params=["lab", pytest.param("notebook", marks=pytest.mark.repeats)])
def server(request: pytest.FixtureRequest, browser: Browser) -> JupyterServer:
    """JupyterLab, then Notebook 7."""
    return request.getfixturevalue(f"{request.param}_server")


class Pages:
    """Makes pages, each with an empty profile, and looks at what they did."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._made: list[tuple[Page, Traffic]] = []

    def __call__(self, scale: float = 1, stand_ins: Mapping[str, Path | None] | None = None) -> Page:
        """An empty page; `scale` is how many pixels of the screen a CSS pixel has.

        `stand_ins` are patterns of addresses outside this machine that a host loads from: with the file that comes
        instead, or None for nothing.
        """
        context = self._browser.new_context(
            viewport=VIEWPORT,
            accept_downloads=True,
            device_scale_factor=scale,
            reduced_motion="reduce",  # a bar that moves while something loads is most of what a page costs
        )
        context.set_default_timeout(TIMEOUT)
        traffic = Traffic(context, tuple(stand_ins or ()))
        for pattern, file in (stand_ins or {}).items():
            context.route(pattern, _answering(file))
        self._made.append((context.new_page(), traffic))
        return self._made[-1][0]

    def finish_test(self, node: pytest.Item) -> None:
        """Keep pictures of a failed test.

        No page has left this machine, and the widget has raised no error.
        """
        if node.stash.get(FAILED, False):
            RESULTS.mkdir(exist_ok=True)
            name = "".join(c if c.isalnum() else "-" for c in node.name)
            for number, (page, _) in enumerate(self._made):
                page.screenshot(path=RESULTS / f"{name}-{number}.png")
        outside = [url for _, traffic in self._made for url in traffic.outside]
        errors = [error for _, traffic in self._made for error in traffic.our_errors()]
        for _, traffic in self._made:
            traffic.forget()
        assert not outside, f"requests left this machine: {outside}"
        assert not errors, "errors in the page:\n" + "\n".join(errors)

    def close(self) -> None:
        for page, _ in self._made:
            page.context.close()
        self._made.clear()


@pytest.fixture
def new_page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Pages]:
    """Makes pages; see `Pages.finish_test` for what is checked after the test."""
    pages = Pages(browser)
    yield pages
    try:
        pages.finish_test(request.node)
    finally:
        pages.close()


def demo_view() -> cw.CanvasWidget:
    """What `demo_page` shows."""
    return cw.CanvasWidget(cw.demo.video(), layer=LAYER, time=3, pixel=(70, 120), sort="total")


@pytest.fixture(scope="session")
def demo_page(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A saved page of the demo's clip, for reading only: one for all processes, since it takes seconds to compute."""
    base = tmp_path_factory.getbasetemp()
    path = (base if worker_id == "master" else base.parent) / "demo.html"
    with FileLock(f"{path}.lock"):
        if not path.exists():
            w = demo_view()
            w.save(path, frames=range(0, 24, 4), neurons=6, progress=False)
            w.close()
    return path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


@pytest.fixture
def _kernels(server: JupyterServer) -> Iterator[None]:
    with server.ending_kernels():
        yield


def _answering(file: Path | None) -> Callable[[Route], None]:
    return lambda route: route.fulfill(path=file) if file else route.abort()


def put_notebook(server: JupyterServer, source: Path | None = None, cells: list[str] | None = None) -> str:
    """A copy of a notebook, or one made of the given cells, where the server sees it; its path there."""
    name = f"{source.stem if source else 'cells'}-{uuid.uuid4().hex[:8]}.ipynb"
    if source is not None:
        shutil.copyfile(source, server.root / name)
    else:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(text) for text in cells or []],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, server.root / name)
    return name


class SharedLab:
    """JupyterLab in one page, which shows one notebook after another: loading it takes longer than most tests.

    The kernel stays too, as long as it lives, for importing the package takes longer still.
    """

    def __init__(self, browser: Browser, server: JupyterServer) -> None:
        self._server, self._pages = server, Pages(browser)
        self._opened: NotebookPage | None = None
        self._failed = False

    def show(self, name: str) -> NotebookPage:
        """A notebook that the server has, with a kernel of its own."""
        if self._failed:  # the page may be in any state
            self.close()
        page = self._opened.page if self._opened else self._pages()
        page.set_viewport_size(VIEWPORT)
        notebook = NotebookPage(page, self._server.url(name))
        self._opened = notebook.show(name) if self._opened else notebook.open()
        return self._opened

    def show_cells(self, cells: list[str]) -> NotebookPage:
        """These cells, not yet run, in the notebook that is open, and its kernel, if there is one."""
        opened = self._opened
        if self._failed or opened is None or not opened.has_kernel():
            opened = self.show(put_notebook(self._server, cells=cells))
        opened.page.set_viewport_size(VIEWPORT)
        opened.execute(CLOSE_WIDGETS)
        opened.set_cells(cells)
        opened.page.mouse.move(0, 0)
        return opened

    def finish_test(self, node: pytest.Item) -> None:
        """See `Pages.finish_test`; after a test that failed neither page nor kernel is used for another notebook."""
        self._failed |= node.stash.get(FAILED, True)
        self._pages.finish_test(node)

    def close(self) -> None:
        self._pages.close()
        self._opened, self._failed = None, False


@pytest.fixture(scope="package")
def shared_lab(_browser: Browser | None, request: pytest.FixtureRequest) -> Iterator[SharedLab | None]:
    if _browser is None:  # the tests skip, each
        yield None
        return
    server: JupyterServer = request.getfixturevalue("lab_server")
    with server.ending_kernels():
        shared = SharedLab(_browser, server)
        yield shared
        shared.close()


@pytest.fixture
def open_notebook(
    request: pytest.FixtureRequest, server: JupyterServer, browser: Browser
) -> Iterator[Opener]:
    """`open_notebook(path)` or `open_notebook(cells=[...])`: a copy of a notebook, open, its kernel idle."""
    if server.app == "lab":
        shared: SharedLab = request.getfixturevalue("shared_lab")
        yield (
            lambda source=None, cells=None: (
                shared.show_cells(cells) if cells else shared.show(put_notebook(server, source))
            )
        )
        shared.finish_test(request.node)
        return
    new_page: Pages = request.getfixturevalue("new_page")  # Notebook 7 shows one notebook a page
    with server.ending_kernels():
        yield lambda source=None, cells=None: NotebookPage(
            new_page(), server.url(put_notebook(server, source, cells))
        ).open()


@pytest.fixture
def notebook(
    request: pytest.FixtureRequest, browser: Browser, shared_lab: SharedLab
) -> Iterator[NotebookPage]:
    """A module's `CELLS` in JupyterLab, run anew for each test, their widget known to the kernel as `_w`.

    A module whose cells change the package in the kernel says in `UNDO` how that is undone.
    """
    opened = shared_lab.show_cells(request.module.CELLS)
    opened.run_all()
    opened.execute(FIND_WIDGET)
    yield opened
    shared_lab.finish_test(request.node)
    if hasattr(request.module, "UNDO") and not request.node.stash[FAILED]:
        opened.execute(request.module.UNDO)
