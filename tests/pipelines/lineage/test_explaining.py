"""Where an image, a mask and a pixel came from: compared with the photo and the rows."""

import io
import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import Image as Pillow

from db import Image, Mask, Portrait, Review, SettingsUsed
from pipelines.label_studio.fake import FakeGateway
from pipelines.lineage.explaining import Explanation, Point, explain_file, parse_point
from pipelines.lineage.finding import Kind
from pipelines.pictures.decode import decode
from pipelines.pictures.stored_masks import read_grey
from pipelines.review.pull import pull_answers
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.settings_used import deciding
from pipelines.workspace.workspace import Workspace
from tests.blobs import lose
from tests.conftest import Crawl
from tests.dataengine.conftest import Run as Command
from tests.dataengine.conftest import run as run
from tests.pipelines.ingest.conftest import Ingest
from tests.pipelines.ingest.conftest import ingest_here as ingest_here
from tests.pipelines.lineage.conftest import digest, open_workspace, release
from tests.pipelines.review.conftest import push_all, requests, stroke


@pytest.fixture
def raw(ingested: Crawl) -> Path:
    return ingested.raw / "sharp.jpg"


def item(released: Path, raw: Path, kind: Kind = Kind.IMAGE) -> Path:
    """The released image or mask of a raw photo."""
    name = f"{digest(raw)[:12]}-0"
    return released / (f"images/{name}.jpg" if kind is Kind.IMAGE else f"masks/{name}.png")


def test_a_released_image(workspace: Workspace, released: Path, raw: Path, tmp_path: Path) -> None:
    image = item(released, raw)
    found = explain_file(workspace, image)
    assert (found.kind, found.sha256, found.photo) == (Kind.IMAGE, digest(image), None)
    ((portrait, pixel),) = [(each.history, each.pixel) for each in found.portraits]
    assert pixel is None
    assert portrait.photo.sha256 == digest(raw)
    assert [Path(uri).name for uri in portrait.photo.uris] == ["a_copy.jpg", "sharp.jpg"]
    assert (portrait.detector, portrait.photo.detector) == ("fake-detector", "fake-detector")
    assert portrait.settings is not None
    assert portrait.settings["detector"]["name"] == "fake"
    (mask,) = portrait.masks
    assert (mask.revision, mask.source, mask.producer) == (1, "teacher", "fake-teacher")
    assert mask.settings == portrait.settings
    (place,) = portrait.releases
    assert (place.name, place.item, place.mask_id) == ("round-1", image.stem, mask.mask_id)
    assert place.checksum == digest(released / "checksums.txt")
    (run,) = place.runs
    assert run.folder == "runs/round-1"
    assert run.checkpoint_sha256 == digest(workspace.paths.root / run.folder / "last.safetensors")
    assert run.promoted_at is not None

    copy = Path(shutil.copy(image, tmp_path / "under another name.jpeg"))
    shutil.rmtree(released)
    assert explain_file(workspace, copy).portraits == found.portraits


def test_settings_are_those_of_then(workspace: Workspace, released: Path, raw: Path) -> None:
    """What `dataengine.toml` says now is not what was used."""
    with workspace.engine.begin() as connection:
        used = connection.scalar(sa.select(SettingsUsed.settings))
    (workspace.paths.settings).write_text("[portrait]\nheadroom_in_faces = 0.1\n")
    workspace.close()
    again = open_workspace(workspace.paths.root)
    assert again.settings.portrait.headroom_in_faces == 0.1
    (portrait,) = explain_file(again, item(released, raw)).portraits
    assert portrait.history.settings == used
    with again.engine.begin() as connection:
        connection.execute(sa.update(Portrait).values(settings_id=None))
    (portrait,) = explain_file(again, item(released, raw)).portraits
    assert portrait.history.settings is None
    again.close()


def test_a_pixel_is_that_of_the_photo(workspace: Workspace, released: Path, raw: Path) -> None:
    x, y = 61, 104
    found = explain_file(workspace, item(released, raw), Point(x, y))
    (portrait,) = found.portraits
    assert portrait.pixel is not None
    photo = decode(raw.read_bytes(), max_pixels=10**9).rgb
    crop = np.asarray(Pillow.open(item(released, raw)))
    there = portrait.pixel.in_photo
    # JPEG noise moves the value a little; a pixel beside is anything in this picture.
    assert np.abs(photo[there.y, there.x].astype(int) - crop[y, x]).max() < 25
    (mask,) = portrait.history.masks
    released_mask = np.asarray(Pillow.open(item(released, raw, Kind.MASK)).convert("L"))
    assert portrait.pixel.masks == {mask.mask_id: int(released_mask[y, x])}
    # The same from the mask's file, and backwards from the photo.
    of_mask = explain_file(workspace, item(released, raw, Kind.MASK), Point(x, y))
    assert [each.pixel for each in of_mask.portraits] == [portrait.pixel]
    back = explain_file(workspace, raw, there)
    assert (back.kind, back.photo) == (Kind.PHOTO, portrait.history.photo)
    assert [each.pixel for each in back.portraits] == [portrait.pixel]


