"""Rows are written once, whatever is there already, and in pieces that every database takes."""

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from db import (
    Image,
    Mask,
    MaskSignals,
    Outcome,
    Portrait,
    SettingsUsed,
    Stage,
    chunks,
    insert_new,
    insert_or_replace,
    insert_rows,
    queue,
    update_rows,
)


def test_chunks_hold_everything_once_and_in_order() -> None:
    pieces = list(chunks(iter(range(1203))))
    assert [len(piece) for piece in pieces] == [500, 500, 203]
    assert [item for piece in pieces for item in piece] == list(range(1203))
    assert list(chunks([1, 2, 3], 2)) == [[1, 2], [3]]
    assert list(chunks([])) == []


def test_only_new_rows_are_inserted_and_told(engine: Engine) -> None:
    def rows(*names: str) -> list[dict[str, object]]:
        return [{"sha256": name, "size_bytes": len(name), "reasons": []} for name in names]

    with engine.begin() as connection:
        first = insert_new(connection, Image, rows("a", "bb"))
        second = insert_new(connection, Image, rows("bb", "ccc"))
        assert insert_new(connection, Image, []) == []
        found = {row.id: row for row in connection.execute(sa.select(Image.__table__))}
    assert len(first) == 2
    assert [found[key].sha256 for key in second] == ["ccc"]
    assert {row.sha256: row.size_bytes for row in found.values()} == {"a": 1, "bb": 2, "ccc": 3}
    assert all(row.added_at.tzinfo for row in found.values()), "defaults hold"


def test_more_rows_than_a_statement_has_variables(engine: Engine) -> None:
    with engine.begin() as connection:
        assert queue.enqueue(connection, Stage.READ, range(20_000)) == 20_000
        rows = [{"sha256": f"{number:064}", "settings": {}} for number in range(20_000)]
        assert len(insert_new(connection, SettingsUsed, rows)) == 20_000


def test_a_row_of_the_same_key_takes_the_new_values(engine: Engine) -> None:
    with engine.begin() as connection:
        mask = a_mask(connection)
        for version, area in ((1, 0.5), (2, 0.25)):
            row = {"mask_id": mask, "version": version, "values": {"area": area}}
            insert_or_replace(connection, MaskSignals, [row])
        insert_or_replace(connection, MaskSignals, [])
        found = connection.execute(sa.select(MaskSignals.version, MaskSignals.values)).one()
        assert tuple(found) == (2, {"area": 0.25})


def test_many_rows_are_inserted_and_changed_with_all_kinds_of_values(engine: Engine) -> None:
    with engine.begin() as connection:
        rows = [
            {
                "sha256": f"{number:064}",
                "size_bytes": 2**40 + number,
                "descriptor": bytes([0, 255, number]) if number else None,
                "faces": [{"box": [1.5, number], "text": "a'\\\"é"}] if number else None,
                "outcome": Outcome.PORTRAITS if number else None,
                "reasons": ["a", "b"][:number],
            }
            for number in range(3)
        ]
        made = insert_rows(connection, Image, rows, ("id", "sha256"))
        ids = {row.sha256: row.id for row in made}
        changed = [{**row, "id": ids[row["sha256"]], "sha256": row["sha256"][::-1]} for row in rows]
        update_rows(connection, Image, [{**row, "group_id": None} for row in changed])
        assert insert_rows(connection, Image, [], ("id",)) == []
        update_rows(connection, Image, [])
        found = connection.execute(sa.select(Image.__table__).order_by(Image.id)).all()
    by_key = {row.sha256[::-1]: row._mapping for row in found}
    for row in rows:
        told = by_key[row["sha256"]]
        assert {name: told[name] for name in row if name != "sha256"} == {
            name: value for name, value in row.items() if name != "sha256"
        }
        assert told["added_at"].tzinfo, "defaults hold"


def a_mask(connection: sa.Connection) -> int:
    image = {"sha256": "a" * 64, "size_bytes": 1}
    image_id = connection.scalar(sa.insert(Image).values(image).returning(Image.id))
    box = [0, 0, 1, 1]
    portrait = {"image_id": image_id, "ordinal": 0, "face_box": box, "landmarks": []}
    portrait |= {"face_confidence": 1.0, "crop_box": box, "width": 1, "height": 1}
    portrait |= {"blob": "p", "detector": "d"}
    portrait_id = connection.scalar(sa.insert(Portrait).values(portrait).returning(Portrait.id))
    mask = {"portrait_id": portrait_id, "revision": 1, "source": "teacher", "producer": "x"}
    mask |= {"blob": "m", "verdict": "review"}
    added = connection.scalar(sa.insert(Mask).values(mask).returning(Mask.id))
    assert added is not None
    return int(added)
