"""What a release is made of: workflows, citation, issue forms, the recipe for conda, links, notebooks' headers."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
import yaml

import canvaswidget
from canvaswidget.version import DOCUMENTATION
from tests.conftest import ROOT
from tools.live_pages import PAGES as PAGES_MADE
from tools.oldest import lowest

pytestmark = pytest.mark.skipif(
    (ROOT / "PKG-INFO").is_file(), reason="a source distribution does not carry these files"
)

REPOSITORY = "https://github.com/canvaswidget/canvaswidget"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
PAGES = [
    *sorted(path for path in ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEADER = re.compile(r"(?m)^# /// script$\s(?P<content>(^#(| .*)$\s)+)^# ///$")  # PEP 723


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(workflow: Path) -> list[dict[str, Any]]:
    return [step for job in load(workflow)["jobs"].values() for step in job["steps"]]


def commands(workflow: Path) -> list[str]:
    return [line for step in steps(workflow) for line in step.get("run", "").splitlines()]


def pythons() -> list[str]:
    named = (one.removeprefix("Programming Language :: Python :: ") for one in PROJECT["classifiers"])
    return [one for one in named if re.fullmatch(r"3\.\d+", one)]


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):(?!=)", text, re.MULTILINE))


# --- workflows ----------------------------------------------------------------------------------------------


def test_there_are_workflows_and_forms() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"tests", "documents", "release", "scheduled"}
    assert len(FORMS) > 2


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
class TestWorkflow:
    def test_it_may_write_nothing_by_default_and_every_job_ends(self, workflow: Path) -> None:
        said = load(workflow)
        assert said["permissions"] == {"contents": "read"}
        assert all(job["timeout-minutes"] <= 120 for job in said["jobs"].values())

    def test_the_make_targets_that_it_calls_exist(self, workflow: Path) -> None:
        called = {word for line in commands(workflow) for word in re.findall(r"\bmake ([a-z-]+)", line)}
        assert called <= make_targets()

    def test_the_files_that_it_names_exist(self, workflow: Path) -> None:
        named = {word for line in commands(workflow) for word in re.findall(r"[\w/]+\.(?:py|txt)\b", line)}
        named |= {
            step["with"]["cache-dependency-path"]
            for step in steps(workflow)
            if "cache" in step.get("with", {})
        }
        assert all((ROOT / name).is_file() for name in named)

    def test_actions_have_a_version(self, workflow: Path) -> None:
        used = [step["uses"] for step in steps(workflow) if "uses" in step]
        assert used
        for one in used:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(v\d+|release/v\d+)", one), one


def test_every_version_of_python_is_tested_on_every_system() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]
    tested = {
        job["runs-on"]: job["strategy"]["matrix"]["python"] for job in jobs.values() if "strategy" in job
    }
    assert set(tested) == {"ubuntu-latest", "macos-latest", "windows-latest"}
    assert all(versions == pythons() for versions in tested.values())


def test_versions_of_python_agree() -> None:
    oldest = pythons()[0]
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert PROJECT["requires-python"] == f">={oldest}"
    assert settings["basedpyright"]["pythonVersion"] == oldest
    assert settings["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    for page in ("README.md", "CONTRIBUTING.md"):
        assert f"Python {oldest}" in (ROOT / page).read_text(encoding="utf-8")
    wheels = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["install"]["strategy"]["matrix"][
        "python"
    ]
    assert wheels == [oldest, pythons()[-1]]


def test_windows_runs_what_make_runs() -> None:
    made = subprocess.run(
        ["make", "-n", "test-quick", "PYTHON=python", "VENV=.", "PYTEST_ARGS="],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    quick = next(line for line in made.splitlines() if "pytest" in line).split(" -m pytest ")[1]
    here = next(line for line in commands(ROOT / ".github/workflows/tests.yml") if " -m pytest " in line)
    assert here.split(" -m pytest ")[1].replace('"', "'").split() == quick.split()


def test_only_a_tag_publishes_and_without_a_token() -> None:
    jobs = load(ROOT / ".github" / "workflows" / "release.yml")["jobs"]
    publish = jobs["publish"]
    assert publish["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert publish["permissions"] == {"id-token": "write"}
    assert set(publish["needs"]) == {"build", "install"}
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")


def test_read_the_docs_builds_what_make_builds() -> None:
    said = load(ROOT / ".readthedocs.yaml")
    assert said["version"] == 2
    assert "make docs-live" in said["build"]["commands"][0]
    assert said["build"]["tools"]["python"] in pythons()


# --- forms and citation -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", [path for path in FORMS if path.stem != "config"], ids=lambda path: path.stem
)
def test_issue_form(form: Path) -> None:
    said = load(form)
    assert {"name", "description", "body"} <= set(said)
    names = [part["id"] for part in said["body"] if part["type"] != "markdown"]
    assert len(set(names)) == len(names) > 0
    for part in said["body"]:
        assert part["type"] in {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert part["attributes"]["value" if part["type"] == "markdown" else "label"]


def test_citation() -> None:
    said = load(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= set(said)
    assert said["cff-version"] == "1.2.0"
    assert said["license"] == PROJECT["license"]
    assert (said["url"], said["repository-code"]) == (DOCUMENTATION, REPOSITORY)
    assert "version" not in said  # version.py alone has it
    paper = said["preferred-citation"]
    bibtex = (ROOT / "README.md").read_text(encoding="utf-8").split("```bibtex")[1].split("```")[0]
    words = " ".join(bibtex.split())
    assert paper["title"] in words
    assert str(paper["year"]) in words
    for author in paper["authors"]:
        assert f"{author['family-names']}, {author['given-names']}" in words
    named = re.search(r"author = \{([^}]*)\}", words)
    assert named is not None
    assert named[1].count(" and ") + 1 == len(paper["authors"])


# --- the package elsewhere ----------------------------------------------------------------------------------


def test_addresses_agree() -> None:
    urls = PROJECT["urls"]
    assert urls["Documentation"] == DOCUMENTATION
    assert urls["Source"] == REPOSITORY
    config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert f"site_url: {DOCUMENTATION}\n" in config


NO_EXTRAS = {"optional-dependencies": {"survey": [], "xarray": []}}
CONDA = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # names on conda-forge that differ


def test_the_recipe_asks_for_what_the_package_asks_for() -> None:
    recipe = load(ROOT / "conda" / "recipe.yaml")
    asked = dict(one.partition(" ")[::2] for one in recipe["requirements"]["run"])
    expected = {CONDA.get(name, name): f">={version}" for name, version in lowest(PROJECT | NO_EXTRAS)}
    expected |= {"av": "", "python": ">=${{ python_min }}"}  # av is what imageio[pyav] adds
    assert asked == expected
    assert recipe["context"] == {"version": canvaswidget.__version__, "python_min": pythons()[0]}
    assert recipe["build"]["python"]["entry_points"] == [
        f"{name} = {to}" for name, to in PROJECT["scripts"].items()
    ]
    assert recipe["about"]["homepage"] == DOCUMENTATION
    for name in recipe["about"]["license_file"]:
        assert (ROOT / name).is_file()


def test_the_oldest_dependencies_are_those_of_the_project() -> None:
    found = dict(lowest(PROJECT))
    assert found["torch"] == "2.6"
    assert found["imageio"] == "2.37"  # imageio[pyav]
    assert {"dask", "distributed", "xarray"} <= set(found)
    with pytest.raises(ValueError, match="not of the form"):
        list(lowest({"dependencies": ["numpy>=1,<2"]} | NO_EXTRAS))


# --- notebooks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
class TestNotebook:
    def test_juv_can_open_it(self, path: Path) -> None:
        """juv reads the header of the first cell of code. It names what the notebook imports."""
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        header = HEADER.search(code[0] + "\n")
        assert header is not None
        said = tomllib.loads("".join(line[2:] for line in header["content"].splitlines(keepends=True)))
        assert said["requires-python"] == PROJECT["requires-python"]
        assert said["dependencies"] == ["canvaswidget"]
        trees = [
            ast.walk(ast.parse(re.sub(r"^(\s*)%.*$", r"\1pass", one, flags=re.MULTILINE))) for one in code
        ]
        nodes = [node for tree in trees for node in tree]
        imported = {
            name.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for name in node.names
        }
        imported |= {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
        comes = {name for name, _ in lowest(PROJECT | NO_EXTRAS)}
        beside = {file.stem for file in path.parent.glob("*.py")}
        assert imported <= {"canvaswidget", *comes, *beside, *sys.stdlib_module_names}

    def test_its_badge_opens_it(self, path: Path) -> None:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        first = "".join(cells[0]["source"])
        opened = re.findall(
            r"\]\(https://colab\.research\.google\.com/github/(\S+?)/blob/main/(\S+?)\)", first
        )
        if path.stem == "videos":  # needs the files beside it
            assert opened == []
        else:
            assert opened == [(REPOSITORY.removeprefix("https://github.com/"), f"notebooks/{path.name}")]
            assert any(
                "pip install" in "".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"
            )


# --- links --------------------------------------------------------------------------------------------------

LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)|(?:src|srcset|href)=\"([^\"]+)\"")


def links(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`", "", text)
    return {one or other for one, other in LINK.findall(text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for link in links(page):
        address = urlparse(link)
        if address.scheme or not address.path:
            continue
        if address.path.startswith("live/"):  # made when the site is
            assert Path(address.path).stem in PAGES_MADE, link
            continue
        assert (page.parent / unquote(address.path)).exists(), link


def test_links_to_the_repository_name_files_that_are_there() -> None:
    named = [link for page in PAGES for link in links(page) if link.startswith(f"{REPOSITORY}/blob/main/")]
    for link in named:
        assert (ROOT / unquote(urlparse(link).path.split("/blob/main/")[1])).exists(), link


def test_badges_name_workflows_that_are_there() -> None:
    badges = [link for link in links(ROOT / "README.md") if "/actions/workflows/" in link]
    assert badges
    for link in badges:
        name = link.split("/actions/workflows/")[1].split("/")[0]
        assert (ROOT / ".github" / "workflows" / name).is_file(), link


def test_the_map_of_the_house_names_what_is_there() -> None:
    """Files and folders in the tables of CONTRIBUTING.md, by the end of their paths."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`([\w./]+(?:/|\.(?:py|ts|md|yml|json)))`", row)}
    there = [f"/{path.name}" for path in ROOT.iterdir()]
    for top in ("canvaswidget", "js/src", "js/dev", "js/test", "tests", "tools", "docs", "benchmarks"):
        paths = [ROOT / top, *(ROOT / top).rglob("*")]
        there += [f"/{path.relative_to(ROOT).as_posix()}" + "/" * path.is_dir() for path in paths]
    assert len(named) > 40
    assert {name for name in named if not any(path.endswith(f"/{name}") for path in there)} == set()
