"""A notebook open in a browser: open it, run it, ask its kernel, look at what it shows.

Everything here waits for a state, never for a time.
"""

from __future__ import annotations

import ast
import base64
import json
import re
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from playwright.sync_api import (
    BrowserContext,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    WebError,
    WebSocket,
    expect,
)

from tools.server import HOST

TIMEOUT = 180_000  # ms: a cold kernel on a busy machine that imports torch

# What is pressed and is smaller than so many pixels. The ends of the loop are thumbs, which have no boxes.
_SMALL = """least => [...document.querySelectorAll('.cw-root :is(button, select, summary, input, [role=slider])')]
  .filter(one => one.checkVisibility({visibilityProperty: true}) && !one.closest('.cw-loop'))
  .map(one => [one, (one.closest('label') ?? one).getBoundingClientRect()])
  .filter(([, {height, width}]) => width > 0 && Math.min(height, width) < least - 0.5)
  .map(([one, {width, height}]) => `${one.ariaLabel || one.title || one.className}: ${width} x ${height}`)"""

# Code for the kernel: the widget that the notebook made first.
FIND_WIDGET = """
import canvaswidget as _cw
import ipywidgets.widgets.widget as _widgets
_w = [w for w in _widgets._instances.values() if isinstance(w, _cw.CanvasWidget)][0]
"""

CLOSE_WIDGETS = """
import ipywidgets as _all
_all.Widget.close_all()
"""

_KERNEL_IDLE = """() => {
  const session = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session;
  return session?.kernel?.status === 'idle';
}"""

_HAS_KERNEL = """() => {
  const session = window.jupyterapp?.shell?.currentWidget?.sessionContext?.session;
  const {connectionStatus, status} = session?.kernel ?? {};
  return connectionStatus === 'connected' && ['idle', 'busy'].includes(status);
}"""

_RUN_ALL = """timeout => Promise.race([
  window.jupyterapp.commands.execute('notebook:run-all-cells'),
  new Promise((_, reject) => setTimeout(() => reject(new Error('run-all-cells took too long')), timeout)),
])"""

# The notebooks of the page are closed with their kernels; what is unsaved in them is lost.
_CLOSE_ALL = """async () => {
  for (const panel of [...window.jupyterapp.shell.widgets('main')]) {
    await panel.sessionContext?.shutdown().catch(() => {});
    if (panel.context?.model) panel.context.model.dirty = false;
    panel.dispose();
  }
}"""

_SHOW = """async path => {
  const panel = await window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'});
  await panel.revealed;
  await panel.sessionContext.ready;
}"""

_SET_CELLS = """sources => {
  const {model} = window.jupyterapp.shell.currentWidget.context;
  const cell = {cell_type: 'code', metadata: {}, outputs: [], execution_count: null};
  model.fromJSON({...model.toJSON(), cells: sources.map(source => ({...cell, source}))});
}"""

_FIRST_ERROR = """() => {
  for (const cell of window.jupyterapp.shell.currentWidget.content.model.cells)
    for (const output of cell.toJSON().outputs ?? [])
      if (output.output_type === 'error')
        return [output.ename, output.evalue, ...output.traceback].join('\\n');
  return null;
}"""

_ASK = """async ({code, expression, timeout}) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({
    code, store_history: false, stop_on_error: false,
    user_expressions: {value: `__import__("json").dumps(${expression})`},
  });
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error('the kernel did not answer: ' + code)), timeout));
  const reply = (await Promise.race([future.done, late])).content;
  if (reply.status !== 'ok') throw new Error(reply.traceback?.join('\\n') ?? reply.status);
  const value = reply.user_expressions.value;
  if (value.status !== 'ok') throw new Error(value.traceback?.join('\\n') ?? value.evalue);
  return value.data['text/plain'];
}"""

_PIXELS = """canvas => {
  const {data, width, height} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let text = '';
  for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
  return [width, height, btoa(text)];
}"""

