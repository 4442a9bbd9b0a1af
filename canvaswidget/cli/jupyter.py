"""A Jupyter server on this machine: started, waited for, ended."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

HOST = "127.0.0.1"
PATIENCE = 60.0  # seconds until a server answers
ENDING = 20.0  # seconds until a server has ended its kernels


def free_port() -> int:
    """A port that no server listens on."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        return sock.getsockname()[1]


def start(
    module: str,
    root: Path,
    port: int,
    token: str,
    options: Sequence[str] = (),
    output: IO[bytes] | IO[str] | None = None,
    errors: int | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server that answers this machine only; Ctrl-C does not reach it: whoever started it stops it.

    Parameters
    ----------
    module : str
        ``"jupyterlab"`` or ``"notebook"``.
    root : Path
        The folder that is served.
    options : sequence of str
        More of the server's.
    output, errors, env
        As `subprocess.Popen` has them.
    """
    command = [
        *(sys.executable, "-m", module, "--no-browser", f"--ip={HOST}", f"--port={port}"),
        *("--ServerApp.port_retries=0", f"--IdentityProvider.token={token}"),
        *(f"--ServerApp.root_dir={root}", "--ServerApp.allow_root=True", *options),
    ]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, env=env, start_new_session=True
    )


def wait_for(server: subprocess.Popen[bytes], port: int, token: str, patience: float = PATIENCE) -> None:
    """Wait until a server answers; RuntimeError where it ends or does not."""
    deadline = time.monotonic() + patience
    while True:
        if server.poll() is not None:
            raise RuntimeError(f"Jupyter ended at once, with code {server.returncode}")
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/api/status?token={token}", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, http.client.HTTPException, TimeoutError):
            if time.monotonic() > deadline:
                raise RuntimeError(f"Jupyter did not answer in {patience:g} s") from None
            time.sleep(0.05)  # between two tries to connect


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server, which ends its kernels."""
    server.terminate()
    try:
        server.wait(ENDING)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
