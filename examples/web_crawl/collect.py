"""What the engine makes of a web crawl: data sets that differ only in whether masks were checked.

    python -m examples.web_crawl.collect --shared ../shared --out collected

A teacher, the mean of two networks, labels EG1800's training photos and the crawl. The hand masks
of EG1800 answer every question about its own photos, and the combined score is fitted on that; by
it `certify` chooses what to accept of the crawl, and an audit, drawn from the crawl, is judged by
eye: `judged.csv` beside this file holds the answers. Where answers are missing, `audit/` gets
pictures of what is to be judged and the lines to fill in, and the same command goes on afterwards.

Written are, each with images/, masks/ and train.txt, as `train --data` reads them:

    raw/        every portrait of the crawl, its mask the teacher's as it is, cut at one half
    unchecked/  the same portraits with the masks that the engine makes of that
    trusted/    the certified ones of these
    held_back/  certified ones of the split `val`, to choose recipes on

All but the last take from the crawl what falls to the engine's split `train`; near-duplicates stay
together.
"""

import argparse
import csv
import shutil
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from db import (
    Decision,
    Honeypot,
    Mask,
    Portrait,
    Review,
    ReviewRequest,
    Split,
    Verdict,
    reader,
)
from examples.eg1800_rounds import Reviewer, dataengine
from pipelines.certify import attempts as ledger
from pipelines.label_studio.fake import FakeGateway
from pipelines.networks import load_network, parse_network
from pipelines.pictures.stored_masks import read_mask
from pipelines.portraits.listing import PortraitLine, portrait_lines
from pipelines.portraits.splits import places
from pipelines.review.choosing import Order
from pipelines.review.pull import pull_answers
from pipelines.review.push import PushRequest, push_questions
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace
from sinet.pictures.decode import decode, decode_grey
from sinet.pictures.threshold import is_person

ANSWERS = Path(__file__).with_name("judged.csv")
BAD_BELOW = 0.90
TERMS = ("--max-error", "0.03", "--confidence", "0.95", "--bad-below", "0.9", "--seed", "1")
_COLUMN_NAMES = ("file", "x0", "y0", "x1", "y1", "decision")
_SHEET, _COLUMNS, _TILE = 24, 6, (270, 360)

Key = tuple[str, tuple[int, int, int, int]]


@dataclass(frozen=True)
class Plan:
    """What is worked on.

    Attributes:
        shared: folder of the reference data.
        out: folder of everything that is made.
        limit: only so many photos of EG1800 and of the crawl; None: all.
    """

    shared: Path
    out: Path
    limit: int | None = None

    @property
    def root(self) -> Path:
        """The workspace."""
        return self.out / "workspace"

    @property
    def crawl(self) -> Path:
        """The crawl's photos."""
        return self.shared / "data/crawl/web/images"

    @property
    def manifest(self) -> str:
        """Where the crawl's photos came from."""
        return str(self.shared / "data/crawl/web/manifest.csv")

    @property
    def teacher(self) -> str:
        """The mean of two networks."""
        weights = self.shared / "weights"
        names = ("deeplabv3_mobilenetv2_voc.onnx", "mediapipe_selfie.onnx")
        return ",".join(f"onnx:{weights / name}" for name in names)

    def photos(self) -> list[Path]:
        """EG1800's photos to train on, the uncropped originals where there are any."""
        names = (self.shared / "data/eg1800/train.txt").read_text().split()[: self.limit]
        originals = {path.stem: path for path in (self.shared / "data/crawl/flickr").glob("*.jpg")}
        folder = self.shared / "data/eg1800/images"
        return [originals.get(name, folder / f"{name}.jpg") for name in names]

    def of_crawl(self, line: PortraitLine) -> bool:
        """Whether a portrait is of the crawl, not of EG1800."""
        return Path(str(line.photo_path)).is_relative_to(self.crawl)

    def command(self, *arguments: str) -> None:
        """Run a command as a user would, and show what it says."""
        print(f"$ dataengine {' '.join(arguments)}", flush=True)
        print(dataengine(self.root, *arguments), flush=True)


