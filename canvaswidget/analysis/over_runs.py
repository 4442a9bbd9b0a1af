"""A finding of several runs: one row a run, the mean with its interval, a plot with the run as its axis.

`over_runs` decorates a finding of a canvas so that it takes several, too: a `canvaswidget.Runs`, or any mapping of
canvases. Each run is measured with the same arguments, one after the other. A run that fails is a row that says so.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Concatenate, NamedTuple, ParamSpec, Protocol, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from canvaswidget import tables
from canvaswidget.arguments import as_array, checked, choice, some_progress, text, wrong_type
from canvaswidget.error_text import one_line
from canvaswidget.plotting.style import CYCLE, QUIET, heading, new_axes, new_panels, plain_numbers, style
from canvaswidget.progress import Steps, steps
from canvaswidget.tracing.accuracy import LEVEL
from canvaswidget.tracing.protocol import CanvasLike

if TYPE_CHECKING:
    import pandas

SHOWN = 6  # runs in a printed table, from the start and from the end
WIDE = 30  # the largest step by the smallest from which on an axis is logarithmic
MOST_NAMED = 3  # failed runs that a heading lists by name
LONG_NAMES = 30  # letters of all names of runs that fit under an axis side by side
LONGEST_NAME = 24  # letters of a name in a drawing
MOST_TICKS = 24  # names under an axis


class Numbered(Protocol):
    """A finding that a few numbers sum up."""

    def numbers(self) -> dict[str, float]:
        """The numbers by name; nan where one is not defined."""
        ...


Given = TypeVar("Given", contravariant=True)
Arguments = ParamSpec("Arguments")
Found = TypeVar("Found", bound=Numbered, covariant=True)


class Mean(NamedTuple):
    """The mean of a number over runs.

    Attributes
    ----------
    value : float
        Of the runs where the number is defined; nan where there are none.
    low, high : float or None
        Its 95% interval by Student's t, for runs that are independent of each other, such as seeds. None for one run.
    n : int
        Runs where the number is defined.
    """

    value: float
    low: float | None
    high: float | None
    n: int

    @classmethod
    def of(cls, values: npt.NDArray[np.floating]) -> Mean:
        """The mean of the values that are finite."""
        from scipy.stats import t

        array = as_array(values)
        if array is None or array.dtype.kind not in "buif":
            raise wrong_type("values", values, "an array of numbers")
        values = np.ravel(array)
        known = values[np.isfinite(values)].astype(np.float64)
        n = len(known)
        value = float(known.mean()) if n else math.nan
        if n < 2:
            return cls(value, None, None, n)
        reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * float(known.std(ddof=1)) / math.sqrt(n)
        return cls(value, value - reach, value + reach, n)

    def __str__(self) -> str:
        if not self.n:
            return "not defined"
        return f"{self.value:.3g}{interval_text(self.low, self.high)}, n = {self.n}"


def interval_text(low: float | None, high: float | None) -> str:
    """An interval in brackets behind its value; empty where there is none."""
    return "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"


@dataclass(frozen=True, eq=False, repr=False)
class OverRuns(Mapping[Any, Found]):
    """A finding of several runs: the result of each run, and the numbers that sum it up.

    ``found["seed 1"]`` is what the finding gives for that run alone. Runs that failed are not in the mapping; they are
    in `errors`, and rows of the table.

    Attributes
    ----------
    finding : str
        Name of the function.
    runs : tuple
        The keys of all runs, in order.
    results : dict
        By run, of those that did not fail.
    errors : dict of str
        By run, why it failed.
    is_one_network : bool
        Whether the runs are one network with other weights, such as the checkpoints of a training. They are not
        independent of each other, so neither the table nor the plot shows a mean.
    """

    finding: str
    runs: tuple[Any, ...]
    results: Mapping[Any, Found]
    errors: Mapping[Any, str]
    is_one_network: bool = False

    def __getitem__(self, run: Any) -> Found:
        if run in self.errors:
            raise KeyError(f"run={run!r}: {self.errors[run]}")
        return self.results[run]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def names(self) -> list[str]:
        """The names of the numbers."""
        return list(dict.fromkeys(name for numbers in self._numbers.values() for name in numbers))

    def number(self, name: str) -> npt.NDArray[np.float64]:
        """One number of each of `runs`; nan where the run failed or the number is not defined."""
        choice(*self.names)("name", name)
        return np.array([self._numbers.get(run, {}).get(name, math.nan) for run in self.runs])

    def mean(self) -> dict[str, Mean]:
        """The mean of each number over the runs where it is defined, with its 95% interval."""
        return {name: Mean.of(self.number(name)) for name in self.names}

    def to_frame(self) -> pandas.DataFrame:
        """One row a run; pandas is imported here.

        A column `estimated` says how well, where results are estimates; a column `error` why, where runs failed.
        """
        import pandas

        columns: dict[str, Any] = {name: self.number(name) for name in self.names}
        columns |= {name: words for name, words in self._words().items() if any(words)}
        return pandas.DataFrame(columns, index=pandas.Index(self.runs, name="run"))

    @checked(number=text)
    def plot(self, number: str | None = None, ax: Axes | None = None) -> Axes:
        """One of the numbers, the first by default, in each run; with its mean where runs are independent.

        Runs with numbers as keys, such as steps, are at their places, on a logarithmic axis where these are far apart.
        Runs that failed are left out, and named above.
        """
        name = self.names[0] if number is None else number
        choice(*self.names)("number", name)
        values, ax = self.number(name), ax or new_axes()
        steps = [run for run in self.runs if isinstance(run, int)]
        numeric = len(steps) == len(self.runs)
        places = np.array(steps if numeric else range(len(self.runs)), float)
        with style():
            mean = Mean.of(values)
            if not self.is_one_network and mean.low is not None and mean.high is not None:
                ax.axhspan(mean.low, mean.high, color=QUIET, alpha=0.2, lw=0)
                ax.axhline(mean.value, color=QUIET, lw=1)
            line = "-" if self.is_one_network and numeric else ""
            ax.plot(places, values, color=CYCLE[0], lw=1.2, ls=line, marker="o", ms=3)
            if numeric:
                _place_steps(ax, places)
            else:
                place_names(ax, [short_name(run) for run in self.runs])
            ax.set(xlabel="run", ylabel=name.replace("_", " "))
            ax.yaxis.set_major_formatter(plain_numbers())
            heading(ax, *self._heading(mean))
        return ax

    def plot_all(self) -> Figure:
        """All numbers, each as `plot` draws it."""
        axes = new_panels(len(self.names))
        for name, ax in zip(self.names, axes, strict=True):
            self.plot(name, ax)
        return cast(Figure, axes[0].figure)

    @functools.cached_property
    def _numbers(self) -> dict[Any, dict[str, float]]:
        return {run: result.numbers() for run, result in self.results.items()}

    def _words(self) -> dict[str, list[str]]:
        """What is said of each run beside its numbers."""
        estimated = {run: ", ".join(_estimated(result)) for run, result in self.results.items()}
        return {
            "estimated": [estimated.get(run, "").removeprefix("estimated, ") for run in self.runs],
            "error": [self.errors.get(run, "") for run in self.runs],
        }

    def _heading(self, mean: Mean) -> list[str]:
        parts = [self._title()]
        if not self.is_one_network and mean.low is not None:
            parts.append(f"mean {mean}")
        count = sum(map(bool, self._words()["estimated"]))
        if count:
            parts.append(f"{count} of {len(self.runs)} estimated")
        if self.errors:
            some = ", ".join(map(short_name, list(self.errors)[:MOST_NAMED]))
            more = f" and {len(self.errors) - MOST_NAMED} more" if len(self.errors) > MOST_NAMED else ""
            parts.append(f"failed: {some}{more}")
        return parts

    def _title(self) -> str:
        layers = {_layer_of(result) for result in self.results.values()} - {""}
        return self.finding.replace("_", " ") + (f" of {layers.pop()}" if len(layers) == 1 else "")

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        words = {name: column for name, column in self._words().items() if any(column)}
        columns = [
            [
                "" if run in self.errors else f"{value:.4g}"
                for run, value in zip(self.runs, self.number(name), strict=True)
            ]
            for name in self.names
        ]
        rows = [
            list(row)
            for row in zip(map(str, self.runs), *columns, *(words[name] for name in words), strict=True)
        ]
        if len(rows) > 2 * SHOWN:
            rows = [*rows[:SHOWN], ["...", *("" for _ in rows[0][1:])], *rows[-SHOWN:]]
        if not self.is_one_network:
            means, nothing = list(self.mean().values()), ["" for _ in words]
            rows.append(["mean", *(f"{mean.value:.4g}" for mean in means), *nothing])
            for side in ("low", "high"):
                bounds = [getattr(mean, side) for mean in means]
                shown = ["" if bound is None else f"{bound:.4g}" for bound in bounds]
                rows.append([f"95% interval, {side}", *shown, *nothing])
        head = ["run", *(name.replace("_", " ") for name in self.names), *words]
        return head, rows, tuple(range(1, 1 + len(columns)))

    def __repr__(self) -> str:
        return f"{self._title()}, {len(self.runs)} runs\n{tables.text(*self._table())}"

    def _repr_html_(self) -> str:
        return tables.markup(*self._table(), note=f"{self._title()}, {len(self.runs)} runs")


class OfCanvasOrRuns(Protocol[Given, Arguments, Found]):
    """A finding: of a canvas its own result, of several runs an `OverRuns` of these."""

    __name__: str

    @overload
    def __call__(self, canvas: Given, *arguments: Arguments.args, **keywords: Arguments.kwargs) -> Found: ...
    @overload
    def __call__(
        self, canvas: Mapping[Any, CanvasLike], *arguments: Arguments.args, **keywords: Arguments.kwargs
    ) -> OverRuns[Found]: ...


def over_runs(
    function: Callable[Concatenate[Given, Arguments], Found],
) -> OfCanvasOrRuns[Given, Arguments, Found]:
    """Decorate a finding of a canvas so that it takes a mapping of canvases, too.

    The finding has a parameter `progress`, which counts runs where there are several. Its result has `numbers`.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def either(canvas: Any, *arguments: Any, **keywords: Any) -> Any:
        if not isinstance(canvas, Mapping):
            return function(canvas, *arguments, **keywords)
        given = signature.bind(canvas, *arguments, **keywords)
        progress = given.arguments.get("progress")
        if progress is not None:
            some_progress("progress", progress)
        with steps(function.__name__, "run", progress or False, len(canvas)) as counted:
            return _measured(function, given, canvas, counted)

    first, *others = signature.parameters.values()
    both = first.replace(annotation=f"{first.annotation} | Mapping[Any, CanvasLike]")
    returned = f"{signature.return_annotation} | OverRuns[{signature.return_annotation}]"
    either.__signature__ = signature.replace(parameters=[both, *others], return_annotation=returned)  # type: ignore[attr-defined]
    return cast(Any, either)


