"""What is built is what a user gets: these look at the wheel and the sdist, not at the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

import canvaswidget
import hatch_build
from canvaswidget.bundle import bundled
from tests.conftest import ROOT

PACKAGE = ROOT / "canvaswidget"
STATIC = "canvaswidget/static"
BUNDLE_LIMIT = 250_000
WHEEL_LIMIT = 12_000_000


def run(*command: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def build(kind: str, source: Path, target: Path, **environment: str) -> Path:
    command = [sys.executable, "-m", "build", "--no-isolation", f"--{kind}", "--outdir", str(target), "."]
    run(*command, cwd=source, **environment)
    (built,) = target.iterdir()
    return built


def shipped_files() -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and ".ipynb_checkpoints" not in path.parts
    }


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, where there is no Node.js and no network."""
    nothing = tmp_path_factory.mktemp("empty")
    return build(
        "wheel",
        unpacked,
        tmp_path_factory.mktemp("wheel"),
        PATH=str(nothing),
        PIP_NO_INDEX="1",
        npm_config_offline="true",
    )


NOTICES = (
    "d3-array 3.",
    "Mike Bostock",
    "@preact/signals-core 1.",
    "Preact Team",
    "The above copyright notice and this permission notice shall be included",
    'THE SOFTWARE IS PROVIDED "AS IS"',
)


@pytest.mark.parametrize("name", ["widget.js", "page.js"])
def test_the_bundle_begins_with_the_licences_of_what_is_in_it(name: str) -> None:
    comment, program = bundled(name).split("*/", 1)
    assert comment.startswith("/*!")
    assert len(program) > 10_000
    for notice in NOTICES:
        assert notice in comment, notice


