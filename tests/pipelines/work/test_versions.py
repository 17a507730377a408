"""Whoever works in a cluster has the same versions as who sends the work."""

import pickle

import pytest

from pipelines.work.ray_access import actor_class


@pytest.mark.parametrize("name", ["Python", "ray", "portrait-dataengine"])
def test_a_machine_with_another_version(name: str) -> None:
    worker = actor_class()
    here = worker.versions()  # type: ignore[attr-defined]
    told = worker({**here, name: "9.9"}, pickle.dumps("unread")).news(0)
    assert told == [
        (
            "broken",
            f"has {name} {here[name]}, and 9.9 is at work here: install the same on all machines",
        ),
        ("ended", None),
    ]