_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def pixels(canvas: Locator) -> np.ndarray:
    """The backing store of a `<canvas>`: `(height, width, 4)`, 8 bits."""
    width, height, text = canvas.evaluate(_PIXELS)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def small_targets(page: Page, least: int) -> list[str]:
    """What of the widget is pressed and is smaller than so many pixels, with its size."""
    return page.evaluate(_SMALL, least)


class Traffic:
    """What a browser context asked for, and what it complained about."""

    def __init__(self, context: BrowserContext, intercepted: Sequence[str] = ()) -> None:
        self._intercepted = intercepted  # patterns of addresses that a file stands in for
        self.outside: list[str] = []
        self.errors: list[str] = []
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", self._web_error)
        context.on("page", lambda page: page.on("websocket", self._websocket))

    def _note(self, url: str) -> None:
        parts = urlsplit(url)
        inside = parts.scheme in ("data", "blob", "about") or parts.hostname == HOST
        if not inside and not any(fnmatch(url, pattern) for pattern in self._intercepted):
            self.outside.append(url)

    def _request(self, request: Request) -> None:
        self._note(request.url)

    def _websocket(self, socket: WebSocket) -> None:
        self._note(socket.url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} [{message.location.get('url', '')}]")

    def _web_error(self, web_error: WebError) -> None:
        error = web_error.error
        self.errors.append((isinstance(error, Error) and error.stack) or str(error))

    def forget(self) -> None:
        self.outside.clear()
        self.errors.clear()

    def our_errors(self) -> list[str]:
        """The errors that come from the widget; its module is loaded from a blob."""
        ours = re.compile(r"blob:|canvaswidget|anywidget|\bcw-", re.IGNORECASE)
        return [text for text in self.errors if ours.search(text)]


class NotebookPage:
    """One notebook, open in JupyterLab or Notebook 7."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url

    def open(self) -> NotebookPage:
        """Open the page, or open it anew, and wait until its kernel is idle."""
        self.page.goto(self.url, wait_until="domcontentloaded")
        self.wait_idle()
        return self

    def show(self, path: str) -> NotebookPage:
        """Close what JupyterLab shows and show this notebook, without loading the page again."""
        self.page.evaluate(_CLOSE_ALL)
        self.page.evaluate(_SHOW, path)
        self.wait_idle()
        return self

    def set_cells(self, sources: list[str]) -> None:
        """Put these cells in the place of all of the notebook's."""
        self.page.evaluate(_SET_CELLS, sources)

    def wait_idle(self) -> None:
        self.page.wait_for_function(_KERNEL_IDLE, timeout=TIMEOUT)

    def has_kernel(self) -> bool:
        """Whether the notebook has a kernel that lives."""
        return self.page.evaluate(_HAS_KERNEL)

    def run_all(self) -> None:
        """Run every cell and fail on the first that raises."""
        self.page.evaluate(_RUN_ALL, TIMEOUT * 3)
        self.wait_idle()
        failed = self.page.evaluate(_FIRST_ERROR)
        assert failed is None, _ANSI.sub("", failed)

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def ask(self, expression: str, code: str = "") -> Any:
        """Run code in the notebook's kernel, and the value of an expression (as JSON) from there."""
        arguments = {"code": code, "expression": expression, "timeout": TIMEOUT}
        try:
            text = self.page.evaluate(_ASK, arguments)
        except Error as error:
            raise AssertionError(_ANSI.sub("", str(error))) from None
        return json.loads(ast.literal_eval(text))

    def ask_array(self, expression: str, code: str = "") -> np.ndarray:
        """An array of the notebook's kernel, to the bit."""
        as_text = "lambda a: [__import__('base64').b64encode(a.tobytes()).decode(), a.dtype.str, a.shape]"
        data, kind, shape = self.ask(f"({as_text})({expression})", code)
        return np.frombuffer(base64.b64decode(data), kind).reshape(shape)

    def execute(self, code: str) -> None:
        """Run code in the notebook's kernel."""
        self.ask("None", code)

    def wait_for(self, read: Callable[[], Any], wanted: Any, what: str = "it") -> None:
        """Wait until a reading has a value."""
        found, between = None, 30.0
        deadline = time.monotonic() + TIMEOUT / 1000
        while time.monotonic() < deadline:
            found = read()
            if found == wanted:
                return
            self.page.wait_for_timeout(between)  # lets the page's messages pass between two readings
            between = min(1.5 * between, 300)  # reading is work for page and kernel too
        raise AssertionError(f"{what} is {found!r} and not {wanted!r}")

    def views(self) -> list[WidgetView]:
        """Every view of a widget in the page, as far as it has been drawn."""
        return [WidgetView(root) for root in self.page.locator(".cw-root").all()]

    @property
    def widget(self) -> WidgetView:
        """The first widget of the page, once it shows all that it is going to show by itself."""
        view = WidgetView(self.page.locator(".cw-root").first)
        expect(view.root).to_be_attached(timeout=TIMEOUT)
        view.root.scroll_into_view_if_needed()
        view.wait_settled()
        return view


