"""Buckets are asked patiently, and what they refuse is one line without secrets."""

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.workspace.object_access import Bucket, Patience, open_place
from pipelines.workspace.object_errors import (
    AccessError,
    ChangedObjectError,
    MissingObjectError,
)
from pipelines.workspace.object_places import Place, parse_place, shown_url
from tests.google import GoogleRoad
from tests.object_storage import SECRET, Fault, Road, road, server

QUICK = Patience(attempts=4, first_seconds=0.01, longest_seconds=0.02, silence_seconds=0.3)
SLOW_DOWN = Fault(status=503, code="SlowDown", message="Please reduce your request rate.")


@pytest.fixture
def way(monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    with road() as made:
        for name, value in server().environment(made.url).items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def name(way: Road) -> Iterator[str]:
    with server().bucket() as made:
        yield made


@pytest.fixture
def bucket(name: str) -> Bucket:
    return open_place(parse_place(f"s3://{name}/a/folder/"), QUICK)


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    from tests.azure import server as azurite

    for name, value in azurite().environment().items():
        monkeypatch.setenv(name, value)
    return open_place(parse_place(f"az://{azurite().container()}/a/folder/"), QUICK)


@pytest.fixture
def google(name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with road(GoogleRoad) as made:
        for variable, value in made.environment.items():
            monkeypatch.setenv(variable, value)
        yield open_place(parse_place(f"gs://{name}/a/folder/"), QUICK)


AZURE = pytest.param("azure", marks=[pytest.mark.campaign, pytest.mark.timeout(300)])


@pytest.mark.parametrize("kind", ["bucket", "google", AZURE, "memory", "file"])
def test_all_kinds_do_the_same(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if kind in ("bucket", "google", "azure"):
        opened = request.getfixturevalue(kind)
    else:
        opened = open_place(parse_place(f"{kind}://{tmp_path if kind == 'file' else 'x'}/deep"))
    data = bytes(range(256)) * 10
    assert opened.find("masks/a.png") is None
    assert opened.create("masks/a.png", data)
    assert not opened.create("masks/a.png", b"other")
    assert opened.read("masks/a.png") == data
    assert opened.read("masks/a.png", start=250, size=10) == data[250:260]
    assert opened.read("masks/a.png", start=2550) == data[2550:]
    assert b"".join(opened.stream("masks/a.png", start=3)) == data[3:]
    assert list(opened.stream("masks/a.png", start=len(data))) == []
    opened.create("masks/b c#%20.png", b"x")
    opened.create("other/d", b"")
    assert opened.read("other/d") == b""
    assert sorted(each.path for each in opened.list("masks")) == [
        "masks/a.png", "masks/b c#%20.png",
    ]  # fmt: skip
    assert {each.path: each.size for each in opened.list()} == {
        "masks/a.png": 2560, "masks/b c#%20.png": 1, "other/d": 0,
    }  # fmt: skip
    files, folders = opened.folder()
    assert (files, sorted(folders)) == ([], ["masks", "other"])
    files, folders = opened.folder("other")
    assert ([each.path for each in files], folders) == (["other/d"], [])
    found = opened.find("masks/a.png")
    assert found is not None
    assert abs(found.modified - datetime.now(UTC)) < timedelta(minutes=1)
    opened.replace("masks/a.png", b"new")
    assert opened.read("masks/a.png") == b"new"
    if found.e_tag is not None:
        with pytest.raises(ChangedObjectError, match=r"masks/a.png: has changed since"):
            opened.read("masks/a.png", e_tag=found.e_tag)
    for _ in range(2):
        opened.delete("masks/a.png")
    assert opened.find("masks/a.png") is None
    for read in (opened.read, lambda path: list(opened.stream(path))):
        with pytest.raises(MissingObjectError, match=r"/deep|/folder"):
            read("masks/a.png")


@pytest.mark.parametrize("kind", ["bucket", AZURE])
def test_an_address_for_others_works_without_credentials(
    kind: str, request: pytest.FixtureRequest
) -> None:
    import urllib.request

    bucket = request.getfixturevalue(kind)
    bucket.create("a.jpg", b"pixels")
    url = bucket.signed_url("a.jpg", 60)
    assert SECRET not in url
    assert os.environ.get("AZURE_STORAGE_ACCOUNT_KEY", SECRET) not in url
    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"pixels"


TRANSIENT = [
    Fault(status=500, code="InternalError"),
    SLOW_DOWN,
    Fault(status=429),
    Fault(late=True),
    Fault(silence=0.6),
]


@pytest.mark.parametrize("fault", TRANSIENT, ids=lambda each: f"{each.status}{each.late}")
def test_what_passes_is_waited_for(bucket: Bucket, way: Road, fault: Fault) -> None:
    data = bytes(range(256)) * 400
    bucket.create("there", data)
    way.faults = [fault, fault]
    assert bucket.read("there") == data
    way.faults = [fault, fault]
    assert [each.path for each in bucket.list()] == ["there"]
    way.faults = [fault, fault]
    bucket.replace("new", b"x")
    way.faults = [fault, fault]
    assert bucket.find("new") is not None
    way.faults = [fault, fault]
    bucket.delete("new")
    assert bucket.find("new") is None
    way.faults = [fault, fault]
    # What was done though its answer was lost is found done.
    assert bucket.create("newer", b"y") is bool(fault.status)
    assert bucket.read("newer") == b"y"
    assert way.faults == []


@pytest.mark.parametrize("method", ["read", "stream"])
def test_an_answer_that_is_cut_off_is_asked_for_again(
    bucket: Bucket, way: Road, method: str
) -> None:
    data = bytes(range(256)) * 4000
    bucket.create("there", data)
    way.faults = [Fault(method="GET", cut=100_000), Fault(method="GET", cut=3)]
    got = bucket.read("there") if method == "read" else b"".join(bucket.stream("there"))
    assert got == data
    assert way.faults == []


LASTING = [
    (Fault(status=503, code="SlowDown"), r"asks for fewer requests \(503 SlowDown\).*later"),
    (Fault(status=500, code="InternalError"), r"the server fails \(500 InternalError\)"),
    (Fault(cut=10, method="GET"), r"was cut off; run the same"),
    (Fault(silence=0.5), "does not answer in time"),
    (Fault(status=403, code="AccessDenied"), r"access denied \(AccessDenied\): .* allow to read"),
    (Fault(status=403, code="SignatureDoesNotMatch"), "does not accept the credentials"),
    (Fault(status=401), "access denied"),
    (Fault(status=404, code="NoSuchBucket"), r"there is no such bucket at http://127.0.0.1"),
    (Fault(status=301, code="PermanentRedirect"), "another region than us-east-1: set AWS_REGION"),
    (
        Fault(
            status=400,
            code="AuthorizationHeaderMalformed",
            message="the region 'us-east-1' is wrong; expecting 'eu-west-1'",
        ),
        "another region than us-east-1: set AWS_REGION=eu-west-1",
    ),
    (Fault(status=507, code="XMinioStorageFull"), "no space left there"),
    (Fault(status=418, code="Teapot"), r"refused \(.*418"),
]


@pytest.mark.parametrize(("fault", "says"), LASTING, ids=[each.code for each, _ in LASTING])
def test_what_stays_is_one_line(bucket: Bucket, way: Road, fault: Fault, says: str) -> None:
    bucket.create("there", b"0123456789abc")
    way.always = fault
    asked = [
        lambda: bucket.read("there"),
        lambda: list(bucket.stream("there")),
        lambda: list(bucket.list()),
    ]
    for number, each in enumerate(asked):
        with pytest.raises(AccessError) as caught:
            each()
        assert caught.value.__cause__ is None
        told = str(caught.value)
        assert "\n" not in told
        assert len(told) < 400
        assert bucket.place.bucket in told
        assert SECRET not in told
        if number == 0:
            assert re.search(says, told), told
    many = len(way.asked)
    with pytest.raises(AccessError):
        bucket.read("there")
    assert len(way.asked) - many <= QUICK.attempts


def test_a_bucket_that_vanishes_is_no_missing_object(bucket: Bucket, name: str) -> None:
    bucket.create("there", b"x")
    server().empty(name)
    assert bucket.find("there") is None
    server().client.delete_bucket(Bucket=name)
    asked = [
        lambda: bucket.find("there"),
        lambda: bucket.read("there"),
        lambda: list(bucket.list()),
        lambda: bucket.create("there", b"x"),
        lambda: bucket.replace("there", b"x"),
    ]
    for each in asked:
        with pytest.raises(AccessError, match=f"s3://{name}: there is no such bucket at http"):
            each()


def test_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch, way: Road) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = open_place(parse_place("s3://bucket/x"), QUICK)
    with pytest.raises(AccessError, match=r"http://127.0.0.1:9 does not answer \(no connection"):
        away.read("a")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://nowhere.invalid")
    away = open_place(parse_place("s3://bucket/x"), QUICK)
    with pytest.raises(AccessError, match=r"does not answer .*check the network and the address"):
        away.read("a")


def test_files_of_credentials_are_read(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: Road
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\nregion = eu-west-2\n")
    place = parse_place(f"s3://{name}/x")
    with pytest.raises(AccessError, match=r"\.aws/config: holds no credentials to use"):
        open_place(place, QUICK)
    (tmp_path / ".aws/credentials").write_text(
        f"[default]\naws_access_key_id = tests\naws_secret_access_key = {SECRET}\n"
    )
    opened = open_place(place, QUICK)
    assert opened.create("a", b"x")
    assert "eu-west-2" in opened.signed_url("a", 60)


def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://169.254.169.254:1")
    with pytest.raises(AccessError, match=r"az://c: no credentials: set .*AZURE_STORAGE_ACCOUNT"):
        open_place(parse_place("az://c/x"), QUICK)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://bucket", Place(scheme="s3", bucket="bucket")),
        ("S3://bucket/a/b/", Place(scheme="s3", bucket="bucket", prefix="a/b")),
        ("https://host:8080/a", Place(scheme="https", bucket="host:8080", prefix="a")),
        ("hf://datasets/o/n@main/x", Place(scheme="hf", bucket="datasets", prefix="o/n@main/x")),
        ("sftp://anna@host/x", Place(scheme="sftp", bucket="anna@host", prefix="x")),
    ],
)
def test_places(url: str, place: Place) -> None:
    assert parse_place(url) == place
    assert parse_place(place.url) == place


@pytest.mark.parametrize(
    "url",
    [
        f"s3://key:{SECRET}@bucket/x",
        f"s3://{SECRET}@bucket/x",
        f"https://host/x?token={SECRET}",
        f"https://anna:{SECRET}@host/x",
        f"sftp://anna:{SECRET}@host/x",
        f"az://container/x?sig={SECRET}",
        f"s3:///x?{SECRET}",
        f"bucket/x?{SECRET}",
        "s3://",
        "s3:/bucket/x",
    ],
)
def test_a_url_with_secrets_or_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(AccessError, match="write it ") as caught:
        parse_place(url)
    assert SECRET not in str(caught.value)
    assert SECRET not in shown_url(url)


def test_schemes_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    place = parse_place("s3://bucket/x")
    with pytest.raises(AccessError, match=r"xyz:// is unknown; there are s3://"):
        open_place(replace(place, scheme="xyz"))
    with pytest.raises(AccessError, match=r"dropbox:// needs another Python package: .*ropbox"):
        open_place(replace(place, scheme="dropbox"))
    for package, scheme in (("obstore", "s3"), ("fsspec", "hf")):
        monkeypatch.setitem(sys.modules, package, None)
        with pytest.raises(AccessError, match=rf"{package}, .* `pip install .*\[stores\]'`"):
            open_place(replace(place, scheme=scheme))
