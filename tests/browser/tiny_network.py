"""A model of the page without a kernel: that of a saved page of a tiny network, served to a host's script.

`page.js` opens the page and leaves its model in `window.canvaswidget`; `host.js`, which a test writes, takes it from
there.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import ROOT
from tools.server import HOST


def page_of_the_tiny_network() -> str:
    """The saved page that the page's own tests run on, with `host.js` after it."""
    fixture = json.loads((ROOT / "js" / "test" / "fixture.json").read_text(encoding="utf-8"))
    data = "".join(f'<script type="text/plain" class="cw-data">{text}</script>' for text in fixture["texts"])
    page = json.dumps(fixture["page"]).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"></head>
<body><main><div id="canvas"></div></main><div id="host"></div>
<script type="application/json" id="page">{page}</script>{data}
<script src="/page.js"></script><script type="module" src="/host.js"></script></body></html>
"""


@contextmanager
def serving(files: dict[str, str], policy: str = "") -> Iterator[str]:
    """Serve texts by their paths, under a content policy; the address."""
    kinds = {".js": "text/javascript", ".css": "text/css"}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = files.get(self.path)
            self.send_response(404 if text is None else 200)
            self.send_header(
                "Content-Type", f"{kinds.get(Path(self.path).suffix, 'text/html')}; charset=utf-8"
            )
            if policy:
                self.send_header("Content-Security-Policy", " ".join(policy.split()))
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
