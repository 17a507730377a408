"""How many near-duplicates are found and how many strangers are taken for some, and how fast.

    python benchmarks/near_duplicates.py --shared ../shared --part PART

`search` looks for all pairs within 10 bits among a million hashes, random ones and such as photos
have. `quality` groups all photos of EG1800 with copies of each, `strangers` windows of them with
less in common. `speed` groups made-up photos, and measures what the descriptor adds to decoding;
`crowds` groups many of a kind.
"""

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import psutil
import sqlalchemy as sa
from numpy.typing import NDArray

from db import Image
from pipelines.pictures.decode import decode
from pipelines.pictures.near_duplicates.descriptor import (
    SIDE_PX,
    descriptor,
    resampling,
    thumbnails,
    window_hashes,
)
from pipelines.pictures.near_duplicates.grouping import Fingerprint, group
from pipelines.pictures.near_duplicates.search import near_pairs
from pipelines.pictures.perceptual import perceptual_hashes, reduced
from pipelines.portraits.near_groups import changed_groups, save_groups
from pipelines.portraits.near_pairs import compare_pairs, near_shelf
from pipelines.workspace.settings import EngineSettings, Settings
from pipelines.workspace.workspace import Workspace, make_workspace
from tests.pipelines.pictures.near_duplicates.copies import COPIES, cropped, fingerprint, photos

RADIUS = 10
SEED = 20261124
FIRST_COPY = 10_000
WINDOWS_A_PHOTO = 8


def gigabytes() -> float:
    """The most memory this process has held; unlike `ru_maxrss`, none of what its parent held."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


def photo_like(thumbs: NDArray[np.uint8], count: int) -> NDArray[np.uint64]:
    """Hashes as skewed as those of photos: normal spectra with the photos' mean and covariance."""
    angles = np.pi * (2 * np.arange(SIDE_PX) + 1) / (2 * SIDE_PX)
    cosines = np.cos(np.arange(8)[:, None] * angles)
    spectra = (cosines @ thumbs.astype(float) @ cosines.T).reshape(len(thumbs), 64)
    factor = np.linalg.cholesky(np.cov(spectra.T) + 1e-6 * np.eye(64)).astype(np.float32)
    rng = np.random.default_rng(SEED)
    hashes = np.empty(count, np.uint64)
    for start in range(0, count, 1 << 16):
        stop = min(start + (1 << 16), count)
        drawn = rng.standard_normal((stop - start, 64), np.float32) @ factor.T + spectra.mean(0)
        bits = np.packbits(drawn > np.median(drawn, axis=1, keepdims=True), axis=1)
        hashes[start:stop] = bits.view(">u8")[:, 0]
    return hashes


def search(kind: str, file: Path) -> None:
    """Search saved hashes and print a line of the table."""
    hashes = np.load(file)
    list(near_pairs(hashes[:10], radius=RADIUS))  # compiles, or loads what was compiled
    started, before = time.perf_counter(), time.process_time()
    pairs = sum(len(block) for block in near_pairs(hashes, radius=RADIUS))
    wall, cpu = time.perf_counter() - started, time.process_time() - before
    sample = hashes[:2000]
    started = time.perf_counter()
    for row in sample:
        np.count_nonzero(np.bitwise_count(hashes ^ row) <= RADIUS)
    brute = (time.perf_counter() - started) / len(sample) * len(hashes) / 2
    print(
        f"| {kind} | {len(hashes):,} | {pairs:,} | {wall:.1f} | {cpu:.1f} | {gigabytes():.2f} "
        f"| {brute:,.0f} | {faiss_seconds(hashes)} |",
        flush=True,
    )


def faiss_seconds(hashes: NDArray[np.uint64]) -> str:
    """What faiss would take to compare all, by 2,000 of them; a dash where there is none."""
    try:
        import faiss
    except ImportError:
        return "–"
    codes = hashes.view(np.uint8).reshape(-1, 8)
    index = faiss.IndexBinaryFlat(64)
    index.add(codes)
    started = time.perf_counter()
    index.range_search(codes[:2000], RADIUS + 1)
    return f"{(time.perf_counter() - started) / 2000 * len(hashes):,.0f}"


