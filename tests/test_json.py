"""No JSON of this project holds NaN, wherever it is written."""

import ast
import math
from pathlib import Path

import pytest
import sqlalchemy as sa

from db import open_engine
from sinet.json_text import to_json
from tests.test_layering import CHECKOUT, MAY_IMPORT, python_files


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_json_holds_what_json_does_not_know(value: float, tmp_path: Path) -> None:
    for nested in (value, {"a": [value]}):
        with pytest.raises(ValueError, match="not JSON compliant"):
            to_json(nested)
    engine = open_engine(f"sqlite:///{tmp_path / 'x.db'}")
    table = sa.Table("t", sa.MetaData(), sa.Column("value", sa.JSON))
    with engine.begin() as connection:
        table.create(connection)
        with pytest.raises(sa.exc.StatementError, match="not JSON compliant"):
            connection.execute(sa.insert(table).values(value={"iou": value}))


def test_nobody_writes_json_in_another_way() -> None:
    writers = {"dump", "dumps", "JSONEncoder"}
    others = [
        f"{file.relative_to(CHECKOUT)}:{node.lineno}"
        for file in python_files(*MAY_IMPORT)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in writers
        and isinstance(node.value, ast.Name)
        and node.value.id == "json"
    ]
    # `db` imports nothing of ours; it has the one line that columns of JSON need. Neither does what
    # runs in another program's environment, and it writes ids, tags and keys alone.
    assert {where.partition(":")[0] for where in others} == {
        "db/engine.py", "sinet/json_text.py", "pipelines/pages/gallery/tag_writer.py",
    }  # fmt: skip
    assert len(others) == 3