def test_a_rotated_photo_is_meant_upright(tmp_path: Path, ingest_here: Ingest) -> None:
    grey = np.random.default_rng(5).integers(0, 256, (300, 420, 1), np.uint8)
    noise = grey.repeat(3, axis=2)  # what JPEG keeps
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn by 90° to the right
    (tmp_path / "raw").mkdir()
    photo = tmp_path / "raw/turned.png"
    Pillow.fromarray(noise).save(photo, exif=exif)
    ingest_here(tmp_path / "ws", tmp_path / "raw")
    workspace = open_workspace(tmp_path / "ws")
    with workspace.engine.begin() as connection:
        blob = connection.scalar(sa.select(Portrait.blob))
    crop = np.asarray(Pillow.open(io.BytesIO(workspace.store.get(str(blob)))))
    (portrait,) = explain_file(
        workspace, workspace.store.local_path(str(blob)), Point(30, 40)
    ).portraits
    assert portrait.pixel is not None
    there = portrait.pixel.in_photo
    upright = np.rot90(noise, -1)
    assert np.abs(upright[there.y, there.x].astype(int) - crop[40, 30]).max() < 25
    with pytest.raises(PipelineError, match="it is 300 × 420 pixels"):
        explain_file(workspace, photo, Point(300, 0))
    workspace.close()


@pytest.mark.parametrize("kind", [Kind.IMAGE, Kind.MASK])
def test_pixels_outside(workspace: Workspace, released: Path, raw: Path, kind: Kind) -> None:
    file = item(released, raw, kind)
    width, height = Pillow.open(file).size
    explain_file(workspace, file, Point(width - 1, height - 1))
    for point in (Point(width, 0), Point(0, height), Point(-1, 0)):
        with pytest.raises(PipelineError, match=f"no pixel {point.x},{point.y}.*0 to {width - 1}"):
            explain_file(workspace, file, point)
    (portrait,) = explain_file(workspace, raw, Point(0, 0)).portraits
    assert portrait.pixel is not None
    assert (portrait.pixel.in_portrait, portrait.pixel.masks) == (None, {})


def test_every_revision_and_every_decision(workspace: Workspace, raw: Path) -> None:
    gateway = FakeGateway()
    push_all(workspace, gateway)
    with workspace.engine.begin() as connection:
        query = sa.select(Portrait.id).join(Image, Image.id == Portrait.image_id)
        portrait_id = connection.scalar(query.where(Image.sha256 == digest(raw)))
    (asked,) = (each for each in requests(workspace) if each.portrait_id == portrait_id)
    gateway.answer(asked.task_id, "reject", reasons=["rough_edge"], seconds=2.5)
    pull_answers(workspace, gateway=gateway)
    task = gateway.tasks[asked.task_id]
    task.annotations.clear()
    assert task.mask is not None
    extra = stroke(task.mask.width, task.mask.height)
    gateway.answer(asked.task_id, "fix", regions=[extra], reviewer="bob@example.org")
    pull_answers(workspace, gateway=gateway)
    folder = release(workspace)
    file = item(folder, raw, Kind.MASK)
    (portrait,) = explain_file(workspace, file, Point(0, 0)).portraits
    first, second = portrait.history.masks
    assert (second.source, second.producer, second.reviews) == ("human", "bob@example.org", [])
    assert second.settings == deciding(workspace.settings) != first.settings
    rejected, fixed = first.reviews
    assert (rejected.decision, rejected.reasons, rejected.seconds) == (
        "reject",
        ["rough_edge"],
        2.5,
    )
    assert rejected.withdrawn_at is not None
    assert (fixed.decision, fixed.reviewer) == ("fix", "bob@example.org")
    assert (fixed.purpose, fixed.fixed_mask_id) == ("review", second.mask_id)
    assert portrait.history.releases[0].mask_id == second.mask_id
    assert portrait.pixel is not None
    assert portrait.pixel.masks == {
        mask.mask_id: int(read_grey(workspace.store, mask.blob)[0, 0]) for mask in (first, second)
    }
    lose(workspace, first.blob)
    (portrait,) = explain_file(workspace, file, Point(0, 0)).portraits
    assert portrait.pixel is not None
    assert portrait.pixel.masks[first.mask_id] is None, "the rest can be told"


def test_a_mask_that_several_portraits_share(
    workspace: Workspace, raw: Path, tmp_path: Path
) -> None:
    with workspace.engine.begin() as connection:
        blob = connection.scalar(sa.select(Mask.blob).where(Mask.id == 1))
        connection.execute(sa.update(Mask).values(blob=blob))
    folder = release(workspace)
    names = {path.stem for path in (folder / "masks").iterdir()}
    assert len(names) == 3
    for name in names:
        (portrait,) = explain_file(workspace, folder / f"masks/{name}.png").portraits
        assert portrait.history.releases[0].item == name
    workspace.store.copy(str(blob), tmp_path / "mask.png")
    assert len(explain_file(workspace, tmp_path / "mask.png").portraits) == 3


