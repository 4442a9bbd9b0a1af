"""Open a notebook in JupyterLab with every cell already run: `python -m tools.demo`.

Widgets need a live kernel, so an executed file alone would show pictures at best. Here the notebook is given
a kernel, its cells are run in that kernel, the outputs are saved, and only then is the page opened:
JupyterLab finds the notebook's running kernel and brings the widgets back to life from there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import sys
import webbrowser
from pathlib import Path
from types import FrameType
from typing import NoReturn

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tools.server import JupyterServer

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "quickstart.ipynb"
WORK = ROOT / "build" / "demo"


def say(text: str) -> None:
    print(text, flush=True)


async def run_cells(server: JupyterServer, path: str, timeout: float) -> bool:
    """Run a notebook's cells in a kernel of the server, save the outputs; whether all cells went well."""
    file = server.root / path
    notebook = nbformat.read(file, as_version=4)
    session = server.start_session(path)
    manager = AsyncKernelManager(connection_file=str(server.connection_file(session)), owns_kernel=False)
    manager.load_connection_file()
    runner = NotebookClient(notebook, km=manager, timeout=int(timeout))
    runner.kc = manager.client()
    runner.kc.start_channels()
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    good = True
    try:
        await runner.kc.wait_for_ready(timeout=60)
        for number, index in enumerate(code, 1):
            say(f"  cell {number} of {len(code)}")
            await runner.async_execute_cell(notebook.cells[index], index)
    except CellExecutionError as error:
        good = False
        say(f"a cell failed:\n{error}")
    finally:
        runner.kc.stop_channels()
    for index in code:  # outputs of cells that this user ran are shown in full, widgets among them
        notebook.cells[index].metadata["trusted"] = True
    server.request(
        "PUT", f"/api/contents/{path}", {"type": "notebook", "format": "json", "content": notebook}
    )
    return good


def stop(signum: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("notebook", nargs="?", type=Path, default=NOTEBOOK)
    parser.add_argument("--port", type=int, help="of the server (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="print the address only (or BROWSER=none)")
    parser.add_argument("--work", type=Path, default=WORK, help="the folder for the copy and the settings")
    parser.add_argument("--timeout", type=float, default=600, help="seconds that one cell may take")
    options = parser.parse_args(arguments)
    source: Path = options.notebook
    if not source.is_file():
        parser.error(f"no such notebook: {source}")
    show = not options.no_browser and os.environ.get("BROWSER") != "none"
    if not os.environ.get("BROWSER"):
        os.environ.pop("BROWSER", None)  # an empty one would keep Python from finding any

    work: Path = options.work.resolve()
    files = work / "notebooks"  # a copy: what is tried out there leaves the checkout as it is
    files.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, files / source.name)
    signal.signal(signal.SIGTERM, stop)
    try:
        say("Starting JupyterLab ...")
        with JupyterServer(files, work / "jupyter", port=options.port) as server:
            say(f"Running {source.name} ...")
            good = asyncio.run(run_cells(server, source.name, options.timeout))
            address = server.url(source.name)
            say(f"\n  {address}\n\nCtrl-C stops the server. You work on a copy: {files / source.name}")
            if show:
                webbrowser.open(address)
            server.wait()
    except KeyboardInterrupt:
        say("\nStopped.")
        return 0
    except RuntimeError as error:
        say(str(error))
        return 1
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