def _measured(
    function: Callable[..., Found],
    given: inspect.BoundArguments,
    runs: Mapping[Any, Any],
    counted: Steps,
) -> OverRuns[Found]:
    """The finding of each run; the first error where all fail."""
    if not runs:
        raise ValueError("canvas: there are no runs; expected at least one")
    first = next(iter(given.arguments))
    stopped: list[BaseException] = []

    def report(done: int, total: int) -> None:
        """Within a run: the user's function may raise to stop."""
        try:
            counted.tell()
        except BaseException as error:
            stopped.append(error)
            raise

    def measure(canvas: Any) -> Found | Exception:
        given.arguments |= {first: canvas, "progress": report}
        try:
            return function(*given.args, **given.kwargs)
        except TypeError:  # a wrong argument, which is wrong for every run
            raise
        except Exception as error:
            if stopped:
                raise
            return error

    results, errors, failure = {}, {}, None
    counted.tell()
    for key, found in each_run(runs, measure):
        if isinstance(found, Exception):
            failure = failure or found
            errors[key] = one_line(found, whole=True)
        else:
            results[key] = found
        counted.take()
    if failure is not None and not results:
        raise failure
    return OverRuns(
        function.__name__, tuple(runs), results, errors, bool(getattr(runs, "is_one_network", False))
    )


