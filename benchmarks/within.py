"""Pictures within a photo: how many are told, and how many ordinary photos are taken for such.

    python benchmarks/within.py --shared ../shared [--part made|ordinary|all]

made      before and after, collages, sheets and framed pictures, made of photos of
          `data/crawl/flickr` and saved as JPEG.
ordinary  photos of `data/crawl/web` and `data/crawl/flickr` with a portrait; the names of those
          that are taken for something else are printed, to be looked at.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipelines.ingest.stages import choose_faces
from pipelines.pictures.decode import decode, encode_jpeg
from pipelines.pictures.detect import MtcnnDetector
from pipelines.pictures.within import Within, look_within
from pipelines.workspace.settings import DetectorSettings

Image = npt.NDArray[np.uint8]
LIMITS = DetectorSettings()
COUNT = 60


def read(path: Path) -> Image:
    """Its pixels."""
    return decode(path.read_bytes(), max_pixels=10**9).rgb


def resized(picture: Image, *, height: int) -> Image:
    """The picture at another height."""
    width = round(picture.shape[1] * height / picture.shape[0])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def seen(detector: MtcnnDetector, picture: Image) -> Within | None:
    """What is seen in a photo; None: no portrait would be made of it."""
    faces, _ = choose_faces(detector.detect([picture])[0], LIMITS)
    return look_within(picture, faces) if faces and not faces[0].rotation else None


def bordered(picture: Image, width: int, colour: tuple[int, int, int]) -> Image:
    """The picture with a border."""
    sides = (width,) * 4
    made = cv2.copyMakeBorder(picture, *sides, cv2.BORDER_CONSTANT, value=colour)
    return np.asarray(made, np.uint8)


def on_a_wall(picture: Image, wall: Image, tilt: float) -> Image:
    """The picture before a blurred photo of the same size as every wall, tilted by degrees."""
    blurred = cv2.GaussianBlur(cv2.resize(wall, (1000, 800)), (0, 0), 25)
    height, width = picture.shape[:2]
    move = np.asarray(cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1), np.float64)
    move[:, 2] += (300, 150)
    there = cv2.warpAffine(np.ones((height, width), np.float32), move, (1000, 800))
    hung = cv2.warpAffine(picture, move, (1000, 800))
    return np.where(there[..., None] > 0.5, hung, blurred).astype(np.uint8)


def made(shared: Path) -> None:
    """Pictures of which is known what they are."""
    detector = MtcnnDetector(LIMITS)
    photos = sorted((shared / "data/crawl/flickr").glob("*.jpg"))
    walls = sorted((shared / "data/crawl/web/images").glob("wtd*.jpg"))
    told: Counter[str] = Counter()
    for number in range(COUNT):
        one, other = (
            resized(read(photos[index % len(photos)]), height=700)
            for index in (number, 7 * number + 3)
        )
        gap = np.full((700, (0, 0, 6, 20)[number % 4], 3), (255, 0)[number // 4 % 2], np.uint8)
        small = resized(one, height=300)
        light = np.random.default_rng(number).uniform(0.9, 1.1, 6)
        tiles = [np.clip(small * factor, 0, 255).astype(np.uint8) for factor in light]
        wide = min(one.shape[1], other.shape[1])
        framed = bordered(resized(one, height=320), 10, (20, 20, 20))
        matted = bordered(bordered(resized(one, height=320), 25, (245, 245, 240)), 8, (120, 70, 30))
        wall, tilt = read(walls[number]), (0, 2, 5)[number % 3]
        pictures = {
            "side by side": np.hstack([one, gap, other]),
            "one above the other": np.vstack([one[:, :wide], other[:, :wide]]),
            "sheet of six": np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])]),
            "framed": on_a_wall(framed, wall, tilt),
            "framed, with a mat": on_a_wall(matted, wall, tilt),
            "hung without a frame": on_a_wall(resized(one, height=320), wall, tilt),
        }
        for kind, picture in pictures.items():
            found = seen(detector, decode(encode_jpeg(picture, 80), max_pixels=10**9).rgb)
            if found is not None:
                told[kind] += 1
                hit = found.split or any(found.framed) or all(found.repeated)
                told[f"{kind}: told"] += hit
    for kind in pictures:
        print(f"{kind}: {told[f'{kind}: told']} of {told[kind]}")


def ordinary(shared: Path) -> None:
    """Photos as they were found."""
    detector = MtcnnDetector(LIMITS)
    for name in ("web/images", "flickr"):
        told: Counter[str] = Counter()
        seconds = 0.0
        for path in sorted((shared / "data/crawl" / name).glob("*.jpg")):
            picture = read(path)
            faces, _ = choose_faces(detector.detect([picture])[0], LIMITS)
            if not faces or faces[0].rotation:
                continue
            started = time.process_time()
            found = look_within(picture, faces)
            seconds += time.process_time() - started
            told["photos"] += 1
            kinds = {
                "framed": any(found.framed),
                "repeated": any(found.repeated),
                "split": found.split,
            }
            told.update(kind for kind, holds in kinds.items() if holds)
            told["any"] += any(kinds.values())
            if any(kinds.values()):
                print(f"  {path.name}: {', '.join(kind for kind in kinds if kinds[kind])}")
        print(f"{name}: {dict(told)}, {1000 * seconds / told['photos']:.1f} ms a photo")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--part", choices=("made", "ordinary", "all"), default="all")
    options = parser.parse_args()
    if options.part in ("made", "all"):
        made(options.shared.resolve())
    if options.part in ("ordinary", "all"):
        ordinary(options.shared.resolve())


if __name__ == "__main__":
    main()