class Auditor(Reviewer):
    """Answers about EG1800's photos by their hand masks, about the crawl's by `judged.csv`."""

    def __init__(self, plan: Plan) -> None:
        """Read the answers."""
        super().__init__(plan.shared)
        # In memory, so that each is another server.
        began = datetime.now(UTC)
        self.server = FakeGateway(f"http://{began:%Y%m%d%H%M%S%f}.invalid", began)
        self._plan = plan
        self._answers: dict[Key, str] = {}
        if ANSWERS.exists():
            with ANSWERS.open(newline="") as file:
                for row in csv.DictReader(file):
                    box = (int(row["x0"]), int(row["y0"]), int(row["x1"]), int(row["y1"]))
                    self._answers[row["file"], box] = row["decision"]

    def knows(self, line: PortraitLine) -> bool:
        """Whether it can answer about a portrait of the crawl."""
        return key_of(line) in self._answers

    def ask(
        self,
        workspace: Workspace,
        verdicts: Collection[Verdict] = (Verdict.CANDIDATE, Verdict.REVIEW),
    ) -> None:
        """Push questions in random order, and answer those that can be answered."""
        request = PushRequest(verdicts=verdicts, order=Order.RANDOM, project="web crawl", batch=200)
        push_questions(workspace, request, gateway=self.server)
        shown = self._shown(workspace)
        for task in list(self.server.tasks.values()):
            line, blob, is_spoilt = shown[task.key]
            if self._plan.of_crawl(line):
                # Of a spoilt mask nobody has written anything.
                decision = None if is_spoilt else self._answers.get(key_of(line))
            else:
                mask = read_mask(workspace.store, blob)
                iou = self.iou(mask, line.crop_box, Path(str(line.photo_path)))
                decision = "reject" if iou < BAD_BELOW else "accept"
            if decision is not None:
                self.server.answer(task.id, decision)
        pull_answers(workspace, gateway=self.server)

    def _shown(self, workspace: Workspace) -> dict[str, tuple[PortraitLine, str, bool]]:
        """Each question's portrait, the mask that it shows and whether that is a spoilt one."""
        spoilt = Honeypot.shown_blob
        blob = sa.func.coalesce(spoilt, Mask.blob).label("blob")
        query = (
            sa.select(ReviewRequest.key, blob, Mask.portrait_id, spoilt.label("spoilt"))
            .join(Mask, Mask.id == ReviewRequest.mask_id)
            .outerjoin(Honeypot, Honeypot.request_id == ReviewRequest.id)
        )
        with reader(workspace.engine).begin() as connection:
            lines = {line.portrait_id: line for line in portrait_lines(connection, workspace.store)}
            rows = connection.execute(query).all()
        return {row.key: (lines[row.portrait_id], row.blob, row.spoilt is not None) for row in rows}


def key_of(line: PortraitLine) -> Key:
    """What names a portrait of the crawl on every machine: its photo, and where it is in it."""
    x0, y0, x1, y1 = line.crop_box
    return Path(str(line.photo_path)).name, (x0, y0, x1, y1)


def label(plan: Plan) -> None:
    """Label EG1800's photos, fit the score on what its hand masks say, then label the crawl."""
    listed = plan.out / "eg1800.txt"
    listed.write_text("".join(f"{photo}\n" for photo in plan.photos()))
    plan.command("ingest", str(listed), "--teacher", plan.teacher)
    with opened(plan) as workspace:
        fitted = bool(decided(workspace))
        if not fitted:
            Auditor(plan).ask(workspace)
    if not fitted:
        plan.command("scores", "fit", "--bad-below", f"{BAD_BELOW:g}")
    crawl = plan.crawl
    if plan.limit is not None:
        crawl = plan.out / "crawl.txt"
        photos = sorted(plan.crawl.iterdir())[: plan.limit]
        crawl.write_text("".join(f"{photo}\n" for photo in photos))
    plan.command("ingest", str(crawl), "--teacher", plan.teacher, "--origin", plan.manifest)


def certify(plan: Plan) -> bool:
    """Draw the audit and judge it, wave by wave; False while somebody has to look.

    Raises:
        SystemExit: by what the audit found, the set cannot be certified.
    """
    auditor = Auditor(plan)
    while True:
        with opened(plan) as workspace:
            if decided(workspace, Decision.CERTIFIED):
                return True
            lines = audit(workspace)
            waiting = [line for line in lines if plan.of_crawl(line) and not auditor.knows(line)]
            if waiting:
                write_sheets(waiting, plan.out / "audit")
                return False
            if lines:
                # Of other masks nobody is asked here: whoever judges them later is asked then.
                auditor.ask(workspace, verdicts=())
        plan.command("certify", *TERMS)
        with opened(plan) as workspace:
            if lines and not audit(workspace) and not decided(workspace, Decision.CERTIFIED):
                raise SystemExit("nothing is certified: by this audit the set cannot be")


def audit(workspace: Workspace) -> list[PortraitLine]:
    """The portraits that the open attempt's audit has drawn so far."""
    with reader(workspace.engine).begin() as connection:
        query = sa.select(Mask.portrait_id).where(Mask.id.in_(ledger.being_audited(connection)))
        portraits = set(connection.scalars(query))
        lines = list(portrait_lines(connection, workspace.store))
    return [line for line in lines if line.portrait_id in portraits]


def decided(workspace: Workspace, decision: Decision | None = None) -> set[int]:
    """Portraits that somebody has decided about; with a decision: for which that one holds."""
    query = sa.select(Mask.portrait_id).join(Review, Review.mask_id == Mask.id)
    query = query.where(Review.withdrawn_at.is_(None))
    if decision is not None:
        query = query.where(Review.decision == decision)
    with reader(workspace.engine).begin() as connection:
        return set(connection.scalars(query))


