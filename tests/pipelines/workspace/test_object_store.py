"""A bucket keeps blobs as a folder does: whole, checked, and none removed that somebody wants."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from pipelines.workspace.blob_cache import BlobCache
from pipelines.workspace.errors import WorkspaceError
from pipelines.workspace.object_access import Patience
from pipelines.workspace.object_errors import AccessError
from pipelines.workspace.object_places import Place, parse_place
from pipelines.workspace.object_store import ObjectStore
from pipelines.workspace.store import BlobKind
from tests.google import GoogleRoad
from tests.object_storage import SECRET, Fault, Road, road, server

QUICK = Patience(attempts=4, first_seconds=0.01, longest_seconds=0.02, silence_seconds=0.3)
BLOB = bytes(range(256)) * 64
KEY = f"masks/{hashlib.sha256(BLOB).hexdigest()[:2]}/{hashlib.sha256(BLOB).hexdigest()}.png"


@pytest.fixture(params=["s3", "gs"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def way(scheme: str, s3_folder: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    with road(GoogleRoad if scheme == "gs" else Road) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def place(scheme: str, s3_folder: str) -> Place:
    return parse_place(s3_folder.replace("s3:", f"{scheme}:"))


@pytest.fixture
def store(way: Road, place: Place) -> ObjectStore:
    return ObjectStore(place, "host-1-ab", patience=QUICK)


def objects(place: Place) -> dict[str, bytes]:
    """By key below the store's folder, as another program sees them."""
    found = server().objects(place.bucket)
    return {key.removeprefix(f"{place.prefix}/"): data for key, data in found.items()}


def spoil(place: Place, key: str, data: bytes) -> None:
    server().client.put_object(Bucket=place.bucket, Key=f"{place.prefix}/{key}", Body=data)


FAULTS = [
    Fault(status=500, code="InternalError"),
    Fault(status=503, code="SlowDown"),
    Fault(late=True),
    Fault(silence=0.6),
]


@pytest.mark.parametrize("fault", FAULTS, ids=["500", "503", "lost", "silent"])
def test_trouble_that_passes_changes_nothing(
    store: ObjectStore, way: Road, place: Place, fault: Fault
) -> None:
    way.faults = [fault, fault]
    assert store.put(BlobKind.MASK, BLOB) == KEY
    way.faults = [fault, fault]
    assert store.get(KEY) == BLOB
    assert objects(place) == {KEY: BLOB}


@pytest.mark.parametrize("fault", [Fault(method="GET", wrong=True), Fault(method="GET", cut=9)])
def test_bytes_that_were_changed_on_the_way_are_asked_for_again(
    store: ObjectStore, way: Road, fault: Fault
) -> None:
    store.put(BlobKind.MASK, BLOB)
    way.faults = [fault, fault]
    assert store.get(KEY) == BLOB
    assert way.faults == []
    way.faults = [fault, fault]
    assert store.sha256(KEY) == (hashlib.sha256(BLOB).hexdigest(), len(BLOB))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault(method="GET", wrong=True), "this blob is damaged"),
        (Fault(method="GET", cut=9), "was cut off"),
        (Fault(status=503, code="SlowDown"), "asks for fewer requests"),
        (Fault(status=403, code="AccessDenied"), "access denied"),
        (Fault(silence=0.6), "does not answer in time"),
    ],
    ids=["wrong", "cut", "503", "403", "silent"],
)
def test_trouble_that_stays_is_one_line(
    store: ObjectStore, way: Road, fault: Fault, says: str
) -> None:
    store.put(BlobKind.MASK, BLOB)
    way.always = fault
    with pytest.raises(WorkspaceError, match=says) as caught:
        store.get(KEY)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)
    assert store.where(KEY) in str(caught.value)