def test_every_package_that_the_front_end_imports_is_named() -> None:
    """The build takes the names from what it bundled; these are those that the sources ask for."""
    needed = json.loads((ROOT / "js" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    text = bundled("THIRD_PARTY_LICENSES.txt")
    for name, version in needed.items():
        assert f"{name} {version} (" in text


@pytest.mark.packaging
class TestDistribution:
    def test_sdist_carries_the_bundle_and_its_sources(self, unpacked: Path) -> None:
        for name in (
            f"{STATIC}/widget.js",
            f"{STATIC}/widget.css",
            "js/package.json",
            "hatch_build.py",
            "LICENSE",
        ):
            assert (unpacked / name).is_file(), name
        assert any((unpacked / "js" / "src").iterdir())
        assert not (unpacked / "js" / "node_modules").exists()

    def test_wheel_from_sdist_takes_the_bundle_as_it_is(self, wheel: Path, unpacked: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            for name in ("widget.js", "widget.css"):
                assert archive.read(f"{STATIC}/{name}") == (unpacked / STATIC / name).read_bytes()
        assert not (unpacked / "js" / "node_modules").exists()

    def test_wheel_has_every_file_of_the_package_and_nothing_else(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            names = {name for name in archive.namelist() if ".dist-info/" not in name}
        assert names == shipped_files()

    def test_licences_of_what_is_bundled_are_in_the_wheel(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            text = archive.read(f"{STATIC}/THIRD_PARTY_LICENSES.txt").decode()
        for notice in NOTICES:
            assert notice in text

    def test_sizes(self, wheel: Path) -> None:
        with zipfile.ZipFile(wheel) as archive:
            assert 1000 < archive.getinfo(f"{STATIC}/widget.js").file_size < BUNDLE_LIMIT
            assert archive.getinfo(f"{STATIC}/widget.css").file_size > 100
        assert wheel.stat().st_size < WHEEL_LIMIT

    def test_installed_wheel_works(self, wheel: Path, tmp_path: Path) -> None:
        target = tmp_path / "site"
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "-qq",
            "--no-deps",
            "--no-index",
            "--target",
            str(target),
        ]
        run(*pip, str(wheel), cwd=tmp_path)
        code = (
            f"import sys; sys.path.insert(0, {str(target)!r})\n"
            "import canvaswidget as cw\n"
            "print(cw.__file__)\n"
            "assert all(hasattr(cw, name) for name in cw.__all__)\n"
            "widget = cw.CanvasWidget(cw.demo.video())\n"
            "assert 'export' in str(widget._esm) and '.cw-root' in str(widget._css)\n"
            "widget.close()\n"
        )
        said = run(sys.executable, "-c", code, cwd=tmp_path)
        assert str(target) in said

    @pytest.mark.slow
    @pytest.mark.repeats
    @pytest.mark.timeout(900)
    def test_alone_in_a_fresh_environment_it_runs_the_quick_start(self, wheel: Path, tmp_path: Path) -> None:
        """What it needs and does not ask for would be missing there."""
        venv.create(tmp_path / "venv", with_pip=True)
        python = str(tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
        pip = [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        run(*pip, "-c", str(ROOT / "constraints.txt"), str(wheel), cwd=tmp_path)
        notebook = json.loads((ROOT / "notebooks" / "quickstart.ipynb").read_text(encoding="utf-8"))
        cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        (tmp_path / "cells.json").write_text(json.dumps(cells), encoding="utf-8")
        code = (
            "import json\n"
            "from IPython.core.interactiveshell import InteractiveShell\n"
            "shell = InteractiveShell.instance()\n"
            "for cell in json.load(open('cells.json', encoding='utf-8')):\n"
            "    shell.run_cell(cell, store_history=True).raise_error()\n"
            "print('from', shell.user_ns['cw'].__file__)\n"
        )
        said = run(python, "-c", code, cwd=tmp_path)
        assert str(tmp_path / "venv") in said.rsplit("from ", 1)[-1]


def test_importing_it_waits_for_nothing_that_only_some_findings_use() -> None:
    """SciPy and scikit-image take a third of the import's time; what uses them imports them."""
    code = "import sys, canvaswidget; print(*(name for name in ('scipy', 'sklearn') if name in sys.modules))"
    assert run(sys.executable, "-c", code, cwd=ROOT).strip() == ""


class TestVersion:
    def test_one_place_has_it(self) -> None:
        for path, said in (("pyproject.toml", "\nversion ="), ("js/package.json", '"version"')):
            assert said not in (ROOT / path).read_text(encoding="utf-8"), path
        assert metadata.version("canvaswidget") == canvaswidget.__version__

    def test_the_changelog_begins_with_it(self) -> None:
        changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
        first = next(line for line in changes.splitlines() if line.startswith("## "))
        assert first.removeprefix("## ").split(",")[0] == canvaswidget.__version__


class TestBuildHook:
    @pytest.fixture
    def tree(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A checkout with a bundle that is one minute newer than its source."""
        source, static = tmp_path / "js" / "src" / "index.ts", tmp_path / STATIC
        source.parent.mkdir(parents=True)
        static.mkdir(parents=True)
        bundle = (static / "widget.js", static / "widget.css")
        for path, age in ((source, 60), (bundle[0], 0), (bundle[1], 0)):
            path.write_text("")
            os.utime(path, (1_700_000_000 - age,) * 2)
        for name, value in {
            "ROOT": tmp_path,
            "JS": tmp_path / "js",
            "STATIC": static,
            "BUNDLE": bundle,
        }.items():
            monkeypatch.setattr(hatch_build, name, value)
        monkeypatch.setattr(hatch_build, "node_on_path", lambda: None)
        return tmp_path

    @staticmethod
    def hook(root: Path) -> hatch_build.FrontEndHook:
        return hatch_build.FrontEndHook(str(root), {}, None, None, str(root), "wheel")  # pyright: ignore[reportArgumentType]

    def test_fresh_bundle_needs_nothing(self, tree: Path) -> None:
        assert self.hook(tree).dependencies() == []
        self.hook(tree).initialize("standard", {})

    def test_newer_source_needs_node(self, tree: Path) -> None:
        (tree / "js" / "src" / "index.ts").touch()
        assert self.hook(tree).dependencies() == [hatch_build.NODE_WHEEL]

    def test_missing_stylesheet_needs_node(self, tree: Path) -> None:
        (tree / STATIC / "widget.css").unlink()
        assert self.hook(tree).dependencies() == [hatch_build.NODE_WHEEL]

    def test_front_end_tests_do_not_make_the_bundle_old(self, tree: Path) -> None:
        (tree / "js" / "src" / "index.test.ts").write_text("")
        assert hatch_build.is_fresh()

    def test_source_distribution_is_taken_as_it_is(self, tree: Path) -> None:
        (tree / "PKG-INFO").write_text("")
        (tree / "js" / "src" / "index.ts").touch()
        assert hatch_build.is_fresh()

    def test_neither_bundle_nor_source_is_an_error(self, tree: Path) -> None:
        (tree / STATIC / "widget.js").unlink()
        with pytest.raises(RuntimeError, match="neither the built front end"):
            self.hook(tree).initialize("standard", {})
