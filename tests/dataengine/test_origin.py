"""Where photos came from: read at ingest, judged by `[policy]`, named in every release."""

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from tests.conftest import FAST_INGEST
from tests.dataengine.conftest import Run

ROWS = {
    "cc0": {"url": "https://x.org/cc0.png", "licence": "CC0-1.0", "author": "=Zoë"},
    "by": {"url": "https://x.org/by.png", "license": "CC BY 4.0"},
    "nc": {"url": "https://x.org/nc.png", "licence": "CC-BY-NC-4.0"},
    "noai": {"url": "https://x.org/noai.png", "licence": "CC0-1.0", "noai": 1},
    "nothing": None,
}
BLANK = dict.fromkeys(("url", "licence", "license", "author", "noai"))


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in FAST_INGEST.items():
        monkeypatch.setenv(name, value)


def photo(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (400, 300, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Five photos, and a mask by hand for each, so that all of them may be released."""
    mask = np.zeros((400, 300), np.uint8)
    mask[90:, 60:240] = 255
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    for seed, name in enumerate(ROWS):
        (tmp_path / "photos" / f"{name}.png").write_bytes(photo(seed))
        Image.fromarray(mask).save(tmp_path / "masks" / f"{name}.png")
    return tmp_path / "photos"


def said() -> dict[str, dict[str, Any]]:
    return {name: row for name, row in ROWS.items() if row}


def as_csv(folder: Path) -> Path:
    file = folder.parent / "table.csv"
    columns = ["file", "url", "licence", "license", "author", "noai"]
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, columns)
        writer.writeheader()
        writer.writerows({"file": f"{name}.png", **row} for name, row in said().items())
    return file


def as_parquet(folder: Path) -> Path:
    rows = [{**BLANK, "key": name, "jpg": b"x", **row} for name, row in said().items()]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), folder.parent / "table.parquet")
    return folder.parent / "table.parquet"


def as_json_lines(folder: Path) -> Path:
    lines = [json.dumps({"path": f"photos/{name}.png", **row}) for name, row in said().items()]
    (folder.parent / "table.jsonl").write_text("\n".join(lines))
    return folder.parent / "table.jsonl"


def as_img2dataset(folder: Path) -> None:
    for name, row in said().items():
        (folder / f"{name}.json").write_text(json.dumps({"key": name, "status": "success", **row}))


def as_shard_table(folder: Path) -> None:
    rows = [{**BLANK, "key": name, **row} for name, row in said().items()]
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), folder.parent / "photos.parquet")
    stats = {"count": 5, "start_time": 1714557000.5, "end_time": 1714557600.0}
    (folder.parent / "photos_stats.json").write_text(json.dumps(stats))


def released(folder: Path) -> dict[str | None, dict[str, Any] | None]:
    """Origins in a release by the address of the photo."""
    lines = map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())
    origins = [line["origin"] for line in lines]
    return {origin and origin["url"]: origin for origin in origins}


TABLES = [as_csv, as_parquet, as_json_lines]
BESIDE = [as_img2dataset, as_shard_table]


@pytest.mark.parametrize("write", [*TABLES, *BESIDE])
def test_origins_reach_the_release(
    run: Run, photos: Path, tmp_path: Path, write: Callable[[Path], Path | None]
) -> None:
    table = write(photos)
    option = ["--origin", table] if table else []
    answer = run("ingest", photos, "--masks", tmp_path / "masks", *option, "--json")
    assert answer.code == 0, answer.err
    summary = json.loads(answer.out)
    if table:
        assert summary["run"]["origins"] == {"matched": 4, "unmatched": 1, "unused": 0}
    assert summary["status"]["reasons"]["policy"] == 1
    assert run("export", "--out", tmp_path / "out").code == 0
    found = released(tmp_path / "out")
    assert set(found) == {
        "https://x.org/cc0.png",
        "https://x.org/by.png",
        "https://x.org/nc.png",
    } | ({None})
    by = found["https://x.org/by.png"]
    assert by is not None
    assert (by["licence"], by["licence_stated"]) == ("CC-BY-4.0", "CC BY 4.0")
    if write is as_shard_table:
        assert by["downloaded_at"] == "2024-05-01T10:00:00+00:00"


def test_members_of_a_tar_have_their_json_beside_them(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    as_img2dataset(photos)
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        for file in sorted(photos.iterdir()):
            tar.add(file, file.name)
    assert run("ingest", tmp_path / "00000.tar").code == 0
    explained = json.loads(run("explain", photos / "by.png", "--json").out)
    assert explained["photo"]["origin"]["url"] == "https://x.org/by.png"
    assert explained["photo"]["origin"]["evidence"] == ["JSON beside it"]


@pytest.fixture
def ingested_photos(run: Run, photos: Path, tmp_path: Path) -> Path:
    arguments = ["--masks", tmp_path / "masks", "--origin", as_csv(photos)]
    assert run("ingest", photos, *arguments).code == 0
    return photos


def settings(text: str) -> None:
    Path("dataengine.toml").write_text(text)


@pytest.mark.parametrize(
    ("policy", "urls"),
    [
        ("", {"cc0", "by", "nc", None}),
        ("refuse_opt_outs = false", {"cc0", "by", "nc", "noai", None}),
        ('licences = ["CC0-1.0"]', {"cc0", None}),
        ('licences = ["cc-by-4.0", "CC0*"]\nallow_unknown = false', {"cc0", "by"}),
        ("allow_unknown = false", {"cc0", "by", "nc"}),
    ],
)
def test_the_policy_of_today_is_what_counts(
    run: Run, ingested_photos: Path, tmp_path: Path, policy: str, urls: set[str | None]
) -> None:
    settings(f"[policy]\n{policy}\n")
    answer = run("export", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    wanted = {url and f"https://x.org/{url}.png" for url in urls}
    assert set(released(tmp_path / "out")) == wanted
    listed = json.loads(run("list", "--json").out)
    refused = [line for line in listed if '"policy"' in json.dumps(line)]
    assert len(refused) == len(ROWS) - len(urls)
    assert all(line["verdict"] == "rejected" for line in refused)


def test_a_policy_that_refuses_everything_says_so(
    run: Run, ingested_photos: Path, tmp_path: Path
) -> None:
    settings('[policy]\nlicences = ["MIT"]\nallow_unknown = false\n')
    answer = run("export", "--out", tmp_path / "out")
    assert answer.code == 1
    assert "the policy refuses all 5 portraits" in answer.err


def test_a_frozen_round_is_written_again_without_what_is_refused_now(
    run: Run, ingested_photos: Path, tmp_path: Path
) -> None:
    from pipelines.portraits.standing import MinSource
    from pipelines.releases.exporting import freeze_round
    from pipelines.workspace.settings_sources import load_settings
    from pipelines.workspace.workspace import Workspace

    workspace = Workspace(Path.cwd(), load_settings(Path.cwd()))
    freeze_round(workspace, 1, MinSource.ANY, lambda _: None)
    workspace.close()
    settings('[policy]\nlicences = ["CC0-1.0"]\nallow_unknown = false\n')
    answer = run("export", "--out", tmp_path / "out", "--round", "1")
    assert answer.code == 0, answer.err
    assert set(released(tmp_path / "out")) == {"https://x.org/cc0.png"}
    assert "3 refused by the policy" in answer.out


def test_a_release_names_its_sources(run: Run, ingested_photos: Path, tmp_path: Path) -> None:
    assert run("export", "--out", tmp_path / "out").code == 0
    with (tmp_path / "out/ATTRIBUTION.csv").open(newline="") as file:
        rows = {row["url"]: row for row in csv.DictReader(file)}
    assert set(rows) == {f"https://x.org/{name}.png" for name in ("cc0", "by", "nc")}
    # What a spreadsheet would run as a formula is text.
    assert rows["https://x.org/cc0.png"]["author"] == "'=Zoë"
    card = (tmp_path / "out/card.md").read_text()
    assert "Of 1 of 4 portraits nothing says where they come from" in card
    assert "1 whose photo the workspace's policy refuses" in card
    assert run("verify", tmp_path / "out").code == 0


def test_explain_shows_and_forget_removes(run: Run, ingested_photos: Path) -> None:
    shown = " ".join(run("explain", ingested_photos / "noai.png").out.split())
    assert "https://x.org/noai.png, CC0-1.0, opted out: noai" in shown
    assert "read in table.csv" in shown
    assert "nothing says where it came from" in run("explain", ingested_photos / "nothing.png").out
    assert run("forget", ingested_photos / "noai.png", "--yes").code == 0
    assert "x.org/noai" not in "".join(_dump())


def _dump() -> list[str]:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect("dataengine.db")) as database:
        return list(database.iterdump())


def test_a_table_may_come_later_and_counts_more(run: Run, photos: Path) -> None:
    as_img2dataset(photos)
    assert run("ingest", photos).code == 0
    (photos.parent / "later.csv").write_text("name;url\nby;https://y.org/by.png\n")
    assert run("ingest", photos, "--origin", photos.parent / "later.csv").code == 0
    origin = json.loads(run("explain", photos / "by.png", "--json").out)["photo"]["origin"]
    assert (origin["url"], origin["licence"]) == ("https://y.org/by.png", "CC-BY-4.0")
    assert origin["evidence"] == ["later.csv", "JSON beside it"]


def test_a_row_of_two_files_is_of_neither(run: Run, photos: Path) -> None:
    for folder in ("a", "b"):
        (photos / folder).mkdir()
        (photos / folder / "1.png").write_bytes(photo(ord(folder)))
    table = photos.parent / "table.csv"
    table.write_text("file,url\n1.png,https://x.org/1\nb/1.png,https://x.org/b1\ngone.png,u\n")
    counts = json.loads(run("ingest", photos, "--origin", table, "--json").out)["run"]["origins"]
    assert counts == {"matched": 1, "unmatched": len(ROWS) + 1, "unused": 2}
    explained = json.loads(run("explain", photos / "a/1.png", "--json").out)
    assert explained["photo"]["origin"] is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "picture,url\na.jpg,u\n", "no column says which file"),
        ("t.csv", "file,url\na.jpg,u\na.jpg,v\n", "another row says otherwise of 'a.jpg'"),
        ("t.csv", "file,width\na.jpg,3\n", "no row says where a file came from"),
        ("t.jsonl", '{"file": "a", "url": "u"}\n[1]\n', "cannot be read as a table"),
        ("t.parquet", "nonsense", "cannot be read as a table"),
        ("t.xlsx", "", "no table of origins"),
        ("gone.csv", None, "cannot be read as a table"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(
    run: Run, photos: Path, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        (photos.parent / name).write_text(text)
    answer = run("ingest", photos, "--origin", photos.parent / name)
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert not Path("dataengine.db").exists()


@pytest.mark.parametrize("form", ["coco", "webdataset", "parquet"])
def test_every_format_carries_it(
    run: Run, ingested_photos: Path, tmp_path: Path, form: str
) -> None:
    out = tmp_path / form
    assert run("export", "--out", out, "--format", form).code == 0
    found: set[tuple[str | None, str | None]] = set()
    if form == "coco":
        for file in (out / "annotations").iterdir():
            coco = json.loads(file.read_text())
            names = {each["id"]: each["name"] for each in coco["licenses"]}
            found |= {(each["coco_url"] or None, names[each["license"]]) for each in coco["images"]}
    elif form == "parquet":
        for file in out.glob("*.parquet"):
            texts = pyarrow.parquet.read_table(file)["origin"].to_pylist()
            origins = [json.loads(text) if text else {} for text in texts]
            found |= {(each.get("url"), each.get("licence")) for each in origins}
    else:
        for file in out.glob("*.tar"):
            with tarfile.open(file) as tar:
                for member in tar:
                    if member.name.endswith(".json"):
                        text = tar.extractfile(member)
                        said = json.load(text).get("origin") if text else None
                        origin = json.loads(said) if said else None
                        found.add((origin["url"], origin["licence"]) if origin else (None, None))
    assert ("https://x.org/by.png", "CC-BY-4.0") in found
    assert ("https://x.org/cc0.png", "CC0-1.0") in found
    assert len(found) == 4
    shutil.rmtree(out)
