"""The apps of docs/hosts.md: the widget in Shiny, Solara and Panel, and its saved page in Streamlit.

They run in the environment of these tests where the hosts are in it, else in the one that `make test-hosts` makes.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.app_server import running
from tests.browser.conftest import Pages
from tests.browser.page import TIMEOUT, WidgetView
from tests.conftest import ROOT, absent
from tools.server import HOST, free_port

pytestmark = pytest.mark.repeats

COMMANDS = {
    "shiny": "shiny run {app} --host {host} --port {port}",
    "solara": "solara run {app} --host {host} --port {port} --no-open --production",
    "panel": "panel serve {app} --address {host} --port {port}",
    "streamlit": "streamlit run {app} --server.address {host} --server.port {port} --server.headless true",
}
PREFIX = Path(sys.prefix)
ENVIRONMENT = {
    # The scripts of anywidget lie beside these tests, not in the hosts' environment.
    "JUPYTER_PATH": str(PREFIX / "share" / "jupyter"),
    "JUPYTER_CONFIG_PATH": str(PREFIX / "etc" / "jupyter"),
    # Nothing leaves this machine.
    "SOLARA_TELEMETRY_MIXPANEL_ENABLE": "false",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
# Panel's page loads anywidget from a content delivery network, and an icon font that the widget does not use.
STAND_INS = {
    "https://unpkg.com/anywidget@*/**": PREFIX
    / "share"
    / "jupyter"
    / "nbextensions"
    / "anywidget"
    / "index.js",
    "https://cdnjs.cloudflare.com/**": None,
    "https://cdn.holoviz.org/**": None,
}


def python_with(host: str) -> str:
    """The Python of an environment that has the host."""
    if importlib.util.find_spec(host):
        return sys.executable
    folder, program = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    python = PREFIX.with_name(f"{PREFIX.name}-hosts") / folder / program
    if not python.is_file():
        absent("hosts", f"{host} is not installed")
    return str(python)


@pytest.fixture(scope="module")
def served(
    _browser: Browser | None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a host's app, while it runs."""
    if _browser is None:
        absent("browser", "no browser")
    host = request.param
    app = ROOT / "docs" / "hosts" / f"{host}_app.py"
    home = tmp_path_factory.mktemp(host)
    url = f"http://{HOST}:{(port := free_port())}"
    command = COMMANDS[host].format(app=app, host=HOST, port=port).split()
    with running([python_with(host), "-m", *command], home, url, environment=ENVIRONMENT):
        yield f"{url}/{app.stem}" if host == "panel" else url


def in_hosts(*hosts: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("served", hosts, indirect=True, scope="module")


live = in_hosts("shiny", "solara", "panel")


def shown(page: Page, url: str) -> WidgetView:
    """The widget of an app in a new tab, with its frame drawn."""
    page.goto(url)
    return drawn(page.locator(".cw-root").first)


def drawn(root: Locator) -> WidgetView:
    view = WidgetView(root)
    expect(root).to_be_visible(timeout=2 * TIMEOUT)  # the app runs when the page is there, torch and all
    view.wait_settled()
    view.wait_frame(time=3)
    return view


def click(view: WidgetView, y: int, x: int) -> None:
    view.click_pixel(y, x)
    view.wait_settled()
    assert len(view.bars()) > 5


def assert_whole(root: Locator) -> None:
    """The host gives the widget the width of its page, and no box that cuts it off."""
    wide, cut = root.evaluate(
        """root => {
          const {width, bottom} = root.getBoundingClientRect();
          let cut = 0;
          for (let at = root.parentElement; at && at !== document.body; at = at.parentElement)
            if (getComputedStyle(at).overflowY !== 'visible')
              cut = Math.max(cut, bottom - at.getBoundingClientRect().bottom - at.scrollHeight + at.clientHeight);
          return [width / innerWidth, cut];
        }"""
    )
    assert wide > 0.85
    assert cut < 1


@live
def test_a_clicked_pixel_is_known_to_python(served: str, new_page: Pages) -> None:
    page = new_page(stand_ins=STAND_INS)
    view = shown(page, served)
    assert_whole(view.root)
    click(view, 30, 40)
    expect(page.get_by_text("w.pixel = (30, 40)")).to_be_visible(timeout=TIMEOUT)  # Python writes it
    click(view, 50, 60)
    expect(page.get_by_text("w.pixel = (50, 60)")).to_be_visible(timeout=TIMEOUT)


@live
def test_each_tab_has_a_widget_of_its_own(served: str, new_page: Pages) -> None:
    one, other = (new_page(stand_ins=STAND_INS) for _ in range(2))
    first, second = shown(one, served), shown(other, served)
    click(first, 30, 40)
    click(second, 70, 80)
    expect(one.get_by_text("w.pixel = (30, 40)")).to_be_visible(timeout=TIMEOUT)
    expect(other.get_by_text("w.pixel = (70, 80)")).to_be_visible(timeout=TIMEOUT)


@live
def test_a_light_page_on_a_dark_system_shows_a_light_widget(served: str, new_page: Pages) -> None:
    page = new_page(stand_ins=STAND_INS)
    page.emulate_media(color_scheme="dark")
    view = shown(page, served)
    expect(view.root).to_have_attribute("data-theme", "light", timeout=TIMEOUT)
    expect(view.root).to_have_css("background-color", "rgb(255, 255, 255)")


@in_hosts("shiny")
def test_it_follows_shiny_into_the_dark(served: str, new_page: Pages) -> None:
    page = new_page()
    view = shown(page, served)
    expect(view.root).to_have_attribute("data-theme", "light")
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")  # as `ui.input_dark_mode` does
    expect(view.root).to_have_attribute("data-theme", "dark", timeout=TIMEOUT)


@in_hosts("panel")
def test_it_is_dark_in_a_dark_page_of_panel(served: str, new_page: Pages) -> None:
    view = shown(new_page(stand_ins=STAND_INS), f"{served}?theme=dark")
    expect(view.root).to_have_attribute("data-theme", "dark", timeout=TIMEOUT)


@in_hosts("streamlit")
def test_streamlit_shows_the_saved_page(served: str, new_page: Pages) -> None:
    page = new_page()
    page.emulate_media(color_scheme="dark")
    page.goto(served)
    view = drawn(page.frame_locator("iframe").locator(".cw-root").first)
    expect(view.root).to_have_attribute("data-theme", "dark", timeout=TIMEOUT)  # as the system is
    view.frame.click()
    view.wait_settled()
    assert len(view.bars()) > 5
