"""A crawl and the blobs of a workspace in Microsoft's object storage, by its own emulator."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.azure import KEY, server
from tests.conftest import FAST_INGEST
from tests.crawls import photo, tar_of
from tests.dataengine.conftest import Run

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(300)]
PHOTOS = {f"sub/a b#{number}.jpg": photo(number) for number in range(4)}
MASKS = (
    "SELECT image.sha256, mask.blob, mask.verdict FROM image JOIN portrait ON "
    "portrait.image_id = image.id JOIN mask ON mask.portrait_id = portrait.id ORDER BY 1, 2"
)


def masks(workspace: Path) -> list[Any]:
    with closing(sqlite3.connect(workspace / "dataengine.db")) as database:
        return database.execute(MASKS).fetchall()


def test_a_workspace_of_azure_ends_as_one_of_folders(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**FAST_INGEST, **server().environment()}.items():
        monkeypatch.setenv(name, value)
    container = server().client.get_container_client(server().container())
    for name, data in {**PHOTOS, "packed.tar": tar_of({"b/9.jpg": photo(9)})}.items():
        container.upload_blob(f"crawl/{name}", data)
        Path("raw", name).parent.mkdir(parents=True, exist_ok=True)
        Path("raw", name).write_bytes(data)
    assert run("-w", "plain", "ingest", "raw").code == 0
    at = f"az://{container.container_name}"
    assert run("init", "ws", "--store", f"{at}/store").code == 0
    taken = run("-w", "ws", "ingest", f"{at}/crawl", "--json")
    assert taken.code == 0, taken.err
    assert json.loads(taken.out)["run"]["new"] == 5
    assert masks(Path("ws")) == masks(Path("plain"))
    assert len(masks(Path("ws"))) == 5
    again = run("-w", "ws", "ingest", f"{at}/crawl", "--json")
    assert json.loads(again.out)["run"]["new"] == 0
    for command in (["verify"], ["gc"], ["verify"]):
        answer = run("-w", "ws", *command)
        assert answer.code == 0, answer.err
    assert run("-w", "ws", "forget", f"{at}/crawl/sub/a b#0.jpg", "--yes").code == 0
    left = {each.name for each in container.list_blobs("store/")}
    assert all(blob[1][:2] in str(left) for blob in masks(Path("ws")))
    assert KEY.encode() not in Path("ws/dataengine.db").read_bytes()
    refused = run("-w", "ws", "ingest", "az://no-such-container-here/x")
    assert refused.code == 1
    assert "there is no such bucket" in refused.err
