"""Print the oldest version that `pyproject.toml` allows of each dependency, for pip: `python -m tools.oldest`.

The tools of the tests are left out: only what the package is used with must be that old.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
EXTRAS = "survey", "xarray"  # tests need their packages; the extra `umap` is tested where it is installed
REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?>=([0-9.]+)")


def lowest(project: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each dependency and its lowest version.

    Raises
    ------
    ValueError
        A requirement has no lowest version, or more than that.
    """
    for requirement in project["dependencies"] + [
        one for extra in EXTRAS for one in project["optional-dependencies"][extra]
    ]:
        found = REQUIREMENT.fullmatch(requirement)
        if found is None:
            raise ValueError(f"pyproject.toml: {requirement!r} is not of the form 'name>=version'")
        yield found[1], found[2]


def main() -> int:
    if sys.version_info[:2] != (3, 11):
        print(
            f"this is Python {sys.version.split()[0]}: the oldest dependencies have wheels for 3.11 only; say "
            "PYTHON=python3.11",
            file=sys.stderr,
        )
        return 2
    with PROJECT.open("rb") as file:
        project = tomllib.load(file)["project"]
    for name, version in lowest(project):
        print(f"{name}=={version}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
