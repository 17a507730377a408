"""docs/python.md runs: the engine turns once, by its public names alone."""

import ast

import pipelines
from tests.turned import CODE, Turned


def test_the_page(turned: Turned) -> None:
    names = turned.names
    assert names["ingested"].tally.portraits == 90
    assert names["answers"].decisions["reject"] > 10
    assert names["fitted"].score.kind != "default"
    assert str(names["judged"].attempt.state) == "certified"
    assert names["judged"].accepted > 10
    assert len(names["exported"].entries) > 40
    assert names["trained"].line.is_current
    assert names["relabelled"].relabelled
    assert len(list((turned.folder / "masks").glob("*.png"))) == 90
    assert names["report"].ok


def test_it_uses_public_names_only() -> None:
    used = {
        node.attr
        for node in ast.walk(ast.parse("\n".join(CODE)))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "pipelines"
    }
    assert used
    assert used <= set(pipelines.__all__)
