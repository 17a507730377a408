"""Scores, slices and a certificate on real photos, from the crawl to the card of the dataset.

    python -m examples.eg1800_certificate --shared ../shared --out certificate

The photos of EG1800's `train.txt` (150 of them as uncropped originals) are labelled by DeepLabv3. A
simulated reviewer, who knows the hand masks, looks at 450 masks drawn at random: an IoU below 0.90
is bad; of the bad ones, spoilt ones too, it overlooks a tenth. A score is fitted on that, and
`certify` accepts what it can of the rest. At the end the hand masks tell what the certificate was
worth. The commands' own words go to `session.txt`.
"""

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from db import Decision, Mask, Portrait, Review, reader
from examples.eg1800_rounds import SEED, Reviewer, crawls, dataengine
from pipelines.pictures.stored_masks import read_mask
from pipelines.portraits.listing import portrait_lines
from pipelines.review.choosing import Order
from pipelines.workspace.settings_sources import load_settings
from pipelines.workspace.workspace import Workspace

BAD_BELOW, OVERLOOKED = 0.90, 0.1
LOOKED_AT = 450
WAVES = 8
TERMS = ("--max-error", "0.05", "--confidence", "0.95", "--seed", "1")


class Overlooking(Reviewer):
    """Rejects what is bad, but for some that it overlooks; accepts the rest."""

    def __init__(self, shared: Path, bad_below: float) -> None:
        """Say what is bad.

        Args:
            shared: folder of the reference data.
            bad_below: IoU with the hand mask below which a mask is bad.
        """
        super().__init__(shared)
        self.bad_below = bad_below

    def decide(self, iou: float) -> str:
        """Answer about a mask of this IoU with the hand mask."""
        # By the mask's own seed: the same in a run that was interrupted.
        overlooks = random.Random(f"{SEED} {iou:.6f}").random() < OVERLOOKED
        return "reject" if iou < self.bad_below and not overlooks else "accept"

    def truth(self, workspace: Workspace, mask_ids: Sequence[int]) -> list[float]:
        """IoU of these masks with the hand masks."""
        query = (
            sa.select(Mask.blob, Portrait.id, Portrait.crop_box)
            .join(Portrait, Portrait.id == Mask.portrait_id)
            .where(Mask.id.in_(mask_ids))
        )
        with reader(workspace.engine).begin() as connection:
            photos = {
                line.portrait_id: Path(str(line.photo_path))
                for line in portrait_lines(connection, workspace.store)
            }
            rows = connection.execute(query).all()
        return [
            self.iou(read_mask(workspace.store, row.blob), row.crop_box, photos[row.id])
            for row in rows
        ]


def run(
    shared: Path,
    out: Path,
    images: int | None = None,
    looked_at: int = LOOKED_AT,
    terms: Sequence[str] = TERMS,
    bad_below: float = BAD_BELOW,
) -> str:
    """Do it all; what the commands said."""
    out.mkdir(parents=True, exist_ok=True)
    root, said = out / "workspace", []
    reviewer = Overlooking(shared, bad_below)

    def command(*arguments: str) -> None:
        said.append(f"$ dataengine {' '.join(arguments)}\n{dataengine(root, *arguments)}")

    teacher = f"onnx:{shared / 'weights/deeplabv3_mobilenetv2_voc.onnx'}"
    for crawl in crawls(shared, out, images):
        dataengine(root, "ingest", str(crawl), "--teacher", teacher)
    reviewer.review(root, Order.RANDOM, looked_at)
    bad = ("--bad-below", f"{bad_below:g}")
    command("scores", "fit", *bad)
    command("scores", "slices")
    command("review", "plan", "--target-error", terms[terms.index("--max-error") + 1], *bad)
    command("certify", *terms, *bad)
    for _ in range(WAVES):
        reviewer.review(root, Order.RANDOM, 50)
        command("certify", *terms, *bad)
        if "answers will settle it" not in said[-1]:
            break
    command("review", "status")
    workspace = Workspace(root, load_settings(root))
    with reader(workspace.engine).begin() as connection:
        accepted = list(
            connection.scalars(
                sa.select(Review.mask_id).where(
                    Review.decision == Decision.CERTIFIED, Review.withdrawn_at.is_(None)
                )
            )
        )
    ious = reviewer.truth(workspace, accepted)
    workspace.close()
    wrong = sum(iou < bad_below for iou in ious)
    said.append(f"By the hand masks, {wrong} of the {len(ious)} accepted masks are bad.\n")
    text = "\n".join(said)
    (out / "session.txt").write_text(text)
    return text


def main() -> None:
    """Run and print what was said."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--out", type=Path, default=Path("certificate"))
    options = parser.parse_args()
    print(run(options.shared.absolute(), options.out.absolute()))


if __name__ == "__main__":
    main()
