"""`Survey`: the networks of a survey's store as `canvaswidget.Runs`, with a table of what was measured."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from canvaswidget.analysis.hierarchical import Comparison, compare_groups
from canvaswidget.analysis.over_runs import OverRuns
from canvaswidget.arguments import checked, text, wrong_type
from canvaswidget.runs.collection import Runs
from canvaswidget.runs.naming import Key
from canvaswidget.runs.run import Run
from canvaswidget.surveys.job import Job, place_name
from canvaswidget.surveys.measures import FINDINGS
from canvaswidget.surveys.places import Place, place_of
from canvaswidget.surveys.store import (
    DONE,
    WEIGHTS,
    Row,
    SurveyError,
    read_arrays,
    read_root,
    read_row,
    read_rows,
    unpack_canvas,
)
from canvaswidget.surveys.table import Numbers, facts_of, identity, is_among, is_missing, line_of, part_of
from canvaswidget.tracing import CanvasLike

if TYPE_CHECKING:
    import pandas

Result = TypeVar("Result")


class Survey(Runs):
    """The networks of a survey: their saved canvases, and a table of all that was measured.

    It is a `canvaswidget.Runs`: canvases are read from the store, without a model. Asking for the canvas of a job that
    failed raises `RunError`.

    Parameters
    ----------
    store : path or address
        What `canvaswidget.survey` wrote, or is writing.

    Raises
    ------
    FileNotFoundError, SurveyError
        There is no survey, or a damaged one.
    """

    def __init__(self, store: str | os.PathLike[str]) -> None:
        place = place_of(store)
        self._begin(place, {}, lambda row: True)
        self.origin = f"cw.open({os.fspath(store)!r})"
        self.refresh()

    def _begin(self, place: Place, rows: dict[str, Row], chosen: Callable[[Row], bool]) -> None:
        self._start(None, "auto", "1 GiB")
        self._place, self._chosen = place, chosen
        self._take_rows(rows)

    @property
    def table(self) -> pandas.DataFrame:
        """One row a job: its parameters, what was measured, seconds, host, versions, a hash of the weights, the error.

        Numbers of findings are columns such as ``faithfulness.net.1.totals``. pandas is imported here.
        """
        import pandas

        index = pandas.Index([row["name"] for row in self._rows.values()], name="run")
        return pandas.DataFrame([line_of(row) for row in self._rows.values()], index=index)

    def where(self, **conditions: Any) -> Survey:
        """Select runs by their parameters or other columns of the table.

        Parameters
        ----------
        **conditions
            A value, or a list of values that are accepted: ``where(seed=0, model=["ffn", "siren"])``.

        Raises
        ------
        ValueError
            There is no such column, or no such run.
        """
        lines = {key: line_of(row) for key, row in self._rows.items()}
        known = list(dict.fromkeys(name for line in lines.values() for name in line))
        for name in conditions:
            if name not in known:
                raise ValueError(f"{name}: is no column of the table; there are {', '.join(known) or 'none'}")

        def matches(line: dict[str, Any]) -> bool:
            return all(is_among(line.get(name), value) for name, value in conditions.items())

        rows = {key: row for key, row in self._rows.items() if matches(lines[key])}
        said = ", ".join(f"{name}={value!r}" for name, value in conditions.items())
        if not rows:
            raise ValueError(f"where({said}): there is no such run")
        made = Survey.__new__(Survey)
        made._begin(self._place, rows, lambda row: self._chosen(row) and matches(line_of(row)))
        made.origin = f"{self.origin}.where({said})"
        return made

    @property
    def findings(self) -> list[str]:
        """What was measured, as `finding` takes it: ``psnr``, ``totals.net.1``."""
        return list(dict.fromkeys(label for row in self._rows.values() for label in row.get("numbers", {})))

    @checked
    def finding(self, name: str) -> OverRuns[Numbers]:
        """What was measured under a name: one row a run, with mean, interval and plot.

        Parameters
        ----------
        name : str
            Of what was measured, such as ``"psnr"``; of one layer, such as ``"faithfulness.net.1"``, or of all, such as
            ``"faithfulness"``.

        Raises
        ------
        ValueError
            The survey has nothing of this name.
        """
        self._check_rules(name, self._rows.values())
        results, errors = {}, {}
        for row in self._rows.values():
            key, values = row["name"], part_of(row, name)
            if values:
                results[key] = Numbers(values, row["estimated"].get(name, ""))
            else:
                errors[key] = row["error"] or row.get("trouble", {}).get(name) or "was not measured"
        if not results:
            raise ValueError(
                f"name={name!r}: was not measured; there are {', '.join(self.findings) or 'none'}"
            )
        return OverRuns(name, tuple(self), results, errors)

    def arrays(self, run: Key, finding: str) -> dict[str, np.ndarray]:
        """The arrays of a finding of one run.

        Parameters
        ----------
        run
        finding : str
            With its layer and frame, such as ``"distribution.net.1.0"``.

        Raises
        ------
        KeyError
            There is no such run, or it has no such finding.
        """
        name = self._place_of(run)
        return self._read_from(name, lambda: read_arrays(self._place, name, finding))

    @checked(by=text, video=text)
    def compare(
        self, number: str | pandas.Series, by: str | None = None, video: str = "video", seed: int = 0
    ) -> Comparison:
        """The mean of a number over videos and seeds, in each group, with its interval.

        The interval is that of a hierarchical bootstrap: videos are drawn with replacement, then runs of each. So it
        says what to expect of other videos, not of other seeds alone.

        Parameters
        ----------
        number : str or Series
            A column of the table; or what was made of columns, such as ``table["psnr"] - table["ssim"]``.
        by : str, optional
            The column that divides the runs into groups, such as ``"model"``.
        video : str
            The column with the video of each run; every run needs a value there.
        seed : int
            Of the bootstrap.
        """
        done = [row for row in self._rows.values() if row["status"] == DONE]
        lines = [line_of(row) for row in done]
        known = list(dict.fromkeys(name for line in lines for name in line))
        columns = {"number": number} if isinstance(number, str) else {}
        for argument, name in {**columns, "by": by, "video": video}.items():
            if name is not None and name not in known:
                raise ValueError(
                    f"{argument}={name!r}: is no column of the table; there are {', '.join(known) or 'none'}"
                )
        if isinstance(number, str):
            self._check_rules(number, (row for row, line in zip(done, lines, strict=True) if number in line))
            said, values = number, [line.get(number, math.nan) for line in lines]
        else:
            if not (hasattr(number, "get") and hasattr(number, "name")):
                raise wrong_type("number", number, "the name of a column, or a Series such as table['psnr']")
            said, values = str(number.name or "number"), [number.get(row["name"], math.nan) for row in done]
        if any(isinstance(value, str) for value in values):
            raise ValueError(f"number={said!r}: holds texts; expected a column of numbers")
        for row, line, value in zip(done, lines, values, strict=True):
            if is_missing(line.get(video)) and not is_missing(value):
                raise ValueError(
                    f"video={video!r}: run {row['name']!r} has no value in this column, so it is not known which runs "
                    "are of its video; give all jobs this parameter, or choose runs with where"
                )
        return compare_groups(
            said,
            np.array(values, np.float64),
            [line.get(video) for line in lines],
            [line.get(by) for line in lines] if by is not None else None,
            seed=seed,
        )

    def job(self, run: Key) -> Job:
        """The job of a run, to make its network again: ``runs.job("bunny").make()``."""
        return Job.from_dict(self._row(run)["job"])

    def weights(self, run: Key) -> str:
        """The path of a run's weights, where `what` had them kept.

        Raises
        ------
        SurveyError
            They were not.
        """
        name = self._place_of(run)
        found = self._read_from(name, lambda: self._place.kept(f"{name}/{WEIGHTS}"))
        if found is None:
            raise SurveyError(f"run {run!r}: its weights were not kept; say what={{..., 'weights': {{}}}}")
        return str(found)

    @property
    def errors(self) -> dict[Key, str]:
        failed = {row["name"]: row["error"] for row in self._rows.values() if row["status"] != DONE}
        return {**super().errors, **failed}

    def refresh(self) -> list[Key]:
        """Look into the store again, and return the runs that are new or were done again.

        Raises
        ------
        FileNotFoundError
            The store is not there any more; the runs stay as they were.
        SurveyError
            Runs were done again with another size or length: open the store again.
        """
        with self._lock:
            read_root(self._place)
            for key, error in ((row["name"], row["error"]) for row in self._rows.values()):
                self._runs[key].error = error  # one that could not be opened is tried again
            rows = {name: row for name, row in read_rows(self._place).items() if self._chosen(row)}
            self._check_same_extent(rows)
            new = self._take_rows(rows)
        self._tell_watchers(new)
        return new

    # --- within -----------------------------------------------------------------------------------------------

    def _check_rules(self, name: str, rows: Iterable[Row]) -> None:
        """Raise where numbers that depend on the rule are of different ones."""
        if name.split(".")[0] not in (*FINDINGS, "totals"):
            return
        rules = {row["rule"]: row["name"] for row in rows if row["status"] == DONE}
        if len(rules) > 1:
            said = ", ".join(f"{rule} ({run!r})" for rule, run in rules.items())
            raise ValueError(
                f"{name}: the runs have different rules, {said}, whose numbers can't be compared. Choose those of one "
                f"with where(rule={next(iter(rules))!r}), or give all jobs a rule"
            )

    def _check_same_extent(self, rows: dict[str, Row]) -> None:
        """Raise where the run that all others are compared with has another extent now: a widget may show it."""
        row = next(
            (row for row in rows.values() if row["name"] == self._first and row["status"] == DONE), None
        )
        if row is not None and (tuple(row["size"]), row["n_frames"]) != (tuple(self.size), self.n_frames):
            raise SurveyError(
                f"run {row['name']!r}: was done again with size {tuple(row['size'])} and {row['n_frames']} frames, not "
                f"{tuple(self.size)} and {self.n_frames}; open the store again"
            )

    def _take_rows(self, rows: dict[str, Row]) -> list[Key]:
        found = {
            row["name"]: Run(functools.partial(self._open, name), facts_of(row), identity(row), row["error"])
            for name, row in rows.items()
        }
        self._rows = rows
        first = next((row for row in rows.values() if row["status"] == DONE), None)
        if first is not None and self._first is None:
            self._check_extent(first["name"], first["size"], first["n_frames"])
        return self._exchange_runs(found)

    def _title(self) -> str:
        n_failed = sum(row["status"] != DONE for row in self._rows.values())
        kind = "" if self._first is None else f": {self._kind()}"
        return f"survey of {len(self)} runs{f', {n_failed} failed' if n_failed else ''}{kind}"

    def _open(self, name: str) -> CanvasLike:
        row = self._rows[name]
        if not row.get("has_canvas"):
            reasons = [
                f"{part}: {said}"
                for part, said in row.get("trouble", {}).items()
                if part.startswith("canvas")
            ]
            raise SurveyError(
                "the survey keeps no canvas of it"
                + (f" ({reasons[0]})" if reasons else "; say what={..., 'canvas': {}}")
            )
        return self._read_from(name, lambda: unpack_canvas(self._place, name))

    def _read_from(self, name: str, read: Callable[[], Result]) -> Result:
        """What is read from a group; raises where that is not the one that the table describes, before and after."""
        self._check_current(name)
        result = read()
        self._check_current(name)
        return result

    def _check_current(self, name: str) -> None:
        there, row = read_row(self._place, name), self._rows[name]
        if there is None or identity(there) != identity(row):
            raise SurveyError(
                f"run {row['name']!r}: was done again, or removed, since the table was read; call refresh()"
            )

    def _row(self, run: Key) -> Row:
        return self._rows[self._place_of(run)]

    def _place_of(self, run: Key) -> str:
        self._run(run)  # KeyError where there is none
        return place_name(str(run))