def each_run(runs: Mapping[Any, Any], function: Callable[[Any], Any]) -> Iterable[tuple[Any, Any]]:
    """What the function gives for each run, or the error of a run that can't be made; see `canvaswidget.Runs.each`."""
    each = getattr(runs, "each", None)
    return ((key, function(runs[key])) for key in runs) if each is None else each(function)


def _estimated(result: Any) -> tuple[str, ...]:
    """How well an estimate is known, as `sampled.Estimated` says it."""
    return result.estimated() if hasattr(result, "estimated") else ()


def _layer_of(result: Any) -> str:
    """The name of the layer that a result is of; empty where it is of several."""
    layer = getattr(result, "layer", "")
    return getattr(layer, "name", layer)


def short_name(run: Any) -> str:
    """The name of a run, as long as a drawing has room for."""
    name = str(run)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def place_names(ax: Axes, names: Sequence[str]) -> None:
    """Runs with names stand side by side; of very many some are named."""
    every = math.ceil(len(names) / MOST_TICKS)
    is_short = sum(len(name) + 2 for name in names) < LONG_NAMES
    ax.set_xticks(range(0, len(names), every), names[::every], rotation=0 if is_short else 60)
    ax.set_xlim(-0.5, len(names) - 0.5)


def _place_steps(ax: Axes, places: npt.NDArray[np.float64]) -> None:
    """Runs with numbers: on a logarithmic axis where they span decades, which is linear from 0 to the next of them."""
    positive = places[places > 0]
    if places.min() < 0 or not len(positive) or positive.max() / positive.min() < WIDE:
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    elif places.min() > 0:
        ax.set_xscale("log")
    else:
        ax.set_xscale("symlog", linthresh=float(positive.min()))
