"""More for the student that is shipped: wider crops of certified photos, and places with nobody.

    python -m examples.web_crawl.more --shared ../shared --collected collected

After `collect`. Written are, as `train --data` reads them:

    wide/       the certified photos once more, cut nearly twice as wide around the face, where the
                engine finds nothing to doubt: people in the street are seen like that
    wide_held_back/  so are those of the split `val`, to choose recipes on
    wide_reviewed/   so are those that people found good, where `review` has been run
    nobody/     parts of the crawl's photos in which none of the teacher's networks sees anybody,
                neither in the photo nor in the part alone; their masks are empty

Of the photos without a face half are left for measuring, by a hash of their name.
"""

import argparse
import hashlib
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from db import Image, Portrait, Source, Verdict, reader
from examples.eg1800_rounds import dataengine
from examples.web_crawl.collect import Plan, opened, stored_mask, write_data_set
from pipelines.networks import load_network, parse_network
from pipelines.networks.mean import MeanTeacher
from pipelines.portraits.listing import PortraitLine, portrait_lines
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.uris import uri_path
from pipelines.workspace.workspace import Workspace
from sinet.errors import PictureError
from sinet.pictures.decode import decode

WIDE = {
    "DATAENGINE_PORTRAIT__HEIGHT_IN_FACES": "5.5",
    "DATAENGINE_PORTRAIT__HEADROOM_IN_FACES": "1",
}
NOBODY_BELOW = 0.1
_PARTS, _TRIES, _SHORTEST_PX, _LONGEST_PX = 2, 6, 96, 640

Pixels = NDArray[np.uint8]


def stems(folder: Path) -> set[str]:
    """Photos that a data set of `collect` has a portrait of."""
    return {name.rsplit("-", 1)[0] for name in (folder / "train.txt").read_text().split()}


def write_wide(plan: Plan, certified: str = "trusted", name: str = "wide") -> int:
    """Label certified photos once more in wider crops; how many portraits there are.

    Args:
        plan: where.
        certified: data set of `collect` whose photos are taken.
        name: of the data set that is written.
    """
    root, listed = plan.out / "wide-workspace", plan.out / f"{name}.txt"
    photos = {f"{stem}.jpg" for stem in stems(plan.out / certified)}
    listed.write_text("".join(f"{plan.crawl / photo}\n" for photo in sorted(photos)))
    dataengine(root, "ingest", str(listed), "--teacher", plan.teacher, settings=WIDE)
    with closing(Workspace(root, load_settings(root))) as workspace:
        with reader(workspace.engine).begin() as connection:
            lines = list(portrait_lines(connection, workspace.store))
        of_photo = Counter(line.photo_path for line in lines)

        def is_sure(line: PortraitLine) -> bool:
            # With two portraits in a photo it would take more to say which was certified.
            return (
                of_photo[line.photo_path] == 1
                and Path(str(line.photo_path)).name in photos
                and line.verdict == Verdict.CANDIDATE
            )

        chosen = [line for line in lines if is_sure(line)]
        return write_data_set(plan.out / name, chosen, stored_mask)


def write_wide_held_back(plan: Plan) -> int:
    """The same of photos on which recipes may be chosen."""
    return write_wide(plan, "held_back", "wide_held_back")


def write_wide_reviewed(plan: Plan) -> int:
    """The same of what people found good, too."""
    return write_wide(plan, "reviewed", "wide_reviewed")


def is_measured(photo: Path) -> bool:
    """Whether a photo without a face is left for measuring."""
    return hashlib.sha256(photo.name.encode()).digest()[0] % 2 == 0


