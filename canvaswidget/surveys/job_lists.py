"""Jobs of a survey from what people have at hand: a table, a pattern of file names, models to be trained."""

from __future__ import annotations

import dataclasses
import glob
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canvaswidget.arguments import frame_or_frames, integer, text
from canvaswidget.arguments.kinds import is_sequence, several, show, wrong_type, wrong_value
from canvaswidget.inr.factories import is_factory
from canvaswidget.surveys.job import FIT_OPTIONS, Job, names_are_unique

if TYPE_CHECKING:
    import pandas

FIELDS = tuple(one.name for one in dataclasses.fields(Job))
FILES = ("weights", "truth")  # fields that may be paths
FIT = "fit."  # prefix of columns with options of the training
COUNTS = ("seed", "n_frames", "epochs", "steps", "batch_size")


def jobs_of(jobs: Any) -> list[Job]:
    """Jobs of a sequence of jobs or mappings, a table, the path of one, or a pattern of weights.

    Paths become absolute, since a worker may run in another folder.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError
        A job is wrong; the message names it.
    """
    found = list(_listed(jobs))
    if not found:
        raise ValueError("jobs: there are none")
    names_are_unique(found)
    return [_with_absolute_paths(job) for job in found]


def training_jobs(
    signals: Mapping[str, Any],
    models: Mapping[str, Any] | Sequence[str],
    seeds: Iterable[int] = (0,),
    *,
    frames: Sequence[int] = (0,),
    rule: str | None = None,
    size: tuple[int, int] | None = None,
    n_frames: int | None = None,
    **how: Any,
) -> list[Job]:
    """Every model trained on every signal with every seed.

    Parameters
    ----------
    signals : {name: path or "module:function" or (function, options)}
    models : {name: family or fit options} or sequence of families
        Such as ``["ffn", "siren"]`` or ``{"small": {"model": "nerv", "options": {"fc_dim": 12}}}``.
    seeds : iterable of int
    frames, rule, size, n_frames
        As in `Job`.
    **how
        As in `canvaswidget.fit`: ``epochs``, ``steps``, ``seconds``, ``lr``, ``batch_size``.

    Returns
    -------
    list of Job
        Their parameters are ``video``, ``model`` and ``seed``.
    """
    if not isinstance(signals, Mapping):
        raise wrong_type("signals", signals, "{name: path}")
    if not isinstance(models, Mapping):
        names = [models] if isinstance(models, str) else models
        several(text, "names of families, or {name: family or fit options}")("models", names)
        models = {name: name for name in names}
    for model, given in models.items():
        if not isinstance(given, str | Mapping):
            raise wrong_type(f"models[{show(model)}]", given, "a family, or fit options")
    for video, signal in signals.items():
        part = signal[0] if is_sequence(signal) and len(signal) == 2 else signal
        if not isinstance(part, str | os.PathLike):
            raise wrong_type(
                f"signals[{show(video)}]", signal, "a path, 'module:function' or (function, options)"
            )
    if not is_sequence(seeds) and not isinstance(seeds, Iterator | Set):
        raise wrong_type("seeds", seeds, "several ints, such as range(3)")
    seeds = list(seeds)
    several(integer(0, high=None), "several ints, such as range(3)", least=0)("seeds", seeds)
    frame_or_frames("frames", frames)
    frames = [frames] if isinstance(frames, int) else frames
    found = []
    for (video, signal), (model, given), seed in itertools.product(signals.items(), models.items(), seeds):
        truth, options = signal if is_sequence(signal) and len(signal) == 2 else (signal, {})
        family = {"model": given} if isinstance(given, str) else dict(given)
        found.append(
            Job(
                f"{video}, {model}, seed {seed}",
                fit={**how, **family},
                truth=truth,
                truth_options=options,
                n_frames=n_frames,
                size=size,
                frames=tuple(frames),
                rule=rule,
                seed=seed,
                parameters={"video": video, "model": model, "seed": seed},
            )
        )
    return found


def _listed(jobs: Any) -> Iterable[Job]:
    if isinstance(jobs, str | os.PathLike):
        path = Path(jobs)
        if path.suffix.lower() == ".csv":
            return _of_table(_read_table(path), path.parent)
        return _of_pattern(os.fspath(jobs))
    if hasattr(jobs, "to_dict") and hasattr(jobs, "columns"):
        return _of_table(jobs, None)
    if isinstance(jobs, Job):
        return [jobs]
    if not is_sequence(jobs):
        raise wrong_type(
            "jobs", jobs, "a sequence of jobs, a DataFrame, a CSV file or a pattern such as 'runs/*.pt'"
        )
    return [_job_of(f"jobs[{place}]", one) for place, one in enumerate(jobs)]


def _job_of(said: str, given: Any) -> Job:
    if isinstance(given, Job):
        return given
    if isinstance(given, Mapping):
        return _of_row(said, dict(given), None)
    raise wrong_type(said, given, "a canvaswidget.Job, or a mapping with its fields")


def _of_pattern(pattern: str) -> Iterable[Job]:
    files = [pattern] if os.path.isfile(pattern) else sorted(glob.glob(pattern))
    if not files:
        raise FileNotFoundError(f"jobs={pattern!r}: there is no such file; expected a CSV file or weights")
    stems = [Path(file).stem for file in files]
    names = stems if len(set(stems)) == len(stems) else [os.path.splitext(file)[0] for file in files]
    return [Job(name, weights=file) for name, file in zip(names, files, strict=True)]


