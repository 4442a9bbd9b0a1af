"""Messages of a broken or hostile page: whatever a field has, every id gets one answer, in words of this package.

Right messages are made from the types in `messages`, so that a new kind of request and a new field are tried as well.
Then every place in them has every piece of junk, is missing, or has a field too many; and, with fixed seeds, several
places at once.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import random
import reprlib
import tempfile
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypedDict, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from matplotlib.figure import Figure
from PIL import Image

import canvaswidget as cw
from canvaswidget.kernel import messages, requests
from canvaswidget.widget.page_comm import made
from tests.canvases import clip
from tests.junk import DEEP, FOREIGN, JUNK
from tests.kernel.test_messages import problems

# A right value of every field that is not an object and has more than one word to choose; where two objects have a
# field of one name, by the name of the object, too.
RIGHT: dict[str, Any] = {
    **{"id": 7, "view": "view", "milliseconds": 3.5, "rate": 24.0, "act": "pixel"},
    **{
        "run": "one",
        "compare": "two",
        "other": "two",
        "beside": "two",
        "runs": ["one", "two"],
        "rule": "gated",
    },
    **{
        "time": 1,
        "frames": [0, 1],
        "to": 2,
        "first": 0,
        "last": 1,
        "loop": [0, 2],
        "fps": 8.0,
        "playing": False,
    },
    **{"layer": "0", "neuron": [1], "neurons": [[2], [1]], "find": [1], "ablated": {"0": [[0]]}},
    **{"pixel": [1, 2], "k": 3, "count": 2, "side": 4, "look": 0, "sort": "pixel", "channel": "sum"},
    **{"cluster": -1, "n_clusters": 2, "cluster_names": {"0/2": ["sea", "sky"]}, "method": "pca"},
    **{"name": "a region", "points": [[0, 0], [0, 3.5], [3, 3]], "Region.runs": [0, 3]},
    **{"source": "ablated", "comparison": "side", "maps": "signed", "overlay": "selection"},
    **{"palette": "viridis", "opacity": 0.5, "contrast": 2.0, "limit": 0.5, "faithfulness": True},
    **{"contours": True, "factor": 0.5, "bits": 4, "scheme": "per-channel"},
    **{"panel": "spectrum", "colour_by": "frequency", "band": [0.1, 0.2]},
    **{"form": "csv", "table": "pixel", "panels": ["frame"]},
}

PACKAGE = str(Path(cw.__file__).parent)

Path_ = tuple[Any, ...]

SHOW = reprlib.Repr()
SHOW.maxdict = SHOW.maxstring = 40


def not_null(annotation: Any) -> Any:
    """The type without null, where one other is left."""
    left = [one for one in get_args(annotation) if one is not type(None)]
    return left[0] if get_origin(annotation) in (Union, UnionType) and len(left) == 1 else annotation


def right(annotation: Any, name: str = "", owner: str = "") -> Any:
    """A value of this type that is right on the widget below."""
    annotation = not_null(annotation)
    arguments = get_args(annotation)
    if is_typeddict(annotation):
        hints = get_type_hints(annotation)
        return {field: right(hint, field, annotation.__name__) for field, hint in hints.items()}
    if get_origin(annotation) is list and is_typeddict(not_null(arguments[0])):
        return [right(arguments[0], name, owner)]
    if get_origin(annotation) is Literal and len(arguments) == 1:
        return arguments[0]
    assert name in RIGHT, f"{owner}.{name} is new: RIGHT needs a right value of it"
    return copy.deepcopy(RIGHT.get(f"{owner}.{name}", RIGHT[name]))


def places(annotation: Any, value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, list[Any]]]:
    """Every place in a value of this type, with the other words that it may have."""
    annotation = not_null(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    yield path, [word for word in arguments if origin is Literal and word != value]
    if is_typeddict(annotation):
        parts = [(field, hint, value[field]) for field, hint in get_type_hints(annotation).items()]
    elif origin is list:
        parts = [(i, arguments[0], part) for i, part in enumerate(value)]
    elif origin is dict:
        parts = [(key, arguments[1], part) for key, part in value.items()]
    else:
        parts = []
    for key, hint, part in parts:
        yield from places(hint, part, (*path, key))


def within(message: Any, path: Path_) -> Any:
    for key in path:
        message = message[key]
    return message


GONE = object()


def with_junk(message: Any, path: Sequence[Any], junk: Any) -> Any:
    """A copy of the message with something else in a place, or with nothing there."""
    if not path:
        return junk
    found, (first, *others) = copy.copy(message), path
    if others or junk is not GONE:
        found[first] = with_junk(found[first], others, junk)
    else:
        del found[first]
    return found


def spoiled(annotation: Any, message: Any, chance: random.Random, share: float) -> Iterator[Any]:
    """The message with a share of the junk, or nothing, or a field too many, in each place in turn."""
    for path, words in places(annotation, message):
        for junk in [*chance.sample(JUNK, round(share * len(JUNK))), *words]:
            yield with_junk(message, path, junk)
        if path:
            yield with_junk(message, path, GONE)
        part = within(message, path)
        if isinstance(part, dict):
            for name, more in ((chance.choice(["more", "rule", "run", "__class__"]), 1), ("x\ny" * 50, DEEP)):
                yield with_junk(message, path, {name: more, **part})
        elif isinstance(part, list):
            yield with_junk(message, path, [*part, *part])


def spoiled_at_random(annotation: Any, message: Any, chance: random.Random) -> Any:
    """The message with junk, or nothing, in two or three places."""
    known = [path for path, _ in places(annotation, message) if path]
    # The deepest first, and the last of a list: the others are still there then, and no junk is changed.
    some = chance.sample(known, min(len(known), chance.randint(2, 3)))
    for path in sorted(some, key=lambda path: (len(path), str(path)), reverse=True):
        message = with_junk(message, path, chance.choice([*JUNK, *[GONE] * 10]))
    return message


# --- a widget that is sent them ---------------------------------------------------------------------------------


def request_type(kind: requests.RequestKind) -> Any:
    """The type of requests of one kind."""
    typed_dict: Any = TypedDict
    return typed_dict("Request", {**get_type_hints(messages.Request), "body": kind.body})


TYPES: dict[str, Any] = {
    **{name: request_type(kind) for name, kind in requests.KINDS.items()},
    "cancel": messages.Cancel,
    "painted": messages.Painted,
}


class Talk:
    """Sends messages to a widget and waits for what each is answered with in the end."""

    def __init__(self, widget: cw.CanvasWidget, folder: Path) -> None:
        self.widget, self.folder = widget, folder
        self.files = sorted(folder.rglob("*"))  # torch's
        self._changed = threading.Condition()
        self._sent = 0
        self.right = {name: right(annotation) for name, annotation in TYPES.items()}
        for _ in range(2):  # a score is in other answers, too, once it is measured
            self.answers = {name: self.answer(name) for name in requests.KINDS}
        self.state = widget.get_state()

    def ends(self, given: Sequence[Any]) -> list[list[tuple[Any, list[bytes]]]]:
        """The answers to each, but progress: one at least where there must be one."""
        found: list[list[Any]] = [[] for _ in given]

        def replier(answers: list[Any]) -> Any:
            def reply(message: Any, buffers: Any) -> None:
                if message["type"] != "progress":
                    with self._changed:
                        answers.append((message, buffers))
                        self._changed.notify_all()

            return reply

        for message, answers in zip(given, found, strict=True):
            self._sent += 1
            if isinstance(message, dict) and message.get("view") == RIGHT["view"]:
                message["view"] = f"view {self._sent}"  # or a later one would take its place
            self.widget._live.handle(cast(Any, message), replier(answers))
        awaited = [answers for message, answers in zip(given, found, strict=True) if must_end(message)]
        with self._changed:
            assert self._changed.wait_for(lambda: all(awaited), 60)
        self.widget._live.call(lambda checkpoint: None)  # what else is answered, is by now
        return [[made(*answer) for answer in answers] for answers in found]

    def answer(self, name: str) -> tuple[Any, list[bytes]]:
        """What a right request is answered with."""
        (((message, buffers),),) = self.ends([copy.deepcopy(self.right[name])])
        assert message["type"] == "reply", message
        return message["body"], buffers


def must_end(message: Any) -> bool:
    """Whether a message must be answered: others that have an id may be right, and are not answered then."""
    has_id = isinstance(message, dict) and type(message.get("id")) is int
    return has_id and message.get("type") not in ("cancel", "painted")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    folder = tmp_path_factory.mktemp("nothing is written here")
    background = requests.KINDS["faithfulness"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setattr("canvaswidget.widget.live_view.bundled", lambda name: f"/* {name} */")
        patch.setitem(requests.KINDS, "faithfulness", dataclasses.replace(background, quiet=0.0))
        patch.setattr(Figure, "savefig", save_nothing)
        widget = cw.CanvasWidget(cw.Runs({"one": clip(0), "two": clip(1)}, rule="gated"), time=2)
        yield Talk(widget, folder)
        widget.close()


def save_nothing(figure: Figure, file: Any, format: str = "png", **_: Any) -> None:
    """Draws no figure, which takes long; a PNG is read again, so it is a picture of one pixel."""
    if format == "png":
        Image.new("RGB", (1, 1)).save(file, "png")


def is_raised_here(error: BaseException) -> bool:
    """Whether an error was raised by a line of the package, not met by one."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return last.filename.startswith(PACKAGE) and (last.line or "").startswith("raise ")


