"""Files that are held by a process."""

from __future__ import annotations

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