def _read_table(path: Path) -> pandas.DataFrame:
    import pandas

    if not path.is_file():
        raise FileNotFoundError(f"jobs={str(path)!r}: there is no such file")
    try:
        # As text: pandas would make a number of a name such as 007. The header is a row like the others: pandas would
        # rename columns of one name, and shift rows that are longer than it.
        cells = pandas.read_csv(
            path, header=None, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig"
        )
    except (ValueError, pandas.errors.ParserError) as error:
        raise ValueError(f"jobs={str(path)!r}: can't be read as CSV ({str(error).strip()})") from None
    table = cells.iloc[1:].set_axis([str(name).strip() for name in cells.iloc[0]], axis=1)
    _check_columns(table)
    for name in table.columns:
        if name not in FIELDS and not name.startswith(FIT):
            table[name] = pandas.Series(_parameters(list(table[name])), table.index, dtype=object)
    return table


def _check_columns(table: pandas.DataFrame) -> None:
    names = [str(name) for name in table.columns]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"jobs: two columns are called {twice!r}; each needs a name of its own")
    if "" in names:
        raise ValueError(f"jobs: column {names.index('') + 1} has no name")


def _parameters(texts: list[Any]) -> list[Any]:
    """A column of a CSV file: numbers or booleans where all its cells are; else texts, such as 007, 008, 100."""
    values = [None if _is_empty(text) else _value(text) for text in texts]
    for kinds in ((int, float), (bool,)):
        if all(value is None or type(value) in kinds for value in values):
            return values
    return texts


def _of_table(table: pandas.DataFrame, folder: Path | None) -> Iterable[Job]:
    _check_columns(table)
    return [
        _of_row(f"jobs, row {place}", {str(key): value for key, value in row.items()}, folder)
        for place, row in enumerate(table.to_dict("records"), 1)
    ]


def _of_row(said: str, row: dict[str, Any], folder: Path | None) -> Job:
    """A job of a row: its fields by name, ``fit.steps`` and the like; all other columns are parameters."""
    try:
        values = _fields(row)
        for key in FILES:
            text = values.get(key)
            if isinstance(text, str) and folder is not None and not is_factory(text) and "://" not in text:
                values[key] = os.path.join(folder, text)
        return Job(**values)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{said}: {error}") from None


def _fields(row: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    more: dict[str, Any] = {}
    fitted: dict[str, Any] = {}
    for key, value in row.items():
        if _is_empty(value):
            continue
        if key.startswith(FIT):
            fitted[key.removeprefix(FIT)] = _whole(key.removeprefix(FIT), _value(value))
        elif key in FIELDS:
            values[key] = _whole(key, _field(key, value))
        else:
            more[key] = value
    if "name" not in values:
        raise ValueError("has no name; expected a column 'name'")
    unknown = sorted(set(fitted) - set(FIT_OPTIONS))
    if unknown:
        raise ValueError(f"column 'fit.{unknown[0]}': expected one of {', '.join(FIT_OPTIONS)} after 'fit.'")
    for key, found in (("fit", fitted), ("parameters", more)):
        given = values.get(key, {})
        if not isinstance(given, Mapping):
            raise wrong_type(key, given, "a mapping")
        if found:
            values[key] = {**found, **given} if key == "parameters" else {**given, **found}
    return values


def _is_empty(value: Any) -> bool:
    if value is None or isinstance(value, str):
        return value is None or not value.strip()
    if isinstance(value, Mapping) or is_sequence(value):
        return False
    try:
        return bool(value != value)
    except TypeError:  # pandas.NA is neither equal nor unequal
        return True


def _field(key: str, value: Any) -> Any:
    if not isinstance(value, str) or key in ("name", "weights", "inr", "truth", "rule"):
        return str(value) if key == "name" else value
    value = value.strip()
    if key == "size" and "x" in value:
        return _integers(key, value, value.split("x"), "a text such as 256x256")
    if key == "frames" and value[0] != "[":
        return _integers(key, value, value.replace(",", " ").split(), "numbers such as '0, 3'")
    return _value(value)


def _integers(key: str, text: str, parts: list[str], expected: str) -> list[int]:
    try:
        return [int(part) for part in parts]
    except ValueError:
        raise wrong_value(key, text, expected) from None


def _whole(key: str, value: Any) -> Any:
    """A count as an int: pandas makes floats of the ints of a column with empty cells."""
    return int(value) if key in COUNTS and isinstance(value, float) and value.is_integer() else value


def _value(value: Any) -> Any:
    """A number, a list or a mapping where a text of a table reads as one."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_no_constant)
    except ValueError:
        return value


def _no_constant(text: str) -> None:
    raise ValueError(text)  # NaN and Infinity, which JSON of Python accepts: a text


def _with_absolute_paths(job: Job) -> Job:
    paths = {
        key: os.path.abspath(text)
        for key in FILES
        if (text := getattr(job, key)) is not None and "://" not in text and not is_factory(text)
    }
    return dataclasses.replace(job, **paths)