def test_what_is_there_is_not_sent_twice_and_what_is_damaged_is_mended(
    store: ObjectStore, way: Road, place: Place
) -> None:
    store.put(BlobKind.MASK, BLOB)
    way.asked.clear()
    store.put(BlobKind.MASK, BLOB)
    assert [method for method, _ in way.asked] == ["PUT", "HEAD"], "and the PUT was conditional"
    for bad in (BLOB[:100], bytes([BLOB[0] ^ 1]) + BLOB[1:]):
        spoil(place, KEY, bad)
        with pytest.raises(WorkspaceError, match="damaged"):
            store.get(KEY)
        store.put(BlobKind.MASK, BLOB)
        assert objects(place) == {KEY: BLOB}


def test_many_that_put_one_blob_all_succeed(way: Road, place: Place) -> None:
    stores = [ObjectStore(place, f"host-{number}", patience=QUICK) for number in range(8)]
    keys: list[str] = []
    threads = [
        threading.Thread(target=lambda one=one: keys.append(one.put(BlobKind.MASK, BLOB)))
        for one in stores
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert keys == [KEY] * 8
    assert objects(place) == {KEY: BLOB}


@pytest.mark.parametrize("when", ["taken", "gone"])
def test_what_is_put_while_it_is_removed_stays(
    store: ObjectStore, place: Place, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """Before or after the blob is deleted, each time after it was looked at."""
    other = ObjectStore(place, "other-1-ab", patience=QUICK)
    store.put(BlobKind.MASK, BLOB)
    version = str(store.version(KEY))
    noted: set[str] = set()

    def put() -> None:
        noted.add(KEY)
        other.put(BlobKind.MASK, BLOB)

    delete = store._bucket.delete

    def deleting(path: str) -> None:
        if path == KEY and when == "taken":
            put()
        delete(path)

    def wanted(keys: Sequence[str]) -> set[str]:
        if when == "gone":
            put()
        return noted & set(keys)

    monkeypatch.setattr(store._bucket, "delete", deleting)
    assert store.remove_all({KEY: version}, wanted) == {}
    assert objects(place) == {KEY: BLOB}


def test_a_reader_waits_for_a_blob_that_is_aside(store: ObjectStore, place: Place) -> None:
    store.put(BlobKind.MASK, BLOB)
    server().client.delete_object(Bucket=place.bucket, Key=f"{place.prefix}/{KEY}")
    timer = threading.Timer(0.1, spoil, [place, KEY, BLOB])
    timer.start()
    assert store.get(KEY) == BLOB
    timer.join()


class Killed(BaseException):
    """As a kill: nothing that follows is done."""


@pytest.mark.parametrize("at", ["replace", "delete"])
def test_a_kill_within_a_removal_loses_nothing(
    store: ObjectStore, place: Place, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    store.put(BlobKind.MASK, BLOB)
    version = str(store.version(KEY))
    work = getattr(store._bucket, at)

    def once(*arguments: object) -> None:
        work(*arguments)
        for name in ("replace", "delete", "create", "read"):
            monkeypatch.setattr(store._bucket, name, killed)

    def killed(*_: object) -> None:
        raise Killed

    monkeypatch.setattr(store._bucket, at, once)
    with pytest.raises(Killed):
        store.remove_all({KEY: version}, lambda _: set())
    survivor = ObjectStore(place, "other", patience=QUICK)
    (left,) = survivor.temporaries()
    assert (left.owner, left.size_bytes) == ("host-1-ab", len(BLOB))
    survivor.discard_temporaries("host-1")
    assert len(survivor.temporaries()) == 1, "somebody else's"
    survivor.discard_temporaries("host-1-ab")
    assert objects(place) == {KEY: BLOB}


def test_a_removal_that_fails_puts_back_what_it_took(
    store: ObjectStore, way: Road, place: Place
) -> None:
    keys = [store.put(BlobKind.MASK, BLOB + bytes([number])) for number in range(20)]
    before = objects(place)
    versions = {key: str(store.version(key)) for key in keys}

    def lost(_: object) -> set[str]:
        raise WorkspaceError("the database is away")

    with pytest.raises(WorkspaceError, match="the database is away"):
        store.remove_all(versions, lost)
    assert objects(place) == before
    versions = {key: str(store.version(key)) for key in keys}
    assert store.remove_all(versions, lambda _: set(keys[:3])) == {
        key: len(BLOB) + 1 for key in keys[3:]
    }
    assert set(objects(place)) == set(keys[:3])


def test_a_bucket_that_vanishes_is_named(store: ObjectStore, place: Place) -> None:
    store.put(BlobKind.MASK, BLOB)
    server().empty(place.bucket)
    server().client.delete_bucket(Bucket=place.bucket)
    asked: list[Callable[[], object]] = [
        lambda: store.put(BlobKind.MASK, BLOB),
        lambda: store.get(KEY),
        lambda: store.sha256(KEY),
        lambda: store.version(KEY),
        lambda: list(store.keys()),
        lambda: store.identity(),
    ]
    for each in asked:
        with pytest.raises(AccessError, match=f"{place.root}: there is no such bucket"):
            each()


# The cache.


@pytest.fixture
def cached(way: Road, place: Place, tmp_path: Path) -> ObjectStore:
    return ObjectStore(place, "a", cache=BlobCache(tmp_path / "cache", 10**6), patience=QUICK)


def test_a_cached_blob_is_not_fetched_and_never_trusted(
    cached: ObjectStore, way: Road, tmp_path: Path
) -> None:
    cached.put(BlobKind.MASK, BLOB)
    way.asked.clear()
    assert cached.get(KEY) == BLOB
    assert way.asked == []
    entry = tmp_path / "cache" / KEY
    entry.write_bytes(bytes([BLOB[0] ^ 1]) + BLOB[1:])
    assert cached.get(KEY) == BLOB
    assert way.asked, "fetched again"
    assert entry.read_bytes() == BLOB
    entry.unlink()
    entry.symlink_to("/dev/zero")
    assert cached.get(KEY) == BLOB


def test_a_loss_in_the_bucket_is_not_hidden_by_the_cache(
    cached: ObjectStore, place: Place, tmp_path: Path
) -> None:
    cached.put(BlobKind.MASK, BLOB)
    spoil(place, KEY, b"other")
    assert cached.sha256(KEY)[0] == hashlib.sha256(b"other").hexdigest()
    with pytest.raises(WorkspaceError, match="damaged"):
        cached.copy(KEY, tmp_path / "backup.png", link=True)
    cached.copy(KEY, tmp_path / "export.png")
    assert (tmp_path / "export.png").read_bytes() == BLOB


def test_what_is_removed_leaves_the_cache(cached: ObjectStore, tmp_path: Path) -> None:
    cached.put(BlobKind.MASK, BLOB)
    cached.remove_all({KEY: str(cached.version(KEY))}, lambda _: set())
    assert not (tmp_path / "cache" / KEY).exists()


def test_the_cache_keeps_its_size_and_what_was_used_last(tmp_path: Path) -> None:
    caches = [BlobCache(tmp_path, 100_000) for _ in range(2)]
    keys = []
    for number in range(60):
        data = os.urandom(5_000)
        digest = hashlib.sha256(data).hexdigest()
        keys.append(f"masks/{digest[:2]}/{digest}.png")
        caches[number % 2].keep(keys[-1], data)
        assert caches[0].get(keys[0]) is not None, "used again and again"
        time.sleep(0.002)
    held = sum(path.stat().st_size for path in tmp_path.rglob("*.png"))
    assert held <= 100_000 * (1 + 2 / 16) + 5_000, "what two add before they look"
    assert caches[1].get(keys[-1]) is not None
    assert caches[1].get(keys[1]) is None
    assert set(caches[0].keys()) < set(keys)


def test_a_cache_that_cannot_be_written_is_none(way: Road, place: Place, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = ObjectStore(place, "a", cache=BlobCache(tmp_path / "file/x", 10**6), patience=QUICK)
    store.put(BlobKind.MASK, BLOB)
    assert store.get(KEY) == BLOB
