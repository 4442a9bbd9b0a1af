"""Tables of jobs as people write them: empty cells, numbers in names, several types in a column, mistakes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas
import pytest

from canvaswidget.surveys.job import Job
from canvaswidget.surveys.job_lists import jobs_of, training_jobs


def of_text(folder: Path, text: str, encoding: str = "utf-8") -> list[Job]:
    (folder / "jobs.csv").write_text(text, encoding=encoding)
    return jobs_of(folder / "jobs.csv")


def test_a_column_of_parameters_is_of_one_type(tmp_path) -> None:
    text = "name,weights,video,depth,small,share\na,x,007,2,true,0.5\nb,x,100,,false,NaN\nc,x,1e5,3,true,1\n"
    found = [job.parameters for job in of_text(tmp_path, text)]
    assert found == [
        {"video": "007", "depth": 2, "small": True, "share": "0.5"},
        {"video": "100", "small": False, "share": "NaN"},
        {"video": "1e5", "depth": 3, "small": True, "share": "1"},
    ]
    assert [type(one.get("depth")) for one in found] == [int, type(None), int]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,weights,frames\na,x,first\n", "row 1: frames='first': expected numbers"),
        ("name,weights,size\na,x,8xq\n", "row 1: size='8xq'"),
        ("name,truth,fit,fit.steps\na,x,ffn,3\n", "row 1: fit='ffn': expected a mapping"),
        ("name,weights,parameters,video\na,x,ffn,3\n", "row 1: parameters='ffn': expected a mapping"),
        ("name,weights,video,video\na,x,1,2\n", "two columns are called 'video'"),
        ("name,weights,\na,x,1\n", "column 3 has no name"),
        ("name,weights,seed\na,x,1,2\nb,x,2,3\n", "Expected 3 fields in line 2, saw 4"),
        ("", "No columns"),
    ],
)
def test_a_mistake_is_named(tmp_path, text: str, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        of_text(tmp_path, text)


def test_spaces_marks_and_addresses_are_read(tmp_path) -> None:
    (job,) = of_text(tmp_path, " name , weights, frames\na, s3://b/x.pt,  [1]\n", "utf-8-sig")
    assert (job.name, job.weights, job.frames) == ("a", "s3://b/x.pt", (1,))


def test_empty_cells_of_a_frame_leave_counts_whole() -> None:
    columns = {
        "name": ["a", "b"],
        "truth": ["x", "y"],
        "fit.model": ["ffn", "ffn"],
        "fit.steps": [50, None],
        "seed": [1, None],
        "frames": [np.array([0, 1]), None],
        "video": pandas.array(["v", None], dtype="string"),
        "n_frames": pandas.array([2, None], dtype="Int64"),
        "small": np.array([True, False]),
    }
    first, second = jobs_of(pandas.DataFrame(columns))
    assert (first.fit, first.seed, first.frames, first.n_frames) == (
        {"model": "ffn", "steps": 50},
        1,
        (0, 1),
        2,
    )
    assert isinstance(first.fit and first.fit["steps"], int)
    assert first.parameters == {"video": "v", "small": True}
    assert (second.seed, second.frames, second.parameters) == (0, (0,), {"small": False})
    with pytest.raises(ValueError, match="two columns are called 'video'"):
        jobs_of(pandas.DataFrame([["a", "x", 1, 2]], columns=["name", "weights", "video", "video"]))


def test_parameters_are_single_values() -> None:
    with pytest.raises(TypeError, match=r"parameters\['tags'\]"):
        Job("a", "x", parameters={"tags": ["u"]})
    assert Job("a", "x", parameters={"small": np.True_}).parameters == {"small": True}
    with pytest.raises(ValueError, match="weights=''"):
        Job("a", "")
    assert Job("a\udc80", "x").place != Job("a\udc81", "x").place


def test_one_file_with_brackets_is_no_pattern(tmp_path) -> None:
    (tmp_path / "net[1].pt").touch()
    assert [job.name for job in jobs_of(tmp_path / "net[1].pt")] == ["net[1]"]


def test_trainings_take_one_family_and_refuse_one_number_of_seeds() -> None:
    assert [job.name for job in training_jobs({"a": ["m:f", {"k": 2}]}, "ffn")] == ["a, ffn, seed 0"]
    with pytest.raises(TypeError, match="seeds=3"):
        training_jobs({"a": "x"}, ["ffn"], 3)  # pyright: ignore[reportArgumentType]


def test_a_file_that_changes_in_a_folder_changes_the_stamp(tmp_path) -> None:
    (tmp_path / "0.png").write_bytes(b"1")
    job = Job("a", "/none.pt", truth=str(tmp_path))
    before = job.stamp()
    (tmp_path / "0.png").write_bytes(b"2")
    os.utime(tmp_path / "0.png", (5, 5))
    os.utime(tmp_path, ns=(1, os.stat(tmp_path).st_mtime_ns))
    assert job.stamp() != before
    assert before[0] is None