def wrongs(message: Any, answers: list[Any]) -> Iterator[str]:
    """What is wrong with the answers to a message, whatever is wrong with that."""
    if len(answers) > 1 or (must_end(message) and not answers):
        yield f"{len(answers)} answers"
    for answer in answers:
        if answer["type"] == "reply":
            yield from problems(answer["body"], requests.KINDS[answer["body"]["kind"]].reply)
        else:
            yield from problems(answer, messages.FromKernel)
        json.dumps(answer, allow_nan=False, ensure_ascii=False).encode("utf-8")
        if answer["id"] != message["id"]:
            yield "the answer to another"
        words = answer.get("message", "")
        if FOREIGN.search(words) or not words.isprintable() or len(words) > 500:
            yield f"in the words of another: {words}"
        if answer["type"] == "reply" and answer["of"] != message["body"]:
            yield "of another body"
        if answer["type"] == "cancelled" and message["view"].startswith("view "):
            yield "cancelled"


def check(given: Sequence[Any], talk: Talk, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ends = talk.ends(given)
    found = [
        f"{SHOW.repr(message)}: {wrong}"
        for message, answers in zip(given, ends, strict=True)
        for wrong in wrongs(message, [answer for answer, _ in answers])
    ]
    for record in caplog.records:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not is_raised_here(error):
            found.append("".join(traceback.format_exception(error)[-3:]))
    assert not found, "\n".join([f"{len(found)} of {len(given)}:", *dict.fromkeys(found)])
    assert talk.widget.get_state() == talk.state
    assert sorted(talk.folder.rglob("*")) == talk.files


@pytest.mark.parametrize("kind", TYPES)
def test_junk_in_each_place_gets_one_answer(kind: str, talk: Talk, caplog) -> None:
    check(list(spoiled(TYPES[kind], talk.right[kind], random.Random(kind), 0.1)), talk, caplog)
    if kind in requests.KINDS:
        assert talk.answer(kind) == talk.answers[kind]


@pytest.mark.repeats
@pytest.mark.parametrize("kind", TYPES)
def test_all_junk_in_each_place_gets_one_answer(kind: str, talk: Talk, caplog) -> None:
    check(list(spoiled(TYPES[kind], talk.right[kind], random.Random(kind), 1.0)), talk, caplog)


@pytest.mark.parametrize("seed", range(3))
def test_junk_in_several_places_gets_one_answer(seed: int, talk: Talk, caplog) -> None:
    chance, kinds = random.Random(seed), list(TYPES)
    given = []
    for _ in range(300):
        kind = chance.choice(kinds)
        given.append(spoiled_at_random(TYPES[kind], talk.right[kind], chance))
    check(given, talk, caplog)
    for kind, answer in talk.answers.items():
        assert talk.answer(kind) == answer


def test_what_has_no_id_is_ignored(talk: Talk, caplog) -> None:
    given = [one for one in JUNK if not isinstance(one, dict)] + [
        {**talk.right["map"], "id": one} for one in JUNK
    ]
    without = [one for one in given if not isinstance(one, dict) or type(one["id"]) is not int]
    check(given, talk, caplog)
    assert caplog.text.count("was ignored") == len(without) > 50
