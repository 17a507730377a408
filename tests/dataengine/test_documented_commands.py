"""Every command line of README, docs and `--help` runs: in the order of its page, on an engine that
has turned once, with files of the names that the page uses.

What this machine lacks is replaced in the line (a GPU, downloads, somebody's disk), what would take
long is cut short; a line that cannot run here at all names the test in which it does.
"""

import hashlib
import re
import shlex
import shutil
import tarfile
from contextlib import closing
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import pipelines
from sinet.bundled import BUNDLED
from sinet.convert import convert
from sinet.files.releases import CHECKSUMS_FILE
from tests.conftest import CHECKOUT
from tests.dataengine.conftest import Run
from tests.dataengine.training_data import make_checkpoint, make_data
from tests.turned import Turned, surroundings

ELSEWHERE = {
    "demo": "tests/dataengine/test_demo.py",
    "publish s3:": "tests/pipelines/lineage/test_bucket_publishing.py",
    "publish": "tests/pipelines/lineage/test_publishing_in_trouble.py",
    "review server": "tests/pipelines/review/test_real_server.py",
    "review clicks": "tests/pipelines/review/test_clicks_browser.py",
    "gallery": "tests/dataengine/test_gallery.py",
    "train --data ./cityscapes": "tests/dataengine/test_classes.py",
    "evaluate runs/scenes/last.safetensors --data ./cityscapes": "tests/dataengine/test_classes.py",
    "bench models": "tests/dataengine/test_bench.py",
    "convert sinet:bundled --out sinet.mlpackage": "tests/sinet/test_convert.py",
    "web ./page": "tests/pipelines/pages/test_web.py",
    "bench ablations": "tests/dataengine/test_ablations.py",
    "init portraits": "tests/dataengine/test_cli.py",
    "init team --database postgresql://anna@db.example.org/portraits --store": (
        "tests/dataengine/test_team.py"
    ),
    "init team": "tests/dataengine/test_postgres.py",
    "init shared": "tests/dataengine/test_object_store.py",
    "migrate-database postgresql:": "tests/dataengine/test_postgres.py",
    "relabel --network bundled --on": "tests/dataengine/test_cluster.py",
    "scores fit --on": "tests/dataengine/test_cluster.py",
    **dict.fromkeys(
        (
            "ingest s3:",
            "ingest hf:",
            "ingest https:",
            "ingest --retry-failed s3:",
            "ingest photos.zip",
            "ingest ./img2dataset",
            "ingest train-",
            "ingest urls.parquet",
            "ingest addresses.txt",
            "explain s3:",
            "forget s3:",
        ),
        "tests/dataengine/test_crawl_pages.py",
    ),
}
"""Lines that begin so run in these tests."""

SHORT = {
    "train": ["--config", "quick.toml", "--epochs", "1", "--steps", "1"],
    # Of few photos nothing stricter can be said.
    "certify": ["--max-error", "0.4", "--confidence", "0.6"],
    "review push": ["--limit", "3"],  # of few masks some are to be left that nobody is asked about
    "evaluate": ["--limit", "24"],
    "forget r": ["--yes"],  # what a person would answer
}
"""What is added to a command to cut it short: of an option that comes twice the last one counts."""


def pages() -> dict[str, list[str]]:
    """What is typed after `dataengine`, by where it is written."""
    found = {}
    markdown = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
    for file in (*markdown, *sorted((CHECKOUT / "examples").rglob("*.md"))):
        blocks = re.findall(
            r"```(?:sh|bash)\n(.*?)```", file.read_text(encoding="utf-8"), re.DOTALL
        )
        found[file] = "\n".join(blocks)
    for file in sorted((CHECKOUT / "dataengine/commands").rglob("*.py")):
        epilog = re.search(r'EPILOG = r?"""(.*?)"""', file.read_text(encoding="utf-8"), re.DOTALL)
        found[file] = epilog[1] if epilog else ""
    return {
        str(file.relative_to(CHECKOUT)): lines
        for file, text in found.items()
        if (lines := re.findall(r"\bdataengine (.*)", text.replace("\\\n", " ")))
    }


PAGES = pages()


