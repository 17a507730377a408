"""Blocks of photos: the groups are those of all photos at once, whatever comes when and dies."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations_with_replacement, pairwise
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from db import Image
from pipelines.pictures.near_duplicates.grouping import Fingerprint, group
from pipelines.portraits.near_blocks import forget_digests, read_ledger
from pipelines.portraits.near_groups import plan
from tests.pipelines.pictures.near_duplicates.copies import COPIES, cropped, fingerprint, photos
from tests.pipelines.pictures.near_duplicates.test_grouping import fingerprints, noisy, scenes
from tests.pipelines.portraits.near import Stopped, Table, signed, table


@pytest.fixture(scope="module")
def real(shared: Path) -> list[Fingerprint]:
    """Photos, each with a copy of every kind, another crop and itself again, in any order."""
    rng = np.random.default_rng(5)
    kinds = [*(copy for copy, _ in COPIES.values()), cropped, lambda rgb, _: rgb]
    made = [
        fingerprint(0, copy(rgb, rng))
        for _, rgb in photos(shared, 25)
        for copy in (lambda rgb, _: rgb, *kinds)
    ]
    order = rng.permutation(len(made))
    return [replace(made[each], image_id=number) for number, each in enumerate(order, 1)]


def crowded() -> list[Fingerprint]:
    """Made-up pictures: copies, equal ones, strangers of one hash, rows of older versions."""
    one = fingerprints(scenes(1, seed=4))[0]
    pictures = fingerprints(np.concatenate([scenes(60), noisy(scenes(60)), scenes(20, seed=9)]))
    strangers = [
        replace(each, phash=one.phash, phash_mirror=one.phash_mirror)
        for each in fingerprints(scenes(30, seed=7))
    ]
    near = [
        replace(each, phash=one.phash, phash_mirror=one.phash_mirror)
        for each in fingerprints(noisy(scenes(30, seed=7), seed=8))
    ]
    old = [replace(each, descriptor=None) for each in pictures[:10]]
    made = [*pictures, *strangers, *near, *old, *old[:5], *pictures[50:70]]
    order = np.random.default_rng(2).permutation(len(made))
    return [replace(made[each], image_id=number) for number, each in enumerate(order, 1)]


@pytest.fixture
def in_small_blocks(tmp_path: Path) -> Iterator[Table]:
    with table(tmp_path, block_photos=37) as made:
        yield made


def in_pieces(images: list[Fingerprint], count: int) -> list[list[Fingerprint]]:
    bounds = np.linspace(0, len(images), count + 1).astype(int)
    return [images[a:b] for a, b in pairwise(bounds)]


def test_real_photos_in_blocks_are_grouped_as_at_once(
    real: list[Fingerprint], in_small_blocks: Table
) -> None:
    in_small_blocks.insert(real)
    assert in_small_blocks.update() == group(real)
    blocks = range(1, -(-len(real) // 37) + 1)
    pairs = list(combinations_with_replacement(blocks, 2))
    assert sorted(in_small_blocks.compared) == pairs


@pytest.mark.parametrize("count", [2, 5])
def test_what_comes_later_is_grouped_as_at_once(in_small_blocks: Table, count: int) -> None:
    images = crowded()
    for piece in in_pieces(images, count):
        in_small_blocks.insert(piece)
        in_small_blocks.update()
    assert in_small_blocks.groups() == group(images)


def test_new_photos_are_compared_with_old_ones_and_those_not_again(
    real: list[Fingerprint], in_small_blocks: Table
) -> None:
    in_small_blocks.insert(real[:-10])
    in_small_blocks.update()
    before = {block for pair in in_small_blocks.compared for block in pair}
    in_small_blocks.compared.clear()
    in_small_blocks.insert(real[-10:])
    in_small_blocks.update()
    new = max(before) + 1
    assert in_small_blocks.compared == [(each, new) for each in [*sorted(before), new]]
    assert in_small_blocks.groups() == group(real)


def test_whenever_it_dies_nothing_is_compared_twice(in_small_blocks: Table) -> None:
    images = crowded()
    for piece in in_pieces(images, 2):
        in_small_blocks.insert(piece)
        for lives in (0, 3, 1, None):
            in_small_blocks.lives = lives
            if lives is None:
                in_small_blocks.update()
            else:
                with pytest.raises(Stopped):
                    in_small_blocks.update()
    assert len(set(in_small_blocks.compared)) == len(in_small_blocks.compared)
    assert in_small_blocks.groups() == group(images)


def test_damaged_and_lost_files_are_made_again(in_small_blocks: Table) -> None:
    images = crowded()
    in_small_blocks.insert(images)
    in_small_blocks.update()
    files = sorted(in_small_blocks.folder.glob("*.parquet"))
    pairs = [file for file in files if file.name.startswith("pair")]
    pairs[3].write_bytes(pairs[3].read_bytes()[:-9])
    pairs[5].unlink()
    (in_small_blocks.folder / "block-000002.parquet").write_bytes(b"PAR1")
    extra = fingerprints(scenes(1, seed=77), first_id=len(images) + 1)
    in_small_blocks.insert(extra)
    in_small_blocks.update()
    found = in_small_blocks.groups()
    assert found == group(images + extra)
    for file in in_small_blocks.folder.iterdir():
        file.unlink()
    in_small_blocks.insert(fingerprints(scenes(1, seed=78), first_id=len(images) + 2))
    assert in_small_blocks.update() == {len(images) + 2: len(images) + 2}


def forget(photos: Table, image_id: int) -> None:
    """As `forget` leaves the table: the others of the group have none any more."""
    with photos.engine.begin() as connection:
        group_id = connection.scalar(sa.select(Image.group_id).where(Image.id == image_id))
        leave = sa.update(Image).where(Image.group_id == group_id).values(group_id=None)
        connection.execute(leave)
        connection.execute(sa.delete(Image).where(Image.id == image_id))


def test_a_forgotten_photo_leaves_the_others_as_if_it_had_not_been(
    real: list[Fingerprint], in_small_blocks: Table
) -> None:
    in_small_blocks.insert(real)
    in_small_blocks.update()
    gone = sorted(set(in_small_blocks.groups().values()))[::5]
    for each in gone:
        assert each is not None
        forget(in_small_blocks, each)
    in_small_blocks.compared.clear()
    in_small_blocks.update()
    left = [image for image in real if image.image_id not in gone]
    assert in_small_blocks.groups() == group(left)


def test_nothing_is_left_by_which_a_forgotten_photo_could_be_known(
    in_small_blocks: Table,
) -> None:
    images = crowded()
    in_small_blocks.insert(images)
    in_small_blocks.update()
    shelf, gone = in_small_blocks.shelf, images[40]
    there = np.array([each.image_id for each in images if each is not gone])
    digest = np.uint64(gone.digest).tobytes()
    forget(in_small_blocks, gone.image_id)
    before = read_ledger(shelf)[0]
    assert before.digests[before.find(np.array([gone.image_id]))[0]].tobytes() == digest
    forget_digests(shelf, there)
    after = read_ledger(shelf)[0]
    same = before.ids != gone.image_id
    assert (after.ids == before.ids).all()
    assert (after.digests[same] == before.digests[same]).all()
    assert (after.digests[~same] == 0).all()
    in_small_blocks.compared.clear()
    in_small_blocks.insert(fingerprints(scenes(1, seed=70), first_id=len(images) + 1))
    in_small_blocks.update()
    left = [each for each in images if each is not gone]
    assert in_small_blocks.groups() == group(
        left + fingerprints(scenes(1, seed=70), first_id=len(images) + 1)
    )


def test_a_copy_that_was_not_searched_for_takes_the_place_of_the_first(
    in_small_blocks: Table,
) -> None:
    one = fingerprints(scenes(1))[0]
    equal = [replace(one, image_id=number) for number in range(1, 4)]
    in_small_blocks.insert(equal)
    in_small_blocks.update()
    forget(in_small_blocks, 1)
    in_small_blocks.insert(fingerprints(noisy(scenes(1)), first_id=9))
    in_small_blocks.update()
    assert in_small_blocks.groups() == {2: 2, 3: 2, 9: 2}


def test_a_photo_that_was_seen_anew_is_compared_anew(in_small_blocks: Table) -> None:
    images = fingerprints(np.concatenate([scenes(3), noisy(scenes(1))]))
    in_small_blocks.insert(images)
    assert in_small_blocks.update() == {1: 1, 2: 2, 3: 3, 4: 1}
    other = fingerprints(noisy(scenes(3)[1:2]), first_id=4)[0]
    values = {
        "phash": signed(other.phash),
        "phash_mirror": signed(other.phash_mirror),
        "descriptor": other.descriptor,
        "group_id": None,
    }
    with in_small_blocks.engine.begin() as connection:
        connection.execute(sa.update(Image).where(Image.id == 4).values(values))
    in_small_blocks.update()
    assert in_small_blocks.groups() == {1: 1, 2: 2, 3: 3, 4: 2}


def test_who_is_slower_takes_the_blocks_of_who_was_quicker(
    in_small_blocks: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = crowded()
    in_small_blocks.insert(images[:100])
    shelf = in_small_blocks.shelf
    create, raced = shelf.create, []

    def overtaken(name: str, data: bytes) -> bool:
        if not raced:
            raced.append(name)
            in_small_blocks.insert(images[100:])
            monkeypatch.setattr(shelf, "create", create)
            plan(in_small_blocks.engine, shelf, 37)  # another command, and more photos by then
            monkeypatch.setattr(shelf, "create", overtaken)
        return create(name, data)

    monkeypatch.setattr(shelf, "create", overtaken)
    in_small_blocks.update()
    assert raced
    assert in_small_blocks.groups() == group(images)
    ledger, _ = read_ledger(shelf)
    assert sum(len(block.ids) for block in ledger.blocks.values()) == len(images)


def test_nothing_of_a_photo_is_in_the_files(in_small_blocks: Table) -> None:
    images = crowded()
    in_small_blocks.insert(images)
    in_small_blocks.update()
    ledger, _ = read_ledger(in_small_blocks.shelf)
    words = np.array([(each.phash, each.phash_mirror) for each in images], np.uint64)
    for block in ledger.blocks.values():
        assert not np.isin(block.digests, words).any()