class WidgetView:
    """One view of the widget, as the page shows it."""

    def __init__(self, root: Locator) -> None:
        self.root, self.page = root, root.page

    def part(self, name: str) -> Locator:
        return self.root.get_by_test_id(name)

    @property
    def frame(self) -> Locator:
        return self.part("frame")

    def panel(self, name: str) -> Locator:
        return self.root.locator(f'[data-panel="{name}"]')

    def wait_settled(self) -> None:
        """Wait until no panel waits for the kernel; none shows an error."""
        expect(self.root).to_have_attribute("data-ready", "true", timeout=TIMEOUT)
        expect(self.root.locator('[data-panel][data-state="loading"]')).to_have_count(0, timeout=TIMEOUT)
        expect(self.root.locator('[data-panel][data-state="error"]')).to_have_count(0)

    def wait_frame(self, **data: object) -> None:
        """Wait until the frame shows what its data attributes are said to name."""
        for name, value in data.items():
            expect(self.frame).to_have_attribute(f"data-{name}", str(value), timeout=TIMEOUT)

    def point_at(self, y: int, x: int) -> tuple[float, float]:
        """Where on the page the middle of a pixel lies."""
        self.frame.scroll_into_view_if_needed()
        box = self.frame.bounding_box()
        assert box is not None
        rows, columns = self.frame.evaluate("canvas => [canvas.height, canvas.width]")
        return box["x"] + (x + 0.5) * box["width"] / columns, box["y"] + (y + 0.5) * box["height"] / rows

    def click_pixel(self, y: int, x: int) -> None:
        """Pin a pixel, and take the pointer away, so that nothing previews what lies under it."""
        self.page.mouse.click(*self.point_at(y, x))
        self.page.mouse.move(0, 0)
        panel = self.panel("pixel")
        expect(panel).not_to_have_attribute("data-preview", "", timeout=TIMEOUT)
        expect(panel).to_have_attribute("data-pixel", f"{y},{x}", timeout=TIMEOUT)

    def bars(self) -> list[tuple[str, list[int], float]]:
        """The strongest neurons of the pinned pixel, as the page names them: layer, neuron, value."""
        rows = self.root.locator(".cw-bar:not([hidden])").evaluate_all(
            "bars => bars.map(({dataset: d}) => [d.layer, d.neuron.split(',').map(Number), Number(d.value)])"
        )
        return [(layer, neuron, value) for layer, neuron, value in rows]


def last_number(text: str | None) -> float:
    """The last number in a text that the page shows."""
    found = re.findall(r"[-−]?[\d.,]+(?:e[-−]?\d+)?", text or "")
    assert found, text
    return float(found[-1].replace("−", "-").replace(",", ""))
