"""What addresses are taken for, and that no secret in one gets any further."""

import pytest

from pipelines.workspace.addresses import (
    address_text,
    address_uri,
    holds_secret,
    resolved,
    suffix_of,
)
from pipelines.workspace.errors import ScanError
from pipelines.workspace.uris import named_uris, split_member, uri_path, with_member


@pytest.mark.parametrize(
    ("typed", "uri"),
    [
        ("s3://b/a b#1%.jpg", "s3://b/a%20b%231%25.jpg"),
        ("S3://b/Ü.jpg", "s3://b/%C3%9C.jpg"),
        ("gcs://b/x/", "gs://b/x/"),
        ("s3://b", "s3://b/"),
        ("hf://datasets/o/n@main/a.jpg", "hf://datasets/o/n%40main/a.jpg"),
        ("HTTPS://Example.ORG:443/a b.jpg?w=2#top", "https://example.org/a%20b.jpg?w=2"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("https://bücher.example/ä%20.jpg", "https://xn--bcher-kva.example/%C3%A4%20.jpg"),
    ],
)
def test_an_address_has_one_uri(typed: str, uri: str) -> None:
    assert address_uri(typed) == uri
    assert address_uri(address_text(uri)) == uri


SECRET = "hunter2abc"


@pytest.mark.parametrize(
    "typed",
    [
        f"https://e.org/a.jpg?X-Amz-Signature={SECRET}",
        f"https://e.org/a.jpg?w=2&sig={SECRET}",
        f"https://e.org/a.jpg?access_token={SECRET}",
        f"https://e.org/a.jpg?Key-Pair-Id={SECRET}",
        f"https://ann:{SECRET}@e.org/a.jpg",
        f"https://{SECRET}@e.org/a.jpg",
        f"s3://AKIA:{SECRET}@bucket/a.jpg",
        f"gs://{SECRET}@bucket/a.jpg",
    ],
)
def test_what_lets_somebody_in_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(ScanError) as caught:
        address_uri(typed)
    assert SECRET not in str(caught.value)
    assert "nothing of it is kept" in str(caught.value)


@pytest.mark.parametrize("typed", ["ftp://h/a", "s3://", "hf://datasets", "https:///a", "gs:///x"])
def test_what_names_nothing_is_refused(typed: str) -> None:
    with pytest.raises(ScanError):
        address_uri(typed)


def test_harmless_questions_are_kept() -> None:
    assert not holds_secret("https://e.org/a.jpg?w=640&fit=crop&design=2")
    assert suffix_of(address_uri("https://e.org/x.TAR?version=2")) == ".tar"


def test_names_in_a_list_stay_where_the_list_is() -> None:
    base = address_uri("s3://b/lists/all.txt")
    assert resolved(base, "a b.jpg") == "s3://b/lists/a%20b.jpg"
    assert resolved(base, "../x/1.jpg") == "s3://b/x/1.jpg"
    assert resolved(base, "/top.jpg") == "s3://b/top.jpg"
    assert resolved(base, "https://e.org/1.jpg") == "https://e.org/1.jpg"
    with pytest.raises(ScanError, match="leads out of"):
        resolved(base, "../../../etc/passwd")


def test_members_of_what_lies_elsewhere() -> None:
    uri = with_member(address_uri("s3://b/s #1.tar"), "a/b#c.jpg")
    assert uri == "s3://b/s%20%231.tar#a/b%23c.jpg"
    assert split_member(uri) == ("s3://b/s%20%231.tar", "a/b#c.jpg")
    assert uri_path(uri) == "s3://b/s #1.tar#a/b#c.jpg"
    assert with_member(address_uri("s3://b/s.tar"), "a.jpg") in named_uris("s3://b/s.tar#a.jpg")
    assert address_uri("s3://b/s.tar#a.jpg") in named_uris("s3://b/s.tar#a.jpg")