def measure_search(shared: Path, count: int, scratch: Path) -> None:
    """Print the table of the search."""
    thumbs = thumbnails([descriptor(rgb) for _, rgb in photos(shared)])
    rng = np.random.default_rng(SEED)
    np.save(scratch / "random.npy", rng.integers(0, 2**64, count, np.uint64))
    np.save(scratch / "photos.npy", photo_like(thumbs, count))
    # Each in a process of its own, whose memory tells what the search needs.
    print("| hashes | | pairs | s | processor s | GB | all pairs, numpy, s | faiss, s |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in ("random", "photos"):
        arguments = (kind, scratch / f"{kind}.npy")
        process = multiprocessing.get_context("spawn").Process(target=search, args=arguments)
        process.start()
        process.join()


def measure_quality(shared: Path) -> None:
    """Print what is found of each kind of copy, and which photos are grouped without copies."""
    rng = np.random.default_rng(SEED)
    kinds = {name: copy for name, (copy, _) in COPIES.items()}
    kinds["another crop by 5 %"] = cropped
    kinds["cropped by 8 %"] = lambda rgb, rng: cropped(rgb, rng, 0.08)
    kinds["cropped by 10 %"] = lambda rgb, rng: cropped(rgb, rng, 0.10)
    names, originals = [], []
    copies: dict[str, list[Fingerprint]] = defaultdict(list)
    for number, (name, rgb) in enumerate(photos(shared), 1):
        names.append(name)
        originals.append(fingerprint(number, rgb))
        for kind, copy in kinds.items():
            copies[kind].append(fingerprint(FIRST_COPY + number, copy(rgb, rng)))
    alone = group(originals)
    print("| copy | found | of | newly grouped photos |\n|---|---|---|---|")
    for kind, made in copies.items():
        groups = group(originals + made)
        found = sum(groups[number] == groups[FIRST_COPY + number] for number in alone)
        wrong = sum(groups[number] != alone[number] for number in alone)
        print(f"| {kind} | {found / len(names):.2%} | {len(names)} | {wrong} |", flush=True)
    shifted = [
        replace(image, image_id=image.image_id + FIRST_COPY)
        for image in copies["another crop by 5 %"]
    ]
    groups = group(copies["cropped by 5 %"] + shifted)
    found = sum(groups[FIRST_COPY + n] == groups[2 * FIRST_COPY + n] for n in alone)
    print(f"\nTwo crops by 5 % without their photo: {found / len(names):.2%}")
    members = defaultdict(list)
    for name, first in zip(names, alone.values(), strict=True):
        members[first].append(name)
    print("\nGroups among the photos:", [some for some in members.values() if len(some) > 1])


def measure_strangers(shared: Path) -> None:
    """Print which photos come together when eight windows of each are grouped."""
    rng = np.random.default_rng(SEED)
    owners, images = [], []
    for name, rgb in photos(shared):
        for share in rng.uniform(0.3, 0.65, WINDOWS_A_PHOTO):
            owners.append(name)
            images.append(fingerprint(len(owners), cropped(rgb, rng, share)))
    together = {
        (owners[first - 1], owners[number - 1])
        for number, first in group(images).items()
        if owners[first - 1] != owners[number - 1]
    }
    pairs = (len(images) ** 2 - len(images) * WINDOWS_A_PHOTO) // 2
    print(f"{len(images):,} windows, {pairs:,} pairs from different photos")
    print("Photos with windows in one group:", sorted(together))


def measure_speed(shared: Path, counts: list[int]) -> None:
    """Print how long grouping takes, and what a descriptor adds to decoding."""
    files = sorted((shared / "data/crawl/flickr").glob("*.jpg"))
    spent = np.zeros(3)
    for file in files:
        times = [time.perf_counter()]
        rgb = decode(file.read_bytes(), max_pixels=10**8).rgb
        times.append(time.perf_counter())
        small = reduced(rgb)
        perceptual_hashes(small)
        times.append(time.perf_counter())
        descriptor(small)
        times.append(time.perf_counter())
        spent += np.diff(times)
    decoding, hashing, describing = 1000 * spent / len(files)
    print(f"decoding {decoding:.2f} ms, hashes {hashing:.2f} ms, descriptor {describing:.3f} ms\n")
    thumbs = thumbnails([descriptor(rgb) for _, rgb in photos(shared)])
    print(
        "| images | copies | groups | s | processor s | GB | 5,000 more: s | processor s | again |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            # Each in a process of its own, whose memory tells what grouping needs.
            for task in (fill, measure_grouping):
                arguments = (Path(folder) / "ws", thumbs, count)
                process = multiprocessing.get_context("spawn").Process(target=task, args=arguments)
                process.start()
                process.join()
    group(made_up(thumbs, 100))
    for count in counts:
        if count <= 100_000:
            before = time.process_time()
            groups = len(set(group(made_up(thumbs, count)).values()))
            cpu = time.process_time() - before
            print(f"{count:,} at once, in memory: {groups:,} groups, {cpu:.1f} processor s")


def fill(root: Path, thumbs: NDArray[np.uint8], count: int) -> None:
    """Make a workspace of made-up photos, and keep as many more as are to come later."""
    make_workspace(root, "")
    workspace = Workspace(root, Settings())
    for images in made_up_in_pieces(thumbs, count):
        insert(workspace, images)
    workspace.close()


def insert(workspace: Workspace, images: Sequence[Fingerprint]) -> None:
    """As `ingest` leaves them, but for their files."""
    rows: list[dict[str, object]] = [
        {
            "id": image.image_id,
            "sha256": f"{image.image_id:064x}",
            "size_bytes": 1,
            "reasons": [],
            # The columns are signed.
            "phash": (image.phash + 2**63) % 2**64 - 2**63,
            "phash_mirror": (image.phash_mirror + 2**63) % 2**64 - 2**63,
            "descriptor": image.descriptor,
        }
        for image in images
    ]
    with workspace.engine.begin() as connection:
        connection.execute(sa.insert(Image), rows)


def measure_grouping(root: Path, thumbs: NDArray[np.uint8], count: int) -> None:
    """Group a workspace with two processes, then with 5,000 photos more; print a line."""
    workspace = Workspace(root, Settings(engine=EngineSettings(workers=2)))

    def update() -> tuple[str, Watch]:
        with Watch() as watch:
            shelf, compare = near_shelf(workspace), partial(compare_pairs, workspace)
            changed = changed_groups(workspace.engine, shelf, compare)
            with workspace.engine.begin() as connection:
                save_groups(connection, changed)
        return f"{watch.seconds:.1f} | {watch.processor_seconds:.1f}", watch

    figures, watch = update()
    with workspace.engine.begin() as connection:
        groups = connection.scalar(sa.select(sa.func.count(sa.distinct(Image.group_id))))
    line = f"| {count:,} | {count // 5:,} | {groups:,} | {figures} | {watch.gigabytes:.2f}"
    more = made_up(thumbs, 5_000, seed=SEED + 1)
    insert(workspace, [replace(image, image_id=image.image_id + count) for image in more])
    later, _ = update()
    again, _ = update()
    print(f"{line} | {later} | {again.partition(' ')[0]} |", flush=True)
    workspace.close()


class Watch:
    """What this process and those that it starts take meanwhile.

    Attributes:
        seconds: by the clock.
        processor_seconds: of all of them.
        gigabytes: of all of them at most, what they share counted once.
    """

    def __init__(self) -> None:
        self._done = threading.Event()
        self._spent: dict[int, float] = {}
        self.gigabytes = 0.0

    def __enter__(self) -> "Watch":
        self._started = time.perf_counter()
        self._look()
        self._before = sum(self._spent.values())
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._look()
        self.seconds = time.perf_counter() - self._started
        self.processor_seconds = sum(self._spent.values()) - self._before

    def _watch(self) -> None:
        while not self._done.wait(0.25):
            self._look()

    def _look(self) -> None:
        own = psutil.Process()
        total = 0
        for process in [own, *own.children(recursive=True)]:
            with suppress(psutil.Error):
                times = process.cpu_times()
                self._spent[process.pid] = times.user + times.system
                total += process.memory_full_info().pss
        self.gigabytes = max(self.gigabytes, total / 1e9)


def measure_crowds(shared: Path) -> None:
    """Print how long it takes to group many images that are nearly the same, or hashed the same."""
    thumbs = thumbnails([descriptor(rgb) for _, rgb in photos(shared, 100)])
    group(made_up(thumbs, 100))
    rng = np.random.default_rng(SEED)
    one = made_up(thumbs, 1)[0]
    low = rng.uniform(0, 0.05, (2, 20_000)).astype(np.float32)
    rows, columns = (resampling(part, part + np.float32(0.95)) for part in low)
    crops = rows @ thumbs[0].astype(np.float32) @ columns.transpose(0, 2, 1)
    crowds = {
        "equal": [replace(one, image_id=i) for i in range(1, 100_001)],
        "crops by 5 % of one photo": fingerprints(crops.astype(np.uint8)),
        "strangers with one hash": [
            replace(image, phash=one.phash, phash_mirror=one.phash_mirror)
            for image in made_up(thumbs, 20_000)
        ],
    }
    print("| images | | groups | processor s |\n|---|---|---|---|")
    for name, images in crowds.items():
        before = time.process_time()
        groups = len(set(group(images).values()))
        cpu = time.process_time() - before
        print(f"| {name} | {len(images):,} | {groups:,} | {cpu:.1f} |", flush=True)


def made_up(thumbs: NDArray[np.uint8], count: int, seed: int = SEED) -> list[Fingerprint]:
    """Mixtures of two photos each, one of five with a noisy copy."""
    return list(chain.from_iterable(made_up_in_pieces(thumbs, count, seed)))


def made_up_in_pieces(
    thumbs: NDArray[np.uint8], count: int, seed: int = SEED
) -> Iterator[list[Fingerprint]]:
    """The same, some at a time."""
    rng = np.random.default_rng(seed)
    for start in range(0, count, 10_000):
        pictures = []
        for i in range(start, min(start + 10_000, count)):
            if i % 5 < 4:
                first, second = thumbs[rng.integers(len(thumbs), size=2)].astype(float)
                share = rng.uniform(0.35, 0.65)
                shifted = np.roll(second, rng.integers(8, size=2), (0, 1))
                mixed = share * first + (1 - share) * shifted
            noisy = mixed + rng.normal(0, 1.5, mixed.shape) * (i % 5 == 4)
            pictures.append(noisy.clip(0, 255).astype(np.uint8))
        images = fingerprints(np.stack(pictures))
        yield [replace(image, image_id=image.image_id + start) for image in images]


def fingerprints(pictures: NDArray[np.uint8]) -> list[Fingerprint]:
    """Of pictures as small as descriptors are."""
    plain = window_hashes(pictures)[:, 0].tolist()
    mirror = window_hashes(np.ascontiguousarray(pictures[:, :, ::-1]))[:, 0].tolist()
    rows = zip(plain, mirror, pictures, strict=True)
    return [Fingerprint(i, a, b, own.tobytes()) for i, (a, b, own) in enumerate(rows, 1)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parts = ["search", "quality", "strangers", "speed", "crowds"]
    parser.add_argument("--part", choices=parts, required=True)
    parser.add_argument("--hashes", type=int, default=1_000_000)
    parser.add_argument("--images", type=int, nargs="+", default=[2_000, 20_000, 100_000])
    options = parser.parse_args()
    if options.part == "search":
        with tempfile.TemporaryDirectory() as scratch:
            measure_search(options.shared, options.hashes, Path(scratch))
    elif options.part == "quality":
        measure_quality(options.shared)
    elif options.part == "strangers":
        measure_strangers(options.shared)
    elif options.part == "crowds":
        measure_crowds(options.shared)
    else:
        measure_speed(options.shared, options.images)


if __name__ == "__main__":
    main()
