"""The public names are the same for type checkers and for Python."""

from __future__ import annotations

import ast
from pathlib import Path

import canvaswidget as cw


def test_type_checkers_know_the_names_that_python_has() -> None:
    tree = ast.parse(Path(cw.__file__).read_text(encoding="utf-8"))
    (block,) = (
        node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    imported = {
        alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assigned = {target.id for node in block.body if isinstance(node, ast.Assign) for target in node.targets}
    assert {name for name in imported | assigned if not name.startswith("_")} == set(cw._PLACES)
    assert cw.__all__ == ["__version__", *cw._PLACES]
