"""What several writers do to the same rows at once, on PostgreSQL, which lets them."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from db import (
    Forgotten,
    Image,
    JobRow,
    Mask,
    MaskSource,
    Outcome,
    Portrait,
    Run,
    ScoreModelRow,
    Source,
    Stage,
    beside,
    open_engine,
    transact,
)
from pipelines.doubt.scoring import require_score
from pipelines.ingest import records
from pipelines.ingest.detections import Detection, save_detections
from pipelines.ingest.stages import DetectedImage, FileContent, PortraitCrop
from pipelines.pictures.geometry import Face
from pipelines.pictures.rotation import Crop
from pipelines.portraits.rows import NewMask, save_mask
from pipelines.portraits.splits import assign_splits
from pipelines.rounds.promoting import current_run, promote
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings
from pipelines.workspace.workspace import Workspace, make_workspace
from tests.conftest import FAKES
from tests.pipelines.ingest.runs import ingest
from tests.postgres import server

SHA = "a" * 64


@pytest.fixture
def url() -> Iterator[str]:
    with server().database() as name:
        yield server().url(name)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = open_engine(url)
    yield engine
    engine.dispose()


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Run these in threads that begin together; what they returned."""
    meet, found = threading.Barrier(len(works), timeout=30), [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        meet.wait()
        found[number] = work()

    threads = [threading.Thread(target=run, args=each) for each in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def add_source(connection: Connection, uri: str, mask: str | None = None) -> int:
    insert = sa.insert(Source).values(uri=uri, import_mask_uri=mask).returning(Source.id)
    return int(connection.scalars(insert).one())


def found_portrait() -> DetectedImage:
    face = Face((1.0, 1.0, 2.0, 2.0), ((1.0, 1.0),) * 5, 0.9)
    crop = PortraitCrop(face, Crop((0, 0, 4, 4), 0), b"")
    return DetectedImage(4, 4, "PNG", 0, 0, b"", [face], [crop], Outcome.PORTRAITS, [])


@pytest.mark.parametrize("first", ["reading", "detection"])
def test_a_mask_that_comes_while_its_photo_is_detected_is_imported(
    engine: Engine, first: str
) -> None:
    """Each asks what the other has written; neither sees what is not committed."""
    with engine.begin() as connection:
        known, late = add_source(connection, "file:///a"), add_source(connection, "file:///b", "m")
        records.save_contents(connection, {known: FileContent(SHA, 1)})
        (image_id,) = connection.scalars(sa.select(Image.id))
    written, go_on = threading.Event(), threading.Event()

    def read(connection: Connection) -> None:
        records.save_contents(connection, {late: FileContent(SHA, 1)})

    def detect(connection: Connection) -> None:
        save_detections(connection, {image_id: Detection(found_portrait(), ["blob"], "fake")})

    earlier, later = (read, detect) if first == "reading" else (detect, read)

    def hold(connection: Connection) -> None:
        earlier(connection)
        written.set()
        assert go_on.wait(30)

    holding = threading.Thread(target=lambda: transact(beside(engine), hold))
    following = threading.Thread(target=lambda: transact(beside(engine), later))
    holding.start()
    assert written.wait(30)
    following.start()
    following.join(0.2)
    assert following.is_alive(), "it waits for the row"
    go_on.set()
    holding.join()
    following.join()
    with engine.begin() as connection:
        stages = set(connection.scalars(sa.select(JobRow.stage)))
    # A photo that was there before its mask is labelled, too.
    others = set() if first == "reading" else {Stage.LABEL}
    assert stages == {Stage.DETECT, Stage.IMPORT} | others


def test_copies_in_any_order_become_one_image_each(engine: Engine) -> None:
    """As batches are written: in one order, so that nobody waits for who waits for him."""
    names = [f"{number:064}" for number in range(20)]
    with engine.begin() as connection:
        ids = [
            {name: add_source(connection, f"file:///{copy}/{name}") for name in names}
            for copy in range(4)
        ]

    def save(mine: dict[str, int]) -> Callable[[], None]:
        def work(connection: Connection) -> None:
            for name in sorted(mine):
                records.save_contents(connection, {mine[name]: FileContent(name, 1)})

        return lambda: transact(beside(engine), work)

    at_once(*(save(each) for each in ids))
    with engine.begin() as connection:
        images = dict(connection.execute(sa.select(Image.sha256, Image.id)).all())
        assert sorted(images) == names
        of_sources = connection.execute(sa.select(Source.uri, Source.image_id)).all()
        assert {(uri.rpartition("/")[2], image_id) for uri, image_id in of_sources} == set(
            images.items()
        )
        jobs = list(connection.scalars(sa.select(JobRow.item_id)))
        assert sorted(jobs) == sorted(images.values())


def a_portrait(connection: Connection) -> int:
    source = add_source(connection, "file:///a")
    records.save_contents(connection, {source: FileContent(SHA, 1)})
    (image_id,) = connection.scalars(sa.select(Image.id))
    save_detections(connection, {image_id: Detection(found_portrait(), ["blob"], "fake")})
    return int(connection.scalars(sa.select(Portrait.id)).one())


def test_revisions_count_up_whoever_adds_them(engine: Engine) -> None:
    with engine.begin() as connection:
        portrait = a_portrait(connection)

    def add(number: int) -> Callable[[], int]:
        source = MaskSource.IMPORT if number % 2 else MaskSource.TEACHER
        mask = NewMask(portrait, source, str(number), "m", None, "review", [], {})
        return lambda: transact(beside(engine), lambda connection: save_mask(connection, mask))

    at_once(*(add(number) for number in range(8)))
    with engine.begin() as connection:
        revisions = list(connection.scalars(sa.select(Mask.revision)))
    assert sorted(revisions) == list(range(1, 9))


def test_what_is_forgotten_while_it_is_read_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        source = add_source(connection, "file:///a")
    written, go_on = threading.Event(), threading.Event()

    def forget(connection: Connection) -> None:
        connection.execute(sa.insert(Forgotten).values(sha256=SHA))
        written.set()
        assert go_on.wait(30)

    def read() -> str:
        saved = transact(
            beside(engine),
            lambda connection: records.save_contents(connection, {source: FileContent(SHA, 1)}),
        )[source]
        return saved.reason if isinstance(saved, ItemError) else "taken in"

    forgetting = threading.Thread(target=lambda: transact(engine, forget))
    forgetting.start()
    assert written.wait(30)
    reasons: list[str] = []
    reading = threading.Thread(target=lambda: reasons.append(read()))
    reading.start()
    reading.join(0.2)
    go_on.set()
    reading.join()
    forgetting.join()
    assert reasons == ["forgotten"]


def test_one_student_is_promoted_over_another(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO release (name, path, format, checksum, created_at)"
            " VALUES ('round-1', 'x', 'folder', '', now())"
        )
        rows = [
            {"release_id": 1, "folder": str(n), "request": {}, "code_revision": "", "machine": ""}
            for n in range(6)
        ]
        connection.execute(sa.insert(Run), rows)

    def run(number: int) -> Callable[[], bool]:
        def work(connection: Connection) -> bool:
            if current_run(connection) is not None:
                return False
            promote(connection, number, by_hand=False)
            return True

        return lambda: transact(engine, work)

    promoted = at_once(*(run(number) for number in range(1, 7)))
    assert sum(promoted) == 1


def test_workspaces_of_one_database_decide_once(url: str, tmp_path: Path) -> None:
    """Two machines with the same store: the default score, and the split of every photo."""
    settings = Settings(database=url)
    make_workspace(tmp_path / "ws", "", settings)
    with ExitStack() as stack:
        opened: Sequence[Workspace] = [Workspace(tmp_path / "ws", settings) for _ in range(3)]
        for each in opened:
            stack.callback(each.close)
        with opened[0].engine.begin() as connection:
            a_portrait(connection)
        scores = at_once(*(lambda each=each: require_score(each).id for each in opened))
        at_once(*(lambda each=each: assign_splits(each) for each in opened))
        with opened[0].engine.begin() as connection:
            assert list(connection.scalars(sa.select(ScoreModelRow.id))) == scores[:1]
            assert connection.scalars(sa.select(Image.split)).one() is not None
        assert len(set(scores)) == 1


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_four_workers_take_in_a_crawl_that_is_mostly_copies(tmp_path: Path) -> None:
    """Three files in five are copies of others: nobody waits for who waits for him."""
    crawl = tmp_path / "crawl"
    crawl.mkdir()
    picture = cv2.imencode(".jpg", np.full((300, 240, 3), 128, np.uint8))[1].tobytes()
    for number in range(200):
        # Copies lie far from each other and in another order: different workers meet them.
        content = number if number < 80 else (number * 37) % 80
        data = picture + str(content).encode()
        (crawl / f"{number:03}.jpg").write_bytes(data)
    for time in range(20):
        with server().database(empty=True) as name:
            environment = {**FAKES, "DATAENGINE_DATABASE": server().url(name)}
            folder = tmp_path / f"ws{time}"
            end = ingest(folder, crawl, "--workers", "4", environment=environment)
            assert end.code == 0, end.err
            tally = end.summary["run"]
            assert (tally["files"], tally["duplicates"], tally["failures"]) == (200, 120, {})
            engine = open_engine(server().url(name))
            with engine.begin() as connection:
                for table, number in ((Source, 200), (Image, 80), (Portrait, 80), (Mask, 80)):
                    assert (
                        connection.scalar(sa.select(sa.func.count()).select_from(table)) == number
                    )
            engine.dispose()
