"""Crawls where they live: buckets, the web, archives and tables, as a folder of the same photos."""

import hashlib
import json
import re
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.conftest import FAST_INGEST
from tests.crawls import photo, said, shard, table_of, tar_of, web_server, write, zip_of
from tests.dataengine.conftest import Answer, Run
from tests.object_storage import SECRET, Fault, Road, road, server
from tests.pipelines.ingest.runs import Run as Process

Put = Callable[[dict[str, bytes]], str]
PHOTOS = {f"sub/a b#{number}.jpg": photo(number) for number in range(4)}


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    with road() as made:
        for name, value in {**FAST_INGEST, **server().environment(made.url)}.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def bucket(way: Road) -> Iterator[str]:
    with server().bucket() as name:
        yield name


@pytest.fixture
def put(bucket: str) -> Put:
    """Puts objects under a prefix; its address."""

    def call(files: dict[str, bytes]) -> str:
        for name, data in files.items():
            server().client.put_object(Bucket=bucket, Key=f"crawl/{name}", Body=data)
        return f"s3://{bucket}/crawl"

    return call


def summary(answer: Answer) -> dict[str, Any]:
    assert answer.code == 0, answer.err
    return dict(json.loads(answer.out))


def rows(query: str, workspace: Path = Path()) -> list[Any]:
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database:
        return database.execute(query).fetchall()


def photos(workspace: Path = Path()) -> set[str]:
    return {row[0] for row in rows("SELECT sha256 FROM image", workspace)}


def digests(*contents: bytes) -> set[str]:
    return {hashlib.sha256(each).hexdigest() for each in contents}


def gets(way: Road) -> list[str]:
    """Objects that were read: neither listed, nor asked for their head, nor prefixes."""
    read = (path for method, path in way.asked if method == "GET" and "?" not in path)
    return [path for path in read if "." in path.rpartition("/")[2]]


def test_a_prefix_is_taken_in_once_and_what_changed_anew(
    run: Run, way: Road, put: Put, bucket: str
) -> None:
    first, second = sorted(PHOTOS)[:2]
    left_out = {
        "sub/.hidden.jpg": b"x", "sub/@eaDir/t.jpg": b"x", "notes.txt": b"x", "packed.tar.gz": b"x",
        "rel/checksums.txt": b"", "rel/manifest.jsonl": b"", "rel/images/1.jpg": photo(99),
    }  # fmt: skip
    origin = json.dumps(said(7)).encode()
    uri = put({**PHOTOS, **left_out, f"{first.removesuffix('.jpg')}.json": origin})
    run_1 = summary(run("ingest", uri, "--json"))
    assert (run_1["run"]["new"], run_1["run"]["portraits"]) == (4, 4)
    assert run_1["run"]["ignored"] == {
        "hidden": 1, ".txt": 1, ".tar.gz": 1, ".json": 1, "@eaDir": 1, "release": 1,
    }  # fmt: skip
    assert photos() == digests(*PHOTOS.values())
    # Every object was read once: searching it for faces fetches nothing again.
    assert sorted(gets(way)) == sorted(set(gets(way)))
    assert not Path("spool").exists()
    explained = json.loads(run("explain", f"{uri}/{first}", "--json").out)
    assert "photos.example/7.jpg" in json.dumps(explained)
    way.asked.clear()
    again = summary(run("ingest", uri, "--json"))
    assert (again["run"]["new"], again["run"]["known"]) == (0, 4)
    assert gets(way) == []
    put({second: photo(50)})
    plan = summary(run("ingest", uri, "--dry-run", "--json"))
    assert (plan["new"], plan["changed"], plan["known"]) == (0, 1, 3)
    changed = summary(run("ingest", uri, "--json"))
    assert (changed["run"]["changed"], changed["run"]["portraits"]) == (1, 1)
    assert digests(photo(50)) < photos()
    assert len(gets(way)) == 1
    text = Path("dataengine.db").read_bytes()
    assert SECRET.encode() not in text
    assert f"s3://{bucket}/crawl/sub/a%20b%230.jpg".encode() in text