def test_a_photo_without_a_portrait(workspace: Workspace, ingested: Crawl) -> None:
    found = explain_file(workspace, ingested.raw / "black.png")
    assert found.photo is not None
    assert (found.photo.outcome, found.photo.reasons) == ("no_face", ["no_face"])
    assert found.portraits == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "no such file; files are known by their bytes"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b"x"), "no image, mask or raw photo of .* has these bytes"),
    ],
)
def test_what_cannot_be_explained(
    workspace: Workspace, tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "x.jpg")
    with pytest.raises(PipelineError, match=message):
        explain_file(workspace, tmp_path / "x.jpg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.jpg", ("a.jpg", None)),
        ("a.jpg:12,34", ("a.jpg", Point(12, 34))),
        ("a b:c.jpg:0,-1", ("a b:c.jpg", Point(0, -1))),
        ("a.jpg:1.5,2", ("a.jpg:1.5,2", None)),
    ],
)
def test_points_are_read(text: str, expected: tuple[str, Point | None]) -> None:
    path, point = parse_point(text)
    assert (str(path), point) == expected


def test_a_file_may_look_like_a_point(tmp_path: Path) -> None:
    file = tmp_path / "a:1,2"
    file.write_bytes(b"")
    assert parse_point(str(file)) == (file, None)
    assert parse_point(f"{file}:3,4") == (file, Point(3, 4))


def test_the_command(workspace: Workspace, released: Path, raw: Path, run: Command) -> None:
    with workspace.engine.begin() as connection:
        review = {"decision": "accept", "reviewer": "[ann]@example.org", "seconds": 2}
        review |= {"decided_at": datetime(2026, 1, 2, tzinfo=UTC), "reasons": []}
        review |= {"comment": "fine\nthough"}
        for mask_id in (1, 2, 3):
            connection.execute(sa.insert(Review).values({**review, "mask_id": mask_id}))
    here = ("-w", workspace.paths.root)
    drawn = np.asarray(Pillow.open(item(released, raw, Kind.MASK)))
    y, x = np.argwhere(drawn)[0]
    answer = run(*here, "explain", f"{item(released, raw)}:{x},{y}")
    assert (answer.code, answer.err) == (0, "")
    for expected in (
        f"image, SHA-256 {digest(item(released, raw))}",
        f"raw photo  {raw.parent}/a_copy.jpg  300 × 400 JPEG", f"also {raw}",
        f"SHA-256 {digest(raw)}", f"pixel  {x},{y} is ", "by fake-detector",
        "settings  detector.name = fake, teacher.name = fake",
        "mask 1  teacher, ", "pixel: portrait (255)", "by fake-teacher",
        "[ann]@example.org: accept, 2026-", "“fine\\nthough”", "scores  ",
        "round-1  ", "run runs/round-1  promoted, weights ",
    ):  # fmt: skip
        assert expected in answer.out, expected
    found = json.loads(run(*here, "explain", item(released, raw), "--json").out)
    (portrait,) = found["portraits"]
    assert portrait["history"]["masks"][0]["reviews"][0]["reviewer"] == "[ann]@example.org"
    assert portrait["history"]["releases"][0]["runs"][0]["folder"] == "runs/round-1"
    answer = run(*here, "explain", f"{item(released, raw)}:9999,0")
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.count("\n") == 1
    assert run(*here, "explain", raw.parent / "black.png").out.count("no portrait was made") == 1


NUMBERS = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)"
MANY = (
    """INSERT INTO image (id, sha256, size_bytes, reasons, added_at)
       SELECT 10 + n, n, 1, '[]', '2026-01-01' FROM n""",
    """INSERT INTO portrait (id, image_id, ordinal, face_box, landmarks, face_confidence, crop_box,
                             width, height, blob, detector, created_at)
       SELECT 10 + n, 10 + n, 0, '[1,2,3,4]', '[]', 0.9, '[1,2,3,4]', 3, 4, 'portraits/' || n, 'x',
              '2026-01-01' FROM n""",
    """INSERT INTO mask (portrait_id, revision, source, producer, blob, verdict, reasons, scores,
                         created_at)
       SELECT 10 + n, 1, 'teacher', 'x', 'masks/' || n, 'review', '[]', '{}', '2026-01-01'
       FROM n""",
)


def test_it_is_quick_among_many(workspace: Workspace, released: Path, raw: Path) -> None:
    """On 100,000 portraits; three times the figure it is meant to have."""
    with workspace.engine.begin() as connection:
        for statement in MANY:
            connection.exec_driver_sql(f"{NUMBERS} {statement}")
    for file in (item(released, raw), item(released, raw, Kind.MASK), raw):
        started = time.monotonic()
        assert isinstance(explain_file(workspace, file, Point(90, 90)), Explanation)
        assert time.monotonic() - started < 0.9
