"""Traits that Python and the page may set at the same time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import anywidget
import traitlets

from canvaswidget.arguments import show

log = logging.getLogger(__name__)

# Traits that only Python sets; the page reads them.
KERNELS = ("_canvas", "_compared", "_runs", "_changes", "_picture", "_esm", "_css")


class SharedTraits(anywidget.AnyWidget):
    """A widget whose traits Python and the page may set at the same time; each hears of the other later.

    Every change that the page did not make has a number, which the page gets with it (`_changes`). The page tells with
    each trait that it sets the last number that it knew (`_seen`). A report that Python's change has crossed is older
    than the change, and is dropped.
    """

    # The traits, in the order they are set; and, by trait, those whose value a report of the page was meant for: it
    # loses against what Python has set meanwhile of these, too.
    VIEW: ClassVar[tuple[str, ...]] = ()
    MEANT_FOR: ClassVar[dict[str, tuple[str, ...]]] = {}

    _changes = traitlets.Dict().tag(
        sync=True
    )  # by trait, the number of the last change that the page did not make
    _seen = traitlets.Dict().tag(
        sync=True
    )  # by trait, the last number that the page knew when it set the trait

    def __init__(self, **state: Any) -> None:
        self._setting = threading.RLock()  # before `_sending`, where both are taken
        self._sending = threading.RLock()
        self._reporting: int | None = None  # the thread on which a report of the page is taken
        self._set_by_page, self._followed = "", set[str]()
        super().__init__(**state)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the page sets; what can't be is logged, and the page told what is the case instead."""
        refused = []
        order = {name: place for place, name in enumerate(self.VIEW)}
        with self._setting, self.hold_sync():
            known, orphaned = self._overtaken(sync_data)
            self._reporting = threading.get_ident()
            try:
                for name in sorted(sync_data.keys() - known - orphaned, key=lambda name: order.get(name, -1)):
                    value = sync_data[name]
                    try:
                        if name in KERNELS:
                            raise traitlets.TraitError(f"{name} is the kernel's")
                        if name not in order:
                            super().set_state({name: value})
                            continue
                        self.traits()[name]._validate(self, value)
                    except Exception as error:  # whatever it is, it must not end the comm
                        log.warning("the page set %s=%s, which was refused: %s", name, show(value), error)
                        refused.append(name)
                    else:
                        self._set_by_page = name
                        super().set_state({name: value})
            finally:
                followed, self._followed = self._followed, set()
                self._reporting, self._set_by_page = None, ""
            # One trait may have set another that the page sets too: what the page knows is not sent back to it.
            # One by one: a cell that runs on another thread may set traits meanwhile.
            shown = {name for name, value in sync_data.items() if self._shown(name) == value}
            for name in shown - orphaned:
                self._states_to_send.discard(name)
            self._number((followed - shown | orphaned | set(refused)) & set(self.VIEW))
        if not set(refused) <= set(self.VIEW):
            self.send_state(refused)

    def _overtaken(self, report: dict[str, Any]) -> tuple[set[str], set[str]]:
        """What of a report is older than a change from Python: of the trait itself, or of one that it was meant for.

        The page hears of the first without being told again.
        """
        seen, changes = report.get("_seen"), self._changes
        if not isinstance(seen, dict):
            return set(), set()  # not from the page's own program: another widget that is linked to a trait

        def crossed(name: str, by: str) -> bool:
            return isinstance(number := seen.get(name), int) and number < changes.get(by, 0)

        names = report.keys() & set(self.VIEW)
        known = {name for name in names if crossed(name, name)}
        if "time" in known:  # a region moves with it
            known |= {"region"} & names
        meant = {name for name in names if any(crossed(name, by) for by in self.MEANT_FOR.get(name, ()))}
        return known - meant, meant

    def _shown(self, name: str) -> Any:
        """A trait's value as the page has it."""
        return self.get_state([name]).get(name) if name in self.VIEW else None

    @property
    def _is_report(self) -> bool:
        """Whether this runs while a report of the page is taken."""
        return threading.get_ident() == self._reporting

    def _assigned(self, name: str) -> None:
        """A trait was set, by the page or by Python."""
        if self.comm is None:  # the page knows nothing yet
            return
        if not self._is_report:
            self._number({name})
        elif name != self._set_by_page:
            self._followed.add(name)

    def _number(self, names: set[str]) -> None:
        """Number changes that the page did not make, and send them; within `hold_sync`."""
        if names:
            with self._sending:
                number = 1 + max(self._changes.values(), default=0)
                self._changes = {**self._changes, **dict.fromkeys(names, number)}
                self._states_to_send.update(names)

    # A cell and the page may set traits on two threads. What is read to be sent is sent before anyone reads again, so
    # that the page's last value is the kernel's. Nobody's callback runs under this lock.

    def send_state(self, key: Any = None) -> None:
        """Send some traits, as they are now, to the page."""
        with self._sending:
            super().send_state(key)

    def _should_send_property(self, key: str, value: Any) -> bool:
        with self._sending:
            return super()._should_send_property(key, value)

    @contextmanager
    def hold_sync(self) -> Iterator[None]:
        """Send what is set inside at the end, in one message."""
        with ExitStack() as end, super().hold_sync():
            try:
                yield
            finally:
                end.enter_context(self._sending)
