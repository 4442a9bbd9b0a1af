"""Jobs: what they accept, how they are told from tables, and the networks that they make."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas
import pytest
import torch

import canvaswidget as cw
from canvaswidget.surveys.job import Job, plain
from canvaswidget.surveys.job_lists import jobs_of, training_jobs
from tests.surveys.networks import SIZE, ffn, picture

FFN_JOB = {"name": "a", "inr": "tests.surveys.networks:ffn"}


def test_a_job_is_plain_values_and_comes_back_from_them() -> None:
    job = Job(
        "a, b",
        "x.safetensors",
        truth="y.mp4",
        size=(4, 5),
        frames=[0, 2],
        seed=np.int64(3),
        parameters={"video": "y"},
    )
    assert pickle.loads(pickle.dumps(job)) == job
    assert Job.from_dict(job.to_dict()) == job
    assert (job.frames, job.seed, job.size) == ((0, 2), 3, (4, 5))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": " "}, "name="),
        ({"name": "a"}, "weights"),
        ({"name": "a", "weights": torch.nn.Linear(2, 2)}, "weights=.*no modules"),
        ({"name": "a", "weights": "x", "fit": {"model": "ffn"}}, "either weights"),
        ({"name": "a", "fit": {"model": "ffn"}}, "needs truth"),
        ({"name": "a", "fit": {"steps": 3}, "truth": "x"}, "needs a model"),
        ({"name": "a", "fit": {"model": "ffn", "stepz": 3}, "truth": "x"}, "stepz"),
        ({"name": "a", "inr": "mine"}, "module:function"),
        ({**FFN_JOB, "seed": -1}, "seed=-1"),
        ({**FFN_JOB, "seed": True}, "seed=True"),
        ({**FFN_JOB, "frames": []}, "frames="),
        ({**FFN_JOB, "frames": ["x"]}, "frames='x'"),
        ({**FFN_JOB, "size": (3,)}, "size="),
        ({**FFN_JOB, "options": {"x": object()}}, r"options\['x'\]"),
        ({**FFN_JOB, "options": 3}, "options=3"),
        ({**FFN_JOB, "parameters": {"host": 3}}, "'host' is a column"),
    ],
)
def test_a_wrong_field_is_named(given: dict, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Job(**given)


def test_places_are_safe_names_and_differ_where_names_do() -> None:
    names = ["bunny, seed 0", "bunny: seed 0", "../../etc", "ü" * 300, "CON", "a\nb", "A", "a"]
    places = [Job(name, weights="x").place for name in names]
    assert len(set(places)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,60}", place) for place in places)


def test_the_digest_is_of_all_that_changes_results() -> None:
    job, what = Job("a", "x", seed=0), {"psnr": {}}
    others = [Job("a", "y"), Job("a", "x", seed=1), Job("a", "x", rule="gated"), Job("a", "x", frames=[1])]
    assert len({one.digest(what) for one in (job, *others)} | {job.digest({"ssim": {}})}) == 6
    assert Job("a", "x", parameters={"video": "b"}).digest(what) == job.digest(what)


def test_plain_values_survive_json() -> None:
    given = {"a": np.float32(0.5), "b": (1, np.int16(2)), "c": None, "d": {"e": True}}
    assert plain("x", given) == {"a": 0.5, "b": [1, 2], "c": None, "d": {"e": True}}


# --- lists of them --------------------------------------------------------------------------------------------


def test_a_table_says_fields_trainings_and_parameters(tmp_path) -> None:
    table = tmp_path / "jobs.csv"
    table.write_text(
        "name,weights,truth,size,frames,seed,fit.model,fit.steps,video\n"
        '007,,clip.mp4,8x16,"0, 3",2,nerv,50,bunny\n'
        "b,net.safetensors,,,,,,,boat\n"
    )
    first, second = jobs_of(table)
    assert first.name == "007"
    assert first.fit == {"model": "nerv", "steps": 50}
    assert (first.size, first.frames, first.seed) == ((8, 16), (0, 3), 2)
    assert first.truth == str(tmp_path / "clip.mp4")
    assert first.parameters == {"video": "bunny"}
    assert second.weights == str(tmp_path / "net.safetensors")
    assert second.fit is None
    frame = pandas.DataFrame([{"name": "a", "weights": "x", "seed": 3, "video": np.nan, "depth": 2}])
    (job,) = jobs_of(frame)
    assert (job.seed, job.parameters) == (3, {"depth": 2})
    assert jobs_of([{"name": "a", "weights": "/x"}]) == jobs_of([Job("a", "/x")])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weights\nx\n", "row 1: has no name"),
        ("name,fit.model,fit.stepz,truth\na,ffn,3,x\n", "fit.stepz"),
        ("name,weights,seed\na,x,0\nb,x,one\n", "row 2: seed='one'"),
        ("name,weights\na,x\na,y\n", "two are called 'a'"),
        ("name,weights\n", "there are none"),
        ('name,weights\n"a,x\n', "CSV"),
    ],
)
def test_a_mistake_in_a_table_is_named_with_its_row(tmp_path, text: str, message: str) -> None:
    (tmp_path / "jobs.csv").write_text(text)
    with pytest.raises((TypeError, ValueError), match=message):
        jobs_of(tmp_path / "jobs.csv")


def test_a_pattern_makes_a_job_of_each_file(tmp_path) -> None:
    for name in ("b.pt", "a.pt"):
        (tmp_path / name).touch()
    assert [(job.name, job.weights) for job in jobs_of(str(tmp_path / "*.pt"))] == [
        (name, str(tmp_path / f"{name}.pt")) for name in "ab"
    ]
    with pytest.raises(FileNotFoundError, match="no such file"):
        jobs_of(str(tmp_path / "*.bin"))
    with pytest.raises(FileNotFoundError, match="no such file"):
        jobs_of(tmp_path / "none.csv")
    with pytest.raises(TypeError, match=r"jobs\[1\]"):
        jobs_of([Job("a", "x"), 3])


def test_trainings_are_every_model_on_every_signal_with_every_seed() -> None:
    signals = {"a": "a.mp4", "b": ("tests.surveys.networks:picture", {"shift": 2})}
    jobs = training_jobs(
        signals, {"small": {"model": "ffn", "options": {"hidden": 4}}, "siren": "siren"}, (0, 1), steps=5
    )
    assert len(jobs) == 8
    assert len({job.name for job in jobs}) == 8
    job = next(job for job in jobs if job.name == "b, small, seed 1")
    assert job.fit == {"steps": 5, "model": "ffn", "options": {"hidden": 4}}
    assert job.parameters == {"video": "b", "model": "small", "seed": 1}
    assert job.truth_options == {"shift": 2}


# --- the networks that they make ------------------------------------------------------------------------------


def test_a_network_is_loaded_made_or_trained(tmp_path) -> None:
    file = tmp_path / "x.safetensors"
    made = ffn(seed=3)
    cw.models.save_model(made.module, file)
    loaded = Job("loaded", str(file), truth="tests.surveys.networks:picture").make()
    by_function = Job("made", inr="tests.surveys.networks:ffn", options={"seed": 3}).make()
    exchanged = Job("exchanged", str(file), "tests.surveys.networks:ffn", options={"seed": 0}).make()
    for inr in (loaded, by_function, exchanged):
        assert inr.size == SIZE
        np.testing.assert_array_equal(inr.render(0), made.render(0))
        np.testing.assert_array_equal(inr.truth[0], picture())
    assert loaded.name == "loaded"


def test_a_training_repeats_with_its_seed_and_leaves_the_random_state() -> None:
    how = {
        "truth": "tests.surveys.networks:picture",
        "fit": {"model": "ffn", "options": {"hidden": 4}, "steps": 3},
    }
    before = torch.random.get_rng_state()
    first, again, other = (Job("a", **how, seed=seed).make().render(0) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
