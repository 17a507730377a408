"""Every line of docs/crawls.md, and of help, that is about what lies elsewhere runs.

One bucket stands for those of all providers and for the hub, a server on the loopback interface
for the web.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FAST_INGEST
from tests.crawls import photo, shard, table_of, tar_of, web_server, write, zip_of
from tests.dataengine.conftest import Run
from tests.dataengine.test_documented_commands import PAGES
from tests.object_storage import server

_IS_ELSEWHERE = re.compile(r"://|urls\.parquet|addresses\.txt")
LINES = [
    *PAGES["docs/crawls.md"],
    # What a cluster does is run by test_cluster.py.
    *(
        line
        for line in PAGES["dataengine/commands/ingest.py"]
        if _IS_ELSEWHERE.search(line) and "--on" not in line
    ),
]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """A bucket and a server that have what the lines name."""
    images = [{"image": {"bytes": photo(number), "path": None}} for number in (30, 31)]
    objects = {
        "2024/a.jpg": photo(1), "more/b.jpg": photo(2), "tables/train.parquet": table_of(images),
        "NAME/data/c.jpg": photo(3),
        **{f"shards/{name}": data for name, data in shard("00000", range(1, 3)).items()},
        **{f"img2dataset/{name}": data for name, data in shard("00000", range(5, 7)).items()},
    }  # fmt: skip
    www = write(
        tmp_path / "www",
        {
            "photos.tar": tar_of({"t.jpg": photo(10)}),
            "photos.zip": zip_of({"z.jpg": photo(11)}),
            "a.jpg": photo(12),
            "list.txt": b"a.jpg\n",
        },
    )
    for name, value in {**FAST_INGEST, **server().environment()}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATAENGINE_CRAWLS__PRIVATE_ADDRESSES", "true")
    with server().bucket() as bucket, web_server(www) as (web, _):
        for key, data in objects.items():
            server().client.put_object(Bucket=bucket, Key=key, Body=data)
        here = {
            "photos.zip": zip_of({"h.jpg": photo(20)}),
            "train-00000-of-00001.parquet": table_of(images),
            "urls.parquet": table_of([{"url": f"{web}/a.jpg"}]),
            "addresses.txt": f"{web}/a.jpg\n".encode(),
            **{f"img2dataset/{name}": data for name, data in shard("00000", range(5, 7)).items()},
        }
        write(tmp_path / "here", here)
        yield bucket, web


def test_every_line_runs(run: Run, elsewhere: tuple[str, str]) -> None:
    bucket, web = elsewhere
    assert len(LINES) > 15
    known = "explain", "forget"
    for line in sorted(LINES, key=lambda each: each.startswith(known)):
        there = re.sub(r"(s3|gs|az)://crawls/|hf://datasets/OWNER/", f"s3://{bucket}/", line)
        arguments = shlex.split(there.replace("https://example.org", web))
        answer = run(*arguments)
        assert answer.code == 0, f"dataengine {line}\n{answer.err}"
        assert "failed" not in answer.out.partition("candidate")[0]