def test_shards_of_img2dataset(run: Run, way: Road, put: Put) -> None:
    uri = put(
        {
            **shard("00000", range(3)),
            **shard("00001", range(3, 5), finished=False),
            **{f"loose/{name}": data for name, data in shard("7", range(10, 12)).items()},
        }
    )
    taken = summary(run("ingest", uri, "--json"))["run"]
    assert (taken["new"], taken["portraits"]) == (5, 5)
    assert taken["ignored"]["unfinished shard"] == 1
    assert "00001.tar" in taken["notes"][0]
    urls = {row[0] for row in rows("SELECT url FROM origin WHERE licence = 'CC-BY-4.0'")}
    assert urls == {f"https://photos.example/{number}.jpg" for number in (0, 1, 2, 10, 11)}
    assert rows("SELECT count(*) FROM origin WHERE downloaded_at IS NOT NULL") == [(5,)]
    # A shard that is known is not even opened.
    way.asked.clear()
    again = summary(run("ingest", uri, "--json"))["run"]
    assert (again["known"], again["new"]) == (5, 0)
    assert not [path for path in gets(way) if path.endswith(".tar")]
    # When it is finished, it is taken; another version of a known one is gone through again.
    put({"00001_stats.json": b"{}", "00000.tar": tar_of({"000000000.jpg": photo(77)})})
    later = summary(run("ingest", uri, "--json"))["run"]
    assert (later["new"], later["changed"]) == (2, 1)


