"""The theme of the documents: search, light and dark, and nothing from the network."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, expect

from tests.browser.page import TIMEOUT
from tests.conftest import ROOT
from tools.documents import build

PAGES = {
    "index.md": "# Home\n\nA word that is nowhere else: marzipan.\n\n"
    "![light](dot.svg#only-light)\n![dark](dot.svg#only-dark)\n",
    "other.md": "# Other\n\nNothing.\n",
}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Two pages with the settings of the documents, but for what describes Python."""
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config |= {"nav": [{"Home": "index.md"}, {"Other": "other.md"}], "plugins": ["search"]}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    for name, text in PAGES.items():
        (tmp_path / "docs" / name).write_text(text, encoding="utf-8")
    (tmp_path / "docs" / "dot.svg").write_text(
        "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", encoding="utf-8"
    )
    assert build(tmp_path) == []
    handler = functools.partial(Quiet, directory=str(tmp_path / "site"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_site(browser: Browser, address: str, theme: str) -> None:
    context = browser.new_context(color_scheme="dark" if theme == "dark" else "light")
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.set_default_timeout(TIMEOUT)
    page.goto(address)
    expect(page.get_by_alt_text(theme)).to_be_visible()
    expect(page.get_by_alt_text("light" if theme == "dark" else "dark")).to_be_hidden()
    page.goto(f"{address}other/")
    page.get_by_role("button", name="Search").first.click()
    page.keyboard.type("marzipan")
    expect(page.get_by_text("marzipan").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Home")).to_be_visible()
    assert [one for one in asked if not one.startswith((address, "data:", "blob:"))] == []
    context.close()