def test_the_lines_are_found() -> None:
    assert sum(map(len, PAGES.values())) > 150
    for begin, where in ELSEWHERE.items():
        assert (CHECKOUT / where).is_file()
        typed = (re.sub(r"^-w \S+ ", "", line) for lines in PAGES.values() for line in lines)
        assert any(line.startswith(begin) for line in typed)


@pytest.fixture(scope="session")
def prepared(
    turned: Turned, tmp_path_factory: pytest.TempPathFactory, shared: Path, deeplab: Path
) -> Path:
    """A workspace to stand in, and beside its own files those that the pages name."""
    root = tmp_path_factory.mktemp("prepared") / "portraits"
    shutil.copytree(turned.folder / "portraits", root)
    for name in ("raw", "more"):
        shutil.copytree(turned.folder / name, root / name)
    shutil.copy(turned.folder / "quick.toml", root / "quick.toml")
    shutil.copy(turned.folder / "quick.toml", root / "mine.toml")
    make_files(root)
    exported = ("FILE", "deeplabv3.onnx", "mediapipe_selfie.onnx", "runs/teacher/teacher.onnx")
    for name in exported:
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(deeplab)
    (root / "SINet.pth").symlink_to(shared / "weights/sinet_official.pth")
    for name, network in (
        ("sinet", "sinet"), ("first", "sinet"), ("second", "sinet"), ("cgnet", "cgnet"),
    ):  # fmt: skip
        (root / "runs" / name).mkdir(parents=True)
        make_checkpoint(root / f"runs/{name}/last.safetensors", network=network)
    shutil.copy(root / "runs/sinet/last.safetensors", root / "mine.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        surroundings(patch, root, turned.server)
        with closing(pipelines.open_workspace(root)) as workspace:
            pipelines.ingest_photos(workspace, pipelines.IngestRequest(paths=[root / "raw"]))
    return root


@pytest.fixture(scope="session")
def deeplab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small exported network for the pages' large one."""
    out = tmp_path_factory.mktemp("deeplab") / "deeplabv3.onnx"
    convert(BUNDLED["sinet:bundled"], out)
    return out


def make_files(root: Path) -> None:
    """Photos, masks, lists, archives and data sets."""
    names = ("a", "astronaut", "IMG_0412", "another_person")
    for number, name in enumerate(names):
        noise(900 + number).save(root / f"raw/{name}.jpg")
    for number in range(80):
        noise(1000 + number).save(root / f"raw/undecided-{number}.jpg")
    things = ("cat", "cup", "table", *(f"thing-{number}" for number in range(9)))
    for number, name in enumerate(things):  # the fakes see nobody in black
        Image.new("RGB", (150, 200), (0, 0, 2 * number)).save(root / f"raw/{name}.png")
        (root / f"raw/{name}.png").rename(root / f"raw/{name}.jpg")
    (root / "nobody.txt").write_text("raw/table.jpg\n")
    (root / "photos").mkdir()
    (root / "photos/alpha").mkdir()
    for folder in ("masks/alpha", "hand_masks", "SegmentationClass"):
        (root / folder).mkdir(parents=True)
    person = np.zeros((200, 150), np.uint8)
    person[40:, 30:120] = 255
    for number, name in enumerate(("anna", "bert")):
        noise(950 + number).save(root / f"photos/{name}.jpg")
        for path in (
            f"hand_masks/{name}.png", f"masks/{name}_fg.png", f"masks/alpha/{name}.jpg.png",
            f"photos/{name}_mask.png",
        ):  # fmt: skip
            Image.fromarray(person).save(root / path)
        classes = Image.fromarray(person // 17, "P")
        classes.putpalette([value for index in range(256) for value in (index, 0, 0)])
        classes.save(root / f"SegmentationClass/{name}.png")
    (root / "photos/alpha").rmdir()
    noise(970).save(root / "portrait.jpg")
    for name in ("shard", "more"):
        with tarfile.open(root / f"{name}.tar", "w") as tar:
            tar.add(root / "portrait.jpg", f"{name}.jpg")
    (root / "list.txt").write_text("photos/anna.jpg\n")
    (root / "manifest.csv").write_text("file,url,licence\nastronaut.jpg,https://e.org/a,CC0-1.0\n")
    video = cv2.VideoWriter(str(root / "talk.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), 5, (64, 64))
    for _ in range(3):
        video.write(np.zeros((64, 64, 3), np.uint8))
    video.release()
    of_crawl = ("trusted", "wide", "nobody", "held_back", "reviewed", "wide_reviewed")
    collected = (f"collected/{name}" for name in of_crawl)
    for name in ("eg1800", "mine", "dataset", "cutouts", "voc", "portraits", *collected):
        make_data(root / name, 12)
    shutil.copytree(root / "eg1800", root / "mattes")
    (root / "mattes/masks").rename(root / "mattes/alphas")
    (root / "glasses.csv").write_text("file,glasses\np08.png,1\np09.png,-1\n")
    for mask in (root / "dataset/masks").iterdir():
        Image.open(mask).convert("L").point(lambda value: 255 - value).save(mask)
    for mask in (root / "cutouts/masks").iterdir():
        alpha = Image.open(mask).convert("L")
        Image.merge("RGBA", [alpha.point(lambda _: 90)] * 3 + [alpha]).save(mask)
    for mask in (root / "voc/masks").iterdir():
        Image.open(mask).convert("L").point(lambda value: 15 if value > 127 else 0).save(mask)


def _checksum(root: Path) -> str:
    listed = (root / "releases/round-1" / CHECKSUMS_FILE).read_bytes()
    return hashlib.sha256(listed).hexdigest()


def noise(seed: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (200, 150, 3), dtype=np.uint8))


def here(line: str, root: Path, shared: Path) -> list[str]:
    """The arguments of a line, with what is here for what is not."""
    line = line.split(" | ")[0]
    item = next((root / "releases/round-1/images").iterdir()).stem
    for pattern, replacement in (
        (r"^-w \S+ ", ""),
        (r"\.\./shared/", f"{shared}/"),
        (r"/mnt/copy/round-3", "releases/round-1"),
        (r"/mnt/backup/", "../"),
        (r"releases/round-3|(?<=\s)round-3(?=/|$|\s)", "releases/round-1"),
        (r"(?<=--round )3(?=.*--format)", "1"),
        (r"(?<=relabel --round )2", "1"),
        (r"(?<=diff round-1 )round-2|(?<=diff 1 )2", "export-1"),
        (r"011901a3f908-0|1f0c9a", item),
        (r"05679d1e55b0122a-0", min((root / "dataset/images").iterdir()).stem),
        (r":120,200", ":120,100"),
        (r"3f0c9a…", _checksum(root)),
        (r"\s--device cuda|\s--pretrained|\s--watch 30|\s--open", ""),
        (r"\bEG1800\b", "eg1800"),
        (r"examples/", f"{CHECKOUT}/examples/"),
        (r"\./photos --masks \./photos", "./photos ./photos --masks ./photos"),
    ):
        line = re.sub(pattern, replacement, line)
    return shlex.split(line, comments=True)


@pytest.mark.parametrize("page", PAGES)
def test_every_line_of_a_page_runs(
    page: str,
    run: Run,
    prepared: Path,
    turned: Turned,
    shared: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = Path(shutil.copytree(prepared, tmp_path / "portraits", symlinks=True))
    surroundings(monkeypatch, root, turned.server)
    for line in PAGES[page]:
        arguments = here(line, root, shared)
        typed = " ".join(arguments)
        if any(typed.startswith(begin) for begin in ELSEWHERE):
            continue
        make_room(root, arguments, run)
        short = [more for begin, more in SHORT.items() if typed.startswith(begin)]
        answer = run(*arguments, *chain.from_iterable(short))
        assert answer.code == 0, f"dataengine {line}\n{answer.out}\n{answer.err}"


def make_room(root: Path, arguments: list[str], run: Run) -> None:
    """Take away what an example makes anew, and make what it takes for granted."""
    out = arguments[arguments.index("--out") + 1] if "--out" in arguments else None
    match arguments[0]:
        case "train" if "--data" in arguments and "--resume" not in arguments:
            model = arguments[arguments.index("--model") + 1] if "--model" in arguments else "sinet"
            shutil.rmtree(root / (out or f"runs/{model}"), ignore_errors=True)
        case "export":
            shutil.rmtree(root / str(out), ignore_errors=True)
        case "restore":
            shutil.rmtree(root / arguments[2], ignore_errors=True)
            run("backup", arguments[1])
        case "forget" if "--lift" in arguments:
            run("forget", arguments[-1], "--yes")
