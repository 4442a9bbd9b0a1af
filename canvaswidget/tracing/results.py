"""What a canvas answers with, in forms that print well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
import numpy.typing as npt

from canvaswidget import tables
from canvaswidget.tracing.budget import show_bytes
from canvaswidget.tracing.layers import Layers, Neuron, show_neuron

if TYPE_CHECKING:
    import pandas


class Ranked(NamedTuple):
    """A neuron's contribution to a pixel.

    `value` is signed, the colours added. `magnitude` is the sum over colours of the absolute contributions where the
    rule knows colours, else that of `value`. `share` is the magnitude as a part of those of all neurons of the layer.
    """

    layer: str
    neuron: Neuron
    value: float
    share: float
    magnitude: float


class Column(NamedTuple):
    """Every neuron's contribution to one pixel or region, signed, and its magnitude, as in `Ranked`."""

    values: npt.NDArray[Any]
    magnitudes: npt.NDArray[Any]

    @classmethod
    def of(cls, values: npt.NDArray[np.floating], each: bool) -> Column:
        """From values, which have a last axis of colours where `each`."""
        return cls(values.sum(-1), np.abs(values).sum(-1)) if each else cls(values, np.abs(values))


class Ranking(Sequence[Ranked]):
    """Neurons from the most to the least contributing."""

    def __init__(self, ranked: Sequence[Ranked], title: str) -> None:
        self._ranked = list(ranked)
        self.title = title

    @classmethod
    def of(cls, columns: Mapping[str, Column], layers: Layers, k: int, title: str) -> Ranking:
        """The `k` neurons of largest magnitude, from every neuron's contribution, by layer."""
        names = list(columns)
        values = np.concatenate([column.values.ravel() for column in columns.values()])
        sizes = np.concatenate([column.magnitudes.ravel() for column in columns.values()])
        owner = np.repeat(np.arange(len(names)), [column.values.size for column in columns.values()])
        within = np.concatenate([np.arange(column.values.size) for column in columns.values()])
        totals = [float(column.magnitudes.sum(dtype=np.float64)) for column in columns.values()]
        # Stable, so that equal contributions keep the order of execution.
        ranked = []
        for index in np.argsort(-sizes, kind="stable")[:k]:
            name, total = names[owner[index]], totals[owner[index]]
            granularity = "kernel" if columns[name].values.ndim == 2 else "unit"
            neuron = layers.find(name).neuron_at(int(within[index]), granularity)
            value, size = float(values[index]), float(sizes[index])
            ranked.append(Ranked(name, neuron, value, size / total if total else 0.0, size))
        return cls(ranked, title)

    @overload
    def __getitem__(self, index: int) -> Ranked: ...
    @overload
    def __getitem__(self, index: slice) -> list[Ranked]: ...
    def __getitem__(self, index: int | slice) -> Ranked | list[Ranked]:
        return self._ranked[index]

    def __len__(self) -> int:
        return len(self._ranked)

    def to_frame(self) -> pandas.DataFrame:
        """One row a neuron, from the first; pandas is imported here."""
        import pandas

        rows = [
            {
                "layer": one.layer,
                "neuron": show_neuron(one.neuron),
                "contribution": one.value,
                "magnitude": one.magnitude,
                "share": one.share,
            }
            for one in self._ranked
        ]
        names = ["layer", "neuron", "contribution", "magnitude", "share"]
        return pandas.DataFrame(rows, pandas.RangeIndex(1, len(rows) + 1, name="rank"), names)

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        rows = [
            [
                str(rank),
                ranked.layer,
                show_neuron(ranked.neuron),
                f"{ranked.value:+.5g}",
                f"{ranked.magnitude:.5g}",
                f"{ranked.share:.1%}",
            ]
            for rank, ranked in enumerate(self._ranked, 1)
        ]
        head = ["", "layer", "neuron", "contribution", "magnitude", "of its layer"]
        return head, rows, (0, 2, 3, 4, 5)

    def __repr__(self) -> str:
        return f"{self.title}\n{tables.text(*self._table())}"

    def _repr_html_(self) -> str:
        return tables.markup(*self._table(), note=self.title)


@dataclass(frozen=True)
class Op:
    """One op of the model: `status` is traced, frozen (a constant to the rule) or opaque."""

    name: str
    path: str
    status: str
    note: str = ""


