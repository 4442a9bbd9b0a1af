"""The widget's module under the content policies of hosts that cannot be run here.

`widget.js` is imported as an ES module, as anywidget does it, and draws from the model of a saved page.
"""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from canvaswidget.bundle import bundled
from tests.browser.conftest import Pages
from tests.browser.page import TIMEOUT, WidgetView
from tests.browser.saved_page import REFUSED
from tests.browser.tiny_network import page_of_the_tiny_network, serving

# `generateContent` in backLayerWebView.ts of VS Code 1.9x; 'self' stands for the address of its resources.
VSCODE = """
default-src 'none';
script-src 'self' https://*.vscode-cdn.net 'unsafe-inline' 'unsafe-eval';
style-src 'self' https://*.vscode-cdn.net 'unsafe-inline';
img-src 'self' https://*.vscode-cdn.net https: http: data:;
font-src 'self' https://*.vscode-cdn.net https:;
connect-src https:;
child-src https: data:
"""
# All that the module needs: no script but the files, nothing evaluated, no image but in its own text, no connection.
STRICT = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data:"

REFUSE_ONE = """async () => {
  const heard = new Promise(resolve => document.addEventListener('securitypolicyviolation', resolve));
  fetch('/nothing').catch(() => {});
  await heard;
  return window.refused;
}"""

HOST_PAGE = """import * as module from "/widget.js";
const {model} = window.canvaswidget;
document.querySelector("main").remove();
await module.default.initialize({model, signal: new AbortController().signal});
const style = document.createElement("style");
style.textContent = window.widgetStyle;
const el = document.querySelector("#host");
el.before(style);
const clean = await module.default.render({model, el});
window.host = {names: Object.keys(module), clean};
"""


@pytest.mark.parametrize("policy", [VSCODE, STRICT], ids=["VS Code", "strict"])
def test_nothing_that_the_widget_does_is_refused(policy: str, new_page: Pages) -> None:
    style = f"\nwindow.widgetStyle = {json.dumps(bundled('widget.css'))};"
    files = {
        "/": page_of_the_tiny_network(),
        "/page.js": bundled("page.js") + style,
        "/host.js": HOST_PAGE,
        "/widget.js": bundled("widget.js"),
    }
    page = new_page()
    page.add_init_script(f"({REFUSED})()")
    with serving(files, policy) as url:
        page.goto(url)
        view = WidgetView(page.locator("#host .cw-root"))
        expect(view.root).to_be_visible(timeout=TIMEOUT)
        assert page.evaluate("window.host.names") == ["default"]
        view.wait_settled()
        expect(view.root).to_have_css("position", "relative")  # its style sheet is there
        view.frame.click()
        view.wait_settled()
        assert len(view.bars()) > 5
        for tool in ("tool-brush", "tool-polygon"):
            view.part(tool).click()
            view.frame.click(position={"x": 40, "y": 40})
            view.root.press("Escape")
        view.root.press("?")
        expect(view.root.locator("dialog[open]")).to_be_visible()
        page.keyboard.press("Escape")
        assert page.evaluate("window.refused") == []
        assert page.evaluate(REFUSE_ONE) == ["connect-src"]  # what is refused is heard of
        page.evaluate("window.host.clean()")
        expect(view.root).to_have_count(0)


def test_the_module_loads_nothing_and_evaluates_nothing() -> None:
    code = re.sub(r"/\*.*?\*/", "", bundled("widget.js"), flags=re.DOTALL)
    for forbidden in (
        r"\bimport\b",
        r"\beval\(",
        r"\bFunction\(",
        r"\brequire\(",
        r"\bfetch\(",
        r"XMLHttpRequest",
    ):
        assert not re.search(forbidden, code), forbidden
