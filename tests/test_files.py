"""Files and folders that a process holds, and what killed processes leave."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from canvaswidget import files


@pytest.mark.skipif(sys.platform == "win32", reason="Windows can't rename an open file")
def test_a_held_file_has_its_name_only_when_it_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock, seen = tmp_path / "lock", files._lock, []

    def locked(handle):
        seen.append(path.exists())
        return lock(handle)

    with monkeypatch.context() as patch:
        patch.setattr(files, "_lock", locked)
        handle = files.hold(path)
    assert seen == [False]
    assert [each.name for each in tmp_path.iterdir()] == ["lock"]
    assert files.is_held(path)
    handle.close()
    assert not files.is_held(path)


def test_what_killed_writers_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    """Contents that are named, or whose writer works, stay; so does what only looks like them."""
    named, working, killed = "0" * 12, "1" * 12, "2" * 12
    for name in (f"x-{named}", f"x-{working}", f"x-{killed}", "x-mine", f"y-{killed}"):
        (tmp_path / name).mkdir()
    (tmp_path / "x-mine" / "file").touch()
    left = tmp_path / f"work-{named}"
    left.mkdir()
    (left / files.LOCK).touch()  # of a process that has ended

    def remove() -> None:
        files.remove_leftovers(
            tmp_path / "work-", tmp_path / "x-", lambda name: name == f"x-{named}", shutil.rmtree
        )

    with files.work_folder(tmp_path / f"work-{working}"):
        remove()
        assert {path.name for path in tmp_path.iterdir()} == {
            *(f"x-{named}", f"x-{working}", "x-mine", f"y-{killed}", f"work-{working}")
        }
    remove()
    assert {path.name for path in tmp_path.iterdir()} == {f"x-{named}", "x-mine", f"y-{killed}"}


def test_a_work_folder_is_removed_after_an_error(tmp_path: Path) -> None:
    def fail() -> None:
        with files.work_folder(tmp_path / "deep" / "work") as folder:
            assert files.is_worked_in(folder)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [path.name for path in tmp_path.rglob("*")] == ["deep"]
