"""What a server says is believed as far as it fits; the rest is said in words, stopping nothing."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.label_studio import foreign
from pipelines.label_studio.gateway import Annotation, Brush, UpdatedTask

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = "0123456789abcdef" * 2
RLE = {"format": "rle", "rle": [1, 2], "brushlabels": ["portrait"]}
MASK = {"from_name": "mask", "original_width": 4, "original_height": 3, "value": RLE}
ACCEPT = {"from_name": "decision", "value": {"choices": ["accept"]}}


def nobody(completed_by: Any) -> str:
    return str(foreign.email_of(completed_by))


def submitted(*results: Any, **changes: Any) -> dict[str, Any]:
    return {"id": 7, "updated_at": NOON.isoformat(), "result": list(results), **changes}


def listed(*annotations: Any, **changes: Any) -> UpdatedTask:
    raw = {"id": 3, "data": {"sample_id": KEY}, "updated_at": "2026-05-04T12:00:00Z"}
    task = foreign.updated_task({**raw, "annotations": list(annotations), **changes}, nobody)
    assert task is not None
    return task


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        NOON.replace(tzinfo=None),
        NOON.astimezone(timezone(timedelta(hours=2))),
        "2026-05-04T12:00:00Z",
        "2026-05-04T14:00:00+02:00",
        "2026-05-04T12:00:00.000000",
    ],
)
def test_times(value: Any) -> None:
    moment = listed(updated_at=value).updated_at
    assert (moment, moment.tzinfo) == (NOON, UTC)


def test_an_annotation() -> None:
    fields = submitted(
        {"from_name": "decision", "value": {"choices": ["reject"]}},
        {"from_name": "reason", "value": {"choices": ["rough_edge"]}},
        {"from_name": "reason", "value": {"choices": ["bad_photo"]}},
        {"from_name": "comment", "value": {"text": ["one", "two"]}},
        {"from_name": "comment", "value": {"text": "three"}},
        MASK,
        {**MASK, "from_name": "somebody else's"},
        {"from_name": "stars", "value": {"rating": 3}},
        completed_by={"id": 5, "email": "ann@example.org"},
        lead_time=1.5,
    )
    found = foreign.annotation(fields, nobody)
    assert found.choices == {"decision": ["reject"], "reason": ["rough_edge", "bad_photo"]}
    assert found.comment == "one\ntwo\nthree"
    assert found.regions == [Brush([1, 2], 4, 3)]
    assert (found.reviewer, found.seconds, found.skipped) == ("ann@example.org", 1.5, False)


def test_an_empty_annotation() -> None:
    found = foreign.annotation(submitted(result=None, was_cancelled=True), nobody)
    assert (found.skipped, found.comment, found.regions, found.choices) == (True, None, [], {})


ODD: dict[str, tuple[Any, str]] = {
    "a brush without sizes": ({"from_name": "mask", "value": RLE}, "mask"),
    "a brush of no size": ({**MASK, "original_width": 0}, "original_width"),
    "a brush as wide as a galaxy": ({**MASK, "original_width": 10**12}, "original_width"),
    "a size in words": ({**MASK, "original_height": "three"}, "original_height"),
    "a fractional size": ({**MASK, "original_height": 2.5}, "original_height"),
    "a number of bytes": ({**MASK, "value": {**RLE, "rle": 10**10}}, "rle"),
    "bytes above 255": ({**MASK, "value": {**RLE, "rle": [0, 256]}}, "rle"),
    "bytes that are true": ({**MASK, "value": {**RLE, "rle": [True]}}, "rle"),
    "a mask as text": ({**MASK, "value": {**RLE, "rle": "AAAA"}}, "rle"),
    "a mask of another form": ({**MASK, "value": {"points": [[1, 2]]}}, "format"),
    "a mask of nothing": ({**MASK, "value": None}, "mask"),
    "null choices": ({"from_name": "decision", "value": {"choices": None}}, "choices"),
    "text for choices": ({"from_name": "decision", "value": {"choices": "accept"}}, "choices"),
    "numbers for choices": ({"from_name": "reason", "value": {"choices": [1]}}, "choices"),
    "choices in choices": ({"from_name": "reason", "value": {"choices": [["a"]]}}, "choices"),
    "too many choices": ({"from_name": "reason", "value": {"choices": ["a"] * 101}}, "choices"),
    "a list for a value": ({"from_name": "decision", "value": []}, "decision"),
    "a number for a comment": ({"from_name": "comment", "value": {"text": 7}}, "text"),
    "a novel for a comment": ({"from_name": "comment", "value": {"text": "a" * 10**6}}, "text"),
    "half a character": ({"from_name": "comment", "value": {"text": "\ud800"}}, "text"),
    "half a choice": ({"from_name": "decision", "value": {"choices": ["\udfff"]}}, "choices"),
    "a region that is text": ("mask", "no object"),
    "a region that is null": (None, "no object"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_annotation_is_its_tasks_problem_and_leaves_the_others(name: str) -> None:
    odd, said = ODD[name]
    task = listed(submitted(odd, id=6), submitted(ACCEPT, MASK))
    assert [each.id for each in task.annotations] == [7]
    (problem,) = task.problems
    assert problem.startswith("annotation 6: ")
    assert said in problem
    assert len(problem) < 300
    assert problem.isprintable()
    assert task.is_whole, "it is known which one it is"


@pytest.mark.parametrize(
    "odd",
    [None, "text", 7, [], {}, submitted(id=None), submitted(id="7"), submitted(id=2**70),
     submitted(id=-1), submitted(updated_at=None), submitted(updated_at="yesterday"),
     submitted(updated_at="0001-01-01T00:00:00+14:00"),
     submitted(updated_at="9999-12-31T23:59:59-12:00")],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_told_from_others_withdraws_nothing(odd: Any) -> None:
    task = listed(odd, submitted(ACCEPT, MASK))
    assert [each.id for each in task.annotations] == [7]
    assert len(task.problems) == 1
    assert not task.is_whole


@pytest.mark.parametrize("given_", [7, "all of them", {"0": submitted()}, [submitted()] * 1001])
def test_annotations_that_are_no_list(given_: Any) -> None:
    task = listed(annotations=given_)
    assert (list(task.annotations), task.is_whole) == ([], False)
    assert "cannot be read" in task.problems[0]


@pytest.mark.parametrize(
    "data", [{}, None, [], "k", {"image": "x"}, {"sample_id": None}, {"sample_id": 7},
             {"sample_id": ["k"]}, {"sample_id": "x" * 33}, {"sample_id": "ü"},
             {"sample_id": "\ud800"}],
    ids=repr,
)  # fmt: skip
def test_a_task_that_is_not_ours(data: Any) -> None:
    assert listed(data=data).key is None
    found = foreign.found_task({"id": 3, "data": data})
    assert found is not None
    assert found.key == ""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(2, 2.0), (1.5, 1.5), (-1, None), (float("nan"), None), (float("inf"), None), ("2", None),
     (True, None), (10**400, None), (None, None), ([], None)],
)  # fmt: skip
def test_how_long_it_took_is_unknown_if_it_cannot_be(value: Any, seconds: float | None) -> None:
    assert foreign.annotation(submitted(lead_time=value), nobody).seconds == seconds


@pytest.mark.parametrize(
    ("completed_by", "name"),
    [(5, 5), ({"id": 5}, 5), ({"email": "ann@example.org"}, "ann@example.org"), (None, None),
     ("5", None), (True, None), ({"email": ["ann"]}, None), ({"email": "\ud800", "id": 5}, 5),
     ({"email": "a" * 255, "id": 5}, 5), (2**64, None), ([], None)],
    ids=repr,
)  # fmt: skip
def test_who_did_it(completed_by: Any, name: str | int | None) -> None:
    assert foreign.email_of(completed_by) == name


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=20,
)
names = st.sampled_from(["decision", "reason", "comment", "mask", "stars"]) | json_values
values = st.fixed_dictionaries(
    {},
    optional={
        "choices": json_values,
        "text": json_values,
        "format": st.just("rle") | json_values,
        "rle": st.lists(st.integers(-1, 256), max_size=4) | json_values,
    },
)
results = st.fixed_dictionaries(
    {"from_name": names, "value": values | json_values},
    optional={"original_width": json_values, "original_height": json_values},
)
annotations = st.fixed_dictionaries(
    {},
    optional={
        "id": st.integers(1, 9) | json_values,
        "updated_at": st.just("2026-05-04T12:00:00Z") | json_values,
        "result": st.lists(results | json_values, max_size=3) | json_values,
        "completed_by": json_values,
        "lead_time": json_values,
        "was_cancelled": json_values,
    },
)


@settings(max_examples=400, deadline=None)
@given(
    st.fixed_dictionaries(
        {"id": st.integers(1, 9) | json_values, "updated_at": st.just(NOON) | json_values},
        optional={
            "data": st.fixed_dictionaries({"sample_id": json_values}) | json_values,
            "annotations": st.lists(annotations | json_values, max_size=3) | json_values,
        },
    )
    | json_values
)
def test_whatever_comes_is_a_task_of_known_types_or_none(raw: Any) -> None:
    task = foreign.updated_task(raw, nobody)
    foreign.found_task(raw)
    if task is None:
        return
    for text in (*task.problems, *(_texts(each) for each in task.annotations)):
        json.dumps(text, ensure_ascii=False).encode()
    for annotation in task.annotations:
        assert annotation.updated_at.tzinfo is UTC
        assert all(0 <= byte <= 255 for brush in annotation.regions for byte in brush.rle)


def _texts(annotation: Annotation) -> list[Any]:
    return [annotation.reviewer, annotation.comment, dict(annotation.choices)]
