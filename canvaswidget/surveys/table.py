"""Rows of a survey's store as lines of its table: what the columns are called, and which cells match."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from canvaswidget.arguments.kinds import is_sequence
from canvaswidget.surveys.store import DONE, Row

FACTS = ("psnr", "seconds")  # of a run, in the printed list
# By measurement, the number that its column is named after.
MAIN = {"psnr": "psnr", "ssim": "ssim", "totals": "total"}


@dataclass(frozen=True)
class Numbers:
    """The numbers of a finding that a survey keeps."""

    values: Mapping[str, float]
    words: str = ""

    def numbers(self) -> dict[str, float]:
        """The numbers by name."""
        return dict(self.values)

    def estimated(self) -> tuple[str, ...]:
        """How well they are known, where they were sampled."""
        return ("estimated", self.words)[: 2 if self.words != "estimated" else 1] if self.words else ()


def line_of(row: Row) -> dict[str, Any]:
    """A row of the table."""
    job, done = row["job"], row["status"] == DONE
    line: dict[str, Any] = dict(job["parameters"])
    line.setdefault("seed", job["seed"])
    line |= {"status": row["status"]}
    if done:
        line |= {
            column_name(label, name): value
            for label, numbers in row["numbers"].items()
            for name, value in numbers.items()
        }
        line |= {name: row[name] for name in ("rule", "n_weights", "n_frames", "hash", "device")}
        line["size"] = "x".join(map(str, row["size"]))
        line["estimated"] = "; ".join(f"{name}: {words}" for name, words in row["estimated"].items())
        line["trouble"] = "; ".join(f"{name}: {words}" for name, words in row["trouble"].items())
    line |= {name: row[name] for name in ("seconds", "host", "time", "error")}
    return line | row["versions"]


def identity(row: Row) -> tuple[str, str]:
    """Of one result of a job: a job that is done again has another."""
    return row.get("id", ""), row["time"]


def column_name(label: str, name: str) -> str:
    """What a number is called in the table."""
    return label if MAIN.get(label.split(".")[0]) == name else f"{label}.{name}"


def part_of(row: Row, name: str) -> dict[str, float]:
    """The numbers of a finding, or of a finding of all layers."""
    numbers = row.get("numbers", {})
    if name in numbers:
        return numbers[name]
    return {
        column_name(label, number).removeprefix(f"{name}."): value
        for label, several in numbers.items()
        if label.startswith(f"{name}.")
        for number, value in several.items()
    }


def facts_of(row: Row) -> dict[str, Any]:
    """Facts of a run for the printed list of runs."""
    known = {**row.get("numbers", {}).get("psnr", {}), "seconds": row["seconds"]}
    return {name: known[name] for name in FACTS if known.get(name) is not None}


def is_missing(value: Any) -> bool:
    """Whether a cell is empty."""
    return value is None or value != value


def is_among(value: Any, wanted: Any) -> bool:
    """Whether a cell has this value, or one of these."""
    return any(
        value == one for one in (wanted if is_sequence(wanted) or isinstance(wanted, Set) else [wanted])
    )
