"""Verdicts: each reason at its threshold, and on drawn scenes that show what it means."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from db import Verdict
from pipelines.ingest.stages import import_masks, label_portraits
from pipelines.masks.judging import JudgedMask, PortraitInput
from pipelines.masks.scores import MaskScores
from pipelines.masks.verdict import Reason, judge
from pipelines.pictures.decode import decode, encode_jpeg
from pipelines.pictures.geometry import Face
from pipelines.pictures.rotation import Crop
from pipelines.workspace.errors import ItemError
from pipelines.workspace.settings import Settings, VerdictSettings

Mask = npt.NDArray[np.bool_]

FLAWLESS = MaskScores(
    area=0.5,
    face_in_mask=1.0,
    confidence=0.99,
    band_entropy=0.2,
    support=0.98,
    spill=0.0,
    edge_agreement=0.99,
    filled=0.0,
    fragments=0.0,
    top_contact=0.0,
    face_cut=0.0,
    sharpness=0.1,
    short_side=400,
    other_faces=0,
)


@pytest.mark.parametrize(
    ("score", "allowed", "step", "reason", "verdict"),
    [
        ("area", 0.02, -1e-6, "empty_mask", "rejected"),
        ("face_in_mask", 0.5, -1e-6, "face_outside_mask", "rejected"),
        ("short_side", 112, -1, "too_small", "rejected"),
        ("sharpness", 0.01, -1e-6, "blurry", "rejected"),
        ("confidence", 0.92, -1e-6, "low_confidence", "review"),
        ("band_entropy", 0.5, 1e-6, "low_confidence", "review"),
        ("spill", 0.08, 1e-6, "multi_person", "review"),
        ("other_faces", 0, 1, "multi_person", "review"),
        ("face_cut", 0.15, 1e-6, "truncated_subject", "review"),
        ("top_contact", 0.85, 1e-6, "truncated_subject", "review"),
        ("filled", 0.03, 1e-6, "holes", "review"),
        ("fragments", 0.015, 1e-6, "fragments", "review"),
    ],
)
def test_every_reason_has_its_threshold(
    score: str, allowed: float, step: float, reason: str, verdict: str
) -> None:
    limits = VerdictSettings(
        min_area=0.02, min_face_in_mask=0.5, min_short_side_px=112, min_sharpness=0.01,
        min_confidence=0.92, max_band_entropy=0.5, max_spill=0.08, max_face_cut=0.15,
        max_top=0.85, max_filled=0.03, max_fragments=0.015,
    )  # fmt: skip
    assert judge(replace(FLAWLESS, **{score: allowed}), limits) == ("candidate", [])
    beyond = replace(FLAWLESS, **{score: allowed + step})
    assert judge(beyond, limits) == (verdict, [reason])


def test_one_rejecting_reason_outweighs_and_none_is_left_out() -> None:
    flawed = replace(FLAWLESS, confidence=0.1, area=0.0, fragments=1.0)
    assert judge(flawed, VerdictSettings()) == (
        Verdict.REJECTED,
        [Reason.EMPTY_MASK, Reason.LOW_CONFIDENCE, Reason.FRAGMENTS],
    )


def test_scores_that_are_not_there_speak_neither_for_nor_against() -> None:
    unknown = dict.fromkeys(
        ["confidence", "band_entropy", "support", "spill", "edge_agreement", "filled", "fragments"]
    )
    assert judge(replace(FLAWLESS, **unknown), VerdictSettings()) == (Verdict.CANDIDATE, [])


class DrawnTeacher:
    """Sees what was drawn: 0.99 or 0.01, in the order of the batch."""

    name = "drawn"

    def __init__(self, *scenes: Mask, sure: float = 0.99) -> None:
        self._maps = [np.where(s, sure, 1 - sure).astype(np.float32) for s in scenes]

    def person_probability(self, batch: Sequence[object]) -> list[npt.NDArray[np.float32]]:
        assert len(batch) == len(self._maps)
        return self._maps


SHAPE = (400, 300)
FACE = Face((110, 80, 190, 180), ((150, 130),) * 5, 0.99)


def ellipse(y: float, x: float, high: float, wide: float) -> Mask:
    rows, columns = np.indices(SHAPE)
    return ((rows - y) / high) ** 2 + ((columns - x) / wide) ** 2 < 1


def sitter() -> Mask:
    return ellipse(130, 150, 75, 55) | ellipse(400, 150, 230, 110)


def jpeg(seen: Mask) -> bytes:
    """A picture with the edges of a mask and enough detail not to be blurred."""
    noise = np.random.default_rng(0).integers(-20, 20, (*SHAPE, 3))
    rgb = np.where(seen[..., None], 190, 60) + noise
    return encode_jpeg(rgb.astype(np.uint8), 95)


def label(
    seen: Mask, face: Face = FACE, others: Sequence[Face] = (), *, sure: float = 0.99
) -> JudgedMask:
    item = PortraitInput(jpeg(seen), face, list(others))
    (judged,) = label_portraits([item], DrawnTeacher(seen, sure=sure), Settings())
    assert isinstance(judged, JudgedMask)
    return judged


def stored(judged: JudgedMask) -> Mask:
    return decode(judged.png, max_pixels=10**6).rgb[..., 0] == 255


def test_a_sitter_before_a_plain_wall_is_a_candidate() -> None:
    judged = label(sitter())
    assert (judged.verdict, judged.reasons) == (Verdict.CANDIDATE, [])
    common = (stored(judged) & sitter()).sum() / (stored(judged) | sitter()).sum()
    assert common > 0.97
    assert judged.probability_png is not None
    assert set(np.unique(decode(judged.probability_png, max_pixels=10**6).rgb)) == {3, 252}


def with_hole() -> Mask:
    return sitter() & ~ellipse(330, 150, 30, 30)


def with_fragment() -> Mask:
    return sitter() | ellipse(60, 270, 25, 20)


def to_the_top() -> Mask:
    return ellipse(100, 150, 200, 170) | ellipse(400, 150, 230, 110)


def too_high() -> Mask:
    return ellipse(20, 150, 75, 55) | ellipse(290, 150, 230, 110)


@pytest.mark.parametrize(
    ("seen", "face", "others", "verdict", "reasons"),
    [
        (with_hole(), FACE, [], "review", ["holes"]),
        (with_fragment(), FACE, [], "review", ["fragments"]),
        (sitter(), FACE, [FACE.shifted(90, 0)], "review", ["multi_person"]),
        (too_high(), FACE.shifted(0, -110), [], "review", ["truncated_subject"]),
        (to_the_top(), FACE, [], "review", ["truncated_subject"]),
        (np.zeros(SHAPE, np.bool_), FACE, [], "rejected", ["empty_mask", "face_outside_mask"]),
        (ellipse(400, 150, 190, 110), FACE, [], "rejected", ["face_outside_mask"]),
    ],
    ids=[
        "hole", "fragment", "two faces", "face cut off", "head cut off",
        "nobody", "a body without its face",
    ],
)  # fmt: skip
def test_drawn_scenes(
    seen: Mask, face: Face, others: list[Face], verdict: str, reasons: list[str]
) -> None:
    judged = label(seen, face, others)
    assert judged.verdict == verdict
    assert judged.reasons == reasons


def test_a_speck_elsewhere_is_no_portrait() -> None:
    judged = label(ellipse(60, 270, 18, 15))
    assert judged.verdict == Verdict.REJECTED
    assert judged.reasons[:2] == ["empty_mask", "face_outside_mask"]


def test_a_second_person_without_a_face_is_spill() -> None:
    judged = label(sitter() | (ellipse(400, 300, 250, 35) & ~ellipse(400, 150, 200, 120)))
    assert "multi_person" in judged.reasons
    assert judged.scores["spill"] > 0.08
    assert not stored(judged)[:, 285:].any()


def test_an_undecided_teacher_is_not_trusted() -> None:
    judged = label(sitter(), sure=0.8)
    assert judged.verdict == Verdict.REVIEW
    assert judged.reasons[0] == "low_confidence"


def test_a_crop_that_cannot_be_decoded_fails_alone() -> None:
    good = PortraitInput(jpeg(sitter()), FACE, [])
    items = [good, PortraitInput(b"no image", FACE, []), good]
    teacher = DrawnTeacher(sitter(), sitter())
    first, failed, last = label_portraits(items, teacher, Settings())
    assert isinstance(failed, ItemError)
    assert failed.reason == "not_an_image"
    assert first == last == label(sitter())


def test_an_imported_mask_is_cut_to_the_crop_and_judged_without_probability() -> None:
    whole = np.zeros((1000, 800), np.bool_)
    whole[500:900, 200:500] = sitter()
    item = PortraitInput(jpeg(sitter()), FACE, [])
    mask_file = encode_jpeg(np.where(whole[..., None], np.uint8(250), np.uint8(5)).repeat(3, 2), 95)
    portraits = [(item, Crop((200, 500, 500, 900)))]
    (judged,) = import_masks(mask_file, mask_file, (800, 1000), portraits, Settings()).masks
    np.testing.assert_array_equal(stored(judged), sitter())
    assert (judged.verdict, judged.reasons) == (Verdict.CANDIDATE, [])
    assert judged.probability_png is None
    assert "confidence" not in judged.scores


def test_an_imported_mask_of_another_size_is_refused() -> None:
    mask_file = encode_jpeg(np.zeros((100, 80, 3), np.uint8), 95)
    with pytest.raises(ItemError, match=r"80×100 pixels, .* 100×80") as caught:
        import_masks(mask_file, mask_file, (100, 80), [], Settings())
    assert caught.value.reason == "mask_size_mismatch"