def photos_with_room(plan: Plan) -> list[Path]:
    """Photos of the crawl that the portraits cut out of them leave half of, and may be learnt from.

    Those without a face are among them, but for those left for measuring.
    """
    query = (
        sa.select(Source.uri, Image.width, Image.height, Portrait.crop_box)
        .join(Image, Image.id == Source.image_id)
        .outerjoin(Portrait, Portrait.image_id == Image.id)
        .where(Image.width.is_not(None))
    )
    covered: defaultdict[Path, float] = defaultdict(float)
    with opened(plan) as workspace, reader(workspace.engine).begin() as connection:
        for uri, width, height, box in connection.execute(query):
            assert width is not None  # the query leaves them out, and a height comes with a width
            assert height is not None
            x0, y0, x1, y1 = box or (0, 0, 0, 0)
            covered[Path(uri_path(uri))] += (x1 - x0) * (y1 - y0) / (width * height)
    learnt = stems(plan.out / "raw")
    return sorted(
        photo
        for photo, share in covered.items()
        if photo.is_relative_to(plan.crawl)
        and share < 0.5
        and (photo.stem in learnt or (share == 0 and not is_measured(photo)))
    )


def write_nobody(plan: Plan) -> int:
    """Cut parts with nobody out of the photos that may be learnt from; how many."""
    folder = plan.out / "nobody"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    teacher = load_network(parse_network(plan.teacher), device="cpu", threads=2)
    assert isinstance(teacher, MeanTeacher)
    names = []
    for photo in photos_with_room(plan):
        for number, part in enumerate(parts_with_nobody(photo, teacher)):
            names.append(f"{photo.stem}-{number}")
            bgr = cv2.cvtColor(part, cv2.COLOR_RGB2BGR)
            cv2.imwrite(str(folder / "images" / f"{names[-1]}.jpg"), bgr)
            cv2.imwrite(
                str(folder / "masks" / f"{names[-1]}.png"), np.zeros(part.shape[:2], np.uint8)
            )
    (folder / "train.txt").write_text("".join(f"{name}\n" for name in names))
    return len(names)


def parts_with_nobody(photo: Path, teacher: MeanTeacher) -> Iterator[Pixels]:
    """Random parts of a photo, three quarters as wide as high; mostly none."""
    try:
        rgb = decode(photo.read_bytes()).rgb
    except PictureError:
        return
    shrink = min(1.0, _LONGEST_PX / max(rgb.shape[:2]))
    small = (max(1, round(rgb.shape[1] * shrink)), max(1, round(rgb.shape[0] * shrink)))
    rgb = np.asarray(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), np.uint8)
    seen = most(teacher, rgb)
    if np.mean(seen < NOBODY_BELOW) < 0.2:
        return
    chance = np.random.default_rng(list(photo.name.encode()))
    found = 0
    for _ in range(_TRIES):
        height = int(min(rgb.shape[0], rgb.shape[1] / 0.75) * chance.uniform(0.4, 1))
        width = int(height * 0.75)
        if width < _SHORTEST_PX or found == _PARTS:
            return
        top = int(chance.integers(rgb.shape[0] - height + 1))
        left = int(chance.integers(rgb.shape[1] - width + 1))
        window = slice(top, top + height), slice(left, left + width)
        if seen[window].max() < NOBODY_BELOW and most(teacher, rgb[window]).max() < NOBODY_BELOW:
            found += 1
            yield rgb[window]


def most(teacher: MeanTeacher, rgb: Pixels) -> NDArray[np.float32]:
    """The largest probability of a person that any of the networks gives, (H, W)."""
    teacher.person_probability([np.ascontiguousarray(rgb)])
    return np.asarray(np.max(teacher.opinions[0], axis=0), np.float32)


def main() -> None:
    """Write all, and say how many images there are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--collected", type=Path, default=Path("collected"))
    options = parser.parse_args()
    plan = Plan(options.shared.resolve(), options.collected.resolve())
    written = {
        "wide": write_wide,
        "wide_held_back": write_wide_held_back,
        "nobody": write_nobody,
    }
    if (plan.out / "reviewed").exists():
        written["wide_reviewed"] = write_wide_reviewed
    for name, write in written.items():
        print(f"{plan.out / name}: {write(plan):,} images", flush=True)


if __name__ == "__main__":
    main()