class Coverage(Sequence[Op]):
    """What the rule follows of the model, op by op, in order of execution.

    Attributes
    ----------
    why : str
        Why this rule, where it was not asked for by name.
    parameters : str
        Which share of the model's parameters is in layers, and where the others are.
    """

    def __init__(self, ops: Sequence[Op], why: str = "", parameters: str = "") -> None:
        self._ops = list(ops)
        self.why = why
        self.parameters = parameters

    def of(self, status: str) -> list[Op]:
        """The ops that are ``"traced"``, ``"frozen"`` or ``"opaque"``."""
        return [op for op in self._ops if op.status == status]

    @overload
    def __getitem__(self, index: int) -> Op: ...
    @overload
    def __getitem__(self, index: slice) -> list[Op]: ...
    def __getitem__(self, index: int | slice) -> Op | list[Op]:
        return self._ops[index]

    def __len__(self) -> int:
        return len(self._ops)

    def to_frame(self) -> pandas.DataFrame:
        """One row an op; pandas is imported here."""
        import pandas

        rows = [(op.name, op.path, op.status, op.note) for op in self._ops]
        return pandas.DataFrame(rows, columns=["name", "path", "status", "note"])

    @property
    def note(self) -> str:
        """How many ops are what, in one line."""
        counts = ", ".join(f"{len(self.of(status))} {status}" for status in ("traced", "frozen", "opaque"))
        return f"{len(self._ops)} ops: {counts}" + "".join(
            f"; {words}" for words in (self.why, self.parameters) if words
        )

    def _table(self) -> tuple[list[str], list[list[str]]]:
        return ["op", "module", "status", ""], [[op.name, op.path, op.status, op.note] for op in self._ops]

    def __repr__(self) -> str:
        return f"{tables.text(*self._table())}\n{self.note}"

    def _repr_html_(self) -> str:
        return tables.markup(*self._table(), note=self.note)


@dataclass(frozen=True)
class Estimate:
    """What a sweep over all neurons of some layers will take, measured on a few chunks of each.

    Attributes
    ----------
    seconds : float
    bytes : int
        Working memory of a chunk, over what the model itself takes.
    n_maps : int
    n_pixels : int
    """

    seconds: float
    bytes: int
    n_maps: int
    n_pixels: int

    def __repr__(self) -> str:
        return (
            f"{self.n_maps:,} maps of {self.n_pixels:,} pixels: about {self.seconds:.2g} s "
            f"and {show_bytes(self.bytes)} of working memory"
        )


@dataclass(frozen=True)
class Check:
    """One invariant on one layer: the largest deviation, relative to the largest value, and whether it holds."""

    invariant: str
    layer: str
    deviation: float
    holds: bool
    note: str = ""


class Checks(Sequence[Check]):
    """The invariants that were tried on this model."""

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = list(checks)

    @property
    def all_hold(self) -> bool:
        return all(check.holds for check in self._checks)

    @overload
    def __getitem__(self, index: int) -> Check: ...
    @overload
    def __getitem__(self, index: slice) -> list[Check]: ...
    def __getitem__(self, index: int | slice) -> Check | list[Check]:
        return self._checks[index]

    def __len__(self) -> int:
        return len(self._checks)

    def _table(self) -> tuple[list[str], list[list[str]], tuple[int, ...]]:
        rows = [
            [
                check.invariant,
                check.layer,
                f"{check.deviation:.1e}",
                ("holds" if check.holds else "FAILS") + (f": {check.note}" if check.note else ""),
            ]
            for check in self._checks
        ]
        return ["invariant", "layer", "deviation", ""], rows, (2,)

    def __repr__(self) -> str:
        return tables.text(*self._table())

    def _repr_html_(self) -> str:
        return tables.markup(*self._table())


@dataclass(frozen=True, repr=False)
class Saving:
    """What a saved canvas holds.

    Attributes
    ----------
    path : Path
    parts : dict
        Bytes of each part before compression.
    written : int or None
        Bytes on the disk; None where nothing was written.
    seconds : float or None
        What computing it is estimated to take; None where that was not asked for.
    estimated : tuple of str
        The layers whose totals are estimated; see `Canvas.save`.
    """

    path: Path
    parts: dict[str, int]
    written: int | None = None
    seconds: float | None = None
    estimated: tuple[str, ...] = ()

    @property
    def nbytes(self) -> int:
        """Of all parts before compression: what the file takes at most."""
        return sum(self.parts.values())

    def _rows(self) -> list[list[str]]:
        rows = [[name, show_bytes(size)] for name, size in self.parts.items()]
        rows.append(["together, before compression", show_bytes(self.nbytes)])
        if self.written is not None:
            rows.append(["on disk", show_bytes(self.written)])
        if self.seconds is not None:
            rows.append(["time, about", f"{self.seconds:.1f} s"])
        if self.estimated:
            rows.append(["totals estimated", f"{', '.join(self.estimated)}; accuracy=None keeps exact ones"])
        return rows

    def __repr__(self) -> str:
        return tables.text(["saved canvas", str(self.path)], self._rows())

    def _repr_html_(self) -> str:
        return tables.markup(["saved canvas", str(self.path)], self._rows())
