"""The widget under the widget manager that Colab's is made of: `@jupyter-widgets/html-manager`, from npm.

`make test-hosts` gets it. The manager loads anywidget, anywidget imports `widget.js` as an ES module, and a saved page
answers in place of the kernel.
"""

from __future__ import annotations

import json
import sys
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from canvaswidget.bundle import bundled
from tests.browser.conftest import Pages
from tests.browser.page import TIMEOUT, WidgetView
from tests.browser.tiny_network import page_of_the_tiny_network, serving
from tests.conftest import absent

pytestmark = pytest.mark.repeats

PREFIX = Path(sys.prefix)
PACKAGES = PREFIX.with_name(f"{PREFIX.name}-hosts")  # where `make test-hosts` leaves what it gets from npm
ANYWIDGET = PREFIX / "share" / "jupyter" / "nbextensions" / "anywidget" / "index.js"

HOST_SCRIPT = """
document.querySelector("main").remove();
const load = name => new Promise((done, failed) => window.require([name], module => done(module), failed));
const {HTMLManager} = await load("@jupyter-widgets/html-manager");
const {model: saved} = window.canvaswidget;
const manager = new HTMLManager({loader: load});
let hear = () => {};
window.synced = [];
const comm = {
  comm_id: "the widget", target_name: "jupyter.widget", close() {}, on_close() {},
  on_msg(callback) { hear = callback; },
  send(data, callbacks) {
    if (data.method === "custom") saved.send(data.content);
    else window.synced.push(data.state);
    setTimeout(() => callbacks?.iopub?.status?.({content: {execution_state: "idle"}}));
    return String(Math.random());
  },
};
saved.on("msg:custom", (content, buffers) =>
  hear({content: {comm_id: comm.comm_id, data: {method: "custom", content}}, buffers, metadata: {}}));
const own = {_model_module: "anywidget", _model_name: "AnyModel", _view_module: "anywidget", _view_name: "AnyView"};
const page = JSON.parse(document.querySelector("#page").textContent);
const model = await manager.new_model(
  {model_module: "anywidget", model_name: "AnyModel", model_module_version: "*", model_id: comm.comm_id, comm},
  {...page.state, _canvas: saved.get("_canvas"), ...own, ...window.files},
);
await manager.display_view(manager.create_view(model), document.querySelector("#host"));
"""


def from_npm(package: str, name: str) -> str:
    """A file of a package that `npm pack` has fetched."""
    found = sorted(PACKAGES.glob(f"{package}-*.tgz"))
    if not found:
        absent("hosts", f"{package} was not fetched")
    with tarfile.open(found[-1]) as archive:
        file = archive.extractfile(f"package/{name}")
        assert file is not None
        return file.read().decode()


def test_a_click_reaches_the_manager_and_its_answer_the_page(new_page: Pages) -> None:
    code = {"_esm": bundled("widget.js"), "_css": bundled("widget.css"), "_anywidget_id": "canvaswidget"}
    scripts = [
        from_npm("requirejs", "require.js"),
        "require.config({baseUrl: '/'});",
        from_npm("jupyter-widgets-html-manager", "dist/libembed-amd.js"),
        bundled("page.js"),
        f"window.files = {json.dumps(code)};",
    ]
    files = {
        "/": page_of_the_tiny_network(),
        "/page.js": "\n".join(scripts),
        "/host.js": HOST_SCRIPT,
        "/anywidget.js": ANYWIDGET.read_text(encoding="utf-8"),
    }
    page = new_page()
    with serving(files) as url:
        page.goto(url)
        view = WidgetView(page.locator("#host .cw-root"))
        expect(view.root).to_be_visible(timeout=TIMEOUT)
        view.wait_settled()
        view.click_pixel(4, 8)
        view.wait_settled()
        assert len(view.bars()) > 5
        assert [4, 8] in [state["pixel"] for state in page.evaluate("window.synced") if "pixel" in state]
