"""No source file is long, and no class has many methods, without a reason that it gives itself.

A reason is a sentence that starts with "Long because" in a file's docstring (in TypeScript: its first comment), or with
"Many methods because" in a class's docstring.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT

LONGEST = 400  # lines of a file
MOST_METHODS = 15  # of a class: public methods and properties that it defines
GENERATED = re.compile(r"// (Printed|Written) by `python -m ")

PYTHON = sorted((ROOT / "canvaswidget").rglob("*.py"))
TYPESCRIPT = sorted((ROOT / "js" / "src").rglob("*.ts"))


def first_comment(text: str) -> str:
    """The lines of a TypeScript file from its start on that are a comment."""
    return (re.match(r"(//[^\n]*\n)*", text) or [""])[0].replace("\n//", "")


def wrong_length(text: str, about: str) -> str:
    """What is wrong about the length of a file; `about` is its docstring or first comment."""
    count, has_reason = len(text.splitlines()), re.search(r"\bLong because \w", about) is not None
    if count > LONGEST and not has_reason:
        return f"{count} lines, over {LONGEST}, and no sentence that starts with 'Long because'"
    return f"{count} lines need no reason" if has_reason and count <= LONGEST else ""


def wrong_classes(tree: ast.Module) -> list[str]:
    """What is wrong about the numbers of methods of the classes of a module."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        methods = {
            part.name for part in node.body if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        count = sum(not name.startswith("_") for name in methods)
        has_reason = re.search(r"\bMany methods because \w", ast.get_docstring(node) or "") is not None
        if count > MOST_METHODS and not has_reason:
            found.append(
                f"{node.name}: {count} public methods, over {MOST_METHODS}, and no 'Many methods because'"
            )
        if count <= MOST_METHODS and has_reason:
            found.append(f"{node.name}: {count} public methods need no reason")
    return found


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_file_is_long_and_no_class_is_wide_without_a_reason() -> None:
    wrong = {}
    for path in PYTHON:
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        length = wrong_length(text, ast.get_docstring(tree) or "")
        wrong[name_of(path)] = [*([length] if length else []), *wrong_classes(tree)]
    for path in TYPESCRIPT:
        text = path.read_text(encoding="utf-8")
        if not GENERATED.match(text):
            length = wrong_length(text, first_comment(text))
            wrong[name_of(path)] = [length] if length else []
    assert len(PYTHON) > 100
    assert len(TYPESCRIPT) > 50
    assert {name: problems for name, problems in wrong.items() if problems} == {}


@pytest.mark.parametrize(
    ("lines", "reason", "is_wrong"), [(401, "", True), (400, "", False), (401, "it is", False)]
)
def test_a_long_file_is_noticed(lines: int, reason: str, is_wrong: bool) -> None:
    about = f"One idea. Long because {reason}." if reason else "Long, because."
    assert bool(wrong_length("x\n" * lines, about)) is is_wrong
    comment = (
        f"// One idea.\n// Long because {reason}.\nimport x;\n"
        if reason
        else "import x;\n// Long because it is.\n"
    )
    assert bool(wrong_length("x\n" * lines, first_comment(comment))) is is_wrong


@pytest.mark.parametrize(
    ("count", "reason", "is_wrong"), [(16, "", True), (15, "", False), (16, "it is", False)]
)
def test_a_class_of_many_methods_is_noticed(count: int, reason: str, is_wrong: bool) -> None:
    methods = "".join(f"    def m{number}(self): ...\n" for number in range(count))
    about = f"Many methods because {reason}." if reason else "Many methods."
    source = (
        f'class A:\n    """One idea. {about}"""\n    def _own(self): ...\n    def m0(self): ...\n{methods}'
    )
    assert bool(wrong_classes(ast.parse(source))) is is_wrong


def test_a_reason_that_is_not_needed_is_noticed() -> None:
    assert wrong_length("x\n", "Long because it is.")
    assert wrong_classes(ast.parse('class A:\n    """Many methods because of it."""\n'))