@pytest.mark.parametrize("spool_bytes", ["0", "1000000"])
def test_archives_and_tables_in_a_bucket(
    run: Run, put: Put, spool_bytes: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched whole, or by ranges where there is no room."""
    monkeypatch.setenv("DATAENGINE_CRAWLS__SPOOL_BYTES", spool_bytes)
    rows_of_images = [
        {"image": {"bytes": photo(number), "path": None}, "url": f"https://e.org/{number}"}
        for number in range(20, 25)
    ]
    uri = put(
        {
            "a.zip": zip_of({"x/1.jpg": photo(1), "x/1.json": json.dumps(said(1)).encode()}),
            "b.tar": tar_of({"2.jpg": photo(2), "3.jpg": photo(3)}),
            "c.parquet": table_of(rows_of_images),
            "list.txt": b"# photos\nmore/4.jpg\ngone.jpg\nb.tar\n../../out.jpg\n",
            "more/4.jpg": photo(4),
        }
    )
    given = [f"{uri}/{name}" for name in ("a.zip", "b.tar", "c.parquet", "list.txt")]
    taken = summary(run("ingest", *given, "--json"))
    assert taken["run"]["new"] == 1 + 2 + 5 + 2
    assert taken["status"]["failures"] == {"missing": 1}
    assert photos() == digests(*(photo(number) for number in (1, 2, 3, 4, *range(20, 25))))
    urls = {row[0] for row in rows("SELECT url FROM origin")}
    assert {"https://photos.example/1.jpg", "https://e.org/22"} <= urls
    again = summary(run("ingest", *given, "--json"))
    assert (again["run"]["new"], again["run"]["known"], again["run"]["changed"]) == (0, 10 + 2, 0)


def test_bad_addresses_are_one_line_and_nothing_is_made(
    run: Run, way: Road, put: Put, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = put({"cut.tar": tar_of({"1.jpg": photo(1)})[:1000], "x.parquet": table_of([{"n": 1}])})

    def line(*arguments: str) -> str:
        answer = run("ingest", *arguments)
        assert answer.code == 1, answer.out
        assert answer.err.count("\n") == 1
        assert not Path("dataengine.toml").exists()
        return answer.err

    assert "nothing lies there: check the spelling" in line(f"s3://{bucket}/nothing/")
    assert "no such bucket" in line("s3://no-such-bucket-here/x")
    assert "is not there" in line(f"{uri}/gone.tar")
    assert "nothing of it is kept" in line("https://e.org/a.jpg?X-Amz-Signature=abc123")
    assert "ftp:// is no kind of address" in line("ftp://e.org/a.jpg")
    assert "private_addresses" in line("http://127.0.0.1:9/a.jpg")
    way.always = Fault(status=403, code="AccessDenied")
    assert "access denied" in line(uri)
    way.always = Fault(status=400, code="AuthorizationHeaderMalformed", message="expecting 'eu-1'")
    assert "AWS_REGION" in line(uri)
    way.always = None
    # What is found out while going through it is one line, too.
    for name, words in (("cut.tar", "not a readable tar"), ("x.parquet", "no column of images")):
        answer = run("ingest", f"{uri}/{name}")
        assert answer.code == 1
        assert words in answer.err
    # In a prefix a damaged shard is a failure, and the others are taken.
    put({"ok.jpg": photo(5)})
    taken = summary(run("ingest", uri, "--json"))
    assert [each["path"] for each in taken["run"]["broken_tars"]] == [f"{uri}/cut.tar"]
    assert taken["run"]["portraits"] == 1
    assert taken["status"]["failures"] == {"not_an_image": 1}


def test_a_bucket_that_vanishes_fails_no_photo(
    run: Run, way: Road, put: Put, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = put(PHOTOS)
    read: list[str] = []

    def gone(method: str, path: str) -> Fault | None:
        """From the first photo that is read the bucket is not there any more."""
        if method == "GET" and ".jpg" in path:
            read.append(path)
        return Fault(status=404, code="NoSuchBucket") if read else None

    with monkeypatch.context() as patch:
        patch.setattr(way, "fault", gone)
        ended = run("ingest", uri, "--json")
    assert ended.code == 1
    assert ended.err.strip().splitlines()[-1].count("there is no such bucket") == 1
    assert rows("SELECT count(*) FROM job WHERE state = 'failed'") == [(0,)]
    # One object that nobody may read is that object's failure.
    way.always = Fault(method="GET", part="b%230", status=403, code="AccessDenied")
    taken = summary(run("ingest", uri, "--json"))
    assert taken["status"]["failures"] == {"unreadable": 1}
    assert taken["run"]["portraits"] == 3
    way.always = None
    retried = summary(run("ingest", "--retry-failed", uri, "--json"))
    assert (retried["run"]["retried"], retried["run"]["portraits"]) == (1, 1)
    assert photos() == digests(*PHOTOS.values())


def test_names_that_cannot_be_asked_for_are_told_and_the_rest_is_taken(
    run: Run, put: Put, bucket: str
) -> None:
    put({"ok.jpg": photo(1), "a%41+b&c=d.jpg": photo(2), "odd/a//b.jpg": photo(3), "dir/": b""})
    server().client.put_object(Bucket=bucket, Key="/first.jpg", Body=photo(4))
    taken = summary(run("ingest", f"s3://{bucket}", "--json"))["run"]
    assert taken["portraits"] == 2
    told = {each["path"]: each["message"] for each in taken["unreadable"]}
    assert set(told) == {f"s3://{bucket}/", f"s3://{bucket}/crawl/odd/a/"}
    assert all("empty p" in message for message in told.values())


def test_trouble_on_the_way_is_gone_through(run: Run, way: Road, put: Put) -> None:
    uri = put({**PHOTOS, "s.tar": tar_of({"9.jpg": photo(9)})})
    way.faults = [
        Fault(method="GET", part="list-type", status=503, code="SlowDown"),
        Fault(method="GET", part=".jpg", status=500, code="InternalError"),
        Fault(method="GET", part=".jpg", cut=100),
        Fault(method="GET", part="s.tar", cut=700),
    ]
    assert summary(run("ingest", uri, "--json"))["run"]["portraits"] == 5
    assert way.faults == []


def test_from_the_web(run: Run, way: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del way  # its environment has the fakes
    folder = write(tmp_path / "www", {"a.jpg": photo(1), "b.jpg": photo(2), "page": b"<html>"})
    with web_server(folder) as (web, asked):
        urls = [f"{web}/a.jpg", f"{web}/b.jpg", f"{web}/page", f"{web}/gone.jpg", None]
        signed = f"{web}/c.jpg?token=hunter2abc"
        table = [{"url": each, "license": "CC0-1.0"} for each in (*urls, signed)]
        write(
            folder,
            {
                "s.tar": tar_of({"3.jpg": photo(3)}),
                "z.zip": zip_of({"4.jpg": photo(4)}),
                "list.txt": f"a.jpg\n{web}/b.jpg\n".encode(),
                "urls.parquet": table_of(table),
            },
        )
        (tmp_path / "here/list.txt").write_text(f"{web}/a.jpg\n{signed}\n")
        refused = summary(run("ingest", folder / "urls.parquet", "--json"))
        assert refused["status"]["failures"] == {"private_address": 4}
        assert refused["run"]["ignored"] == {"no address": 1, "signed address": 1}
        assert asked == []
        monkeypatch.setenv("DATAENGINE_CRAWLS__PRIVATE_ADDRESSES", "true")
        retried = summary(run("ingest", "--retry-failed", "--json"))
        assert retried["status"]["failures"] == {"not_an_image": 1, "missing": 1}
        assert retried["run"]["portraits"] == 2
        assert asked.count("GET /a.jpg") == 1
        assert rows("SELECT DISTINCT licence FROM origin") == [("CC0-1.0",)]
        given = [f"{web}/{name}" for name in ("b.jpg", "s.tar", "z.zip", "list.txt")]
        more = summary(run("ingest", *given, "list.txt", "--json"))["run"]
        assert more["portraits"] == 2
        assert more["ignored"]["URL"] == 2
        assert "--download" in more["notes"][0]
        assert "hunter2abc" not in json.dumps(more)
        followed = summary(run("ingest", "list.txt", "--download", "--json"))["run"]
        assert (followed["known"] + followed["changed"], followed["new"]) == (1, 0)
        assert followed["ignored"] == {"signed address": 1}
        assert photos() >= digests(*(photo(number) for number in range(1, 5)))
    assert b"hunter2abc" not in Path("dataengine.db").read_bytes()


def test_later_readers_cope_with_what_lies_elsewhere(run: Run, put: Put) -> None:
    black = zip_of({})  # no image: one failure, listed by its address
    uri = put({**PHOTOS, "s.tar": tar_of({"8.jpg": photo(8)}), "odd.bin": black})
    summary(run("ingest", uri, "--json"))
    listed = json.loads(run("list", "--json").out)
    assert f"{uri}/sub/a b#0.jpg" in {each["photo_path"] for each in listed}
    (failed,) = json.loads(run("failures", "--json").out)
    assert failed["path"] == f"{uri}/odd.bin"
    number = next(each for each in listed if each["photo_path"].endswith("#8.jpg"))
    shown = run("show", str(number["portrait_id"]), "--out", "p.png")
    assert (shown.code, Path("p.png").stat().st_size > 0) == (0, True)
    # A crop that is lost is cut out of the photo again, wherever that is.
    Path(number["portrait_path"]).unlink()
    assert run("verify", "--repair").code == 0
    assert Path(number["portrait_path"]).is_file()
    assert run("explain", f"{uri}/s.tar#8.jpg:3,3").code == 0
    assert "no photo was taken in from there" in run("explain", f"{uri}/other.jpg").err
    assert run("forget", f"{uri}/s.tar#8.jpg", f"{uri}/sub/a b#1.jpg", "--yes").code == 0
    assert len(photos()) == 4
    again = summary(run("ingest", uri, "--json"))
    assert again["status"]["photos"]["seen"] == 5


def test_masks_and_tables_go_with_photos_from_elsewhere(run: Run, put: Put) -> None:
    import numpy as np
    from PIL import Image

    uri = put({"anna.jpg": photo(1), "t/bert.jpg": photo(2)})
    mask = np.zeros((200, 150), np.uint8)
    mask[40:, 30:120] = 255
    for name in ("masks/anna.png", "masks/t/bert.png"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(name)
    Path("table.csv").write_text("file,licence\nanna.jpg,CC0-1.0\nt/bert.jpg,CC-BY-4.0\n")
    options = ["--masks", "masks", "--origin", "table.csv"]
    taken = summary(run("ingest", uri, *options, "--json"))["run"]
    assert (taken["pairs"]["found"], taken["origins"]["matched"]) == (2, 2)
    assert rows("SELECT DISTINCT source FROM mask") == [("import",)]


def test_killed_and_run_again_it_ends_like_a_folder(
    way: Road, put: Put, tmp_path: Path, run: Run
) -> None:
    files = {f"{number}.jpg": photo(number) for number in range(12)}
    files |= shard("00000", range(30, 38))
    uri, folder = put(files), write(tmp_path / "folder", files)
    assert summary(run("-w", "of-folder", "ingest", folder, "--json"))["run"]["portraits"] == 20
    environment = {**FAST_INGEST, **server().environment(way.url)}
    workspace = tmp_path / "of-bucket"
    started = Process(workspace, uri, environment=environment)
    while len(gets(way)) < 8 and started.process.poll() is None:
        time.sleep(0.01)
    started.signal(signal.SIGKILL)
    started.end()
    ended = Process(workspace, uri, environment=environment).end()
    assert ended.code == 0, ended.err
    assert ended.summary["status"]["failures"] == {}
    query = (
        "SELECT image.sha256, portrait.crop_box, portrait.blob, mask.blob, mask.verdict, "
        "origin.url FROM image JOIN portrait ON portrait.image_id = image.id "
        "JOIN mask ON mask.portrait_id = portrait.id JOIN source ON source.image_id = image.id "
        "LEFT JOIN origin ON origin.source_id = source.id ORDER BY 1"
    )
    assert rows(query, workspace) == rows(query, Path("of-folder"))
    assert not (workspace / "spool").exists()
    assert re.fullmatch(r"s3://[\w-]+/crawl/.*", rows("SELECT uri FROM source", workspace)[0][0])


def test_a_repository_of_the_hub(
    run: Run, way: Road, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system in memory stands for the hub's, which cannot be reached here."""
    from fsspec.implementations.memory import MemoryFileSystem

    class Hub(MemoryFileSystem):
        store: ClassVar[dict[str, Any]] = {}
        pseudo_dirs: ClassVar[list[str]] = [""]
        cachable = False

        @classmethod
        def _strip_protocol(cls, path: str) -> str:
            return "/" + path.removeprefix("hf://").strip("/")

    del way, tmp_path
    hub = Hub()
    for name, data in PHOTOS.items():
        hub.pipe_file(f"/datasets/ann/faces/{name}", data)
    hub.pipe_file("/datasets/ann/faces/more/s.tar", tar_of({"8.jpg": photo(8)}))
    monkeypatch.setattr("pipelines.workspace.fsspec_access._driver", lambda _: hub)
    taken = summary(run("ingest", "hf://datasets/ann/faces", "--json"))["run"]
    assert (taken["new"], taken["portraits"]) == (5, 5)
    again = summary(run("ingest", "hf://datasets/ann/faces", "--json"))["run"]
    assert (again["new"], again["known"]) == (0, 5)
    assert run("ingest", "hf://datasets/ann/nothing").err.count("nothing lies there") == 1


def test_without_a_network_the_hub_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    answer = run("ingest", "hf://datasets/ann/faces")
    assert (answer.code, answer.err.count("\n")) == (1, 1)
    assert answer.err.startswith("dataengine: error: hf://datasets/ann/faces") or (
        "hf://datasets/ann/faces" in answer.err
    )
