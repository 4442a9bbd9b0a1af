"""Start JupyterLab or Notebook 7 on this machine, apart from the user's own settings."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

from canvaswidget.cli import jupyter
from canvaswidget.cli.jupyter import HOST, free_port

App = Literal["lab", "notebook"]

MODULES = {"lab": "jupyterlab", "notebook": "notebook"}
APP_CLASSES = {"lab": "LabApp", "notebook": "JupyterNotebookApp"}


class JupyterServer:
    """A notebook server that answers to 127.0.0.1 only and keeps all its files in `home`.

    Parameters
    ----------
    root : the folder that is served
    home : where settings, logs and connection files go
    app : "lab" or "notebook"
    port : a free one by default
    """

    def __init__(self, root: Path, home: Path, app: App = "lab", port: int | None = None) -> None:
        self.root, self.home, self.app = root, home, app
        self.port = port or free_port()
        self.token = secrets.token_hex(16)
        self.log = home / f"{app}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> JupyterServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def origin(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def runtime_dir(self) -> Path:
        return self.home / "runtime"

    def url(self, notebook: str) -> str:
        """The page that shows a notebook, given by its path below the root."""
        path = quote(notebook)
        if self.app == "lab":
            return f"{self.origin}/lab/tree/{path}?reset&token={self.token}"
        return f"{self.origin}/notebooks/{path}?token={self.token}"

    def start(self, timeout: float = 60) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        places = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "IPYTHONDIR": "ipython",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        }
        news = (
            self.home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
        )
        news.parent.mkdir(parents=True, exist_ok=True)
        news.write_text('{"fetchNews": "false"}')  # or JupyterLab asks, over the page
        env = dict(os.environ)
        env.pop("JUPYTER_TOKEN", None)
        env.update({name: str(self.home / folder) for name, folder in places.items()})
        options = [
            f"--{APP_CLASSES[self.app]}.expose_app_in_browser=True",
            "--LabApp.news_url=",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ]
        with self.log.open("wb") as log:
            self._process = jupyter.start(
                MODULES[self.app], self.root, self.port, self.token, options, log, subprocess.STDOUT, env
            )
        try:
            jupyter.wait_for(self._process, self.port, self.token, timeout)
        except RuntimeError as error:
            self.stop()
            raise RuntimeError(f"{error}:\n{self.log_tail()}") from None

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            jupyter.stop(process)

    def wait(self) -> int:
        """Wait until the server ends by itself."""
        return self._process.wait() if self._process else 0

    def log_tail(self, characters: int = 3000) -> str:
        return self.log.read_text(errors="replace")[-characters:] if self.log.is_file() else ""

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the server's REST interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.origin + path, data, method=method)
        request.add_header("Authorization", f"token {self.token}")
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=30) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def sessions(self) -> list[dict[str, Any]]:
        return self.request("GET", "/api/sessions")

    def start_session(self, notebook: str) -> dict[str, Any]:
        """Give a notebook a kernel; a page opened on it later uses the same one."""
        body = {"path": notebook, "name": notebook, "type": "notebook", "kernel": {"name": "python3"}}
        return self.request("POST", "/api/sessions", body)

    def connection_file(self, session: dict[str, Any]) -> Path:
        return self.runtime_dir / f"kernel-{session['kernel']['id']}.json"

    @contextmanager
    def ending_kernels(self) -> Iterator[None]:
        """In the end, shut down the kernels that were started meanwhile."""
        before = {session["id"] for session in self.sessions()}
        yield
        for session in self.sessions():
            if session["id"] not in before:
                self.request("DELETE", f"/api/sessions/{session['id']}")
