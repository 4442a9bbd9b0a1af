"""A saved page in a browser that is offline."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page

TIMEOUT = 180_000
LAYER = "decoder.2"

SETTLED = """() => {
  const root = document.querySelector('.cw-root');
  const {done, total, selection} = root.querySelector('[data-testid=curve]').dataset;
  return root.dataset.ready === 'true' && !root.querySelector('[data-panel][data-state=loading]')
    && [...root.querySelectorAll('.cw-thumb')].every(thumb => !('empty' in thumb.dataset))
    && (done === total || !selection);
}"""

SEEN = """([name, count]) => {
  window.seen ??= new Set();
  window.seen.add(document.querySelector('[data-testid=frame]').dataset[name]);
  return window.seen.size === count;
}"""

# An answer of the page as `[header, data in base64]`.
ASK = """async body => {
  const {answer, data} = await window.canvaswidget.answers.answer(body);
  let text = '';
  for (const byte of data) text += String.fromCharCode(byte);
  return [answer, btoa(text)];
}"""

REFUSED = """() => {
  const found = [];
  document.addEventListener('securitypolicyviolation', event => found.push(event.violatedDirective));
  window.refused = found;
}"""


class SavedPage:
    """A page in a browser that is offline."""

    def __init__(self, browser: Browser, path: Path, theme: str = "light", finger: bool = False) -> None:
        self.context = browser.new_context(
            viewport={"width": 1400, "height": 1000},
            color_scheme=theme,  # type: ignore[arg-type]
            reduced_motion="reduce",
            has_touch=finger,
            is_mobile=finger,
        )
        self.context.set_default_timeout(TIMEOUT)
        self.context.set_offline(True)
        self.context.add_init_script(f"({REFUSED})()")
        self.page: Page = self.context.new_page()
        self.told: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.told.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.told.append(f"error: {error}"))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.address = path.as_uri()
        self.page.goto(self.address)
        self.settle()

    def settle(self) -> None:
        self.page.wait_for_function(SETTLED, timeout=TIMEOUT)

    def part(self, name: str) -> Any:
        return self.page.get_by_test_id(name)

    def panel(self, name: str) -> Any:
        return self.page.locator(f'[data-panel="{name}"]')

    def slide(self, name: str, value: int) -> None:
        self.part(name).evaluate(
            "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input', {bubbles: true})); }",
            value,
        )

    def ask(self, **body: Any) -> tuple[Any, np.ndarray]:
        answer, data = self.page.evaluate(ASK, body)
        return answer, np.frombuffer(base64.b64decode(data), np.uint8)

    def play_through(self, count: int, over: str = "time", button: str = "play") -> None:
        """Play until so many frames, or runs, were shown, however long that takes, and pause."""
        self.part(button).click()
        self.page.wait_for_function(SEEN, arg=[over, count], timeout=TIMEOUT)
        self.part(button).click()

    def colours(self) -> bytes:
        """What the frame shows."""
        return self.part("frame").evaluate("canvas => canvas.toDataURL()").encode()

    def close(self) -> None:
        """Nothing was refused, nothing went wrong, nothing but the file was asked for."""
        refused = self.page.evaluate("() => window.refused")
        self.context.close()
        assert refused == []
        assert self.told == []
        assert [url for url in self.requests if not url.startswith(("data:", "blob:"))] == [self.address]