def write_sheets(lines: Sequence[PortraitLine], folder: Path) -> None:
    """Draw what is to be judged, and the lines of `judged.csv` that are missing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for first in range(0, len(lines), _SHEET):
        tiles = [
            _tile(line, str(first + number))
            for number, line in enumerate(lines[first : first + _SHEET])
        ]
        tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
        rows = [np.hstack(tiles[at : at + _COLUMNS]) for at in range(0, len(tiles), _COLUMNS)]
        sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(folder / f"{first // _SHEET:02}.png"), sheet)
    with (folder / "judged.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["number", *_COLUMN_NAMES])
        for number, line in enumerate(lines):
            name, box = key_of(line)
            table.writerow([number, name, *box, ""])


def _tile(line: PortraitLine, caption: str) -> NDArray[np.uint8]:
    width, height = _TILE
    crop = cv2.resize(
        decode(Path(line.portrait_path).read_bytes()).rgb, _TILE, interpolation=cv2.INTER_AREA
    )
    mask = cv2.resize(decode_grey(Path(str(line.mask_path)).read_bytes()), _TILE)
    person = np.asarray(mask > 127).view(np.uint8)
    shown = np.where(person[..., None], crop, crop // 3 + np.array([0, 0, 60], np.uint8))
    outlines, _ = cv2.findContours(person, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    tile = cv2.drawContours(np.ascontiguousarray(shown, np.uint8), outlines, -1, (60, 255, 90), 1)
    cv2.putText(tile, caption, (3, 15), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1)
    assert tile.shape == (height, width, 3)
    return np.asarray(tile, np.uint8)


def of_split(workspace: Workspace, plan: Plan, split: Split) -> list[PortraitLine]:
    """The crawl's portraits with a mask that fall to a split."""
    with reader(workspace.engine).begin() as connection:
        placed = places(connection)
        rows = connection.execute(sa.select(Portrait.id, Portrait.image_id))
        place_of = {row.id: placed.get(row.image_id) for row in rows}
        return [
            line
            for line in portrait_lines(connection, workspace.store)
            if plan.of_crawl(line)
            and line.mask_path
            and (place := place_of[line.portrait_id])
            and place.split is split
            and not place.left_out
        ]


def write_data_sets(plan: Plan) -> dict[str, int]:
    """Write `raw`, `unchecked`, `trusted` and `held_back`; images of each."""
    with opened(plan) as workspace:
        accepted = decided(workspace, Decision.CERTIFIED)
        train, val = (of_split(workspace, plan, split) for split in (Split.TRAIN, Split.VAL))
        teacher = load_network(parse_network(plan.teacher), device="cpu", threads=2)

        def asked(line: PortraitLine) -> NDArray[np.bool_]:
            crop = decode(Path(line.portrait_path).read_bytes()).rgb
            return np.asarray(teacher.person_probability([crop])[0] >= 0.5)

        return {
            "raw": write_data_set(plan.out / "raw", train, asked),
            "unchecked": write_data_set(plan.out / "unchecked", train, stored_mask),
            "trusted": write_data_set(plan.out / "trusted", _among(train, accepted), stored_mask),
            "held_back": write_data_set(plan.out / "held_back", _among(val, accepted), stored_mask),
        }


def _among(lines: Sequence[PortraitLine], portraits: Collection[int]) -> list[PortraitLine]:
    return [line for line in lines if line.portrait_id in portraits]


def stored_mask(line: PortraitLine) -> NDArray[np.bool_]:
    """The engine's mask of a portrait."""
    return is_person(decode_grey(Path(str(line.mask_path)).read_bytes()))


def write_data_set(
    folder: Path,
    lines: Sequence[PortraitLine],
    mask_of: Callable[[PortraitLine], NDArray[np.bool_]],
) -> int:
    """Write a data set whose names begin with the crawl's source; how many images it has."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    names = []
    for line in lines:
        # By its place in the photo: a portrait's id is another one where workers finish otherwise.
        place = "x".join(map(str, line.crop_box))
        names.append(f"{Path(str(line.photo_path)).stem}-{place}")
        shutil.copyfile(line.portrait_path, folder / "images" / f"{names[-1]}.jpg")
        mask = mask_of(line).astype(np.uint8) * 255
        cv2.imwrite(str(folder / "masks" / f"{names[-1]}.png"), mask)
    (folder / "train.txt").write_text("".join(f"{name}\n" for name in sorted(names)))
    return len(names)


def opened(plan: Plan) -> AbstractContextManager[Workspace]:
    """The workspace, closed in the end."""
    return closing(Workspace(plan.root, load_settings(plan.root)))


def run(plan: Plan) -> dict[str, int] | None:
    """Do what can be done; None: the audit waits for somebody to look."""
    plan.out.mkdir(parents=True, exist_ok=True)
    label(plan)
    if not certify(plan):
        return None
    return write_data_sets(plan)


def main() -> None:
    """Run, and say what there is or what is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("collected"))
    parser.add_argument("--limit", type=int, help="only so many photos of each", default=None)
    options = parser.parse_args()
    plan = Plan(options.shared.resolve(), options.out.resolve(), options.limit)
    written = run(plan)
    if written is None:
        raise SystemExit(
            f"Look at the pictures in {plan.out / 'audit'}, write accept or reject behind each "
            f"line of its judged.csv, append the lines to {ANSWERS}, and run this again."
        )
    for name, count in written.items():
        print(f"{plan.out / name}: {count:,} images")


if __name__ == "__main__":
    main()
