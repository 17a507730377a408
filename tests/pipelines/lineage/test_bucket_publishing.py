"""Publishing into a folder of a bucket: a whole release, or nothing that counts as one."""

import hashlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataengine.commands.publish import EPILOG
from pipelines.lineage.forgetting import remove_photos
from pipelines.lineage.publishing import Published, PublishRequest, publish_release
from pipelines.releases.formats import Format
from pipelines.workspace.errors import PipelineError
from pipelines.workspace.workspace import Workspace
from tests.object_storage import SECRET, Fault, Road, server
from tests.object_storage import road as road_to_s3
from tests.publishing import export, files
from tests.publishing import template as template
from tests.publishing import workspace as workspace

CHECKSUMS = "checksums.txt"


@pytest.fixture
def road(s3_folder: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Road]:
    """The way to the bucket, which this process takes."""
    with road_to_s3() as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL", made.url)
        yield made


def publish(workspace: Workspace, url: str, release: str | None = None, **more: bool) -> Published:
    return publish_release(workspace, PublishRequest(repo=url, release=release, **more))


def held(url: str) -> dict[str, bytes]:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return {key.removeprefix(f"{prefix}/"): data for key, data in server().objects(bucket).items()}


def put(url: str, name: str, data: bytes) -> None:
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    server().client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=data)


def puts(road: Road) -> list[str]:
    return [path.rpartition("/some/folder/")[2] for method, path in road.asked if method == "PUT"]


def test_all_of_it_is_there_and_its_checksums_last(
    workspace: Workspace, s3_folder: str, road: Road
) -> None:
    found = publish(workspace, s3_folder)
    folder = workspace.paths.root / "releases/first"
    assert held(s3_folder) == files(folder)
    assert (found.url, found.created, found.changed, found.tagged) == (s3_folder, True, True, True)
    assert found.checksum == hashlib.sha256((folder / CHECKSUMS).read_bytes()).hexdigest()
    assert puts(road)[-1].startswith(CHECKSUMS)
    road.asked.clear()
    again = publish(workspace, s3_folder)
    assert (again.created, again.changed, again.tagged) == (False, False, False)
    assert puts(road) == []


@pytest.mark.parametrize("form", [Format.FOLDER, Format.COCO])
def test_of_any_format(workspace: Workspace, s3_folder: str, form: Format) -> None:
    folder = export(workspace, "other", form)
    would = publish(workspace, s3_folder, dry_run=True)
    assert held(s3_folder) == {}
    assert publish(workspace, s3_folder, "export-2").files == would.files
    assert held(s3_folder) == files(folder)


def test_what_was_cut_off_goes_on(workspace: Workspace, s3_folder: str, road: Road) -> None:
    road.always = Fault(method="PUT", part=CHECKSUMS, status=403, code="AccessDenied")
    with pytest.raises(PipelineError, match="do not allow to write there"):
        publish(workspace, s3_folder)
    there = held(s3_folder)
    assert there
    assert CHECKSUMS not in there, "nobody takes it for a release"
    road.always = None
    road.asked.clear()
    publish(workspace, s3_folder)
    assert [each.partition("?")[0] for each in puts(road)] == [CHECKSUMS], "none is sent twice"
    assert held(s3_folder) == files(workspace.paths.root / "releases/first")


def test_what_was_lost_there_is_sent_again(workspace: Workspace, s3_folder: str) -> None:
    publish(workspace, s3_folder)
    bucket, _, prefix = s3_folder.removeprefix("s3://").partition("/")
    server().client.delete_object(Bucket=bucket, Key=f"{prefix}/README.md")
    found = publish(workspace, s3_folder)
    assert (found.changed, found.tagged) == (True, False)
    assert held(s3_folder) == files(workspace.paths.root / "releases/first")


def test_nothing_is_overwritten(workspace: Workspace, s3_folder: str) -> None:
    publish(workspace, s3_folder)
    before = held(s3_folder)
    export(workspace, "other", Format.COCO)
    for release, says in ((None, "another release is there"), ("export-2", "another release")):
        with pytest.raises(PipelineError, match=says):
            publish(workspace, s3_folder, release)
    assert held(s3_folder) == before


@pytest.mark.parametrize(
    ("name", "says"), [("notes.txt", "is no file of this release"), ("README.md", "other bytes")]
)
def test_a_folder_with_something_else(
    workspace: Workspace, s3_folder: str, name: str, says: str
) -> None:
    put(s3_folder, name, b"mine")
    with pytest.raises(PipelineError, match=f"{s3_folder}/{name}: .*{says}"):
        publish(workspace, s3_folder)
    assert held(s3_folder) == {name: b"mine"}


def test_of_the_same_length_but_other_bytes(workspace: Workspace, s3_folder: str) -> None:
    """Only one that is not whole yet: what was whole is told by its checksums alone."""
    data = (workspace.paths.root / "releases/first/README.md").read_bytes()
    put(s3_folder, "README.md", data[::-1])
    with pytest.raises(PipelineError, match="other bytes"):
        publish(workspace, s3_folder)
    assert CHECKSUMS not in held(s3_folder)


def test_what_is_not_whole_or_not_allowed_is_not_sent(workspace: Workspace, s3_folder: str) -> None:
    with pytest.raises(PipelineError, match="set in the bucket; leave out --public"):
        publish(workspace, s3_folder, public=True)
    with pytest.raises(PipelineError, match="is no release of this workspace"):
        publish(workspace, s3_folder, "export-9")
    card = workspace.paths.root / "releases/first/README.md"
    kept = card.read_bytes()
    card.write_bytes(kept + b" ")
    with pytest.raises(PipelineError, match="is not what was released and is not published"):
        publish(workspace, s3_folder)
    card.write_bytes(kept)
    remove_photos(workspace, [1])
    with pytest.raises(PipelineError, match="forgotten since"):
        publish(workspace, s3_folder)
    with pytest.raises(PipelineError, match="nothing can be written"):
        publish(workspace, "https://example.org/portraits")
    assert held(s3_folder) == {}


def test_on_the_command_line(workspace: Workspace, tmp_path: Path, s3_folder: str) -> None:
    (line,) = re.findall(r"dataengine (publish s3:.*)", EPILOG)
    words = [s3_folder if each.startswith("s3:") else each for each in line.split()]
    command = [
        sys.executable,
        "-c",
        "from dataengine.cli import main; main()",
        "-w",
        str(workspace.paths.root),
    ]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"Published export-1 at {s3_folder}: " in done.stdout
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=True)
    assert done.stdout == f"export-1 is at {s3_folder} already: nothing to do\n"
    assert SECRET not in done.stdout + done.stderr
